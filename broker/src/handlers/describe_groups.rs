//! DescribeGroups.

use futures_util::future::join_all;

use logboom_protocol::CompactString;
use logboom_protocol::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup,
};

use super::{RequestContext, authorized_operations};

pub(super) async fn handle(
    context: RequestContext,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let groups = request.groups.into_iter().map(|group| describe(&context, group));
    let mut groups = join_all(groups).await;
    for group in groups.iter_mut().filter(|group| group.error_code.is_none()) {
        let is_asked = request.include_authorized_operations;
        group.authorized_operations = authorized_operations::of_group(is_asked);
    }
    DescribeGroupsResponse { throttle_time_ms: 0, groups }
}

async fn describe(context: &RequestContext, group_id: CompactString) -> DescribedGroup {
    let (node, version, asked) = (&context.node, context.version, group_id.clone());
    let described = node
        .coordination
        .ask(node, &group_id, move |coordinator, _, _| coordinator.describe(&asked, version));
    described.await.unwrap_or_else(|error| DescribedGroup {
        error_code: error.code(),
        group_id: group_id.clone(),
        ..DescribedGroup::default()
    })
}
