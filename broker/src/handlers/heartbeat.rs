//! Heartbeat.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use super::RequestContext;
use crate::coordination::CoordinationError;

pub(super) async fn handle(
    context: RequestContext,
    request: HeartbeatRequest,
) -> HeartbeatResponse {
    let group = request.group_id.clone();
    let beaten =
        context.ask_group(&group, move |coordinator, now, _| coordinator.heartbeat(now, &request));
    let error_code = match beaten.await {
        Ok(error_code) => error_code,
        // As in the reference: the member is known when its partition is read.
        Err(CoordinationError::Loading) => ErrorCode::NONE,
        Err(error) => error.code(),
    };
    HeartbeatResponse { error_code, ..HeartbeatResponse::default() }
}
