//! What an operator is told of a cluster of three brokers, and what he sets there.

mod balancing;
mod configs;
mod features;
mod health;
mod homecoming;
mod nearest;
mod quorum;
mod slow;
mod unwritable;

pub(crate) use health::wait_for_reason;

use std::process::Command;

use logboom_tests::foreign::kafka_tool;

/// What one of Kafka's own tools prints, and whether it ended well.
fn tool(class: &str, bootstrap: &str, arguments: &[&str]) -> (bool, String) {
    let mut command: Command = kafka_tool(class).unwrap();
    command.args(["--bootstrap-server", bootstrap]).args(arguments);
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// What it prints where it ends well.
fn tool_prints(class: &str, bootstrap: &str, arguments: &[&str]) -> String {
    let (is_well, text) = tool(class, bootstrap, arguments);
    assert!(is_well, "{class} {arguments:?}: {text}");
    text
}
