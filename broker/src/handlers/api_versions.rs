//! ApiVersions: what is served, and which features there are.

use logboom_controller::MetadataImage;
use logboom_controller::features::FEATURES;
use logboom_protocol::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use logboom_protocol::{ApiKey, CompactString, ErrorCode, api_versions};

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
    // Before the image, which is no older then.
    let epoch = context.node.controller.followed();
    ApiVersionsResponse {
        api_keys: api_keys.collect(),
        supported_features: supported(context.version),
        finalized_features_epoch: epoch,
        finalized_features: finalized(&context.node.image()),
        ..ApiVersionsResponse::default()
    }
}

fn supported(version: i16) -> Vec<SupportedFeatureKey> {
    let features = FEATURES.iter().map(|feature| SupportedFeatureKey {
        name: CompactString::const_new(feature.name),
        min_version: feature.level_min,
        max_version: feature.level_max,
    });
    let features: Vec<_> = features.collect();
    api_versions::namable_features(&features, version).cloned().collect()
}

/// The levels in force.
fn finalized(image: &MetadataImage) -> Vec<FinalizedFeatureKey> {
    let features = image.features().map(|(name, level)| FinalizedFeatureKey {
        name: name.into(),
        max_version_level: level,
        min_version_level: level,
    });
    features.collect()
}
