//! The control entries of a group, its voters among them, as they are committed.
//!
//! - A group begins with the same voters everywhere, and an entry that is committed is the same on
//!   every replica.
//! - Voters change by a joint set, which names those before it, and which is followed by one of
//!   the two that it is made of.
//! - Who decides changes by one voter at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use logboom_raft::{Control, Group, ReplicaId, Voters};

use super::oracle::Violation;

/// The control entries that somebody has shown as committed.
#[derive(Default)]
pub(super) struct Controls {
    /// By their numbers.
    entries: BTreeMap<i64, Control>,
    /// The voters with whom the group began.
    founders: Option<Arc<Voters>>,
    /// Up to which of them each broker's replica was looked at.
    seen: BTreeMap<usize, i64>,
}

fn are_same(a: &[ReplicaId], b: &[ReplicaId]) -> bool {
    a.len() == b.len() && a.iter().all(|id| b.contains(id))
}

/// How many have a vote in one of both only.
fn difference(voters: &Voters) -> usize {
    let Voters { incoming, outgoing, .. } = voters;
    let new = incoming.iter().filter(|id| !outgoing.contains(id)).count();
    new + outgoing.iter().filter(|id| !incoming.contains(id)).count()
}

impl Controls {
    /// Looks at a replica that may have changed.
    ///
    /// - `by_one`: whether no more than one voter may come or go at a time.
    pub(super) fn look(&mut self, at: usize, group: &Group, by_one: bool) -> Result<(), Violation> {
        let (history, commit) = (group.history(), group.commit());
        let first = history.first_voters();
        if history.start().control == 0 && !first.incoming.is_empty() {
            let founders = self.founders.get_or_insert_with(|| Arc::clone(&first));
            if !are_same(&founders.incoming, &first.incoming) {
                return Err(format!("it began with {first}, and others with {founders}"));
            }
        }
        let seen = self.seen.get(&at).copied().unwrap_or(0);
        let behind = history.controls().partition_point(|control| control.sequence <= seen);
        let new = &history.controls()[behind..];
        for control in new.iter().take_while(|control| control.end() <= commit) {
            self.see(control, by_one)?;
            self.seen.insert(at, control.sequence);
        }
        Ok(())
    }

    /// A broker's replica is to be looked at from its begin on.
    pub(super) fn forget(&mut self, at: usize) {
        self.seen.remove(&at);
    }

    fn see(&mut self, control: &Control, by_one: bool) -> Result<(), Violation> {
        if let Some(known) = self.entries.get(&control.sequence) {
            let is_same = known == control;
            return if is_same { Ok(()) } else { Err(format!("{control:?}, and {known:?}")) };
        }
        if let (Some(voters), Some(before)) = (&control.voters, self.before(control.sequence)) {
            let follows = if voters.is_joint() {
                let is_next = !before.is_joint() && are_same(&before.incoming, &voters.outgoing);
                is_next && (!by_one || difference(voters) == 1)
            } else {
                // Without a change, only another wish for the same is worth an entry.
                let is_worth_it = before.is_joint() || before.generation < voters.generation;
                let mut sets = [&before.incoming, &before.outgoing].into_iter();
                is_worth_it && sets.any(|set| are_same(set, &voters.incoming))
            };
            if !follows {
                return Err(format!("{voters} decide behind {before}"));
            }
        }
        self.entries.insert(control.sequence, control.clone());
        Ok(())
    }

    /// The voters in force before an entry, where all between is known.
    fn before(&self, sequence: i64) -> Option<&Voters> {
        let mut expected = sequence;
        for (known, control) in self.entries.range(..sequence).rev() {
            expected -= 1;
            if *known != expected {
                return None;
            }
            if let Some(voters) = &control.voters {
                return Some(voters);
            }
        }
        if expected == 1 { self.founders.as_deref() } else { None }
    }

    /// The voters that were settled from an entry on, those in force there included.
    pub(super) fn settled_since(&self, sequence: i64) -> impl Iterator<Item = &Voters> {
        let first = self.entries.range(..=sequence).rev();
        let first = first.filter_map(|(_, control)| control.voters.as_deref());
        let first = first.chain(self.founders.as_deref()).find(|voters| !voters.is_joint());
        let later = self.entries.range(sequence + 1..);
        let later = later.filter_map(|(_, control)| control.voters.as_deref());
        first.into_iter().chain(later.filter(|voters| !voters.is_joint()))
    }

    /// The number of the last entry.
    pub(super) fn last(&self) -> i64 {
        self.entries.last_key_value().map_or(0, |(sequence, _)| *sequence)
    }

    /// The last voters that were settled.
    pub(super) fn voters(&self) -> Option<&Voters> {
        self.settled_since(self.last()).last()
    }
}
