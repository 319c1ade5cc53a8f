//! UnregisterBroker: a broker is none of the cluster any more.
//!
//! Who has a vote in the metadata log is needed for what is decided, and known by its registration
//! alone: it is refused until the vote is taken away.

use std::sync::Arc;

use logboom_controller::MetadataImage;
use logboom_controller::brokers::unregister_broker;
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::unregister_broker::{
    UnregisterBrokerRequest, UnregisterBrokerResponse,
};

use super::RequestContext;

pub(super) async fn handle(
    context: RequestContext,
    request: UnregisterBrokerRequest,
) -> UnregisterBrokerResponse {
    if context.node.voter_changes.has_vote(request.broker_id).await {
        let id = request.broker_id;
        let why = format!("broker {id} has a vote in the metadata log: remove that one first");
        return UnregisterBrokerResponse {
            error_code: ErrorCode::INVALID_REQUEST,
            error_message: Some(why.into()),
            ..UnregisterBrokerResponse::default()
        };
    }
    let request = Arc::new(request);
    let decide = move |image: &MetadataImage| unregister_broker(image, &request);
    let answer = context.node.controller.decide(decide).await;
    answer.unwrap_or_else(|error| UnregisterBrokerResponse {
        error_code: error.code(),
        error_message: Some(error.to_string().into()),
        ..UnregisterBrokerResponse::default()
    })
}
