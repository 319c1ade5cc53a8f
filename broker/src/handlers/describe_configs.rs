//! DescribeConfigs.

use logboom_controller::configs;
use logboom_protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResponse,
};

use super::RequestContext;

pub(super) async fn handle(
    context: RequestContext,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    configs::describe_configs(&context.node.image(), &request, &context.node.config)
}
