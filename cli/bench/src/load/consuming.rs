//! Consumers at work.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use logboom_consumer::{Consumer, ConsumerError, RecordBatch, Remedy};

use super::Mark;
use super::extent::Extent;
use super::producing::locked;
use super::shared::{Phase, Shared};
use crate::pace::Clock as _;
use crate::timeline::{Sample, Tally};

/// How often it is looked whether a consumer has passed offsets that aren't records.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What consumers look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadKind {
    /// Records that are there. Measuring begins with the first ones, which don't count: nobody
    /// knows how long they took. It ends with the last one.
    There,
    /// Only records of this load count, and how long they took.
    Own,
}

/// Consumers that run.
#[derive(Debug)]
pub(crate) struct Consuming {
    tallies: Vec<Arc<Mutex<Tally>>>,
    tasks: Vec<JoinHandle<Option<u64>>>,
}

impl Consuming {
    /// Starts to read.
    ///
    /// - `consumers`: each with the number of its group.
    pub(crate) fn start(
        consumers: Vec<(usize, Consumer)>,
        kind: ReadKind,
        extent: Extent,
        shared: &Arc<Shared>,
    ) -> Self {
        let (mut tallies, mut tasks) = (Vec::new(), Vec::new());
        let extent = Arc::new(extent);
        for (number, (group, consumer)) in (1..).zip(consumers) {
            let alive = Alive::new(shared, format!("consumer {number}, of group {}", group + 1));
            let tally = Arc::new(Mutex::new(Tally::default()));
            tallies.push(Arc::clone(&tally));
            let (shared, extent) = (Arc::clone(shared), Arc::clone(&extent));
            let samples = Vec::new();
            let reader = Reader { shared, tally, group, kind, extent, first: None, samples };
            tasks.push(tokio::spawn(reader.run(consumer, alive)));
        }
        Self { tallies, tasks }
    }

    pub(crate) fn tallies(&self) -> &[Arc<Mutex<Tally>>] {
        &self.tallies
    }

    /// Waits for the consumers' ends, which the load's is. Returns when the first record came.
    pub(crate) async fn finish(self) -> Option<u64> {
        let mut first = None;
        for task in self.tasks {
            // One that has panicked has given up the load already.
            let came = task.await.unwrap_or(None);
            first = first.into_iter().chain(came).min();
        }
        first
    }
}

/// A consumer that is to read until the load is over. What it doesn't read nobody else does, so one
/// that ends before makes going on useless.
struct Alive {
    shared: Arc<Shared>,
    name: String,
}

impl Alive {
    fn new(shared: &Arc<Shared>, name: String) -> Self {
        Self { shared: Arc::clone(shared), name }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        if self.shared.phase() < Phase::Over {
            self.shared.give_up(format!("{} has ended before the load", self.name));
        }
    }
}

/// Reads with one consumer.
struct Reader {
    shared: Arc<Shared>,
    tally: Arc<Mutex<Tally>>,
    group: usize,
    kind: ReadKind,
    extent: Arc<Extent>,
    first: Option<u64>,
    samples: Vec<Sample>,
}

impl Reader {
    /// Reads until the load is over. Returns when the first record came.
    async fn run(mut self, mut consumer: Consumer, alive: Alive) -> Option<u64> {
        let mut looks = looks();
        loop {
            let batch = tokio::select! {
                biased;
                () = self.shared.reached(Phase::Over) => break,
                _ = looks.tick(), if self.kind == ReadKind::There => {
                    self.look(&mut consumer);
                    continue;
                }
                batch = consumer.next_batch() => batch,
            };
            if let Err(error) = batch.and_then(|batch| self.take(&batch)) {
                let why = format!("{}: read: {error}", alive.name);
                if error.remedy() == Remedy::Retry {
                    self.shared.count_failed(|| why);
                } else {
                    self.shared.give_up(why);
                    break;
                }
            }
        }
        // Offsets aren't committed; what is left of the group ends by itself.
        drop(consumer.close().await);
        self.first
    }

    /// Passes what has offsets and is no record.
    fn look(&self, consumer: &mut Consumer) {
        for place in consumer.assignment() {
            let partition = usize::try_from(place.partition).unwrap_or_default();
            if let Ok(Some(position)) = consumer.position(&place) {
                self.extent.claim(self.group, partition, position);
            }
        }
        self.end_if_read();
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<(), ConsumerError> {
        let now = self.shared.now();
        self.first.get_or_insert(now);
        let opens = self.kind == ReadKind::There && self.shared.open(now);
        let partition = usize::try_from(batch.place().partition).unwrap_or_default();
        // Before it is told that all was read.
        self.shared.note(now);
        let fresh = self.extent.claim(self.group, partition, batch.next_offset());
        let (mut records, mut bytes, mut own) = (0_u64, 0_u64, 0_u64);
        for record in batch {
            let record = record?;
            if !fresh.contains(&record.offset) {
                continue;
            }
            let length = part(record.key) + part(record.value);
            records += 1;
            bytes += length;
            if self.kind != ReadKind::Own {
                continue;
            }
            let marks = record.headers.iter().filter(|header| header.key == Mark::KEY.as_bytes());
            let mark = marks.filter_map(|header| Mark::from_bytes(header.value?)).next();
            if let Some(mark) = mark.filter(|mark| mark.load == self.shared.id()) {
                own += 1;
                let length = u32::try_from(length).unwrap_or(u32::MAX);
                self.samples.push(self.shared.sample(mark.due, now, Some(length)));
            }
        }
        let is_measured = self.shared.count_read(now, self.group, (records, own)) && !opens;
        let mut tally = locked(&self.tally);
        match self.kind {
            ReadKind::Own => tally.take(&self.samples),
            ReadKind::There if is_measured => tally.count(records, bytes),
            ReadKind::There => {}
        }
        drop(tally);
        self.samples.clear();
        self.extent.count(self.group, records);
        self.end_if_read();
        Ok(())
    }

    /// Measuring ends with the last record, not when that was seen.
    fn end_if_read(&self) {
        if self.kind == ReadKind::There && self.extent.is_read() {
            self.shared.close_behind_last();
            self.shared.end(Phase::Due);
        }
    }
}

fn looks() -> Interval {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

fn part(bytes: Option<&[u8]>) -> u64 {
    bytes.map_or(0, |bytes| bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_consumer_that_dies_ends_the_load_and_is_named() {
        let shared = Arc::new(Shared::new(None, None, 1, 1));
        let alive = Alive::new(&shared, "consumer 2, of group 1".to_owned());
        let dying = tokio::spawn(async move {
            let _alive = alive;
            panic!("as a client of a load may");
        });
        tokio::time::timeout(Duration::from_secs(60), shared.reached(Phase::Over)).await.unwrap();
        assert!(dying.await.is_err() && shared.has_given_up());
        let why = "consumer 2, of group 1 has ended before the load";
        assert_eq!(shared.failures(), (0, Some(why.to_owned())));
    }

    #[tokio::test]
    async fn one_that_ends_with_the_load_has_not_died() {
        let shared = Arc::new(Shared::new(None, None, 1, 1));
        let extent = Extent::new(&[0], None, None, 1);
        let consumer = Consumer::builder().bootstrap_servers("127.0.0.1:1").build().unwrap();
        let consuming = Consuming::start(vec![(0, consumer)], ReadKind::Own, extent, &shared);
        shared.end(Phase::Over);
        assert_eq!(consuming.finish().await, None);
        assert!(!shared.has_given_up());
    }
}
