//! Statements 66 to 74: members.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use logboom_protocol::messages::leave_group::LeaveGroupRequest;
use logboom_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use logboom_tests::broker::{pause, shared};

use super::asked::{
    ADMITS, Stable, beat, code_of_first, group, join_together, joining, joining_as, leaving,
    stable, syncing,
};

/// How often it is looked whether a rebalance has begun.
const LOOKS_MAX: usize = 6_000;

#[test]
fn wire_66_a_member_without_id_is_given_one_from_version_4_on_unless_it_has_a_name() {
    let subject = shared();
    for version in [4, 5, 9] {
        let (name, mut raw) = group(&subject, "needs-id");
        let told: JoinGroupResponse = raw.call(version, &joining(&name, ""));
        assert_eq!(told.error_code, ErrorCode::MEMBER_ID_REQUIRED, "version {version}");
        assert!(!told.member_id.is_empty());
        let joined: JoinGroupResponse = raw.call(version, &joining(&name, &told.member_id));
        assert_eq!(joined.error_code, ErrorCode::NONE);
        assert_eq!((joined.member_id, joined.generation_id), (told.member_id, 1));
    }
    for version in 0..=3 {
        let (name, mut raw) = group(&subject, "admits");
        let joined: JoinGroupResponse = raw.call(version, &joining(&name, ""));
        assert_eq!(joined.error_code, ErrorCode::NONE, "version {version}");
        assert_eq!(joined.leader, joined.member_id);
    }
    let (name, mut raw) = group(&subject, "static");
    let joined: JoinGroupResponse = raw.call(5, &joining_as(&name, "", "i"));
    assert_eq!(joined.error_code, ErrorCode::NONE);
    assert!(joined.member_id.starts_with("i-"), "{joined:?}");
}

fn speaks(request: JoinGroupRequest, protocols: &[&'static str]) -> JoinGroupRequest {
    let protocols = protocols.iter().map(|name| JoinGroupRequestProtocol {
        name: (*name).into(),
        metadata: name.as_bytes().into(),
    });
    JoinGroupRequest { protocols: protocols.collect(), ..request }
}

#[test]
fn wire_67_only_the_leader_is_told_of_the_members_and_the_protocol_is_one_that_all_speak() {
    let subject = shared();
    let (name, _raw) = group(&subject, "leader");
    let requests = [
        speaks(joining(&name, ""), &["a", "b"]),
        speaks(joining(&name, ""), &["b", "a", "c"]),
        speaks(joining(&name, ""), &["b", "c"]),
    ];
    let (joined, _lines) = join_together(&subject, ADMITS, &requests);
    for one in &joined {
        assert_eq!(one.error_code, ErrorCode::NONE, "{one:?}");
        assert_eq!(one.generation_id, joined[0].generation_id);
        assert_eq!(one.protocol_name.as_deref(), Some("b"));
        assert_eq!(one.leader, joined[0].leader);
        let expected = if one.member_id == one.leader { 3 } else { 0 };
        assert_eq!(one.members.len(), expected);
        assert!(one.members.iter().all(|member| &member.metadata[..] == b"b"));
    }
    assert_eq!(joined.iter().filter(|one| one.member_id == one.leader).count(), 1);
}

#[test]
fn wire_68_what_does_not_fit_a_group_is_refused() {
    let subject = shared();
    let (name, mut raw) = group(&subject, "refused");
    for session_timeout_ms in [5_999, 1_800_001] {
        let request = JoinGroupRequest { session_timeout_ms, ..joining(&name, "") };
        let told: JoinGroupResponse = raw.call(ADMITS, &request);
        assert_eq!(told.error_code, ErrorCode::INVALID_SESSION_TIMEOUT);
    }
    let told: JoinGroupResponse = raw.call(ADMITS, &joining(&name, "nobody"));
    assert_eq!(told.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    let told: JoinGroupResponse = raw.call(ADMITS, &joining("", ""));
    assert_eq!(told.error_code, ErrorCode::INVALID_GROUP_ID);
    let Stable { mut lines, .. } = stable(&subject, &name, 1);
    let other = JoinGroupRequest { protocol_type: "connect".into(), ..joining(&name, "") };
    for request in [speaks(joining(&name, ""), &["other"]), other, speaks(joining(&name, ""), &[])]
    {
        let told: JoinGroupResponse = lines[0].call(ADMITS, &request);
        assert_eq!(told.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
}

#[test]
fn wire_69_a_sync_waits_for_the_leader_and_who_was_forgotten_has_nothing() {
    let subject = shared();
    let (name, _raw) = group(&subject, "sync");
    let (joined, mut lines) = join_together(&subject, ADMITS, &vec![joining(&name, ""); 3]);
    let leader = joined.iter().position(|one| !one.members.is_empty()).unwrap();
    let [first, second] = [1, 2].map(|step| (leader + step) % 3);
    let id = |at: usize| joined[at].member_id.as_str();
    let waiting = lines[first].try_ask(3, &syncing(&name, id(first), 1, &[])).unwrap();
    // It is asked by somebody else meanwhile, so the first has been taken and is held.
    assert_eq!(beat(&mut lines[second], &name, id(second), 1, None), ErrorCode::NONE);
    let assigned = [(id(leader), &b"l"[..]), (id(first), &b"f"[..])];
    let told: SyncGroupResponse = lines[leader].call(3, &syncing(&name, id(leader), 1, &assigned));
    assert_eq!((told.error_code, &told.assignment[..]), (ErrorCode::NONE, &b"l"[..]));
    let told: SyncGroupResponse = lines[first].answer(3, waiting).unwrap();
    assert_eq!((told.error_code, &told.assignment[..]), (ErrorCode::NONE, &b"f"[..]));
    for version in 0..=5 {
        let mut request = syncing(&name, id(second), 1, &[]);
        if version == 5 {
            let told: SyncGroupResponse = lines[second].call(version, &request);
            assert_eq!(told.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL, "not named");
            request.protocol_type = Some("consumer".into());
            request.protocol_name = Some("range".into());
        }
        let told: SyncGroupResponse = lines[second].call(version, &request);
        assert_eq!((told.error_code, told.assignment.len()), (ErrorCode::NONE, 0));
    }
    // Somebody comes, and all have to join again.
    let mut raw = logboom_tests::raw::Raw::connect(&subject.bootstrap());
    raw.try_ask(ADMITS, &joining(&name, "")).unwrap();
    wait_for_rebalance(&mut lines[first], &name, id(first), 1);
    let told: SyncGroupResponse = lines[first].call(3, &syncing(&name, id(first), 1, &[]));
    assert_eq!(told.error_code, ErrorCode::REBALANCE_IN_PROGRESS);
}

fn wait_for_rebalance(raw: &mut logboom_tests::raw::Raw, name: &str, id: &str, generation: i32) {
    for _ in 0..LOOKS_MAX {
        match beat(raw, name, id, generation, None) {
            ErrorCode::NONE => pause(),
            ErrorCode::REBALANCE_IN_PROGRESS => return,
            code => panic!("{code}"),
        }
    }
    panic!("no rebalance");
}

#[test]
fn wire_70_a_heartbeat_says_how_the_group_is() {
    let subject = shared();
    let (name, mut raw) = group(&subject, "beats");
    assert_eq!(beat(&mut raw, &name, "nobody", 1, None), ErrorCode::UNKNOWN_MEMBER_ID);
    let joined: JoinGroupResponse = raw.call(5, &joining_as(&name, "", "i"));
    let id = joined.member_id.as_str();
    assert_eq!(beat(&mut raw, &name, id, 1, Some("i")), ErrorCode::NONE, "CompletingRebalance");
    assert_eq!(beat(&mut raw, &name, id, 2, Some("i")), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(beat(&mut raw, &name, "other", 1, Some("i")), ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(beat(&mut raw, &name, id, 1, Some("j")), ErrorCode::UNKNOWN_MEMBER_ID);
    let sync = syncing(&name, id, 1, &[(id, b"x")]);
    assert_eq!(raw.call(3, &sync).error_code, ErrorCode::NONE);
    assert_eq!(beat(&mut raw, &name, id, 1, Some("i")), ErrorCode::NONE, "Stable");
    let mut other = logboom_tests::raw::Raw::connect(&subject.bootstrap());
    other.try_ask(ADMITS, &joining(&name, "")).unwrap();
    wait_for_rebalance(&mut raw, &name, id, 1);
    let left = raw.call(4, &leaving(&name, &[(id, Some("i"))]));
    assert_eq!(code_of_first(&left), ErrorCode::NONE);
    assert_eq!(beat(&mut raw, &name, id, 1, None), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn wire_71_a_static_member_comes_back_without_a_rebalance_and_its_former_id_is_fenced() {
    let subject = shared();
    let (name, mut raw) = group(&subject, "comes-back");
    let joined: JoinGroupResponse = raw.call(9, &joining_as(&name, "", "i"));
    let former = joined.member_id.to_string();
    let sync = syncing(&name, &former, 1, &[(&former, b"x")]);
    assert_eq!(raw.call(3, &sync).error_code, ErrorCode::NONE);
    let back: JoinGroupResponse = raw.call(9, &joining_as(&name, "", "i"));
    assert_eq!((back.error_code, back.generation_id), (ErrorCode::NONE, 1));
    assert_ne!(back.member_id, former);
    assert!(back.skip_assignment && back.leader == back.member_id, "{back:?}");
    assert_eq!(beat(&mut raw, &name, &former, 1, Some("i")), ErrorCode::FENCED_INSTANCE_ID);
    let request = SyncGroupRequest {
        group_instance_id: Some("i".into()),
        ..syncing(&name, &back.member_id, 1, &[])
    };
    let told: SyncGroupResponse = raw.call(3, &request);
    assert_eq!((told.error_code, &told.assignment[..]), (ErrorCode::NONE, &b"x"[..]));
    let told: JoinGroupResponse = raw.call(9, &joining_as(&name, &former, "i"));
    assert_eq!(told.error_code, ErrorCode::FENCED_INSTANCE_ID);
    // One that doesn't know how to leave an assignment as it is doesn't learn that it leads.
    let old: JoinGroupResponse = raw.call(8, &joining_as(&name, "", "i"));
    assert_eq!((old.error_code, old.generation_id), (ErrorCode::NONE, 1));
    assert_eq!((&old.leader, old.members.len()), (&back.member_id, 0));
}

#[test]
fn wire_73_protocols_are_named_and_compared() {
    let subject = shared();
    let (name, mut raw) = group(&subject, "named");
    let told: JoinGroupResponse = raw.call(7, &joining_as(&name, "", "i"));
    assert_eq!(told.protocol_type.as_deref(), Some("consumer"));
    assert_eq!(told.protocol_name.as_deref(), Some("range"));
    let id = told.member_id.as_str();
    for (kind, protocol) in [("connect", "range"), ("consumer", "sticky")] {
        let request = SyncGroupRequest {
            protocol_type: Some(kind.into()),
            protocol_name: Some(protocol.into()),
            ..syncing(&name, id, 1, &[(id, b"x")])
        };
        let told: SyncGroupResponse = raw.call(5, &request);
        assert_eq!(told.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
    let request = SyncGroupRequest {
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        ..syncing(&name, id, 1, &[(id, b"x")])
    };
    let told: SyncGroupResponse = raw.call(5, &request);
    assert_eq!(told.error_code, ErrorCode::NONE);
    assert_eq!(told.protocol_type.as_deref(), Some("consumer"));
    assert_eq!(told.protocol_name.as_deref(), Some("range"));
}

#[test]
fn wire_74_one_member_leaves_before_version_3_and_several_from_there_on() {
    let subject = shared();
    let (name, _raw) = group(&subject, "leaves");
    let Stable { ids, mut lines, .. } = stable(&subject, &name, 4);
    let alone = |id: &str| LeaveGroupRequest {
        group_id: name.as_str().into(),
        member_id: id.into(),
        ..Default::default()
    };
    for (version, id) in [(0, &ids[3]), (2, &ids[2])] {
        let told = lines[0].call(version, &alone(id));
        assert_eq!((told.error_code, told.members.len()), (ErrorCode::NONE, 0));
        let told = lines[0].call(version, &alone(id));
        assert_eq!(told.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    }
    let both = [(&*ids[0], None), ("nobody", None), (&*ids[1], None), ("", Some("i"))];
    let told = lines[0].call(5, &leaving(&name, &both));
    assert_eq!(told.error_code, ErrorCode::NONE);
    let codes: Vec<ErrorCode> = told.members.iter().map(|one| one.error_code).collect();
    let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
    assert_eq!(codes, [ErrorCode::NONE, unknown, ErrorCode::NONE, unknown]);
}
