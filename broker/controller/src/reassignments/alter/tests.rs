//! Moves: what begins, changes and takes back one, and what is refused.

use alloc::vec;
use alloc::vec::Vec;

use logboom_protocol::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use logboom_protocol::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};

use super::*;
use crate::brokers::{RegisterBroker, register_broker};
use crate::leaders::elect_leaders;
use crate::reassignments::list_partition_reassignments;
use crate::record::{BrokerRegistration, LeaderReport};
use crate::samples::{broker, id, report, topic_of};

/// A new partition on brokers, in the directories that they are registered with.
fn partition(replicas: &[i32]) -> Partition {
    let directories = replicas.iter().map(|&id| broker(id, None).directory_id);
    Partition::new(replicas.to_vec(), directories.collect())
}

/// Brokers 1 to 5; topic `t` with one partition on 1, 2 and 3, topic `u` with one on 1.
fn image() -> MetadataImage {
    let brokers = (1..=5).map(|id| MetadataRecord::Broker(broker(id, None)));
    let image = MetadataImage::load(brokers).unwrap();
    let image = image.with(&topic_of(1, "t", [partition(&[1, 2, 3])])).unwrap();
    image.with(&topic_of(2, "u", [partition(&[1])])).unwrap()
}

fn known(image: &MetadataImage) -> &Partition {
    image.partition(id(1), 0).unwrap()
}

/// What a request for one partition says; `None` takes its move back.
fn asked(topic: &str, index: i32, replicas: Option<&[i32]>) -> AlterPartitionReassignmentsRequest {
    let partitions = vec![ReassignablePartition {
        partition_index: index,
        replicas: replicas.map(<[i32]>::to_vec),
    }];
    AlterPartitionReassignmentsRequest {
        topics: vec![ReassignableTopic { name: topic.into(), partitions }],
        ..AlterPartitionReassignmentsRequest::default()
    }
}

/// The image after a move of `t` that is allowed.
fn moved(image: &MetadataImage, replicas: Option<&[i32]>) -> MetadataImage {
    let decision = alter_partition_reassignments(image, &asked("t", 0, replicas));
    let result = &decision.response.responses[0].partitions[0];
    assert_eq!((result.error_code, &result.error_message), (ErrorCode::NONE, &None));
    image.with(&decision.records).unwrap()
}

/// The image after its leader says that these vote, as they are registered.
fn reported(image: &MetadataImage, at: (i32, i64), voters: &[i32]) -> MetadataImage {
    let voter_directories = directories(image, voters);
    let report = LeaderReport { voter_directories, ..report(1, 0, voters[0], at, voters) };
    image.with([&MetadataRecord::Leaders(vec![report])]).unwrap()
}

/// All moves: the partition's replicas, those that come and those that go.
fn listed(image: &MetadataImage) -> Vec<(Vec<i32>, Vec<i32>, Vec<i32>)> {
    let response = list_partition_reassignments(image, &Default::default());
    let partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
    let lists = partitions.map(|one| (one.replicas, one.adding_replicas, one.removing_replicas));
    lists.collect()
}

#[test]
fn a_move_is_a_wish_until_the_voters_are_its_target() {
    let image = moved(&reported(&image(), (0, 0), &[1, 2, 3]), Some(&[4, 2, 5]));
    let wished = known(&image);
    assert_eq!((&*wished.replicas, wished.wish().0), (&[1, 2, 3][..], &[4, 2, 5][..]));
    assert_eq!((wished.generation, wished.is_founding), (1, true));
    assert_eq!(listed(&image), [(vec![4, 2, 5, 1, 3], vec![4, 5], vec![1, 3])]);

    let image = reported(&image, (1, 3), &[2, 4, 5]);
    let done = known(&image);
    assert_eq!((&*done.replicas, done.is_moving()), (&[4, 2, 5][..], false));
    assert_eq!(done.directories, directories(&image, &[4, 2, 5]));
    assert_eq!((done.generation, done.is_founding), (1, false));
    assert_eq!(listed(&image), []);
}

#[test]
fn a_move_that_is_taken_back_leaves_what_was() {
    let before = reported(&image(), (0, 0), &[1, 2, 3]);
    let after = moved(&moved(&before, Some(&[4, 2, 5])), None);
    let expected = Partition { generation: 2, ..known(&before).clone() };
    assert_eq!(known(&after), &expected);
    assert_eq!(listed(&after), []);
}

#[test]
fn a_move_that_was_done_when_it_was_taken_back_is_on_its_way_back() {
    let image = moved(&moved(&image(), Some(&[4, 2, 5])), None);
    let image = reported(&image, (1, 3), &[4, 2, 5]);
    assert_eq!(known(&image).wish().0, [1, 2, 3]);
    assert_eq!(listed(&image), [(vec![1, 2, 3, 4, 5], vec![1, 3], vec![4, 5])]);
    // Wished for again, it is there.
    let again = moved(&image, Some(&[5, 4, 2]));
    assert_eq!((&*known(&again).replicas, listed(&again)), (&[5, 4, 2][..], vec![]));
    assert!(!known(&again).is_founding);
    // Left alone, it comes back.
    let back = reported(&image, (2, 7), &[1, 2, 3]);
    assert_eq!((known(&back).voters().0, listed(&back)), (&[1, 2, 3][..], vec![]));
}

#[test]
fn another_target_takes_the_place_of_the_one_before() {
    let image = moved(&moved(&image(), Some(&[4, 2, 5])), Some(&[3, 4]));
    assert_eq!((known(&image).wish().0, known(&image).generation), (&[3, 4][..], 2));
    let image = reported(&image, (0, 2), &[4, 2, 5]);
    assert!(known(&image).is_moving(), "the former target");
    assert_eq!(listed(&image), [(vec![3, 4, 1, 2, 5], vec![3], vec![2, 5])]);
}

#[test]
fn another_order_of_the_same_replicas_is_in_force_at_once() {
    let image = image();
    let after = moved(&image, Some(&[3, 1, 2]));
    assert_eq!((&*known(&after).replicas, known(&after).is_moving()), (&[3, 1, 2][..], false));
    assert_eq!(known(&after).directories, directories(&image, &[3, 1, 2]));
    assert_eq!((known(&after).generation, known(&after).is_founding), (1, true));
    assert_eq!(known(&after).preferred_leader(), 3);
}

#[test]
fn what_is_wished_for_already_changes_nothing() {
    for wished in [&[1, 2, 3][..], &[4, 2, 5]] {
        let image = moved(&image(), Some(wished));
        let decision = alter_partition_reassignments(&image, &asked("t", 0, Some(wished)));
        assert_eq!(decision.records, []);
        assert_eq!(decision.response.responses[0].partitions[0].error_code, ErrorCode::NONE);
    }
}

#[test]
fn a_broker_with_a_new_directory_takes_its_own_place() {
    let emptied = BrokerRegistration { directory_id: id(77), ..broker(3, None) };
    let records = [MetadataRecord::BrokerRemoved { id: 3 }, MetadataRecord::Broker(emptied)];
    let image = moved(&image().with(&records).unwrap(), Some(&[1, 2, 3]));
    assert!(known(&image).is_moving());
    assert_eq!(known(&image).wish().1[2], id(77));
    assert_eq!(listed(&image), [(vec![1, 2, 3], vec![], vec![])]);
}

#[test]
fn what_is_taken_back_names_the_directories_of_today() {
    let image = moved(&image(), Some(&[4, 5]));
    let image = image.with([&MetadataRecord::BrokerRemoved { id: 3 }]).unwrap();
    let gone = moved(&image, None);
    assert!(!known(&gone).is_moving(), "it names who is gone, as it did");
    let registration = BrokerRegistration { directory_id: id(77), ..broker(3, None) };
    let emptied = RegisterBroker { registration, cluster_id: None };
    let image = image.with(&register_broker(&image, &emptied, id(9)).unwrap().records).unwrap();
    assert_eq!(known(&image).wish().0, [4, 5]);
    let back = moved(&image, None);
    let wished = (&[1, 2, 3][..], &directories(&back, &[1, 2, 3])[..]);
    assert_eq!((known(&back).wish(), known(&back).is_moving()), (wished, true));
    // The same where it comes back after the move was taken back.
    let late = gone.with(&register_broker(&gone, &emptied, id(9)).unwrap().records).unwrap();
    assert_eq!(known(&late).wish(), wished);
}

#[test]
fn who_is_wished_to_lead_is_to_have_a_copy() {
    let topic_partitions = Some(vec![TopicPartitions { topic: "t".into(), partitions: vec![0] }]);
    let request = ElectLeadersRequest { topic_partitions, ..ElectLeadersRequest::default() };
    let image = reported(&image(), (0, 0), &[2, 1, 3]);
    let image = image.with(&elect_leaders(&image, &request).records).unwrap();
    assert_eq!(known(&image).wished_leader, 1);
    assert_eq!(known(&moved(&image, Some(&[4, 1]))).wished_leader, 1);
    assert_eq!(known(&moved(&image, Some(&[4, 2]))).wished_leader, -1);
}

#[test]
fn each_partition_has_its_error_and_good_ones_succeed_beside_it() {
    let image = image();
    let not_fitting = ErrorCode::INVALID_REPLICA_ASSIGNMENT;
    for (topic, index, replicas, code, text) in [
        (
            "v",
            0,
            Some(&[1][..]),
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            "Unable to find a topic named v.",
        ),
        (
            "t",
            1,
            Some(&[1]),
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            "Unable to find partition t:1.",
        ),
        (
            "t",
            0,
            None,
            ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
            "No partition reassignment is in progress.",
        ),
        (
            "t",
            0,
            Some(&[]),
            not_fitting,
            "The manual partition assignment includes an empty replica list.",
        ),
        (
            "t",
            0,
            Some(&[1, 9]),
            not_fitting,
            "The manual partition assignment includes broker 9, but no such broker is registered.",
        ),
        (
            "t",
            0,
            Some(&[1, -1]),
            not_fitting,
            "The manual partition assignment includes broker -1, but no such broker is registered.",
        ),
        (
            "t",
            0,
            Some(&[4, 1, 4]),
            not_fitting,
            "The manual partition assignment includes the broker 4 more than once.",
        ),
    ] {
        let mut request = asked(topic, index, replicas);
        request.topics.extend(asked("u", 0, Some(&[2])).topics);
        let decision = alter_partition_reassignments(&image, &request);
        let results: Vec<_> =
            decision.response.responses.iter().map(|one| &one.partitions[0]).collect();
        assert_eq!((results[0].error_code, results[1].error_code), (code, ErrorCode::NONE));
        assert_eq!(results[0].error_message.as_deref(), Some(text));
        let after = image.with(&decision.records).unwrap();
        assert_eq!(known(&after), known(&image));
        assert_eq!(after.partition(id(2), 0).unwrap().wish().0, [2]);
    }
}

#[test]
fn where_the_number_of_replicas_is_to_stay_it_does() {
    let under_way = moved(&image(), Some(&[4, 5]));
    for (image, replicas, error) in [
        (image(), &[4, 5][..], Some("The replication factor is changed from 3 to 2")),
        (image(), &[4, 5, 1], None),
        // What counts is where the partition is headed.
        (under_way.clone(), &[1, 2, 3], Some("The replication factor is changed from 2 to 3")),
        (under_way, &[1, 2], None),
    ] {
        let request = AlterPartitionReassignmentsRequest {
            allow_replication_factor_change: false,
            ..asked("t", 0, Some(replicas))
        };
        let decision = alter_partition_reassignments(&image, &request);
        assert!(!decision.response.allow_replication_factor_change);
        let result = &decision.response.responses[0].partitions[0];
        let code = error.map_or(ErrorCode::NONE, |_| ErrorCode::INVALID_REPLICATION_FACTOR);
        assert_eq!((result.error_code, result.error_message.as_deref()), (code, error));
        assert_eq!(decision.records.is_empty(), error.is_some());
    }
}

#[test]
fn a_partition_that_is_there_twice_is_changed_twice() {
    let mut request = asked("t", 0, Some(&[4, 5]));
    request.topics.extend(asked("t", 0, None).topics);
    let decision = alter_partition_reassignments(&image(), &request);
    assert_eq!(decision.records.len(), 2);
    let after = image().with(&decision.records).unwrap();
    assert_eq!((known(&after).wish().0, known(&after).generation), (&[1, 2, 3][..], 2));
}

#[test]
fn moves_are_listed_of_the_partitions_that_are_asked_for() {
    let image = moved(&image(), Some(&[4]));
    let of = |name: &str, partition_indexes: Vec<i32>| {
        let topic = ListPartitionReassignmentsTopics { name: name.into(), partition_indexes };
        let topics = Some(vec![topic]);
        let request = ListPartitionReassignmentsRequest { topics, ..Default::default() };
        list_partition_reassignments(&image, &request).topics.len()
    };
    assert_eq!(of("t", vec![0, 7]), 1);
    assert_eq!(of("t", vec![7]), 0);
    assert_eq!(of("u", vec![0]), 0);
    assert_eq!(of("v", vec![0]), 0);
}
