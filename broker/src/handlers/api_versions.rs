//! ApiVersions: what is served.

use logboom_protocol::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse,
};
use logboom_protocol::{ApiKey, ErrorCode, api_versions};

use super::RequestContext;

/// The newest version of Produce that isn't served and is advertised: librdkafka before 2.11.1
/// doesn't compress for a broker that doesn't have it.
const PRODUCE_ADVERTISED_FROM: i16 = 0;

pub(super) async fn handle(
    context: RequestContext,
    request: ApiVersionsRequest,
) -> ApiVersionsResponse {
    if !api_versions::is_valid(&request, context.version) {
        return ApiVersionsResponse {
            error_code: ErrorCode::INVALID_REQUEST,
            ..ApiVersionsResponse::default()
        };
    }
    let api_keys = ApiKey::ALL.into_iter().filter_map(|api| {
        let served = super::served(api)?;
        let is_produce = api == ApiKey::Produce;
        let min_version = if is_produce { PRODUCE_ADVERTISED_FROM } else { served.min };
        Some(ApiVersion { api_key: api.to_wire(), min_version, max_version: served.max })
    });
    ApiVersionsResponse { api_keys: api_keys.collect(), ..ApiVersionsResponse::default() }
}
