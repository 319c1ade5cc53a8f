//! Other people's clients, set up by the package managers that their languages come with.
//!
//! Versions are pinned in `tests/java/pom.xml`, `tests/python/requirements.txt`,
//! `tests/python/solver.txt`, `tests/go/go.mod` and `tests/node/package.json`. What is
//! set up lies in `target/foreign`, in a directory whose name is made from those files, so that it
//! is done once and done anew when they change.
//!
//! Must always hold: a test that can't have its client says so on standard error and checks
//! nothing; it never passes in silence. Where `LOGBOOM_REQUIRE_FOREIGN` is set, as in `.ci/run`,
//! the line says so too.

mod others;

use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub use others::{flights, go, kafka_tool, kcat, node};

/// The reference client: its jars and our small programs on top of them (`tests/java/src`).
#[derive(Debug)]
pub struct Java {
    class_path: String,
}

/// Python with the packages of one file of requirements.
#[derive(Debug)]
pub struct Python {
    interpreter: PathBuf,
}

/// The reference client, set up by the first caller.
///
/// # Errors
/// Why it cannot be had.
pub fn java() -> Result<&'static Java, String> {
    static JAVA: OnceLock<Result<Java, String>> = OnceLock::new();
    JAVA.get_or_init(Java::set_up).as_ref().map_err(String::clone)
}

/// Python and its clients, set up by the first caller.
///
/// # Errors
/// Why they cannot be had.
pub fn python() -> Result<&'static Python, String> {
    static PYTHON: OnceLock<Result<Python, String>> = OnceLock::new();
    let set_up = || Python::set_up("python", "python/requirements.txt");
    PYTHON.get_or_init(set_up).as_ref().map_err(String::clone)
}

/// Python and a solver, set up by the first caller.
///
/// # Errors
/// Why they cannot be had.
pub fn solver() -> Result<&'static Python, String> {
    static SOLVER: OnceLock<Result<Python, String>> = OnceLock::new();
    let set_up = || Python::set_up("solver", "python/solver.txt");
    SOLVER.get_or_init(set_up).as_ref().map_err(String::clone)
}

/// A client that produces to us and consumes from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// The reference client, in Java.
    KafkaClients,
    /// librdkafka, through its Python binding.
    Librdkafka,
    /// kafka-python.
    KafkaPython,
}

impl Client {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::KafkaClients, Self::Librdkafka, Self::KafkaPython];

    /// Its name, also in golden files.
    pub fn name(self) -> &'static str {
        match self {
            Self::KafkaClients => "kafka-clients",
            Self::Librdkafka => "librdkafka",
            Self::KafkaPython => "kafka-python",
        }
    }

    /// A command that runs its producer.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub fn producer(self) -> Result<Command, String> {
        Ok(match self {
            Self::KafkaClients => java()?.command("Produce"),
            Self::Librdkafka => python()?.command("librdkafka_produce.py"),
            Self::KafkaPython => python()?.command("kafka_python_produce.py"),
        })
    }

    /// A command that runs its consumer.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub fn consumer(self) -> Result<Command, String> {
        Ok(match self {
            Self::KafkaClients => java()?.command("Consume"),
            Self::Librdkafka => python()?.command("librdkafka_consume.py"),
            Self::KafkaPython => python()?.command("kafka_python_consume.py"),
        })
    }
}

/// The client, or a line on standard error that says that `what` was not tested and why.
pub fn or_skip<T>(what: &str, client: Result<T, String>) -> Option<T> {
    let skipped = |reason: &String| {
        let asked = std::env::var_os("LOGBOOM_REQUIRE_FOREIGN").is_some();
        let note = if asked { " (LOGBOOM_REQUIRE_FOREIGN is set)" } else { "" };
        // The test harness keeps what is printed by macros to itself.
        let mut stderr = std::io::stderr();
        let line = format!("SKIPPED: {what} because {reason}{note}\n");
        std::io::Write::write_all(&mut stderr, line.as_bytes()).expect("standard error is open");
    };
    client.inspect_err(skipped).ok()
}

impl Java {
    fn set_up() -> Result<Self, String> {
        // What was set up once can outlive the JDK that runs it.
        finished("java", Command::new("java").arg("-version"))?;
        let sources = files_of(&ours("java/src"), "java")?;
        let pom = ours("java/pom.xml");
        let inputs = sources.iter().chain([&pom]);
        let dir = prepared("java", inputs, |dir| {
            let jars = dir.join("lib");
            let mut fetch = Command::new("mvn");
            fetch.args(["--quiet", "--batch-mode", "--file"]).arg(&pom);
            fetch.arg("dependency:copy-dependencies");
            fetch.arg(format!("-DoutputDirectory={}", jars.display()));
            finished("Maven", &mut fetch)?;
            let mut compile = Command::new("javac");
            compile.args(["-cp"]).arg(jars.join("*"));
            compile.arg("-d").arg(dir.join("classes")).args(&sources);
            // Not a reason to skip: the sources are ours.
            let output = compile.output().map_err(|e| format!("there is no javac: {e}"))?;
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "tests/java/src does not compile:\n{errors}");
            Ok(())
        })?;
        let class_path =
            format!("{}:{}", dir.join("classes").display(), dir.join("lib/*").display());
        Ok(Self { class_path })
    }

    /// A command that runs one of our programs.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("java");
        command.args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.args(["-cp", &self.class_path, program]);
        command
    }
}

impl Python {
    fn set_up(name: &str, requirements: &str) -> Result<Self, String> {
        let requirements = ours(requirements);
        let dir = prepared(name, [&requirements], |dir| {
            let venv = dir.join("venv");
            let mut create = Command::new("python3");
            finished("python3", create.args(["-m", "venv"]).arg(&venv))?;
            let mut install = Command::new(venv.join("bin/python"));
            install.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"]);
            finished("pip", install.arg("--requirement").arg(&requirements))
        })?;
        Ok(Self { interpreter: dir.join("venv/bin/python") })
    }

    /// A command that runs one of our programs.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(&self.interpreter);
        // Neither the caller's packages nor compiled files in the source tree.
        command.env_remove("PYTHONPATH").env("PYTHONDONTWRITEBYTECODE", "1");
        command.arg(ours("python").join(program));
        command
    }
}

/// Runs a client to its end and returns what it printed.
///
/// # Panics
/// If it fails, with what it said.
pub fn printed(command: &mut Command) -> String {
    let output = command.output().expect("a client that was set up can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).expect("clients print ASCII")
}

/// An empty directory under `target/foreign` for what one test hands to a client.
///
/// # Panics
/// If it cannot be made.
pub fn scratch(name: &str) -> PathBuf {
    let dir = foreign_dir().join("scratch").join(format!("{name}-{}", std::process::id()));
    if dir.exists() {
        fs::remove_dir_all(&dir).expect("left by an earlier process of that number");
    }
    fs::create_dir_all(&dir).expect("the target directory can be written");
    // As tools that watch a process name its files.
    fs::canonicalize(dir).expect("just made")
}

fn ours(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn foreign_dir() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| ours("../target")).join("foreign")
}

fn files_of(dir: &Path, ending: &str) -> Result<Vec<PathBuf>, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", dir.display());
    let entries = fs::read_dir(dir).map_err(failed)?;
    let mut files =
        entries.map(|e| Ok(e?.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    files.retain(|path| path.extension() == Some(OsStr::new(ending)));
    files.sort();
    Ok(files)
}

/// The directory that `prepare` has filled for these `inputs`, now or earlier.
fn prepared<'a>(
    name: &str,
    inputs: impl IntoIterator<Item = &'a PathBuf>,
    prepare: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    fn failed(error: impl Display) -> String {
        format!("target/foreign cannot be used: {error}")
    }
    let mut hasher = DefaultHasher::new();
    for input in inputs {
        fs::read(input).map_err(|e| format!("{}: {e}", input.display()))?.hash(&mut hasher);
    }
    let root = foreign_dir();
    fs::create_dir_all(&root).map_err(failed)?;
    let dir = root.join(format!("{name}-{:016x}", hasher.finish()));
    // Several test processes may run at once; the lock ends with this function.
    let lock = File::create(root.join(format!("{name}.lock"))).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let complete = dir.join("complete");
    if !complete.exists() {
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(failed)?;
        }
        fs::create_dir_all(&dir).map_err(failed)?;
        prepare(&dir)?;
        fs::write(complete, []).map_err(failed)?;
    }
    Ok(dir)
}

/// Runs a package manager; its failure is a reason to skip.
fn finished(name: &str, command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{name} cannot be started: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // Both Maven and pip mark what matters so; what follows is advice.
    let line = said.lines().find(|line| line.contains("ERROR")).or(said.lines().last());
    let line = line.unwrap_or("it said nothing").trim();
    Err(format!("{name} failed ({}): {line}", output.status))
}
