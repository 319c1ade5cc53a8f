//! IncrementalAlterConfigs: single keys of a resource (KIP-339).

use std::sync::Arc;

use logboom_controller::configs;
use logboom_protocol::messages::incremental_alter_configs::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

use super::RequestContext;
use crate::cluster::ControllerError;

pub(super) async fn handle(
    context: RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let (broker, asked) = (Arc::clone(&context.node.config), context.asked);
    let request = Arc::new(request);
    let decided = Arc::clone(&request);
    let decide =
        move |image: &_| configs::incremental_alter_configs(image, &decided, &broker, asked);
    let answer = context.node.controller.decide(decide).await;
    answer.unwrap_or_else(|error| refused(&request, error))
}

fn refused(
    request: &IncrementalAlterConfigsRequest,
    error: ControllerError,
) -> IncrementalAlterConfigsResponse {
    let responses = request.resources.iter().map(|resource| AlterConfigsResourceResponse {
        error_code: error.code(),
        error_message: Some(error.to_string().into()),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
    });
    IncrementalAlterConfigsResponse {
        responses: responses.collect(),
        ..IncrementalAlterConfigsResponse::default()
    }
}
