//! The tour of groups with our own consumer: in every way of sharing, alone and together with other
//! clients, whichever of them leads the group.

use std::process::Command;
use std::time::Instant;

use tokio::time::timeout;

use logboom_consumer::{Consumer, ConsumerError, OffsetReset};
use logboom_tests::broker::{pause, shared};
use logboom_tests::foreign::{go, java, python};
use logboom_tests::raw::{Raw, topic_name};

use super::groups::{
    PARTITIONS, PATIENCE, check_once, comes_back, two_share_by, with, write_round,
};
use crate::groups::described;
use crate::wire::new_topic_with;

/// The program that reads with our consumer.
const PROGRAM: &str = env!("CARGO_BIN_EXE_consumer-group");

fn ours(bootstrap: &str, topic: &str, group: &str, strategy: &str) -> Command {
    with(Command::new(PROGRAM), [bootstrap, topic, group, "0"], strategy)
}

#[test]
fn our_consumer_comes_back_to_its_group() {
    for strategy in ["range", "roundrobin", "sticky", "cooperative-sticky"] {
        comes_back(&format!("consumer-{strategy}"), |bootstrap, topic, group, count| {
            Ok(with(Command::new(PROGRAM), [bootstrap, topic, group, count], strategy))
        });
    }
}

#[test]
fn our_consumer_comes_back_under_a_name_of_its_own() {
    comes_back("consumer-static", |bootstrap, topic, group, count| {
        let mut command = Command::new(PROGRAM);
        command.args([bootstrap, topic, group, count, "range", "group.instance.id=i"]);
        Ok(command)
    });
}

#[test]
fn two_of_our_consumers_share_in_every_way() {
    for strategy in ["range", "roundrobin", "sticky", "cooperative-sticky"] {
        let name = format!("consumer-consumer-{strategy}");
        let read = two_share_by(strategy, &name, |bootstrap, topic, group| {
            Ok([ours(bootstrap, topic, group, strategy), ours(bootstrap, topic, group, strategy)])
        });
        check_once(&read);
    }
}

/// The first to come leads the group; so each of both assigns to the other.
#[test]
fn our_consumer_and_kafka_clients_share_in_every_way() {
    for strategy in ["range", "roundrobin", "sticky", "cooperative-sticky"] {
        for is_first in [true, false] {
            let name = format!("consumer-kafka-clients-{strategy}-{is_first}");
            let read = two_share_by(strategy, &name, |bootstrap, topic, group| {
                let arguments = [bootstrap, topic, group, "0"];
                let theirs = with(java()?.command("Group"), arguments, strategy);
                let ours = ours(bootstrap, topic, group, strategy);
                Ok(if is_first { [ours, theirs] } else { [theirs, ours] })
            });
            check_once(&read);
        }
    }
}

/// librdkafka's program doesn't read again what it couldn't commit while the group shared; it
/// prints that all the same, so something may come twice where members keep what they have.
#[test]
fn our_consumer_and_librdkafka_share() {
    for strategy in ["range", "roundrobin", "cooperative-sticky"] {
        for is_first in [true, false] {
            let name = format!("consumer-librdkafka-{strategy}-{is_first}");
            let keeps = strategy == "cooperative-sticky";
            let read = two_share_by(strategy, &name, |bootstrap, topic, group| {
                let arguments = [bootstrap, topic, group, "0"];
                let mut theirs =
                    with(python()?.command("librdkafka_group.py"), arguments, strategy);
                theirs.args(keeps.then_some("read"));
                let ours = ours(bootstrap, topic, group, strategy);
                Ok(if is_first { [ours, theirs] } else { [theirs, ours] })
            });
            if !keeps {
                check_once(&read);
            }
        }
    }
}

#[test]
fn our_consumer_and_franz_go_share() {
    let read = two_share_by("range", "consumer-franz-go", |bootstrap, topic, group| {
        let mut theirs = go()?;
        theirs.args([bootstrap, topic, "0", group, "0", "range"]);
        Ok([ours(bootstrap, topic, group, "range"), theirs])
    });
    check_once(&read);
}

/// Waits until a group has no members.
fn wait_until_left(bootstrap: &str, group: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = described(bootstrap, group);
        if told["state"] == "Empty" {
            return;
        }
        assert!(Instant::now() < deadline, "{told}");
        pause();
    }
}

#[test]
fn who_asks_for_nothing_for_too_long_leaves_its_group_and_comes_back() {
    let subject = shared();
    let (bootstrap, group) = (subject.bootstrap(), topic_name("consumer-idle"));
    let mut raw = Raw::connect(&bootstrap);
    let topic = new_topic_with(&mut raw, "consumer-idle", PARTITIONS, &[]);
    write_round(&mut raw, &topic);
    // Its tasks go on while this thread doesn't ask.
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(1).enable_all().build().unwrap();
    let mut consumer = {
        let _within = runtime.enter();
        let builder = Consumer::builder().bootstrap_servers(&bootstrap).group_id(&group);
        let builder = builder.auto_offset_reset(OffsetReset::Earliest);
        builder.max_poll_interval(std::time::Duration::from_millis(500)).build().unwrap()
    };
    consumer.subscribe([&topic]).unwrap();
    let mut next =
        || runtime.block_on(async { timeout(PATIENCE, consumer.next()).await.expect("a record") });
    next().unwrap();
    wait_until_left(&bootstrap, &group);
    let error = next().unwrap_err();
    assert!(matches!(error, ConsumerError::PollInterval { .. }), "{error}");
    assert_eq!(next().unwrap().offset, 0, "nothing was committed");
}
