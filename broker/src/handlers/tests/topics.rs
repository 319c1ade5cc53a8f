//! Topics: WIRE 81 to 85.

use logboom_protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsTopic,
};
use logboom_protocol::messages::create_topics::CreatableReplicaAssignment;
use logboom_protocol::messages::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
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

fn add_partitions(name: &str, count: i32) -> CreatePartitionsRequest {
    let topic = CreatePartitionsTopic { name: name.into(), count, assignments: None };
    CreatePartitionsRequest { topics: vec![topic], timeout_ms: 30_000, validate_only: false }
}

/// Deletes by name, or by id where the name is empty.
fn delete(broker: &TestBroker, name: &str, topic_id: Uuid, version: i16) -> DeleteTopicsResponse {
    let names = vec![CompactString::from(name)];
    let mut request = DeleteTopicsRequest { timeout_ms: 30_000, ..DeleteTopicsRequest::default() };
    if version < 6 {
        request.topic_names = names;
    } else {
        let name = Some(CompactString::from(name)).filter(|name| !name.is_empty());
        request.topics = vec![DeleteTopicState { name, topic_id }];
    }
    broker.request(&request, version)
}

#[test]
fn wire_81_good_topics_are_created_beside_bad_ones() {
    let broker = TestBroker::start();
    create(&broker, vec![topic("there", 1)]);
    let assigned = |broker_ids: Vec<i32>| CreatableTopic {
        num_partitions: -1,
        replication_factor: -1,
        assignments: vec![CreatableReplicaAssignment { partition_index: 0, broker_ids }],
        ..topic("assigned", 1)
    };
    let request = creation(vec![
        CreatableTopic { replication_factor: -1, ..topic("defaults", -1) },
        topic("there", 1),
        topic("none", 0),
        CreatableTopic { replication_factor: 2, ..topic("replicas", 1) },
        assigned(vec![7]),
        configured("config", "retention.ms", "soon"),
        topic("no/name", 1),
        topic("twice", 1),
        topic("twice", 1),
    ]);
    let response = broker.request(&request, newest::<CreateTopicsRequest>());
    let codes: Vec<_> = response.topics.iter().map(|topic| topic.error_code.0).collect();
    assert_eq!(codes, [0, 36, 37, 38, 39, 40, 17, 42]);
    assert_eq!(find(&broker, "defaults").partitions.len(), 1);
    assert_eq!(find(&broker, "none").error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
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
fn wire_82_and_83_validating_answers_as_creating_does_and_creates_nothing() {
    let broker = TestBroker::start();
    let version = newest::<CreateTopicsRequest>();
    let request = creation(vec![configured("t", "retention.ms", "7"), topic("none", 0)]);
    let validation = CreateTopicsRequest { validate_only: true, ..request.clone() };
    let mut validated = broker.request(&validation, version);
    assert_eq!(find(&broker, "t").error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);

    let created = broker.request(&request, version);
    // Ids are drawn anew.
    validated.topics[0].topic_id = created.topics[0].topic_id;
    assert_eq!(validated, created);
    let created = &created.topics[0];
    assert_eq!((created.num_partitions, created.replication_factor), (1, 1));
    let configs = created.configs.as_ref().unwrap();
    let value = |name| configs.iter().find(|one| one.name == name).unwrap().value.as_deref();
    assert_eq!((value("retention.ms"), value("cleanup.policy")), (Some("7"), Some("delete")));
}

#[test]
fn wire_84_partitions_are_added_and_never_taken_away() {
    let broker = TestBroker::start();
    create(&broker, vec![topic("t", 2)]);
    for version in versions(ApiKey::CreatePartitions) {
        let response = broker.request(&add_partitions("t", 1), version);
        let codes: Vec<_> = response.results.iter().map(|one| one.error_code).collect();
        assert_eq!(codes, [ErrorCode::INVALID_PARTITIONS]);
        let count = 3 + i32::from(version);
        let response = broker.request(&add_partitions("t", count), version);
        assert_eq!(response.results[0].error_code, ErrorCode::NONE);
        assert_eq!(response.results[0].error_message, None);
        let partitions = find(&broker, "t").partitions.len();
        assert_eq!(i32::try_from(partitions), Ok(count));
    }
    let unknown = broker.request(&add_partitions("other", 2), 3);
    assert_eq!(unknown.results[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn wire_85_a_deleted_name_can_be_taken_at_once_with_another_id() {
    let broker = TestBroker::start();
    let mut last_id = Uuid::ZERO;
    for version in versions(ApiKey::DeleteTopics) {
        let id = create(&broker, vec![topic("t", 3)]).topics[0].topic_id;
        assert_ne!(id, last_id);
        assert_eq!(produce(&broker, "t", 2, None).base_offset, 0, "nothing of the old one");
        let by_id = version >= 6;
        let response = if by_id {
            delete(&broker, "", id, version)
        } else {
            delete(&broker, "t", id, version)
        };
        let result = &response.responses[0];
        assert_eq!((result.error_code, result.name.as_deref()), (ErrorCode::NONE, Some("t")));
        assert_eq!(find(&broker, "t").error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        last_id = id;
    }
}

#[test]
fn wire_85_a_topic_has_either_name_or_id() {
    let broker = TestBroker::start();
    let id = create(&broker, vec![topic("t", 1)]).topics[0].topic_id;
    let code = |name, id| delete(&broker, name, id, 6).responses[0].error_code;
    assert_eq!(code("t", id), ErrorCode::INVALID_REQUEST);
    assert_eq!(code("", Uuid::ZERO), ErrorCode::INVALID_REQUEST);
    assert_eq!(code("", Uuid([9; 16])), ErrorCode::UNKNOWN_TOPIC_ID);
    assert_eq!(code("other", Uuid::ZERO), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(find(&broker, "t").error_code, ErrorCode::NONE);
}

#[test]
fn topics_stay_where_deletion_is_switched_off() {
    let broker = TestBroker::with([("delete.topic.enable", "false")]);
    create(&broker, vec![topic("t", 1)]);
    let code = |version| delete(&broker, "t", Uuid::ZERO, version).responses[0].error_code;
    assert_eq!(code(1), ErrorCode::INVALID_REQUEST);
    assert_eq!(code(6), ErrorCode::TOPIC_DELETION_DISABLED);
    assert_eq!(find(&broker, "t").error_code, ErrorCode::NONE);
}

#[test]
fn topics_outlive_the_broker_and_deleted_ones_do_not() {
    let mut broker = TestBroker::start();
    create(&broker, vec![topic("kept", 2), topic("deleted", 2)]);
    produce(&broker, "kept", 3, None);
    delete(&broker, "deleted", Uuid::ZERO, 6);
    broker.restart();
    assert_eq!(produce(&broker, "kept", 1, None).base_offset, 3);
    assert_eq!(find(&broker, "deleted").error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}
