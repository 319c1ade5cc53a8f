//! Which protocol a group speaks: one that all its members know.

use alloc::collections::BTreeMap;

use logboom_protocol::CompactString;

use crate::group::{Group, GroupState};
use crate::member::{Member, Protocol};

/// How many members speak each protocol.
///
/// Invariant: counts are above 0.
#[derive(Debug, Clone, Default)]
pub(crate) struct Speakers(BTreeMap<CompactString, usize>);

impl Speakers {
    pub(crate) fn add(&mut self, protocols: &[Protocol]) {
        for one in protocols {
            *self.0.entry(one.name.clone()).or_default() += 1;
        }
    }

    pub(crate) fn remove(&mut self, protocols: &[Protocol]) {
        for one in protocols {
            if let Some(count) = self.0.get_mut(&one.name) {
                *count -= 1;
                if *count == 0 {
                    self.0.remove(&one.name);
                }
            }
        }
    }

    fn count(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or(0)
    }
}

impl Group {
    /// Whether a member that speaks these protocols can be in the group.
    pub(crate) fn accepts(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.state() == GroupState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let is_common = |one: &Protocol| self.speakers.count(&one.name) == self.members.len();
        self.protocol_type.as_deref() == Some(protocol_type) && protocols.iter().any(is_common)
    }

    /// The protocol of the next generation: of those that all speak, the one that most like best;
    /// of equals the first by name. `None` in a group without members.
    pub(crate) fn choose_protocol(&self) -> Option<CompactString> {
        let mut votes: BTreeMap<&CompactString, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some(name) = self.vote(member) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let mut best: Option<(&CompactString, usize)> = None;
        for (name, count) in votes {
            if best.is_none_or(|(_, most)| count > most) {
                best = Some((name, count));
            }
        }
        best.map(|(name, _)| name.clone())
    }

    fn vote<'a>(&self, member: &'a Member) -> Option<&'a CompactString> {
        let is_common = |one: &&Protocol| self.speakers.count(&one.name) == self.members.len();
        member.protocols.iter().find(is_common).map(|one| &one.name)
    }
}
