//! SaslHandshake: of no use on a listener without SASL.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};

use super::RequestContext;

pub(super) async fn handle(
    _context: RequestContext,
    _request: SaslHandshakeRequest,
) -> SaslHandshakeResponse {
    SaslHandshakeResponse { error_code: ErrorCode::ILLEGAL_SASL_STATE, mechanisms: Vec::new() }
}
