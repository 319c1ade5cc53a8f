//! Apache Kafka with two brokers, each in a rack of its own, and a controller beside them that goes
//! on whichever is stopped. Nobody misses a broker that hangs before a minute is over.
//!
//! All end, and their directory goes, when it is dropped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{CLUSTER_ID, START_MAX, answers, finished};
use crate::broker::{free_port, wait};
use crate::foreign::{kafka_tool, scratch};

/// What all three have.
const SETTINGS: &str = "controller.listener.names=CONTROLLER\n\
    offsets.topic.replication.factor=1\nbroker.session.timeout.ms=60000\n";
/// What brokers have: a consumer may read in its rack.
const OF_BROKERS: &str = "process.roles=broker\n\
    replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector\n";
const CONTROLLER: i32 = 3;

/// The brokers 1 and 2, in `rack-1` and `rack-2`, and the controller.
#[derive(Debug)]
pub struct Pair {
    /// Where brokers 1 and 2 listen.
    pub addresses: [String; 2],
    /// Of brokers 1 and 2, and of the controller, those that run.
    children: [Option<Child>; 3],
    dir: PathBuf,
}

impl Drop for Pair {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            child.kill().ok();
            child.wait().ok();
        }
        fs::remove_dir_all(&self.dir).ok();
    }
}

impl Pair {
    /// Starts all three.
    ///
    /// - `name`: of their directory.
    ///
    /// # Errors
    /// Why they cannot be had.
    ///
    /// # Panics
    /// If they don't start.
    pub fn start(name: &str) -> Result<Self, String> {
        kafka_tool("kafka.Kafka")?;
        let dir = scratch(name);
        let [first, second, controller] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port()));
        let own = |id: i32| match id {
            CONTROLLER => {
                format!("process.roles=controller\nlisteners=CONTROLLER://{controller}\n")
            }
            _ => {
                let address = if id == 1 { &first } else { &second };
                format!("{OF_BROKERS}broker.rack=rack-{id}\nlisteners=PLAINTEXT://{address}\n")
            }
        };
        for id in 1..=CONTROLLER {
            let settings = format!(
                "{SETTINGS}{}node.id={id}\nlog.dirs={}\n\
                 controller.quorum.voters={CONTROLLER}@{controller}\n",
                own(id),
                dir.join(format!("data-{id}")).display(),
            );
            let file = properties(&dir, id);
            fs::write(&file, settings).expect("a file of ours");
            let mut format = kafka_tool("kafka.tools.StorageTool")?;
            format.args(["format", "--cluster-id", CLUSTER_ID, "--config"]).arg(&file);
            finished(format);
        }
        let addresses = [first, second];
        let mut pair = Self { addresses, children: [None, None, None], dir };
        for id in [CONTROLLER, 1, 2] {
            pair.spawn(id);
        }
        (1..CONTROLLER).for_each(|id| pair.wait(id));
        Ok(pair)
    }

    /// Where both are found.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.addresses.join(",")
    }

    /// Stops a broker as an operator does, and waits for it.
    ///
    /// # Panics
    /// If it doesn't run, or doesn't end.
    pub fn stop(&mut self, id: i32) {
        self.signal(id, "TERM");
        let mut child = self.children[place(id)].take().expect("it runs");
        if wait(&mut child).is_none() {
            child.kill().expect("it is ours");
            child.wait().expect("it was killed");
            panic!("broker {id} goes on: {}", self.log(id));
        }
    }

    /// Starts a broker that was stopped.
    ///
    /// # Panics
    /// If it doesn't start.
    pub fn start_again(&mut self, id: i32) {
        self.spawn(id);
        self.wait(id);
    }

    /// Sends a broker a signal, `STOP` for one.
    ///
    /// # Panics
    /// If it doesn't run.
    pub fn signal(&self, id: i32, name: &str) {
        let child = self.children[place(id)].as_ref().expect("it runs");
        let mut kill = Command::new("kill");
        let sent = kill.args([&format!("-{name}"), &child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "no such process");
    }

    fn spawn(&mut self, id: i32) {
        let log = File::options().create(true).append(true).open(self.log_file(id));
        let mut server = kafka_tool("kafka.Kafka").expect("it could be had before");
        server.arg(properties(&self.dir, id)).stdout(log.expect("a file of ours"));
        self.children[place(id)] = Some(server.stderr(Stdio::null()).spawn().expect("java"));
    }

    fn wait(&self, id: i32) {
        let is_up = answers(&self.addresses[place(id)], START_MAX);
        assert!(is_up, "broker {id} of Apache Kafka didn't start: {}", self.log(id));
    }

    fn log_file(&self, id: i32) -> PathBuf {
        self.dir.join(format!("log-{id}"))
    }

    fn log(&self, id: i32) -> String {
        fs::read_to_string(self.log_file(id)).unwrap_or_default()
    }
}

fn properties(dir: &Path, id: i32) -> PathBuf {
    dir.join(format!("{id}.properties"))
}

fn place(id: i32) -> usize {
    usize::try_from(id - 1).expect("ids begin at 1")
}
