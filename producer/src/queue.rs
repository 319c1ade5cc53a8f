//! The batches of one partition: one that is filled, those that wait, those under way.
//!
//! ```text
//!   append ─▶ open ── full, lingered ──▶ waiting ── take ──▶ under way ── settle ──▶ outcome
//!                                          ▲                     │
//!                                          └──── again, in order ┘
//! ```
//!
//! It knows no socket and no clock of its own: the time comes in.
//!
//! **Invariant:** batches reach the broker's log in the order of their numbers. An idempotent
//! producer has several of them under way, and the broker refuses one whose predecessor is missing;
//! any other has one. After an error nothing is taken until all that is under way is answered, and
//! then those that are sent again go one by one, the oldest first.
//!
//! **Invariant:** a batch that may have been appended is sent again only with the numbers that it
//! had, so that the broker knows it (KIP-98). Batches are numbered anew, in the next epoch, only
//! when the broker has refused the oldest one as out of order, and it was never sent before with an
//! end that isn't known, or what was before it certainly isn't in the log: then neither it nor what
//! is behind it has been appended (KIP-360). Otherwise it may be there: a broker that was started
//! anew knows the last batch of a producer only. It is given up, and its records' outcome says so.
//!
//! **Invariant:** from the oldest batch that isn't acknowledged to the newest that was sent there
//! are no more than a broker knows of a producer. So nothing new is sent while one is sent again:
//! the broker would forget that one meanwhile, and take it for one that is out of order. And until
//! a batch of the producer is acknowledged one is under way: of a producer that it doesn't know a
//! broker takes any number, also that of a batch whose predecessor is missing. The same holds where
//! it may know the producer no longer: after a long silence, and of a topic that was made again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use logboom_client::{ClientError, Produced};
use logboom_protocol::ErrorCode;
use logboom_protocol::records::{Codec, ProducerState};
use logboom_protocol::units::Uuid;

use crate::batch::{Batch, next_sequence};
use crate::delivery::{Delivery, Outcome};
use crate::error::leaves_open;
use crate::memory::Room;
use crate::{ProduceError, Record};

/// What a queue goes by.
#[derive(Debug, Clone)]
pub(crate) struct QueueLimits {
    pub(crate) codec: Codec,
    /// Bytes of a batch (`batch.size`).
    pub(crate) batch_bytes: usize,
    /// Batches under way: one, unless they are numbered.
    pub(crate) under_way_max: usize,
    /// How long a record may take (`delivery.timeout.ms`).
    pub(crate) delivery_timeout: Duration,
}

/// Id and epoch that brokers have given to an idempotent producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProducerId {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

/// What an answer means for a batch.
#[derive(Debug)]
pub(crate) enum Verdict {
    Appended(Produced),
    /// It isn't appended and won't be.
    Refused(ProduceError),
    /// It may be sent again after a pause.
    Again {
        error: ClientError,
        pause: Duration,
    },
    /// The broker misses what comes before it, or knows the producer no more. It may be sent again,
    /// after a pause unless it is the first time.
    OutOfOrder {
        error: ClientError,
        pause: Duration,
    },
    /// It is larger than the broker takes.
    TooLarge(ClientError),
}

impl Verdict {
    /// What went wrong at the cluster.
    pub(crate) fn error(&self) -> Option<&ClientError> {
        match self {
            Self::Again { error, .. } | Self::OutOfOrder { error, .. } | Self::TooLarge(error) => {
                Some(error)
            }
            Self::Refused(ProduceError::Cluster(error)) => Some(error),
            Self::Refused(_) | Self::Appended(_) => None,
        }
    }
}

/// What an appended record has begun and ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// It is the first one of the open batch.
    pub(crate) has_opened: bool,
    /// A batch is full.
    pub(crate) has_filled: bool,
    /// Bytes that batches have grown by.
    pub(crate) bytes: usize,
}

/// The batches of a partition.
#[derive(Debug)]
pub(crate) struct Queue {
    open: Option<Batch>,
    /// The open batch is sent though it isn't full, if its number is less than this.
    due_before: u64,
    waiting: VecDeque<Batch>,
    under_way: Vec<UnderWay>,
    /// Those to send again, until nothing is under way.
    failed: Vec<Batch>,
    /// No batch is taken before.
    paused_until: Option<Instant>,
    /// When a batch was last taken.
    taken_at: Option<Instant>,
    numbering: Option<Numbering>,
    /// Whether all that waits is numbered anew once nothing is under way. Invariant: one that
    /// failed is out of order.
    is_out_of_order: bool,
    /// The topic's id; one that is made again knows no producer.
    topic_id: Uuid,
    next_number: u64,
    /// Of the batch that was filled last.
    last_bytes: usize,
    /// How often the bytes of a batch were halved, as the broker takes none that are so large.
    halvings: u32,
    /// Batches that it took since that was last changed.
    fitting: u32,
    /// Batches from this number on were begun since.
    halved_before: u64,
    /// Why nothing is appended any more.
    ended: Option<ProduceError>,
}

/// A batch that somebody else holds.
#[derive(Debug)]
struct UnderWay {
    number: u64,
    deadline: Instant,
    outcome: Arc<Outcome>,
    /// First record and count.
    range: (i32, i32),
    /// Whether it had its numbers before.
    is_repeated: bool,
    /// What went wrong the last time.
    last_error: Option<ClientError>,
}

#[derive(Debug, Clone, Copy)]
struct Numbering {
    producer: ProducerId,
    next_sequence: i32,
    /// When a batch of it was last acknowledged.
    known: Option<Instant>,
    /// The first batch that certainly isn't in the log, and won't be: its number and its first
    /// record. None behind it is there.
    gap: Option<(u64, i32)>,
}

impl Numbering {
    fn new(producer: ProducerId) -> Self {
        Self { producer, next_sequence: 0, known: None, gap: None }
    }
}

/// After so many batches that the broker took one may be twice as large again.
const DOUBLED_AFTER: u32 = 1_000;

/// After so long without a batch a broker may have forgotten the producer
/// (`producer.id.expiration.ms`, of which this is a small part).
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            open: None,
            due_before: 0,
            waiting: VecDeque::new(),
            under_way: Vec::new(),
            failed: Vec::new(),
            paused_until: None,
            taken_at: None,
            numbering: None,
            is_out_of_order: false,
            topic_id: Uuid::ZERO,
            next_number: 0,
            last_bytes: 0,
            halvings: 0,
            fitting: 0,
            halved_before: 0,
            ended: None,
        }
    }

    /// Adds a record to the open batch, or to a new one where it is full; a batch is full where no
    /// other one of this size may fit. Returns what has become of the record, and what it has begun
    /// and ended; also where it can't be a record.
    ///
    /// - `new`: makes the outcome of a new batch, and the room of its memory.
    pub(crate) fn append(
        &mut self,
        record: &Record<'_>,
        timestamp: i64,
        taken: SemaphorePermit<'_>,
        limits: &QueueLimits,
        new: impl FnOnce() -> (Outcome, Room),
    ) -> (Result<Delivery, ProduceError>, Event) {
        let bytes = record.bytes_max();
        let mut event = Event::default();
        if let Some(error) = &self.ended {
            return (Err(error.clone()), event);
        }
        let batch_bytes = limits.batch_bytes.checked_shr(self.halvings).unwrap_or_default();
        let is_full = |open: &mut Batch| open.bytes() + bytes > batch_bytes;
        if let Some(full) = self.open.take_if(is_full) {
            self.close(full);
            event.has_filled = true;
        }
        let mut open = self.open.take().unwrap_or_else(|| {
            let (outcome, room) = new();
            let number = self.next_number;
            self.next_number += 1;
            event.has_opened = true;
            // What isn't there isn't set aside: it may be a record, and no more.
            let expected = self.last_bytes.min(batch_bytes).min(room.free());
            Batch::new(number, limits.codec, outcome, room, expected, Instant::now())
        });
        let before = if event.has_opened { 0 } else { open.bytes() };
        let delivery = open.append(record, timestamp, taken);
        event.bytes = open.bytes() - before;
        if open.record_count() == 0 {
            (event.has_opened, event.bytes) = (false, 0);
        } else if is_full(&mut open) {
            (event.has_opened, event.has_filled) = (false, true);
            self.close(open);
        } else {
            self.open = Some(open);
        }
        (delivery.map_err(ProduceError::Record), event)
    }

    fn close(&mut self, batch: Batch) {
        batch.close();
        self.last_bytes = batch.bytes();
        self.waiting.push_back(batch);
    }

    /// The open batch is sent though it isn't full, if it has waited so long; returns until when
    /// it is to wait otherwise.
    pub(crate) fn linger(&mut self, now: Instant, linger: Duration) -> Option<Instant> {
        let open = self.open.as_ref().filter(|open| open.number >= self.due_before)?;
        let until = open.created + linger;
        if until > now {
            return Some(until);
        }
        self.due_before = open.number + 1;
        None
    }

    /// All that was appended is sent, full or not; returns what is not settled yet.
    pub(crate) fn flush(&mut self) -> Vec<Arc<Outcome>> {
        self.due_before = self.next_number;
        let held = self.open.iter().chain(&self.waiting).chain(&self.failed);
        let held = held.map(|batch| Arc::clone(batch.outcome()));
        let under_way = self.under_way.iter().map(|one| Arc::clone(&one.outcome));
        held.chain(under_way).filter(|outcome| !outcome.is_settled()).collect()
    }

    /// Takes the next batch to send, if one may be sent.
    ///
    /// - `producer`: who numbers them, if they are numbered.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        producer: Option<ProducerId>,
        topic_id: Uuid,
        limits: &QueueLimits,
    ) -> Option<Batch> {
        if std::mem::replace(&mut self.topic_id, topic_id) != topic_id {
            (self.is_out_of_order, self.halvings) = (false, 0);
            if let Some(numbering) = &mut self.numbering {
                numbering.known = None;
            }
        }
        self.recover();
        if !self.may_take(now, limits) {
            return None;
        }
        if self.waiting.is_empty() {
            let due = self.due_before;
            let open = self.open.take_if(|open| open.number < due)?;
            self.close(open);
        }
        // One that is sent again goes alone.
        let next = self.waiting.front();
        if next.is_some_and(|batch| batch.numbers.is_some()) && !self.under_way.is_empty() {
            return None;
        }
        let mut batch = self.waiting.pop_front()?;
        self.taken_at = Some(now);
        let is_repeated = batch.numbers.is_some();
        // Unless it turns out that it wasn't.
        batch.is_sent = true;
        if let Some(producer) = producer {
            self.number(&mut batch, producer);
        }
        self.under_way.push(UnderWay {
            number: batch.number,
            deadline: batch.created + limits.delivery_timeout,
            outcome: Arc::clone(batch.outcome()),
            range: batch.range(),
            is_repeated,
            last_error: batch.last_error.clone(),
        });
        Some(batch)
    }

    /// Whether there is something to take, now or when a pause is over.
    pub(crate) fn has_work(&self) -> bool {
        let is_due = self.open.as_ref().is_some_and(|open| open.number < self.due_before);
        is_due || !self.waiting.is_empty() || !self.failed.is_empty()
    }

    /// Since when something is to be sent that nobody takes: since a batch was last taken, if the
    /// oldest one was due by then.
    pub(crate) fn waits_since(&self, linger: Duration) -> Option<Instant> {
        let due = self.open.as_ref().filter(|open| open.number < self.due_before);
        let held = due.into_iter().chain(self.waiting.front()).chain(&self.failed);
        let oldest = held.map(|batch| batch.created).min()?;
        Some(oldest + linger).max(self.taken_at)
    }

    /// Whether there is anything at all that isn't settled.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_none() && self.under_way.is_empty() && !self.has_work()
    }

    /// When a pause ends, if one keeps the next batch.
    pub(crate) fn paused_until(&self) -> Option<Instant> {
        self.paused_until.filter(|_| self.under_way.is_empty())
    }

    /// Whether a batch may be taken, apart from there being one.
    pub(crate) fn may_take(&self, now: Instant, limits: &QueueLimits) -> bool {
        let is_paused = self.paused_until.is_some_and(|until| now < until);
        let is_repeating = self.under_way.iter().any(|one| one.is_repeated);
        let is_recovering = !self.failed.is_empty() || is_repeating;
        let is_known = |known: Instant| now.duration_since(known) < FORGOTTEN_AFTER;
        let is_stranger = self.numbering.is_some_and(|own| !own.known.is_some_and(is_known));
        let under_way_max = if is_stranger { 1 } else { limits.under_way_max };
        !is_paused && !is_recovering && self.under_way.len() < under_way_max
    }

    /// When nothing is under way, those that failed come first again, in their order, and with new
    /// numbers if the broker misses what was before them.
    fn recover(&mut self) {
        if self.failed.is_empty() || !self.under_way.is_empty() {
            return;
        }
        self.failed.sort_by_key(|batch| (batch.number, batch.range()));
        for batch in self.failed.drain(..).rev() {
            self.waiting.push_front(batch);
        }
        if std::mem::take(&mut self.is_out_of_order) {
            for batch in &mut self.waiting {
                (batch.numbers, batch.is_unsure) = (None, false);
            }
            self.numbering = self.numbering.and_then(|numbering| {
                // Behind the greatest epoch it begins with another id.
                let epoch = numbering.producer.epoch.checked_add(1)?;
                Some(Numbering::new(ProducerId { epoch, ..numbering.producer }))
            });
        }
    }

    fn number(&mut self, batch: &mut Batch, producer: ProducerId) {
        if batch.numbers.is_some() {
            return;
        }
        let numbering = self.numbering.get_or_insert_with(|| Numbering::new(producer));
        batch.numbers = Some(ProducerState {
            id: numbering.producer.id,
            epoch: numbering.producer.epoch,
            base_sequence: numbering.next_sequence,
            transactional: false,
        });
        numbering.next_sequence = next_sequence(numbering.next_sequence, batch.record_count());
    }

    /// Bytes of the batch that is taken next.
    pub(crate) fn next_bytes(&mut self) -> usize {
        self.recover();
        self.waiting.front().or(self.open.as_ref()).map_or(0, Batch::bytes)
    }

    /// How batches are numbered, if this one is numbered so.
    fn numbering_of(&mut self, batch: &Batch) -> Option<&mut Numbering> {
        let own = batch.numbers?;
        let is_own = |ProducerId { id, epoch }: ProducerId| (own.id, own.epoch) == (id, epoch);
        self.numbering.as_mut().filter(|numbering| is_own(numbering.producer))
    }

    /// The broker has a batch of this producer.
    fn note_known(&mut self, batch: &Batch, now: Instant) {
        let at = (batch.number, batch.range().0);
        if let Some(numbering) = self.numbering_of(batch) {
            numbering.known = Some(now);
            // It didn't know the producer, and takes any number then.
            numbering.gap = numbering.gap.filter(|gap| *gap > at);
        }
    }

    /// A broker that takes batches of this size may take larger ones by now.
    fn note_fitting(&mut self) {
        self.fitting += 1;
        if self.fitting >= DOUBLED_AFTER {
            (self.halvings, self.fitting) = (self.halvings.saturating_sub(1), 0);
        }
    }

    /// A batch has ended, and isn't in the log, unless that is open.
    fn note_gap(&mut self, batch: &Batch) {
        let at = (batch.number, batch.range().0);
        if !batch.is_unsure
            && let Some(numbering) = self.numbering_of(batch)
        {
            numbering.gap = Some(numbering.gap.map_or(at, |gap| gap.min(at)));
        }
    }

    /// Whether the broker may have a batch that it calls out of order: it has all that is before.
    fn is_forgotten(&mut self, batch: &Batch, error: &ClientError) -> bool {
        let at = (batch.number, batch.range().0);
        let is_behind_gap =
            self.numbering_of(batch).is_some_and(|own| own.gap.is_some_and(|gap| gap < at));
        let is_out_of_order = error.code() == Some(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        batch.is_unsure && is_out_of_order && !is_behind_gap
    }

    /// Takes a batch back with what has become of it; returns how many records have failed though
    /// the verdict doesn't say so.
    pub(crate) fn settle(&mut self, mut batch: Batch, verdict: Verdict, now: Instant) -> u64 {
        batch.is_unsure |= batch.is_sent && verdict.error().is_some_and(leaves_open);
        let range = batch.range();
        self.under_way.retain(|one| (one.number, one.range) != (batch.number, range));
        // One that was given up meanwhile has its outcome; whether it is there its successors show.
        let is_over = self.ended.is_some() || batch.outcome().is_settled_from(range.0);
        match verdict {
            Verdict::Appended(produced) => {
                self.note_known(&batch, now);
                self.note_fitting();
                batch.settle(Ok(produced));
            }
            Verdict::Refused(error) => {
                self.note_gap(&batch);
                batch.settle(Err(error));
            }
            _ if is_over => self.note_gap(&batch),
            Verdict::Again { error, pause } => {
                batch.attempts = batch.attempts.saturating_add(1);
                batch.last_error = Some(error);
                self.paused_until = self.paused_until.max(Some(now + pause));
                self.failed.push(batch);
            }
            Verdict::OutOfOrder { error, pause } => {
                // Behind others that aren't answered, or failed, it is what comes of theirs.
                let number = batch.number;
                let is_behind = self.under_way.iter().any(|one| one.number < number)
                    || self.failed.iter().any(|one| one.number < number);
                if !is_behind && self.is_forgotten(&batch, &error) {
                    let records = u64::from(batch.record_count().unsigned_abs());
                    let (what, last) = (batch.outcome().what(), Box::new(error));
                    batch.settle(Err(ProduceError::Forgotten { what, last }));
                    return records;
                }
                if batch.attempts > 0 {
                    self.paused_until = self.paused_until.max(Some(now + pause));
                }
                batch.attempts = batch.attempts.saturating_add(1);
                self.is_out_of_order |= !is_behind;
                batch.last_error = Some(error);
                self.failed.push(batch);
            }
            Verdict::TooLarge(error) => match batch.divide() {
                Ok(halves) => {
                    // Those that were under way beside it say nothing new.
                    if halves[0].number >= self.halved_before {
                        (self.halvings, self.fitting) = (self.halvings.saturating_add(1), 0);
                        self.halved_before = self.next_number;
                    }
                    self.failed.extend(halves);
                }
                Err(whole) => {
                    self.note_gap(&whole);
                    whole.settle(Err(error.into()));
                }
            },
        }
        0
    }

    /// Settles what is too old as late; returns how many records.
    pub(crate) fn expire(&mut self, now: Instant, limits: &QueueLimits) -> u64 {
        let after = limits.delivery_timeout;
        let is_late = |created: Instant| created + after <= now;
        let mut late: Vec<Batch> = Vec::new();
        if let Some(open) = self.open.take_if(|open| is_late(open.created)) {
            open.close();
            late.push(open);
        }
        // Halves of one batch are as old as each other, others as their order.
        while self.waiting.front().is_some_and(|batch| is_late(batch.created)) {
            late.extend(self.waiting.pop_front());
        }
        late.extend(self.failed.extract_if(.., |batch| is_late(batch.created)));
        // Nothing is left that it was said of.
        self.is_out_of_order &= !self.failed.is_empty();
        let mut records = 0;
        for batch in late {
            let what = batch.outcome().what();
            let last = batch.last_error.clone().map(Box::new);
            let may_be_appended = batch.is_unsure;
            records += u64::from(batch.record_count().unsigned_abs());
            self.note_gap(&batch);
            batch.settle(Err(ProduceError::Late { what, after, may_be_appended, last }));
        }
        for one in self.under_way.iter().filter(|one| one.deadline <= now) {
            let what = one.outcome.what();
            if !one.outcome.is_settled_from(one.range.0) {
                records += u64::from(one.range.1.unsigned_abs());
            }
            let last = one.last_error.clone().map(Box::new);
            let late = ProduceError::Late { what, after, may_be_appended: true, last };
            one.outcome.settle(one.range.0, one.range.1, Err(late));
        }
        records
    }

    /// When the next batch is late.
    pub(crate) fn next_deadline(&self, now: Instant, limits: &QueueLimits) -> Option<Instant> {
        let held = self.open.iter().chain(&self.waiting).chain(&self.failed);
        let held = held.map(|batch| batch.created + limits.delivery_timeout);
        // Those under way that are late already have their outcome.
        let under_way = self.under_way.iter().map(|one| one.deadline).filter(|at| *at > now);
        held.chain(under_way).min()
    }

    /// Says of all that waits what keeps it.
    pub(crate) fn blame(&mut self, error: &ClientError) {
        self.waiting.iter_mut().for_each(|batch| batch.last_error = Some(error.clone()));
    }

    /// Gives up all, and takes nothing more. What is under way may be appended all the same.
    pub(crate) fn end(&mut self, error: &ProduceError) {
        self.ended = Some(error.clone());
        for UnderWay { outcome, range: (first, count), .. } in &self.under_way {
            outcome.settle(*first, *count, Err(error.clone()));
        }
        if let Some(open) = self.open.take() {
            self.close(open);
        }
        for batch in self.waiting.drain(..).chain(self.failed.drain(..)) {
            batch.settle(Err(error.clone()));
        }
    }

    /// Batches that wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len() + self.failed.len()
    }
}

#[cfg(test)]
mod tests;
