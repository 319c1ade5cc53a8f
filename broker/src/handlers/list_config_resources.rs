//! ListConfigResources (KIP-1142); its version 0 lists subscriptions to clients' metrics.

use logboom_controller::configs;
use logboom_protocol::messages::list_config_resources::{
    ListConfigResourcesRequest, ListConfigResourcesResponse,
};

use super::RequestContext;

pub(super) async fn handle(
    context: RequestContext,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    configs::list_config_resources(&context.node.image(), &request, context.version)
}
