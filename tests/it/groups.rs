//! `logboom group` and `logboom consume --group` against a running broker, or, with
//! `LOGBOOM_REFERENCE`, against another: all of them hold for Apache Kafka 4.1.0 as well.
//!
//! How our consumer shares a group with other kinds is in the tour of groups.

mod consume;
mod reset;
mod stuck;

use std::process::{Command, Output};

use bytes::Bytes;
use serde_json::Value;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use logboom_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use logboom_protocol::records::{BatchBuilder, Codec};
use logboom_tests::broker::{logboom, shared};
use logboom_tests::raw::{Raw, topic_name};

use crate::wire::{PRODUCE, new_topic_with, now_ms, produce_to};

/// Our binary with these words, told where the cluster is and nothing else.
pub(crate) fn command(bootstrap: &str, words: &[&str]) -> Command {
    let mut command = Command::new(logboom());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LOGBOOM_")) {
        command.env_remove(name);
    }
    command.args(words).args(["--bootstrap", bootstrap]);
    command
}

fn run(bootstrap: &str, words: &[&str]) -> Output {
    command(bootstrap, words).output().unwrap()
}

/// What a command prints that succeeds.
fn printed(bootstrap: &str, words: &[&str]) -> String {
    let output = run(bootstrap, words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The JSON values that a command prints.
fn rows(bootstrap: &str, words: &[&str]) -> Vec<Value> {
    let text = printed(bootstrap, &[words, &["--output", "json"]].concat());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a command says that is refused: with status 1, and nothing on stdout.
fn refused(bootstrap: &str, words: &[&str]) -> String {
    let output = run(bootstrap, words);
    assert_eq!(output.status.code(), Some(1), "{words:?}: {output:?}");
    assert_eq!(output.stdout, b"", "{words:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// `logboom group describe` of one group.
pub(crate) fn described(bootstrap: &str, group: &str) -> Value {
    let mut rows = rows(bootstrap, &["group", "describe", group]);
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

/// What is shown of a group's partitions of one topic, in order.
fn column(bootstrap: &str, group: &str, name: &str) -> Vec<Value> {
    let told = described(bootstrap, group);
    told["partitions"].as_array().unwrap().iter().map(|row| row[name].clone()).collect()
}

/// Writes records with these timestamps to a partition.
fn write(raw: &mut Raw, topic: &str, partition: i32, timestamps: &[i64]) {
    let mut builder = BatchBuilder::new(Codec::Lz4);
    for (number, &timestamp) in timestamps.iter().enumerate() {
        let value = format!("record {number}");
        builder.append(timestamp, None, Some(value.as_bytes()), &[]).unwrap();
    }
    let response = raw.call(PRODUCE, &produce_to(topic, partition, builder.build().unwrap()));
    let answer = &response.responses[0].partition_responses[0];
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
}

#[test]
fn lag_is_told_in_records_and_in_seconds() {
    let subject = shared();
    let (bootstrap, group) = (subject.bootstrap(), topic_name("lag"));
    let mut raw = Raw::connect(&bootstrap);
    let topic = new_topic_with(&mut raw, "lag", 5, &[]);
    let now = now_ms();
    let ago = |seconds: i64| now - seconds * 1000;
    write(&mut raw, &topic, 0, &[ago(900), ago(800), ago(700)]);
    write(&mut raw, &topic, 0, &[ago(600), ago(300)]);
    write(&mut raw, &topic, 1, &[ago(900); 3]);
    write(&mut raw, &topic, 2, &[ago(900); 3]);
    write(&mut raw, &topic, 3, &[-1, -1]);
    for (partition, offset) in [(0, "1"), (1, "3"), (3, "0"), (4, "0")] {
        let scope = format!("{topic}:{partition}");
        printed(&bootstrap, &["group", "reset", &group, "--topic", &scope, "--to-offset", offset]);
    }
    let told = described(&bootstrap, &group);
    assert_eq!((&told["state"], &told["lag"]), (&"Empty".into(), &6.into()), "{told}");
    assert_eq!(told["members"].as_array().unwrap().len(), 0);
    let column = |name| column(&bootstrap, &group, name);
    let null = || Value::Null;
    let numbers = |all: &[Option<i64>]| -> Vec<Value> {
        all.iter().map(|one| one.map_or_else(null, Into::into)).collect()
    };
    // What nothing is committed for has no lag.
    let committed = [Some(1), Some(3), None, Some(0), Some(0)];
    assert_eq!(column("committed_offset"), numbers(&committed));
    assert_eq!(column("log_end_offset"), numbers(&[5, 3, 3, 2, 0].map(Some)));
    assert_eq!(column("lag"), numbers(&[Some(4), Some(0), None, Some(2), Some(0)]));
    let seconds = column("lag_seconds");
    let age = |seconds: &Value, from: f64| {
        let told = seconds.as_f64().unwrap();
        assert!((from..from + 200.0).contains(&told), "{told}");
    };
    // Of the first that isn't committed, in the middle of a batch.
    age(&seconds[0], 800.0);
    assert_eq!((seconds[1].as_f64(), seconds[4].as_f64()), (Some(0.0), Some(0.0)));
    // Without a commit, and without a timestamp.
    assert_eq!((&seconds[2], &seconds[3]), (&null(), &null()));
    // What is dropped can't be read any more.
    printed(&bootstrap, &["topic", "trim", &topic, "--before", "3", "--partition", "0"]);
    let told = described(&bootstrap, &group);
    assert_eq!(told["partitions"][0]["lag"], 2, "{told}");
    age(&told["partitions"][0]["lag_seconds"], 600.0);
    let text = printed(&bootstrap, &["group", "describe", &group]);
    assert!(text.starts_with(&format!("group {group}: Empty, type classic, ")), "{text}");
    assert!(text.contains("LAG  LAG-SECONDS  CLIENT-ID  HOST  MEMBER-ID\n"), "{text}");
}

/// A group of somebody whose members say what nobody else understands. Its one member is never
/// heard of again.
fn workers(raw: &mut Raw, group: &str, session_timeout_ms: i32) {
    let join = JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms,
        rebalance_timeout_ms: 30_000,
        protocol_type: "connect".into(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "sessioned".into(),
            metadata: Bytes::from_static(b"\xff\xff"),
        }],
        ..Default::default()
    };
    let joined = raw.call(3, &join);
    assert_eq!(joined.error_code, ErrorCode::NONE);
    let sync = SyncGroupRequest {
        group_id: group.into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        assignments: vec![SyncGroupRequestAssignment {
            member_id: joined.member_id,
            assignment: Bytes::from_static(b"\x7f\xff\xff\xff\xff"),
        }],
        ..Default::default()
    };
    assert_eq!(raw.call(2, &sync).error_code, ErrorCode::NONE);
}

#[test]
fn groups_of_others_than_consumers_are_listed_and_described() {
    let subject = shared();
    let (bootstrap, group) = (subject.bootstrap(), topic_name("workers"));
    let mut raw = Raw::connect(&bootstrap);
    // Has its coordinator found, and the topic of groups made.
    refused(&bootstrap, &["group", "describe", &group]);
    workers(&mut raw, &group, 30_000);
    let listed = |more: &[&str]| {
        let all = rows(&bootstrap, &[&["group", "list"], more].concat());
        all.into_iter().find(|row| row["group"] == group.as_str())
    };
    let row = listed(&[]).unwrap();
    let told = (&row["state"], &row["type"], &row["protocol_type"]);
    assert_eq!(told, (&"Stable".into(), &"classic".into(), &"connect".into()));
    assert!(listed(&["--state", "stable", "--type", "classic"]).is_some());
    assert!(listed(&["--state", "empty"]).is_none());
    assert!(listed(&["--type", "consumer"]).is_none());
    let told = described(&bootstrap, &group);
    assert_eq!(told["protocol_type"], "connect");
    assert_eq!(told["members"][0]["assignment"], Value::Null);
    assert_eq!(told["partitions"].as_array().unwrap().len(), 0);
    let members = printed(&bootstrap, &["group", "describe", &group, "--members"]);
    assert!(members.contains("of connect, assignor sessioned, 1 member,"), "{members}");
    let all = rows(&bootstrap, &["group", "describe", "--all"]);
    assert!(all.iter().any(|told| told["group"] == group.as_str()));
    let said = refused(&bootstrap, &["group", "delete", &group]);
    assert!(said.contains("NON_EMPTY_GROUP") && said.contains("stop its members"), "{said}");
}

#[test]
fn groups_and_offsets_are_deleted() {
    let subject = shared();
    let (bootstrap, group) = (subject.bootstrap(), topic_name("deleted"));
    let mut raw = Raw::connect(&bootstrap);
    let topics = ["one", "two"].map(|name| new_topic_with(&mut raw, name, 2, &[]));
    let reset = |topic: &str| {
        printed(&bootstrap, &["group", "reset", &group, "--topic", topic, "--to-end"])
    };
    topics.iter().for_each(|topic| _ = reset(topic));
    let delete = |more: &[&str]| [&["group", "delete", &group], more].concat().join(" ");
    let words = |line: &str| -> Vec<String> { line.split(' ').map(str::to_owned).collect() };
    let run = |line: String| {
        let words = words(&line);
        super::groups::run(&bootstrap, &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let [one, two] = &topics;
    assert!(run(delete(&["--topic", &format!("{one}:1")])).status.success());
    let committed = || -> Vec<(String, Value)> {
        let told = described(&bootstrap, &group);
        let rows = told["partitions"].as_array().unwrap().iter();
        let rows = rows.filter(|row| !row["committed_offset"].is_null());
        rows.map(|row| (row["topic"].as_str().unwrap().to_owned(), row["partition"].clone()))
            .collect()
    };
    let expected = [(one.clone(), 0.into()), (two.clone(), 0.into()), (two.clone(), 1.into())];
    assert_eq!(committed(), expected);
    let again = refused(&bootstrap, &["group", "delete", &group, "--topic", &format!("{one}:1")]);
    assert!(again.contains("has committed nothing for partitions 1 of topic"), "{again}");
    assert!(run(delete(&["--topic", &format!("{one}:1"), "--if-exists"])).status.success());
    assert!(run(delete(&["--topic", two])).status.success());
    assert_eq!(committed(), expected[..1]);
    assert_eq!(run(delete(&["other", "--topic", two])).status.code(), Some(2));
    assert!(run(delete(&[])).status.success());
    let said = refused(&bootstrap, &["group", "describe", &group]);
    assert!(said.contains("GROUP_ID_NOT_FOUND") && said.contains("`logboom group list`"), "{said}");
    let said = refused(&bootstrap, &["group", "delete", &group]);
    assert!(said.contains("GROUP_ID_NOT_FOUND"), "{said}");
    assert!(run(delete(&["--if-exists"])).status.success());
}

#[test]
fn a_group_that_cannot_be_deleted_keeps_no_other() {
    let subject = shared();
    let bootstrap = subject.bootstrap();
    let topic = new_topic_with(&mut Raw::connect(&bootstrap), "delete-several", 1, &[]);
    let [first, group, last] = ["first", "there", "last"].map(topic_name);
    printed(&bootstrap, &["group", "reset", &group, "--topic", &topic, "--to-end"]);
    let output = run(&bootstrap, &["group", "delete", &first, &group, &last]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let done = String::from_utf8(output.stdout).unwrap();
    assert_eq!(done, format!("deleted group {group}\n"));
    let said = String::from_utf8(output.stderr).unwrap();
    for missing in [&first, &last] {
        assert!(said.contains(&format!("group {missing}: GROUP_ID_NOT_FOUND")), "{said}");
    }
}
