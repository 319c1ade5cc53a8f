//! How fast followers that are behind are read for, on all shards of a broker together: not all at
//! once, and no faster than an operator allows (KIP-73).
//!
//! Must always hold: what was read counts, whatever becomes of it; a rate is exceeded by one read
//! at the most, and what was too much is waited for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Reads under way on behalf of followers; a shard has more threads, which read for consumers.
const READS_MAX: usize = 4;
/// How much of its rate a replica that was sent little may be sent at once, in milliseconds.
const SAVED_MAX_MS: i128 = 1_000;

/// What followers that are behind may cost.
#[derive(Debug)]
pub(crate) struct CatchUp {
    /// A follower that lacks fewer bytes than about so many is fed from memory, by the shard.
    pub(super) near_bytes: u64,
    budget: Mutex<Budget>,
}

#[derive(Debug, Default)]
struct Budget {
    reads: usize,
    /// Of what this broker sends as a leader, and of what it may send to each other broker.
    leader: Bucket,
    followers: BTreeMap<i32, Bucket>,
    newcomers: Bucket,
}

/// Bytes that may be sent in a second to replicas that are behind; `None` is no limit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rates {
    /// As the leader of replicas that are throttled so.
    pub(crate) leader: Option<i64>,
    /// By broker: to replicas there that are throttled so.
    pub(crate) followers: BTreeMap<i32, i64>,
    /// To replicas that are new to their partition, and not throttled in another way.
    pub(crate) newcomers: Option<i64>,
}

/// The rates that limit a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Limits {
    /// The leader's.
    pub(super) leader: bool,
    /// That of the follower's broker.
    pub(super) follower: Option<i32>,
    /// That of replicas that are new to their partition.
    pub(super) newcomers: bool,
}

/// Bytes that may be sent, and the time in which more become so.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// Bytes a second; `None` is no limit.
    rate: Option<i64>,
    /// In thousandths of bytes. Below 0 where more was sent than there was.
    saved: i128,
    /// When that was so.
    at: u64,
}

/// A read that is under way, or what it has read and isn't sent yet.
#[derive(Debug)]
pub(super) struct Permit {
    of: Arc<CatchUp>,
    limits: Limits,
    /// What it was expected to read.
    bytes: u32,
}

impl Default for CatchUp {
    /// The window of a follower, and as much again for what is on its way.
    fn default() -> Self {
        Self::near(16 << 20)
    }
}

impl CatchUp {
    /// No rate is limited.
    pub(super) fn near(near_bytes: u64) -> Self {
        Self { near_bytes, budget: Mutex::default() }
    }

    /// Sets the rates that are in force from now on.
    pub(crate) fn set_rates(&self, rates: &Rates) {
        let mut budget = self.budget();
        (budget.leader.rate, budget.newcomers.rate) = (rates.leader, rates.newcomers);
        budget.followers.retain(|broker, _| rates.followers.contains_key(broker));
        for (broker, rate) in &rates.followers {
            budget.followers.entry(*broker).or_default().rate = Some(*rate);
        }
    }

    /// Whether about so many bytes may be read now.
    pub(super) fn permit(self: &Arc<Self>, limits: Limits, bytes: u32, now: u64) -> Option<Permit> {
        let mut budget = self.budget();
        let has_room = budget.reads < READS_MAX;
        if !has_room || !budget.of(limits).all(|bucket| bucket.has_some(now)) {
            return None;
        }
        budget.reads += 1;
        budget.of(limits).for_each(|bucket| bucket.take(bytes.into()));
        Some(Permit { of: Arc::clone(self), limits, bytes })
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Budget {
    fn of(&mut self, limits: Limits) -> impl Iterator<Item = &mut Bucket> {
        let Self { leader, followers, newcomers, .. } = self;
        let follower = limits.follower.and_then(|broker| followers.get_mut(&broker));
        let leader = limits.leader.then_some(leader);
        leader.into_iter().chain(follower).chain(limits.newcomers.then_some(newcomers))
    }
}

impl Bucket {
    fn has_some(&mut self, now: u64) -> bool {
        let Some(rate) = self.rate.map(i128::from) else { return true };
        let more = rate * i128::from(now.saturating_sub(self.at));
        (self.saved, self.at) = ((self.saved + more).min(rate * SAVED_MAX_MS), now);
        self.saved > 0
    }

    fn take(&mut self, bytes: i128) {
        if self.rate.is_some() {
            self.saved -= bytes * 1_000;
        }
    }
}

impl Permit {
    /// The read is over.
    pub(super) fn settle(mut self, read: usize) {
        let read_bytes = u32::try_from(read).unwrap_or(u32::MAX);
        let more = i128::from(read_bytes) - i128::from(self.bytes);
        let limits = self.limits;
        self.of.budget().of(limits).for_each(|bucket| bucket.take(more));
        self.bytes = 0;
    }
}

impl Drop for Permit {
    /// One that wasn't settled has read nothing.
    fn drop(&mut self) {
        let (limits, bytes) = (self.limits, i128::from(self.bytes));
        let mut budget = self.of.budget();
        budget.reads -= 1;
        budget.of(limits).for_each(|bucket| bucket.take(-bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: Limits = Limits { leader: true, follower: None, newcomers: false };
    const FOLLOWER: Limits = Limits { leader: false, follower: Some(2), newcomers: false };

    const NEWCOMER: Limits = Limits { leader: false, follower: None, newcomers: true };

    /// How many bytes may be read in so many seconds, in reads of so many.
    fn bytes_in(catch_up: &Arc<CatchUp>, limits: Limits, read: u32, seconds: u64) -> u64 {
        let at = |now| {
            let mut bytes = 0;
            while bytes < 1 << 30
                && let Some(permit) = catch_up.permit(limits, read, now)
            {
                permit.settle(read as usize);
                bytes += u64::from(read);
            }
            bytes
        };
        (1..=seconds * 40).map(|tick| at(tick * 25)).sum()
    }

    #[test]
    fn a_rate_holds_whatever_the_size_of_a_read() {
        for (rate, read) in [(1 << 20, 1 << 20), (100, 1 << 10), (50 << 20, 1 << 20), (999, 7)] {
            for limits in [LEADER, FOLLOWER, NEWCOMER] {
                let catch_up = Arc::new(CatchUp::default());
                let followers = BTreeMap::from([(2, rate)]);
                let (leader, newcomers) = (Some(rate), Some(rate));
                catch_up.set_rates(&Rates { leader, followers, newcomers });
                let bytes = bytes_in(&catch_up, limits, read, 100);
                let rate = u64::try_from(rate).unwrap();
                assert!(bytes >= rate * 99, "{bytes} bytes at {rate}");
                assert!(bytes <= rate * 101 + u64::from(read), "{bytes} bytes at {rate}");
            }
        }
    }

    #[test]
    fn a_rate_of_nothing_lets_nothing_through_and_none_everything() {
        let catch_up = Arc::new(CatchUp::default());
        catch_up.set_rates(&Rates { leader: Some(0), ..Rates::default() });
        assert_eq!(bytes_in(&catch_up, LEADER, 1, 100), 0);
        assert!(catch_up.permit(FOLLOWER, 1 << 20, 1).is_some());
        assert!(catch_up.permit(Limits::default(), 1 << 20, 1).is_some());
        catch_up.set_rates(&Rates { followers: BTreeMap::from([(2, 0)]), ..Rates::default() });
        assert!(catch_up.permit(LEADER, 1 << 20, 1).is_some());
        assert!(catch_up.permit(FOLLOWER, 1, 1).is_none());
        // The rate is as wanted where nobody wants one.
        let catch_up = Arc::new(CatchUp::default());
        catch_up.set_rates(&Rates { leader: Some(i64::MAX), ..Rates::default() });
        assert!(catch_up.permit(LEADER, u32::MAX, u64::MAX).is_some());
    }

    #[test]
    fn so_many_read_at_once_and_what_was_read_counts() {
        let catch_up = Arc::new(CatchUp::default());
        let permit = |now| catch_up.permit(Limits::default(), 1, now);
        let permits: Vec<_> = std::iter::repeat_with(|| permit(1)).take(READS_MAX).collect();
        assert!(permits.iter().all(Option::is_some));
        assert!(permit(1).is_none());
        drop(permits);
        assert!(permit(1).is_some());

        catch_up.set_rates(&Rates { leader: Some(1_000), ..Rates::default() });
        drop(catch_up.permit(LEADER, 5_000, 1_000).unwrap());
        catch_up.permit(LEADER, 10, 1_000).unwrap().settle(3_000);
        assert!(catch_up.permit(LEADER, 10, 2_999).is_none(), "two seconds are to be waited for");
        assert!(catch_up.permit(LEADER, 10, 3_001).is_some());
    }
}
