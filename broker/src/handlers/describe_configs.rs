//! DescribeConfigs.

use tokio::task::yield_now;

use logboom_controller::configs;
use logboom_protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResponse,
};

use super::RequestContext;

/// Resources that are described before others have their turn on the thread.
const PER_TURN: usize = 64;

pub(super) async fn handle(
    context: RequestContext,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let (image, config) = (context.node.image(), &context.node.config);
    let mut described = configs::describe_configs(&image, &request, config);
    let mut results = Vec::new();
    loop {
        let before = results.len();
        results.extend(described.by_ref().take(PER_TURN));
        if results.len() < before + PER_TURN {
            return DescribeConfigsResponse { throttle_time_ms: 0, results };
        }
        yield_now().await;
    }
}
