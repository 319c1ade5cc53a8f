//! AlterPartitionReassignments (KIP-455): moves are wished, and the groups' leaders do them.

use std::sync::Arc;

use logboom_controller::MetadataImage;
use logboom_controller::reassignments::alter_partition_reassignments;
use logboom_protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
};

use super::RequestContext;

pub(super) async fn handle(
    context: RequestContext,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let (timeout_ms, request) = (request.timeout_ms, Arc::new(request));
    let decide = move |image: &MetadataImage| alter_partition_reassignments(image, &request);
    let answer = context.node.controller.decide_within(timeout_ms, decide).await;
    answer.unwrap_or_else(|error| AlterPartitionReassignmentsResponse {
        error_code: error.code(),
        error_message: Some(error.to_string().into()),
        ..AlterPartitionReassignmentsResponse::default()
    })
}
