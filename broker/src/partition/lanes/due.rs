//! When the groups that wait for a leader are looked at next.
//!
//! A deadline that moves away, as it does with each beat, costs nothing: the group is looked at
//! when the old one comes, and then again at the new one. So a look costs nothing for all those
//! whose leader beats.
//!
//! Must always hold: a group that waits is looked at not later than at its deadline.

use std::collections::BTreeSet;

use logboom_storage::state::GroupKey;

use crate::partition::member::Member;

#[derive(Debug, Default)]
pub(super) struct Due {
    looks: BTreeSet<(u64, GroupKey)>,
}

impl Due {
    /// The patience of a group's replica ends then.
    pub(super) fn set(&mut self, key: GroupKey, member: &mut Member, deadline: u64) {
        member.deadline = deadline;
        self.look(key, member, deadline);
    }

    /// A group waits, or waits again.
    pub(super) fn wait(&mut self, key: GroupKey, member: &mut Member) {
        self.look(key, member, member.deadline);
    }

    /// A group is looked at then, if not before.
    pub(super) fn look(&mut self, key: GroupKey, member: &mut Member, at: u64) {
        match member.next_look {
            Some(before) if before <= at => return,
            Some(before) => _ = self.looks.remove(&(before, key)),
            None => {}
        }
        member.next_look = Some(at);
        self.looks.insert((at, key));
    }

    /// The next group that is to be looked at by now. It may be gone, or not wait any more.
    pub(super) fn next(&mut self, now: u64) -> Option<(u64, GroupKey)> {
        self.looks.first().filter(|(at, _)| *at <= now)?;
        self.looks.pop_first()
    }
}

#[cfg(test)]
mod tests {
    use logboom_protocol::units::Uuid;

    use super::*;

    const KEY: GroupKey = GroupKey { topic_id: Uuid([1; 16]), partition: 0 };

    #[test]
    fn a_group_is_looked_at_at_its_first_deadline_once() {
        let (mut due, mut member) = (Due::default(), Member::default());
        due.set(KEY, &mut member, 100);
        due.set(KEY, &mut member, 200);
        assert_eq!(due.next(99), None);
        assert_eq!((due.next(100), due.next(1_000)), (Some((100, KEY)), None));
    }

    #[test]
    fn a_deadline_that_comes_nearer_counts() {
        let (mut due, mut member) = (Due::default(), Member::default());
        for deadline in [300, 50, 400] {
            due.set(KEY, &mut member, deadline);
        }
        assert_eq!((due.next(50), due.next(1_000)), (Some((50, KEY)), None));
    }
}
