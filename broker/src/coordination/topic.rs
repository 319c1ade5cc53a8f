//! `__consumer_offsets`: how it is made, and which of its partitions a group belongs to.

use logboom_controller::topics::replicas_within_reach;
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};

use crate::handlers;
use crate::node::Node;
use crate::server::Sparingly;

/// Somebody asks again at once.
static NOT_CREATED: Sparingly = Sparingly::new();

/// The topic of groups and committed offsets.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The number of the partition that a group belongs to, among `count`: Java's hash of its name.
///
/// # Panics
/// If there are none.
pub(crate) fn partition_of(group: &str, count: usize) -> i32 {
    let hash = group
        .encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    // The one number without an absolute value counts as 0.
    let place = usize::try_from(hash.checked_abs().unwrap_or(0)).unwrap_or(0) % count;
    i32::try_from(place).expect("a topic has no more partitions than that")
}

/// Makes the topic if it isn't there.
///
/// # Errors
/// The code of what prevents it.
pub(crate) async fn ensure_topic(node: &Node) -> Result<(), ErrorCode> {
    if node.image().topic_named(OFFSETS_TOPIC).is_some() {
        return Ok(());
    }
    let wanted = node.integer("offsets.topic.replication.factor");
    let mut replicas = replicas_within_reach(&node.image(), wanted);
    let mut code = create(node, replicas).await;
    // Groups go on with fewer where brokers have no capacity; the rest comes when there is some.
    while code == ErrorCode::POLICY_VIOLATION && replicas > 1 {
        replicas -= 1;
        code = create(node, replicas).await;
    }
    match code {
        // Or somebody else was first.
        ErrorCode::NONE | ErrorCode::TOPIC_ALREADY_EXISTS => {
            node.coordination.load_all(node).await;
            Ok(())
        }
        code => {
            if let Some(passed_over) = NOT_CREATED.allow() {
                tracing::warn!(%code, topic = OFFSETS_TOPIC, passed_over, "not created");
            }
            Err(code)
        }
    }
}

/// Returns the code of the answer.
async fn create(node: &Node, replicas: i16) -> ErrorCode {
    match handlers::create_topic(node, creation(node, replicas)).await {
        Ok(response) => response.topics.first().map_or(ErrorCode::NONE, |topic| topic.error_code),
        Err(error) => error.code(),
    }
}

fn creation(node: &Node, replicas: i16) -> CreateTopicsRequest {
    let config = |name: &str, value: &str| CreatableTopicConfig {
        name: name.into(),
        value: Some(value.into()),
    };
    let segment_bytes = node.integer("offsets.topic.segment.bytes").to_string();
    let topic = CreatableTopic {
        name: OFFSETS_TOPIC.into(),
        num_partitions: i32::try_from(node.integer("offsets.topic.num.partitions")).unwrap_or(1),
        replication_factor: replicas,
        configs: vec![
            config("cleanup.policy", "compact"),
            config("compression.type", "producer"),
            config("segment.bytes", &segment_bytes),
        ],
        ..CreatableTopic::default()
    };
    CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_where_java_finds_it() {
        // `Utils.abs("…".hashCode()) % 50`, the names being ones that overflow, have no absolute
        // value, or are of letters beyond 16 bits.
        for (group, partition) in [
            ("", 0),
            ("a", 47),
            ("console-consumer-12345", 6),
            ("polygenelubricants", 0),
            ("gruppe-ä", 48),
            ("g😀", 32),
        ] {
            assert_eq!(partition_of(group, 50), partition, "{group}");
        }
    }
}
