//! UpdateFeatures (KIP-584): levels of what all brokers can do.

use std::sync::Arc;

use logboom_controller::MetadataImage;
use logboom_controller::features::{FEATURES, update_features};
use logboom_protocol::messages::update_features::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::RequestContext;

pub(super) async fn handle(
    context: RequestContext,
    request: UpdateFeaturesRequest,
) -> UpdateFeaturesResponse {
    let (version, this) = (context.version, context.node.config.broker_id());
    let (timeout_ms, request) = (request.timeout_ms, Arc::new(request));
    let decide =
        move |image: &MetadataImage| update_features(image, &request, version, this, FEATURES);
    let answer = context.node.controller.decide_within(timeout_ms, decide).await;
    answer.unwrap_or_else(|error| UpdateFeaturesResponse {
        error_code: error.code(),
        error_message: Some(error.to_string().into()),
        ..UpdateFeaturesResponse::default()
    })
}
