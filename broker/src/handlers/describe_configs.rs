//! DescribeConfigs.

use std::panic::resume_unwind;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use logboom_controller::configs;
use logboom_protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResponse,
};

use super::RequestContext;

/// Resources that are described on the spot; more keep no other connection of the thread waiting.
const AT_ONCE_MAX: usize = 64;

pub(super) async fn handle(
    context: RequestContext,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let (image, config) = (context.node.image(), Arc::clone(&context.node.config));
    let many = request.resources.len() > AT_ONCE_MAX;
    let describe = move || configs::describe_configs(&image, &request, &config);
    if !many {
        return describe();
    }
    spawn_blocking(describe).await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}
