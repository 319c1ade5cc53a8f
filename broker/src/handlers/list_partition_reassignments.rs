//! ListPartitionReassignments (KIP-455).

use logboom_controller::reassignments::list_partition_reassignments;
use logboom_protocol::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

use super::RequestContext;

pub(super) async fn handle(
    context: RequestContext,
    request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    list_partition_reassignments(&context.node.image(), &request)
}
