//! ListGroups: all groups that are coordinated here.

use logboom_groups::GroupFilter;
use logboom_protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};

use super::RequestContext;

pub(super) async fn handle(
    context: RequestContext,
    request: ListGroupsRequest,
) -> ListGroupsResponse {
    let node = &context.node;
    let filter = GroupFilter::of(&request);
    drop(request);
    let listed = node.coordination.ask_all(node, move |coordinator| coordinator.list(&filter));
    match listed.await {
        Ok(groups) => {
            let groups = groups.into_iter().flatten().collect();
            ListGroupsResponse { groups, ..ListGroupsResponse::default() }
        }
        Err(error) => {
            ListGroupsResponse { error_code: error.code(), ..ListGroupsResponse::default() }
        }
    }
}
