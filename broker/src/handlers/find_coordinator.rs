//! FindCoordinator: nobody coordinates groups or transactions yet, which clients take for a reason
//! to ask again later.

use logboom_protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use logboom_protocol::{CompactString, ErrorCode};

use super::RequestContext;

/// From this version on several keys are asked for at once (KIP-699).
const BATCHED_FROM: i16 = 4;
/// Numbers of the kinds of keys.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub(super) async fn handle(
    context: RequestContext,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let is_batched = context.version >= BATCHED_FROM;
    let (error_code, message) = match request.key_type {
        // As the reference: the message of a batched answer is empty.
        GROUP | TRANSACTION if is_batched => {
            (ErrorCode::COORDINATOR_NOT_AVAILABLE, CompactString::default())
        }
        GROUP | TRANSACTION => {
            (ErrorCode::COORDINATOR_NOT_AVAILABLE, "The coordinator is not available.".into())
        }
        other => {
            let message = format!("key type {other}; 0 group, 1 transaction");
            (ErrorCode::INVALID_REQUEST, message.into())
        }
    };
    let error_message = Some(message);
    let (node_id, host, port) = (-1, CompactString::default(), -1);
    if !is_batched {
        return FindCoordinatorResponse {
            error_code,
            error_message,
            node_id,
            host,
            port,
            ..FindCoordinatorResponse::default()
        };
    }
    let coordinators = request.coordinator_keys.into_iter().map(|key| Coordinator {
        key,
        node_id,
        host: host.clone(),
        port,
        error_code,
        error_message: error_message.clone(),
    });
    let coordinators = coordinators.collect();
    FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() }
}
