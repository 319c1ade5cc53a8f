//! CreatePartitions.

use alloc::vec;
use alloc::vec::Vec;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsResponse,
    CreatePartitionsTopic,
};

use super::*;

/// A topic by whose number of partitions something is found.
const COUNTED: &str = "counted";

fn more(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsTopic {
    let assignment = |ids: &&[i32]| CreatePartitionsAssignment { broker_ids: ids.to_vec() };
    let assignments = assignments.map(|list| list.iter().map(assignment).collect());
    CreatePartitionsTopic { name: name.into(), count, assignments }
}

fn add(
    image: &MetadataImage,
    topics: Vec<CreatePartitionsTopic>,
) -> Decision<CreatePartitionsResponse> {
    let request = CreatePartitionsRequest { topics, ..Default::default() };
    let config = StaticConfig::default();
    create_partitions(image, &request, &config, &mut InTurns(0), |name| name == COUNTED)
}

#[test]
fn wire_84_every_topic_has_one_result_and_none_shrinks() {
    let image = with_topics(&three_brokers(), vec![topic("t", 2, 2), topic("u", 1, 1)]);
    for (wanted, code) in [
        (more("t", 3, None), ErrorCode::NONE),
        (more("t", 3, Some(&[&[3, 1]])), ErrorCode::NONE),
        (more("t", 2, None), ErrorCode::INVALID_PARTITIONS),
        (more("t", 1, None), ErrorCode::INVALID_PARTITIONS),
        (more("t", -1, None), ErrorCode::INVALID_PARTITIONS),
        (more("v", 2, None), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (more("t", 3, Some(&[])), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (more("t", 3, Some(&[&[1, 2], &[2, 3]])), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (more("t", 3, Some(&[&[1]])), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (more("t", 3, Some(&[&[1, 1]])), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (more("t", 3, Some(&[&[1, 4]])), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (more("t", i32::MAX, None), ErrorCode::POLICY_VIOLATION),
        (more("t", 10_003, None), ErrorCode::POLICY_VIOLATION),
    ] {
        let decision = add(&image, vec![wanted.clone(), more("u", 2, None)]);
        let results: Vec<_> =
            decision.response.results.iter().map(|r| (r.name.as_str(), r.error_code)).collect();
        assert_eq!(results, [(wanted.name.as_str(), code), ("u", ErrorCode::NONE)], "{wanted:?}");
        let after = image.with(&decision.records).unwrap();
        assert_eq!(replicas(&after, "u").len(), 2, "{wanted:?}");
        assert_eq!(replicas(&after, "t").len(), if code.is_none() { 3 } else { 2 }, "{wanted:?}");
    }
}

#[test]
fn a_topic_that_is_there_twice_has_one_result_and_stays() {
    let image = with_topics(&three_brokers(), vec![topic("t", 1, 1)]);
    let decision = add(&image, vec![more("t", 2, None), more("t", 3, None)]);
    let codes: Vec<_> = decision.response.results.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [ErrorCode::INVALID_REQUEST]);
    assert!(decision.records.is_empty());
}

#[test]
fn a_number_by_which_something_is_found_stays() {
    let image = with_topics(&three_brokers(), vec![topic(COUNTED, 2, 1), topic("t", 1, 1)]);
    let decision = add(&image, vec![more(COUNTED, 3, None), more("t", 2, None)]);
    let codes: Vec<_> = decision.response.results.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [ErrorCode::INVALID_PARTITIONS, ErrorCode::NONE]);
    let after = image.with(&decision.records).unwrap();
    assert_eq!((replicas(&after, COUNTED).len(), replicas(&after, "t").len()), (2, 2));
    let missing = add(&three_brokers(), vec![more(COUNTED, 3, None)]);
    let code = missing.response.results[0].error_code;
    assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn validate_only_adds_nothing() {
    let image = with_topics(&three_brokers(), vec![topic("t", 1, 1)]);
    let topics = vec![more("t", 2, None)];
    let request = CreatePartitionsRequest { topics, validate_only: true, ..Default::default() };
    let config = StaticConfig::default();
    let mut turns = InTurns(0);
    let decision = create_partitions(&image, &request, &config, &mut turns, |name| name == COUNTED);
    assert_eq!(decision.response, add(&image, vec![more("t", 2, None)]).response);
    assert!(decision.records.is_empty());
}

#[test]
fn new_partitions_go_on_where_the_old_ones_ended() {
    let image = with_topics(&three_brokers(), vec![topic("t", 2, 2)]);
    let grown = image.with(&add(&image, vec![more("t", 5, None)]).records).unwrap();
    let at_once = with_topics(&three_brokers(), vec![topic("t", 5, 2)]);
    assert_eq!(replicas(&grown, "t"), replicas(&at_once, "t"));
}
