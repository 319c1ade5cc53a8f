//! SyncGroup: answered when the leader has assigned.

use logboom_groups::Reply;
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::RequestContext;

pub(super) async fn handle(
    context: RequestContext,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    let (node, group) = (&context.node, request.group_id.clone());
    let reply = node.coordination.wait(node, &group, move |coordinator, now, ticket, effects| {
        coordinator.sync(now, ticket, &request, effects);
    });
    let refused = |error_code| SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
    match reply.await {
        Ok(Reply::Sync(response)) => response,
        Ok(Reply::Join(_)) => refused(ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(error) => refused(error.code()),
    }
}
