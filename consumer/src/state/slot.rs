//! A partition that is read: where it is, what waits of it, who is asked for more.
//!
//! ```text
//!   Committed ─┬───────────▶ Search ─────┬─▶ At: offset, epoch ─── seek ─▶ …
//!              │                         │    │  │ a new leader: is what was read still there?
//!   seek ──────┼─▶ EndFirst ─▶ Time ─────┤    │  ▼
//!              │   (by time)             │    │ is_doubted ─ the leader says so ─▶ At, or an error
//!              └─────────────────────────┘    │
//!                                             └─ its topic is made anew ─▶ Search, or, without a
//!                                                reset, Replaced: an error until a seek
//! ```
//!
//! **Invariant:** the stamp changes with everything that makes what is on its way worthless: an
//! answer that was asked for under another stamp is thrown away.

use std::collections::VecDeque;
use std::time::Duration;

use metrics::Gauge;
use tokio::time::Instant;

use logboom_client::OffsetSpec;
use logboom_protocol::units::Uuid;

use super::stuck::Hindrance;
use crate::haul::Haul;
use crate::{OffsetAndMetadata, Start};

/// Where a partition goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) offset: i64,
    /// In which epoch the record before it was written, or, where a search has led to it, the one
    /// that it found; −1 where nobody knows.
    pub(crate) epoch: i32,
}

impl Position {
    pub(crate) fn to_commit(self) -> OffsetAndMetadata {
        let leader_epoch = (self.epoch >= 0).then_some(self.epoch);
        OffsetAndMetadata { offset: self.offset, leader_epoch, metadata: String::new() }
    }
}

/// What is known of where to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The group is to say, or `auto.offset.reset`.
    Committed,
    /// A broker is to say.
    Search(OffsetSpec),
    /// A broker is to say where the end is, and then where the first record of a time is.
    EndFirst(i64),
    /// The same, behind the answer: where no record is so young it is that end, so that nothing is
    /// left out that was written meanwhile.
    Time {
        millis: i64,
        end: Position,
    },
    /// Its topic was made anew, where the record at this offset is another one; it is to be sought.
    Replaced(i64),
    At(Position),
}

/// Who leads a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) broker: i32,
    /// −1 where brokers don't tell it.
    pub(crate) epoch: i32,
}

/// How often an older leader than was heard of is told of without being believed.
const OLDER_TOLD_MAX: u32 = 5;

/// Since a replica has failed, the leader is read from.
#[derive(Debug, Clone, Copy)]
struct Avoided {
    pause: Duration,
    until: Instant,
}

/// A partition that is read.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) stamp: u64,
    /// What the front tells of hauls of this stamp and of newer ones counts: it hasn't been sought
    /// since.
    pub(crate) settles_from: u64,
    /// Whether the group has given it.
    pub(crate) is_shared: bool,
    pub(crate) is_paused: bool,
    /// Whether it stands among those that have something to hand out.
    pub(crate) is_ready: bool,
    /// Whether a question about its place is on its way.
    pub(crate) is_asking: bool,
    /// Whether the leader is to say that what was read is still there.
    pub(crate) is_doubted: bool,
    /// Whether what is next can't be had. That counts only when all before it was handed out, and
    /// is asked for again then.
    pub(crate) is_blocked: bool,
    pub(crate) place: Place,
    pub(crate) topic_id: Uuid,
    pub(crate) leader: Option<Leader>,
    /// The greatest epoch that anybody has told.
    pub(crate) epoch_seen: i32,
    /// How often brokers that were asked anew have told of no leader but one of an older epoch.
    older_told: u32,
    /// Who is to be read from instead of the leader (KIP-392), and until when.
    pub(crate) nearest: Option<(i32, Instant)>,
    /// Whether replicas have failed of late.
    avoided: Option<Avoided>,
    pub(crate) queue: VecDeque<Haul>,
    /// Bytes in the queue.
    pub(crate) queued_bytes: usize,
    /// What was handed out and is done with.
    pub(crate) done: Option<Position>,
    /// What the group has committed, as far as we know.
    pub(crate) committed: Option<i64>,
    /// Behind the last record that may be seen; `None` where no leader has told yet.
    pub(crate) end: Option<i64>,
    /// Tells the lag whenever it changes.
    pub(crate) gauge: Gauge,
    /// Nobody is asked before.
    pub(crate) retry_at: Option<Instant>,
    /// Why nothing can be read of it.
    pub(super) hindrance: Option<Hindrance>,
    failures: u32,
}

impl Slot {
    pub(crate) fn new(stamp: u64, is_shared: bool, start: Start, gauge: Gauge) -> Self {
        let mut slot = Self {
            stamp,
            settles_from: stamp,
            is_shared,
            is_paused: false,
            is_ready: false,
            is_asking: false,
            is_doubted: false,
            is_blocked: false,
            place: Place::Committed,
            topic_id: Uuid::ZERO,
            leader: None,
            epoch_seen: -1,
            older_told: 0,
            nearest: None,
            avoided: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
            done: None,
            committed: None,
            end: None,
            gauge,
            retry_at: None,
            hindrance: None,
            failures: 0,
        };
        slot.go(start);
        slot
    }

    /// Goes on elsewhere. The caller gives it another stamp and throws away what waits.
    pub(crate) fn go(&mut self, start: Start) {
        (self.is_asking, self.is_doubted, self.is_blocked) = (false, false, false);
        (self.done, self.nearest, self.retry_at) = (None, None, None);
        self.hindrance = None;
        self.failures = 0;
        self.place = match start {
            Start::Committed => Place::Committed,
            Start::Earliest => Place::Search(OffsetSpec::Earliest),
            Start::Latest => Place::Search(OffsetSpec::Latest),
            Start::Timestamp(millis) => Place::EndFirst(millis),
            Start::Offset(offset) => return self.stand(Position { offset, epoch: -1 }),
        };
    }

    /// Its place is known.
    pub(crate) fn stand(&mut self, at: Position) {
        self.place = Place::At(at);
        self.done = Some(at);
        self.is_blocked = false;
        self.is_doubted = at.epoch >= 0 && self.epoch_seen > at.epoch;
        self.measure_lag();
    }

    /// Where the next fetch begins.
    pub(crate) fn position(&self) -> Option<Position> {
        match self.place {
            Place::At(position) => Some(position),
            _ => None,
        }
    }

    /// Of the leader, as it is known; −1 where it isn't.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.leader.map_or(-1, |leader| leader.epoch)
    }

    /// Whether something was fetched that wasn't handed out.
    pub(crate) fn is_ahead(&self) -> bool {
        let at = self.position().map(|at| at.offset);
        at.is_some() && self.done.map(|done| done.offset) != at
    }

    /// Whether more of it is to be fetched: one haul waits, and the next one is on its way, and no
    /// more.
    pub(crate) fn wants_more(&self, queued_max: usize) -> bool {
        let is_blocked = self.is_blocked && self.is_ahead();
        !self.is_paused && !is_blocked && self.queued_bytes < queued_max
    }

    /// Whom to read from, now.
    pub(crate) fn source(&mut self, now: Instant) -> Option<i32> {
        self.nearest = self.nearest.filter(|(_, until)| *until > now);
        self.nearest.map(|(broker, _)| broker).or(self.leader.map(|leader| leader.broker))
    }

    /// The nearest replica fails: the leader is read from for a while, which doubles each time.
    ///
    /// - `initial`, `max`: of the while. The next failure so long behind it is a first one.
    pub(crate) fn avoid_replicas(&mut self, now: Instant, initial: Duration, max: Duration) {
        self.nearest = None;
        let before = self.avoided.filter(|one| now < super::later(one.until, max));
        let pause = before.map_or(initial, |one| one.pause.saturating_mul(2)).min(max);
        self.avoided = Some(Avoided { pause, until: super::later(now, pause) });
    }

    /// Whether only the leader is to be read from.
    pub(crate) fn avoids_replicas(&self, now: Instant) -> bool {
        self.avoided.is_some_and(|one| now < one.until)
    }

    /// Replicas are avoided no more; whether they were.
    pub(crate) fn end_avoidance(&mut self, now: Instant) -> bool {
        self.avoided.take_if(|one| now < one.until).is_some()
    }

    /// Learns who leads it. An older epoch than one that was told is no news.
    pub(crate) fn learn(&mut self, leader: Option<Leader>) {
        if leader.is_some_and(|leader| leader.epoch >= 0 && leader.epoch < self.epoch_seen) {
            return;
        }
        if let Some(Leader { epoch, .. }) = leader
            && epoch > self.epoch_seen
        {
            // What was read in an older epoch may not be what this leader has.
            self.is_doubted |= self.position().is_some_and(|at| at.epoch >= 0 && at.epoch < epoch);
            self.epoch_seen = epoch;
        }
        self.leader = leader;
    }

    /// Brokers were asked anew, and say who leads it. Those that go on telling of an older epoch
    /// than was heard of are believed at last: the topic may have been made anew meanwhile.
    pub(crate) fn learn_anew(&mut self, leader: Option<Leader>) {
        let older = leader.filter(|leader| (0..self.epoch_seen).contains(&leader.epoch));
        match older.filter(|_| self.leader.is_none()) {
            Some(older) if self.older_told >= OLDER_TOLD_MAX => {
                (self.epoch_seen, self.older_told) = (older.epoch, 0);
            }
            Some(_) => self.older_told += 1,
            None => self.older_told = 0,
        }
        self.learn(leader);
    }

    /// Records of an epoch were read: who led in an older one does so no more. Whether such a
    /// leader was known.
    pub(crate) fn hear_of_epoch(&mut self, epoch: i32) -> bool {
        self.epoch_seen = self.epoch_seen.max(epoch);
        let seen = self.epoch_seen;
        self.leader.take_if(|leader| (0..seen).contains(&leader.epoch)).is_some()
    }

    /// Something went wrong; nobody is asked for a while, which doubles each time.
    pub(crate) fn back_off(&mut self, now: Instant, initial: Duration, max: Duration) {
        let pause = initial.saturating_mul(2_u32.saturating_pow(self.failures)).min(max);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(super::later(now, pause));
    }

    /// Something went well.
    pub(crate) fn settle(&mut self) {
        (self.failures, self.retry_at) = (0, None);
    }

    /// How many records, exclusive of those that were handed out, are to come.
    pub(crate) fn lag(&self) -> Option<i64> {
        Some(self.end?.saturating_sub(self.done?.offset).max(0))
    }

    /// Has the metrics say how many records are to come.
    pub(crate) fn measure_lag(&self) {
        if let Some(lag) = self.lag() {
            #[expect(clippy::cast_precision_loss, reason = "gauges are floating point numbers")]
            self.gauge.set(lag as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot() -> Slot {
        Slot::new(1, false, Start::Offset(5), Gauge::noop())
    }

    fn leader(broker: i32, epoch: i32) -> Option<Leader> {
        Some(Leader { broker, epoch })
    }

    #[test]
    fn what_was_read_in_an_older_epoch_is_doubted() {
        let mut slot = slot();
        slot.learn(leader(1, 3));
        assert!(!slot.is_doubted, "nobody knows the epoch of what is before offset 5");
        slot.stand(Position { offset: 6, epoch: 3 });
        slot.learn(leader(2, 3));
        assert!(!slot.is_doubted);
        slot.learn(leader(2, 4));
        assert!(slot.is_doubted);
        slot.go(Start::Earliest);
        assert!(!slot.is_doubted);
        slot.stand(Position { offset: 6, epoch: 3 });
        assert!(slot.is_doubted, "it was committed in epoch 3, and now is epoch 4");
    }

    #[test]
    fn an_older_leader_is_no_news() {
        let mut slot = slot();
        slot.learn(leader(2, 4));
        slot.learn(leader(1, 3));
        assert_eq!(slot.leader, leader(2, 4));
        slot.learn(leader(1, -1));
        assert_eq!(slot.leader, leader(1, -1), "who tells no epochs is believed");
    }

    #[tokio::test(start_paused = true)]
    async fn the_nearest_is_read_from_for_a_while() {
        let mut slot = slot();
        slot.learn(leader(2, 4));
        let now = Instant::now();
        slot.nearest = Some((7, now + Duration::from_secs(1)));
        assert_eq!(slot.source(now), Some(7));
        assert_eq!(slot.source(now + Duration::from_secs(1)), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_until_something_goes_well() {
        let mut slot = slot();
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut pause = || {
            slot.back_off(now, Duration::from_millis(300), second);
            slot.retry_at.unwrap().duration_since(now).as_millis()
        };
        assert_eq!([pause(), pause(), pause(), pause()], [300, 600, 1000, 1000]);
    }

    #[test]
    fn lag_is_what_comes_behind_what_is_done() {
        let mut slot = slot();
        assert_eq!(slot.lag(), None);
        slot.end = Some(9);
        assert_eq!(slot.lag(), Some(4));
        slot.done = Some(Position { offset: 12, epoch: -1 });
        assert_eq!(slot.lag(), Some(0));
    }
}
