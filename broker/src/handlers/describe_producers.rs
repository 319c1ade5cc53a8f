//! DescribeProducers (KIP-664): which producers a partition knows.

use tokio::sync::oneshot;

use logboom_controller::MetadataImage;
use logboom_controller::topics::check_name;
use logboom_protocol::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState,
    TopicResponse,
};
use logboom_protocol::{CompactString, ErrorCode};

use super::RequestContext;
use crate::node::Node;
use crate::partition::{Command, ProducerDescription};

pub(super) async fn handle(
    context: RequestContext,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let image = context.node.image();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partition_indexes.len());
        for index in topic.partition_indexes {
            partitions.push(describe(&context.node, &image, &topic.name, index).await);
        }
        topics.push(TopicResponse { name: topic.name, partitions });
    }
    DescribeProducersResponse { throttle_time_ms: 0, topics }
}

async fn describe(
    node: &Node,
    image: &MetadataImage,
    topic: &str,
    partition_index: i32,
) -> PartitionResponse {
    let result = match find(node, image, topic, partition_index) {
        Ok(asked) => asked.await.ok().flatten().ok_or((ErrorCode::NOT_LEADER_OR_FOLLOWER, None)),
        Err(error) => Err(error),
    };
    let ((error_code, error_message), producers) = match result {
        Ok(producers) => ((ErrorCode::NONE, None), producers),
        Err(error) => (error, Vec::new()),
    };
    let active_producers = producers.iter().map(state).collect();
    PartitionResponse { partition_index, error_code, error_message, active_producers }
}

type Asked = oneshot::Receiver<Option<Vec<ProducerDescription>>>;

/// Asks the shard of a partition.
fn find(
    node: &Node,
    image: &MetadataImage,
    topic: &str,
    index: i32,
) -> Result<Asked, (ErrorCode, Option<CompactString>)> {
    check_name(topic)
        .map_err(|error| (ErrorCode::INVALID_TOPIC_EXCEPTION, Some(error.to_string().into())))?;
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let no_topic = || (unknown, Some("no topic has that name".into()));
    let topic = image.topic_named(topic).ok_or_else(no_topic)?;
    topic.partition(index).ok_or((unknown, None))?;
    let partition = node.registry.get(topic.id(), index);
    let partition = partition.filter(|partition| partition.leads());
    let partition = partition.ok_or((ErrorCode::NOT_LEADER_OR_FOLLOWER, None))?;
    let (reply, receiver) = oneshot::channel();
    node.shards[partition.shard].send(Command::Producers(partition.key, reply));
    Ok(receiver)
}

fn state(producer: &ProducerDescription) -> ProducerState {
    let ProducerDescription { id, entry } = producer;
    ProducerState {
        producer_id: *id,
        producer_epoch: entry.epoch().into(),
        last_sequence: entry.last_sequence().unwrap_or(-1),
        last_timestamp: entry.last_timestamp(),
        coordinator_epoch: entry.coordinator_epoch(),
        current_txn_start_offset: entry.current_txn_first_offset().unwrap_or(-1),
    }
}
