//! InitProducerId: ids of idempotent producers (KIP-98, KIP-360).

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::RequestContext;

/// A producer that has no id yet, or no epoch.
const NONE_YET: i16 = -1;

pub(super) async fn handle(
    context: RequestContext,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    if let Err(error_code) = check(&context, &request) {
        return refused(error_code);
    }
    match context.node.next_producer_id().await {
        // A producer that has an id already and no transactions begins anew.
        Ok(producer_id) => {
            InitProducerIdResponse { producer_id, ..InitProducerIdResponse::default() }
        }
        Err(error) => {
            tracing::warn!(%error, "no producer id");
            // What a producer tries again on.
            refused(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)
        }
    }
}

fn check(context: &RequestContext, request: &InitProducerIdRequest) -> Result<(), ErrorCode> {
    let has_id = request.producer_id != NONE_YET.into();
    if has_id != (request.producer_epoch != NONE_YET) {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    let Some(transactional_id) = &request.transactional_id else { return Ok(()) };
    if transactional_id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    let timeout_max_ms = context.node.integer("transaction.max.timeout.ms");
    if !(1..=timeout_max_ms).contains(&request.transaction_timeout_ms.into()) {
        return Err(ErrorCode::INVALID_TRANSACTION_TIMEOUT);
    }
    // Nobody coordinates transactions.
    Err(ErrorCode::COORDINATOR_NOT_AVAILABLE)
}

fn refused(error_code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code,
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    }
}
