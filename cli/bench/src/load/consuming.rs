//! Consumers at work.

use std::sync::{Arc, Mutex};

use tokio::task::JoinHandle;

use logboom_consumer::{Consumer, ConsumerError, RecordBatch, Remedy};

use super::Mark;
use super::producing::locked;
use super::shared::{Phase, Shared};
use crate::pace::Clock as _;
use crate::timeline::{Sample, Tally};

/// What consumers look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadKind {
    /// All records count, and measuring begins with the first.
    All,
    /// All records count.
    Catching,
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
    /// - `records`: after so many the load is over; `None`: it isn't for them to say.
    pub(crate) fn start(
        consumers: Vec<(usize, Consumer)>,
        kind: ReadKind,
        records: Option<u64>,
        shared: &Arc<Shared>,
    ) -> Self {
        let (mut tallies, mut tasks) = (Vec::new(), Vec::new());
        for (group, consumer) in consumers {
            let tally = Arc::new(Mutex::new(Tally::default()));
            tallies.push(Arc::clone(&tally));
            let shared = Arc::clone(shared);
            let first = None;
            let samples = Vec::new();
            let reader = Reader { shared, tally, group, kind, records, first, samples };
            tasks.push(tokio::spawn(reader.run(consumer)));
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
            // A consumer that has panicked has told so already.
            let came = task.await.unwrap_or(None);
            first = first.into_iter().chain(came).min();
        }
        first
    }
}

/// Reads with one consumer.
struct Reader {
    shared: Arc<Shared>,
    tally: Arc<Mutex<Tally>>,
    group: usize,
    kind: ReadKind,
    records: Option<u64>,
    first: Option<u64>,
    samples: Vec<Sample>,
}

impl Reader {
    /// Reads until the load is over. Returns when the first record came.
    async fn run(mut self, mut consumer: Consumer) -> Option<u64> {
        loop {
            let batch = tokio::select! {
                biased;
                () = self.shared.reached(Phase::Over) => break,
                batch = consumer.next_batch() => batch,
            };
            if let Err(error) = batch.and_then(|batch| self.take(&batch)) {
                let why = format!("read: {error}");
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

    fn take(&mut self, batch: &RecordBatch) -> Result<(), ConsumerError> {
        let now = self.shared.now();
        self.first.get_or_insert(now);
        if self.kind == ReadKind::All {
            self.shared.open(now);
        }
        let (mut records, mut bytes, mut own) = (0_u64, 0_u64, 0_u64);
        for record in batch {
            let record = record?;
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
        let is_measured = self.shared.count_read(now, self.group, (records, own));
        let mut tally = locked(&self.tally);
        match self.kind {
            ReadKind::Own => tally.take(&self.samples),
            ReadKind::All | ReadKind::Catching if is_measured => tally.count(records, bytes),
            ReadKind::All | ReadKind::Catching => {}
        }
        drop(tally);
        self.samples.clear();
        if self.records.is_some_and(|most| self.shared.read() >= most) {
            self.shared.end(Phase::Over);
        }
        Ok(())
    }
}

fn part(bytes: Option<&[u8]>) -> u64 {
    bytes.map_or(0, |bytes| bytes.len() as u64)
}
