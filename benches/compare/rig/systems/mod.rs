//! The brokers that are compared: what they are, and how they are started on fresh data.

mod cluster;
mod kafka;

use std::fmt;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub(crate) use cluster::Cluster;
pub(crate) use kafka::Jars;

use crate::options::{root, sibling};
use crate::probe;
use crate::process::Server;

/// How long a start may take, a recovery included.
const START_MAX: Duration = Duration::from_secs(300);

/// A broker in one of its configurations, in the order in which they take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum System {
    /// Stores nothing: the ceiling.
    Discard,
    /// Ours as it comes: a flush before each acknowledgement.
    Ours,
    /// Apache Kafka with a flush before each acknowledgement.
    KafkaFlush,
    /// Ours with `write.caching`: nobody waits for a flush.
    OursCached,
    /// Apache Kafka as it comes: nobody waits for a flush.
    Kafka,
}

impl System {
    pub(crate) const ALL: [Self; 5] =
        [Self::Discard, Self::Ours, Self::KafkaFlush, Self::OursCached, Self::Kafka];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Discard => "discard",
            Self::Ours => "ours",
            Self::KafkaFlush => "kafka-flush",
            Self::OursCached => "ours-cached",
            Self::Kafka => "kafka",
        }
    }

    /// Kafka with the same promise about acknowledged records: only like is compared with like.
    pub(crate) const fn rival(self) -> Option<Self> {
        match self {
            Self::Ours => Some(Self::KafkaFlush),
            Self::OursCached => Some(Self::Kafka),
            Self::Discard | Self::Kafka | Self::KafkaFlush => None,
        }
    }

    /// What its topics are made with.
    pub(crate) const fn topic_config(self) -> &'static str {
        match self {
            Self::Discard => "",
            Self::Ours => "file.delete.delay.ms=0",
            Self::OursCached => "file.delete.delay.ms=0,write.caching=true",
            Self::Kafka => "file.delete.delay.ms=0",
            Self::KafkaFlush => "file.delete.delay.ms=0,flush.messages=1",
        }
    }

    pub(crate) const fn is_kafka(self) -> bool {
        matches!(self, Self::Kafka | Self::KafkaFlush)
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for System {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|system| system.name() == name);
        found.ok_or_else(|| format!("{name} is no system"))
    }
}

/// A system that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) system: System,
    pub(crate) address: SocketAddr,
    pub(crate) server: Server,
    /// From its start to the answer to the first request.
    pub(crate) ready_after: Duration,
    dir: PathBuf,
}

impl Running {
    /// Starts a system on an empty directory, which is made.
    ///
    /// # Errors
    /// Why it doesn't start.
    pub(crate) fn fresh(system: System, dir: &Path, jars: &Jars) -> Result<Self, String> {
        if dir.exists() {
            fs::remove_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        }
        fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        if system.is_kafka() {
            kafka::format(jars, dir)?;
        }
        Self::start(system, dir, jars)
    }

    /// Starts a system on what an earlier life left.
    ///
    /// # Errors
    /// Why it doesn't start.
    pub(crate) fn start(system: System, dir: &Path, jars: &Jars) -> Result<Self, String> {
        let address = free_address()?;
        let mut command = match system {
            System::Discard => discard(address),
            System::Ours | System::OursCached => ours(address, dir),
            System::Kafka | System::KafkaFlush => kafka::command(jars, address, dir)?,
        };
        let since = Instant::now();
        let mut server = Server::spawn(system.name(), &mut command, &log_of(dir))?;
        let ready_after = probe::first_answer(&mut server, address, since, START_MAX)?;
        Ok(Self { system, address, server, ready_after, dir: dir.to_owned() })
    }

    /// Ends it, without the time that an orderly stop takes, and removes its data.
    ///
    /// # Errors
    /// If the data stays.
    pub(crate) fn end_and_remove(self) -> Result<(), String> {
        self.server.kill();
        fs::remove_dir_all(&self.dir).map_err(|e| format!("{}: {e}", self.dir.display()))
    }
}

fn discard(address: SocketAddr) -> Command {
    let mut command = Command::new(sibling("discard"));
    command.args(["--listen", &address.to_string()]);
    command
}

/// The broker's binary, as a release builds it.
pub(crate) fn our_binary() -> PathBuf {
    root().join("target/release/logboom")
}

fn ours(address: SocketAddr, dir: &Path) -> Command {
    let mut command = Command::new(our_binary());
    command.args(["broker", "--listen", &address.to_string(), "--admin-listen", ""]);
    command.arg("--data-dir").arg(data_of(dir));
    command
}

/// Where a system keeps its records.
pub(crate) fn data_of(dir: &Path) -> PathBuf {
    dir.join("data")
}

fn log_of(dir: &Path) -> PathBuf {
    dir.join("log")
}

/// An address on loopback that nobody listens on.
fn free_address() -> Result<SocketAddr, String> {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    bound.map_err(|error| format!("a port on loopback: {error}"))
}
