//! The tour of groups with our own consumer: in every way of sharing, alone and together with other
//! clients, whichever of them leads the group.

use std::process::Command;

use logboom_tests::foreign::{go, java, python};

use super::groups::{comes_back, two_share_by, with};

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
        two_share_by(strategy, &name, |bootstrap, topic, group| {
            Ok([ours(bootstrap, topic, group, strategy), ours(bootstrap, topic, group, strategy)])
        });
    }
}

/// The first to come leads the group; so each of both assigns to the other.
#[test]
fn our_consumer_and_kafka_clients_share_in_every_way() {
    for strategy in ["range", "roundrobin", "sticky", "cooperative-sticky"] {
        for is_first in [true, false] {
            let name = format!("consumer-kafka-clients-{strategy}-{is_first}");
            two_share_by(strategy, &name, |bootstrap, topic, group| {
                let arguments = [bootstrap, topic, group, "0"];
                let theirs = with(java()?.command("Group"), arguments, strategy);
                let ours = ours(bootstrap, topic, group, strategy);
                Ok(if is_first { [ours, theirs] } else { [theirs, ours] })
            });
        }
    }
}

#[test]
fn our_consumer_and_librdkafka_share() {
    for strategy in ["range", "roundrobin", "cooperative-sticky"] {
        for is_first in [true, false] {
            let name = format!("consumer-librdkafka-{strategy}-{is_first}");
            two_share_by(strategy, &name, |bootstrap, topic, group| {
                let arguments = [bootstrap, topic, group, "0"];
                let theirs = with(python()?.command("librdkafka_group.py"), arguments, strategy);
                let ours = ours(bootstrap, topic, group, strategy);
                Ok(if is_first { [ours, theirs] } else { [theirs, ours] })
            });
        }
    }
}

#[test]
fn our_consumer_and_franz_go_share() {
    two_share_by("cooperative-sticky", "consumer-franz-go", |bootstrap, topic, group| {
        let mut theirs = go()?;
        theirs.args([bootstrap, topic, "0", group, "0", "cooperative-sticky"]);
        Ok([ours(bootstrap, topic, group, "cooperative-sticky"), theirs])
    });
}
