//! Offsets that nobody needs any more (KIP-211).

use alloc::vec::Vec;

use logboom_protocol::CompactString;

use crate::coordinator::Coordinator;
use crate::effects::{Effects, Now};
use crate::group::{Group, GroupState};
use crate::record::CommittedOffset;

/// From when on the time counts after which an offset is forgotten.
#[derive(Debug, Clone, Copy)]
enum Since {
    /// When it was committed.
    Committed,
    /// When the group lost its last member, in milliseconds since the Unix epoch.
    Empty(i64),
}

impl Coordinator {
    /// Forgets offsets that are too old, and groups that have nothing left. Offsets of what a group
    /// reads stay for as long as it has members. Returns how many.
    pub fn expire(&mut self, now: Now, effects: &mut Effects) -> usize {
        let ids: Vec<CompactString> = self.groups.keys().cloned().collect();
        ids.iter().map(|id| self.expire_group(id, now, effects)).sum()
    }

    fn expire_group(&mut self, id: &CompactString, now: Now, effects: &mut Effects) -> usize {
        let retention_ms = self.options().offsets_retention_ms;
        let Some(group) = self.groups.get(id) else { return 0 };
        let mut forgotten = 0;
        if let Some(since) = group.retention_since() {
            let old = self.offsets_of(id, |topic, partition, stored| {
                !group.subscribes_to(topic)
                    && is_old(&stored.value, since, now, retention_ms)
                    && !self.pending.has(id, topic, partition)
            });
            forgotten = self.forget_offsets(id, old, effects);
        }
        let is_done = self.groups.get(id).is_some_and(|group| {
            group.is_bare() && group.pending_joins.is_empty() && !self.pending.has_group(id)
        });
        if is_done {
            self.bury(id, effects);
        }
        forgotten
    }
}

impl Group {
    /// From when on offsets of topics that it doesn't read grow old; `None` while none do.
    fn retention_since(&self) -> Option<Since> {
        if self.protocol_type.is_none() {
            return Some(Since::Committed);
        }
        match self.state() {
            GroupState::Empty if self.state_since_ms() >= 0 => {
                Some(Since::Empty(self.state_since_ms()))
            }
            GroupState::Empty => Some(Since::Committed),
            GroupState::Stable if self.is_of_consumers() && self.subscribed.is_some() => {
                Some(Since::Committed)
            }
            _ => None,
        }
    }
}

fn is_old(value: &CommittedOffset, since: Since, now: Now, retention_ms: i64) -> bool {
    let since_ms = match (value.expires_ms, since) {
        (Some(expires_ms), _) => return now.wall_ms >= expires_ms,
        (None, Since::Committed) => value.committed_ms,
        (None, Since::Empty(since_ms)) => since_ms,
    };
    now.wall_ms.saturating_sub(since_ms) >= retention_ms
}
