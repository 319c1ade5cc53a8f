//! Starting and stopping a broker.
//!
//! Must always hold: nobody is answered before what was there is open again, and a stop loses
//! nothing that was acknowledged and leaves nothing to be read at the next start.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, OnceLock};
use std::thread;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use logboom_controller::MetadataImage;
use logboom_controller::config::{Effective, StaticConfig};
use logboom_controller::image::Topic;
use logboom_controller::record::{BrokerRegistration, PeerAddress};
use logboom_protocol::units::Uuid;
use logboom_storage::{Directory, LeftBy, OpenError, StorageError};

use crate::balancing::{self, Balancing, Inbox};
use crate::cleaner::Cleaners;
use crate::cluster::{
    CHECKPOINT_ABOVE_BYTES, MetadataLogError, Neighbours, Reconciler, Replicas, VoterChanges,
};
use crate::config::{Config, Quorum, SocketOptions};
use crate::coordination::Coordination;
use crate::groundwork::Groundwork;
use crate::machine::Machine;
use crate::metrics::Metrics;
use crate::node::{Node, random_id};
use crate::partition::{CatchUp, Command, Joining, Process, Seat, TopicSettings};
use crate::peer::{Identity, Limits as PeerLimits, PeerId, Peers};
use crate::repair::Repairs;
use crate::server::{AnswerDoor, Doors, listen};
use crate::threads::{Threads, spawn};
use crate::{admin, limits};

pub(crate) mod begin;
mod shards;

use begin::{Began, Beginning};
use shards::{Common, serve, start_shards};

/// Why a broker doesn't start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A listener can't be bound.
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The data directory can't be opened.
    Open(OpenError),
    /// The storage fails.
    Storage(StorageError),
    /// A part of the broker fails, as said.
    Failed(String),
    /// The system refuses a thread or a socket.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, source } if source.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "listen on {address}: another process does; give other addresses by listeners \
                     (--listen) and admin.listener (--admin-listen; empty for none)"
                )
            }
            Self::Listen { address, source } => write!(f, "listen on {address}: {source}"),
            Self::Open(error) => error.fmt(f),
            Self::Storage(error) => error.fmt(f),
            Self::Failed(what) => f.write_str(what),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<StorageError> for StartError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<MetadataLogError> for StartError {
    fn from(error: MetadataLogError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// A broker that runs.
pub struct Broker {
    node: Arc<Node>,
    addresses: Vec<SocketAddr>,
    /// Where metrics and health are served, if anywhere.
    admin: Option<SocketAddr>,
    threads: Threads,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broker({:?})", self.addresses)
    }
}

impl Broker {
    /// Starts a broker; it serves when this returns.
    ///
    /// # Errors
    /// [`StartError`]; then nothing of it runs any more.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        // Before anything is made: an address in use is the mistake that is made most often.
        let sockets = Sockets::bind(config)?;
        Self::start_listening(config, sockets, Machine::system(&config.data_dir)?)
    }

    /// The same, with the data directory on a machine of the caller's.
    ///
    /// # Errors
    /// As [`Self::start`].
    #[cfg(test)]
    pub(crate) fn start_on(config: &Config, machine: Machine) -> Result<Self, StartError> {
        Self::start_listening(config, Sockets::bind(config)?, machine)
    }

    fn start_listening(
        config: &Config,
        sockets: Sockets,
        machine: Machine,
    ) -> Result<Self, StartError> {
        let open_files_max = limits::raise_open_files();
        let directory = Arc::new(machine.open(&config.data_dir).map_err(StartError::Open)?);
        say_starting(config, &directory, open_files_max);
        let mut threads = Threads::new(Arc::clone(&directory));
        match start_threads(&mut threads, config, sockets, directory) {
            Ok(Serves { node, addresses, admin }) => Ok(Self { node, addresses, admin, threads }),
            Err(error) => {
                // Not marked as closed: not every log has been looked at.
                drop(threads.end());
                Err(error)
            }
        }
    }

    /// What its handlers see.
    #[cfg(test)]
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Where it listens, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where it serves metrics and health, if anywhere.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// The cluster that it belongs to.
    #[must_use]
    pub fn cluster_id(&self) -> Uuid {
        self.node.cluster_id
    }

    /// What took the data directory out of service, if something did.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.node.directory.failure().map(|failure| failure.to_string())
    }

    /// Stops: takes no more requests, answers those that it has, closes the logs. Waits for all of
    /// it.
    pub fn stop(self) {
        let Self { node, threads, .. } = self;
        drop(node);
        match Arc::into_inner(threads.end()).map(Directory::close) {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::error!(%error, "the data directory is not closed"),
            None => tracing::error!("the data directory is not closed: somebody still holds it"),
        }
    }
}

/// A broker that has begun to serve.
struct Serves {
    node: Arc<Node>,
    addresses: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
}

/// Starts the threads of a broker.
///
/// # Errors
/// [`StartError`]; the caller ends those that have been started.
fn start_threads(
    threads: &mut Threads,
    config: &Config,
    sockets: Sockets,
    directory: Arc<Directory>,
) -> Result<Serves, StartError> {
    let Sockets { clients: sockets, peers: peer_socket, admin } = sockets;
    threads.start_flushers()?;
    let metrics = Arc::new(Metrics::default());
    let seat = seat(config, &directory);
    let (common, from_shards) = Common::new(&directory, &metrics, seat);
    let Common { seat, registry, catch_up, .. } = common.clone();
    let make = move |index, handle, commands| common.clone().shard(index, handle, commands);
    let starters = start_shards(threads, shard_count(config), make)?;
    let shards = threads.shard_handles();
    let (settings, told) = (Arc::new(config.settings.clone()), Arc::new(OnceLock::new()));
    let published = Arc::new(ArcSwap::from_pointee(MetadataImage::default()));
    let registration = registration(config, &sockets, directory.id());
    let replicas = Replicas { registry: Arc::clone(&registry), shards: Arc::clone(&shards) };
    let ground = Arc::new(Groundwork {
        id: registration.id,
        directory: Arc::clone(&directory),
        metrics: Arc::clone(&metrics),
        replicas,
        published: Arc::clone(&published),
        others: OnceLock::new(),
        node: Arc::default(),
        stopping: threads.stopping(),
    });
    let own = (seat, catch_up, registration.incarnation);
    let reconciler = reconciler(&ground, &settings, &told, own, config.quorum.is_none());
    let admin = start_admin(threads, &ground, admin)?;
    let this = PeerId { node: registration.id, directory: directory.id(), run: directory.run() };
    let peers = peer_socket.map(|socket| {
        join(config, identity(config, this, &directory), socket, &published, threads)
    });
    let beginning = Beginning {
        this,
        ground: Arc::clone(&ground),
        around: Arc::new(Process),
        reconciler,
        registration,
        checkpoint_above: CHECKPOINT_ABOVE_BYTES,
        peers: peers.map(|(neighbours, peers)| (neighbours, Arc::new(peers.caller()) as _)),
        from_shards,
    };
    let Began { handle, cluster_id, others } = start_controller(threads, beginning)?;
    let (coordination, inboxes) = Coordination::new(shards.len());
    let (balancing, inbox) = Balancing::new();
    drop(told.set(coordination.clone()));
    let node = Arc::new(Node {
        config: settings,
        cluster_id,
        directory,
        metrics: Arc::clone(&metrics),
        registry,
        voter_changes: VoterChanges::new(&shards, Arc::new(Process)),
        shards,
        controller: handle,
        others,
        coordination,
        placement: Arc::default(),
        published,
        producer_ids: Mutex::new(0..0),
        fetch_sessions: Default::default(),
        balancing,
        answers: AnswerDoor::new(limits::answer_bytes(config), Arc::clone(&metrics)),
        stopping: threads.stopping(),
    });
    drop(ground.node.set(Arc::clone(&node)));
    let doors = Doors::new(limits::of(&node), metrics);
    let addresses = addresses(&sockets)?;
    serve(&node, &doors, sockets, starters.into_iter().zip(inboxes).collect());
    start_helpers(threads, &node, inbox)?;
    say_ready(&node, config, &addresses);
    Ok(Serves { node, addresses, admin })
}

/// What has the partitions of a broker follow the metadata.
fn reconciler(
    ground: &Groundwork,
    config: &Arc<StaticConfig>,
    coordination: &Arc<OnceLock<Coordination>>,
    (seat, catch_up, incarnation): (Seat, Arc<CatchUp>, Uuid),
    is_alone: bool,
) -> Reconciler {
    let Groundwork { directory, replicas: Replicas { registry, shards }, published, .. } = ground;
    Reconciler {
        config: Arc::clone(config),
        directory: Arc::clone(directory),
        seat,
        shards: Arc::clone(shards),
        registry: Arc::clone(registry),
        is_alone,
        incarnation,
        coordination: Arc::clone(coordination),
        catch_up,
        published: Arc::clone(published),
        kept: Vec::new(),
        unmade: BTreeSet::new(),
    }
}

/// Starts what serves nobody.
fn start_helpers(threads: &mut Threads, node: &Arc<Node>, inbox: Inbox) -> Result<(), StartError> {
    threads.add_balancer(balancing::start(node, inbox)?);
    threads.add_cleaners(Cleaners::start(node)?);
    threads.add_repairs(Repairs::start(node)?);
    Ok(())
}

/// Serves operators, who may be needed for the start to go on; returns where they reach the broker.
fn start_admin(
    threads: &mut Threads,
    ground: &Arc<Groundwork>,
    admin: Option<std::net::TcpListener>,
) -> Result<Option<SocketAddr>, StartError> {
    let address = admin.as_ref().map(std::net::TcpListener::local_addr).transpose()?;
    if let Some(socket) = admin {
        threads.add_admin(admin::start(Arc::clone(ground), socket)?);
    }
    Ok(address)
}

/// This broker's seat in its groups.
fn seat(config: &Config, directory: &Directory) -> Seat {
    let seat = Seat::new(config.settings.broker_id(), directory.id());
    if config.quorum.is_some() { seat.among_others() } else { seat }
}

/// Starts the controller's thread; returns when the broker is one of the cluster.
fn start_controller(threads: &mut Threads, beginning: Beginning) -> Result<Began, StartError> {
    let (ready, readiness) = std_mpsc::channel();
    threads.add_controller(spawn("controller", move || begin::run(beginning, &ready))?);
    let ended = |_| Err(StartError::Failed("the controller ended".to_owned()));
    let began = readiness.recv().unwrap_or_else(ended)?;
    threads.controller_began(began.handle.clone());
    Ok(began)
}

/// What this broker says of itself to others.
fn identity(config: &Config, id: PeerId, directory: &Directory) -> Identity {
    Identity {
        id,
        cluster: directory.cluster(),
        founding: None,
        named: Arc::default(),
        is_controller: config.quorum.as_ref().is_none_or(|quorum| quorum.roles.is_controller()),
    }
}

/// Has the shards speak to other brokers.
fn join(
    config: &Config,
    own: Identity,
    socket: std::net::TcpListener,
    published: &Arc<ArcSwap<MetadataImage>>,
    threads: &Threads,
) -> (Arc<Neighbours>, Arc<Peers>) {
    let shards = threads.shard_handles();
    let voters = config.quorum.as_ref().map(|quorum| quorum.voters.clone());
    let (voters, published) = (voters.unwrap_or_default(), Arc::clone(published));
    let neighbours = Arc::new(Neighbours::new(own, voters, Arc::clone(&shards), published));
    let (roster, inbox) = (Arc::clone(&neighbours), Arc::clone(&neighbours));
    let (peers, landings) = Peers::new(roster, inbox, shards.len(), PeerLimits::default());
    let mut first = Some((socket, neighbours.nodes()));
    // Who isn't known to the others yet may only call them.
    let nodes = if neighbours.names_this() { neighbours.nodes() } else { Vec::new() };
    for (shard, landing) in shards.iter().zip(landings) {
        shard.send(Command::Join(Joining {
            peers: Arc::clone(&peers),
            landing,
            first: first.take(),
            nodes: nodes.clone(),
            stopping: threads.stopping(),
        }));
    }
    (neighbours, peers)
}

/// What a broker listens at; bound before its data directory is opened.
struct Sockets {
    /// By the names of the listeners.
    clients: Vec<(String, std::net::TcpListener)>,
    /// For other brokers.
    peers: Option<std::net::TcpListener>,
    admin: Option<std::net::TcpListener>,
}

impl Sockets {
    fn bind(config: &Config) -> Result<Self, StartError> {
        let bind = |listener: &crate::ListenerConfig| {
            bind_one(listener.bind, &listener.socket).map(|socket| (listener.name.clone(), socket))
        };
        let clients = config.listeners.iter().map(bind).collect::<Result<_, _>>()?;
        let bind_admin = |address| bind_one(address, &SocketOptions::default());
        let peers = config.quorum.as_ref().map(|quorum| bind_admin(quorum.bind)).transpose()?;
        Ok(Self { clients, peers, admin: config.admin.map(bind_admin).transpose()? })
    }
}

fn bind_one(
    address: SocketAddr,
    options: &SocketOptions,
) -> Result<std::net::TcpListener, StartError> {
    listen(address, options).map_err(|source| StartError::Listen { address, source })
}

/// How the directory was left, in words.
fn left_by(directory: &Directory) -> &'static str {
    match directory.left_by() {
        LeftBy::CleanStop => "a clean stop, or it is new",
        LeftBy::Kill => "a process that was killed",
        LeftBy::PowerCut => "a machine that went down",
    }
}

/// Says what is begun with.
fn say_starting(config: &Config, directory: &Directory, open_files_max: Option<u64>) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        data_dir = %config.data_dir.display(),
        node_id = config.settings.broker_id(),
        directory_id = %directory.id(),
        left_by = left_by(directory),
        open_files_max,
        "starting"
    );
}

/// Says what an operator wants to see of a start.
fn say_ready(node: &Node, config: &Config, addresses: &[SocketAddr]) {
    let image = node.image();
    let effective = Effective::new(&image, &config.settings);
    let is_caching = |topic: &Topic| TopicSettings::new(&effective, topic.name()).write_caching;
    let (all, caching) = (image.topics().count(), image.topics().filter(|t| is_caching(t)).count());
    let durability = match caching {
        0 => "every topic is flushed before it is acknowledged".to_owned(),
        _ => format!("{caching} of {all} topics are acknowledged before they are flushed"),
    };
    tracing::info!(
        cluster_id = %node.cluster_id,
        listeners = ?addresses,
        admin = ?config.admin,
        shards = node.shards.len(),
        durability,
        "ready"
    );
}

fn addresses(sockets: &[(String, std::net::TcpListener)]) -> io::Result<Vec<SocketAddr>> {
    sockets.iter().map(|(_, socket)| socket.local_addr()).collect()
}

fn registration(
    config: &Config,
    sockets: &[(String, std::net::TcpListener)],
    directory_id: Uuid,
) -> BrokerRegistration {
    let is_broker = config.quorum.as_ref().is_none_or(|quorum| quorum.roles.is_broker());
    let listeners = config.listeners.iter().zip(sockets).filter(|_| is_broker);
    let endpoints = listeners.map(|(listener, (_, socket))| {
        let mut endpoint = listener.advertised.clone();
        if endpoint.port == 0 {
            endpoint.port = socket.local_addr().map_or(0, |address| address.port());
        }
        endpoint
    });
    BrokerRegistration {
        id: config.settings.broker_id(),
        directory_id,
        incarnation: random_id(),
        rack: config.settings.get("broker.rack").map(Into::into),
        endpoints: endpoints.collect(),
        peer: config.quorum.as_ref().map(|Quorum { own, .. }| PeerAddress {
            host: own.host.as_str().into(),
            port: own.port,
        }),
    }
}

fn shard_count(config: &Config) -> usize {
    let processors = || thread::available_parallelism().map_or(1, usize::from);
    if config.shards == 0 { processors() } else { config.shards }
}

#[cfg(test)]
mod tests;
