//! DeleteTopics: answered when the partitions are gone here.

use std::sync::Arc;

use logboom_controller::topics;
use logboom_protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse,
};
use logboom_protocol::units::Uuid;

use super::RequestContext;
use crate::cluster::ControllerError;

pub(super) async fn handle(
    context: RequestContext,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let (broker, version) = (Arc::clone(&context.node.config), context.version);
    let request = Arc::new(request);
    let decided = Arc::clone(&request);
    let decide = move |image: &_| topics::delete_topics(image, &decided, version, &broker);
    let answer = context.node.controller.decide_within(request.timeout_ms, decide).await;
    answer.unwrap_or_else(|error| refused(&request, error))
}

fn refused(request: &DeleteTopicsRequest, error: ControllerError) -> DeleteTopicsResponse {
    let named = request.topic_names.iter().map(|name| (Some(name.clone()), Uuid::ZERO));
    let topics = request.topics.iter().map(|topic| (topic.name.clone(), topic.topic_id));
    let responses = named.chain(topics).map(|(name, topic_id)| DeletableTopicResult {
        name,
        topic_id,
        error_code: error.code(),
        error_message: Some(error.to_string().into()),
    });
    DeleteTopicsResponse { responses: responses.collect(), ..DeleteTopicsResponse::default() }
}
