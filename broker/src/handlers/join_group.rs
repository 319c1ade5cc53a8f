//! JoinGroup: answered when the group's next generation begins, or at once where it can't be.

use logboom_groups::{JoinRules, Joining, Reply};
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse};

use super::RequestContext;
use crate::node::random_id;

/// From this version on a request says its rebalance timeout.
const REBALANCE_TIMEOUT_FROM: i16 = 1;
/// From this version on a response may have no protocol.
const NULL_PROTOCOL_FROM: i16 = 7;

pub(super) async fn handle(
    context: RequestContext,
    mut request: JoinGroupRequest,
) -> JoinGroupResponse {
    if context.version < REBALANCE_TIMEOUT_FROM {
        request.rebalance_timeout_ms = request.session_timeout_ms;
    }
    let (group, member_id) = (request.group_id.clone(), request.member_id.clone());
    let client_id = context.client_id.clone().unwrap_or_default();
    let client_host = format!("/{}", context.client.address.ip());
    let (rules, random_id) = (JoinRules::of_version(context.version), random_id());
    let version = context.version;
    let reply = context.wait_for_group(&group, move |coordinator, now, ticket, effects| {
        let (client_id, client_host) = (client_id.as_str(), client_host.as_str());
        let by = Joining { ticket, client_id, client_host, random_id, rules };
        coordinator.join(now, by, &request, effects);
    });
    let refused =
        |error_code| JoinGroupResponse { error_code, member_id, ..JoinGroupResponse::default() };
    let mut response = match reply.await {
        Ok(Reply::Join(response)) => response,
        Ok(Reply::Sync(_)) => refused(ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(error) => refused(error.code()),
    };
    if version < NULL_PROTOCOL_FROM {
        response.protocol_name.get_or_insert_default();
    }
    response
}
