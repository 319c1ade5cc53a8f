//! The clients of the tour that no other test uses: Kafka's tools, franz-go, kafkajs and kcat.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{Python, files_of, finished, ours, prepared};

type SetUp = OnceLock<Result<PathBuf, String>>;

/// A command that runs one of Kafka's command-line tools, which have jars of their own.
///
/// # Errors
/// Why it cannot be had.
pub fn kafka_tool(class: &str) -> Result<Command, String> {
    static JARS: SetUp = OnceLock::new();
    let jars = JARS.get_or_init(|| {
        finished("java", Command::new("java").arg("-version"))?;
        let pom = ours("java/tools.xml");
        let dir = prepared("tools", [&pom], |dir| {
            let mut fetch = Command::new("mvn");
            fetch.args(["--quiet", "--batch-mode", "--file"]).arg(&pom);
            fetch.arg("dependency:copy-dependencies");
            fetch.arg(format!("-DoutputDirectory={}", dir.join("lib").display()));
            finished("Maven", &mut fetch)
        })?;
        Ok(dir.join("lib/*"))
    });
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
    command.arg(jars.clone()?).arg(class);
    Ok(command)
}

/// A command that runs our program on top of franz-go.
///
/// # Errors
/// Why it cannot be had.
pub fn go() -> Result<Command, String> {
    static PROGRAM: SetUp = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let source = ours("go");
        let mut inputs = files_of(&source, "go")?;
        inputs.extend([source.join("go.mod"), source.join("go.sum")]);
        let dir = prepared("go", &inputs, |dir| {
            let mut build = Command::new("go");
            build.args(["build", "-o"]).arg(dir.join("tour")).arg(".").current_dir(&source);
            finished("go", &mut build)
        })?;
        Ok(dir.join("tour"))
    });
    program.clone().map(Command::new)
}

/// A command that runs one of our programs on top of kafkajs.
///
/// # Errors
/// Why it cannot be had.
pub fn node(program: &str) -> Result<Command, String> {
    static DIRECTORY: SetUp = OnceLock::new();
    let dir = DIRECTORY.get_or_init(|| {
        finished("node", Command::new("node").arg("--version"))?;
        let package = ours("node/package.json");
        prepared("node", [&package], |dir| {
            let copied = std::fs::copy(&package, dir.join("package.json"));
            copied.map_err(|error| format!("{}: {error}", package.display()))?;
            let mut install = Command::new("npm");
            install.args(["install", "--silent", "--no-audit", "--no-fund", "--no-package-lock"]);
            finished("npm", install.current_dir(dir))
        })
    });
    let mut command = Command::new("node");
    command.env("NODE_PATH", dir.clone()?.join("node_modules")).arg(ours("node").join(program));
    Ok(command)
}

/// A command that runs kcat: the one that is installed, or Debian's, unpacked beside our own files.
///
/// # Errors
/// Why it cannot be had.
pub fn kcat() -> Result<Command, String> {
    static ROOT: SetUp = OnceLock::new();
    if finished("kcat", Command::new("kcat").arg("-V")).is_ok() {
        return Ok(Command::new("kcat"));
    }
    let root = ROOT.get_or_init(|| {
        // The list of packages is the only input.
        prepared("kcat", [&ours("src/foreign/others.rs")], |dir| {
            let mut download = Command::new("apt-get");
            download.args(["download", "-qq"]).args(DEBIAN).current_dir(dir);
            finished("apt-get", &mut download)?;
            for package in files_of(dir, "deb")? {
                let mut unpack = Command::new("dpkg");
                finished("dpkg", unpack.arg("-x").arg(&package).arg(dir))?;
            }
            finished("kcat", run_in(dir).arg("-V"))
        })
    });
    root.clone().map(|root| run_in(&root))
}

/// All flights that PyPI has, a line each.
///
/// # Errors
/// Why they cannot be had.
pub fn flights(python: &Python) -> Result<PathBuf, String> {
    let dir = prepared("flights", [&ours("python/flights.py")], |dir| {
        finished("pip", python.command("flights.py").arg(dir))
    })?;
    Ok(dir.join("flights.csv"))
}

/// kcat and the libraries of Debian that few systems have.
const DEBIAN: [&str; 3] = ["kcat", "librdkafka1", "libyajl2"];

fn run_in(root: &Path) -> Command {
    let mut command = Command::new(root.join("usr/bin/kcat"));
    let libraries = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    command.env("LD_LIBRARY_PATH", root.join(libraries));
    command
}
