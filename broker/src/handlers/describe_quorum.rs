//! DescribeQuorum (KIP-595, KIP-836): who votes in the metadata log, and how far each has come.
//!
//! Only the broker that leads it knows; others ask that one, as in the reference.

use tokio::sync::oneshot;

use logboom_controller::MetadataImage;
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, Listener, Node as QuorumNode, ReplicaState,
    ResponsePartitionData, ResponseTopicData,
};
use logboom_protocol::units::Uuid;

use super::RequestContext;
use crate::clock::now_ms;
use crate::cluster::{METADATA, METADATA_TOPIC};
use crate::node::Node;
use crate::partition::{Command, Quorum, QuorumReplica};

/// The version from which on replicas have directories, and voters addresses.
const ADDRESSES_FROM: i16 = 2;
/// What the address is called at which brokers speak to each other, as most installations of the
/// reference call that of their controllers.
const LISTENER: &str = "CONTROLLER";
/// What isn't known.
const UNKNOWN: i64 = -1;

pub(super) async fn handle(
    context: RequestContext,
    request: DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    if !is_metadata(&request) {
        return unknown(request);
    }
    match ask(&context.node).await {
        Some(quorum) => describe(&context.node.image(), &quorum, context.version),
        None => refused(ErrorCode::NOT_LEADER_OR_FOLLOWER),
    }
}

/// Whether exactly the metadata log is asked for.
fn is_metadata(request: &DescribeQuorumRequest) -> bool {
    let [topic] = &request.topics[..] else { return false };
    let [partition] = &topic.partitions[..] else { return false };
    topic.topic_name == METADATA_TOPIC && partition.partition_index == METADATA.partition
}

/// No other partition has a quorum that clients are told of.
fn unknown(request: DescribeQuorumRequest) -> DescribeQuorumResponse {
    let error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| ResponsePartitionData {
            partition_index: partition.partition_index,
            error_code,
            ..ResponsePartitionData::default()
        });
        ResponseTopicData { topic_name: topic.topic_name, partitions: partitions.collect() }
    });
    DescribeQuorumResponse { topics: topics.collect(), ..DescribeQuorumResponse::default() }
}

fn refused(error_code: ErrorCode) -> DescribeQuorumResponse {
    DescribeQuorumResponse { error_code, ..DescribeQuorumResponse::default() }
}

/// What this broker knows of the metadata log's replicas, if it leads it.
async fn ask(node: &Node) -> Option<Quorum> {
    let partition = node.registry.get(METADATA.topic_id, METADATA.partition)?;
    let (reply, answer) = oneshot::channel();
    node.shards[partition.shard].send(Command::Quorum(METADATA, reply));
    answer.await.ok().flatten()
}

fn describe(image: &MetadataImage, quorum: &Quorum, version: i16) -> DescribeQuorumResponse {
    let now_ms = now_ms();
    let states = |voters: bool| {
        let replicas = quorum.replicas.iter().filter(move |replica| replica.is_voter == voters);
        replicas.map(|replica| state(replica, version, now_ms)).collect()
    };
    let partition = ResponsePartitionData {
        partition_index: METADATA.partition,
        leader_id: quorum.leader,
        leader_epoch: quorum.epoch,
        high_watermark: quorum.high_watermark,
        current_voters: states(true),
        observers: states(false),
        ..ResponsePartitionData::default()
    };
    let topic =
        ResponseTopicData { topic_name: METADATA_TOPIC.into(), partitions: vec![partition] };
    let voters = quorum.replicas.iter().filter(|replica| replica.is_voter);
    let nodes = voters.filter(|_| version >= ADDRESSES_FROM).map(|voter| node(image, voter));
    DescribeQuorumResponse {
        topics: vec![topic],
        nodes: nodes.collect(),
        ..DescribeQuorumResponse::default()
    }
}

fn state(replica: &QuorumReplica, version: i16, now_ms: i64) -> ReplicaState {
    let directory = if version < ADDRESSES_FROM { [0; 16] } else { replica.id.directory };
    let time = |ms_ago: Option<u64>| {
        ms_ago.map_or(UNKNOWN, |ago| now_ms.saturating_sub_unsigned(ago).max(0))
    };
    ReplicaState {
        replica_id: replica.id.broker,
        replica_directory_id: Uuid(directory),
        log_end_offset: replica.end_offset.unwrap_or(UNKNOWN),
        last_fetch_timestamp: time(replica.heard_ms_ago),
        last_caught_up_timestamp: time(replica.caught_up_ms_ago),
    }
}

/// A voter's address; none where it is alone.
fn node(image: &MetadataImage, voter: &QuorumReplica) -> QuorumNode {
    let node_id = voter.id.broker;
    let peer = image.node(node_id).and_then(|known| known.peer.clone());
    let listener =
        peer.map(|peer| Listener { name: LISTENER.into(), host: peer.host, port: peer.port });
    QuorumNode { node_id, listeners: listener.into_iter().collect() }
}
