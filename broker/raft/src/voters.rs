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
}

impl Voters {
    /// A set that isn't changing.
    #[must_use]
    pub fn of(voters: impl Into<Arc<[ReplicaId]>>) -> Self {
        Self { incoming: voters.into(), outgoing: Arc::new([]), generation: 0 }
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
        list(f, &self.incoming)
    }
}
