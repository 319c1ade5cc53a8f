//! CreatePartitions. The topic of groups keeps its number: a group is found by it. The reference
//! (4.1.0) adds the partitions, goes on with the old number until its next start, and doesn't find
//! what groups have committed from then on.

use std::sync::Arc;

use logboom_controller::topics;
use logboom_protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopicResult,
};

use super::RequestContext;
use crate::cluster::ControllerError;
use crate::coordination::OFFSETS_TOPIC;

pub(super) async fn handle(
    context: RequestContext,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let broker = Arc::clone(&context.node.config);
    let placement = context.node.placement.of(request.validate_only);
    let request = Arc::new(request);
    let decided = Arc::clone(&request);
    let is_counted = |name: &str| name == OFFSETS_TOPIC;
    let decide = move |image: &_| {
        topics::create_partitions(image, &decided, &broker, &mut placement.next(), is_counted)
    };
    let answer = match context.node.check_room().await {
        Ok(()) => context.node.controller.decide_within(request.timeout_ms, decide).await,
        Err(error) => Err(error),
    };
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
