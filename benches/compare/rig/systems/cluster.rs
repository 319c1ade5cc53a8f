//! Clusters of one node or several, ours or Kafka's.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::kafka::Node;
use super::{Jars, START_MAX, free_address, our_binary};
use crate::probe;
use crate::process::Server;

/// Where the first broker of ours listens; the others, and what else they listen for, lie above.
const OUR_PORT: u16 = 21_092;

/// A cluster that runs.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Each node of Kafka's; of ours the process that runs all.
    servers: Vec<Server>,
    is_kafka: bool,
    pub(crate) address: SocketAddr,
    dir: PathBuf,
}

impl Cluster {
    /// Starts one on an empty directory, which is made, and waits until all nodes are in.
    ///
    /// # Errors
    /// Why it doesn't start.
    pub(crate) fn fresh(
        is_kafka: bool,
        nodes: usize,
        dir: &Path,
        jars: &Jars,
    ) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", dir.display());
        if dir.exists() {
            fs::remove_dir_all(dir).map_err(failed)?;
        }
        fs::create_dir_all(dir).map_err(failed)?;
        let since = Instant::now();
        let (mut servers, address) =
            if is_kafka { kafka(nodes, dir, jars)? } else { ours(nodes, dir)? };
        for server in &mut servers {
            probe::all_nodes(server, address, nodes, since, START_MAX)?;
        }
        Ok(Self { servers, is_kafka, address, dir: dir.to_owned() })
    }

    /// Ends it and removes its data. Nodes of Kafka's would wait for each other; those of ours are
    /// other processes, which are waited for.
    ///
    /// # Errors
    /// If it doesn't end, or the data stays.
    pub(crate) fn end_and_remove(self) -> Result<(), String> {
        if self.is_kafka {
            self.servers.into_iter().for_each(Server::kill);
        } else {
            self.servers.into_iter().try_for_each(Server::stop)?;
        }
        fs::remove_dir_all(&self.dir).map_err(|e| format!("{}: {e}", self.dir.display()))
    }
}

/// Brokers of ours as `logboom dev` runs them: they end with it.
fn ours(nodes: usize, dir: &Path) -> Result<(Vec<Server>, SocketAddr), String> {
    let mut command = Command::new(our_binary());
    command.args(["dev", "--brokers", &nodes.to_string(), "--base-port", &OUR_PORT.to_string()]);
    command.arg("--data-dir").arg(dir.join("data"));
    let server = Server::spawn("logboom dev", &mut command, &dir.join("log"))?;
    Ok((vec![server], SocketAddr::from(([127, 0, 0, 1], OUR_PORT))))
}

fn kafka(nodes: usize, dir: &Path, jars: &Jars) -> Result<(Vec<Server>, SocketAddr), String> {
    let addresses = || (0..nodes).map(|_| free_address()).collect::<Result<Vec<_>, _>>();
    let (brokers, controllers) = (addresses()?, addresses()?);
    let mut servers = Vec::new();
    for (id, address) in (1..).zip(&brokers) {
        let own = dir.join(format!("node-{id}"));
        fs::create_dir_all(&own).map_err(|error| format!("{}: {error}", own.display()))?;
        let node = Node { id, address: *address, controllers: &controllers };
        let mut command = node.first_start(jars, &own)?;
        servers.push(Server::spawn(&format!("kafka {id}"), &mut command, &own.join("log"))?);
    }
    Ok((servers, brokers[0]))
}
