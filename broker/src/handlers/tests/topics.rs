//! Topics: what is ours, beside what `tests/it/wire/topics.rs` tells of any broker.

use logboom_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use logboom_protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponseTopic,
};

use super::*;

fn find(broker: &TestBroker, name: &str) -> MetadataResponseTopic {
    let topic = MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
    let topics = Some(vec![topic]);
    let request =
        MetadataRequest { topics, allow_auto_topic_creation: false, ..MetadataRequest::default() };
    broker.request(&request, newest::<MetadataRequest>()).topics.remove(0)
}

/// Deletes by name.
fn delete(broker: &TestBroker, name: &str, version: i16) -> ErrorCode {
    let mut request = DeleteTopicsRequest { timeout_ms: 30_000, ..DeleteTopicsRequest::default() };
    if version < 6 {
        request.topic_names = vec![name.into()];
    } else {
        let topic_id = Uuid::ZERO;
        request.topics = vec![DeleteTopicState { name: Some(name.into()), topic_id }];
    }
    broker.request(&request, version).responses[0].error_code
}

#[test]
fn wire_81_every_version_creates_a_topic_that_takes_records_at_once() {
    let broker = TestBroker::start();
    for version in versions(ApiKey::CreateTopics) {
        let name = format!("v{version}");
        let response = broker.request(&creation(vec![topic(&name, 1)]), version);
        assert_eq!(response.topics[0].error_code, ErrorCode::NONE, "{version}");
        assert_eq!(produce(&broker, &name, 1, None).error_code, ErrorCode::NONE, "{version}");
    }
}

#[test]
fn topics_stay_where_deletion_is_switched_off() {
    let broker = TestBroker::with([("delete.topic.enable", "false")]);
    create(&broker, vec![topic("t", 1)]);
    assert_eq!(delete(&broker, "t", 1), ErrorCode::INVALID_REQUEST);
    assert_eq!(delete(&broker, "t", 6), ErrorCode::TOPIC_DELETION_DISABLED);
    assert_eq!(find(&broker, "t").error_code, ErrorCode::NONE);
}

#[test]
fn topics_outlive_the_broker_and_deleted_ones_do_not() {
    let mut broker = TestBroker::start();
    create(&broker, vec![topic("kept", 2), topic("deleted", 2)]);
    produce(&broker, "kept", 3, None);
    assert_eq!(delete(&broker, "deleted", 6), ErrorCode::NONE);
    broker.restart();
    assert_eq!(produce(&broker, "kept", 1, None).base_offset, 3);
    assert_eq!(find(&broker, "deleted").error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}
