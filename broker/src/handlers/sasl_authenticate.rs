//! SaslAuthenticate: of no use on a listener without SASL.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::sasl_authenticate::{
    SaslAuthenticateRequest, SaslAuthenticateResponse,
};

use super::RequestContext;

pub(super) async fn handle(
    _context: RequestContext,
    _request: SaslAuthenticateRequest,
) -> SaslAuthenticateResponse {
    SaslAuthenticateResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE,
        error_message: Some("the listener has no SASL".into()),
        ..SaslAuthenticateResponse::default()
    }
}
