//! Apache Kafka from Maven: nodes that are broker and controller, as its scripts start them.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{data_of, free_address};
use crate::options::{own_dir, sources};
use crate::process::output;

/// How long Maven may take.
const FETCH_MAX: Duration = Duration::from_secs(600);
/// How long formatting a directory may take.
const FORMAT_MAX: Duration = Duration::from_secs(60);
/// Any id will do.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qk";
/// The JVM's options in `kafka-server-start.sh` and `kafka-run-class.sh`.
const BROKER_OPTIONS: [&str; 9] = [
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
];
/// The heap of the performance tools in their scripts.
const TOOL_HEAP: &str = "-Xmx512M";

/// Kafka's jars.
#[derive(Debug)]
pub(crate) struct Jars {
    dir: PathBuf,
}

impl Jars {
    /// The jars that `pom.xml` names, fetched once.
    ///
    /// # Errors
    /// Why they can't be had.
    pub(crate) fn fetched() -> Result<Self, String> {
        let pom = sources().join("pom.xml");
        let text = fs::read(&pom).map_err(|error| format!("{}: {error}", pom.display()))?;
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let dir = own_dir().join(format!("kafka-{:016x}", hasher.finish()));
        let complete = dir.join("complete");
        if !complete.exists() {
            let mut maven = Command::new("mvn");
            maven.args(["--quiet", "--batch-mode", "--file"]).arg(&pom);
            maven.arg("dependency:copy-dependencies");
            maven.arg(format!("-DoutputDirectory={}", dir.display()));
            output(&mut maven, FETCH_MAX)?;
            fs::write(&complete, []).map_err(|error| format!("{}: {error}", dir.display()))?;
        }
        Ok(Self { dir })
    }

    /// The version of the broker, from its jar's name.
    pub(crate) fn version(&self) -> Option<String> {
        let entries = fs::read_dir(&self.dir).ok()?;
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        names
            .filter_map(|name| {
                Some(name.strip_prefix("kafka_2.13-")?.strip_suffix(".jar")?.to_owned())
            })
            .next()
    }

    /// A command that runs one of Kafka's tools.
    pub(crate) fn tool(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command.arg(TOOL_HEAP);
        self.add_class(&mut command, "tools-log4j2.properties", class);
        command
    }

    fn add_class(&self, command: &mut Command, log: &str, class: &str) {
        let log = sources().join(log);
        command.arg(format!("-Dlog4j2.configurationFile={}", log.display()));
        command.arg("-cp").arg(self.dir.join("*")).arg(class);
    }
}

/// A node of a cluster of several.
pub(super) struct Node<'a> {
    /// From 1.
    pub(super) id: usize,
    pub(super) address: SocketAddr,
    /// Where the controllers of all nodes listen.
    pub(super) controllers: &'a [SocketAddr],
}

impl Node<'_> {
    /// Prepares a directory for its first start; returns the command that starts it.
    pub(super) fn first_start(&self, jars: &Jars, dir: &Path) -> Result<Command, String> {
        let controller = self.controllers[self.id - 1];
        let path = write_properties(dir, self.address, controller)?;
        let voters = self.controllers.iter().zip(1..);
        let voters: Vec<String> = voters.map(|(at, id)| format!("{id}@{at}")).collect();
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        // The last line of a key counts.
        let own = format!("node.id={}\ncontroller.quorum.bootstrap.servers=\n", self.id);
        let all = format!("controller.quorum.voters={}\n", voters.join(","));
        let text = fs::read_to_string(&path).map_err(failed)?;
        fs::write(&path, text + &own + &all).map_err(failed)?;
        let mut format = jars.tool("kafka.tools.StorageTool");
        format.args(["format", "--cluster-id", CLUSTER_ID, "--config"]).arg(&path);
        output(&mut format, FORMAT_MAX)?;
        Ok(broker(jars, &path))
    }
}

/// Prepares a directory for a first start.
pub(super) fn format(jars: &Jars, dir: &Path) -> Result<(), String> {
    let properties = write_properties(dir, free_address()?, free_address()?)?;
    let mut command = jars.tool("kafka.tools.StorageTool");
    command.args(["format", "--standalone", "--cluster-id", CLUSTER_ID, "--config"]);
    output(command.arg(properties), FORMAT_MAX).map(drop)
}

/// A command that runs the broker.
pub(super) fn command(jars: &Jars, address: SocketAddr, dir: &Path) -> Result<Command, String> {
    // The quorum remembers its voter by address, so the controller's port is kept.
    let kept = dir.join("controller");
    let controller = match fs::read_to_string(&kept).ok().and_then(|text| text.parse().ok()) {
        Some(controller) => controller,
        None => free_address()?,
    };
    Ok(broker(jars, &write_properties(dir, address, controller)?))
}

fn broker(jars: &Jars, properties: &Path) -> Command {
    let mut command = Command::new("java");
    command.args(BROKER_OPTIONS);
    jars.add_class(&mut command, "log4j2.properties", "kafka.Kafka");
    command.arg(properties);
    command
}

/// Writes the configuration and the controller's address.
fn write_properties(
    dir: &Path,
    address: SocketAddr,
    controller: SocketAddr,
) -> Result<PathBuf, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", dir.display());
    let mut text = fs::read_to_string(sources().join("server.properties")).map_err(failed)?;
    text += &format!("listeners=PLAINTEXT://{address},CONTROLLER://{controller}\n");
    text += &format!("advertised.listeners=PLAINTEXT://{address},CONTROLLER://{controller}\n");
    text += &format!("controller.quorum.bootstrap.servers={controller}\n");
    text += &format!("log.dirs={}\n", data_of(dir).display());
    let path = dir.join("server.properties");
    fs::write(&path, text).map_err(failed)?;
    fs::write(dir.join("controller"), controller.to_string()).map_err(failed)?;
    Ok(path)
}
