//! What is deleted because somebody says so: groups, offsets, offsets of deleted topics.

use alloc::vec::Vec;

use logboom_protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic, OffsetDeleteResponse,
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use logboom_protocol::{CompactString, ErrorCode};

use crate::coordinator::Coordinator;
use crate::effects::Effects;
use crate::group::{Group, GroupState};
use crate::offsets::StoredOffset;
use crate::record::{CommittedOffset, GroupRecord};

impl Coordinator {
    /// Deletes a group without members and all that it committed.
    ///
    /// # Errors
    /// `GROUP_ID_NOT_FOUND`, `NON_EMPTY_GROUP`.
    pub fn delete(&mut self, id: &CompactString, effects: &mut Effects) -> Result<(), ErrorCode> {
        let group = self.groups.get(id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        if group.state() != GroupState::Empty {
            return Err(ErrorCode::NON_EMPTY_GROUP);
        }
        let all = self.offsets_of(id, |_, _, _| true);
        self.forget_offsets(id, all, effects);
        self.bury(id, effects);
        Ok(())
    }

    /// Deletes offsets of topics that no member subscribes to (KIP-496).
    pub fn delete_offsets(
        &mut self,
        request: &OffsetDeleteRequest,
        effects: &mut Effects,
    ) -> OffsetDeleteResponse {
        let id = &request.group_id;
        let checked = match self.groups.get(id) {
            None => Err(ErrorCode::GROUP_ID_NOT_FOUND),
            Some(group) if group.state() != GroupState::Empty && !group.is_of_consumers() => {
                Err(ErrorCode::NON_EMPTY_GROUP)
            }
            Some(_) => Ok(()),
        };
        if let Err(error_code) = checked {
            return OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() };
        }
        let topics = request.topics.iter().map(|topic| self.delete_topic(id, topic, effects));
        OffsetDeleteResponse { topics: topics.collect(), ..OffsetDeleteResponse::default() }
    }

    fn delete_topic(
        &mut self,
        id: &CompactString,
        topic: &OffsetDeleteRequestTopic,
        effects: &mut Effects,
    ) -> OffsetDeleteResponseTopic {
        let is_read = self.groups.get(id).is_some_and(|group| group.subscribes_to(&topic.name));
        let error_code =
            if is_read { ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC } else { ErrorCode::NONE };
        if !is_read {
            let asked = topic.partitions.iter();
            let asked = asked.map(|one| (topic.name.clone(), one.partition_index));
            self.forget_offsets(id, asked, effects);
        }
        let partitions = topic.partitions.iter().map(|one| OffsetDeleteResponsePartition {
            partition_index: one.partition_index,
            error_code,
        });
        OffsetDeleteResponseTopic { name: topic.name.clone(), partitions: partitions.collect() }
    }

    /// Forgets what was committed for topics that are not there any more.
    ///
    /// - `is_gone`: told name and partition, and what was committed.
    pub fn forget_topics(
        &mut self,
        is_gone: impl Fn(&str, i32, &CommittedOffset) -> bool,
        effects: &mut Effects,
    ) {
        let ids: Vec<CompactString> = self.groups.keys().cloned().collect();
        for id in ids {
            let gone = self.offsets_of(&id, |topic, partition, stored| {
                is_gone(topic, partition, &stored.value)
            });
            self.forget_offsets(&id, gone, effects);
        }
    }

    /// Those offsets of a group that are meant.
    pub(crate) fn offsets_of(
        &self,
        id: &CompactString,
        is_meant: impl Fn(&str, i32, &StoredOffset) -> bool,
    ) -> Vec<(CompactString, i32)> {
        let all = self.groups.get(id).into_iter().flat_map(|group| group.offsets.iter());
        let meant = all.filter(|(topic, partition, stored)| is_meant(topic, *partition, stored));
        meant.map(|(topic, partition, _)| (topic.clone(), partition)).collect()
    }

    /// Forgets offsets of a group, of those that are named the ones that are there; how many.
    pub(crate) fn forget_offsets(
        &mut self,
        id: &CompactString,
        named: impl IntoIterator<Item = (CompactString, i32)>,
        effects: &mut Effects,
    ) -> usize {
        let Some(group) = self.groups.get_mut(id) else { return 0 };
        let before = effects.records.len();
        for (topic, partition) in named {
            if group.offsets.get(&topic, partition).is_none() {
                continue;
            }
            group.offsets.remove(&topic, partition);
            self.pending.forget(id, &topic, partition);
            let group = id.clone();
            effects.records.push(GroupRecord::Offset { group, topic, partition, value: None });
        }
        self.settle(id);
        effects.records.len() - before
    }

    /// Has a group without members and offsets gone.
    pub(crate) fn bury(&mut self, id: &CompactString, effects: &mut Effects) {
        debug_assert!(self.groups.get(id).is_some_and(Group::is_bare), "it has something");
        self.forget(id);
        effects.records.push(GroupRecord::Group { group: id.clone(), value: None });
    }
}

impl Group {
    /// Whether it has neither members nor offsets.
    pub(crate) fn is_bare(&self) -> bool {
        self.state() == GroupState::Empty && self.offsets.is_empty()
    }
}
