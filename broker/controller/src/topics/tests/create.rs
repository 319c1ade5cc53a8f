//! CreateTopics.

use alloc::vec;
use alloc::vec::Vec;

use logboom_protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreateTopicsRequest,
};
use logboom_protocol::units::Uuid;
use logboom_protocol::{CompactString, ErrorCode};

use super::*;

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignments = assignments.iter().map(|(index, brokers)| CreatableReplicaAssignment {
        partition_index: *index,
        broker_ids: brokers.to_vec(),
    });
    CreatableTopic { assignments: assignments.collect(), ..topic(name, -1, -1) }
}

/// A topic that should be refused, and with which code.
fn bad_topics() -> Vec<(CreatableTopic, ErrorCode)> {
    let name = |name: &str| (topic(name, 1, 1), ErrorCode::INVALID_TOPIC_EXCEPTION);
    let replicas = |assignments: &[(i32, &[i32])]| {
        (assigned("n", assignments), ErrorCode::INVALID_REPLICA_ASSIGNMENT)
    };
    let config = |name: &str, value: Option<&str>| {
        (with_config(topic("n", 1, 1), name, value), ErrorCode::INVALID_CONFIG)
    };
    let both_set = |partitions, replication_factor| {
        let given = assigned("n", &[(0, &[1])]);
        let num_partitions = partitions;
        let topic = CreatableTopic { num_partitions, replication_factor, ..given };
        (topic, ErrorCode::INVALID_REQUEST)
    };
    let conflict = with_config(topic("n", 1, 1), "min.compaction.lag.ms", Some("9"));
    let mut conflict = conflict;
    let max = with_config(topic("n", 1, 1), "max.compaction.lag.ms", Some("8"));
    conflict.configs.extend(max.configs);
    vec![
        name(""),
        name("."),
        name(".."),
        name(&"x".repeat(250)),
        name("a b"),
        name("ä"),
        name("a/b"),
        name("old_one"),
        (topic("__cluster_metadata", 1, 1), ErrorCode::INVALID_REQUEST),
        (topic("old.one", 1, 1), ErrorCode::TOPIC_ALREADY_EXISTS),
        (topic("n", 0, 1), ErrorCode::INVALID_PARTITIONS),
        (topic("n", -2, 1), ErrorCode::INVALID_PARTITIONS),
        (topic("n", 1, 0), ErrorCode::INVALID_REPLICATION_FACTOR),
        (topic("n", 1, -2), ErrorCode::INVALID_REPLICATION_FACTOR),
        (topic("n", 1, 4), ErrorCode::INVALID_REPLICATION_FACTOR),
        (topic("n", 10_001, 1), ErrorCode::POLICY_VIOLATION),
        (topic("n", i32::MAX, 1), ErrorCode::POLICY_VIOLATION),
        replicas(&[(0, &[1]), (0, &[2])]),
        replicas(&[(0, &[1]), (2, &[2])]),
        replicas(&[(1, &[1])]),
        replicas(&[(-1, &[1]), (0, &[1])]),
        replicas(&[(0, &[])]),
        replicas(&[(0, &[4])]),
        replicas(&[(0, &[1, 1])]),
        replicas(&[(0, &[1]), (1, &[1, 2])]),
        both_set(1, -1),
        both_set(-1, 1),
        config("no.such.key", Some("1")),
        config("retention.ms", Some("soon")),
        config("retention.ms", None),
        config("segment.bytes", Some("1")),
        config("remote.storage.enable", Some("true")),
        (conflict, ErrorCode::INVALID_CONFIG),
    ]
}

#[test]
fn wire_81_each_topic_has_its_error_and_good_ones_succeed_beside_it() {
    let image = with_topics(&three_brokers(), vec![topic("old.one", 1, 1)]);
    for (bad, code) in bad_topics() {
        let topics = vec![topic("first", 1, 1), bad.clone(), topic("last", 2, 3)];
        let decision = create(&image, topics, &StaticConfig::default());
        let codes: Vec<_> = decision.response.topics.iter().map(|one| one.error_code).collect();
        assert_eq!(codes, [ErrorCode::NONE, code, ErrorCode::NONE], "{bad:?}");
        let refused = &decision.response.topics[1];
        assert!(refused.error_message.as_ref().is_some_and(|text| !text.is_empty()), "{bad:?}");
        let after = image.with(&decision.records).unwrap();
        assert_eq!(after.topics().len(), 3, "{bad:?}");
        assert_eq!(replicas(&after, "last").len(), 2);
    }
}

#[test]
fn wire_81_minus_one_is_the_brokers_default() {
    let config = [("num.partitions", "4"), ("default.replication.factor", "2")];
    let broker = StaticConfig::new(config).unwrap();
    let decision = create(&three_brokers(), vec![topic("t", -1, -1)], &broker);
    let result = &decision.response.topics[0];
    assert_eq!((result.num_partitions, result.replication_factor), (4, 2));
    assert_eq!(replicas(&three_brokers().with(&decision.records).unwrap(), "t").len(), 4);
    let too_many = StaticConfig::new([("default.replication.factor", "4")]).unwrap();
    let decision = create(&three_brokers(), vec![topic("t", -1, -1)], &too_many);
    let code = decision.response.topics[0].error_code;
    assert_eq!(code, ErrorCode::INVALID_REPLICATION_FACTOR);
}

#[test]
fn wire_81_assignments_are_taken_in_any_order_as_they_are() {
    let given = assigned("t", &[(1, &[3, 1]), (0, &[2, 3])]);
    let image = with_topics(&three_brokers(), vec![given]);
    assert_eq!(replicas(&image, "t"), [[2, 3], [3, 1]]);
    let first = image.topic_named("t").unwrap().partition(0).unwrap();
    let directory = |id| image.broker(id).unwrap().directory_id;
    assert_eq!(first.directories, [directory(2), directory(3)]);
    assert_eq!((first.leader, first.leader_epoch), (2, 0));
}

#[test]
fn an_assignment_needs_one_broker_in_contact_who_is_expected_to_lead() {
    let image = three_brokers();
    let image = image.with(&crate::brokers::fence_brokers(&image, [2, 3]).records).unwrap();
    let topics = vec![assigned("t", &[(0, &[2, 1])]), assigned("u", &[(0, &[1]), (1, &[3])])];
    let decision = create(&image, topics, &StaticConfig::default());
    let [t, u] = &decision.response.topics[..] else { panic!("two results") };
    assert_eq!(t.error_code, ErrorCode::NONE);
    assert_eq!(u.error_code, ErrorCode::INVALID_REPLICA_ASSIGNMENT);
    assert_eq!(
        u.error_message.as_deref(),
        Some(
            "All brokers specified in the manual partition assignment for partition 1 are fenced \
             or in controlled shutdown."
        )
    );
    let after = image.with(&decision.records).unwrap();
    let partition = after.topic_named("t").unwrap().partition(0).unwrap();
    assert_eq!((partition.leader, &*partition.isr), (1, &[1][..]));
    assert_eq!((partition.is_founding, partition.generation), (true, 0));
}

#[test]
fn a_topic_that_is_there_twice_is_created_not_even_once() {
    let topics = vec![topic("t", 1, 1), topic("u", 1, 1), topic("t", 2, 1)];
    let decision = create(&three_brokers(), topics, &StaticConfig::default());
    let results: Vec<_> =
        decision.response.topics.iter().map(|one| (one.name.as_str(), one.error_code)).collect();
    assert_eq!(results, [("t", ErrorCode::INVALID_REQUEST), ("u", ErrorCode::NONE)]);
    assert!(three_brokers().with(&decision.records).unwrap().topic_named("t").is_none());
}

#[test]
fn names_that_collide_within_a_request_do_so_too() {
    let topics = vec![topic("a.b", 1, 1), topic("a_b", 1, 1)];
    let decision = create(&three_brokers(), topics, &StaticConfig::default());
    let codes: Vec<_> = decision.response.topics.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::INVALID_TOPIC_EXCEPTION]);
}

#[test]
fn a_request_creates_so_many_partitions_in_all_and_no_more() {
    let topics = vec![topic("a", 9_999, 1), topic("b", 2, 1), topic("c", 1, 1)];
    let decision = create(&three_brokers(), topics, &StaticConfig::default());
    let codes: Vec<_> = decision.response.topics.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::POLICY_VIOLATION, ErrorCode::NONE]);
    let assignments: Vec<(i32, &[i32])> = (0..10_001).map(|index| (index, &[1][..])).collect();
    let decision =
        create(&three_brokers(), vec![assigned("t", &assignments)], &StaticConfig::default());
    assert_eq!(decision.response.topics[0].error_code, ErrorCode::POLICY_VIOLATION);
}

#[test]
fn an_id_that_is_taken_or_zero_is_passed_over() {
    let image = with_topics(&three_brokers(), vec![topic("a", 1, 1)]);
    assert_eq!(image.topic_named("a").unwrap().id(), id(1));
    let image = with_topics(&image, vec![topic("b", 1, 1), topic("c", 1, 1)]);
    let ids = ["b", "c"].map(|name| image.topic_named(name).unwrap().id());
    assert_eq!(ids, [id(2), id(3)]);
}

#[test]
fn wire_82_validate_only_answers_the_same_and_changes_nothing() {
    let broker = StaticConfig::default();
    let image = with_topics(&three_brokers(), vec![topic("old.one", 1, 1)]);
    let topics = bad_topics().into_iter().map(|(bad, _)| bad);
    for topic in topics.chain([with_config(topic("t", 3, 2), "retention.ms", Some("5"))]) {
        let mut request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let created = create_topics(&image, &request, &mut context(&broker));
        request.validate_only = true;
        let validated = create_topics(&image, &request, &mut context(&broker));
        assert_eq!(validated.response, created.response);
        assert!(validated.records.is_empty());
    }
}

#[test]
fn wire_83_all_effective_configurations_come_back_with_the_numbers() {
    let set = [("log.segment.bytes", "2000000"), ("log.retention.hours", "100")];
    let broker = StaticConfig::new(set).unwrap();
    let wanted = with_config(topic("t", 3, 2), "cleanup.policy", Some("compact"));
    let decision = create(&three_brokers(), vec![wanted], &broker);
    let result = &decision.response.topics[0];
    assert_eq!((result.num_partitions, result.replication_factor), (3, 2));
    assert_ne!(result.topic_id, Uuid::ZERO);
    let configs = result.configs.as_ref().unwrap();
    assert_eq!(configs.len(), crate::config::topic::TABLE.len());
    assert!(configs.is_sorted_by_key(|config| config.name.clone()));
    for (name, value, source) in [
        ("cleanup.policy", "compact", 1),
        ("segment.bytes", "2000000", 4),
        // As in the reference, which shows it as a default in DescribeConfigs.
        ("retention.ms", "360000000", 4),
        ("write.caching", "false", 5),
    ] {
        let config = configs.iter().find(|config| config.name == name).unwrap();
        let found = (config.value.as_deref(), config.config_source, config.read_only);
        assert_eq!(found, (Some(value), source, false), "{name}");
    }
}

#[test]
fn only_what_was_given_is_set() {
    let wanted = with_config(topic("t", 1, 1), "write.caching", Some("true"));
    let image = with_topics(&three_brokers(), vec![wanted]);
    let set: Vec<_> = image.config(&crate::record::ConfigResource::topic("t")).collect();
    assert_eq!(set, [("write.caching", "true")]);
}

#[test]
fn a_value_that_fits_the_log_is_taken_and_a_longer_one_is_not() {
    for (length, code) in [(32_767, ErrorCode::NONE), (32_768, ErrorCode::INVALID_CONFIG)] {
        let mut value = CompactString::from("0:1");
        while value.len() + 4 <= length {
            value.push_str(",0:1");
        }
        value.push_str(&"1".repeat(length - value.len()));
        let key = "leader.replication.throttled.replicas";
        let wanted = with_config(topic("t", 1, 1), key, Some(&value));
        let decision = create(&three_brokers(), vec![wanted], &StaticConfig::default());
        assert_eq!(decision.response.topics[0].error_code, code);
        assert!(decision.records.iter().all(|record| record.encode().is_ok()));
    }
}
