//! Statements 75 to 80: committed offsets, and what operators ask.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::delete_groups::DeleteGroupsRequest;
use logboom_protocol::messages::describe_groups::DescribeGroupsRequest;
use logboom_protocol::messages::find_coordinator::FindCoordinatorRequest;
use logboom_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use logboom_protocol::messages::list_groups::ListGroupsRequest;
use logboom_protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use logboom_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse,
};
use logboom_protocol::units::Uuid;
use logboom_tests::broker::shared;
use logboom_tests::raw::Raw;

use super::asked::{
    ADMITS, Stable, commit, committing, group, joining, leaving, stable, subscription, syncing,
};
use crate::wire::{made, new_topic};

#[test]
fn wire_75_a_commit_is_of_the_generation_or_of_a_group_without_members() {
    let subject = shared();
    let (name, mut raw) = group(&subject, "commits");
    let topic = new_topic(&mut raw, "commits");
    assert_eq!(commit(&mut raw, &committing(&name, "", -1, &topic, "")), ErrorCode::NONE);
    let joined: JoinGroupResponse = raw.call(ADMITS, &joining(&name, ""));
    let (id, generation) = (joined.member_id.as_str(), joined.generation_id);
    let mut code =
        |id, generation| commit(&mut raw, &committing(&name, id, generation, &topic, ""));
    assert_eq!(code("", -1), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(code(id, generation), ErrorCode::REBALANCE_IN_PROGRESS);
    let sync = syncing(&name, id, generation, &[(id, b"x")]);
    assert_eq!(raw.call(3, &sync).error_code, ErrorCode::NONE);
    let mut code =
        |id, generation| commit(&mut raw, &committing(&name, id, generation, &topic, ""));
    assert_eq!(code(id, generation), ErrorCode::NONE);
    assert_eq!(code("nobody", generation), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(code(id, generation + 1), ErrorCode::ILLEGAL_GENERATION);
    let (other, mut raw) = group(&subject, "no-group");
    let request = committing(&other, "nobody", 1, &topic, "");
    assert_eq!(
        raw.call(8, &request).topics[0].partitions[0].error_code,
        ErrorCode::ILLEGAL_GENERATION
    );
    assert_eq!(
        raw.call(9, &request).topics[0].partitions[0].error_code,
        ErrorCode::GROUP_ID_NOT_FOUND
    );
    let unknown = committing(&other, "", -1, "no-such-topic", "");
    assert_eq!(commit(&mut raw, &unknown), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

fn fetching(group: &str, topics: Option<&[(&str, i32)]>) -> OffsetFetchRequest {
    let topic = |(name, partition): &(&str, i32)| OffsetFetchRequestTopic {
        name: (*name).into(),
        partition_indexes: vec![*partition],
    };
    OffsetFetchRequest {
        group_id: group.into(),
        topics: topics.map(|topics| topics.iter().map(topic).collect()),
        ..Default::default()
    }
}

#[test]
fn wire_76_metadata_of_a_commit_comes_back_and_has_a_limit() {
    let subject = shared();
    let (name, mut raw) = group(&subject, "metadata");
    let topic = new_topic(&mut raw, "metadata");
    // Counted as Java does, not in bytes.
    for metadata in ["", "what I know", &"§".repeat(4_096)] {
        let request = committing(&name, "", -1, &topic, metadata);
        assert_eq!(commit(&mut raw, &request), ErrorCode::NONE);
        let told = raw.call(5, &fetching(&name, Some(&[(&topic, 0)])));
        assert_eq!(told.topics[0].partitions[0].metadata.as_deref(), Some(metadata));
    }
    let request = committing(&name, "", -1, &topic, &"x".repeat(4_097));
    assert_eq!(commit(&mut raw, &request), ErrorCode::OFFSET_METADATA_TOO_LARGE);
}

/// Of one partition: offset, epoch, metadata, error.
fn only(told: &OffsetFetchResponse) -> (i64, i32, Option<&str>, ErrorCode) {
    let one = &told.topics[0].partitions[0];
    (one.committed_offset, one.committed_leader_epoch, one.metadata.as_deref(), one.error_code)
}

#[test]
fn wire_77_what_was_never_committed_is_no_error_and_null_means_all() {
    let subject = shared();
    let (name, mut raw) = group(&subject, "fetches");
    let topic = new_topic(&mut raw, "fetches");
    for version in 1..=7 {
        let told = raw.call(version, &fetching(&name, Some(&[(&topic, 0)])));
        assert_eq!(only(&told), (-1, -1, Some(""), ErrorCode::NONE), "version {version}");
        assert_eq!(told.error_code, ErrorCode::NONE);
    }
    assert_eq!(commit(&mut raw, &committing(&name, "", -1, &topic, "m")), ErrorCode::NONE);
    for version in 5..=7 {
        for topics in [Some(&[(topic.as_str(), 0)][..]), None] {
            let told = raw.call(version, &fetching(&name, topics));
            assert_eq!(only(&told), (5, 0, Some("m"), ErrorCode::NONE), "version {version}");
        }
    }
    for version in 2..=7 {
        let told = raw.call(version, &fetching("no such group", None));
        assert_eq!((told.topics.len(), told.error_code), (0, ErrorCode::NONE));
    }
}

#[test]
fn wire_78_several_groups_are_asked_from_version_8_on_and_topics_have_ids_from_10_on() {
    let subject = shared();
    let (name, mut raw) = group(&subject, "several");
    let topic = new_topic(&mut raw, "several");
    assert_eq!(commit(&mut raw, &committing(&name, "", -1, &topic, "m")), ErrorCode::NONE);
    let id = made(&mut raw, &topic).topic_id;
    // Kafka 4.1 has the last one for tests only.
    let newest = if subject.ours().is_some() { 10 } else { 9 };
    for version in 8..=newest {
        let asked = |topic_id, partitions: &[i32]| OffsetFetchRequestTopics {
            name: if version < 10 { topic.as_str().into() } else { "".into() },
            topic_id: if version < 10 { Uuid::ZERO } else { topic_id },
            partition_indexes: partitions.to_vec(),
        };
        let group = |group_id: &str, topics| OffsetFetchRequestGroup {
            group_id: group_id.into(),
            topics,
            ..Default::default()
        };
        let groups = vec![
            group(&name, Some(vec![asked(id, &[0, 1])])),
            group(&name, None),
            group("no such group", Some(vec![asked(id, &[0])])),
        ];
        let request = OffsetFetchRequest { groups, require_stable: true, ..Default::default() };
        let told = raw.call(version, &request);
        let offsets: Vec<Vec<i64>> = told
            .groups
            .iter()
            .map(|group| {
                assert_eq!(group.error_code, ErrorCode::NONE);
                let partitions = group.topics.iter().flat_map(|topic| &topic.partitions);
                partitions.map(|one| one.committed_offset).collect()
            })
            .collect();
        assert_eq!(offsets, [vec![5, -1], vec![5], vec![-1]], "version {version}");
        if version == 10 {
            assert!(told.groups.iter().all(|group| group.topics[0].topic_id == id));
            let unknown = group(&name, Some(vec![asked(Uuid([9; 16]), &[0])]));
            let request = OffsetFetchRequest { groups: vec![unknown], ..Default::default() };
            let told = raw.call(10, &request);
            let code = told.groups[0].topics[0].partitions[0].error_code;
            assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_ID);
        }
    }
}

#[test]
fn wire_79_coordinators_are_found_one_by_one_or_several_at_once() {
    let subject = shared();
    let (name, mut raw) = group(&subject, "found");
    for version in 0..=6 {
        let mut request = FindCoordinatorRequest::default();
        if version < 4 {
            request.key = name.as_str().into();
        } else {
            request.coordinator_keys = vec![name.as_str().into(), "another".into()];
        }
        let told = raw.call(version, &request);
        if version < 4 {
            assert_eq!(told.error_code, ErrorCode::NONE);
            assert!(told.node_id >= 0 && told.port > 0, "{told:?}");
        } else {
            let keys: Vec<&str> = told.coordinators.iter().map(|one| one.key.as_str()).collect();
            assert_eq!(keys, [&name, "another"]);
            for one in &told.coordinators {
                assert_eq!(one.error_code, ErrorCode::NONE);
                assert!(one.node_id >= 0 && one.port > 0, "{one:?}");
            }
        }
        request.key_type = 9;
        if version >= 1 {
            let told = raw.call(version, &request);
            let code = told.coordinators.first().map_or(told.error_code, |one| one.error_code);
            assert_eq!(code, ErrorCode::INVALID_REQUEST, "version {version}");
        }
    }
}

fn describing(group: &str) -> DescribeGroupsRequest {
    DescribeGroupsRequest { groups: vec![group.into()], include_authorized_operations: false }
}

#[test]
fn wire_80_an_unknown_group_is_dead_and_a_living_one_is_not_deleted() {
    let subject = shared();
    let (name, mut raw) = group(&subject, "operators");
    let topic = new_topic(&mut raw, "operators");
    for version in 0..=6 {
        let told = raw.call(version, &describing("no such group")).groups.remove(0);
        let code = if version < 6 { ErrorCode::NONE } else { ErrorCode::GROUP_ID_NOT_FOUND };
        assert_eq!((told.error_code, told.group_state.as_str()), (code, "Dead"));
    }
    let reads = JoinGroupRequest {
        protocols: vec![logboom_protocol::messages::join_group::JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: subscription(&topic),
        }],
        ..joining(&name, "")
    };
    let joined: JoinGroupResponse = raw.call(ADMITS, &reads);
    let (id, generation) = (joined.member_id.as_str(), joined.generation_id);
    let sync = syncing(&name, id, generation, &[(id, b"x")]);
    assert_eq!(raw.call(3, &sync).error_code, ErrorCode::NONE);
    assert_eq!(commit(&mut raw, &committing(&name, id, generation, &topic, "")), ErrorCode::NONE);
    let told = raw.call(5, &describing(&name)).groups.remove(0);
    assert_eq!((told.group_state.as_str(), told.protocol_data.as_str()), ("Stable", "range"));
    assert_eq!(told.members[0].member_id, id);
    assert_eq!(&told.members[0].member_assignment[..], b"x");
    assert!(told.members[0].client_host.starts_with('/'), "{told:?}");
    assert_eq!(delete(&mut raw, &name), ErrorCode::NON_EMPTY_GROUP);
    assert_eq!(delete_offset(&mut raw, &name, &topic), ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC);
    assert_eq!(state_in_list(&mut raw, &name, &["stable"]).as_deref(), Some("Stable"));
    assert_eq!(state_in_list(&mut raw, &name, &["Empty"]), None);
    raw.call(3, &leaving(&name, &[(id, None)]));
    let told = raw.call(5, &describing(&name)).groups.remove(0);
    assert_eq!((told.group_state.as_str(), told.members.len()), ("Empty", 0));
    assert_eq!(delete_offset(&mut raw, &name, &topic), ErrorCode::NONE);
    let told = raw.call(5, &fetching(&name, Some(&[(&topic, 0)])));
    assert_eq!(only(&told).0, -1);
    assert_eq!(delete(&mut raw, &name), ErrorCode::NONE);
    assert_eq!(delete(&mut raw, &name), ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(state_in_list(&mut raw, &name, &[]), None);
}

fn delete(raw: &mut Raw, group: &str) -> ErrorCode {
    let request = DeleteGroupsRequest { groups_names: vec![group.into()] };
    raw.call(2, &request).results[0].error_code
}

fn delete_offset(raw: &mut Raw, group: &str, topic: &str) -> ErrorCode {
    let topic = OffsetDeleteRequestTopic {
        name: topic.into(),
        partitions: vec![OffsetDeleteRequestPartition { partition_index: 0 }],
    };
    let request = OffsetDeleteRequest { group_id: group.into(), topics: vec![topic] };
    let told = raw.call(0, &request);
    assert_eq!(told.error_code, ErrorCode::NONE);
    told.topics[0].partitions[0].error_code
}

/// The state of a group among those in `states`, if it is there.
fn state_in_list(raw: &mut Raw, group: &str, states: &[&str]) -> Option<String> {
    let request = ListGroupsRequest {
        states_filter: states.iter().map(|state| (*state).into()).collect(),
        types_filter: vec!["Classic".into()],
    };
    let told = raw.call(5, &request);
    assert_eq!(told.error_code, ErrorCode::NONE);
    let found = told.groups.into_iter().find(|one| one.group_id == group)?;
    assert_eq!(
        (found.group_type.to_lowercase().as_str(), found.protocol_type.as_str()),
        ("classic", "consumer")
    );
    Some(found.group_state.to_string())
}

#[test]
fn a_stable_group_has_members_with_parts() {
    let subject = shared();
    let (name, _raw) = group(&subject, "parts");
    let Stable { ids, generation, .. } = stable(&subject, &name, 2);
    assert_eq!((ids.len(), generation), (2, 1));
}
