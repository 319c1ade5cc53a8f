//! All that a consumer knows, without any I/O: calls, answers and the time in; what is to be asked,
//! and what is to be handed out, out.
//!
//! ```text
//!   application ── assign, seek, pause, take ──▶ State ◀── answers ── driver
//!                  records, errors, steps ◀──          ──▶ actions
//! ```
//!
//! It is held under one lock, which is taken once a haul and never across a wait. Whoever has
//! changed it wakes whom its [`Signals`] name.
//!
//! **Invariant:** when a call that revokes, seeks or pauses a partition returns, nothing that was
//! fetched of it before is handed out any more: its stamp is another one, what waits is thrown away
//! or held back, and the front is told to look again at what it holds.
//!
//! **Invariant:** bytes of answers of which something waits or is being handed out, and bytes that
//! were asked for, are at most `queued.max.messages.kbytes`, but for one batch a broker that is
//! longer, and copies of small parts beside an answer that is kept for a large one.

mod answers;
mod commits;
mod plan;
mod positions;
mod session;
mod slot;
mod steps;
mod stuck;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicI64, Ordering};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use logboom_client::Committer;

use self::plan::{BrokerState, TopicState};
use self::session::TopicIds;
use self::slot::Slot;
use crate::config::ConsumerConfig;
use crate::haul::Haul;
use crate::memory::Memory;
use crate::topics::Topics;
use crate::{ConsumerError, Start, TopicPartition};

pub(crate) use self::commits::{CommitResult, CommitRound};
pub(crate) use self::plan::{Action, Fetch, Question, Subject};
pub(crate) use self::slot::Position;
pub(crate) use self::steps::{Step, StepKind};

/// The time so much later; some day where no clock tells it.
fn later(now: Instant, by: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    now + by.min(FAR)
}

/// Who is to look again at what it knows.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Signals {
    /// The front: what it holds may not be its own any more.
    pub(crate) attention: bool,
    /// The front, if it waits.
    pub(crate) front: bool,
    pub(crate) driver: bool,
    pub(crate) commits: bool,
    pub(crate) group: bool,
}

/// Whether the consumer goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Open,
    /// It leaves its group.
    Closing,
}

/// What a consumer reads: by its own choice, or by its group's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Subscription {
    #[default]
    None,
    /// Partitions were assigned.
    Manual,
    /// Topics, of which the group gives partitions.
    Topics(Topics),
}

/// A haul that the front holds.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) place: TopicPartition,
    pub(crate) stamp: u64,
    pub(crate) haul: Haul,
}

/// How far the front has handed out the haul that it holds. It tells so at each call, without the
/// lock; whoever wants to know asks the state.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    offset: AtomicI64,
    epoch: AtomicI32,
}

impl Progress {
    /// All that was handed out is done with. Only who holds the haul says so.
    #[inline]
    pub(crate) fn tell(&self, haul: &Haul) {
        // In this order: an epoch that is too new for its offset only doubts more of it.
        self.epoch.store(haul.epoch(), Ordering::Relaxed);
        self.offset.store(haul.next(), Ordering::Release);
    }

    /// The offset behind what is done with, and the leader epoch of it.
    fn told(&self) -> (i64, i32) {
        let offset = self.offset.load(Ordering::Acquire);
        (offset, self.epoch.load(Ordering::Relaxed))
    }
}

/// How many errors wait for the application at most; of more the oldest ones are dropped.
const ERRORS_MAX: usize = 100;

/// All that a consumer knows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: Arc<ConsumerConfig>,
    pub(crate) signals: Signals,
    pub(crate) life: Life,
    pub(crate) subscription: Subscription,
    /// Whether partitions are assigned, or were last; topics are subscribed to since if not.
    is_assigned: bool,
    /// How often the group was left, so that who subscribes anew at once is a new member.
    pub(crate) farewells: u64,
    /// Who commits what the group has given, while there is a member.
    pub(crate) member: Option<Committer>,
    /// Who commits what was assigned; `None` without a `group.id`.
    pub(crate) standalone: Option<Committer>,
    /// The front that waits.
    pub(crate) waker: Option<Waker>,
    slots: BTreeMap<TopicPartition, Slot>,
    stamp: u64,
    /// Partitions with something to hand out, in their turn, each once. One may stand here that has
    /// nothing, or is paused.
    ready: VecDeque<TopicPartition>,
    memory: Memory,
    /// Whether a broker isn't asked because there is no room.
    is_short: bool,
    brokers: BTreeMap<i32, BrokerState>,
    topics: BTreeMap<Arc<str>, TopicState>,
    ids: TopicIds,
    /// What the application has to hear, at most once a partition; `None` is the consumer itself,
    /// of which it may have to hear that it was too slow, too.
    errors: VecDeque<(Option<TopicPartition>, ConsumerError)>,
    /// The task that has ended before the consumer was closed.
    broken: Option<&'static str>,
    /// What ends the membership for good.
    fatal: Option<ConsumerError>,
    steps: VecDeque<Step>,
    step_count: u64,
    /// The step that the listener hears of now.
    hearing: Option<u64>,
    commits: commits::Commits,
    /// Whose haul the front holds, and of which stamp.
    holding: Option<(TopicPartition, u64)>,
    pub(crate) progress: Arc<Progress>,
}

impl State {
    pub(crate) fn new(config: Arc<ConsumerConfig>) -> Self {
        Self {
            config,
            signals: Signals::default(),
            life: Life::Open,
            subscription: Subscription::None,
            is_assigned: false,
            farewells: 0,
            member: None,
            standalone: None,
            waker: None,
            slots: BTreeMap::new(),
            stamp: 0,
            ready: VecDeque::new(),
            memory: Memory::default(),
            is_short: false,
            brokers: BTreeMap::new(),
            topics: BTreeMap::new(),
            ids: TopicIds::default(),
            errors: VecDeque::new(),
            broken: None,
            fatal: None,
            steps: VecDeque::new(),
            step_count: 0,
            hearing: None,
            commits: commits::Commits::default(),
            holding: None,
            progress: Arc::default(),
        }
    }

    /// Reads these partitions, and no others; those that are read already and have no start go on.
    pub(crate) fn assign(&mut self, wanted: Vec<(TopicPartition, Option<Start>)>) {
        // Nobody commits later what goes away now.
        if self.config.auto_commit {
            self.auto_commit();
        }
        (self.subscription, self.is_assigned) = (Subscription::Manual, true);
        let wanted: BTreeMap<_, _> = wanted.into_iter().collect();
        let gone: Vec<_> =
            self.slots.keys().filter(|place| !wanted.contains_key(place)).cloned().collect();
        self.remove(&gone);
        for (place, start) in wanted {
            match start {
                None if self.slots.contains_key(&place) => {}
                start => self.begin(&place, false, start.unwrap_or(Start::Committed)),
            }
        }
    }

    /// Begins to read a partition.
    fn begin(&mut self, place: &TopicPartition, is_shared: bool, start: Start) {
        if self.slots.contains_key(place) {
            self.remove(std::slice::from_ref(place));
        }
        let stamp = self.next_stamp();
        let slot = Slot::new(stamp, is_shared, start, lag_gauge(place));
        self.slots.insert(place.clone(), slot);
        // Who leads it is looked up, if only where the cluster remembers it.
        self.topics.entry(Arc::clone(&place.topic)).or_default().told = None;
        self.signals.driver = true;
    }

    /// Reads these partitions no more.
    pub(crate) fn remove(&mut self, places: &[TopicPartition]) {
        let mut shared = Vec::new();
        for place in places {
            if let Some(slot) = self.slots.remove(place) {
                slot.gauge.set(0.0);
                self.signals.attention = true;
                self.signals.driver = true;
                shared.extend(slot.is_shared.then(|| place.clone()));
            }
            self.errors.retain(|(of, _)| of.as_ref() != Some(place));
        }
        self.commits.forget(&shared);
        self.ready.retain(|place| self.slots.contains_key(place));
        let read: BTreeSet<&Arc<str>> = self.slots.keys().map(|place| &place.topic).collect();
        let ids = &mut self.ids;
        self.topics.retain(|topic, _| {
            let is_read = read.contains(topic);
            if !is_read {
                ids.forget(topic);
            }
            is_read
        });
    }

    /// Goes on elsewhere in a partition.
    pub(crate) fn seek(&mut self, place: &TopicPartition, start: Start) -> bool {
        let Some(slot) = self.leave(place) else { return false };
        slot.go(start);
        self.errors.retain(|(of, _)| of.as_ref() != Some(place));
        true
    }

    /// It goes on elsewhere: what was fetched and what is handed out counts for nothing there.
    fn leave(&mut self, place: &TopicPartition) -> Option<&mut Slot> {
        let slot = self.drop_fetched(place)?;
        slot.settles_from = slot.stamp;
        Some(slot)
    }

    /// What was fetched of a partition, or is on its way, counts for nothing.
    fn drop_fetched(&mut self, place: &TopicPartition) -> Option<&mut Slot> {
        let stamp = self.next_stamp();
        let slot = self.slots.get_mut(place)?;
        slot.drop_queue();
        (slot.stamp, slot.is_asking) = (stamp, false);
        self.signals.attention = true;
        self.signals.driver = true;
        Some(slot)
    }

    /// Holds partitions back, or no more. What was fetched of them stays, unless its room is
    /// needed. Partitions that aren't read are left out; the first of them is returned.
    pub(crate) fn pause<'a>(
        &mut self,
        places: &'a [TopicPartition],
        is_paused: bool,
    ) -> Option<&'a TopicPartition> {
        let mut unknown = None;
        for place in places {
            let Some(slot) = self.slots.get_mut(place) else {
                unknown = unknown.or(Some(place));
                continue;
            };
            slot.is_paused = is_paused;
            if is_paused {
                slot.hindrance = None;
            }
            if !is_paused && !slot.queue.is_empty() {
                self.line_up(place);
            }
            self.signals.attention |= is_paused;
            self.signals.driver = true;
        }
        unknown
    }

    /// The next haul to hand out, of the partitions in turn.
    pub(crate) fn take(&mut self) -> Option<Taken> {
        while let Some(place) = self.ready.pop_front() {
            let Some(slot) = self.slots.get_mut(&place) else { continue };
            slot.is_ready = false;
            if slot.is_paused {
                continue;
            }
            let Some(haul) = slot.queue.pop_front() else { continue };
            slot.queued_bytes -= haul.rest_bytes();
            let stamp = slot.stamp;
            if !slot.queue.is_empty() {
                slot.is_ready = true;
                self.ready.push_back(place.clone());
            }
            self.progress.tell(&haul);
            self.holding = Some((place.clone(), stamp));
            // Another one of this partition may wait.
            self.signals.driver = true;
            return Some(Taken { place, stamp, haul });
        }
        None
    }

    /// Whether the front may go on with what it has taken.
    pub(crate) fn is_valid(&self, taken: &Taken) -> bool {
        let slot = self.slots.get(&taken.place);
        slot.is_some_and(|slot| slot.stamp == taken.stamp && !slot.is_paused)
    }

    /// The front lets go of a haul: what was handed out of it is done with.
    pub(crate) fn settle(&mut self, taken: &Taken) {
        self.holding = None;
        // There may be room now.
        self.signals.driver |= self.is_short;
        self.settle_at(&taken.place, taken.stamp, taken.haul.next(), taken.haul.epoch());
    }

    /// What the front has told of the haul that it holds is done with.
    pub(crate) fn catch_up(&mut self) {
        let Some((place, stamp)) = self.holding.take() else { return };
        let (offset, epoch) = self.progress.told();
        self.settle_at(&place, stamp, offset, epoch);
        self.holding = Some((place, stamp));
    }

    fn settle_at(&mut self, place: &TopicPartition, stamp: u64, offset: i64, epoch: i32) {
        let slot = self.slots.get_mut(place);
        let Some(slot) = slot.filter(|slot| stamp >= slot.settles_from) else { return };
        let before = slot.done.map_or(-1, |before| before.epoch);
        let done = Position { offset, epoch: if epoch < 0 { before } else { epoch } };
        let has_moved = slot.done.replace(done) != Some(done);
        if has_moved {
            slot.measure_lag();
        }
        self.signals.driver |= slot.is_blocked;
        if has_moved && slot.stamp != stamp {
            // It went back to where the front was known to be then.
            self.rewind(place);
        }
    }

    /// Goes back to what was handed out: what was fetched ahead counts for nothing.
    fn rewind(&mut self, place: &TopicPartition) {
        let Some(done) = self.slots.get(place).and_then(|slot| slot.done) else { return };
        if let Some(slot) = self.drop_fetched(place) {
            slot.stand(done);
        }
    }

    /// Nothing is handed out and committed any more, and the group is left.
    pub(crate) fn close(&mut self) {
        self.life = Life::Closing;
        self.commits.close();
        self.slots.values().for_each(|slot| slot.gauge.set(0.0));
        (self.signals.attention, self.signals.front, self.signals.group) = (true, true, true);
    }

    /// One of the consumer's own tasks has ended; whether that is news.
    pub(crate) fn break_down(&mut self, task: &'static str) -> bool {
        let is_news = self.life == Life::Open;
        if is_news {
            self.broken = Some(task);
            self.close();
        }
        is_news
    }

    /// Why nothing more is handed out or committed, once that is so.
    pub(crate) fn end(&self) -> ConsumerError {
        self.broken.map_or(ConsumerError::Closed, |task| ConsumerError::Broken { task })
    }

    /// The front lets go of a haul: what is left of it waits, if it is still wanted.
    pub(crate) fn give_back(&mut self, taken: Taken) {
        self.settle(&taken);
        let Taken { place, stamp, haul } = taken;
        let Some(slot) = self.slots.get_mut(&place).filter(|slot| slot.stamp == stamp) else {
            return;
        };
        slot.queued_bytes += haul.rest_bytes();
        slot.queue.push_front(haul);
        if !slot.is_paused {
            self.line_up(&place);
        }
    }

    /// Something of a partition waits to be handed out, in its turn.
    fn line_up(&mut self, place: &TopicPartition) {
        let Some(slot) = self.slots.get_mut(place) else { return };
        if !std::mem::replace(&mut slot.is_ready, true) {
            self.ready.push_back(place.clone());
        }
        self.signals.front = true;
    }

    /// A haul holds what can't be read: it is fetched again, unless the application seeks past it.
    /// Whether that is worth telling: what a replica has sent is fetched from the leader first.
    pub(crate) fn refetch(&mut self, taken: Taken) -> bool {
        self.settle(&taken);
        let (place, is_of_replica) = (&taken.place, taken.haul.is_of_replica());
        if self.slots.get(place).is_none_or(|slot| slot.stamp != taken.stamp) {
            return !is_of_replica;
        }
        self.rewind(place);
        let client = &self.config.client;
        let (now, initial, max) = (Instant::now(), client.retry_backoff, client.retry_backoff_max);
        if let Some(slot) = self.slots.get_mut(place) {
            if is_of_replica {
                tracing::warn!(%place, "a replica has sent what can't be read; asks the leader");
                slot.avoid_replicas(now, max, client.metadata_age_max);
            } else {
                slot.back_off(now, initial, max);
            }
        }
        !is_of_replica
    }

    /// What is read.
    pub(crate) fn assignment(&self) -> Vec<TopicPartition> {
        self.slots.keys().cloned().collect()
    }

    pub(crate) fn paused(&self) -> Vec<TopicPartition> {
        let paused = self.slots.iter().filter(|(_, slot)| slot.is_paused);
        paused.map(|(place, _)| place.clone()).collect()
    }

    /// Whether nothing is read, and nothing will be.
    pub(crate) fn reads_nothing(&self) -> bool {
        match self.subscription {
            Subscription::None => true,
            Subscription::Manual => self.slots.is_empty(),
            Subscription::Topics(_) => false,
        }
    }

    /// How far a partition was handed out; `None` where nobody knows yet, and an error where it
    /// isn't read.
    pub(crate) fn position(
        &mut self,
        place: &TopicPartition,
    ) -> Result<Option<Position>, ConsumerError> {
        self.catch_up();
        self.slot(place).map(|slot| slot.done)
    }

    /// How many records of a partition are to come, as far as its leader has told.
    pub(crate) fn lag(&mut self, place: &TopicPartition) -> Result<Option<i64>, ConsumerError> {
        self.catch_up();
        self.slot(place).map(Slot::lag)
    }

    fn slot(&self, place: &TopicPartition) -> Result<&Slot, ConsumerError> {
        let unknown = || ConsumerError::NotAssigned { partition: place.clone() };
        self.slots.get(place).ok_or_else(unknown)
    }

    /// An error that the application is to hear; what it hasn't heard yet of the same partition is
    /// replaced.
    pub(crate) fn tell(&mut self, of: Option<&TopicPartition>, error: ConsumerError) {
        // Nothing else says why everything was lost.
        let is_slow = |error: &_| matches!(error, ConsumerError::PollInterval { .. });
        let stays = |waiting: &_| is_slow(waiting) && !is_slow(&error);
        self.errors.retain(|(other, waiting)| other.as_ref() != of || stays(waiting));
        if self.errors.len() >= ERRORS_MAX {
            self.errors.pop_front();
        }
        self.errors.push_back((of.cloned(), error));
        self.signals.front = true;
    }

    /// The membership is over for good.
    pub(crate) fn end_by(&mut self, error: ConsumerError) {
        self.fatal = Some(error);
        self.signals.front = true;
    }

    /// The group is to give partitions of these topics. Whom it has refused for good tries again.
    pub(crate) fn subscribe(&mut self, topics: Topics) {
        (self.subscription, self.is_assigned) = (Subscription::Topics(topics), false);
        self.farewells += u64::from(self.fatal.take().is_some());
        self.signals.group = true;
    }

    /// Nothing is read any more, and the group is left.
    pub(crate) fn unsubscribe(&mut self) {
        self.farewells += 1;
        self.subscription = Subscription::None;
        drop(self.take_back_steps());
        self.remove(&self.assignment());
        self.begin_anew();
    }

    /// Topics are read anew.
    pub(crate) fn begin_anew(&mut self) {
        self.fatal = None;
    }

    /// The next error for the application; one that is for good comes each time.
    pub(crate) fn next_error(&mut self) -> Option<ConsumerError> {
        let next = self.errors.pop_front().map(|(_, error)| error);
        next.or_else(|| self.fatal.clone())
    }

    /// As if a broker had sent this from an offset on.
    #[cfg(test)]
    pub(crate) fn feed(&mut self, place: &TopicPartition, offset: i64, batches: bytes::Bytes) {
        let slot = self.slots.get_mut(place).expect("it is read");
        slot.stand(Position { offset, epoch: -1 });
        slot.queued_bytes += batches.len();
        let kept = self.memory.keep(batches.len());
        let haul = Haul::new(batches, offset, crate::haul::Aborted::default(), true);
        slot.queue.push_back(haul.keeping(kept));
        self.line_up(place);
    }

    fn next_stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }
}

/// Looked up once: it is set with each haul.
fn lag_gauge(place: &TopicPartition) -> metrics::Gauge {
    let labels = [("topic", place.topic.to_string()), ("partition", place.partition.to_string())];
    metrics::gauge!("logboom_consumer_lag_records", &labels)
}

impl Slot {
    /// Throws away what waits.
    fn drop_queue(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
    }
}
