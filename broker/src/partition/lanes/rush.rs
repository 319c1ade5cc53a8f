//! How many groups of a shard look for a leader at the same moment: when thousands are created, or
//! lose theirs, they take turns. Each takes some tens of microseconds of every broker that has a
//! replica, and until it sleeps again all beats name it; brokers that have more of that to do than
//! they can don't beat in time, and lose what they have just won.
//!
//! Must always hold: a group whose turn has come campaigns before those whose turn comes later.

use std::collections::BTreeSet;

use logboom_storage::state::GroupKey;

use super::TICK_MS;

/// The most groups that have campaigned, and for which that isn't over.
const CAMPAIGNS_MAX: usize = 64;
/// After so long it is over in any case, however often the group has campaigned meanwhile.
pub(super) const CAMPAIGN_MS: u64 = 2_000;
/// The most groups that campaign from one look to the next though their voters don't answer, and
/// the most that do though there are too many already.
const VAIN_MAX: usize = 16;
const MORE_MAX: usize = 8;
/// Looks at all that can't win while as many that can would find their leaders, and the longest
/// time between two looks at one.
const VAIN_LOOKS: u64 = 8;
const VAIN_PAUSE_MAX_MS: u64 = 400;
/// Groups that find a leader from one look to the next, at least.
const FOUND_MIN: usize = 25;

#[derive(Debug, Default)]
pub(super) struct Rush {
    /// Groups that have no leader, as they were counted last and with those that came since.
    leaderless: usize,
    /// Groups that have campaigned, and for which that isn't over.
    campaigning: BTreeSet<GroupKey>,
    /// Groups that have campaigned since the last look though their voters don't answer.
    in_vain: usize,
    /// Groups that have campaigned since the last look though there were too many.
    more: usize,
}

impl Rush {
    /// A group has no leader any more, or none yet.
    pub(super) fn add(&mut self) {
        self.leaderless += 1;
    }

    /// All that have no leader were counted.
    pub(super) fn count(&mut self, leaderless: usize) {
        self.leaderless = leaderless;
    }

    /// Time has passed.
    ///
    /// - `campaigns_since`: when a group campaigned, unless that is over.
    pub(super) fn look(&mut self, now: u64, campaigns_since: impl Fn(&GroupKey) -> Option<u64>) {
        let campaigns =
            |key: &GroupKey| campaigns_since(key).is_some_and(|at| now < at + CAMPAIGN_MS);
        self.campaigning.retain(campaigns);
        (self.in_vain, self.more) = (0, 0);
    }

    /// Whether one more may campaign, or one that does once more.
    ///
    /// - `can_win`: whether a majority of its voters answers; who waits in vain is in nobody's way.
    pub(super) fn admits(&mut self, key: GroupKey, can_win: bool) -> bool {
        if can_win {
            if self.campaigning.len() < CAMPAIGNS_MAX || self.campaigning.contains(&key) {
                self.campaigning.insert(key);
                return true;
            }
            self.more += 1;
            if self.more <= MORE_MAX {
                self.campaigning.insert(key);
            }
            return self.more <= MORE_MAX;
        }
        self.in_vain += 1;
        self.in_vain <= VAIN_MAX
    }

    /// After how long one is looked at again that may not campaign, and couldn't win: the more of
    /// them there may be, the later.
    pub(super) fn vain_pause_ms(&self) -> u64 {
        (self.lasts_ms() / VAIN_LOOKS).clamp(TICK_MS, VAIN_PAUSE_MAX_MS)
    }

    /// How long it takes at the most until all have had their turn: so much longer others wait for
    /// those whose turn comes first.
    pub(super) fn lasts_ms(&self) -> u64 {
        (self.leaderless / FOUND_MIN) as u64 * TICK_MS
    }
}

#[cfg(test)]
mod tests {
    use logboom_protocol::units::Uuid;

    use super::*;

    fn keys() -> impl Iterator<Item = GroupKey> {
        (0..1_000).map(|partition| GroupKey { topic_id: Uuid([1; 16]), partition })
    }

    #[test]
    fn so_many_campaign_at_once_and_others_when_those_are_over() {
        let mut rush = Rush::default();
        let admitted = |rush: &mut Rush, from: usize| {
            keys().skip(from).filter(|key| rush.admits(*key, true)).count()
        };
        assert_eq!(admitted(&mut rush, 0), CAMPAIGNS_MAX + MORE_MAX);
        rush.look(CAMPAIGN_MS - 1, |_| Some(0));
        let more = CAMPAIGNS_MAX + MORE_MAX;
        assert_eq!(admitted(&mut rush, more), MORE_MAX, "a few more at each look");
        assert!(rush.admits(keys().next().unwrap(), true), "one that campaigns once more");
        rush.look(CAMPAIGN_MS, |_| Some(0));
        assert_eq!(admitted(&mut rush, 0), CAMPAIGNS_MAX + MORE_MAX, "they took too long");
        rush.look(0, |_| None);
        assert_eq!(admitted(&mut rush, 0), CAMPAIGNS_MAX + MORE_MAX, "they sleep");
    }

    #[test]
    fn those_who_campaign_in_vain_are_in_nobodys_way() {
        let mut rush = Rush::default();
        assert_eq!(keys().filter(|key| rush.admits(*key, false)).count(), VAIN_MAX);
        assert!(rush.admits(keys().next().unwrap(), true));
        rush.look(0, |_| None);
        assert!(rush.admits(keys().next().unwrap(), false), "some more after the next look");
        assert_eq!(rush.vain_pause_ms(), TICK_MS);
        rush.count(10_000);
        assert_eq!(rush.vain_pause_ms(), VAIN_PAUSE_MAX_MS, "not all of them at each look");
    }

    #[test]
    fn others_wait_the_longer_the_more_are_without_a_leader() {
        let mut rush = Rush::default();
        assert_eq!(rush.lasts_ms(), 0);
        (0..10 * FOUND_MIN).for_each(|_| rush.add());
        assert_eq!(rush.lasts_ms(), 10 * TICK_MS);
        rush.count(2 * FOUND_MIN);
        assert_eq!(rush.lasts_ms(), 2 * TICK_MS);
    }
}
