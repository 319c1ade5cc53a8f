//! The controller's thread: from the beginning of the metadata log to a broker of the cluster.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{mpsc, oneshot};

use logboom_controller::brokers::RegisterBroker;
use logboom_controller::record::BrokerRegistration;
use logboom_protocol::units::Uuid;

use super::StartError;
use crate::cluster::{
    AskError, Controller, ControllerError, ControllerHandle, Desk, METADATA, METADATA_TOPIC,
    MetadataLog, Neighbours, Others, Reconciler, Reports, Request, VoterChanges,
    begin_among_others, found_alone, load, metadata_settings, register,
};
use crate::groundwork::Groundwork;
use crate::partition::{Command, LeaderNews, Opening, Surroundings};
use crate::peer::{Calls, PeerId, lane_of, shard_of};

/// What a controller begins with.
pub(crate) struct Beginning {
    pub(crate) this: PeerId,
    /// Of which it says where the others are to be asked.
    pub(crate) ground: Arc<Groundwork>,
    pub(crate) around: Arc<dyn Surroundings>,
    pub(crate) reconciler: Reconciler,
    pub(crate) registration: BrokerRegistration,
    /// Bytes of the metadata log that are worth a checkpoint.
    pub(crate) checkpoint_above: usize,
    /// The other brokers, unless it is alone.
    pub(crate) peers: Option<(Arc<Neighbours>, Arc<dyn Calls>)>,
    pub(crate) from_shards: mpsc::UnboundedReceiver<LeaderNews>,
}

/// What it says when its broker is one of the cluster.
pub(crate) struct Began {
    pub(crate) handle: ControllerHandle,
    pub(crate) cluster_id: Uuid,
    /// The way to the broker that decides, unless it is alone.
    pub(crate) others: Option<Arc<Others>>,
}

pub(crate) type Ready = Sender<Result<Began, StartError>>;

/// How long one attempt to be let in may take.
const ATTEMPT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// The thread of the controller.
pub(super) fn run(beginning: Beginning, ready: &Ready) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(ready.send(Err(StartError::System(error)))),
    };
    if let Err(error) = runtime.block_on(begin(beginning, ready)) {
        drop(ready.send(Err(error)));
    }
}

/// Reads the metadata, opens the partitions of this broker, follows and decides until it is closed.
pub(crate) async fn begin(beginning: Beginning, ready: &Ready) -> Result<(), StartError> {
    let mut log = open(&beginning).await?;
    let Beginning { this, ground, around, registration, peers, from_shards, .. } = beginning;
    let (directory, metrics) = (Arc::clone(&ground.directory), Arc::clone(&ground.metrics));
    let mut reconciler = beginning.reconciler;
    let image = load(&mut log)?;
    if let Some((neighbours, _)) = &peers {
        neighbours.foresee(log.foreseen_nodes(&image)?);
    }
    let started = reconciler.start(&image, log.offset()).await;
    started.map_err(StartError::Failed)?;
    let published = Arc::clone(&reconciler.published);
    let others = peers.as_ref().map(|(neighbours, calls)| {
        let (metadata, calls) = (Arc::clone(log.partition()), Arc::clone(calls));
        Arc::new(Others::new(this.node, calls, Arc::clone(&around), metadata, neighbours))
    });
    let cluster_id = directory.cluster();
    let voters = VoterChanges::new(&reconciler.shards, Arc::clone(&around));
    let (controller, handle) =
        Controller::new(log, image, reconciler, Arc::clone(&around), metrics);
    others.iter().for_each(|others| drop(ground.others.set(Arc::clone(others))));
    if let Some((neighbours, _)) = &peers {
        let (node, replicas) = (Arc::clone(&ground.node), ground.replicas.clone());
        let (controller, published) = (handle.clone(), Arc::clone(&published));
        let around = Arc::clone(&around);
        neighbours.open(Desk { controller, node, published, replicas, around });
    }
    let reports = others.clone().map(|others| {
        let (controller, around) = (handle.clone(), Arc::clone(&around));
        let (node, published) = (this.node, Arc::clone(&published));
        Reports { node, published, from_shards, controller, others, around }.run()
    });
    let incarnation = registration.incarnation;
    let joining = async {
        let request = RegisterBroker { registration, cluster_id };
        let cluster_id = join(&handle, others.as_deref(), &request, &*around).await?;
        // What this broker serves from now on is what the cluster knows of it.
        let is_in = || {
            let image = published.load();
            image.node(this.node).is_some_and(|node| node.incarnation == incarnation)
        };
        while !is_in() {
            around.pause(PAUSE).await;
        }
        if let Some((neighbours, _)) = &peers {
            neighbours.is_in();
            check_roles(this, neighbours, &voters).await?;
        }
        Ok(Began { handle: handle.clone(), cluster_id, others: others.clone() })
    };
    let goes_on = async {
        match joining.await {
            Ok(began) => drop(ready.send(Ok(began))),
            Err(error) => return Err(error),
        }
        if let Some(reports) = reports {
            reports.await;
        }
        std::future::pending().await
    };
    tokio::select! {
        biased;
        () = controller.run() => Ok(()),
        result = goes_on => result,
    }
}

/// A node that decides is one whose roles say so. Only one that has followed the metadata knows
/// that it still does.
async fn check_roles(
    this: PeerId,
    neighbours: &Neighbours,
    voters: &VoterChanges,
) -> Result<(), StartError> {
    let node = this.node;
    if neighbours.is_controller(node) != Some(false) || !voters.votes(this).await {
        return Ok(());
    }
    Err(StartError::Failed(format!(
        "node {node} is one of those that decide, and its process.roles don't name it a \
         controller: start it with process.roles=broker,controller; to have it decide no more, \
         take its vote then (logboom cluster remove-voter {node}), and start it as you wish"
    )))
}

/// Opens the metadata log, which is begun where there is none.
async fn open(beginning: &Beginning) -> Result<MetadataLog, StartError> {
    let Beginning { this, ground, around, reconciler, peers, .. } = beginning;
    let directory = &ground.directory;
    let is_new = match peers {
        None => found_alone(directory, &reconciler.seat)?,
        Some((neighbours, _)) => {
            let begun = begin_among_others(directory, neighbours, *this, &**around).await;
            begun.map_err(StartError::Failed)?
        }
    };
    let shards = &reconciler.shards;
    let shard = &shards[shard_of(lane_of(&METADATA), shards.len())];
    let (done, opened) = oneshot::channel();
    let topic = METADATA_TOPIC.into();
    let settings = Arc::new(metadata_settings());
    let opening = Opening { key: METADATA, topic, settings, is_new, wish: None };
    shard.send(Command::Open(vec![opening], done));
    opened.await.map_err(|_| StartError::Failed("the shard has ended".to_owned()))??;
    let partition = reconciler.registry.get(METADATA.topic_id, METADATA.partition);
    let failed = || StartError::Failed("the metadata log can't be opened".to_owned());
    let log = MetadataLog::new(partition.ok_or_else(failed)?, shard.clone());
    Ok(log.checkpoint_above(beginning.checkpoint_above))
}

/// Becomes a broker of the cluster; returns which.
async fn join(
    handle: &ControllerHandle,
    others: Option<&Others>,
    request: &RegisterBroker,
    around: &dyn Surroundings,
) -> Result<Uuid, StartError> {
    let refused = |why: String| StartError::Failed(why);
    let Some(others) = others else {
        let failed = |error: ControllerError| refused(error.to_string());
        return register(handle, request.clone()).await.map_err(failed)?.map_err(refused);
    };
    let RegisterBroker { cluster_id, registration } = request.clone();
    let asked = Request::Register { cluster_id, registration };
    loop {
        if handle.decides() {
            match register(handle, request.clone()).await {
                Ok(registered) => return registered.map_err(refused),
                Err(error) => tracing::debug!(%error, "not registered yet"),
            }
        } else {
            match others.ask(&asked, ATTEMPT).await {
                Ok(answer) => {
                    if let Some(id) = answer.first_chunk() {
                        return Ok(Uuid(*id));
                    }
                }
                Err(AskError::Refused(why)) => return Err(refused(why)),
                Err(error) => tracing::debug!(?error, "not registered yet"),
            }
        }
        around.pause(PAUSE).await;
    }
}
