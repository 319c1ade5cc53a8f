//! The controller's task: follows the metadata log, and where this broker leads it, decides.
//!
//! Must always hold: decisions are taken on the image that all decisions before them make; one
//! flight of them is under way at a time, and is in the log as a whole or not at all.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::{mpsc, oneshot};

use logboom_controller::brokers::{fence_brokers, unfence_brokers};
use logboom_controller::config::Effective;
use logboom_controller::leaders::{WISHES_MAX, balance_leaders};
use logboom_controller::record::BrokerRegistration;
use logboom_controller::{Decision, MetadataImage, MetadataRecord};
use logboom_protocol::ErrorCode;
use logboom_protocol::records::ProducedBatch;
use logboom_protocol::units::Uuid;
use logboom_raft::ReplicaId;

use super::contacts::Contacts;
use super::homecoming::Homecoming;
use super::metadata_log::{self, Appends, DECISION_BYTES_MAX, MetadataLog, MetadataLogError};
use super::reconcile::Reconciler;
use crate::metrics::Metrics;
use crate::partition::{AppendError, Command, Standing, Surroundings, Watch};

/// Why a decision isn't in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ControllerError {
    /// Its records are too many for one step.
    TooLarge,
    /// The disk is full, and what room is left is for what is there.
    NoRoom,
    /// The metadata log doesn't take it, or may have lost it.
    Storage,
    /// It took longer than the client waits.
    TimedOut,
    /// Another broker decides, or nobody does at this moment. Where that has changed while it was
    /// on its way, it may be in force.
    NotController,
    /// The broker stops.
    Stopped,
}

impl ControllerError {
    /// The protocol's code.
    pub(crate) fn code(self) -> ErrorCode {
        match self {
            Self::TooLarge => ErrorCode::POLICY_VIOLATION,
            Self::NoRoom | Self::Storage => ErrorCode::KAFKA_STORAGE_ERROR,
            Self::TimedOut => ErrorCode::REQUEST_TIMED_OUT,
            Self::NotController | Self::Stopped => ErrorCode::NOT_CONTROLLER,
        }
    }
}

impl fmt::Display for ControllerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the request changes more than one step of the metadata log holds",
            Self::NoRoom => "the disk is full: there is no room for new partitions",
            Self::Storage => "the metadata log can't be written",
            Self::TimedOut => "the change is not in force yet",
            Self::NotController => "this broker is not the controller",
            Self::Stopped => "the controller has stopped",
        })
    }
}

/// What a decision changes, and how its answer is given.
struct Decided {
    records: Vec<MetadataRecord>,
    answer: Answer,
}

type Answer = Box<dyn FnOnce(Result<(), ControllerError>) + Send>;
type Job = Box<dyn FnOnce(&MetadataImage) -> Decided + Send>;

enum Message {
    Decide(Job),
    Close(oneshot::Sender<()>),
}

/// Between two looks whether a full disk has room again.
const ROOM_EVERY_MS: u64 = 5_000;
/// The most decisions that wait, and that are in one flight.
const QUEUE_MAX: usize = 200;

/// Where decisions are asked for.
#[derive(Debug, Clone)]
pub(crate) struct ControllerHandle {
    messages: mpsc::Sender<Message>,
    decides: Arc<AtomicBool>,
    followed: Arc<AtomicI64>,
}

impl ControllerHandle {
    /// Decides on the newest image; the response comes when what it says is in force.
    ///
    /// # Errors
    /// [`ControllerError`]; whether the change is in force is then not known.
    pub(crate) async fn decide<R: Send + 'static>(
        &self,
        decide: impl FnOnce(&MetadataImage) -> Decision<R> + Send + 'static,
    ) -> Result<R, ControllerError> {
        let (sender, receiver) = oneshot::channel();
        let job = move |image: &MetadataImage| {
            let Decision { records, response } = decide(image);
            let answer = move |result: Result<(), ControllerError>| {
                drop(sender.send(result.map(|()| response)));
            };
            Decided { records, answer: Box::new(answer) }
        };
        let sent = self.messages.send(Message::Decide(Box::new(job))).await;
        sent.map_err(|_| ControllerError::Stopped)?;
        receiver.await.unwrap_or(Err(ControllerError::Stopped))
    }

    /// The same, for a client that waits so many milliseconds; negative ones are none. Whoever
    /// doesn't wait has the change made nevertheless.
    ///
    /// # Errors
    /// As [`Self::decide`], and [`ControllerError::TimedOut`].
    pub(crate) async fn decide_within<R: Send + 'static>(
        &self,
        timeout_ms: i32,
        decide: impl FnOnce(&MetadataImage) -> Decision<R> + Send + 'static,
    ) -> Result<R, ControllerError> {
        let wait = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
        let decided = tokio::time::timeout(wait, self.decide(decide)).await;
        decided.unwrap_or(Err(ControllerError::TimedOut))
    }

    /// Whether decisions are taken here at this moment.
    pub(crate) fn decides(&self) -> bool {
        self.decides.load(Ordering::Acquire)
    }

    /// Up to where the image that is published follows the metadata log, at least; exclusive. What
    /// is read of the image afterwards is no older.
    pub(crate) fn followed(&self) -> i64 {
        self.followed.load(Ordering::Acquire)
    }

    /// Ends the controller; no decision is taken any more. Waits, on a thread without tasks.
    pub(crate) fn close(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.messages.blocking_send(Message::Close(sender)).is_ok() {
            drop(receiver.blocking_recv());
        }
    }
}

/// This broker decides.
struct Office {
    epoch: i32,
    /// With what was decided and isn't committed yet.
    image: MetadataImage,
}

/// Decisions that are on their way into the log.
struct Flight {
    answers: Vec<Answer>,
    /// Where a checkpoint among them begins.
    checkpoint: Option<i64>,
    over: BoxFuture<'static, Result<(), AppendError>>,
}

/// The controller.
pub(crate) struct Controller {
    log: MetadataLog,
    /// The fold of all records that were read.
    image: MetadataImage,
    office: Option<Office>,
    /// Whether there is an office, for others.
    decides: Arc<AtomicBool>,
    /// Up to where the published image follows, for others.
    followed: Arc<AtomicI64>,
    flight: Option<Flight>,
    /// The log, or the partitions that follow it, have failed: only a start makes both good.
    has_failed: bool,
    contacts: Contacts,
    homecoming: Homecoming,
    /// When is looked whether there is room for replicas that wait for it.
    room_due: u64,
    reconciler: Reconciler,
    around: Arc<dyn Surroundings>,
    metrics: Arc<Metrics>,
    messages: mpsc::Receiver<Message>,
}

impl Controller {
    /// A controller that goes on with `image`, the fold of what was read of the log.
    pub(crate) fn new(
        log: MetadataLog,
        image: MetadataImage,
        reconciler: Reconciler,
        around: Arc<dyn Surroundings>,
        metrics: Arc<Metrics>,
    ) -> (Self, ControllerHandle) {
        let (sender, messages) = mpsc::channel(QUEUE_MAX);
        let decides = Arc::new(AtomicBool::new(false));
        let followed = Arc::new(AtomicI64::new(log.offset()));
        let now = around.boot_ms();
        let controller = Self {
            decides: Arc::clone(&decides),
            followed: Arc::clone(&followed),
            log,
            office: None,
            flight: None,
            has_failed: false,
            contacts: Contacts::new(now),
            homecoming: Homecoming::new(&Effective::new(&image, &reconciler.config), now),
            room_due: now,
            image,
            reconciler,
            around,
            metrics,
            messages,
        };
        (controller, ControllerHandle { messages: sender, decides, followed })
    }

    /// Follows and decides until it is closed.
    pub(crate) async fn run(mut self) {
        let partition = Arc::clone(self.log.partition());
        self.tell_of_nodes();
        let mut watch = Watch::new(std::iter::once(&partition));
        let mut turn = Vec::new();
        loop {
            self.follow().await;
            self.take_office();
            let is_idle = self.flight.is_none();
            let looks = is_idle && self.office.is_some() && self.image.brokers().len() > 1;
            let look = self.around.until(self.contacts.due());
            let lacks_room = !self.reconciler.unmade.is_empty() && !self.has_failed;
            let room = self.around.until(self.room_due);
            // The first that is ready: looks are rare, and what is asked for waits its turn.
            tokio::select! {
                biased;
                () = look, if looks => self.look_at_brokers().await,
                () = room, if lacks_room => self.look_for_room().await,
                () = watch.changed() => drop(watch.take_changed()),
                result = landed(&mut self.flight) => self.land(result).await,
                count = self.messages.recv_many(&mut turn, QUEUE_MAX), if is_idle => {
                    if count == 0 {
                        return;
                    }
                    // What is committed meanwhile is decided on.
                    self.follow().await;
                    self.take_office();
                    if let Some(done) = self.take_off(turn.drain(..)) {
                        _ = done.send(());
                        return;
                    }
                }
            }
        }
    }

    /// Makes what waits for room, if there is some.
    async fn look_for_room(&mut self) {
        self.room_due = self.around.boot_ms() + ROOM_EVERY_MS;
        if let Err(error) = self.reconciler.make_up(&self.image, self.log.offset()).await {
            self.fail(&error);
        }
    }

    /// Notes which brokers are out of contact, or are back, and has leaders go home.
    async fn look_at_brokers(&mut self) {
        let there = self.log.there().await;
        self.take_office();
        let (own, now) = (self.reconciler.config.broker_id(), self.around.boot_ms());
        let image = &self.image;
        let others = image.brokers().map(|broker| broker.id).filter(|id| *id != own);
        let (gone, mut back) = self.contacts.look(others.collect(), &there, now);
        back.push(own);
        let is_news = gone.iter().any(|id| image.is_in_contact(*id))
            || back.iter().any(|id| image.is_fenced(*id));
        if is_news {
            self.decide_alone(move |image| {
                let mut records = fence_brokers(image, gone).records;
                records.extend(unfence_brokers(image, back).records);
                records
            });
        } else {
            self.send_leaders_home();
        }
    }

    /// Has leaders go home, where it is time to; as many as there are, one decision after the
    /// other.
    fn send_leaders_home(&mut self) {
        let now = self.around.boot_ms();
        let config = Effective::new(&self.image, &self.reconciler.config);
        let Some(percentage) = self.homecoming.due(&config, now) else { return };
        let Some(office) = &self.office else { return };
        let Decision { records, response } = balance_leaders(&office.image, percentage);
        if response > 0 {
            tracing::info!(partitions = response, "leaders are to go home");
        }
        if response == WISHES_MAX {
            self.homecoming.is_due_again(now);
        }
        self.decide_alone(|_| records);
    }

    /// Decides something for which nobody waits.
    fn decide_alone(
        &mut self,
        decide: impl FnOnce(&MetadataImage) -> Vec<MetadataRecord> + Send + 'static,
    ) {
        let job: Job = Box::new(move |image| {
            let (records, answer): (_, Answer) = (decide(image), Box::new(|_| ()));
            Decided { records, answer }
        });
        self.take_off(std::iter::once(Message::Decide(job)));
    }

    /// All that are registered are to have the metadata log, whether they have a vote or not, and
    /// whoever may come to decide can be called; nobody else is spoken to.
    fn tell_of_nodes(&self) {
        self.log.observe(followers(&self.image));
        let own = self.reconciler.config.broker_id();
        let others = self.image.nodes().map(|node| node.id).filter(|id| *id != own).collect();
        if let Some(first) = self.reconciler.shards.first() {
            first.send(Command::Call(others));
        }
        self.reconciler.shards.iter().for_each(|shard| shard.send(Command::Part));
    }

    /// Takes over what is committed, and has the partitions of this broker follow.
    async fn follow(&mut self) {
        if self.has_failed {
            return;
        }
        let followed = match self.log.read(&mut self.image) {
            Ok(read) if read.records.is_empty() && !read.is_whole => return,
            Ok(read) => {
                let offset = self.log.offset();
                let followed = self.reconciler.follow(&self.image, &read, offset).await;
                if read.is_whole || read.records.iter().any(is_about_nodes) {
                    self.tell_of_nodes();
                }
                followed
            }
            Err(error) => Err(error.to_string()),
        };
        self.followed.store(self.log.offset(), Ordering::Release);
        if let Err(error) = followed {
            self.fail(&error);
        }
    }

    /// What this broker has isn't what the metadata say, and it decides nothing any more.
    fn fail(&mut self, error: &str) {
        tracing::error!(%error, "partitions don't follow the metadata; restart the broker");
        self.has_failed = true;
        self.log.resign();
    }

    /// Decides from now on where this broker leads, and has read all that was decided before; and
    /// no more where it doesn't.
    fn take_office(&mut self) {
        let (epoch, standing) = self.log.partition().role();
        let leads = standing == Standing::Leads && !self.has_failed;
        if self.office.as_ref().is_some_and(|office| !leads || office.epoch != epoch) {
            tracing::info!(epoch, "this broker is not the controller any more");
            self.office = None;
        }
        let has_read_all = self.log.offset() == self.log.partition().view.end_offset();
        if leads && self.office.is_none() && self.flight.is_none() && has_read_all {
            tracing::info!(epoch, "this broker is the controller");
            self.office = Some(Office { epoch, image: self.image.clone() });
            let now = self.around.boot_ms();
            self.contacts = Contacts::new(now);
            let config = Effective::new(&self.image, &self.reconciler.config);
            self.homecoming = Homecoming::new(&config, now);
        }
        self.decides.store(self.office.is_some(), Ordering::Release);
    }

    /// Decides, and sends what changes to the log; returns who is to be told of the end.
    fn take_off(&mut self, messages: impl Iterator<Item = Message>) -> Option<oneshot::Sender<()>> {
        let (mut answers, mut batches) = (Vec::new(), Vec::new());
        for message in messages {
            match message {
                Message::Decide(job) => answers.extend(self.decide(job, &mut batches)),
                Message::Close(done) => return Some(done),
            }
        }
        let end = self.log.offset() + batches.iter().map(record_count).sum::<i64>();
        let is_large = self.log.wants_checkpoint() && !batches.is_empty();
        let whole = self.office.as_ref().filter(|_| is_large);
        let whole = whole.map(|office| metadata_log::checkpoint(&office.image));
        let checkpoint = match whole.transpose() {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                tracing::warn!(?error, "no checkpoint");
                None
            }
        };
        let begins = checkpoint.is_some().then_some(end);
        batches.extend(checkpoint);
        if batches.is_empty() {
            answers.into_iter().for_each(|answer| answer(Ok(())));
            return None;
        }
        let epoch = self.log.partition().leader_epoch();
        let epoch = self.office.as_ref().map_or(epoch, |office| office.epoch);
        let over = Box::pin(all_committed(self.log.append(batches, epoch)));
        self.flight = Some(Flight { answers, checkpoint: begins, over });
        None
    }

    /// Decides, and adds what changes to the batches; returns how to answer when it is in force.
    fn decide(&mut self, job: Job, batches: &mut Vec<ProducedBatch>) -> Option<Answer> {
        let Some(office) = &mut self.office else {
            let Decided { answer, .. } = job(&self.image);
            let leads = self.log.partition().leads();
            answer(Err(if self.has_failed && leads {
                ControllerError::Storage
            } else {
                ControllerError::NotController
            }));
            return None;
        };
        let Decided { records, answer } = job(&office.image);
        if records.is_empty() {
            return Some(answer);
        }
        let bytes = records.iter().filter_map(|record| record.encode().ok());
        if bytes.map(|bytes| bytes.len()).sum::<usize>() > DECISION_BYTES_MAX {
            answer(Err(ControllerError::TooLarge));
            return None;
        }
        match metadata_log::decision(&records) {
            Ok(batch) => batches.push(batch),
            Err(error) => {
                tracing::error!(?error, "a decision is not taken");
                answer(Err(ControllerError::Storage));
                return None;
            }
        }
        office.image = office.image.with(&records).expect("the image that was decided on");
        self.metrics.controller_decisions.add(1);
        Some(answer)
    }

    /// A flight is over.
    async fn land(&mut self, result: Result<(), AppendError>) {
        let Some(Flight { answers, checkpoint, .. }) = self.flight.take() else { return };
        let result = match result {
            Ok(()) => {
                self.follow().await;
                if let Some(offset) = checkpoint {
                    self.log.drop_before(offset).await;
                }
                if self.has_failed { Err(ControllerError::Storage) } else { Ok(()) }
            }
            Err(error) => {
                tracing::warn!(?error, "decisions are not in force");
                // What was decided on them is void; the next are taken on what is committed.
                self.office = None;
                // What was appended may still be committed, by another leader.
                self.has_failed |= matches!(error, AppendError::FlushFailed);
                Err(match error {
                    AppendError::Storage(_) | AppendError::FlushFailed => ControllerError::Storage,
                    _ => ControllerError::NotController,
                })
            }
        };
        answers.into_iter().for_each(|answer| answer(result));
    }
}

fn record_count(batch: &ProducedBatch) -> i64 {
    i64::from(batch.header().last_offset_delta) + 1
}

/// What has come of a flight, once it is over; never, without one.
async fn landed(flight: &mut Option<Flight>) -> Result<(), AppendError> {
    match flight {
        Some(flight) => (&mut flight.over).await,
        None => std::future::pending().await,
    }
}

/// Whether all of an append is committed; the first error where it isn't.
async fn all_committed(appends: Appends) -> Result<(), AppendError> {
    let results = join_all(appends).await;
    // Without a reply the partition is gone.
    results.into_iter().try_for_each(|result| result.unwrap_or(Err(AppendError::Gone)).map(drop))
}

/// Whether others are registered after a record.
fn is_about_nodes(record: &MetadataRecord) -> bool {
    matches!(record, MetadataRecord::Broker(_) | MetadataRecord::BrokerRemoved { .. })
}

/// All that are registered, as replicas of the metadata log.
fn followers(image: &MetadataImage) -> Arc<[ReplicaId]> {
    let id = |node: &BrokerRegistration| {
        let Uuid(directory) = node.directory_id;
        ReplicaId { broker: node.id, life: 0, directory }
    };
    image.nodes().map(id).collect()
}

/// Reads all of the log that is committed.
///
/// # Errors
/// [`MetadataLogError`].
pub(crate) fn load(log: &mut MetadataLog) -> Result<MetadataImage, MetadataLogError> {
    let mut image = MetadataImage::default();
    log.read(&mut image)?;
    Ok(image)
}

#[cfg(test)]
mod tests;
