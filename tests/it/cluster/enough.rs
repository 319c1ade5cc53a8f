//! A topic that asks for all three of its replicas, one of which is killed: `acks` all is refused
//! until that one is back, and what producers were told of each record is true. And what is said
//! of a topic that bears no loss.

use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::raw::read_all;

use super::{one_record, topic_name};
use crate::groups::command;
use crate::wire::{PRODUCE, records_for};

const PATIENCE: Duration = Duration::from_secs(60);

const REFUSED: ErrorCode = ErrorCode::NOT_ENOUGH_REPLICAS;

/// Sends the next number until it is answered like that; what is told of each that was sent.
fn send_until(
    cluster: &Cluster,
    topic: &str,
    acks: i16,
    code: ErrorCode,
    told: &mut Vec<ErrorCode>,
) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let record = one_record(told.len().to_string().as_bytes());
        let request = records_for(topic, acks, &[(0, record)]);
        let answer = cluster.leader(topic, 0).call(PRODUCE, &request);
        told.push(answer.responses[0].partition_responses[0].error_code);
        if told.last() == Some(&code) {
            return;
        }
        assert!(Instant::now() < deadline, "{told:?}");
        pause();
    }
}

#[test]
fn while_one_is_missing_acks_all_is_refused_and_what_is_told_of_each_record_is_true() {
    let mut cluster = Cluster::start("enough", 3);
    let topic = topic_name("enough");
    cluster.create_topic_with(&topic, 1, 3, &[("min.insync.replicas", "3")]);
    let led = cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3).remove(0);
    let follower = led.replica_nodes.iter().copied().find(|id| *id != led.leader_id).unwrap();
    cluster.kill(follower);
    let mut told = Vec::new();
    send_until(&cluster, &topic, -1, REFUSED, &mut told);
    send_until(&cluster, &topic, 1, ErrorCode::NONE, &mut told);
    cluster.restart(follower);
    send_until(&cluster, &topic, -1, ErrorCode::NONE, &mut told);
    let known = [ErrorCode::NONE, REFUSED, ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND];
    assert!(told.iter().all(|code| known.contains(code)), "{told:?}");
    let written = told.iter().enumerate().filter(|(_, code)| **code != REFUSED);
    let written: Vec<_> = written.map(|(number, _)| number.to_string()).collect();
    let records = read_all(&mut cluster.leader(&topic, 0), &topic, 0);
    let found: Vec<_> = records.iter().map(|it| String::from_utf8_lossy(&it.value)).collect();
    assert_eq!(found, written, "{told:?}");
}

#[test]
fn who_creates_a_topic_of_two_replicas_is_told_that_none_may_be_missing() {
    let mut cluster = Cluster::start("two-replicas", 3);
    let create = |factor: &str| {
        let name = topic_name(&format!("with-{factor}"));
        let arguments = ["topic", "create", &name, "--replication-factor", factor];
        let output = command(&cluster.bootstrap(), &arguments).output().unwrap();
        (name, String::from_utf8(output.stdout).unwrap())
    };
    let ((_, three), (name, two)) = (create("3"), create("2"));
    assert!(two.contains("; takes no records while one of the two is missing\n"), "{two}");
    assert!(three.ends_with("replication factor 3\n"), "{three}");
    let said = (1..=3).map(|id| cluster.broker(id).stderr());
    let warned: Vec<_> = said.filter(|said| said.contains("with two replicas")).collect();
    assert!(warned.len() == 1 && warned[0].contains(&name), "{warned:?}");
}
