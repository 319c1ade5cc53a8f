//! What was told to whom.
//!
//! A partition has one producer, whose records are numbered: the record at an offset has that
//! number, always. Each is sent as often as it takes, and says which attempt it was: a record that
//! changes its attempt was never committed, and somebody has seen it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_tests::broker::pause;

use super::PATIENCE;

/// What follows from one thing that is wrong isn't told for ever.
const BROKEN_MAX: usize = 20;

/// A partition, and what is known of it.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) topic: String,
    pub(super) index: i32,
    /// Between two pipelines of its producer.
    pub(super) pace: Duration,
    /// Everything before it was acknowledged.
    acknowledged: AtomicI64,
    /// Everything before it is known to somebody to be committed.
    committed: AtomicI64,
    /// By offset, the attempt whose record somebody has read; 0 for none.
    attempts: Mutex<Vec<u32>>,
}

impl Partition {
    pub(super) fn new(topic: &str, index: i32, pace: Duration) -> Self {
        Self {
            topic: topic.to_owned(),
            index,
            pace,
            acknowledged: AtomicI64::new(0),
            committed: AtomicI64::new(0),
            attempts: Mutex::default(),
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{}-{}", self.topic, self.index)
    }

    pub(super) fn acknowledged(&self) -> i64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// What everybody who asks from now on has to be told at least.
    pub(super) fn committed(&self) -> i64 {
        self.committed.load(Ordering::SeqCst)
    }

    /// Somebody was told that everything before `end` is acknowledged.
    pub(super) fn acknowledge(&self, end: i64) {
        self.acknowledged.fetch_max(end, Ordering::SeqCst);
        self.commit(end);
    }

    /// Somebody was told that everything before `end` is committed.
    pub(super) fn commit(&self, end: i64) {
        self.committed.fetch_max(end, Ordering::SeqCst);
    }

    /// Somebody has read a record; what is wrong with that.
    pub(super) fn read(&self, offset: i64, value: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(value).unwrap_or_default();
        let mut words = text.split(' ');
        let mut number = || words.next().and_then(|word| word.parse::<i64>().ok());
        let (Some(number), Some(attempt)) = (number(), number()) else {
            return Err(format!("{} offset {offset}: a phantom, {text:?}", self.name()));
        };
        if number != offset {
            return Err(format!("{} offset {offset} has record {number}", self.name()));
        }
        let attempt = u32::try_from(attempt).map_err(|error| error.to_string())?;
        let at = usize::try_from(offset).expect("offsets count from 0");
        let mut attempts = self.attempts.lock().unwrap();
        if attempts.len() <= at {
            attempts.resize(at + 1, 0);
        }
        let before = std::mem::replace(&mut attempts[at], attempt);
        if before != 0 && before != attempt {
            let name = self.name();
            return Err(format!("{name} offset {offset} was attempt {before} and is {attempt}"));
        }
        Ok(())
    }
}

/// All that was told.
#[derive(Debug)]
pub(super) struct History {
    pub(super) partitions: Vec<Partition>,
    broken: Mutex<Vec<String>>,
    errors: Mutex<BTreeMap<String, u64>>,
}

impl History {
    pub(super) fn new(partitions: Vec<Partition>) -> Self {
        Self { partitions, broken: Mutex::default(), errors: Mutex::default() }
    }

    /// Something that must not be.
    pub(super) fn break_with(&self, what: String) {
        let mut broken = self.broken.lock().unwrap();
        if broken.len() < BROKEN_MAX {
            say(&format!("BROKEN {what}"));
            broken.push(what);
        }
    }

    /// Whether nothing more has to be seen.
    pub(super) fn is_broken(&self) -> bool {
        !self.broken.lock().unwrap().is_empty()
    }

    pub(super) fn broken(&self) -> Vec<String> {
        self.broken.lock().unwrap().clone()
    }

    /// An error that a client tries again after.
    pub(super) fn note(&self, who: &str, code: ErrorCode) {
        *self.errors.lock().unwrap().entry(format!("{who} {code}")).or_default() += 1;
    }

    /// Everything that was sent from now on is acknowledged in time.
    pub(super) fn wait_for_progress(&self, what: &str) {
        let begun = Instant::now();
        let before: Vec<i64> = self.partitions.iter().map(Partition::acknowledged).collect();
        let stuck = || {
            let both = self.partitions.iter().zip(&before);
            both.filter(|(it, before)| it.acknowledged() == **before).map(|(it, _)| it.name())
        };
        while !self.is_broken() && stuck().next().is_some() {
            if begun.elapsed() > PATIENCE {
                let stuck: Vec<String> = stuck().collect();
                self.break_with(format!("after {what} nothing is acknowledged: {stuck:?}"));
            }
            pause();
        }
        say(&format!("  everything goes on after {} ms", begun.elapsed().as_millis()));
    }

    pub(super) fn summary(&self) -> String {
        let acknowledged: i64 = self.partitions.iter().map(Partition::acknowledged).sum();
        let errors = self.errors.lock().unwrap();
        format!("{acknowledged} records acknowledged, errors on the way {errors:?}")
    }
}

/// Says something at once, whatever the test harness keeps to itself.
pub(super) fn say(what: &str) {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let (hours, minutes, seconds) =
        (time.as_secs() / 3600 % 24, time.as_secs() / 60 % 60, time.as_secs() % 60);
    let line = format!("{hours:02}:{minutes:02}:{seconds:02}.{:03} {what}\n", time.subsec_millis());
    std::io::stderr().write_all(line.as_bytes()).expect("standard error is open");
}
