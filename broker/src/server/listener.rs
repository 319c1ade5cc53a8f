//! Listening sockets, and the shards' side of them.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::connection::{Client, Connection};
use super::doors::{ConnectionPermit, Doors};
use super::sparingly::Sparingly;
use crate::limits;
use crate::node::Node;
use crate::panics::for_one;

/// A connection on its way to its shard.
pub(crate) struct Accepted {
    stream: std::net::TcpStream,
    address: SocketAddr,
    listener: Arc<str>,
    permit: ConnectionPermit,
}

/// A socket that listens, and hands what it accepts to the shards in turn.
pub(crate) struct Listener {
    name: Arc<str>,
    socket: TcpListener,
    node: Arc<Node>,
    doors: Arc<Doors>,
    shards: Vec<mpsc::UnboundedSender<Accepted>>,
    next: AtomicUsize,
}

/// Refusals are told now and then.
static REFUSED: Sparingly = Sparingly::new();
/// So are failures to accept: peers decide how often they try.
static FAILED: Sparingly = Sparingly::new();

/// How long accepting rests where the process has no more file descriptors.
const REST: Duration = Duration::from_millis(100);

impl Listener {
    pub(crate) fn new(
        name: &str,
        socket: std::net::TcpListener,
        node: Arc<Node>,
        doors: Arc<Doors>,
        shards: Vec<mpsc::UnboundedSender<Accepted>>,
    ) -> io::Result<Self> {
        let (name, next) = (name.into(), AtomicUsize::new(0));
        Ok(Self { name, socket: TcpListener::from_std(socket)?, node, doors, shards, next })
    }

    /// Accepts until the broker stops.
    pub(crate) async fn run(self, mut stopping: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = stopping.wait_for(|stopping| *stopping) => return,
            };
            match accepted {
                Ok((stream, address)) => self.hand_over(stream, address),
                Err(error) => {
                    if let Some(passed_over) = FAILED.allow() {
                        tracing::warn!(%error, passed_over, "accept");
                    }
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    fn hand_over(&self, stream: TcpStream, address: SocketAddr) {
        let limits = limits::connections(&self.node);
        let Some(permit) = self.doors.connect(address.ip(), limits) else {
            if let Some(passed_over) = REFUSED.allow() {
                tracing::warn!(client = %address, passed_over, "refused: too many connections");
            }
            return;
        };
        // A stream that can't be handed over is closed, as any that fails.
        let Ok(stream) = stream.into_std() else { return };
        let listener = Arc::clone(&self.name);
        let shard = self.next.fetch_add(1, Ordering::Relaxed) % self.shards.len();
        drop(self.shards[shard].send(Accepted { stream, address, listener, permit }));
    }
}

/// Serves the connections that land on a shard until the broker stops and all of them have ended.
pub(crate) async fn serve_shard(
    node: Arc<Node>,
    doors: Arc<Doors>,
    mut accepted: mpsc::UnboundedReceiver<Accepted>,
    mut stopping: watch::Receiver<bool>,
    idle_max: Duration,
) {
    let (mut connections, told) = (JoinSet::new(), stopping.clone());
    loop {
        tokio::select! {
            next = accepted.recv() => {
                let Some(Accepted { stream, address, listener, permit }) = next else { break };
                let Ok(stream) = TcpStream::from_std(stream) else { continue };
                let client = Rc::new(Client { address, listener });
                let (node, doors) = (Arc::clone(&node), Arc::clone(&doors));
                let stopping = told.clone();
                let connection = Connection { node, doors, client, permit, stopping, idle_max };
                connections.spawn_local(for_one(connection.serve(stream)));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            _ = stopping.wait_for(|stopping| *stopping) => break,
        }
    }
    while connections.join_next().await.is_some() {}
}
