//! FindCoordinator: the broker that leads the partition of a group. The topic is made when somebody
//! asks for the first time. Nobody coordinates transactions yet, which clients take for a reason to
//! ask again later.

use logboom_protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use logboom_protocol::messages::metadata::MetadataResponseBroker;
use logboom_protocol::{CompactString, ErrorCode};

use super::{RequestContext, metadata};
use crate::coordination::{OFFSETS_TOPIC, ensure_topic, partition_of};
use crate::node::Node;

/// From this version on several keys are asked for at once (KIP-699).
const BATCHED_FROM: i16 = 4;
/// Numbers of the kinds of keys.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub(super) async fn handle(
    context: RequestContext,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let is_batched = context.version >= BATCHED_FROM;
    let keys = if is_batched { request.coordinator_keys } else { vec![request.key] };
    let mut coordinators = Vec::with_capacity(keys.len());
    for key in keys {
        let found = find(&context, request.key_type, &key).await;
        coordinators.push(coordinator(key, found, is_batched));
    }
    if is_batched {
        return FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() };
    }
    let only = coordinators.pop().unwrap_or_default();
    FindCoordinatorResponse {
        error_code: only.error_code,
        error_message: only.error_message,
        node_id: only.node_id,
        host: only.host,
        port: only.port,
        ..FindCoordinatorResponse::default()
    }
}

/// Why there is no coordinator, and what the reference says of it in old versions.
type Refusal = (ErrorCode, CompactString);

fn not_available() -> Refusal {
    (ErrorCode::COORDINATOR_NOT_AVAILABLE, "The coordinator is not available.".into())
}

async fn find(
    context: &RequestContext,
    key_type: i8,
    key: &str,
) -> Result<MetadataResponseBroker, Refusal> {
    match key_type {
        GROUP => {}
        TRANSACTION => return Err(not_available()),
        other => {
            let message = format!("key type {other}; 0 group, 1 transaction");
            return Err((ErrorCode::INVALID_REQUEST, message.into()));
        }
    }
    ensure_topic(&context.node).await.map_err(|_| not_available())?;
    // Whoever is told of a coordinator is to find it ready, unless its partition can't be read.
    context.node.coordination.load(&context.node, key).await;
    let found = leader(&context.node, &context.client.listener, key);
    found.ok_or_else(not_available)
}

/// The broker that leads the partition of a group, as it is reached over a listener.
fn leader(node: &Node, listener: &str, group: &str) -> Option<MetadataResponseBroker> {
    let image = node.image();
    let topic = image.topic_named(OFFSETS_TOPIC).filter(|topic| topic.partition_count() > 0)?;
    let index = partition_of(group, topic.partition_count());
    let partition = topic.partition(index)?;
    let (leader, _) = super::leader::of(node, &image, topic, index, partition);
    let brokers = metadata::brokers(&image, listener);
    brokers.into_iter().find(|broker| broker.node_id == leader)
}

fn coordinator(
    key: CompactString,
    found: Result<MetadataResponseBroker, Refusal>,
    is_batched: bool,
) -> Coordinator {
    match found {
        Ok(MetadataResponseBroker { node_id, host, port, .. }) => Coordinator {
            key,
            node_id,
            host,
            port,
            error_code: ErrorCode::NONE,
            error_message: Some(CompactString::default()),
        },
        Err((error_code, message)) => Coordinator {
            key,
            node_id: -1,
            host: CompactString::default(),
            port: -1,
            // As the reference: the message of a batched answer is empty where it only says to ask
            // again.
            error_message: Some(match error_code {
                ErrorCode::COORDINATOR_NOT_AVAILABLE if is_batched => CompactString::default(),
                _ => message,
            }),
            error_code,
        },
    }
}
