//! When which group has something to do.
//!
//! A group is here once at the most, at a time that is not after the first of its deadlines. It
//! may be before it: deadlines move with every heartbeat, and the place here doesn't.

use alloc::collections::{BTreeMap, BTreeSet};

use logboom_protocol::CompactString;

/// The groups that have a deadline.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(i64, CompactString)>,
    /// Invariant: the same entries.
    by_group: BTreeMap<CompactString, i64>,
}

impl Timers {
    /// Has a group come up at `deadline_ms` (monotonic) at the latest.
    pub(crate) fn arm(&mut self, group: &CompactString, deadline_ms: i64) {
        match self.by_group.get(group) {
            Some(armed_ms) if *armed_ms <= deadline_ms => return,
            Some(armed_ms) => _ = self.by_time.remove(&(*armed_ms, group.clone())),
            None => {}
        }
        self.by_time.insert((deadline_ms, group.clone()));
        self.by_group.insert(group.clone(), deadline_ms);
    }

    /// Takes a group that is due.
    pub(crate) fn take_due(&mut self, now_ms: i64) -> Option<CompactString> {
        if self.by_time.first()?.0 > now_ms {
            return None;
        }
        let (_, group) = self.by_time.pop_first()?;
        self.by_group.remove(&group);
        Some(group)
    }

    /// Forgets a group.
    pub(crate) fn remove(&mut self, group: &CompactString) {
        if let Some(armed_ms) = self.by_group.remove(group) {
            self.by_time.remove(&(armed_ms, group.clone()));
        }
    }

    /// When the first group comes up.
    pub(crate) fn next_ms(&self) -> Option<i64> {
        self.by_time.first().map(|(deadline_ms, _)| *deadline_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_comes_up_once_at_the_earliest_of_its_times() {
        let mut timers = Timers::default();
        let (one, two) = (CompactString::from("one"), CompactString::from("two"));
        timers.arm(&one, 30);
        timers.arm(&one, 10);
        timers.arm(&one, 20);
        timers.arm(&two, 15);
        assert_eq!(timers.next_ms(), Some(10));
        assert_eq!(timers.take_due(9), None);
        assert_eq!(timers.take_due(30), Some(one));
        assert_eq!(timers.take_due(30), Some(two.clone()));
        assert_eq!(timers.take_due(i64::MAX), None);
        timers.arm(&two, 40);
        timers.remove(&two);
        assert_eq!(timers.next_ms(), None);
    }
}
