//! DeleteGroups and OffsetDelete.

use logboom_protocol::messages::delete_groups::DeleteGroupsRequest;
use logboom_protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};

use super::from;
use crate::{ClientError, Cluster};

impl Cluster {
    /// Deletes a group without members and all that it has committed.
    ///
    /// # Errors
    /// GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, or why its coordinator can't be asked.
    pub async fn delete_group(&self, group: &str) -> Result<(), ClientError> {
        let request = DeleteGroupsRequest { groups_names: vec![group.into()] };
        let what = || format!("group {group}");
        let doing = format!("delete group {group}");
        self.call_coordinator(group, doing, from(0), &request, |address, response| {
            let result = crate::admin::only(address, response.results, what)?;
            ClientError::check(result.error_code, result.error_message.as_deref(), what)
        })
        .await
    }

    /// Deletes what a group has committed for partitions of a topic (KIP-496).
    ///
    /// # Errors
    /// GROUP_SUBSCRIBED_TO_TOPIC where a member reads the topic, GROUP_ID_NOT_FOUND,
    /// NON_EMPTY_GROUP where its members aren't consumers, or why its coordinator can't be asked.
    pub async fn delete_offsets(
        &self,
        group: &str,
        topic: &str,
        partitions: &[i32],
    ) -> Result<(), ClientError> {
        let partition = |&partition_index| OffsetDeleteRequestPartition { partition_index };
        let request = OffsetDeleteRequest {
            group_id: group.into(),
            topics: vec![OffsetDeleteRequestTopic {
                name: topic.into(),
                partitions: partitions.iter().map(partition).collect(),
            }],
        };
        let doing = format!("delete offsets of group {group} for topic {topic}");
        self.call_coordinator(group, doing, from(0), &request, |address, response| {
            ClientError::check(response.error_code, None, || format!("group {group}"))?;
            let told: Vec<_> = response.topics.iter().flat_map(|topic| &topic.partitions).collect();
            for &partition in partitions {
                let what = || format!("group {group}: partition {topic}-{partition}");
                let told = told.iter().find(|told| told.partition_index == partition);
                let lacks = || ClientError::Unanswered { address: address.clone(), what: what() };
                ClientError::check(told.ok_or_else(lacks)?.error_code, None, what)?;
            }
            Ok(())
        })
        .await
    }
}
