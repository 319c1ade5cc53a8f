//! The threads of shards: partitions first, and connections once the broker is one of its cluster.

use std::io;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use logboom_storage::Directory;

use crate::coordination::{Host, Inbox};
use crate::metrics::Metrics;
use crate::node::Node;
use crate::partition::{
    CatchUp, Command, Hands, LeaderNews, Process, Registry, Seat, Shard, ShardHandle,
};
use crate::server::{Accepted, Doors, Listener, serve_shard};
use crate::threads::{ShardThread, Threads, spawn};
use crate::ticks;

/// The most threads of a shard that read what isn't in memory.
const COLD_READERS: usize = 8;
/// How long such a thread stays without work.
const COLD_READER_IDLE: Duration = Duration::from_secs(10);

/// What the shards of a broker have in common.
#[derive(Clone)]
pub(super) struct Common {
    directory: Arc<Directory>,
    pub(super) seat: Seat,
    pub(super) registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    pub(super) catch_up: Arc<CatchUp>,
    reports: mpsc::UnboundedSender<LeaderNews>,
}

impl Common {
    /// And where their reports arrive.
    pub(super) fn new(
        directory: &Arc<Directory>,
        metrics: &Arc<Metrics>,
        seat: Seat,
    ) -> (Self, mpsc::UnboundedReceiver<LeaderNews>) {
        let (reports, from_shards) = mpsc::unbounded_channel();
        let (directory, metrics) = (Arc::clone(directory), Arc::clone(metrics));
        let (registry, catch_up) = (Arc::default(), Arc::default());
        (Self { directory, seat, registry, metrics, catch_up, reports }, from_shards)
    }

    pub(super) fn shard(
        self,
        index: usize,
        handle: ShardHandle,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Shard {
        let Self { directory, seat, registry, metrics, catch_up, reports } = self;
        let around = Arc::new(Process);
        let hands = Hands { directory, metrics, handle, reports, catch_up, around };
        Shard::new(index, hands, seat, registry, commands)
    }
}

/// Starts the threads of shards, and says where they wait to be told to serve connections.
///
/// - `make`: a shard of that number, its handle, and where it takes its commands.
pub(super) fn start_shards(
    threads: &mut Threads,
    count: usize,
    make: impl Fn(usize, ShardHandle, mpsc::UnboundedReceiver<Command>) -> Shard
    + Clone
    + Send
    + 'static,
) -> io::Result<Vec<oneshot::Sender<Serving>>> {
    let mut starters = Vec::new();
    for index in 0..count {
        let (handle, commands) = ShardHandle::channel();
        let (starter, started) = oneshot::channel();
        let (end, ended) = std_mpsc::channel();
        let (make, own) = (make.clone(), handle.clone());
        let run = move || run_shard(make(index, own, commands), started, &end);
        let thread = spawn(&format!("shard-{index}"), run)?;
        threads.add_shard(ShardThread { thread, handle, ended });
        starters.push(starter);
    }
    Ok(starters)
}

/// What a shard's thread needs to serve connections.
pub(super) struct Serving {
    node: Arc<Node>,
    doors: Arc<Doors>,
    accepted: mpsc::UnboundedReceiver<Accepted>,
    /// Where its host of groups is asked.
    inbox: Inbox,
    index: usize,
    /// Those that this shard looks after.
    listeners: Vec<Listening>,
    idle_max: Duration,
}

/// A socket that is bound, and where what it accepts goes.
struct Listening {
    name: String,
    socket: std::net::TcpListener,
    shards: Vec<mpsc::UnboundedSender<Accepted>>,
}

/// Has the shards serve connections; the first looks after the listeners and the time.
pub(super) fn serve(
    node: &Arc<Node>,
    doors: &Arc<Doors>,
    sockets: Vec<(String, std::net::TcpListener)>,
    starters: Vec<(oneshot::Sender<Serving>, Inbox)>,
) {
    let idle_ms = u64::try_from(node.integer("connections.max.idle.ms")).unwrap_or(u64::MAX);
    let idle_max = Duration::from_millis(idle_ms);
    let (senders, receivers): (Vec<_>, Vec<_>) =
        starters.iter().map(|_| mpsc::unbounded_channel()).unzip();
    let mut listeners: Vec<Listening> = sockets
        .into_iter()
        .map(|(name, socket)| Listening { name, socket, shards: senders.clone() })
        .collect();
    for (index, ((starter, inbox), accepted)) in starters.into_iter().zip(receivers).enumerate() {
        let (node, doors) = (Arc::clone(node), Arc::clone(doors));
        let listeners = std::mem::take(&mut listeners);
        let serving = Serving { node, doors, accepted, inbox, index, listeners, idle_max };
        drop(starter.send(serving));
    }
}

/// The thread of a shard.
fn run_shard(shard: Shard, started: oneshot::Receiver<Serving>, end: &std_mpsc::Sender<()>) {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(COLD_READERS)
        .thread_keep_alive(COLD_READER_IDLE)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!(%error, "a shard has no runtime"),
    };
    let local = LocalSet::new();
    let partitions = local.spawn_local(shard.run());
    local.block_on(&runtime, async {
        if let Ok(serving) = started.await {
            serve_connections(serving).await;
        }
        end.send(()).unwrap_or(());
        drop(partitions.await);
    });
}

async fn serve_connections(serving: Serving) {
    let Serving { node, doors, accepted, inbox, index, listeners, idle_max } = serving;
    tokio::task::spawn_local(Host::new(Arc::clone(&node), index, inbox).run());
    // The first looks after what is done now and then.
    if index == 0 {
        tokio::task::spawn_local(ticks::run(Arc::clone(&node)));
    }
    for Listening { name, socket, shards } in listeners {
        let (seen, doors) = (Arc::clone(&node), Arc::clone(&doors));
        match Listener::new(&name, socket, seen, doors, shards) {
            Ok(listener) => {
                tokio::task::spawn_local(listener.run(node.stopping.clone()));
            }
            Err(error) => tracing::error!(%name, %error, "a listener is not served"),
        }
    }
    let stopping = node.stopping.clone();
    serve_shard(node, doors, accepted, stopping, idle_max).await;
}
