//! CreateTopics.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use logboom_controller::topics::{self, CreateContext};
use logboom_protocol::header::decode_response_header;
use logboom_protocol::messages::create_topics::{
    CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use logboom_protocol::{ErrorCode, Message as _, frame};

use super::RequestContext;
use crate::cluster::{ANSWER_MAX, ControllerError, Others, Request};
use crate::node::{Node, random_id};

/// How long is waited for what another broker has created.
const KNOWN_MAX: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(5);

pub(super) async fn handle(
    context: RequestContext,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let names: Vec<_> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    create_here(&context.node, request).await.unwrap_or_else(|error| CreateTopicsResponse {
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

/// Creates topics, wherever that is decided; answers when they are served, or known here.
///
/// # Errors
/// [`ControllerError`]; whether the topics are there is then not known.
pub(crate) async fn create(
    node: &Node,
    request: CreateTopicsRequest,
) -> Result<CreateTopicsResponse, ControllerError> {
    match &node.others {
        Some(others) if !node.controller.decides() => ask(node, others, &request).await,
        _ => create_here(node, request).await,
    }
}

/// Creates topics, if this broker decides.
async fn create_here(
    node: &Node,
    request: CreateTopicsRequest,
) -> Result<CreateTopicsResponse, ControllerError> {
    let broker = Arc::clone(&node.config);
    let (timeout_ms, validates_only) = (request.timeout_ms, request.validate_only);
    let placement = node.placement.of(validates_only);
    let decide = move |image: &_| {
        let topic_ids = std::iter::repeat_with(random_id);
        let mut context = CreateContext { broker: &broker, topic_ids, placement: placement.next() };
        topics::create_topics(image, &request, &mut context)
    };
    node.check_room().await?;
    let response = node.controller.decide_within(timeout_ms, decide).await?;
    // A majority of two is both.
    let bears_no_loss = |it: &&CreatableTopicResult| {
        it.error_code.is_none() && it.replication_factor == 2 && !validates_only
    };
    for CreatableTopicResult { name, .. } in response.topics.iter().filter(bears_no_loss) {
        tracing::warn!(topic = %name, "with two replicas it takes no records while one is missing");
    }
    Ok(response)
}

/// Has another broker create topics, and waits for a while until they are known here.
async fn ask(
    node: &Node,
    others: &Others,
    request: &CreateTopicsRequest,
) -> Result<CreateTopicsResponse, ControllerError> {
    let version = CreateTopicsRequest::API.versions().max;
    let refused = |_| ControllerError::NotController;
    let frame = frame::encode_request(request, version, 0, None).map_err(refused)?;
    // Without its length.
    let frame = frame.slice(size_of::<i32>()..);
    let request = Request::Forward { listener: String::new(), frame };
    let answer = others.ask(&request, ANSWER_MAX).await?;
    let strange = |_| ControllerError::NotController;
    let answer = answer.slice(size_of::<i32>().min(answer.len())..);
    let header = decode_response_header(CreateTopicsRequest::API, version, &answer);
    let (_, body) = header.map_err(strange)?;
    let response = CreateTopicsResponse::decode(&body, version);
    let response = response.map_err(|_| ControllerError::NotController)?;
    let created = response.topics.iter().filter(|topic| topic.error_code == ErrorCode::NONE);
    let deadline = Instant::now() + KNOWN_MAX;
    for topic in created {
        while node.image().topic_named(&topic.name).is_none() && Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
        }
    }
    Ok(response)
}
