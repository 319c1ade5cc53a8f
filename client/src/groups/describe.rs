//! DescribeGroups, and ConsumerGroupDescribe for the groups of KIP-848.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::consumer_group_describe::{
    self, ConsumerGroupDescribeRequest, Member,
};
use logboom_protocol::messages::describe_groups::{
    self, DescribeGroupsRequest, DescribedGroupMember,
};

use super::subscription::{self, Assignment};
use super::{CONSUMER, from};
use crate::{Broker, ClientError, Cluster};

/// A group and its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its name.
    pub group: String,
    /// As "Stable", "Empty".
    pub state: String,
    /// "classic", or "consumer" (KIP-848).
    pub group_type: String,
    /// What its members are to each other: "consumer", "connect"; empty where there were none yet.
    pub protocol_type: String,
    /// How they share, as "range"; empty while that isn't settled.
    pub assignor: String,
    /// The broker that coordinates it.
    pub coordinator: Broker,
    /// Who is in it.
    pub members: Vec<GroupMemberDescription>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMemberDescription {
    /// The id that the coordinator has given it.
    pub member_id: String,
    /// The name that it has given itself (KIP-345).
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// From where it is connected.
    pub host: String,
    /// What it reads; `None` where that can't be known: the group rebalances, or its members
    /// aren't consumers.
    pub assignment: Option<Assignment>,
}

/// The state of a group that isn't there.
const DEAD: &str = "Dead";

impl Cluster {
    /// Describes a group of whichever of both kinds.
    ///
    /// # Errors
    /// GROUP_ID_NOT_FOUND where there is none, another code, or why its coordinator can't be asked.
    pub async fn describe_group(&self, group: &str) -> Result<GroupDescription, ClientError> {
        let coordinator = self.coordinator(group).await?;
        let error = match self.describe_classic(group, &coordinator).await {
            Err(error) if error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => error,
            result => return result,
        };
        match self.describe_consumers(group, &coordinator).await {
            Err(ClientError::UnsupportedVersion { .. }) => Err(error),
            // The first answer says whether it is one of neither kind.
            Err(other) if other.code() == error.code() => Err(error),
            result => result,
        }
    }

    async fn describe_classic(
        &self,
        group: &str,
        coordinator: &Broker,
    ) -> Result<GroupDescription, ClientError> {
        let request = DescribeGroupsRequest {
            groups: vec![group.into()],
            ..DescribeGroupsRequest::default()
        };
        let what = || format!("group {group}");
        let doing = format!("describe group {group}");
        self.call_coordinator(group, doing, from(0), &request, |address, response| {
            let told = crate::admin::only(address, response.groups, what)?;
            ClientError::check(told.error_code, told.error_message.as_deref(), what)?;
            // Old versions have no error for it.
            if told.group_state == DEAD {
                ClientError::check(ErrorCode::GROUP_ID_NOT_FOUND, None, what)?;
            }
            Ok(classic(told, coordinator))
        })
        .await
    }

    async fn describe_consumers(
        &self,
        group: &str,
        coordinator: &Broker,
    ) -> Result<GroupDescription, ClientError> {
        let request = ConsumerGroupDescribeRequest {
            group_ids: vec![group.into()],
            ..ConsumerGroupDescribeRequest::default()
        };
        let what = || format!("group {group}");
        let doing = format!("describe group {group}");
        self.call_coordinator(group, doing, from(0), &request, |address, response| {
            let told = crate::admin::only(address, response.groups, what)?;
            ClientError::check(told.error_code, told.error_message.as_deref(), what)?;
            Ok(consumers(told, coordinator))
        })
        .await
    }
}

fn classic(told: describe_groups::DescribedGroup, coordinator: &Broker) -> GroupDescription {
    let are_consumers = told.protocol_type == CONSUMER;
    let member = |member: DescribedGroupMember| GroupMemberDescription {
        member_id: member.member_id.into(),
        instance_id: member.group_instance_id.map(Into::into),
        client_id: member.client_id.into(),
        host: member.client_host.into(),
        assignment: are_consumers
            .then(|| subscription::decode_assignment(&member.member_assignment))
            .flatten(),
    };
    GroupDescription {
        group: told.group_id.into(),
        state: told.group_state.into(),
        group_type: "classic".to_owned(),
        protocol_type: told.protocol_type.into(),
        assignor: told.protocol_data.into(),
        coordinator: coordinator.clone(),
        members: told.members.into_iter().map(member).collect(),
    }
}

fn consumers(
    told: consumer_group_describe::DescribedGroup,
    coordinator: &Broker,
) -> GroupDescription {
    let member = |member: Member| GroupMemberDescription {
        member_id: member.member_id.into(),
        instance_id: member.instance_id.map(Into::into),
        client_id: member.client_id.into(),
        host: member.client_host.into(),
        assignment: Some(
            member
                .assignment
                .topic_partitions
                .into_iter()
                .map(|one| (one.topic_name.into(), one.partitions))
                .collect(),
        ),
    };
    GroupDescription {
        group: told.group_id.into(),
        state: told.group_state.into(),
        group_type: CONSUMER.to_owned(),
        protocol_type: CONSUMER.to_owned(),
        assignor: told.assignor_name.into(),
        coordinator: coordinator.clone(),
        members: told.members.into_iter().map(member).collect(),
    }
}
