//! DescribeGroups and ListGroups.

use alloc::format;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use logboom_protocol::messages::describe_groups::{DescribedGroup, DescribedGroupMember};
use logboom_protocol::messages::list_groups::{ListGroupsRequest, ListedGroup};
use logboom_protocol::{CompactString, ErrorCode};

use crate::coordinator::Coordinator;
use crate::group::{Group, GroupState};
use crate::member::Member;

/// The state of a group that isn't there.
const DEAD: &str = "Dead";
/// The type of all groups here (KIP-848 has others).
const CLASSIC: &str = "classic";
/// From this version on a group that isn't there is an error (KIP-1043).
const NOT_FOUND_FROM: i16 = 6;

/// Which groups a ListGroups request asks for.
#[derive(Debug, Clone, Copy)]
pub struct GroupFilter {
    /// The states that pass.
    states: [Option<GroupState>; GroupState::ALL.len()],
}

impl GroupFilter {
    /// The filter of a request, in which an empty list passes all. Names are taken without regard
    /// to case; what isn't known passes nothing.
    #[must_use]
    pub fn of(request: &ListGroupsRequest) -> Self {
        let names = |list: &[CompactString], name: &str| {
            list.is_empty() || list.iter().any(|one| one.trim().eq_ignore_ascii_case(name))
        };
        let is_type = names(&request.types_filter, CLASSIC);
        let passes = |state: GroupState| {
            (is_type && names(&request.states_filter, &state.to_string())).then_some(state)
        };
        Self { states: GroupState::ALL.map(passes) }
    }
}

impl Coordinator {
    /// What a group is, for a request of that version.
    #[must_use]
    pub fn describe(&self, id: &CompactString, version: i16) -> DescribedGroup {
        match self.groups.get(id) {
            Some(group) => group.describe(),
            None if version >= NOT_FOUND_FROM => DescribedGroup {
                error_code: ErrorCode::GROUP_ID_NOT_FOUND,
                error_message: Some(format!("Group {id} not found.").into()),
                ..dead(id)
            },
            None => dead(id),
        }
    }

    /// The groups that pass a filter.
    #[must_use]
    pub fn list(&self, filter: &GroupFilter) -> Vec<ListedGroup> {
        let passes = |group: &&Group| filter.states.contains(&Some(group.state()));
        let listed = self.groups.values().filter(passes).map(|group| ListedGroup {
            group_id: group.id.clone(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            group_state: group.state().to_string().into(),
            group_type: CLASSIC.into(),
        });
        listed.collect()
    }
}

fn dead(id: &CompactString) -> DescribedGroup {
    DescribedGroup { group_id: id.clone(), group_state: DEAD.into(), ..DescribedGroup::default() }
}

impl Group {
    fn describe(&self) -> DescribedGroup {
        let protocol = self.protocol.as_ref().filter(|_| self.state() == GroupState::Stable);
        let members = self.members.values().map(|member| describe_member(member, protocol));
        DescribedGroup {
            group_id: self.id.clone(),
            group_state: self.state().to_string().into(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_data: protocol.cloned().unwrap_or_default(),
            members: members.collect(),
            ..DescribedGroup::default()
        }
    }
}

/// A member, with what it says and has where its group is stable.
fn describe_member(member: &Member, protocol: Option<&CompactString>) -> DescribedGroupMember {
    let told = DescribedGroupMember {
        member_id: member.id.clone(),
        group_instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        ..DescribedGroupMember::default()
    };
    match protocol {
        None => told,
        Some(protocol) => DescribedGroupMember {
            member_metadata: member.metadata(protocol),
            member_assignment: member.assignment.clone(),
            ..told
        },
    }
}
