//! UnregisterBroker: a broker is none of the cluster any more.
//!
//! Who has a vote in the metadata log is needed for what is decided, and known by its registration
//! alone: it is refused until the vote is taken away, and while one is being given.

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
    let (changes, id) = (&context.node.voter_changes, request.broker_id);
    let refused = |why: String| UnregisterBrokerResponse {
        error_code: ErrorCode::INVALID_REQUEST,
        error_message: Some(why.into()),
        ..UnregisterBrokerResponse::default()
    };
    let Some(_claim) = changes.claim(id) else {
        return refused(format!(
            "broker {id} is being given a vote in the metadata log, or removed"
        ));
    };
    if changes.has_vote(id).await {
        let why = format!("broker {id} has a vote in the metadata log: remove that one first");
        return refused(why);
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
