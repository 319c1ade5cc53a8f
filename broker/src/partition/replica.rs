//! One replica of a partition: its log, its part in the Raft group, and who waits for it.
//! Synchronous: its shard calls it.
//!
//! ```text
//!   produce ─▶ queue ─▶ one write ─▶ flush ─┐
//!   peers ──▶ hear ─────▶ write ─────▶ flush ─┤
//!                                            ▼
//!                 group: what is flushed here and elsewhere ─▶ high watermark ─▶ answers, readers
//! ```
//!
//! Must always hold: an answer leaves only when what it says is below the high watermark, or the
//! producer asked for less (`acks` 0 and 1).

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::oneshot;

use logboom_protocol::records::{ProducedBatch, StampedBatch, Stamps};
use logboom_protocol::units::{LeaderEpoch, Offset};
use logboom_raft::{Effects, Group, Role};
use logboom_storage::producers::{BatchFacts, ProducerEntry, ProducerError, Verdict};
use logboom_storage::{FlushDone, LastBatches, Log, StorageError};

use super::Partition;
use super::answers::{Answers, Pending, Reached};
use super::caching::Caching;
use super::handle::Standing;
use super::hands::{Hands, Named};
use super::member::Member;
use super::refused::Refused;
use super::settings::{TimestampType, TopicSettings};
use super::starts::AwaitedStart;
use super::tasks::Tasks;
use crate::metrics::Metrics;

/// A batch that a producer wants to be appended.
pub(crate) struct Append {
    pub(crate) partition: Arc<Partition>,
    pub(crate) batch: ProducedBatch,
    /// When to reply.
    pub(crate) until: Until,
    /// Only in this epoch of the leader, if one is given.
    pub(crate) epoch: Option<i32>,
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
    /// The leader's own copy survives a crash (`acks` 1).
    Kept,
    /// It is committed, and as many replicas have it as the topic asks for (`acks` all).
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
#[derive(Debug, Clone)]
pub(crate) enum AppendError {
    /// Its producer's numbers don't fit.
    Producer(ProducerError),
    /// The log can't take it.
    Storage(Arc<StorageError>),
    /// It was appended, and a flush failed: nobody knows whether it is there.
    FlushFailed,
    /// The partition has no replica here any more.
    Gone,
    /// The replica doesn't lead. Of what it appended nobody knows whether it stays.
    NotLeader,
    /// Fewer replicas are in sync than the topic asks for (`min.insync.replicas`): it wasn't
    /// appended.
    NotEnoughReplicas,
    /// It is committed, and fewer replicas are in sync than the topic asks for.
    NotEnoughReplicasAfterAppend,
}

/// What is known of a producer, for DescribeProducers.
#[derive(Debug, Clone)]
pub(crate) struct ProducerDescription {
    pub(crate) id: i64,
    pub(crate) entry: ProducerEntry,
}

/// A step that waits until no flush is under way.
type Deferred = Box<dyn FnOnce(&mut Replica)>;

/// The most batches of one write.
const BATCHES_PER_WRITE: usize = 256;

/// One replica, in the hands of its shard.
pub(super) struct Replica {
    pub(super) name: Named,
    pub(super) partition: Arc<Partition>,
    pub(super) log: Log,
    /// The replica as a member of its Raft group.
    pub(super) group: Group,
    /// What its host knows of the others; nothing where there are none.
    pub(super) member: Option<Box<Member>>,
    /// What the group has asked of the disk.
    pub(super) tasks: Tasks,
    /// What the next write is made of, in order.
    queued: Vec<Append>,
    pub(super) refused: Refused,
    pub(super) answers: Answers,
    /// Who waits for a log start.
    pub(super) awaited_starts: Vec<AwaitedStart>,
    /// Up to where the flush that is under way reaches.
    pub(super) flushing: Option<i64>,
    /// Whether a flush has failed: nothing more becomes durable, and nothing is promised.
    pub(super) has_failed: bool,
    /// Whether a part of its log is damaged: it votes, and leads only where nobody else does.
    pub(super) is_damaged: bool,
    /// Whether it only votes until the broker starts again.
    pub(super) is_retired: bool,
    pub(super) caching: Caching,
    deferred: VecDeque<Deferred>,
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
    ///
    /// - `member`: where the group has others.
    pub(super) fn new(
        partition: Arc<Partition>,
        log: Log,
        group: Group,
        member: Option<Member>,
        caching: Caching,
    ) -> Self {
        let mut replica = Self {
            name: Named::new(partition.key),
            partition,
            log,
            group,
            member: member.map(Box::new),
            tasks: Tasks::default(),
            queued: Vec::new(),
            refused: Refused::default(),
            answers: Answers::default(),
            awaited_starts: Vec::new(),
            flushing: None,
            has_failed: false,
            is_damaged: false,
            is_retired: false,
            caching,
            deferred: VecDeque::new(),
        };
        replica.note_damage();
        replica.publish();
        replica
    }

    /// Takes a batch for the next write; returns whether it is the first.
    pub(super) fn queue(&mut self, append: Append) -> bool {
        self.queued.push(append);
        self.queued.len() == 1
    }

    /// Whether batches wait that can be written now, or that never will be.
    pub(super) fn has_queued(&self) -> bool {
        let waits = self.group.role() == Role::Leader && !self.group.takes_records();
        !self.queued.is_empty() && !waits
    }

    /// Appends what was queued, or finds that it stands there already. While the leader takes
    /// nothing, because its epoch begins or its office is handed over, all of it waits.
    ///
    /// - `now_ms`: milliseconds since the Unix epoch.
    pub(super) fn write_queued(&mut self, now_ms: i64, hands: &Hands) {
        if !self.has_queued() {
            return;
        }
        let settings = self.partition.settings();
        let is_stamped = settings.timestamp_type == TimestampType::LogAppendTime;
        let log_append_time = is_stamped.then_some(now_ms);
        // Of a majority it needn't be asked: without one the leader gives its office up at its next
        // look.
        let is_enough = self.in_sync_count() >= self.wanted_replicas();
        let mut run = Run::new(self.log.end_offset());
        for append in std::mem::take(&mut self.queued) {
            if self.group.role() == Role::Leader && !self.group.takes_records() {
                // Since a moment ago: it waits.
                self.queued.push(append);
                continue;
            }
            let is_late = append.epoch.is_some_and(|epoch| epoch != self.group.epoch());
            if is_late || !self.group.takes_records() {
                self.put_off(append, AppendError::NotLeader);
                continue;
            }
            if !is_enough && append.until == Until::Committed {
                self.put_off(append, AppendError::NotEnoughReplicas);
                continue;
            }
            if !run.takes(&append.batch) {
                self.write(run, hands);
                run = Run::new(self.log.end_offset());
            }
            self.add(&mut run, append, log_append_time);
        }
        self.write(run, hands);
    }

    /// Adds a batch to a run; one that stands there already, or can't, is answered.
    fn add(&mut self, run: &mut Run, append: Append, log_append_time: Option<i64>) {
        let Append { batch, until, reply, permit, .. } = append;
        let log_start_offset = self.log.view().log_start_offset();
        let facts = BatchFacts::new(batch.header(), None);
        match self.judge(&facts) {
            // Whoever has gone away needs no answer.
            Err(error) => drop(reply.send(Err(error))),
            Ok(Verdict::Duplicate { base_offset, last_offset, timestamp, .. })
                if !cfg!(logboom_fault = "append_again") =>
            {
                let log_append_time = log_append_time.map(|_| timestamp);
                let appended = Appended { base_offset, log_append_time, log_start_offset };
                self.answer_at(last_offset + 1, Pending { appended, until, reply });
            }
            Ok(_) => {
                self.refused.forget(facts.producer_id);
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

    fn write(&mut self, run: Run, hands: &Hands) {
        if run.batches.is_empty() {
            return;
        }
        if let Err(error) = self.log.append(&run.batches) {
            if self.member.is_some() && is_final(&error) {
                // Others are to lead: here nothing is taken any more.
                self.on_failed(&error, hands);
            }
            let error = AppendError::Storage(Arc::new(error));
            for (batch, (_, pending)) in run.batches.iter().zip(run.replies) {
                self.refused.note(&BatchFacts::new(batch.header(), None), &error);
                pending.answer(Some(error.clone()));
            }
            return;
        }
        count(&run.batches, &hands.metrics);
        self.partition.traffic.taken.add(size(&run.batches));
        self.note_tail(&run.batches, &hands.catch_up);
        self.on_appended(hands);
        for (end_offset, pending) in run.replies {
            self.answer_at(end_offset, pending);
        }
    }

    fn answer_at(&mut self, end_offset: i64, pending: Pending) {
        let reached = self.reached();
        let is_there = pending.until == Until::Written || end_offset <= reached.acknowledged;
        if self.has_failed && !is_there {
            return pending.answer(Some(AppendError::FlushFailed));
        }
        self.answers.wait(end_offset, pending, reached);
    }

    /// Answers those whose batch is committed, and more replicas are to have it than are in sync,
    /// as a look has just found.
    pub(super) fn answer_too_few(&mut self) {
        if self.answers.waits_for_more() && self.in_sync_count() < self.wanted_replicas() {
            self.answers.give_up_below(self.log.view().high_watermark());
        }
    }

    /// Up to where answers may leave.
    fn reached(&self) -> Reached {
        let committed = self.log.view().high_watermark();
        let kept =
            if self.counts_cached() { self.log.cached_offset() } else { self.log.flushed_offset() };
        let wanted = self.wanted_replicas();
        // A majority has what is committed; the topic may ask for more.
        let acknowledged = if wanted > self.group.voters().incoming.len() / 2 + 1 {
            committed.min(self.group.held_by(wanted).offset)
        } else {
            committed
        };
        Reached { kept: kept.max(committed), acknowledged }
    }

    /// Tells the group what was appended.
    fn on_appended(&mut self, hands: &Hands) {
        let mut effects = self.effects();
        // What a kill of the process would lose waits for its flush like anything else, and so does
        // what was appended with it.
        self.say_what_counts();
        self.group.appended(self.log.end_offset(), &mut effects);
        self.follow(&mut effects, hands);
    }

    /// Tells the group what is on stable storage.
    fn note_flushed(&mut self, hands: &Hands) {
        // What was flushed before the log is cut doesn't count.
        let is_more = self.log.flushed_offset() > self.group.durable().offset;
        if self.tasks.is_shape_durable() && is_more {
            let mut effects = self.effects();
            self.group.flushed(self.log.flushed_offset(), &mut effects);
            self.follow(&mut effects, hands);
        }
    }

    /// Does what a step of the group asks for, publishes what is committed, answers those who
    /// waited for it, and wakes readers.
    pub(super) fn follow(&mut self, effects: &mut Effects, hands: &Hands) {
        for event in effects.trace.iter_mut().flat_map(|trace| trace.drain(..)) {
            tracing::debug!(partition = %self.partition.key, "{event}");
        }
        let messages = std::mem::take(&mut effects.messages);
        if let Some(member) = &mut self.member {
            member.outgoing.extend(messages);
        }
        if !effects.stores.is_empty() {
            self.tasks.add(std::mem::take(&mut effects.stores), self.group.issued());
        }
        self.publish();
        if self.group.role() != Role::Leader {
            self.answers.fail(|| AppendError::NotLeader);
        }
        // A log start that moves is below it.
        self.publish_commit();
        self.run_tasks(hands);
        // A log that was reset begins there.
        self.publish_commit();
        self.answers.advance(self.reached());
        self.answer_starts();
        if self.is_damaged {
            // A cut, or a log start that moves, may have taken it along.
            self.note_damage();
        }
    }

    /// Tells readers what is committed.
    fn publish_commit(&mut self) {
        if self.tasks.is_reset_due() {
            return;
        }
        let offset = self.group.commit().offset.min(self.log.end_offset());
        if offset > self.log.view().high_watermark() {
            self.log.set_high_watermark(offset);
            self.partition.waiters.wake();
        }
    }

    /// Tells everybody who leads, and in which epoch.
    fn publish(&self) {
        self.partition.set_shared(self.group.voters().all().nth(1).is_some());
        let is_led_here = self.group.role() == Role::Leader;
        let leader = if is_led_here { Some(self.group.id()) } else { self.group.leader() };
        let leader = leader.map(|leader| leader.broker);
        let is_established = is_led_here && self.group.commit().epoch == self.group.epoch();
        let standing = match (is_led_here, is_established) {
            (false, _) => Standing::Follows,
            (true, false) => Standing::Begins,
            (true, true) => Standing::Leads,
        };
        if self.partition.set_leader(leader, self.group.epoch(), standing) {
            self.partition.waiters.wake();
        }
    }

    /// How many replicas the topic asks for, all of them at the most, as in the reference.
    fn wanted_replicas(&self) -> usize {
        let replicas = self.group.voters().incoming.len();
        self.partition.settings().min_insync_replicas.min(replicas)
    }

    /// Replicas that are in sync, this one included. While an epoch begins that isn't known, and
    /// all count.
    fn in_sync_count(&self) -> usize {
        match self.member.as_ref().map_or(0, |member| member.in_sync().len()) {
            0 => self.group.voters().incoming.len(),
            count => count,
        }
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
    pub(super) fn on_flushed(&mut self, result: Result<(), StorageError>, hands: &Hands) {
        match (result, self.flushing.take()) {
            (Ok(()), Some(offset)) => {
                self.log.on_flushed(offset);
                // First of all: what is begun behind it waits for a flush of its own.
                self.on_task_flushed(hands);
                self.note_flushed(hands);
                self.note_cached(hands);
            }
            (Ok(()), None) => {}
            (Err(error), _) => {
                self.log.on_flush_failed();
                self.on_failed(&error, hands);
            }
        }
        self.run_tasks(hands);
        for deferred in std::mem::take(&mut self.deferred) {
            self.defer(deferred);
        }
    }

    /// Has the group take a step.
    pub(super) fn step(&mut self, hands: &Hands, step: impl FnOnce(&mut Group, &mut Effects)) {
        let mut effects = self.effects();
        step(&mut self.group, &mut effects);
        self.follow(&mut effects, hands);
    }

    /// Does `step` with the log as soon as no flush is under way; it may make the log durable.
    pub(super) fn at_rest(&mut self, step: impl FnOnce(&mut Log) + 'static, hands: &Hands) {
        let hands = hands.clone();
        self.defer(move |replica| {
            step(&mut replica.log);
            replica.note_flushed(&hands);
        });
    }

    pub(super) fn defer(&mut self, step: impl FnOnce(&mut Self) + 'static) {
        if self.flushing.is_some() {
            self.deferred.push_back(Box::new(step));
        } else {
            step(self);
        }
    }

    /// Does `step` when the next flush is over; there has to be something to flush.
    pub(super) fn after_flush(&mut self, step: impl FnOnce(&mut Self) + 'static) {
        self.deferred.push_back(Box::new(step));
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
    pub(super) fn configure(&mut self, settings: &TopicSettings, hands: &Hands) {
        self.log.set_options(settings.log);
        self.note_cached(hands);
    }

    /// Whether a flush of what was appended may wait.
    pub(super) fn may_flush_later(&self) -> bool {
        self.counts_all_cached() && self.deferred.is_empty()
    }

    /// Gives up the log. Who waits learns by the dropped reply that the partition is gone.
    pub(super) fn into_log(self) -> Log {
        self.log
    }
}

/// Whether the data directory takes nothing any more.
pub(super) fn is_final(error: &StorageError) -> bool {
    matches!(error, StorageError::OutOfService { .. } | StorageError::Io { .. })
}

fn count(batches: &[StampedBatch], metrics: &Metrics) {
    for batch in batches {
        metrics.produce_batches.add(1);
        metrics.produce_records.add(usize::try_from(batch.header().record_count).unwrap_or(0));
        metrics.produce_bytes.add(batch.size());
    }
}

/// Bytes of batches.
pub(super) fn size(batches: &[StampedBatch]) -> usize {
    batches.iter().map(StampedBatch::size).sum()
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
