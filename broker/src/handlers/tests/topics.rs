//! Topics: what is ours, beside what `tests/it/wire/topics.rs` tells of any broker.

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, thread};

use logboom_protocol::messages::create_topics::CreatableTopicConfig;
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
fn a_topic_that_is_only_asked_for_takes_no_room() {
    let broker = TestBroker::with([
        ("balance.capacity.partitions", "2"),
        ("balance.report.interval.ms", "100"),
    ]);
    let asked = |name, partitions, validate_only| {
        let request = creation(vec![topic(name, partitions)]);
        let request = CreateTopicsRequest { validate_only, ..request };
        broker.request(&request, newest::<CreateTopicsRequest>()).topics[0].error_code
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while asked("large", 3, true) != ErrorCode::POLICY_VIOLATION {
        assert!(Instant::now() < deadline, "nobody has said what there is room for");
        thread::yield_now();
    }
    assert_eq!(asked("t", 2, true), ErrorCode::NONE);
    assert_eq!(asked("t", 2, false), ErrorCode::NONE);
    assert_eq!(asked("u", 1, false), ErrorCode::POLICY_VIOLATION, "there is no more");
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

#[test]
fn files_of_deleted_topics_go_when_their_topics_delay_is_over() {
    let broker = TestBroker::start();
    for (name, delay_ms) in [("soon", "1"), ("late", "3600000")] {
        let delay = CreatableTopicConfig {
            name: "file.delete.delay.ms".into(),
            value: Some(delay_ms.into()),
        };
        create(&broker, vec![CreatableTopic { configs: vec![delay], ..topic(name, 1) }]);
        produce(&broker, name, 3, None);
    }
    let root = broker.broker().node().directory.root().join("partitions");
    let dirs = || fs::read_dir(&root).unwrap().map(|dir| dir.unwrap().path()).collect::<Vec<_>>();
    let late = find(&broker, "late").topic_id.to_string();
    let all = dirs().len();
    for name in ["soon", "late"] {
        assert_eq!(delete(&broker, name, 5), ErrorCode::NONE);
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while dirs().len() == all {
        assert!(Instant::now() < deadline, "{:?}", dirs());
        thread::yield_now();
    }
    let is_late = |dir: &PathBuf| dir.to_string_lossy().contains(&late);
    let left = dirs().into_iter().find(is_late).unwrap();
    assert_eq!(left.extension().unwrap(), "deleted");
}
