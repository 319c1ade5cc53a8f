//! Where handlers ask.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot};

use logboom_groups::{Coordinator, Effects, Now, Reply, Ticket};
use logboom_protocol::ErrorCode;

use super::topic::{OFFSETS_TOPIC, partition_of};
use crate::lease::leads_surely;
use crate::node::Node;
use crate::partition::{Partition, RequestPermit};

/// Why a group can't be asked here and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CoordinationError {
    /// Its partition is being read.
    Loading,
    /// Another broker is to be asked, or this one later.
    NotCoordinator,
    /// The broker stops.
    Stopping,
}

impl CoordinationError {
    /// The protocol's code.
    pub(crate) fn code(self) -> ErrorCode {
        match self {
            Self::Loading => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            Self::NotCoordinator => ErrorCode::NOT_COORDINATOR,
            Self::Stopping => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        }
    }
}

/// Who waits for an answer that comes later.
pub(super) type Waiter = oneshot::Sender<Result<Reply, CoordinationError>>;

/// What a question has at hand.
pub(super) struct Stage<'a> {
    pub(super) coordinator: &'a mut Coordinator,
    pub(super) now: Now,
    pub(super) effects: &'a mut Effects,
    /// A ticket that nobody has had.
    pub(super) ticket: Ticket,
    pub(super) waiters: &'a mut HashMap<Ticket, Waiter>,
}

/// Gives an answer when what it says is committed, or can't be.
pub(super) type Release = Box<dyn FnOnce(Result<(), CoordinationError>) + Send>;
/// A question; it gives what is to be released, if it has its answer already.
pub(super) type Job =
    Box<dyn FnOnce(Result<Stage<'_>, CoordinationError>) -> Option<Release> + Send>;

/// What a host is told.
pub(super) enum Message {
    /// Ask the coordinator of a partition.
    Ask(i32, Job),
    /// Serve a partition if it is here; answered when it is served, or can't be.
    Load(i32, oneshot::Sender<()>),
    /// Topics were deleted: what was committed for them goes.
    TopicsDeleted,
}

/// Whom a question goes to.
struct Place {
    replica: Arc<Partition>,
    /// In which epoch it leads, if it does.
    epoch: i32,
}

impl Place {
    /// # Errors
    /// [`CoordinationError::NotCoordinator`] where the partition isn't here.
    fn of(node: &Node, partition: i32) -> Result<Self, CoordinationError> {
        let image = node.image();
        let topic = image.topic_named(OFFSETS_TOPIC).ok_or(CoordinationError::NotCoordinator)?;
        let replica = node.registry.get(topic.id(), partition);
        let replica = replica.ok_or(CoordinationError::NotCoordinator)?;
        let epoch = replica.leader_epoch();
        Ok(Self { replica, epoch })
    }

    /// Whether what was answered was so after it was asked.
    async fn confirm(&self, node: &Node) -> Result<(), CoordinationError> {
        let is_sure = leads_surely(node, &self.replica, self.epoch).await;
        is_sure.then_some(()).ok_or(CoordinationError::NotCoordinator)
    }
}

/// Where a host takes what it is told.
pub(crate) struct Inbox(pub(super) mpsc::UnboundedReceiver<Message>);

/// The hosts, by their shards.
///
/// What waits for them is not bounded by itself: it was let in at the doors of connections. What is
/// asked of one group has its room there until it is taken up.
#[derive(Clone)]
pub(crate) struct Coordination {
    hosts: Arc<[mpsc::UnboundedSender<Message>]>,
}

impl Coordination {
    /// So many hosts, and where each takes what it is told.
    pub(crate) fn new(count: usize) -> (Self, Vec<Inbox>) {
        let (hosts, inboxes): (Vec<_>, Vec<_>) =
            (0..count).map(|_| mpsc::unbounded_channel()).unzip();
        (Self { hosts: hosts.into() }, inboxes.into_iter().map(Inbox).collect())
    }

    /// Asks the coordinator of a group. The answer comes when all that was decided up to then is
    /// committed, and surely nobody else coordinates the group yet.
    ///
    /// - `permit`: what the question's bytes take at the doors; held until it is asked, whether or
    ///   not somebody still waits for the answer.
    ///
    /// # Errors
    /// [`CoordinationError`]; whether a change is in force is then not known.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        node: &Node,
        group: &str,
        permit: Option<RequestPermit>,
        question: impl FnOnce(&mut Coordinator, Now, &mut Effects) -> R + Send + 'static,
    ) -> Result<R, CoordinationError> {
        let place = place_of(node, group)?;
        let question = move |coordinator: &mut Coordinator, now, effects: &mut Effects| {
            let _until_here = permit;
            question(coordinator, now, effects)
        };
        let said = self.begin(&place, question)?.await;
        let said = said.unwrap_or(Err(CoordinationError::Stopping))?;
        place.confirm(node).await?;
        Ok(said)
    }

    /// Asks a question whose answer may be long in coming: it has the ticket that it was given.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) async fn wait(
        &self,
        node: &Node,
        group: &str,
        permit: Option<RequestPermit>,
        question: impl FnOnce(&mut Coordinator, Now, Ticket, &mut Effects) + Send + 'static,
    ) -> Result<Reply, CoordinationError> {
        let place = place_of(node, group)?;
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(move |stage| {
            let _until_here = permit;
            match stage {
                Ok(Stage { coordinator, now, effects, ticket, waiters }) => {
                    waiters.insert(ticket, sender);
                    question(coordinator, now, ticket, effects);
                }
                Err(error) => drop(sender.send(Err(error))),
            }
            None
        });
        self.send(&place, |partition| Message::Ask(partition, job))?;
        let reply = answer.await.unwrap_or(Err(CoordinationError::Stopping))?;
        place.confirm(node).await?;
        Ok(reply)
    }

    /// Asks the coordinators of all partitions that are here.
    ///
    /// # Errors
    /// [`CoordinationError::Loading`], [`CoordinationError::Stopping`].
    pub(crate) async fn ask_all<R: Send + 'static>(
        &self,
        node: &Node,
        question: impl Fn(&Coordinator) -> R + Clone + Send + 'static,
    ) -> Result<Vec<R>, CoordinationError> {
        let mut answers = Vec::new();
        for partition in (0..).take(partition_count(node).unwrap_or(0)) {
            let Ok(place) = Place::of(node, partition) else { continue };
            let question = question.clone();
            let begun = self.begin(&place, move |coordinator, _, _| question(coordinator));
            answers.extend(begun.ok().map(async move |answer: oneshot::Receiver<_>| {
                let said = answer.await.unwrap_or(Err(CoordinationError::Stopping))?;
                place.confirm(node).await?;
                Ok(said)
            }));
        }
        let answers = join_all(answers).await.into_iter();
        // What isn't here is another's to tell.
        answers.filter(|answer| !matches!(answer, Err(CoordinationError::NotCoordinator))).collect()
    }

    fn begin<R: Send + 'static>(
        &self,
        place: &Place,
        question: impl FnOnce(&mut Coordinator, Now, &mut Effects) -> R + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<R, CoordinationError>>, CoordinationError> {
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(move |stage| match stage {
            Ok(Stage { coordinator, now, effects, .. }) => {
                let said = question(coordinator, now, effects);
                // Whoever has gone away needs no answer.
                Some(Box::new(move |released| drop(sender.send(released.map(|()| said)))))
            }
            Err(error) => {
                drop(sender.send(Err(error)));
                None
            }
        });
        self.send(place, |partition| Message::Ask(partition, job))?;
        Ok(answer)
    }

    /// Has the partition of a group served; returns when it is, or can't be.
    pub(crate) async fn load(&self, node: &Node, group: &str) {
        let (done, loaded) = oneshot::channel();
        let place = place_of(node, group);
        let sent =
            place.and_then(|place| self.send(&place, |partition| Message::Load(partition, done)));
        if sent.is_ok() {
            drop(loaded.await);
        }
    }

    /// Has all partitions that are here served; returns when they are, or can't be.
    pub(crate) async fn load_all(&self, node: &Node) {
        let mut begun = Vec::new();
        for partition in (0..).take(partition_count(node).unwrap_or(0)) {
            let (done, loaded) = oneshot::channel();
            let place = Place::of(node, partition);
            let sent = place
                .and_then(|place| self.send(&place, |partition| Message::Load(partition, done)));
            begun.extend(sent.ok().map(|()| loaded));
        }
        for loaded in begun {
            drop(loaded.await);
        }
    }

    /// Tells all hosts that topics were deleted.
    pub(crate) fn on_topics_deleted(&self) {
        for host in &*self.hosts {
            drop(host.send(Message::TopicsDeleted));
        }
    }

    /// Sends a message to the host of a partition.
    fn send(
        &self,
        place: &Place,
        message: impl FnOnce(i32) -> Message,
    ) -> Result<(), CoordinationError> {
        let Partition { key, shard, .. } = &*place.replica;
        let sent = self.hosts[*shard].send(message(key.partition));
        sent.map_err(|_| CoordinationError::Stopping)
    }
}

/// Partitions of the topic, if it is there.
pub(super) fn partition_count(node: &Node) -> Option<usize> {
    let image = node.image();
    let count = image.topic_named(OFFSETS_TOPIC)?.partition_count();
    (count > 0).then_some(count)
}

fn place_of(node: &Node, group: &str) -> Result<Place, CoordinationError> {
    let count = partition_count(node).ok_or(CoordinationError::NotCoordinator)?;
    Place::of(node, partition_of(group, count))
}
