//! From the records back to the groups.

use logboom_protocol::CompactString;

use crate::coordinator::Coordinator;
use crate::effects::{Effects, Now};
use crate::group::{Group, GroupState};
use crate::member::Member;
use crate::offsets::StoredOffset;
use crate::record::{GroupMetadata, GroupRecord};

impl Coordinator {
    /// Takes a record of the partition, in their order, before anything is asked.
    pub fn replay(&mut self, record: GroupRecord) {
        self.order += 1;
        match record {
            GroupRecord::Offset { group, topic, partition, value } => {
                match value {
                    Some(value) => {
                        let stored = StoredOffset { value, order: self.order };
                        self.made(&group).offsets.put(&topic, partition, stored);
                    }
                    None => {
                        if let Some(group) = self.group_mut(&group) {
                            group.offsets.remove(&topic, partition);
                        }
                        self.pending.forget(&group, &topic, partition);
                    }
                }
                self.settle(&group);
            }
            GroupRecord::Group { group, value: Some(value) } => {
                let room = self.room();
                self.made(&group).restore(value, room);
                self.settle(&group);
            }
            GroupRecord::Group { group, value: None } => self.forget(&group),
        }
    }

    /// Takes a record of a transaction: it counts when that is committed.
    pub fn replay_in_transaction(&mut self, producer_id: i64, record: GroupRecord) {
        let GroupRecord::Offset { group, topic, partition, value: Some(value) } = record else {
            // Nothing else is written in a transaction.
            return self.replay(record);
        };
        self.order += 1;
        self.made(&group);
        self.settle(&group);
        let stored = StoredOffset { value, order: self.order };
        self.pending.put(producer_id, (group, topic, partition), stored);
    }

    /// A transaction is over. Of what it committed counts what isn't overtaken.
    pub fn end_transaction(&mut self, producer_id: i64, is_committed: bool) {
        for ((group, topic, partition), stored) in self.pending.take(producer_id) {
            let offsets = &mut self.made(&group).offsets;
            let present = offsets.get(&topic, partition);
            let is_newer = present.is_none_or(|present| present.order < stored.order);
            if is_committed && is_newer {
                offsets.put(&topic, partition, stored);
            }
            self.settle(&group);
        }
    }

    /// The replay is over: from now on members are expected to be heard of. A group with more
    /// members than it may have begins a rebalance.
    pub fn on_loaded(&mut self, now: Now, effects: &mut Effects) {
        let ids: alloc::vec::Vec<CompactString> = self.groups.keys().cloned().collect();
        for id in &ids {
            self.step(id, now, effects, |group, turn| {
                let members: alloc::vec::Vec<_> = group.members.keys().cloned().collect();
                members.iter().for_each(|member| group.keep_alive(member, turn.now));
                if group.members.len() > turn.options.members_max {
                    group.prepare_rebalance(turn);
                }
            });
        }
    }

    fn made(&mut self, id: &CompactString) -> &mut Group {
        self.groups.entry(id.clone()).or_insert_with(|| Group::new(id.clone()))
    }
}

impl Group {
    /// Takes what was kept of it in place of what it is; its offsets stay.
    ///
    /// - `room`: bytes by which groups may grow.
    fn restore(&mut self, kept: GroupMetadata, room: usize) {
        let offsets = core::mem::take(&mut self.offsets);
        let counted_bytes = self.counted_bytes;
        *self = Self::new(self.id.clone());
        (self.offsets, self.counted_bytes) = (offsets, counted_bytes);
        self.is_kept = true;
        self.generation = kept.generation;
        let state = if kept.members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        for member in kept.members {
            let member = Member::from_kept(member, kept.protocol.as_ref());
            self.add_member(member, &kept.protocol_type);
        }
        self.protocol_type = Some(kept.protocol_type).filter(|name| !name.is_empty());
        self.protocol = kept.protocol;
        if let Some(leader) = kept.leader.filter(|leader| self.members.contains_key(leader)) {
            self.leader = Some(leader);
        }
        self.restore_state(state, kept.state_since_ms);
        self.subscribed = self.read_subscriptions(room);
    }
}
