//! What all clients of a load share: the clock, what is measured, and when it ends.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::numbers::duration_nanos as nanos;
use crate::pace::Clock;
use crate::timeline::Sample;

/// The longest that a sender sleeps without a look whether the load has ended.
const SLEEP_MAX: Duration = Duration::from_millis(20);
/// Not yet.
const NEVER: u64 = u64::MAX;

/// What the clients of a load share.
#[derive(Debug)]
pub(crate) struct Shared {
    origin: Instant,
    /// What is measured, nanoseconds since the origin, half-open.
    from: AtomicU64,
    to: AtomicU64,
    /// How long is measured at most.
    length: u64,
    /// When the last came of what is measured.
    last: AtomicU64,
    /// Records that may still be sent; [`NEVER`]: as many as go.
    left: AtomicU64,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    /// Records that consumers were given.
    read: AtomicU64,
    /// The same by group, records of this load alone.
    read_own: Box<[AtomicU64]>,
    first_failure: Mutex<Option<String>>,
    has_given_up: AtomicBool,
    phase: watch::Sender<Phase>,
    /// Marks the records of this load.
    id: u64,
}

/// How far a load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Running,
    /// Nothing more is due; what was due before is still sent.
    Due,
    /// Nothing is sent any more.
    Sent,
    /// Nothing is read any more.
    Over,
}

/// What stands in the header of a record: whose it is, and when it was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) load: u64,
    pub(crate) due: u64,
}

impl Mark {
    /// The name of the header.
    pub(crate) const KEY: &str = "bench";

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.load.to_be_bytes());
        bytes[8..].copy_from_slice(&self.due.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (load, due) = bytes.split_first_chunk()?;
        let due = due.try_into().ok()?;
        Some(Self { load: u64::from_be_bytes(*load), due: u64::from_be_bytes(due) })
    }
}

impl Shared {
    /// - `records`: how many may be sent within what is measured; `None`: as many as go.
    /// - `duration`: how long is measured; `None`: until it is told.
    /// - `id`: marks the records of this load.
    /// - `groups`: how many read, each by itself.
    pub(crate) fn new(
        records: Option<u64>,
        duration: Option<Duration>,
        id: u64,
        groups: usize,
    ) -> Self {
        Self {
            origin: Instant::now(),
            from: AtomicU64::new(NEVER),
            to: AtomicU64::new(NEVER),
            length: duration.map_or(NEVER, nanos),
            last: AtomicU64::new(0),
            left: AtomicU64::new(records.unwrap_or(NEVER)),
            acknowledged: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            read: AtomicU64::new(0),
            read_own: (0..groups).map(|_| AtomicU64::new(0)).collect(),
            first_failure: Mutex::new(None),
            has_given_up: AtomicBool::new(false),
            phase: watch::Sender::new(Phase::Running),
            id,
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Begins to measure, and fixes when that ends at the latest. Returns whether it hadn't begun.
    pub(crate) fn open(&self, at: u64) -> bool {
        let opened = self.from.compare_exchange(NEVER, at, Ordering::Relaxed, Ordering::Relaxed);
        if opened.is_ok() {
            self.close(at.saturating_add(self.length));
        }
        opened.is_ok()
    }

    /// When measuring began.
    pub(crate) fn opened(&self) -> Option<u64> {
        Some(self.from.load(Ordering::Relaxed)).filter(|from| *from != NEVER)
    }

    /// What comes from `at` on isn't measured, if measuring doesn't end before.
    pub(crate) fn close(&self, at: u64) {
        self.to.fetch_min(at, Ordering::Relaxed);
    }

    /// Something comes that is measured.
    pub(crate) fn note(&self, now: u64) {
        // Mostly somebody has noted something later, or nobody else does.
        if self.last.load(Ordering::Relaxed) < now {
            self.last.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// Measuring has ended with what came last.
    pub(crate) fn close_behind_last(&self) {
        self.close(self.last.load(Ordering::Relaxed).saturating_add(1));
    }

    /// What is measured, nanoseconds since the origin; empty where that hasn't begun.
    pub(crate) fn window(&self) -> Range<u64> {
        self.from.load(Ordering::Relaxed)..self.to.load(Ordering::Relaxed)
    }

    /// Whether a record isn't to be sent any more that was due then.
    pub(crate) fn is_over(&self, due: u64) -> bool {
        match self.phase() {
            Phase::Running => false,
            Phase::Due => due >= self.window().end,
            Phase::Sent | Phase::Over => true,
        }
    }

    fn is_measured(&self, at: u64) -> bool {
        self.window().contains(&at)
    }

    /// Whether one more record may be sent; it counts as sent then.
    pub(crate) fn take_one(&self) -> bool {
        self.take(1) == 1
    }

    /// How many of so many more records may be sent; they count as sent then.
    pub(crate) fn take(&self, records: u64) -> u64 {
        // Before measuring begins all may be sent, and as many as go are never counted.
        if self.opened().is_none() || self.left.load(Ordering::Relaxed) == NEVER {
            return records;
        }
        let less = |left: u64| Some(left.saturating_sub(records));
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        left.map_or(0, |left| left.min(records))
    }

    /// How many more may be sent.
    #[cfg(test)]
    pub(crate) fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// A record has come so far: what is measured of it.
    ///
    /// - `bytes`: of its key and its value; `None` where it hasn't come through.
    pub(crate) fn sample(&self, due: u64, now: u64, bytes: Option<u32>) -> Sample {
        let bytes = bytes.filter(|_| self.is_measured(now));
        if bytes.is_some() {
            self.note(now);
        }
        let latency = self.is_measured(due).then(|| now.saturating_sub(due));
        Sample { latency, is_lost: false, bytes }
    }

    /// A record never comes through. How soon that was known is no latency.
    pub(crate) fn lost(&self, due: u64) -> Sample {
        Sample { is_lost: true, ..self.sample(due, due, None) }
    }

    /// Records have been given to a consumer of a group, of which some are this load's.
    ///
    /// Returns whether they are within what is measured.
    pub(crate) fn count_read(&self, now: u64, group: usize, (records, own): (u64, u64)) -> bool {
        self.read.fetch_add(records, Ordering::Relaxed);
        self.read_own[group].fetch_add(own, Ordering::Relaxed);
        self.is_measured(now)
    }

    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// How many of so many records of this load haven't been read, all groups together.
    pub(crate) fn unread(&self, records: u64) -> u64 {
        let left = |read: &AtomicU64| records.saturating_sub(read.load(Ordering::Relaxed));
        self.read_own.iter().map(left).sum()
    }

    pub(crate) fn count_acknowledged(&self, records: u64) {
        self.acknowledged.fetch_add(records, Ordering::Relaxed);
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// A record has failed.
    pub(crate) fn count_failed(&self, why: impl FnOnce() -> String) {
        self.count_all_failed(1, why);
    }

    /// So many records have failed.
    pub(crate) fn count_all_failed(&self, records: u64, why: impl FnOnce() -> String) {
        self.failed.fetch_add(records, Ordering::Relaxed);
        self.failure().get_or_insert_with(why);
    }

    /// What has failed makes going on useless.
    pub(crate) fn give_up(&self, why: String) {
        self.failure().get_or_insert(why);
        self.has_given_up.store(true, Ordering::Relaxed);
        self.end(Phase::Over);
    }

    pub(crate) fn has_given_up(&self) -> bool {
        self.has_given_up.load(Ordering::Relaxed)
    }

    pub(crate) fn failures(&self) -> (u64, Option<String>) {
        (self.failed.load(Ordering::Relaxed), self.failure().clone())
    }

    /// The load is at least so far.
    pub(crate) fn end(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let is_news = *now < phase;
            *now = (*now).max(phase);
            is_news
        });
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until the load is so far. Cancel-safe.
    pub(crate) async fn reached(&self, phase: Phase) {
        let mut watched = self.phase.subscribe();
        // It can't be closed while somebody has it.
        drop(watched.wait_for(|now| *now >= phase).await);
    }

    fn failure(&self) -> MutexGuard<'_, Option<String>> {
        self.first_failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Shared {
    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "a load has its times, and ends are looked for")]
    fn wait_until(&self, time: u64) {
        let left = Duration::from_nanos(time.saturating_sub(self.now()));
        std::thread::sleep(left.min(SLEEP_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_or_comes_outside_of_what_is_measured_does_not_count() {
        let shared = Shared::new(None, None, 1, 1);
        let parts = |due, now| {
            let sample = shared.sample(due, now, Some(7));
            (sample.latency, sample.bytes)
        };
        assert_eq!(parts(5, 6), (None, None), "nothing is measured yet");
        assert!(shared.open(10));
        assert!(!shared.open(11), "it begins once");
        shared.close(20);
        shared.close(30);
        assert_eq!(parts(9, 12), (None, Some(7)));
        assert_eq!(parts(10, 12), (Some(2), Some(7)));
        assert_eq!(parts(19, 25), (Some(6), None), "what was due in time counts when it comes");
        assert_eq!(parts(20, 25), (None, None));
        let lost = shared.lost(15);
        assert!(lost.is_lost && lost.latency.is_some() && lost.bytes.is_none(), "{lost:?}");
        assert_eq!(shared.lost(20).latency, None);
    }

    #[test]
    fn measuring_ends_at_its_time_and_not_when_that_was_seen() {
        let shared = Shared::new(None, Some(Duration::from_nanos(10)), 1, 1);
        shared.open(10);
        assert_eq!(shared.sample(19, 19, Some(7)).bytes, Some(7));
        assert_eq!(shared.sample(20, 20, Some(7)).bytes, None);
        assert_eq!(shared.window(), 10..20);
        shared.close_behind_last();
        assert_eq!(shared.window(), 10..20, "19 was the last");
        let shared = Shared::new(None, None, 1, 1);
        shared.open(10);
        shared.note(15);
        shared.sample(9, 14, Some(7));
        shared.close_behind_last();
        assert_eq!(shared.window(), 10..16);
    }

    #[test]
    fn what_was_due_in_time_is_still_sent_when_nothing_more_is_due() {
        let shared = Shared::new(None, Some(Duration::from_nanos(10)), 1, 1);
        shared.open(10);
        assert!(!shared.is_over(25), "nobody has said so yet");
        shared.end(Phase::Due);
        assert_eq!([shared.is_over(19), shared.is_over(20)], [false, true]);
        shared.end(Phase::Sent);
        assert!(shared.is_over(19));
    }

    #[test]
    fn so_many_records_may_be_sent_as_were_asked_for_once_measuring_has_begun() {
        let shared = Shared::new(Some(2), None, 1, 1);
        assert!(shared.take_one() && shared.take_one() && shared.take_one());
        shared.open(1);
        assert_eq!([shared.take_one(), shared.take_one(), shared.take_one()], [true, true, false]);
        let shared = Shared::new(Some(5), None, 1, 1);
        shared.open(1);
        assert_eq!([shared.take(3), shared.take(3), shared.take(3)], [3, 2, 0]);
        let endless = Shared::new(None, None, 1, 1);
        endless.open(1);
        assert!((0..100).all(|_| endless.take_one()));
    }

    #[test]
    fn the_first_failure_is_the_one_that_is_told() {
        let shared = Shared::new(None, None, 1, 1);
        shared.count_failed(|| "one".to_owned());
        shared.count_failed(|| "two".to_owned());
        assert_eq!(shared.failures(), (2, Some("one".to_owned())));
        shared.end(Phase::Over);
        shared.end(Phase::Sent);
        assert_eq!(shared.phase(), Phase::Over);
    }

    #[test]
    fn each_group_has_to_read_everything_itself() {
        let shared = Shared::new(None, None, 1, 2);
        shared.count_read(0, 0, (9, 5));
        assert_eq!((shared.unread(4), shared.unread(5), shared.read()), (4, 5, 9));
        shared.count_read(0, 1, (3, 3));
        assert_eq!((shared.unread(3), shared.unread(5), shared.read()), (0, 2, 12));
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let mark = Mark { load: 3, due: u64::MAX };
        assert_eq!(Mark::from_bytes(&mark.to_bytes()), Some(mark));
        assert_eq!(Mark::from_bytes(&[0; 15]), None);
        assert_eq!(Mark::from_bytes(&[0; 17]), None);
    }
}
