//! What was appended and isn't acknowledged: a queue a partition, within `buffer.memory`.
//!
//! Whoever appends puts the record into its partition's queue, and the queue on a list when it has
//! something to send; the sender takes it from there.
//!
//! **Invariant:** a queue that has something to send is on a list, or has a batch under way after
//! which it is put on one.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, SemaphorePermit};
use tokio::time::Instant;

use logboom_client::{ClientError, Topic, partition_of_key};

use crate::delivery::{Delivery, Outcome};
use crate::memory::{Memory, Room};
use crate::partitioner::{Choice, Growth, Sticky, draw};
use crate::queue::{Event, Queue};
use crate::settings::Settings;
use crate::{ProduceError, Record};

/// All queues of a producer.
#[derive(Debug)]
pub(crate) struct Accumulator {
    pub(crate) settings: Settings,
    memory: Arc<Memory>,
    topics: RwLock<Topics>,
    schedule: Mutex<Schedule>,
    /// Wakes the sender.
    pub(crate) wake: Notify,
    is_closed: AtomicBool,
    /// Who waits for room.
    waiting: AtomicUsize,
    random: Random,
}

/// Somebody waits for room, and until then no batch waits for more records.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[derive(Debug, Default)]
struct Topics {
    by_name: HashMap<Arc<str>, Arc<TopicQueues>>,
    /// Why no more are added.
    ended: Option<ProduceError>,
}

/// A topic as it was told of last, which its queues share. It may be out of date.
type Told = Arc<ArcSwap<Topic>>;

/// The queues of a topic.
#[derive(Debug)]
pub(crate) struct TopicQueues {
    name: Arc<str>,
    told: Told,
    partitions: ArcSwap<Partitions>,
    sticky: Mutex<Sticky>,
}

#[derive(Debug, Default)]
struct Partitions {
    /// In the order of their numbers, from 0.
    queues: Vec<Arc<PartitionQueue>>,
    /// How many of them the topic has: fewer where it was made again.
    count: usize,
    /// Those that have a leader, or all where none has.
    led: Vec<i32>,
}

/// The queue of a partition.
#[derive(Debug)]
pub(crate) struct PartitionQueue {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    told: Told,
    /// Whether the broker that was told to lead it isn't believed to.
    is_doubted: AtomicBool,
    /// Whether it is on a list.
    is_listed: AtomicBool,
    /// Whether the schedule looks at how long its open batch waits. Changed under its lock.
    is_lingering: AtomicBool,
    /// Batches that wait.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
}

/// What the sender is to look at.
#[derive(Debug, Default)]
struct Schedule {
    ready: Vec<Arc<PartitionQueue>>,
    /// Queues that have begun a batch, in the order in which those have waited long enough.
    /// Invariant: at most one entry a queue, and one for each whose open batch isn't due.
    lingering: VecDeque<Lingering>,
}

#[derive(Debug)]
struct Lingering {
    until: Instant,
    queue: Arc<PartitionQueue>,
}

impl Schedule {
    fn linger(&mut self, until: Instant, queue: Arc<PartitionQueue>) {
        // One that has begun another batch meanwhile doesn't come last.
        let at = self.lingering.partition_point(|other| other.until <= until);
        self.lingering.insert(at, Lingering { until, queue });
    }
}

impl Accumulator {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            memory: Memory::new(settings.buffer_bytes),
            settings,
            topics: RwLock::default(),
            schedule: Mutex::default(),
            wake: Notify::new(),
            is_closed: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            random: Random::new(),
        }
    }

    /// Takes room for a record; waits for it where there is none. Cancel-safe.
    ///
    /// - `patience`: what is left of `max.block.ms`.
    ///
    /// # Errors
    /// [`ProduceError::TooLarge`], [`ProduceError::NoRoom`] after `max.block.ms`, or why the
    /// producer has ended.
    pub(crate) async fn take_room(
        &self,
        bytes: usize,
        patience: Duration,
    ) -> Result<SemaphorePermit<'_>, ProduceError> {
        let Settings { request_bytes_max, buffer_bytes, .. } = self.settings;
        let limit = request_bytes_max.min(buffer_bytes);
        let permits = u32::try_from(bytes).ok().filter(|_| bytes <= limit);
        let permits = permits.ok_or(ProduceError::TooLarge { bytes, limit })?;
        if let Some(room) = self.memory.try_take(permits) {
            return Ok(room);
        }
        let _waiting = Waiting::begin(&self.waiting);
        self.wake.notify_one();
        let room = tokio::time::timeout(patience, self.memory.take(permits)).await;
        let room = room.map_err(|_| ProduceError::NoRoom { after: patience })?;
        room.map_err(|_| self.ended().unwrap_or(ProduceError::Closed))
    }

    /// Puts a record into the queue of its partition.
    ///
    /// # Errors
    /// There is no such partition, it can't be a record, or the producer has ended.
    pub(crate) fn append(
        &self,
        topic: &TopicQueues,
        record: &Record<'_>,
        room: SemaphorePermit<'_>,
    ) -> Result<Delivery, ProduceError> {
        if self.is_closed() {
            return Err(self.ended().unwrap_or(ProduceError::Closed));
        }
        let partitions = topic.partitions.load();
        let is_sticky =
            record.partition.is_none() && (record.key.is_none() || self.settings.ignore_keys);
        let queue = self.choose(topic, &partitions, record)?;
        let timestamp = record.timestamp.unwrap_or_else(now);
        let mut held = queue.lock();
        let (delivery, event) = held.append(record, timestamp, room, &self.settings.queue, || {
            let outcome = Outcome::new(Arc::clone(&queue.topic), queue.partition);
            (outcome, Room::of(&self.memory))
        });
        queue.waiting.store(held.waiting(), Ordering::Relaxed);
        drop(held);
        if is_sticky {
            let (bytes, next_max) = (event.bytes, record.bytes_max());
            let is_full = event.has_filled && !event.has_opened;
            let growth = Growth { bytes, next_max, is_full };
            topic.sticky().grown(queue.partition, growth, self.settings.queue.batch_bytes);
        }
        if event.has_opened || event.has_filled {
            self.note(queue, event);
        }
        delivery
    }

    fn choose<'a>(
        &self,
        topic: &TopicQueues,
        partitions: &'a Partitions,
        record: &Record<'_>,
    ) -> Result<&'a Arc<PartitionQueue>, ProduceError> {
        let count = partitions.count;
        let none = |partition| ClientError::UnknownPartition {
            topic: topic.name.to_string(),
            partition,
            partition_count: count,
        };
        let chosen = match (record.partition, record.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) if !self.settings.ignore_keys => {
                let count = i32::try_from(count).map_err(|_| none(0))?;
                if count == 0 {
                    return Err(none(0).into());
                }
                partition_of_key(key, count)
            }
            _ => {
                let draw = || draw(&partitions.choices(&self.settings), self.random.next());
                topic.sticky().partition(draw).ok_or_else(|| none(0))?
            }
        };
        let at = usize::try_from(chosen).ok();
        let at = at.filter(|at| *at < count);
        Ok(at.and_then(|at| partitions.queues.get(at)).ok_or_else(|| none(chosen))?)
    }

    /// Tells the sender what an appended record has begun or ended.
    fn note(&self, queue: &Arc<PartitionQueue>, event: Event) {
        let linger = self.settings.linger;
        let mut schedule = self.schedule();
        let mut wakes = false;
        if event.has_opened && linger.is_zero() {
            queue.lock().linger(Instant::now(), linger);
            wakes = true;
        } else if event.has_opened && !queue.is_lingering.swap(true, Ordering::Relaxed) {
            wakes = schedule.lingering.is_empty();
            schedule.linger(Instant::now() + linger, Arc::clone(queue));
        }
        if (event.has_filled || linger.is_zero()) && !queue.list() {
            schedule.ready.push(Arc::clone(queue));
            wakes = true;
        }
        drop(schedule);
        if wakes {
            self.wake.notify_one();
        }
    }

    /// The queues that may have something to send now, and when the next open batch has waited
    /// long enough.
    pub(crate) fn ready(&self, now: Instant) -> (Vec<Arc<PartitionQueue>>, Option<Instant>) {
        let mut schedule = self.schedule();
        let mut ready = std::mem::take(&mut schedule.ready);
        let is_hurried = self.waiting.load(Ordering::Acquire) > 0;
        let linger = if is_hurried { Duration::ZERO } else { self.settings.linger };
        while let Some(Lingering { queue, .. }) =
            schedule.lingering.pop_front_if(|first| is_hurried || first.until <= now)
        {
            let mut held = queue.lock();
            // Who hurries waits for no batch, also where it was begun after `now`.
            let at = if is_hurried { Instant::now() } else { now };
            let (until, has_work) = (held.linger(at, linger), held.has_work());
            drop(held);
            if has_work && !queue.list() {
                ready.push(Arc::clone(&queue));
            }
            match until {
                Some(until) => schedule.linger(until, queue),
                None => queue.is_lingering.store(false, Ordering::Relaxed),
            }
        }
        (ready, schedule.lingering.front().map(|first| first.until))
    }

    /// Has all that was appended sent; returns what is to be waited for.
    pub(crate) fn flush(&self) -> Vec<Arc<Outcome>> {
        let mut unsettled = Vec::new();
        for queue in self.queues() {
            let mut held = queue.lock();
            unsettled.extend(held.flush());
            let has_work = held.has_work();
            drop(held);
            if has_work && !queue.list() {
                self.schedule().ready.push(queue);
            }
        }
        self.wake.notify_one();
        unsettled
    }

    /// The queues of a topic, if it is known.
    pub(crate) fn topic(&self, name: &str) -> Option<Arc<TopicQueues>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.by_name.get(name).cloned()
    }

    /// Makes the queues of a topic, or those of its partitions that are new.
    ///
    /// # Errors
    /// The producer has ended.
    pub(crate) fn learn(&self, topic: &Arc<Topic>) -> Result<Arc<TopicQueues>, ProduceError> {
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = &topics.ended {
            return Err(error.clone());
        }
        let name: Arc<str> = topic.name.as_str().into();
        let queues = topics.by_name.entry(Arc::clone(&name)).or_insert_with(|| {
            let told = Arc::new(ArcSwap::new(Arc::clone(topic)));
            let (partitions, sticky) = (ArcSwap::default(), Mutex::default());
            Arc::new(TopicQueues { name, told, partitions, sticky })
        });
        queues.learn(topic);
        Ok(Arc::clone(queues))
    }

    /// Every queue.
    pub(crate) fn queues(&self) -> Vec<Arc<PartitionQueue>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let queues = |topic: &Arc<TopicQueues>| topic.partitions.load().queues.clone();
        topics.by_name.values().flat_map(queues).collect()
    }

    /// Nothing more is taken; what was is sent.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.flush();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Nothing more is taken, all that was is given up, and nobody waits for room any more.
    pub(crate) fn end(&self, error: &ProduceError) {
        self.is_closed.store(true, Ordering::Release);
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        // The first reason counts.
        topics.ended.get_or_insert_with(|| error.clone());
        drop(topics);
        self.memory.close();
        self.queues().iter().for_each(|queue| queue.lock().end(error));
        self.wake.notify_one();
    }

    /// Why the producer has ended, if it has.
    pub(crate) fn ended(&self) -> Option<ProduceError> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).ended.clone()
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TopicQueues {
    /// Whether it has that partition, as far as is known. A number that none has isn't missed.
    pub(crate) fn has(&self, partition: Option<i32>) -> bool {
        partition.is_none_or(|partition| {
            let at = usize::try_from(partition).unwrap_or_default();
            at < self.partitions.load().count
        })
    }

    fn learn(&self, topic: &Arc<Topic>) {
        let known = self.partitions.load();
        self.told.store(Arc::clone(topic));
        known.queues.iter().for_each(|queue| queue.is_doubted.store(false, Ordering::Release));
        let count = topic.partitions.len();
        let mut led: Vec<i32> = topic
            .partitions
            .iter()
            .filter(|one| one.leader.is_some())
            .map(|one| one.index)
            .collect();
        if led.is_empty() {
            led = topic.partitions.iter().map(|one| one.index).collect();
        }
        if count == known.count && led == known.led {
            return;
        }
        let mut queues = known.queues.clone();
        let added = (0..).take(count).skip(queues.len());
        queues.extend(added.map(|partition| PartitionQueue::new(self, partition)));
        self.partitions.store(Arc::new(Partitions { queues, count, led }));
        self.sticky().forget();
    }

    fn sticky(&self) -> MutexGuard<'_, Sticky> {
        self.sticky.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Partitions {
    /// Those that a record without a key may go to.
    fn choices(&self, settings: &Settings) -> Vec<Choice> {
        let queue =
            |partition: i32| usize::try_from(partition).ok().and_then(|at| self.queues.get(at));
        let choice = |&partition: &i32| {
            let waiting = queue(partition).map_or(0, |one| one.waiting.load(Ordering::Relaxed));
            Choice { partition, waiting: if settings.is_adaptive { waiting } else { 0 } }
        };
        let mut choices: Vec<Choice> = self.led.iter().map(choice).collect();
        let Settings { is_adaptive, availability_timeout, linger, .. } = *settings;
        if is_adaptive && !availability_timeout.is_zero() {
            let now = Instant::now();
            let is_late = |since: Instant| now.duration_since(since) > availability_timeout;
            let is_available = |choice: &Choice| {
                let waits = queue(choice.partition).and_then(|one| one.lock().waits_since(linger));
                !waits.is_some_and(is_late)
            };
            let available: Vec<Choice> = choices.iter().copied().filter(is_available).collect();
            if !available.is_empty() {
                choices = available;
            }
        }
        choices
    }
}

impl PartitionQueue {
    fn new(topic: &TopicQueues, partition: i32) -> Arc<Self> {
        Arc::new(Self {
            topic: Arc::clone(&topic.name),
            partition,
            told: Arc::clone(&topic.told),
            is_doubted: AtomicBool::new(false),
            is_listed: AtomicBool::new(false),
            is_lingering: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            queue: Mutex::new(Queue::new()),
        })
    }

    /// The topic as it was told of last.
    pub(crate) fn told(&self) -> Arc<Topic> {
        self.told.load_full()
    }

    /// The broker that was told to lead the partition.
    ///
    /// # Errors
    /// There is none, or no such partition.
    pub(crate) fn leader(&self) -> Result<i32, ClientError> {
        self.told.load().leader(self.partition)
    }

    /// That broker doesn't lead it, or can't be reached, until the topic is told of anew.
    pub(crate) fn doubt(&self) {
        self.is_doubted.store(true, Ordering::Release);
    }

    pub(crate) fn is_doubted(&self) -> bool {
        self.is_doubted.load(Ordering::Acquire)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Queue> {
        // What a panic leaves is a batch less, which has its outcome.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks it as being on a list; whether it was.
    pub(crate) fn list(&self) -> bool {
        self.is_listed.swap(true, Ordering::AcqRel)
    }

    /// It is on no list any more.
    ///
    /// - `held`: it has nothing to send, as the lock on it guarantees.
    pub(crate) fn unlist(&self, held: &MutexGuard<'_, Queue>) {
        self.waiting.store(held.waiting(), Ordering::Relaxed);
        self.is_listed.store(false, Ordering::Release);
    }
}

/// Numbers that are good enough to draw partitions with.
#[derive(Debug)]
struct Random {
    seed: RandomState,
    drawn: AtomicU64,
}

impl Random {
    fn new() -> Self {
        Self { seed: RandomState::new(), drawn: AtomicU64::new(0) }
    }

    fn next(&self) -> u64 {
        self.seed.hash_one(self.drawn.fetch_add(1, Ordering::Relaxed))
    }
}

/// Milliseconds since 1970; 0 on a machine whose clock stands before that.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
