//! CreatePartitions.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use logboom_controller::topics;
use logboom_protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopicResult,
};

use super::RequestContext;
use crate::cluster::ControllerError;

pub(super) async fn handle(
    context: RequestContext,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let placement_start = context.node.placement.fetch_add(1, Ordering::Relaxed);
    let request = Arc::new(request);
    let decided = Arc::clone(&request);
    let decide = move |image: &_| topics::create_partitions(image, &decided, placement_start);
    let answer = context.node.controller.decide_within(request.timeout_ms, decide).await;
    answer.unwrap_or_else(|error| refused(&request, error))
}

fn refused(request: &CreatePartitionsRequest, error: ControllerError) -> CreatePartitionsResponse {
    let results = request.topics.iter().map(|topic| CreatePartitionsTopicResult {
        name: topic.name.clone(),
        error_code: error.code(),
        error_message: Some(error.to_string().into()),
    });
    CreatePartitionsResponse { results: results.collect(), ..CreatePartitionsResponse::default() }
}
