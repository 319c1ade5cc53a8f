//! Partitions whose flush may wait, and until when (`write.caching`, `flush.ms`).
//!
//! Must always hold: a partition is due no later than it was ever told to be. Those that may wait
//! equally long are due together, so that a thousand of them are a few rounds of flushes.

use std::collections::{BTreeMap, HashMap};

use logboom_storage::state::GroupKey;

/// Times are milliseconds of any clock that doesn't go back.
#[derive(Debug, Default)]
pub(super) struct Later {
    /// When each is due.
    due: HashMap<GroupKey, u64>,
    /// Who is due then, or was before it became due earlier.
    at: BTreeMap<u64, Vec<GroupKey>>,
}

impl Later {
    /// A partition is to be flushed within so many milliseconds.
    pub(super) fn within(&mut self, key: GroupKey, now: u64, wait_ms: u64) {
        // In the second half of the time.
        let grain = (wait_ms / 2).max(1);
        let at = now.saturating_add(wait_ms) / grain * grain;
        if self.due.get(&key).is_none_or(|due| at < *due) {
            self.due.insert(key, at);
            self.at.entry(at).or_default().push(key);
        }
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Option<u64> {
        self.at.first_key_value().map(|(at, _)| *at)
    }

    /// Takes those that are due.
    pub(super) fn take(&mut self, now: u64) -> Vec<GroupKey> {
        let mut taken = Vec::new();
        while let Some(first) = self.at.first_entry().filter(|first| *first.key() <= now) {
            let (at, keys) = first.remove_entry();
            for key in keys {
                if self.due.get(&key) == Some(&at) {
                    self.due.remove(&key);
                    taken.push(key);
                }
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use logboom_protocol::units::Uuid;

    use super::*;

    fn key(partition: i32) -> GroupKey {
        GroupKey { topic_id: Uuid([1; 16]), partition }
    }

    #[test]
    fn each_is_due_once_and_no_later_than_it_was_told() {
        let mut later = Later::default();
        assert_eq!((later.next(), later.take(u64::MAX)), (None, Vec::new()));
        later.within(key(1), 10_300, 1_000);
        later.within(key(1), 10_900, 1_000);
        later.within(key(2), 10_310, 40);
        let first = later.next().unwrap();
        assert!((10_330..=10_350).contains(&first), "{first}");
        assert_eq!((later.take(first - 1), later.take(first)), (Vec::new(), vec![key(2)]));
        let second = later.next().unwrap();
        assert!((10_800..=11_300).contains(&second), "{second}");
        assert_eq!(later.take(second), [key(1)]);
        assert_eq!(later.next(), None);
    }

    #[test]
    fn who_may_wait_less_than_before_is_due_earlier_and_not_again() {
        let mut later = Later::default();
        later.within(key(1), 10_000, 1_000);
        later.within(key(1), 10_000, 0);
        assert_eq!(later.take(10_000), [key(1)]);
        assert_eq!(later.take(u64::MAX), [], "it was flushed since");
    }

    #[test]
    fn those_that_wait_equally_long_are_due_together() {
        let mut later = Later::default();
        (0..1_000).for_each(|at| later.within(key(at), 10_000 + u64::try_from(at).unwrap(), 1_000));
        let rounds = std::iter::from_fn(|| later.next().map(|at| later.take(at).len()));
        assert!(rounds.collect::<Vec<_>>().len() <= 3);
    }
}
