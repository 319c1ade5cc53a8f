//! One replica of a partition: its log, and who waits for it. Synchronous: its shard calls it.
//!
//! Must always hold: an answer leaves only when what it says is below the high watermark, or the
//! producer didn't ask for that (`acks` 0).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;

use logboom_protocol::records::{ProducedBatch, StampedBatch, Stamps};
use logboom_protocol::units::{LeaderEpoch, Offset};
use logboom_raft::{Effects, Group};
use logboom_storage::producers::{BatchFacts, ProducerEntry, ProducerError, Verdict};
use logboom_storage::{FlushDone, LastBatches, Log, MovingStart, StorageError};

use super::Partition;
use super::caching::Caching;
use super::settings::{TimestampType, TopicSettings};
use crate::metrics::Metrics;

/// A batch that a producer wants to be appended.
pub(crate) struct Append {
    pub(crate) partition: Arc<Partition>,
    pub(crate) batch: ProducedBatch,
    /// When to reply.
    pub(crate) until: Until,
    /// Told when the batch has come so far, or never will.
    pub(crate) reply: oneshot::Sender<Result<Appended, AppendError>>,
    /// Of the request that brought it.
    pub(crate) permit: Option<RequestPermit>,
}

/// What a request takes of the memory for requests: dropped when its batches are written or its
/// question is asked, whether or not the connection that brought it is still there.
pub(crate) type RequestPermit = Arc<dyn Send + Sync>;

/// How far a batch has to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// It is in the log, where a crash may take it (`acks` 0).
    Written,
    /// It is committed.
    Committed,
}

/// Where a batch stands that is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    /// The offset of its first record, inclusive.
    pub(crate) base_offset: i64,
    /// The broker's time in milliseconds, where the topic has it in its batches.
    pub(crate) log_append_time: Option<i64>,
    /// The first offset that the partition keeps, inclusive.
    pub(crate) log_start_offset: i64,
}

/// Why a batch is not appended, or not known to be.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// Its producer's numbers don't fit.
    Producer(ProducerError),
    /// The log can't take it.
    Storage(Arc<StorageError>),
    /// It was appended, and a flush failed: nobody knows whether it is there.
    FlushFailed,
    /// The partition has no replica here any more.
    Gone,
    /// The replica doesn't lead, or not yet.
    NotLeader,
}

/// What is known of a producer, for DescribeProducers.
#[derive(Debug, Clone)]
pub(crate) struct ProducerDescription {
    pub(crate) id: i64,
    pub(crate) entry: ProducerEntry,
}

/// A step that waits until no flush is under way.
type Deferred = Box<dyn FnOnce(&mut Replica)>;

/// Is told where a log start was to be moved, once it is there.
type Moved = Box<dyn FnOnce(&Log, Result<Option<i64>, StorageError>)>;

/// A log start that moves with the flush that is under way.
struct Moving {
    start: MovingStart,
    offset: i64,
    moved: Moved,
}

/// The most batches of one write.
const BATCHES_PER_WRITE: usize = 256;

/// One replica, in the hands of its shard.
pub(super) struct Replica {
    pub(super) partition: Arc<Partition>,
    log: Log,
    /// The replica as a member of its Raft group. Boxed, because half of a table of replicas may be
    /// empty.
    group: Box<Group>,
    /// What the next write is made of, in order.
    queued: Vec<Append>,
    /// Those who wait for an offset to be committed, exclusive; and a number that keeps them apart.
    pending: BTreeMap<(i64, u64), Pending>,
    pending_count: u64,
    /// Up to where the flush that is under way reaches.
    flushing: Option<i64>,
    /// Whether a flush has failed: nothing more becomes durable, and nothing is promised.
    has_failed: bool,
    caching: Caching,
    deferred: VecDeque<Deferred>,
    moving: Option<Box<Moving>>,
}

struct Pending {
    appended: Appended,
    until: Until,
    reply: oneshot::Sender<Result<Appended, AppendError>>,
}

/// Batches that go into the log in one write.
struct Run {
    /// Behind the last of them, exclusive.
    end_offset: i64,
    batches: Vec<StampedBatch>,
    replies: Vec<(i64, Pending)>,
    permits: Vec<RequestPermit>,
    /// Producers of the batches that have numbers: what a second batch of one has to be, is known
    /// when the first is written.
    producers: Vec<i64>,
}

impl Replica {
    /// A replica, which leads its group if there was no fault when it was elected.
    pub(super) fn new(partition: Arc<Partition>, log: Log, group: Group, caching: Caching) -> Self {
        Self {
            partition,
            log,
            group: Box::new(group),
            queued: Vec::new(),
            pending: BTreeMap::new(),
            pending_count: 0,
            flushing: None,
            has_failed: false,
            caching,
            deferred: VecDeque::new(),
            moving: None,
        }
    }

    /// Takes a batch for the next write; returns whether it is the first.
    pub(super) fn queue(&mut self, append: Append) -> bool {
        self.queued.push(append);
        self.queued.len() == 1
    }

    /// Appends what was queued, or finds that it stands there already.
    ///
    /// - `now_ms`: milliseconds since the Unix epoch.
    pub(super) fn write_queued(&mut self, now_ms: i64, metrics: &Metrics) {
        let settings = self.partition.settings();
        let is_stamped = settings.timestamp_type == TimestampType::LogAppendTime;
        let log_append_time = is_stamped.then_some(now_ms);
        let mut run = Run::new(self.log.end_offset());
        for append in std::mem::take(&mut self.queued) {
            if !self.group.takes_records() {
                drop(append.reply.send(Err(AppendError::NotLeader)));
                continue;
            }
            if !run.takes(&append.batch) {
                self.write(run, metrics);
                run = Run::new(self.log.end_offset());
            }
            self.add(&mut run, append, log_append_time);
        }
        self.write(run, metrics);
    }

    /// Adds a batch to a run; one that stands there already, or can't, is answered.
    fn add(&mut self, run: &mut Run, append: Append, log_append_time: Option<i64>) {
        let Append { batch, until, reply, permit, .. } = append;
        let log_start_offset = self.log.view().log_start_offset();
        let facts = BatchFacts::new(batch.header(), None);
        match self.log.producers().check(&facts) {
            // Whoever has gone away needs no answer.
            Err(error) => drop(reply.send(Err(AppendError::Producer(error)))),
            Ok(Verdict::Duplicate { base_offset, last_offset, timestamp, .. }) => {
                let log_append_time = log_append_time.map(|_| timestamp);
                let appended = Appended { base_offset, log_append_time, log_start_offset };
                self.answer_at(last_offset + 1, Pending { appended, until, reply });
            }
            Ok(_) => {
                let base_offset = run.end_offset;
                let appended = Appended { base_offset, log_append_time, log_start_offset };
                let epoch = LeaderEpoch::from_wire(self.group.epoch());
                let stamps = Stamps {
                    base_offset: Offset::from_wire(base_offset).expect("an end is an offset"),
                    leader_epoch: epoch.expect("a leader has an epoch"),
                    log_append_time,
                };
                run.add(&batch, &stamps, Pending { appended, until, reply }, permit);
            }
        }
    }

    fn write(&mut self, run: Run, metrics: &Metrics) {
        if run.batches.is_empty() {
            return;
        }
        if let Err(error) = self.log.append(&run.batches) {
            let error = Arc::new(error);
            for (_, Pending { reply, .. }) in run.replies {
                drop(reply.send(Err(AppendError::Storage(Arc::clone(&error)))));
            }
            return;
        }
        for batch in &run.batches {
            metrics.produce_batches.add(1);
            metrics.produce_records.add(usize::try_from(batch.header().record_count).unwrap_or(0));
            metrics.produce_bytes.add(batch.size());
        }
        self.on_appended();
        for (end_offset, pending) in run.replies {
            self.answer_at(end_offset, pending);
        }
    }

    fn answer_at(&mut self, end_offset: i64, pending: Pending) {
        let is_committed = end_offset <= self.log.view().high_watermark();
        if is_committed || pending.until == Until::Written {
            return drop(pending.reply.send(Ok(pending.appended)));
        }
        if self.has_failed {
            return drop(pending.reply.send(Err(AppendError::FlushFailed)));
        }
        self.pending_count += 1;
        self.pending.insert((end_offset, self.pending_count), pending);
    }

    /// Tells the group what was appended.
    fn on_appended(&mut self) {
        let mut effects = Effects::default();
        let before = self.group.history().end().offset;
        let (cached, end) = (self.log.cached_offset(), self.log.end_offset());
        // What a kill of the process would lose waits for its flush like anything else, and so does
        // what stands behind it.
        let counts_cached = self.counts_cached() && cached >= before;
        self.group.set_caching(counts_cached, &mut effects);
        if counts_cached && cached < end {
            if cached > before {
                self.group.appended(cached, &mut effects);
            }
            self.group.set_caching(false, &mut effects);
        }
        self.group.appended(end, &mut effects);
        self.follow(&effects);
    }

    /// Whether records count before they are flushed.
    fn counts_cached(&self) -> bool {
        self.partition.settings().write_caching
            && self.caching == Caching::Recorded
            && !self.has_failed
    }

    /// Tells the group what is on stable storage.
    fn note_flushed(&mut self) {
        let mut effects = Effects::default();
        self.group.flushed(self.log.flushed_offset(), &mut effects);
        self.follow(&effects);
    }

    /// Publishes the group's high watermark, answers those who waited for it, and wakes readers.
    fn follow(&mut self, effects: &Effects) {
        debug_assert!(effects.is_empty(), "a sole voter at rest asks for nothing: {effects:?}");
        let offset = self.group.commit().offset;
        if offset <= self.log.view().high_watermark() {
            return;
        }
        self.log.set_high_watermark(offset);
        let later = self.pending.split_off(&(offset + 1, 0));
        for pending in std::mem::replace(&mut self.pending, later).into_values() {
            drop(pending.reply.send(Ok(pending.appended)));
        }
        self.partition.waiters.wake();
    }

    /// Whether a flush would make something durable that isn't.
    pub(super) fn wants_flush(&self) -> bool {
        let is_idle = self.flushing.is_none() && !self.has_failed;
        is_idle && self.log.flushed_offset() < self.log.end_offset()
    }

    /// Asks for a flush; `done` is called on another thread. Returns whether it will be: not where
    /// one is under way, or nothing is to do.
    pub(super) fn flush(&mut self, done: FlushDone) -> bool {
        let begun = self.log.flush(done);
        self.flushing = begun.or(self.flushing);
        begun.is_some()
    }

    /// A flush is over.
    pub(super) fn on_flushed(&mut self, result: Result<(), StorageError>) {
        let (offset, moving) = (self.flushing.take(), self.moving.take());
        match (result, offset) {
            (Ok(()), Some(offset)) => {
                self.log.on_flushed(offset);
                self.note_flushed();
                if let Some(Moving { start, offset, moved }) = moving.map(|moving| *moving) {
                    self.log.on_log_start_moved(start);
                    self.note_log_start(offset);
                    moved(&self.log, Ok(Some(offset)));
                }
            }
            (Ok(()), None) => {}
            (Err(error), _) => {
                self.log.on_flush_failed();
                self.has_failed = true;
                self.fail_pending(&error);
                if let Some(moving) = moving {
                    (moving.moved)(&self.log, Err(error));
                }
            }
        }
        while self.flushing.is_none()
            && let Some(deferred) = self.deferred.pop_front()
        {
            deferred(self);
        }
    }

    fn fail_pending(&mut self, error: &StorageError) {
        tracing::error!(partition = %self.partition.key, %error, "flush failed");
        for pending in std::mem::take(&mut self.pending).into_values() {
            drop(pending.reply.send(Err(AppendError::FlushFailed)));
        }
    }

    /// Does `step` with the log as soon as no flush is under way; it may make the log durable.
    pub(super) fn at_rest(&mut self, step: impl FnOnce(&mut Log) + 'static) {
        self.defer(move |replica| {
            step(&mut replica.log);
            replica.note_flushed();
        });
    }

    /// Tells the group of a log start that is durable.
    fn note_log_start(&mut self, offset: i64) {
        let mut effects = Effects::default();
        let moved = self.group.move_start(offset, &mut effects);
        debug_assert_eq!(moved, offset, "{}: what goes is committed", self.partition.key);
        self.group.stored(self.group.issued(), &mut Effects::default());
    }

    /// Moves the log start with a flush, as soon as no other is under way.
    ///
    /// - `wanted`: where it is to go, if anywhere, at that moment.
    /// - `done`: called when the flush begins; what it gives is told of it, as by [`Self::flush`].
    /// - `moved`: told when the log start is where it is wanted, or stays.
    pub(super) fn move_log_start(
        &mut self,
        wanted: impl FnOnce(&mut Log) -> Result<Option<i64>, StorageError> + 'static,
        done: impl FnOnce() -> FlushDone + 'static,
        moved: impl FnOnce(&Log, Result<Option<i64>, StorageError>) + 'static,
    ) {
        self.defer(move |replica| {
            let log = &mut replica.log;
            let begin = || match wanted(log)? {
                Some(offset) => {
                    let start = log.move_log_start(offset, done())?;
                    Ok(start.map(|start| (offset, start)))
                }
                None => Ok(None),
            };
            match begin() {
                Ok(Some((offset, start))) => {
                    replica.flushing = Some(start.flushes_to());
                    let moved = Box::new(moved);
                    replica.moving = Some(Box::new(Moving { start, offset, moved }));
                }
                Ok(None) => moved(log, Ok(None)),
                Err(error) => moved(log, Err(error)),
            }
        });
    }

    fn defer(&mut self, step: impl FnOnce(&mut Self) + 'static) {
        if self.flushing.is_some() {
            self.deferred.push_back(Box::new(step));
        } else {
            step(self);
        }
    }

    /// Whether a flush is under way.
    pub(super) fn is_flushing(&self) -> bool {
        self.flushing.is_some()
    }

    /// What is known of the partition's producers.
    pub(super) fn producers(&self) -> Vec<ProducerDescription> {
        let entries = self.log.producers().entries();
        entries.map(|(id, entry)| ProducerDescription { id, entry: entry.clone() }).collect()
    }

    /// The last batches of the partition's producers.
    pub(super) fn last_batches(&self) -> LastBatches {
        self.log.last_batches()
    }

    /// The topic was configured anew.
    pub(super) fn configure(&mut self, settings: &TopicSettings) {
        self.log.set_options(settings.log);
    }

    /// What the state store has to learn now of records that count before they are flushed: a new
    /// value of its flag, if any. The answer is [`Self::on_caching_recorded`].
    pub(super) fn caching_to_record(&mut self) -> Option<bool> {
        let is_wanted = self.partition.settings().write_caching;
        let is_flushed = self.log.flushed_offset() >= self.log.view().high_watermark();
        match self.caching {
            Caching::Off if is_wanted => {
                self.caching = Caching::Asked;
                Some(true)
            }
            Caching::Recorded if !is_wanted && is_flushed => {
                self.caching = Caching::Off;
                Some(false)
            }
            _ => None,
        }
    }

    /// The state store knows that records may count before they are flushed.
    pub(super) fn on_caching_recorded(&mut self) {
        if self.caching == Caching::Asked {
            self.caching = Caching::Recorded;
            let counts_cached =
                self.counts_cached() && self.log.cached_offset() == self.log.end_offset();
            let mut effects = Effects::default();
            self.group.set_caching(counts_cached, &mut effects);
            self.follow(&effects);
        }
    }

    /// Whether a flush of what was appended may wait.
    pub(super) fn may_flush_later(&self) -> bool {
        let is_caching = self.partition.settings().write_caching;
        self.caching == Caching::Recorded && is_caching && self.pending.is_empty()
    }

    /// Gives up the log. Who waits learns by the dropped reply that the partition is gone.
    pub(super) fn into_log(self) -> Log {
        self.log
    }
}

impl Run {
    /// An empty run at the end of a log.
    fn new(end_offset: i64) -> Self {
        Self {
            end_offset,
            batches: Vec::new(),
            replies: Vec::new(),
            permits: Vec::new(),
            producers: Vec::new(),
        }
    }

    /// Whether a batch can be checked before the run is written.
    fn takes(&self, batch: &ProducedBatch) -> bool {
        self.batches.len() < BATCHES_PER_WRITE
            && !self.producers.contains(&batch.header().producer_id)
    }

    fn add(
        &mut self,
        batch: &ProducedBatch,
        stamps: &Stamps,
        pending: Pending,
        permit: Option<RequestPermit>,
    ) {
        let producer_id = batch.header().producer_id;
        self.producers.extend((producer_id >= 0).then_some(producer_id));
        let stamped = batch.stamp(stamps);
        self.end_offset = stamped.end_offset();
        self.batches.push(stamped);
        self.replies.push((self.end_offset, pending));
        self.permits.extend(permit);
    }
}
