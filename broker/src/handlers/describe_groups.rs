//! DescribeGroups.

use futures_util::future::join_all;

use logboom_protocol::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup,
};
use logboom_protocol::{CompactString, ErrorCode};

use super::{GROUPS_ANSWER_BYTES, GROUPS_AT_ONCE, RequestContext, authorized_operations};

pub(super) async fn handle(
    context: RequestContext,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    // What is asked for is shorter than what is told.
    let told_bytes = request.groups.len() * size_of::<DescribedGroup>();
    let _room = context.node.answers.take_for(told_bytes);
    let (mut groups, mut bytes) = (Vec::with_capacity(request.groups.len()), 0);
    for asked in request.groups.chunks(GROUPS_AT_ONCE) {
        if bytes >= GROUPS_ANSWER_BYTES {
            groups.extend(asked.iter().cloned().map(put_off));
            continue;
        }
        let told = join_all(asked.iter().map(|group| describe(&context, group.clone()))).await;
        for group in told {
            let is_over = bytes >= GROUPS_ANSWER_BYTES;
            bytes += size(&group);
            groups.push(if is_over { put_off(group.group_id) } else { group });
        }
    }
    for group in groups.iter_mut().filter(|group| group.error_code.is_none()) {
        let is_asked = request.include_authorized_operations;
        group.authorized_operations = authorized_operations::of_group(is_asked);
    }
    DescribeGroupsResponse { throttle_time_ms: 0, groups }
}

/// What is said of a group that is more than an answer holds: a client asks for it again.
fn put_off(group_id: CompactString) -> DescribedGroup {
    let error_code = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
    DescribedGroup { error_code, group_id, ..DescribedGroup::default() }
}

/// Bytes of a group in an answer, about.
fn size(group: &DescribedGroup) -> usize {
    let members = group.members.iter().map(|member| {
        let names = member.member_id.len() + member.client_id.len() + member.client_host.len();
        size_of_val(member) + names + member.member_metadata.len() + member.member_assignment.len()
    });
    size_of_val(group) + group.group_id.len() + members.sum::<usize>()
}

async fn describe(context: &RequestContext, group_id: CompactString) -> DescribedGroup {
    let (version, asked) = (context.version, group_id.clone());
    let described = context
        .ask_group(&group_id, move |coordinator, _, _| coordinator.describe(&asked, version));
    described.await.unwrap_or_else(|error| DescribedGroup {
        error_code: error.code(),
        group_id: group_id.clone(),
        ..DescribedGroup::default()
    })
}
