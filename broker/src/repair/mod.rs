//! Finding damaged logs, and making them good from other replicas.
//!
//! ```text
//!   scrub: reads sealed segments, slowly ──┐ fences
//!   readers, starts: meet damage ──────────┴─▶ suspects ─▶ repair: looks closely
//!                                                │ Command::Damage: it only votes
//!                                                │ fetches from other replicas, makes a new file
//!                                                │ Command::Swap
//!                                                ▼
//!                                              the shard that owns the log
//! ```
//!
//! One thread repairs, another scrubs. A scrub begins at a place that nobody foresees and goes
//! round: so whatever the times between two starts, each byte has the same chance to be read, and
//! nothing needs to be kept of how far it came.
//!
//! Must always hold: what another replica gives is checked before anything is written; a shard
//! never waits for one of these threads, and they end when the broker stops.

mod fetch;
mod rest;
mod scrub;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use logboom_storage::state::GroupKey;
use logboom_storage::{Pace, RepairError, StorageError};

use self::fetch::Fetching;
pub(crate) use self::rest::Rest;
use self::rest::Threads;
use crate::cleaner::Throttle;
use crate::cluster::METADATA;
use crate::node::Node;
use crate::partition::{Command, Partition};
use crate::threads::spawn;

/// How often it is looked whether there is something to repair.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Between two attempts to repair a log, at first; each is twice as long as the one before.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// The threads that scrub and repair.
pub(crate) struct Repairs {
    rests: Arc<Threads>,
    threads: Vec<JoinHandle<()>>,
}

/// What a thread does until the broker stops.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// What the threads do, by their names.
pub(crate) fn work(node: &Arc<Node>, rests: &Arc<dyn Rest>) -> [(&'static str, Work); 2] {
    let shared = || Shared { node: Arc::clone(node), rests: Arc::clone(rests) };
    let (repairing, scrubbing) = (shared(), shared());
    let (repair, scrub) = (move || repairing.repair(), move || scrubbing.scrub());
    [("repair", Box::new(repair)), ("scrub", Box::new(scrub))]
}

/// What they share.
struct Shared {
    node: Arc<Node>,
    rests: Arc<dyn Rest>,
}

/// A log that is to be looked at.
struct Waiting {
    /// Something is wrong at or behind this offset.
    offset: i64,
    next: Instant,
    pause: Duration,
}

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// There is nothing more to do.
    Done,
    /// It is tried again, for this reason.
    Later(String),
}

impl Repairs {
    /// Starts them.
    ///
    /// # Errors
    /// What the system says to a new thread.
    pub(crate) fn start(node: &Arc<Node>) -> io::Result<Self> {
        let mut repairs = Self { rests: Arc::new(Threads::new()?), threads: Vec::new() };
        for (name, work) in work(node, &(Arc::clone(&repairs.rests) as _)) {
            match spawn(name, work) {
                Ok(thread) => repairs.threads.push(thread),
                Err(error) => {
                    repairs.stop();
                    return Err(error);
                }
            }
        }
        Ok(repairs)
    }

    /// Stops them, and waits until they have ended.
    pub(crate) fn stop(self) {
        self.rests.stop();
        // One that has panicked has said so.
        self.threads.into_iter().for_each(|thread| drop(thread.join()));
    }
}

impl Shared {
    /// Waits for so long, or until the broker stops; returns whether it does.
    fn rest(&self, time: Duration) -> bool {
        self.rests.rest(time)
    }

    /// The thread that repairs.
    fn repair(&self) {
        let mut waiting: BTreeMap<GroupKey, Waiting> = BTreeMap::new();
        loop {
            let now = self.rests.now();
            for (key, offset) in self.node.directory.take_suspects() {
                let new = Waiting { offset, next: now, pause: RETRY_MIN };
                let known = waiting.entry(key).or_insert(new);
                known.offset = known.offset.min(offset);
            }
            for key in waiting.keys().copied().collect::<Vec<_>>() {
                let Some(it) = waiting.get_mut(&key).filter(|it| it.next <= now) else { continue };
                match self.attend(key, it) {
                    Outcome::Done => drop(waiting.remove(&key)),
                    Outcome::Later(why) => {
                        let pause = it.pause;
                        (it.next, it.pause) = (self.rests.now() + pause, RETRY_MAX.min(pause * 2));
                        tracing::warn!(partition = %key, %why, again_in = ?pause, "not repaired");
                    }
                }
            }
            let is_damaged = |key: &&GroupKey| {
                let found = self.partition(**key);
                found.is_some_and(|partition| partition.view.damage().is_some())
            };
            self.node.metrics.damaged_partitions.set(waiting.keys().filter(is_damaged).count());
            if self.rest(LOOK_EVERY) {
                return;
            }
        }
    }

    fn partition(&self, key: GroupKey) -> Option<Arc<Partition>> {
        self.node.registry.get(key.topic_id, key.partition).filter(|it| !it.is_deleted())
    }

    /// Looks closely at a log, and repairs it as far as that can be done now.
    fn attend(&self, key: GroupKey, waiting: &Waiting) -> Outcome {
        let offset = waiting.offset;
        let Some(partition) = self.partition(key) else { return Outcome::Done };
        if self.node.directory.failure().is_some() {
            return Outcome::Later("the data directory is out of service".to_owned());
        }
        if partition.view.damage().is_none() {
            // Whoever is damaged shouldn't lead for longer than it has to.
            match partition.view.scrub_suspect(offset, &mut AtOnce(self)) {
                Ok(Some(found)) if found.damage.is_none() => return Outcome::Done,
                Ok(Some(_)) => self.node.metrics.damaged_segments.add(1),
                Ok(None) if offset >= partition.view.end_offset() => return Outcome::Done,
                Ok(None) => {
                    self.node.shards[partition.shard].send(Command::Seal(key, offset));
                    return Outcome::Later("the damage lies where the log is written".to_owned());
                }
                Err(error) => return unless_stopped(error.into()),
            }
        }
        let Some(damage) = partition.view.damage() else { return Outcome::Done };
        let tell = || self.node.shards[partition.shard].send(Command::Damage(key));
        tell();
        if waiting.pause == RETRY_MIN {
            let (from, to) = (damage.start, damage.end);
            tracing::warn!(partition = %key, topic = %partition.topic, from, to, "damaged");
        }
        // Reading may have failed for a moment.
        let looked = if waiting.pause == RETRY_MIN {
            partition.view.look_again(&mut AtOnce(self))
        } else {
            Ok(())
        };
        let outcome = match looked {
            Ok(()) if partition.view.damage().is_none() => Outcome::Done,
            Ok(()) => self.make_good(&partition),
            Err(error) => unless_stopped(error.into()),
        };
        tell();
        outcome
    }

    /// Repairs one segment after the other.
    fn make_good(&self, partition: &Arc<Partition>) -> Outcome {
        let replicas = self.other_replicas(partition.key);
        let Some(others) = self.node.others.as_ref().filter(|_| !replicas.is_empty()) else {
            // Whoever reads it is told that it is damaged.
            return later("there is no other replica");
        };
        loop {
            let mut pacing = Pacing::of(self);
            let (others, metrics) = (Arc::clone(others), Arc::clone(&self.node.metrics));
            let (key, asking) = (partition.key, replicas.clone());
            let rests = &*self.rests;
            let mut fetching = Fetching { rests, others, metrics, key, replicas: asking };
            match partition.view.repair(&mut fetching, &mut pacing) {
                Ok(Some(made)) => {
                    let bytes = made.written_bytes();
                    match self.ask(partition, |key, reply| Command::Swap(key, made, reply)) {
                        Some(Ok(true)) => {
                            self.node.metrics.repaired_segments.add(1);
                            tracing::info!(partition = %key, bytes, "a segment is repaired");
                        }
                        Some(Ok(false)) => return later("the log has changed meanwhile"),
                        Some(Err(error)) => return later(&error.to_string()),
                        None => return Outcome::Done,
                    }
                }
                Ok(None) if partition.view.damage().is_none() => return Outcome::Done,
                Ok(None) => {
                    if let Some(damage) = partition.view.damage() {
                        let seal = Command::Seal(partition.key, damage.start);
                        self.node.shards[partition.shard].send(seal);
                    }
                    return later("what is damaged isn't sealed, or not known to be committed");
                }
                Err(error) => {
                    self.node.metrics.repair_failures.add(1);
                    return unless_stopped(error);
                }
            }
        }
    }

    /// The other brokers that have a replica.
    fn other_replicas(&self, key: GroupKey) -> Vec<i32> {
        let image = self.node.image();
        let mut brokers: Vec<i32> = if key == METADATA {
            image.nodes().map(|known| known.id).collect()
        } else {
            let index = usize::try_from(key.partition).unwrap_or(usize::MAX);
            let partition = image.topic(key.topic_id).and_then(|it| it.partitions().nth(index));
            partition.map_or_else(Vec::new, |partition| partition.replicas.clone())
        };
        brokers.retain(|broker| *broker != self.node.config.broker_id());
        brokers
    }

    /// Has the shard of a partition answer; `None` where it doesn't own it any more.
    fn ask<T: Send>(
        &self,
        partition: &Partition,
        command: impl FnOnce(GroupKey, oneshot::Sender<T>) -> Command,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.node.shards[partition.shard].send(command(partition.key, reply));
        self.rests.wait_for(answer)?.ok()
    }
}

fn later(why: &str) -> Outcome {
    Outcome::Later(why.to_owned())
}

/// An error after which it is tried again, unless the broker stops or the log is gone.
fn unless_stopped(error: RepairError) -> Outcome {
    match error {
        RepairError::Stopped | RepairError::Storage(StorageError::Deleted { .. }) => Outcome::Done,
        error => Outcome::Later(error.to_string()),
    }
}

/// Reads as fast as it can, and ends when the broker stops.
struct AtOnce<'a>(&'a Shared);

impl Pace for AtOnce<'_> {
    fn moved(&mut self, _: usize) -> bool {
        !self.0.rest(Duration::ZERO)
    }
}

/// Slows a repair down as the configuration says, and ends it when the broker stops.
struct Pacing<'a> {
    shared: &'a Shared,
    throttle: Throttle,
    key: &'static str,
}

impl<'a> Pacing<'a> {
    fn of(shared: &'a Shared) -> Self {
        Self { shared, throttle: Throttle::default(), key: "log.repair.bytes.per.second" }
    }
}

impl Pace for Pacing<'_> {
    fn moved(&mut self, bytes: usize) -> bool {
        let rate = self.shared.node.integer(self.key);
        // It was switched off meanwhile: what is begun is ended at the slowest.
        let wait = self.throttle.moved(bytes, rate.max(1) as f64, self.shared.rests.now());
        !self.shared.rest(wait)
    }
}
