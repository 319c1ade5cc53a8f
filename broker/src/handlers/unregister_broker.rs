//! UnregisterBroker: a broker is none of the cluster any more.

use std::sync::Arc;

use logboom_controller::MetadataImage;
use logboom_controller::brokers::unregister_broker;
use logboom_protocol::messages::unregister_broker::{
    UnregisterBrokerRequest, UnregisterBrokerResponse,
};

use super::RequestContext;

pub(super) async fn handle(
    context: RequestContext,
    request: UnregisterBrokerRequest,
) -> UnregisterBrokerResponse {
    let request = Arc::new(request);
    let decide = move |image: &MetadataImage| unregister_broker(image, &request);
    let answer = context.node.controller.decide(decide).await;
    answer.unwrap_or_else(|error| UnregisterBrokerResponse {
        error_code: error.code(),
        error_message: Some(error.to_string().into()),
        ..UnregisterBrokerResponse::default()
    })
}
