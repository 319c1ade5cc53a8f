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
use crate::node::Node;

pub(super) async fn handle(
    context: RequestContext,
    request: UnregisterBrokerRequest,
) -> UnregisterBrokerResponse {
    let node = Arc::clone(&context.node);
    // Whoever asks may go away; nobody gives it a vote until it is decided.
    let decided = tokio::spawn(async move { unregister(&node, request).await });
    let answer = decided.await.unwrap_or_else(|_| {
        Err((ErrorCode::UNKNOWN_SERVER_ERROR, "it isn't known what became of it".to_owned()))
    });
    answer.unwrap_or_else(|(error_code, why)| UnregisterBrokerResponse {
        error_code,
        error_message: Some(why.into()),
        ..UnregisterBrokerResponse::default()
    })
}

async fn unregister(
    node: &Node,
    request: UnregisterBrokerRequest,
) -> Result<UnregisterBrokerResponse, (ErrorCode, String)> {
    let (changes, id) = (&node.voter_changes, request.broker_id);
    let refused = |why: String| Err((ErrorCode::INVALID_REQUEST, why));
    let Some(_claim) = changes.claim(id) else {
        return refused(format!(
            "broker {id} is being given a vote in the metadata log, or removed"
        ));
    };
    if changes.has_vote(id).await {
        return refused(format!(
            "broker {id} has a vote in the metadata log: remove that one first"
        ));
    }
    let decide = move |image: &MetadataImage| unregister_broker(image, &request);
    let answer = node.controller.decide(decide).await;
    answer.map_err(|error| (error.code(), error.to_string()))
}
