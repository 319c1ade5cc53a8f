//! What was ever committed and who led, against which each replica is looked at.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use super::node::{Entry, Node};
use super::world::Violation;
use crate::group::Role;
use crate::{Group, ReplicaId};

/// What happened in a world, as far as it binds what comes.
#[derive(Debug, Clone, Hash, Default)]
pub(crate) struct Past {
    /// Every entry that was ever committed anywhere, in order, with the epoch in which it was.
    committed: Vec<(Entry, i32)>,
    /// Who led in which epoch.
    leaders: BTreeMap<i32, ReplicaId>,
}

impl Past {
    /// What must always hold, as far as this replica could have broken it.
    pub(crate) fn look(&mut self, node: &Node) -> Result<(), Violation> {
        node.look()?;
        let Some(group) = &node.group else { return Ok(()) };
        if let Some(why) = group.halted() {
            return Err(format!("{} halts: {why}", node.id));
        }
        if group.role() == Role::Leader {
            let leader = *self.leaders.entry(group.epoch()).or_insert(node.id);
            if leader != node.id {
                return Err(format!("{leader} and {} lead in {}", node.id, group.epoch()));
            }
            self.look_whether_complete(node, group)?;
        }
        let (first, entries) = node.entries_to(group.commit());
        for (i, entry) in entries.iter().enumerate() {
            match self.committed.get(first + i) {
                Some((known, _)) if known == entry => {}
                Some((known, _)) => {
                    return Err(format!("{}: {entry:?} committed for {known:?}", node.id));
                }
                None if first + i == self.committed.len() => {
                    self.committed.push((entry.clone(), group.epoch()));
                }
                None => return Err(format!("{}: a hole before {entry:?}", node.id)),
            }
        }
        self.look_at_start(node, group)
    }

    /// A leader has everything that was committed in an epoch before its own.
    fn look_whether_complete(&self, node: &Node, group: &Group) -> Result<(), Violation> {
        let (first, entries) = node.entries_to(group.history().end());
        for (i, (known, epoch)) in self.committed.iter().enumerate().skip(first) {
            if *epoch < group.epoch() && entries.get(i - first) != Some(known) {
                return Err(format!("{} leads in {} without {known:?}", node.id, group.epoch()));
            }
        }
        Ok(())
    }

    /// A log begins no later than what is committed.
    fn look_at_start(&self, node: &Node, group: &Group) -> Result<(), Violation> {
        let start = group.history().start();
        let index = usize::try_from(start.offset + start.control).unwrap();
        if index > self.committed.len() {
            return Err(format!("{} begins at {start}, which isn't committed", node.id));
        }
        Ok(())
    }
}

/// The office goes only to somebody who has all of the log. Who is in a later epoch may have had it
/// before, and doesn't listen.
pub(crate) fn look_at_handover(from: &Node, to: &Node) -> Result<(), Violation> {
    let (Some(leader), Some(next)) = (&from.group, &to.group) else { return Ok(()) };
    let (end, reached) = (leader.history().end(), next.history().end());
    if next.epoch() <= leader.epoch() && reached < end {
        return Err(format!("{} hands over to {}, at {reached}", from.id, to.id));
    }
    Ok(())
}
