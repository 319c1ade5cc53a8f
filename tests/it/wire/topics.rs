//! Statements 81 to 85: topics that are created, grown and deleted.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use logboom_protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
    CreateTopicsResponse,
};
use logboom_protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest,
};
use logboom_protocol::units::Uuid;
use logboom_tests::broker::{Subject, pause, shared};
use logboom_tests::raw::{Raw, topic_name};

use super::{LOOKS_MAX, by_name, made, new_topic, new_topic_with, now_ms, offset_of};

/// The newest versions that the reference has.
const CREATE: i16 = 7;
const GROW: i16 = 3;
const DELETE: i16 = 6;

fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions,
        replication_factor,
        ..CreatableTopic::default()
    }
}

fn configured(name: &str, key: &str, value: Option<&str>) -> CreatableTopic {
    let config = CreatableTopicConfig { name: key.into(), value: value.map(Into::into) };
    CreatableTopic { configs: vec![config], ..topic(name, 1, 1) }
}

/// A topic whose replicas are given for each of its partitions.
fn assigned(name: &str, partitions: &[(i32, &[i32])]) -> CreatableTopic {
    let assignment = |&(partition_index, broker_ids): &(i32, &[i32])| CreatableReplicaAssignment {
        partition_index,
        broker_ids: broker_ids.to_vec(),
    };
    let assignments = partitions.iter().map(assignment).collect();
    CreatableTopic { assignments, ..topic(name, -1, -1) }
}

fn creation(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest { topics, timeout_ms: 30_000, ..Default::default() }
}

/// Topics and their codes, in the order of their names: the reference has an order of its own.
fn codes(response: &CreateTopicsResponse) -> Vec<(String, i16)> {
    let each = response.topics.iter().map(|one| (one.name.to_string(), one.error_code.0));
    let mut codes: Vec<_> = each.collect();
    codes.sort_unstable();
    codes
}

/// Topics that can't be created, and the code for each; their names begin with `name`.
fn bad_topics(name: &str, there: &str) -> Vec<(CreatableTopic, ErrorCode)> {
    let named = |what: &str| format!("{name}-{what}");
    let with = |partitions| CreatableTopic {
        num_partitions: partitions,
        ..assigned(&named("both"), &[(0, &[1])])
    };
    let collides = there.replacen('-', ".", 1);
    let exists = topic(&collides.replacen('.', "-", 1), 1, 1);
    vec![
        (exists, ErrorCode::TOPIC_ALREADY_EXISTS),
        (topic(&named("none"), 0, 1), ErrorCode::INVALID_PARTITIONS),
        (topic(&named("negative"), -2, 1), ErrorCode::INVALID_PARTITIONS),
        (topic(&named("replicas"), 1, 2), ErrorCode::INVALID_REPLICATION_FACTOR),
        (topic(&named("no-replicas"), 1, 0), ErrorCode::INVALID_REPLICATION_FACTOR),
        (assigned(&named("unknown"), &[(0, &[77])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(&named("twice"), &[(0, &[1, 1])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(&named("empty"), &[(0, &[])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(&named("from-1"), &[(1, &[1])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(&named("hole"), &[(0, &[1]), (2, &[1])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (with(1), ErrorCode::INVALID_REQUEST),
        (configured(&named("word"), "retention.ms", Some("soon")), ErrorCode::INVALID_CONFIG),
        (configured(&named("null"), "retention.ms", None), ErrorCode::INVALID_CONFIG),
        (configured(&named("key"), "no.such.key", Some("1")), ErrorCode::INVALID_CONFIG),
        (topic("no/name", 1, 1), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic("..", 1, 1), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic(&"n".repeat(250), 1, 1), ErrorCode::INVALID_TOPIC_EXCEPTION),
    ]
}

#[test]
fn wire_81_good_topics_are_created_beside_bad_ones() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let there = new_topic(&mut raw, "there");
    for (bad, code) in bad_topics(&topic_name("bad"), &there) {
        let (first, last) = (topic_name("a-good"), topic_name("z-good"));
        let topics = vec![topic(&first, 1, 1), bad.clone(), topic(&last, 2, 1)];
        let response = raw.call(CREATE, &creation(topics));
        let mut expected = vec![(first, 0), (bad.name.to_string(), code.0), (last.clone(), 0)];
        expected.sort_unstable();
        assert_eq!(codes(&response), expected, "{bad:?}");
        assert_eq!(made(&mut raw, &last).partitions.len(), 2);
    }
}

#[test]
fn wire_81_a_topic_that_is_there_twice_is_an_invalid_request() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let (twice, once) = (topic_name("a-twice"), topic_name("b-once"));
    let topics = vec![topic(&twice, 1, 1), topic(&once, 1, 1), topic(&twice, 2, 1)];
    let response = raw.call(CREATE, &creation(topics));
    let mut found = codes(&response);
    found.dedup();
    assert_eq!(found, [(twice.clone(), ErrorCode::INVALID_REQUEST.0), (once, 0)]);
    let code = raw.call(12, &by_name(&twice, false)).topics[0].error_code;
    assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn wire_81_minus_one_is_the_brokers_default_and_assignments_are_taken_in_any_order() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    for version in 4..=CREATE {
        let name = topic_name("defaults");
        let response = raw.call(version, &creation(vec![topic(&name, -1, -1)]));
        assert_eq!(codes(&response), [(name.clone(), 0)], "version {version}");
        assert_eq!(made(&mut raw, &name).partitions.len(), 1, "num.partitions");
    }
    let name = topic_name("assigned");
    let node = raw.call(12, &by_name(&name, false)).brokers[0].node_id;
    let given = assigned(&name, &[(1, &[node]), (0, &[node]), (2, &[node])]);
    assert_eq!(codes(&raw.call(CREATE, &creation(vec![given]))), [(name.clone(), 0)]);
    assert_eq!(made(&mut raw, &name).partitions.len(), 3);
}

#[test]
fn wire_82_and_83_validating_answers_as_creating_does_and_creates_nothing() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let there = new_topic(&mut raw, "there");
    let name = topic_name("validated");
    let mut topics: Vec<_> =
        bad_topics(&topic_name("bad"), &there).into_iter().map(|(topic, _)| topic).collect();
    // Two of them share a name.
    topics.retain(|topic| topic.name != "..");
    topics.push(configured(&name, "retention.ms", Some("7")));
    let request = creation(topics);
    let validation = CreateTopicsRequest { validate_only: true, ..request.clone() };
    for version in 5..=CREATE {
        let validated = codes(&raw.call(version, &validation));
        let code = raw.call(12, &by_name(&name, false)).topics[0].error_code;
        assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "only validated");
        if version == CREATE {
            let created = raw.call(version, &request);
            assert_eq!(codes(&created), validated);
            let topic = created.topics.iter().find(|one| one.name == name.as_str()).unwrap();
            assert_eq!((topic.num_partitions, topic.replication_factor), (1, 1));
            let configs = topic.configs.as_ref().unwrap();
            let value = |key| configs.iter().find(|one| one.name == key).unwrap();
            let (of_topic, default) = (1, 5);
            let facts = |key| (value(key).value.as_deref(), value(key).config_source);
            assert_eq!(facts("retention.ms"), (Some("7"), of_topic));
            assert_eq!(facts("cleanup.policy"), (Some("delete"), default));
            assert!(configs.len() > 20, "all that are in force");
        }
    }
}

fn growth(name: &str, count: i32, brokers: Option<&[i32]>) -> CreatePartitionsRequest {
    let assignment = |&id: &i32| CreatePartitionsAssignment { broker_ids: vec![id] };
    let assignments = brokers.map(|brokers| brokers.iter().map(assignment).collect());
    let topic = CreatePartitionsTopic { name: name.into(), count, assignments };
    CreatePartitionsRequest { topics: vec![topic], timeout_ms: 30_000, validate_only: false }
}

/// Waits until a topic has so many partitions.
fn wait_for(raw: &mut Raw, name: &str, partitions: usize) {
    let mut has = || {
        pause();
        raw.call(12, &by_name(name, false)).topics[0].partitions.len() == partitions
    };
    assert!((0..LOOKS_MAX).any(|_| has()), "{partitions} partitions");
}

#[test]
fn wire_84_partitions_are_added_and_never_taken_away() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let name = new_topic_with(&mut raw, "growing", 2, &[]);
    let node = raw.call(12, &by_name(&name, false)).brokers[0].node_id;
    for version in 0..=GROW {
        let count = 3 + usize::try_from(version).unwrap();
        let now = i32::try_from(count).unwrap();
        let mut code = |request: &CreatePartitionsRequest| {
            let results = raw.call(version, request).results;
            let [result] = &results[..] else { panic!("{results:?}") };
            result.error_code
        };
        for fewer in [1, now - 1, 0, -1] {
            assert_eq!(code(&growth(&name, fewer, None)), ErrorCode::INVALID_PARTITIONS, "{fewer}");
        }
        for wrong in [&[77][..], &[], &[node, node]] {
            let request = growth(&name, now, Some(wrong));
            assert_eq!(code(&request), ErrorCode::INVALID_REPLICA_ASSIGNMENT, "{wrong:?}");
        }
        let request = growth(&name, now, None);
        assert_eq!(code(&CreatePartitionsRequest { validate_only: true, ..request }).0, 0);
        assert_eq!(code(&growth(&name, now, Some(&[node]))), ErrorCode::NONE);
        wait_for(&mut raw, &name, count);
    }
    let unknown = raw.call(GROW, &growth(&topic_name("unknown"), 2, None));
    assert_eq!(unknown.results[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

/// Deletes by name, or by id where there is no name.
fn delete(raw: &mut Raw, name: Option<&str>, topic_id: Uuid, version: i16) -> DeletableTopicResult {
    let mut request = DeleteTopicsRequest { timeout_ms: 30_000, ..DeleteTopicsRequest::default() };
    if version < DELETE {
        request.topic_names = name.map(Into::into).into_iter().collect();
    } else {
        request.topics = vec![DeleteTopicState { name: name.map(Into::into), topic_id }];
    }
    raw.call(version, &request).responses.remove(0)
}

fn record() -> bytes::Bytes {
    super::fetch::batch(now_ms(), &["a"])
}

#[test]
fn wire_85_a_deleted_name_can_be_taken_at_once_with_another_id() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let name = topic_name("deleted");
    let mut last_id = Uuid::ZERO;
    for version in 1..=DELETE {
        let response = raw.call(CREATE, &creation(vec![topic(&name, 3, 1)]));
        assert_eq!(codes(&response), [(name.clone(), 0)], "version {version}");
        let id = made(&mut raw, &name).topic_id;
        assert_ne!(id, last_id);
        assert_eq!(offset_of(&mut raw, &name, record()), 0, "nothing of the old one");
        let by_name = (version < DELETE).then_some(&*name);
        let by_id = if version < DELETE { Uuid::ZERO } else { id };
        let result = delete(&mut raw, by_name, by_id, version);
        assert_eq!((result.error_code, result.name.as_deref()), (ErrorCode::NONE, Some(&*name)));
        last_id = id;
    }
}

#[test]
fn wire_85_a_topic_has_either_name_or_id() {
    let subject: Subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let name = new_topic(&mut raw, "kept");
    let id = made(&mut raw, &name).topic_id;
    let mut code = |name, id| delete(&mut raw, name, id, DELETE).error_code;
    assert_eq!(code(Some(&name), id), ErrorCode::INVALID_REQUEST);
    assert_eq!(code(None, Uuid::ZERO), ErrorCode::INVALID_REQUEST);
    assert_eq!(code(None, Uuid([9; 16])), ErrorCode::UNKNOWN_TOPIC_ID);
    let other = topic_name("other");
    assert_eq!(code(Some(&other), Uuid::ZERO), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(made(&mut raw, &name).topic_id, id);
}
