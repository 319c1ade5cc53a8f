//! What is deleted because somebody says so: groups, offsets, offsets of deleted topics.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use logboom_protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic, OffsetDeleteResponse,
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use logboom_protocol::{CompactString, ErrorCode};

use crate::coordinator::Coordinator;
use crate::effects::Effects;
use crate::group::{Group, GroupState};
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
        self.forget_offsets(id, |_, _, _| true, effects);
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
            let asked = topic.partitions.iter().map(|one| one.partition_index);
            let asked: BTreeSet<i32> = asked.collect();
            let is_asked = |name: &str, part, _: &_| name == topic.name && asked.contains(&part);
            self.forget_offsets(id, is_asked, effects);
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
            self.forget_offsets(&id, &is_gone, effects);
        }
    }

    /// Forgets offsets of a group; how many.
    pub(crate) fn forget_offsets(
        &mut self,
        id: &CompactString,
        is_meant: impl Fn(&str, i32, &CommittedOffset) -> bool,
        effects: &mut Effects,
    ) -> usize {
        let Some(group) = self.groups.get_mut(id) else { return 0 };
        let meant = group
            .offsets
            .iter()
            .filter(|(topic, partition, stored)| is_meant(topic, *partition, &stored.value));
        let meant: Vec<(CompactString, i32)> =
            meant.map(|(topic, partition, _)| (topic.clone(), partition)).collect();
        for (topic, partition) in &meant {
            group.offsets.remove(topic, *partition);
            self.pending.forget(id, topic, *partition);
            let (group, topic, partition) = (id.clone(), topic.clone(), *partition);
            effects.records.push(GroupRecord::Offset { group, topic, partition, value: None });
        }
        self.settle(id);
        meant.len()
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
