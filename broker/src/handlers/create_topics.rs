//! CreateTopics.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use logboom_controller::topics::{self, CreateContext};
use logboom_protocol::messages::create_topics::{
    CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};

use super::RequestContext;
use crate::cluster::ControllerError;
use crate::node::{Node, random_id};

pub(super) async fn handle(
    context: RequestContext,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let names: Vec<_> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    create(&context.node, request).await.unwrap_or_else(|error| CreateTopicsResponse {
        topics: names
            .into_iter()
            .map(|name| CreatableTopicResult {
                name,
                error_code: error.code(),
                error_message: Some(error.to_string().into()),
                ..CreatableTopicResult::default()
            })
            .collect(),
        ..CreateTopicsResponse::default()
    })
}

/// Creates topics; answers when they are served.
///
/// # Errors
/// [`ControllerError`]; whether the topics are there is then not known.
pub(crate) async fn create(
    node: &Node,
    request: CreateTopicsRequest,
) -> Result<CreateTopicsResponse, ControllerError> {
    let broker = Arc::clone(&node.config);
    let placement_start = node.placement.fetch_add(1, Ordering::Relaxed);
    let timeout_ms = request.timeout_ms;
    let decide = move |image: &_| {
        let topic_ids = std::iter::repeat_with(random_id);
        let mut context = CreateContext { broker: &broker, topic_ids, placement_start };
        topics::create_topics(image, &request, &mut context)
    };
    node.controller.decide_within(timeout_ms, decide).await
}
