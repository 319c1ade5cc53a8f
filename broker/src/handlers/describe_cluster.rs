//! DescribeCluster (KIP-700).

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};

use super::{RequestContext, authorized_operations, metadata};

/// Numbers of the kinds of nodes that a client may ask for (KIP-919).
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(super) async fn handle(
    context: RequestContext,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    match request.endpoint_type {
        BROKERS => describe(&context, &request),
        CONTROLLERS => refused(
            ErrorCode::MISMATCHED_ENDPOINT_TYPE,
            "this listener knows brokers, and not controllers".to_owned(),
        ),
        other => {
            refused(ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, format!("endpoint type {other}; 1 or 2"))
        }
    }
}

fn describe(context: &RequestContext, request: &DescribeClusterRequest) -> DescribeClusterResponse {
    let (node, listener) = (&context.node, &context.client.listener);
    let image = node.image();
    let brokers = if request.include_fenced_brokers {
        metadata::reached(image.brokers(), listener)
    } else {
        metadata::brokers(&image, listener)
    };
    let with_operations = request.include_cluster_authorized_operations;
    DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: node.cluster_id.to_string().into(),
        controller_id: metadata::controller_id(node),
        brokers: brokers
            .into_iter()
            .map(|broker| DescribeClusterBroker {
                broker_id: broker.node_id,
                host: broker.host,
                port: broker.port,
                rack: broker.rack,
                is_fenced: image.is_fenced(broker.node_id),
            })
            .collect(),
        cluster_authorized_operations: authorized_operations::of_cluster(with_operations),
        ..DescribeClusterResponse::default()
    }
}

fn refused(error_code: ErrorCode, message: String) -> DescribeClusterResponse {
    let error_message = Some(message.into());
    DescribeClusterResponse { error_code, error_message, ..DescribeClusterResponse::default() }
}
