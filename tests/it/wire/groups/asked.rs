//! The requests of these tests, with what most of them say.

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::find_coordinator::FindCoordinatorRequest;
use logboom_protocol::messages::heartbeat::HeartbeatRequest;
use logboom_protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use logboom_protocol::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity,
};
use logboom_protocol::messages::list_groups::ListGroupsRequest;
use logboom_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use logboom_protocol::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};
use logboom_tests::broker::{Subject, pause};
use logboom_tests::raw::{Raw, topic_name};

/// How often a coordinator is looked for that comes to be.
const LOOKS_MAX: usize = 6_000;
/// A version of JoinGroup that admits members at once.
pub(super) const ADMITS: i16 = 3;

/// A group that nobody else has, and a connection to its coordinator.
pub(super) fn group(subject: &Subject, test: &str) -> (String, Raw) {
    let name = topic_name(test);
    let mut raw = Raw::connect(&subject.bootstrap());
    let request = FindCoordinatorRequest { key: name.as_str().into(), ..Default::default() };
    for _ in 0..LOOKS_MAX {
        let found = raw.call(1, &request);
        match found.error_code {
            ErrorCode::NONE => {
                let mut raw = Raw::connect(&format!("{}:{}", found.host, found.port));
                wait_until_loaded(&mut raw, &name);
                return (name, raw);
            }
            ErrorCode::COORDINATOR_NOT_AVAILABLE => pause(),
            code => panic!("{code}"),
        }
    }
    panic!("nobody coordinates {name}");
}

/// Waits until all groups are there: a list of them has every partition of their topic.
fn wait_until_loaded(raw: &mut Raw, group: &str) {
    let request = leaving(group, &[("nobody", None)]);
    for _ in 0..LOOKS_MAX {
        let own = raw.call(3, &request).error_code;
        let all = raw.call(4, &ListGroupsRequest::default()).error_code;
        let is_loading = |code| {
            code == ErrorCode::COORDINATOR_LOAD_IN_PROGRESS || code == ErrorCode::NOT_COORDINATOR
        };
        if !is_loading(own) && !is_loading(all) {
            return;
        }
        pause();
    }
    panic!("the coordinator of {group} is not ready");
}

/// A consumer's subscription to one topic.
pub(super) fn subscription(topic: &str) -> Bytes {
    let length = u8::try_from(topic.len()).unwrap();
    [&[0, 0, 0, 0, 0, 1, 0, length][..], topic.as_bytes(), &[0xff; 4]].concat().into()
}

pub(super) fn joining(group: &str, member_id: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        member_id: member_id.into(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: subscription("some-topic"),
        }],
        ..Default::default()
    }
}

/// The same, of a static member.
pub(super) fn joining_as(group: &str, member_id: &str, instance: &str) -> JoinGroupRequest {
    JoinGroupRequest { group_instance_id: Some(instance.into()), ..joining(group, member_id) }
}

pub(super) fn syncing(
    group: &str,
    member_id: &str,
    generation_id: i32,
    assignments: &[(&str, &'static [u8])],
) -> SyncGroupRequest {
    let assignments = assignments.iter().map(|(id, bytes)| SyncGroupRequestAssignment {
        member_id: (*id).into(),
        assignment: Bytes::from_static(bytes),
    });
    SyncGroupRequest {
        group_id: group.into(),
        generation_id,
        member_id: member_id.into(),
        assignments: assignments.collect(),
        ..Default::default()
    }
}

pub(super) fn leaving(group: &str, members: &[(&str, Option<&str>)]) -> LeaveGroupRequest {
    let members = members.iter().map(|(id, instance)| MemberIdentity {
        member_id: (*id).into(),
        group_instance_id: instance.map(Into::into),
        reason: None,
    });
    LeaveGroupRequest { group_id: group.into(), members: members.collect(), ..Default::default() }
}

/// What a heartbeat is answered.
pub(super) fn beat(
    raw: &mut Raw,
    group: &str,
    member_id: &str,
    generation_id: i32,
    instance: Option<&str>,
) -> ErrorCode {
    let request = HeartbeatRequest {
        group_id: group.into(),
        generation_id,
        member_id: member_id.into(),
        group_instance_id: instance.map(Into::into),
    };
    raw.call(3, &request).error_code
}

pub(super) fn committing(
    group: &str,
    member_id: &str,
    generation: i32,
    topic: &str,
    metadata: &str,
) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: 5,
        committed_leader_epoch: 0,
        committed_metadata: Some(metadata.into()),
    };
    let topic = OffsetCommitRequestTopic {
        name: topic.into(),
        partitions: vec![partition],
        ..Default::default()
    };
    OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: generation,
        member_id: member_id.into(),
        topics: vec![topic],
        ..Default::default()
    }
}

/// What a commit of one partition is answered.
pub(super) fn commit(raw: &mut Raw, request: &OffsetCommitRequest) -> ErrorCode {
    raw.call(7, request).topics[0].partitions[0].error_code
}

/// A stable group: so many members have joined at once, and the first leads.
pub(super) struct Stable {
    pub(super) ids: Vec<String>,
    pub(super) lines: Vec<Raw>,
    pub(super) generation: i32,
}

/// Joins of several members that are completed together, in the order of the requests.
pub(super) fn join_together(
    subject: &Subject,
    version: i16,
    requests: &[JoinGroupRequest],
) -> (Vec<JoinGroupResponse>, Vec<Raw>) {
    let mut lines: Vec<Raw> = requests.iter().map(|_| Raw::connect(&subject.bootstrap())).collect();
    let asked = lines.iter_mut().zip(requests);
    let ids: Vec<i32> =
        asked.map(|(raw, request)| raw.try_ask(version, request).unwrap()).collect();
    let answers = lines.iter_mut().zip(ids);
    let answers = answers.map(|(raw, id)| raw.answer(version, id).expect("an answer"));
    (answers.collect(), lines)
}

/// A group with so many members, each of which knows what it has: its place as a byte.
pub(super) fn stable(subject: &Subject, group: &str, count: usize) -> Stable {
    let requests = vec![joining(group, ""); count];
    let (joined, mut lines) = join_together(subject, ADMITS, &requests);
    for one in &joined {
        assert_eq!(one.error_code, ErrorCode::NONE, "{one:?}");
    }
    let generation = joined[0].generation_id;
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|&at| joined[at].members.is_empty());
    let ids: Vec<String> = order.iter().map(|&at| joined[at].member_id.to_string()).collect();
    lines = {
        let mut taken: Vec<Option<Raw>> = lines.into_iter().map(Some).collect();
        order.iter().map(|&at| taken[at].take().unwrap()).collect()
    };
    const PARTS: [&[u8]; 4] = [b"0", b"1", b"2", b"3"];
    let parts: Vec<(&str, &'static [u8])> = ids.iter().map(String::as_str).zip(PARTS).collect();
    for (at, (raw, id)) in lines.iter_mut().zip(&ids).enumerate() {
        let assignments = if at == 0 { &parts[..] } else { &[] };
        let told: SyncGroupResponse = raw.call(3, &syncing(group, id, generation, assignments));
        assert_eq!((told.error_code, &told.assignment[..]), (ErrorCode::NONE, PARTS[at]));
    }
    Stable { ids, lines, generation }
}

/// What is said of the only member that leaves.
pub(super) fn code_of_first(response: &LeaveGroupResponse) -> ErrorCode {
    assert_eq!(response.error_code, ErrorCode::NONE);
    response.members[0].error_code
}
