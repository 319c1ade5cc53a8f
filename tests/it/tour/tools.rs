//! Kafka's own command-line tools. They set no timestamps, and a record's partition is its key's:
//! their topic has one partition.
//!
//! Not done: reading from the end, because a tool does not say when it has looked it up.

use std::process::Command;

use logboom_tests::broker::shared;
use logboom_tests::foreign::{kafka_tool, or_skip, scratch};
use logboom_tests::raw::{Raw, topic_name};

use super::stored::{fed, stored, timestamp};
use super::{CODECS, check_stored, value};
use crate::wire::new_topic_with;

/// The tools on their way through one topic.
struct Tools {
    bootstrap: String,
    topic: String,
}

impl Tools {
    fn command(&self, class: &str, arguments: &[&str]) -> Command {
        let mut command = kafka_tool(class).unwrap();
        command.args(["--bootstrap-server", &self.bootstrap]).args(arguments);
        command
    }

    /// What a tool prints.
    fn run(&self, class: &str, arguments: &[&str], input: &str) -> String {
        fed(&mut self.command(class, arguments), input)
    }

    fn topics(&self, arguments: &[&str]) -> String {
        self.run("org.apache.kafka.tools.TopicCommand", arguments, "")
    }

    fn configs(&self, arguments: &[&str]) -> String {
        let of = ["--entity-type", "topics", "--entity-name", &self.topic];
        self.run(CONFIG_COMMAND, &[&of, arguments].concat(), "")
    }

    fn produce(&self, options: &[&str], input: &str) {
        let front = ["--topic", &self.topic, "--property", "parse.key=true"];
        let colon = ["--property", "key.separator=:"];
        let arguments = [&front[..], &colon, options].concat();
        self.run("org.apache.kafka.tools.ConsoleProducer", &arguments, input);
    }

    fn consume(&self, from: &str, count: usize) -> String {
        let count = count.to_string();
        let front = ["--topic", &self.topic, "--partition", "0", "--offset", from];
        let format = ["--property", "print.key=true"];
        let colon = ["--property", "key.separator=:", "--max-messages", &count];
        let arguments = [&front[..], &format, &colon].concat();
        self.run("org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments, "")
    }

    fn offset(&self, time: &str) -> String {
        let arguments = ["--topic", &self.topic, "--time", time];
        self.run("org.apache.kafka.tools.GetOffsetShell", &arguments, "").trim().to_owned()
    }
}

const CONFIG_COMMAND: &str = "kafka.admin.ConfigCommand";

fn records(run: usize) -> String {
    (run * 20..run * 20 + 20).map(|n| format!("key {n}:{}\n", value(n))).collect()
}

#[test]
fn kafkas_tools_tour() {
    let subject = shared();
    let Some(topic) = tour_at(&subject.bootstrap()) else { return };
    if let Some(broker) = subject.ours() {
        check_stored("tools", &stored(broker, &topic), &CODECS);
    }
}

/// All that the tools do; their topic.
pub(super) fn tour_at(bootstrap: &str) -> Option<String> {
    or_skip("the tour with Kafka's tools", kafka_tool(CONFIG_COMMAND))?;
    let tools = Tools { bootstrap: bootstrap.to_owned(), topic: topic_name("tools") };
    let topic = &tools.topic;
    let retention = ["--config", "retention.ms=7200000"];
    let create = ["--create", "--topic", topic, "--partitions", "1"];
    tools.topics(&[&create[..], &retention].concat());
    for (codec, run) in ["none", "gzip", "snappy", "lz4", "zstd"].iter().zip(0..) {
        let plain = ["--producer-property", "enable.idempotence=false"];
        tools.produce(&[&["--compression-codec", codec][..], &plain].concat(), &records(run));
    }
    tools.produce(&["--producer-property", "enable.idempotence=true"], &records(5));
    read(&tools);
    let described = tools.configs(&["--describe"]);
    assert!(described.contains("retention.ms=7200000"), "{described}");
    tools.configs(&["--alter", "--add-config", "retention.ms=3600000"]);
    let described = tools.configs(&["--describe"]);
    assert!(described.contains("retention.ms=3600000"), "{described}");
    shrink(&tools);
    Some(tools.topic)
}

/// Looks offsets up and reads from there.
fn read(tools: &Tools) {
    let all: String = (0..6).map(records).collect();
    let topic = &tools.topic;
    assert_eq!(tools.offset("earliest"), format!("{topic}:0:0"));
    assert_eq!(tools.offset("latest"), format!("{topic}:0:120"));
    let time = timestamp(&tools.bootstrap, topic, 60).to_string();
    assert_eq!(tools.offset(&time), format!("{topic}:0:60"));
    assert_eq!(tools.consume("earliest", 120), all);
    assert_eq!(tools.consume("50", 70), all.split_inclusive('\n').skip(50).collect::<String>());
}

#[test]
fn kafkas_tools_read_groups_and_their_topic() {
    let class = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    let Some(_) = or_skip("Kafka's tools with groups", kafka_tool(class)) else { return };
    let subject = shared();
    let bootstrap = subject.bootstrap();
    let (mut raw, group) = (Raw::connect(&bootstrap), topic_name("tools-group"));
    let topic = new_topic_with(&mut raw, "tools-groups", 1, &[]);
    let tools = Tools { bootstrap, topic };
    tools.produce(&[], &records(0));
    let from = ["--group", &group, "--topic", &tools.topic];
    let to = ["--reset-offsets", "--to-offset", "15", "--execute"];
    tools.run(class, &[&from[..], &to].concat(), "");
    let described = tools.run(class, &["--describe", "--group", &group], "");
    let row = described.lines().find(|line| line.starts_with(&group)).unwrap_or(&described);
    let columns: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(columns[..6], [&group, &tools.topic, "0", "15", "20", "5"], "{described}");
    let listed = tools.run(class, &["--list", "--state", "empty"], "");
    assert!(listed.lines().any(|line| line.starts_with(&group)), "{listed}");
    // The topic itself, in the reference's own words.
    let partition = partition_of(&group).to_string();
    let place = ["--topic", "__consumer_offsets", "--partition", &partition];
    let formatter = "org.apache.kafka.tools.consumer.OffsetsMessageFormatter";
    let how = ["--offset", "earliest", "--timeout-ms", "5000", "--formatter", formatter];
    let console = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let arguments = [&place[..], &how].concat();
    // It ends by its time, which it calls an error.
    let output = tools.command(console, &arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let row =
        told.lines().find(|line| line.contains(&group)).unwrap_or_else(|| panic!("{output:?}"));
    assert!(row.contains(&format!("\"topic\":\"{}\"", tools.topic)), "{row}");
    assert!(row.contains("\"version\":4") && row.contains("\"offset\":15"), "{row}");
    tools.run(class, &["--delete", "--group", &group], "");
    let listed = tools.run(class, &["--list"], "");
    assert!(!listed.lines().any(|line| line == group), "{listed}");
}

/// The partition of a group: Java's hash of its name, which is ASCII here.
fn partition_of(group: &str) -> i32 {
    let hash =
        group.bytes().fold(0_i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    hash.checked_abs().unwrap_or(0) % 50
}

/// Adds partitions, deletes records, and another topic.
fn shrink(tools: &Tools) {
    let topic = &tools.topic;
    tools.topics(&["--alter", "--topic", topic, "--partitions", "4"]);
    let described = tools.topics(&["--describe", "--topic", topic]);
    assert!(described.contains("PartitionCount: 4"), "{described}");
    let dir = scratch("tools");
    let file = dir.join("records.json");
    let partition = format!(r#"{{"topic": "{topic}", "partition": 0, "offset": 30}}"#);
    std::fs::write(&file, format!(r#"{{"partitions": [{partition}], "version": 1}}"#)).unwrap();
    let arguments = ["--offset-json-file", file.to_str().unwrap()];
    tools.run("org.apache.kafka.tools.DeleteRecordsCommand", &arguments, "");
    std::fs::remove_dir_all(dir).unwrap();
    assert!(tools.offset("earliest").starts_with(&format!("{topic}:0:30")));
    let gone = format!("{topic}-gone");
    tools.topics(&["--create", "--topic", &gone]);
    assert!(tools.topics(&["--list"]).lines().any(|line| line == gone));
    tools.topics(&["--delete", "--topic", &gone]);
    assert!(!tools.topics(&["--list"]).lines().any(|line| line == gone));
}
