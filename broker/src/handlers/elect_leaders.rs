//! ElectLeaders: the preferred replicas are wished to lead; answered when they do, or the time is
//! over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use logboom_controller::MetadataImage;
use logboom_controller::leaders::elect_leaders;
use logboom_controller::record::NO_BROKER;
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, ReplicaElectionResult,
};

use super::RequestContext;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

pub(super) async fn handle(
    context: RequestContext,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let wait = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let deadline = Instant::now() + wait;
    let (timeout_ms, request) = (request.timeout_ms, Arc::new(request));
    let decide = move |image: &MetadataImage| elect_leaders(image, &request);
    let mut response = match context.node.controller.decide_within(timeout_ms, decide).await {
        Ok(response) => response,
        Err(error) => {
            let error_code = error.code();
            return ElectLeadersResponse { error_code, ..ElectLeadersResponse::default() };
        }
    };
    for topic in &mut response.replica_election_results {
        wait_for(&context, topic, deadline).await;
    }
    response
}

/// Waits until what is wished has come, or the time is over.
async fn wait_for(context: &RequestContext, topic: &mut ReplicaElectionResult, deadline: Instant) {
    let wished = topic.partition_result.iter_mut().filter(|it| it.error_code == ErrorCode::NONE);
    for one in wished {
        let is_over = || {
            let image = context.node.image();
            let partition =
                image.topic_named(&topic.topic).and_then(|topic| topic.partition(one.partition_id));
            partition.is_none_or(|partition| partition.wished_leader == NO_BROKER)
        };
        while !is_over() && Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
        }
        if !is_over() {
            one.error_code = ErrorCode::REQUEST_TIMED_OUT;
        }
    }
}
