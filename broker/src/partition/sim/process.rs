//! The process of a broker: its shard, and what it does beside that.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self as std_mpsc, Receiver};

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use logboom_controller::MetadataImage;
use logboom_controller::record::{BrokerRegistration, Endpoint, LeaderReport, PeerAddress};
use logboom_protocol::CompactString;
use logboom_protocol::peer::VERSIONS;
use logboom_protocol::units::Uuid;
use logboom_storage::Directory;

use super::broker::Around;
use super::operators::Answered;
use super::plan::Plan;
use super::tasks::{Mailbox, Tasks};
use crate::cluster::{Neighbours, Reconciler};
use crate::config::QuorumVoter;
use crate::partition::{CatchUp, Command, Hands, Registry, Seat, Shard, ShardHandle};
use crate::peer::{Calls, Identity, Kind, PeerId, Roster as _, check};
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
}

impl Birth {
    fn this(&self) -> PeerId {
        let Self { id, directory, .. } = self;
        PeerId { node: *id, directory: directory.id(), run: directory.run() }
    }

    fn beginning(
        &self,
        reconciler: Reconciler,
        peers: Option<(Arc<Neighbours>, Arc<dyn Calls>)>,
        from_shards: mpsc::UnboundedReceiver<LeaderReport>,
        plan: &Plan,
    ) -> Beginning {
        Beginning {
            this: self.this(),
            directory: Arc::clone(&self.directory),
            around: Arc::clone(&self.around) as _,
            metrics: Arc::default(),
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
    plan: &Plan,
    handle: &ShardHandle,
    published: &Arc<ArcSwap<MetadataImage>>,
) -> Neighbours {
    let voters = (1..=i32::try_from(plan.voters).unwrap()).map(address).collect();
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
        let neighbours = Arc::new(neighbours(&birth, plan, &handle, &published));
        let mailbox = Arc::new(Mailbox::new(Arc::clone(around), u64::from(*starts) << 32));
        let reconciler = Reconciler {
            config: Arc::new(plan.config(*id)),
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
        };
        let peers = Some((Arc::clone(&neighbours), Arc::clone(&mailbox) as _));
        let (tasks, ready) = begun(birth.beginning(reconciler, peers, from_shards, plan));
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

    /// Runs its tasks.
    ///
    /// # Errors
    /// Why it doesn't start: it ends then.
    pub(super) fn run_tasks(&mut self) -> Result<(), StartError> {
        self.tasks.run();
        if let Ok(ready) = self.ready.try_recv() {
            self.began = Some(ready?);
        }
        Ok(())
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
