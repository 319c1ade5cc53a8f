//! SyncGroup: answered when the leader has assigned.

use logboom_groups::Reply;
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::RequestContext;

/// From this version on a request says which protocol it believes in (KIP-559).
const PROTOCOL_FROM: i16 = 5;

pub(super) async fn handle(
    context: RequestContext,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    let refused = |error_code| SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
    let names_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    if context.version >= PROTOCOL_FROM && !names_protocol {
        return refused(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
    let group = request.group_id.clone();
    let reply = context.wait_for_group(&group, move |coordinator, now, ticket, effects| {
        coordinator.sync(now, ticket, &request, effects);
    });
    match reply.await {
        Ok(Reply::Sync(response)) => response,
        Ok(Reply::Join(_)) => refused(ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(error) => refused(error.code()),
    }
}
