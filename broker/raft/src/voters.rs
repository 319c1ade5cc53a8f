//! Who decides: voter sets, and what a majority of them holds.

use alloc::sync::Arc;
use core::fmt;

use crate::position::{Position, ReplicaId};

/// The voters of a group, in force from where it stands in the log, committed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(test), derive(Hash))]
pub struct Voters {
    /// Who votes; while the set changes: the new ones.
    pub incoming: Arc<[ReplicaId]>,
    /// While the set changes: the old ones, of whom a majority is needed too. Otherwise empty.
    pub outgoing: Arc<[ReplicaId]>,
    /// The version of the wish that it serves.
    pub generation: i64,
    /// Whether an operator named them because the others were lost, with what only they had.
    pub by_operator: bool,
}

impl Voters {
    /// A set that isn't changing.
    #[must_use]
    pub fn of(voters: impl Into<Arc<[ReplicaId]>>) -> Self {
        let (incoming, outgoing) = (voters.into(), Arc::default());
        Self { incoming, outgoing, generation: 0, by_operator: false }
    }

    /// Whether the set is changing: majorities of both are needed.
    #[must_use]
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether it votes in either set.
    #[must_use]
    pub fn contains(&self, id: ReplicaId) -> bool {
        self.incoming.contains(&id) || self.outgoing.contains(&id)
    }

    /// Everybody who votes, each once.
    pub fn all(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        let only_old = self.outgoing.iter().filter(|id| !self.incoming.contains(id));
        self.incoming.iter().chain(only_old).copied()
    }

    /// Whether those of whom `holds` is true are a majority of each set.
    pub fn have_majority(&self, holds: impl Fn(ReplicaId) -> bool) -> bool {
        self.sets().all(|set| {
            let count = set.iter().filter(|id| holds(**id)).count();
            count > set.len() / 2
        })
    }

    /// The greatest position that a majority of each set has reached.
    pub fn majority_position(&self, reached: impl Fn(ReplicaId) -> Position) -> Position {
        let least = self.sets().map(|set| nth_greatest(set, set.len() / 2 + 1, &reached)).min();
        least.unwrap_or(Position::ZERO)
    }

    /// The greatest position that `count` of each set have reached, or all of a smaller one.
    pub fn position_of(&self, count: usize, reached: impl Fn(ReplicaId) -> Position) -> Position {
        let of = |set: &[ReplicaId]| nth_greatest(set, count.clamp(1, set.len().max(1)), &reached);
        self.sets().map(of).min().unwrap_or(Position::ZERO)
    }

    /// The place of a voter in the order in which they campaign once their leader is gone, from 0:
    /// first the one that is wished for, then the others, beginning with another one from group to
    /// group. `None` of who has no vote.
    ///
    /// - `gone`: the leader, for which nobody waits.
    /// - `turn`: any number that differs from group to group.
    #[must_use]
    pub fn rank(
        &self,
        id: ReplicaId,
        gone: Option<ReplicaId>,
        wished: Option<ReplicaId>,
        turn: usize,
    ) -> Option<usize> {
        let left = || self.all().filter(|voter| Some(*voter) != gone || *voter == id);
        let place = left().position(|voter| voter == id)?;
        let count = left().count();
        let turned = |place: usize| (place + turn % count) % count;
        let wished = wished.and_then(|wished| left().position(|voter| voter == wished));
        Some(match wished {
            None => turned(place),
            Some(first) if first == place => 0,
            // Who would have come before it moves up by one.
            Some(first) => turned(place) + usize::from(turned(place) < turned(first)),
        })
    }

    /// The sets of which each has to agree.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &[ReplicaId]> {
        let outgoing = self.is_joint().then_some(&*self.outgoing);
        [&*self.incoming].into_iter().chain(outgoing)
    }
}

/// The greatest position that `n` of the set have reached. Sets are small: no sorting, no memory.
fn nth_greatest(set: &[ReplicaId], n: usize, reached: &impl Fn(ReplicaId) -> Position) -> Position {
    let by = |least: Position| set.iter().filter(|id| reached(**id) >= least).count();
    let positions = set.iter().map(|id| reached(*id));
    positions.filter(|position| by(*position) >= n).max().unwrap_or(Position::ZERO)
}

/// Whether two sets have the same members.
pub(crate) fn same(a: &[ReplicaId], b: &[ReplicaId]) -> bool {
    a.len() == b.len() && a.iter().all(|id| b.contains(id))
}

impl fmt::Display for Voters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, set: &[ReplicaId]| {
            for (i, id) in set.iter().enumerate() {
                write!(f, "{}{id}", if i > 0 { "," } else { "" })?;
            }
            Ok(())
        };
        if self.is_joint() {
            list(f, &self.outgoing)?;
            write!(f, "→")?;
        }
        list(f, &self.incoming)?;
        if self.by_operator { f.write_str(", named by an operator") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn ids(ids: &[i32]) -> Arc<[ReplicaId]> {
        ids.iter().map(|id| ReplicaId::of(*id)).collect()
    }

    fn joint(old: &[i32], new: &[i32]) -> Voters {
        Voters { outgoing: ids(old), generation: 1, ..Voters::of(ids(new)) }
    }

    /// A position with this offset.
    fn at(offset: i64) -> Position {
        Position { epoch: 1, offset, control: 1 }
    }

    #[test]
    fn a_majority_of_each_set_has_to_hold_a_position() {
        let reached = |id: ReplicaId| at([9, 7, 5, 3, 1][usize::try_from(id.broker - 1).unwrap()]);
        for (voters, offset) in [
            (Voters::of(ids(&[1])), 9),
            (Voters::of(ids(&[1, 2])), 7),
            (Voters::of(ids(&[1, 2, 3])), 7),
            (Voters::of(ids(&[1, 2, 3, 4])), 5),
            (Voters::of(ids(&[1, 2, 3, 4, 5])), 5),
            (joint(&[1, 2, 3], &[3, 4, 5]), 3),
            (joint(&[1], &[1, 2, 3]), 7),
            (joint(&[3, 4, 5], &[1]), 3),
        ] {
            assert_eq!(voters.majority_position(reached), at(offset), "{voters}");
        }
        let three = Voters::of(ids(&[1, 2, 3]));
        let by = |count: usize| three.position_of(count, reached).offset;
        assert_eq!([by(0), by(1), by(2), by(3), by(9)], [9, 9, 7, 5, 5]);
    }

    #[test]
    fn a_set_that_changes_needs_both_majorities() {
        let voters = joint(&[1, 2, 3], &[1, 4, 5]);
        let hold = |some: &[i32]| voters.have_majority(|id| some.contains(&id.broker));
        assert!(hold(&[1, 2, 4]) && hold(&[2, 3, 4, 5]));
        assert!(!hold(&[1, 2, 3]) && !hold(&[1, 4, 5]) && !hold(&[2, 4, 5]));
        let all: Vec<i32> = voters.all().map(|id| id.broker).collect();
        assert_eq!(all, [1, 4, 5, 2, 3], "each once");
    }

    #[test]
    fn each_voter_has_a_rank_of_its_own_and_the_wished_one_the_first() {
        let voters = Voters::of(ids(&[4, 5, 6]));
        let ranks = |wished: Option<i32>, turn: usize| -> Vec<usize> {
            let wished = wished.map(ReplicaId::of);
            let rank = |id: &i32| voters.rank(ReplicaId::of(*id), None, wished, turn);
            [4, 5, 6].iter().filter_map(rank).collect()
        };
        assert_eq!(ranks(None, 0), [0, 1, 2]);
        assert_eq!(ranks(None, 1), [1, 2, 0]);
        assert_eq!(ranks(Some(5), 0), [1, 0, 2]);
        assert_eq!(ranks(Some(5), 1), [2, 0, 1]);
        assert_eq!(ranks(Some(9), 2), [2, 0, 1], "one that has no vote");
        assert_eq!(voters.rank(ReplicaId::of(9), None, None, 0), None);
    }

    #[test]
    fn nobody_waits_for_the_leader_that_is_gone() {
        let voters = Voters::of(ids(&[4, 5, 6]));
        for (wished, turn, ranks) in
            [(None, 0, [0, 1]), (None, 1, [1, 0]), (Some(4), 0, [0, 1]), (Some(6), 0, [1, 0])]
        {
            let (gone, wished) = (Some(ReplicaId::of(4)), wished.map(ReplicaId::of));
            let rank = |id| voters.rank(ReplicaId::of(id), gone, wished, turn);
            assert_eq!([5, 6].map(rank), ranks.map(Some), "wished {wished:?}, turn {turn}");
        }
    }
}
