//! The process of a broker: its shard, and what it does beside that.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::mpsc::{self as std_mpsc, Receiver};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};

use logboom_controller::MetadataImage;
use logboom_controller::config::StaticConfig;
use logboom_controller::record::{BrokerRegistration, Endpoint, PeerAddress};
use logboom_protocol::CompactString;
use logboom_protocol::peer::VERSIONS;
use logboom_protocol::units::Uuid;
use logboom_storage::Directory;

use super::broker::Around;
use super::operators::Answered;
use super::plan::Plan;
use super::tasks::{Mailbox, Tasks};
use super::threads::Stepped;
use super::voters::Changed;
use crate::balancing::Balancing;
use crate::cluster::{Neighbours, Reconciler, Replicas, VoterChanges};
use crate::config::QuorumVoter;
use crate::coordination::Coordination;
use crate::groundwork::Groundwork;
use crate::node::Node;
use crate::partition::{CatchUp, Command, Hands, LeaderNews, Registry, Seat, Shard, ShardHandle};
use crate::peer::{Calls, Identity, Kind, PeerId, Roster as _, check};
use crate::repair;
use crate::server::AnswerDoor;
use crate::start::StartError;
use crate::start::begin::{Began, Beginning, begin};

/// A process.
pub(super) struct Process {
    pub(super) directory: Arc<Directory>,
    pub(super) shard: Shard,
    pub(super) handle: ShardHandle,
    pub(super) registry: Arc<Registry>,
    pub(super) around: Arc<Around>,
    pub(super) neighbours: Arc<Neighbours>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) published: Arc<ArcSwap<MetadataImage>>,
    pub(super) tasks: Tasks,
    /// When something is to be looked at that waits, as far as that was said.
    pub(super) alarms: BTreeSet<u64>,
    pub(super) answered: Rc<RefCell<Vec<Answered>>>,
    /// Where those find it that answer other brokers.
    pub(super) own_node: Arc<OnceLock<Arc<Node>>>,
    /// Once it has begun.
    pub(super) node: Option<Arc<Node>>,
    /// Those of the repair, once it has begun.
    pub(super) threads: Vec<Stepped>,
    config: Arc<StaticConfig>,
    /// Changes of the voters that operators were told of.
    pub(super) changed: Rc<RefCell<Vec<Changed>>>,
    ready: Receiver<Result<Began, StartError>>,
    /// Once it is one of the cluster, and serves clients.
    pub(super) began: Option<Began>,
    /// The image that it was last seen to publish, and at which offset of the metadata log that is.
    pub(super) known: (Arc<MetadataImage>, i64),
}

/// What a process begins with.
pub(super) struct Birth {
    pub(super) id: i32,
    /// Counts the starts of the broker.
    pub(super) starts: u32,
    pub(super) directory: Arc<Directory>,
    pub(super) around: Arc<Around>,
    pub(super) catch_up: Arc<CatchUp>,
    pub(super) incarnation: Uuid,
    /// Those that decide, as its configuration says.
    pub(super) named: Vec<i32>,
}

impl Birth {
    fn this(&self) -> PeerId {
        let Self { id, directory, .. } = self;
        PeerId { node: *id, directory: directory.id(), run: directory.run() }
    }

    fn beginning(
        &self,
        registry: Arc<Registry>,
        reconciler: Reconciler,
        peers: Option<(Arc<Neighbours>, Arc<dyn Calls>)>,
        from_shards: mpsc::UnboundedReceiver<LeaderNews>,
        own_node: &Arc<OnceLock<Arc<Node>>>,
        plan: &Plan,
    ) -> Beginning {
        let ground = Groundwork {
            id: self.id,
            directory: Arc::clone(&self.directory),
            metrics: Arc::default(),
            replicas: Replicas { registry, shards: Arc::clone(&reconciler.shards) },
            published: Arc::clone(&reconciler.published),
            others: OnceLock::new(),
            node: Arc::clone(own_node),
            stopping: watch::channel(false).1,
        };
        Beginning {
            this: self.this(),
            ground: Arc::new(ground),
            around: Arc::clone(&self.around) as _,
            reconciler,
            registration: self.registration(),
            checkpoint_above: plan.checkpoint_above,
            peers,
            from_shards,
        }
    }

    fn registration(&self) -> BrokerRegistration {
        let QuorumVoter { host, port, .. } = address(self.id);
        let (listener, host): (CompactString, CompactString) = ("PLAINTEXT".into(), host.into());
        let endpoint = Endpoint { listener, host: host.clone(), port, security_protocol: 0 };
        BrokerRegistration {
            id: self.id,
            directory_id: self.directory.id(),
            incarnation: self.incarnation,
            rack: None,
            endpoints: vec![endpoint],
            peer: Some(PeerAddress { host, port }),
        }
    }
}

/// Where a broker is reached; nobody looks.
fn address(node: i32) -> QuorumVoter {
    QuorumVoter { node, host: format!("b-{node}"), port: 1 }
}

fn neighbours(
    birth: &Birth,
    handle: &ShardHandle,
    published: &Arc<ArcSwap<MetadataImage>>,
) -> Neighbours {
    let voters = birth.named.iter().copied().map(address).collect();
    let own = Identity {
        id: birth.this(),
        cluster: birth.directory.cluster(),
        founding: None,
        named: Arc::default(),
        is_controller: true,
    };
    Neighbours::new(own, voters, Arc::from([handle.clone()]), Arc::clone(published))
}

/// The task of the controller, and where it says that the broker is one of the cluster.
fn begun(beginning: Beginning) -> (Tasks, Receiver<Result<Began, StartError>>) {
    let (sender, ready) = std_mpsc::channel();
    let mut tasks = Tasks::default();
    tasks.spawn(async move {
        if let Err(error) = begin(beginning, &sender).await {
            drop(sender.send(Err(error)));
        }
    });
    (tasks, ready)
}

impl Process {
    /// It begins to be one of the cluster when its tasks run.
    pub(super) fn new(birth: Birth, plan: &Plan) -> Self {
        let Birth { id, starts, directory, around, .. } = &birth;
        let seat = Seat::new(*id, directory.id()).among_others();
        let registry = Arc::new(Registry::default());
        let (handle, commands) = ShardHandle::channel();
        let (reports, from_shards) = mpsc::unbounded_channel();
        let hands = Hands {
            directory: Arc::clone(directory),
            metrics: Arc::default(),
            handle: handle.clone(),
            reports,
            catch_up: Arc::clone(&birth.catch_up),
            around: Arc::clone(around) as _,
        };
        let shard = Shard::new(0, hands, seat.clone(), Arc::clone(&registry), commands);
        let published = Arc::new(ArcSwap::from_pointee(MetadataImage::default()));
        let neighbours = Arc::new(neighbours(&birth, &handle, &published));
        let mailbox = Arc::new(Mailbox::new(Arc::clone(around), u64::from(*starts) << 32));
        let config = Arc::new(plan.config(*id));
        let reconciler = Reconciler {
            config: Arc::clone(&config),
            incarnation: birth.incarnation,
            directory: Arc::clone(directory),
            seat,
            shards: Arc::from([handle.clone()]),
            registry: Arc::clone(&registry),
            is_alone: false,
            coordination: Arc::default(),
            catch_up: Arc::clone(&birth.catch_up),
            published: Arc::clone(&published),
            kept: Vec::new(),
            unmade: BTreeSet::new(),
        };
        let peers = Some((Arc::clone(&neighbours), Arc::clone(&mailbox) as _));
        let (registered, own_node) = (Arc::clone(&registry), Arc::default());
        let beginning =
            birth.beginning(registered, reconciler, peers, from_shards, &own_node, plan);
        let (tasks, ready) = begun(beginning);
        let known = (published.load_full(), 0);
        Self {
            directory: birth.directory,
            shard,
            handle,
            registry,
            around: birth.around,
            neighbours,
            mailbox,
            published,
            tasks,
            alarms: BTreeSet::new(),
            answered: Rc::default(),
            own_node,
            node: None,
            threads: Vec::new(),
            config,
            changed: Rc::default(),
            ready,
            began: None,
            known,
        }
    }

    pub(super) fn tell(&self, command: Command) {
        self.handle.send(command);
    }

    /// Whether a task has something to do.
    pub(super) fn is_due(&mut self, now: u64) -> bool {
        if self.alarms.first().is_some_and(|at| *at <= now) {
            self.alarms.retain(|at| *at > now);
            self.tasks.wake();
        }
        self.tasks.is_woken()
    }

    /// Runs its tasks; returns whether it has begun to serve with them.
    ///
    /// # Errors
    /// Why it doesn't start: it ends then.
    pub(super) fn run_tasks(&mut self) -> Result<bool, StartError> {
        self.tasks.run();
        let Ok(ready) = self.ready.try_recv() else { return Ok(false) };
        let began = ready?;
        let node = Arc::new(self.node_of(&began));
        drop(self.own_node.set(Arc::clone(&node)));
        let thread = |index: usize| {
            Stepped::new(&self.around, |rests| {
                let [repair, scrub] = repair::work(&node, rests);
                if index == 0 { repair.1 } else { scrub.1 }
            })
        };
        self.threads = (0..2).map(thread).collect();
        (self.began, self.node) = (Some(began), Some(node));
        Ok(true)
    }

    /// What those see of it that serve other brokers, and repair.
    fn node_of(&self, began: &Began) -> Node {
        let metrics = Arc::default();
        let shards: Arc<[ShardHandle]> = Arc::from([self.handle.clone()]);
        let voter_changes = VoterChanges::new(&shards, Arc::clone(&self.around) as _);
        Node {
            config: Arc::clone(&self.config),
            cluster_id: began.cluster_id,
            directory: Arc::clone(&self.directory),
            metrics: Arc::clone(&metrics),
            registry: Arc::clone(&self.registry),
            shards,
            controller: began.handle.clone(),
            others: began.others.clone(),
            voter_changes,
            coordination: Coordination::new(1).0,
            placement: Arc::default(),
            published: Arc::clone(&self.published),
            producer_ids: tokio::sync::Mutex::new(0..0),
            fetch_sessions: Default::default(),
            balancing: Balancing::new().0,
            answers: AnswerDoor::new(1 << 20, metrics),
            stopping: watch::channel(false).1,
        }
    }

    /// The times that something waits for, and that nobody was told of.
    pub(super) fn take_alarms(&mut self) -> Vec<u64> {
        let awaited = self.around.take_awaited();
        awaited.into_iter().filter(|at| self.alarms.insert(*at)).collect()
    }

    /// Whether decisions are taken here.
    pub(super) fn decides(&self) -> bool {
        self.began.as_ref().is_some_and(|began| began.handle.decides())
    }

    /// Who it says that it is.
    pub(super) fn this(&self) -> Identity {
        self.neighbours.this()
    }

    /// Whether it lets another broker in.
    pub(super) fn lets_in(&self, other: &Identity, kind: Kind) -> bool {
        let membership = self.neighbours.membership(other.id.node);
        check(&self.this(), other, VERSIONS, kind, membership).is_ok()
    }

    /// Does what was to be done by threads that wait.
    pub(super) fn run_errands(&self) {
        self.around.take_errands().into_iter().for_each(|errand| errand());
    }
}
