//! LeaveGroup.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity,
};

use super::RequestContext;

/// From this version on several members may leave at once.
const SEVERAL_FROM: i16 = 3;

pub(super) async fn handle(
    context: RequestContext,
    mut request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    if context.version < SEVERAL_FROM {
        let member_id = request.member_id.clone();
        request.members = vec![MemberIdentity { member_id, ..MemberIdentity::default() }];
    }
    let group = request.group_id.clone();
    let left = context.ask_group(&group, move |coordinator, now, effects| {
        coordinator.leave(now, &request, effects)
    });
    let mut response = left.await.unwrap_or_else(|error| LeaveGroupResponse {
        error_code: error.code(),
        ..LeaveGroupResponse::default()
    });
    if context.version < SEVERAL_FROM {
        let only = response.members.drain(..).next();
        if response.error_code.is_none() {
            response.error_code = only.map_or(ErrorCode::NONE, |member| member.error_code);
        }
    }
    response
}
