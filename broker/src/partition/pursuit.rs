//! How the replicas of a group come after what its leader has committed.
//!
//! One that is steadily behind by less than the time between two looks never has all of it when it
//! is looked at, but all that there was a moment ago. So what was committed is kept for as long as
//! it matters, with when that was.
//!
//! Must always hold: a replica is as of a time only if it has all that was committed then.

/// How old what a replica that answers has may be, and it comes to count as in sync.
const LAG_MAX_MS: u64 = 1_000;
/// And until it doesn't any more; longer, so that one at the limit doesn't come and go.
const LAG_LEFT_MS: u64 = 1_500;
/// Between two marks.
const MARK_EVERY_MS: u64 = 100;

/// What was committed when, and as of when each replica has everything.
#[derive(Debug, Default)]
pub(super) struct Pursuit {
    /// Offsets up to where was committed, exclusive, each with the last time that is known of it;
    /// the oldest first.
    marks: Vec<(i64, u64)>,
    others: Vec<Pursuer>,
}

#[derive(Debug)]
struct Pursuer {
    broker: i32,
    as_of: u64,
    is_in_sync: bool,
}

impl Pursuit {
    /// So much is committed.
    pub(super) fn mark(&mut self, commit: i64, now: u64) {
        self.marks.retain(|(_, at)| now <= *at + LAG_LEFT_MS);
        match self.marks.last_mut() {
            Some((last, at)) if *last == commit => *at = now,
            Some((_, at)) if now < *at + MARK_EVERY_MS => {}
            _ => {
                self.marks.reserve_exact(1);
                self.marks.push((commit, now));
            }
        }
    }

    /// Nothing was committed from the last mark until now.
    pub(super) fn rested(&mut self, now: u64) {
        self.marks.last_mut().into_iter().for_each(|(_, at)| *at = now);
    }

    /// Whether a broker's replica has all that was committed a moment ago.
    ///
    /// - `end`: up to where it has the log, exclusive; `None` while it has what was deleted.
    pub(super) fn is_in_sync(
        &mut self,
        broker: i32,
        end: Option<i64>,
        commit: i64,
        now: u64,
    ) -> bool {
        let reached = end.and_then(|end| {
            let behind = self.marks.iter().rev().find(|(mark, _)| *mark <= end);
            if end >= commit { Some(now) } else { behind.map(|(_, at)| *at) }
        });
        let known = self.others.iter().position(|it| it.broker == broker);
        let at = match (known, reached) {
            (Some(at), _) => at,
            (None, None) => return false,
            (None, Some(as_of)) => {
                self.others.reserve_exact(1);
                self.others.push(Pursuer { broker, as_of, is_in_sync: false });
                self.others.len() - 1
            }
        };
        let it = &mut self.others[at];
        it.as_of = it.as_of.max(reached.unwrap_or(0));
        let lag_max = if it.is_in_sync { LAG_LEFT_MS } else { LAG_MAX_MS };
        it.is_in_sync = now <= it.as_of + lag_max;
        it.is_in_sync
    }

    /// As of when a broker's replica was last known to have everything.
    pub(super) fn as_of(&self, broker: i32) -> Option<u64> {
        self.others.iter().find(|it| it.broker == broker).map(|it| it.as_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT_MS: u64 = 100;
    /// Committed from beat to beat.
    const STEP: i64 = 1_000;

    impl Pursuit {
        fn look(&mut self, end: Option<i64>, commit: i64, now: u64) -> bool {
            self.mark(commit, now);
            self.is_in_sync(2, end, commit, now)
        }
    }

    /// How often a replica that has what was committed so many milliseconds ago comes and goes, and
    /// whether it is in sync at last.
    fn behind_by(lag_ms: u64) -> (usize, bool) {
        let mut pursuit = Pursuit::default();
        let commit = |now: u64| now.cast_signed() * STEP / BEAT_MS.cast_signed();
        let look = |beat: u64| {
            let now = 60_000 + beat * BEAT_MS;
            pursuit.look(Some(commit(now - lag_ms)), commit(now), now)
        };
        let looks: Vec<bool> = (1..200).map(look).collect();
        (looks.windows(2).filter(|two| two[0] != two[1]).count(), looks[198])
    }

    #[test]
    fn who_is_steadily_a_little_behind_is_in_sync_and_does_not_come_and_go() {
        for lag_ms in (0..3_000).step_by(10) {
            let (changes, is_in_sync) = behind_by(lag_ms);
            assert!(changes <= 1, "{changes} changes, {lag_ms} ms behind");
            // The mark that it has reached is up to a beat older than what it has.
            let expected = if lag_ms <= 900 { Some(true) } else { None };
            let expected = if lag_ms > 1_000 { Some(false) } else { expected };
            assert!(expected.is_none_or(|it| it == is_in_sync), "{lag_ms} ms behind");
        }
    }

    #[test]
    fn who_stops_falls_out_and_comes_back_with_what_there_is() {
        let mut pursuit = Pursuit::default();
        assert!(pursuit.look(Some(10), 10, 100));
        assert_eq!(pursuit.as_of(2), Some(100));
        assert!(pursuit.look(Some(10), 20, 100 + LAG_LEFT_MS));
        assert!(!pursuit.look(Some(10), 20, 101 + LAG_LEFT_MS));
        assert!(!pursuit.look(Some(10), 20, 9_000), "nor by standing still");
        assert!(!pursuit.look(None, 20, 9_100), "nor with what was deleted");
        assert!(pursuit.look(Some(20), 30, 9_200), "all that there was at the last look");
        assert_eq!(pursuit.as_of(2), Some(9_100));
    }

    #[test]
    fn who_slept_had_everything_until_it_woke() {
        let mut pursuit = Pursuit::default();
        assert!(pursuit.look(Some(10), 10, 100));
        pursuit.rested(3_600_000);
        assert!(pursuit.look(Some(10), 20, 3_600_003));
    }
}
