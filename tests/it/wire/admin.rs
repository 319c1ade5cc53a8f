//! Statements 86 to 90: configurations, deleted records, moves, and what is new enough to be
//! missing.

use logboom_protocol::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterableConfig,
};
use logboom_protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use logboom_protocol::messages::api_versions::ApiVersionsRequest;
use logboom_protocol::messages::describe_cluster::DescribeClusterRequest;
use logboom_protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResult,
};
use logboom_protocol::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, TopicRequest,
};
use logboom_protocol::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use logboom_protocol::messages::incremental_alter_configs::{
    self as incremental, IncrementalAlterConfigsRequest,
};
use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use logboom_protocol::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};
use logboom_protocol::{ApiKey, ErrorCode};
use logboom_tests::broker::{pause, shared};
use logboom_tests::raw::{Raw, topic_name};

use super::fetch::{answers, batch, delete_before, fetch_now, wanted};
use super::{
    LOOKS_MAX, PRODUCE, by_name, made, new_topic, new_topic_with, now_ms, offset_of, produce,
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Where a value comes from.
const OF_TOPIC: i8 = 1;
const DEFAULT: i8 = 5;

fn describe(
    raw: &mut Raw,
    kind: i8,
    name: &str,
    keys: Option<&[&str]>,
    detail: bool,
) -> DescribeConfigsResult {
    let resource = DescribeConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configuration_keys: keys.map(|keys| keys.iter().map(|&key| key.into()).collect()),
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: detail,
        include_documentation: detail,
    };
    raw.call(4, &request).results.remove(0)
}

fn value(raw: &mut Raw, topic: &str, key: &str) -> (String, i8) {
    let result = describe(raw, TOPIC, topic, Some(&[key]), false);
    assert_eq!((result.error_code, result.configs.len()), (ErrorCode::NONE, 1));
    (result.configs[0].value.as_deref().unwrap().to_owned(), result.configs[0].config_source)
}

/// Waits until a configuration is in force: in the reference that takes a while.
fn wait_for(raw: &mut Raw, topic: &str, key: &str, expected: (&str, i8)) {
    let mut found = (String::new(), 0);
    for _ in 0..LOOKS_MAX {
        found = value(raw, topic, key);
        if (&*found.0, found.1) == expected {
            return;
        }
        pause();
    }
    panic!("{key} is {found:?}, not {expected:?}");
}

/// Names, values and sources.
fn synonyms_of(config: &DescribeConfigsResourceResult) -> Vec<(&str, Option<&str>, i8)> {
    let synonyms = config.synonyms.iter();
    synonyms.map(|one| (one.name.as_str(), one.value.as_deref(), one.source)).collect()
}

#[test]
fn wire_86_without_keys_every_configuration_comes_with_all_that_is_known() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic_with(&mut raw, "described", 1, &[("retention.ms", "1000")]);
    let all = describe(&mut raw, TOPIC, &topic, None, true);
    assert_eq!((all.error_code, all.resource_type), (ErrorCode::NONE, TOPIC));
    assert!(all.configs.len() > 20, "{}", all.configs.len());
    let retention = all.configs.iter().find(|one| one.name == "retention.ms").unwrap();
    assert_eq!(retention.value.as_deref(), Some("1000"));
    assert_eq!((retention.config_source, retention.config_type), (OF_TOPIC, 5));
    assert_eq!((retention.read_only, retention.is_sensitive), (false, false));
    assert!(retention.documentation.as_ref().is_some_and(|text| !text.is_empty()));
    // Hours that are a default are not listed, though they are what would be in force.
    assert_eq!(synonyms_of(retention), [("retention.ms", Some("1000"), OF_TOPIC)]);
    let policy = all.configs.iter().find(|one| one.name == "cleanup.policy").unwrap();
    assert_eq!(synonyms_of(policy), [("log.cleanup.policy", Some("delete"), DEFAULT)]);
    let plain = describe(&mut raw, TOPIC, &topic, None, false);
    assert_eq!(plain.configs.len(), all.configs.len());
    for one in &plain.configs {
        assert_eq!((&one.documentation, one.synonyms.len()), (&None, 0), "not asked for");
    }
}

#[test]
fn wire_86_a_broker_has_configurations_as_well() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let node = raw.call(12, &by_name("t", false)).brokers[0].node_id.to_string();
    let broker = describe(&mut raw, BROKER, &node, None, false);
    assert_eq!(broker.error_code, ErrorCode::NONE);
    for (name, value, read_only) in [
        ("num.partitions", "1", true),
        ("default.replication.factor", "1", true),
        ("log.cleanup.policy", "delete", false),
        ("compression.type", "producer", false),
        ("message.max.bytes", "1048588", false),
        ("auto.create.topics.enable", "true", true),
    ] {
        let found = broker.configs.iter().find(|one| one.name == name).unwrap();
        let facts = (found.value.as_deref(), found.read_only);
        assert_eq!(facts, (Some(value), read_only), "{name}");
    }
}

#[test]
fn wire_86_with_keys_only_those_come_and_unknown_ones_are_left_out() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "some-keys");
    let result = describe(&mut raw, TOPIC, &topic, Some(&["retention.ms", "no.such.key"]), false);
    let names: Vec<_> = result.configs.iter().map(|one| one.name.as_str()).collect();
    assert_eq!((result.error_code, names), (ErrorCode::NONE, vec!["retention.ms"]));
    let unknown = describe(&mut raw, TOPIC, &topic_name("unknown"), None, false);
    assert_eq!(unknown.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let invalid = describe(&mut raw, TOPIC, "no/name", None, false);
    assert_eq!(invalid.error_code, ErrorCode::INVALID_TOPIC_EXCEPTION);
    let nobody = describe(&mut raw, BROKER, "77", None, false);
    assert_eq!(nobody.error_code, ErrorCode::INVALID_REQUEST);
}

/// Changes one key of a topic; returns the code.
fn change(raw: &mut Raw, topic: &str, key: &str, operation: i8, value: Option<&str>) -> ErrorCode {
    let config = incremental::AlterableConfig {
        name: key.into(),
        config_operation: operation,
        value: value.map(Into::into),
    };
    let resource = incremental::AlterConfigsResource {
        resource_type: TOPIC,
        resource_name: topic.into(),
        configs: vec![config],
    };
    let request =
        IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    raw.call(1, &request).responses[0].error_code
}

#[test]
fn wire_87_single_keys_are_set_deleted_appended_and_subtracted() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "changed");
    for (operation, given, expected) in [
        (2, Some("compact"), ("delete,compact", OF_TOPIC)),
        (2, Some("compact"), ("delete,compact", OF_TOPIC)),
        (3, Some("delete"), ("compact", OF_TOPIC)),
        (0, Some("delete"), ("delete", OF_TOPIC)),
        (1, None, ("delete", DEFAULT)),
    ] {
        let code = change(&mut raw, &topic, "cleanup.policy", operation, given);
        assert_eq!(code, ErrorCode::NONE, "operation {operation}");
        wait_for(&mut raw, &topic, "cleanup.policy", expected);
    }
}

/// An operation that is none: the reference fails over it with UNKNOWN_SERVER_ERROR, we say
/// INVALID_REQUEST.
#[test]
fn wire_87_what_is_refused_has_its_code() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "refused-changes");
    for (key, operation, value, code) in [
        ("no.such.key", 0, Some("1"), ErrorCode::INVALID_CONFIG),
        ("retention.ms", 0, Some("soon"), ErrorCode::INVALID_CONFIG),
        ("retention.ms", 2, Some("1"), ErrorCode::INVALID_CONFIG),
        ("retention.ms", 3, Some("1"), ErrorCode::INVALID_CONFIG),
        ("retention.ms", 0, None, ErrorCode::INVALID_REQUEST),
        ("", 0, Some("1"), ErrorCode::INVALID_CONFIG),
    ] {
        let found = change(&mut raw, &topic, key, operation, value);
        assert_eq!(found, code, "{key} {operation} {value:?}");
    }
    let unknown = change(&mut raw, &topic_name("unknown"), "retention.ms", 0, Some("1"));
    assert_eq!(unknown, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn wire_87_altering_replaces_the_whole_configuration() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic_with(&mut raw, "replaced", 1, &[("retention.ms", "7000")]);
    let config = AlterableConfig { name: "segment.bytes".into(), value: Some("2097152".into()) };
    let resource = AlterConfigsResource {
        resource_type: TOPIC,
        resource_name: topic.as_str().into(),
        configs: vec![config],
    };
    let mut request = AlterConfigsRequest { resources: vec![resource], validate_only: true };
    for version in 0..=2 {
        assert_eq!(raw.call(version, &request).responses[0].error_code, ErrorCode::NONE);
    }
    assert_eq!(value(&mut raw, &topic, "retention.ms").0, "7000", "only validated");
    request.validate_only = false;
    assert_eq!(raw.call(2, &request).responses[0].error_code, ErrorCode::NONE);
    wait_for(&mut raw, &topic, "segment.bytes", ("2097152", OF_TOPIC));
    wait_for(&mut raw, &topic, "retention.ms", ("604800000", DEFAULT));
}

#[test]
fn wire_87_a_changed_configuration_is_in_force() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "in-force");
    assert_eq!(change(&mut raw, &topic, "max.message.bytes", 0, Some("100")), ErrorCode::NONE);
    let large = batch(now_ms(), &[&"x".repeat(200)]);
    let mut code = || {
        pause();
        produce(&mut raw, PRODUCE, &topic, large.clone()).error_code
    };
    assert!((0..LOOKS_MAX).any(|_| code() == ErrorCode::MESSAGE_TOO_LARGE));
}

/// Where a partition begins, as ListOffsets tells.
fn start(raw: &mut Raw, topic: &str) -> i64 {
    let partition = ListOffsetsPartition { timestamp: -2, ..Default::default() };
    let topic = ListOffsetsTopic { name: topic.into(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    raw.call(2, &request).topics[0].partitions[0].offset
}

#[test]
fn wire_88_the_log_start_moves_forward_up_to_the_high_watermark() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "log-start");
    offset_of(&mut raw, &topic, batch(now_ms(), &["a", "b", "c", "d", "e"]));
    let delete = |raw: &mut Raw, topic: &str, offset| {
        let result = delete_before(raw, topic, offset);
        (result.low_watermark, result.error_code)
    };
    assert_eq!(delete(&mut raw, &topic, 3), (3, ErrorCode::NONE));
    assert_eq!(start(&mut raw, &topic), 3);
    assert_eq!(delete(&mut raw, &topic, 2), (3, ErrorCode::NONE), "never back");
    assert_eq!(delete(&mut raw, &topic, 6), (-1, ErrorCode::OFFSET_OUT_OF_RANGE));
    assert_eq!(delete(&mut raw, &topic, -2), (-1, ErrorCode::OFFSET_OUT_OF_RANGE));
    let unknown = delete(&mut raw, &topic_name("unknown"), 0);
    assert_eq!(unknown, (-1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    let answer = produce(&mut raw, PRODUCE, &topic, batch(now_ms(), &["f"]));
    assert_eq!((answer.base_offset, answer.log_start_offset), (5, 3));
    for version in 5..=12 {
        let response = raw.call(version, &fetch_now(&topic, vec![wanted(0, 3)]));
        assert_eq!(answers(&response)[0].log_start_offset, 3, "version {version}");
    }
    assert_eq!(delete(&mut raw, &topic, -1), (6, ErrorCode::NONE));
    assert_eq!(start(&mut raw, &topic), 6);
}

#[test]
fn wire_88_a_topic_that_is_only_compacted_keeps_its_records() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    for (policy, code) in
        [("compact", ErrorCode::POLICY_VIOLATION), ("compact,delete", ErrorCode::NONE)]
    {
        let topic = new_topic_with(&mut raw, "compacted", 1, &[("cleanup.policy", policy)]);
        offset_of(&mut raw, &topic, batch(now_ms(), &["a"]));
        let result = delete_before(&mut raw, &topic, -1);
        assert_eq!(result.error_code, code, "{policy}");
        let low = if code == ErrorCode::NONE { 1 } else { -1 };
        assert_eq!(result.low_watermark, low, "{policy}");
    }
}

/// They are advertised, and answered: no tool needs its fallback.
#[test]
fn wire_89_what_is_advertised_of_the_new_apis_is_answered() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "new-apis");
    let advertised = raw.call(0, &ApiVersionsRequest::default()).api_keys;
    for api in [ApiKey::DescribeCluster, ApiKey::DescribeTopicPartitions] {
        assert!(advertised.iter().any(|one| one.api_key == api.to_wire()), "{api:?}");
    }
    let metadata = raw.call(12, &by_name(&topic, false));
    for version in 0..=1 {
        let cluster = raw.call(version, &DescribeClusterRequest::default());
        assert_eq!(cluster.error_code, ErrorCode::NONE);
        assert_eq!(Some(cluster.cluster_id), metadata.cluster_id);
        let ids: Vec<_> = cluster.brokers.iter().map(|one| one.broker_id).collect();
        assert_eq!(ids, [metadata.brokers[0].node_id]);
    }
    let request = DescribeTopicPartitionsRequest {
        topics: vec![TopicRequest { name: topic.as_str().into() }],
        response_partition_limit: 100,
        cursor: None,
    };
    let found = raw.call(0, &request).topics.remove(0);
    let (id, partitions) = (metadata.topics[0].topic_id, found.partitions.len());
    assert_eq!((found.error_code, found.topic_id, partitions), (ErrorCode::NONE, id, 1));
}

#[test]
fn wire_90_a_partition_that_stands_still_is_not_moved_and_needs_no_election() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "stable");
    let own = made(&mut raw, &topic).partitions[0].leader_id;
    let mut alter = |replicas: Option<Vec<i32>>| {
        let partitions = vec![ReassignablePartition { partition_index: 0, replicas }];
        let topics = vec![ReassignableTopic { name: topic.as_str().into(), partitions }];
        let request = AlterPartitionReassignmentsRequest { topics, ..Default::default() };
        let answer = raw.call(0, &request);
        assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
        answer.responses[0].partitions[0].error_code
    };
    assert_eq!(alter(Some(vec![own])), ErrorCode::NONE);
    assert_eq!(alter(None), ErrorCode::NO_REASSIGNMENT_IN_PROGRESS);
    let asked = ListPartitionReassignmentsTopics {
        name: topic.as_str().into(),
        partition_indexes: vec![0],
    };
    let request =
        ListPartitionReassignmentsRequest { topics: Some(vec![asked]), ..Default::default() };
    let listed = raw.call(0, &request);
    assert_eq!((listed.error_code, listed.topics.len()), (ErrorCode::NONE, 0), "{listed:?}");
    for (version, election_type) in [(0, 0), (1, 0), (2, 0), (2, 1)] {
        let partitions = vec![0];
        let topics = vec![TopicPartitions { topic: topic.as_str().into(), partitions }];
        let request = ElectLeadersRequest {
            election_type,
            topic_partitions: Some(topics),
            ..ElectLeadersRequest::default()
        };
        let answer = raw.call(version, &request);
        let code = answer.replica_election_results[0].partition_result[0].error_code;
        assert_eq!(code, ErrorCode::ELECTION_NOT_NEEDED, "{version} {election_type}");
    }
}
