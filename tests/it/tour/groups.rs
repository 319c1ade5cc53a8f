//! The tour of groups: every client subscribes with one, commits record by record, goes, and comes
//! back to where it was; two kinds share a group; the broker is killed under groups.
//!
//! A client prints a line for each record when its commit has succeeded, so what is printed is what
//! was delivered, and no record may be printed twice.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic};
use logboom_protocol::records::{BatchBuilder, Codec};
use logboom_tests::broker::{Broker, logboom, pause, shared};
use logboom_tests::foreign::{go, java, node, or_skip, printed, python};
use logboom_tests::raw::{Raw, topic_name};

use crate::groups::{command, described};
use crate::wire::{PRODUCE, new_topic_with, now_ms, produce_to};

pub(crate) const PARTITIONS: i32 = 4;
/// Records of each partition in a round.
pub(crate) const ROUND: i64 = 10;
/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(100);

/// Partition and offset.
pub(crate) type Place = (i32, i64);

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    for _ in 0..ROUND {
        builder.append(now_ms(), None, Some(b"value"), &[]).unwrap();
    }
    builder.build().unwrap()
}

/// Writes a round of records to all partitions.
pub(crate) fn write_round(raw: &mut Raw, topic: &str) {
    for partition in 0..PARTITIONS {
        let response = raw.call(PRODUCE, &produce_to(topic, partition, batch()));
        let code = response.responses[0].partition_responses[0].error_code;
        assert_eq!(code, ErrorCode::NONE);
    }
}

fn place(line: &str) -> Place {
    let (partition, offset) = line.split_once(' ').unwrap_or_else(|| panic!("{line:?}"));
    (partition.parse().unwrap(), offset.trim().parse().unwrap())
}

/// All places up to so many rounds.
pub(crate) fn all(rounds: i64) -> BTreeSet<Place> {
    let of = |partition| (0..rounds * ROUND).map(move |offset| (partition, offset));
    (0..PARTITIONS).flat_map(of).collect()
}

/// What a group has committed for each partition.
pub(crate) fn committed(raw: &mut Raw, group: &str, topic: &str) -> Vec<i64> {
    let topic = OffsetFetchRequestTopic {
        name: topic.into(),
        partition_indexes: (0..PARTITIONS).collect(),
    };
    let request = OffsetFetchRequest {
        group_id: group.into(),
        topics: Some(vec![topic]),
        ..Default::default()
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = raw.call(5, &request);
        if told.error_code == ErrorCode::NONE {
            return told.topics[0].partitions.iter().map(|one| one.committed_offset).collect();
        }
        assert!(Instant::now() < deadline, "{told:?}");
        pause();
    }
}

/// A client reads a part, goes, and comes back for the rest: everything, once.
pub(crate) fn comes_back(name: &str, program: impl Fn(&str, &str, &str, &str) -> Result<Command, String>) {
    let subject = shared();
    let (bootstrap, group) = (subject.bootstrap(), topic_name(&format!("group-{name}")));
    if or_skip(&format!("groups with {name}"), program(&bootstrap, "", &group, "1")).is_none() {
        return;
    }
    let mut raw = Raw::connect(&bootstrap);
    let topic = new_topic_with(&mut raw, &format!("groups-{name}"), PARTITIONS, &[]);
    write_round(&mut raw, &topic);
    let mut seen = BTreeSet::new();
    for count in ["15", "25"] {
        let lines = printed(&mut program(&bootstrap, &topic, &group, count).unwrap());
        assert_eq!(lines.lines().count().to_string(), count, "{name}");
        for line in lines.lines() {
            assert!(seen.insert(place(line)), "{name}: {line} came twice");
        }
    }
    assert_eq!(seen, all(1), "{name}");
    assert_eq!(committed(&mut raw, &group, &topic), [ROUND; 4], "{name}");
}

/// A program with these arguments, and one more.
pub(crate) fn with(mut command: Command, [bootstrap, topic, group, count]: [&str; 4], more: &str) -> Command {
    command.args([bootstrap, topic, group, count]).args(Some(more).filter(|more| !more.is_empty()));
    command
}

#[test]
fn librdkafka_comes_back_to_its_group() {
    for strategy in ["range", "cooperative-sticky"] {
        comes_back(&format!("librdkafka-{strategy}"), |bootstrap, topic, group, count| {
            let command = python()?.command("librdkafka_group.py");
            Ok(with(command, [bootstrap, topic, group, count], strategy))
        });
    }
}

#[test]
fn kafka_python_comes_back_to_its_group() {
    comes_back("kafka-python", |bootstrap, topic, group, count| {
        let command = python()?.command("kafka_python_group.py");
        Ok(with(command, [bootstrap, topic, group, count], ""))
    });
}

#[test]
fn kafka_clients_come_back_to_their_group() {
    for strategy in ["range", "cooperative-sticky"] {
        comes_back(&format!("kafka-clients-{strategy}"), |bootstrap, topic, group, count| {
            Ok(with(java()?.command("Group"), [bootstrap, topic, group, count], strategy))
        });
    }
}

#[test]
fn kafkajs_comes_back_to_its_group() {
    comes_back("kafkajs", |bootstrap, topic, group, count| {
        Ok(with(node("group.js")?, [bootstrap, topic, group, count], ""))
    });
}

#[test]
fn franz_go_comes_back_to_its_group() {
    for strategy in ["range", "cooperative-sticky"] {
        comes_back(&format!("franz-go-{strategy}"), |bootstrap, topic, group, count| {
            let mut command = go()?;
            command.args([bootstrap, topic, "0", group, count, strategy]);
            Ok(command)
        });
    }
}

#[test]
fn logboom_comes_back_to_its_group() {
    comes_back("logboom", |bootstrap, topic, group, count| {
        let mut command = ours(bootstrap, topic, group);
        command.args(["--count", count]);
        Ok(command)
    });
}

/// Our own command, which prints what it then commits.
pub(crate) fn ours(bootstrap: &str, topic: &str, group: &str) -> Command {
    let mut command = command(bootstrap, &["consume", topic, "--group", group]);
    command.args(["--format", "%p %o\\n", "--timeout", "60"]);
    command
}

/// A client that reads until it is told to stop; what it prints comes by a channel.
pub(crate) struct Reader {
    child: Child,
    lines: Receiver<Place>,
    pub(crate) seen: Vec<Place>,
    /// Whether it is told by a signal, and not by the end of its input.
    by_signal: bool,
    program: String,
}

impl Reader {
    pub(crate) fn start(mut command: Command) -> Self {
        let by_signal = command.get_program() == logboom();
        let program = format!("{command:?}");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(place(&line)).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, seen: Vec::new(), by_signal, program }
    }

    /// Takes what has come; how much that is in all.
    pub(crate) fn look(&mut self) -> usize {
        self.seen.extend(self.lines.try_iter());
        self.seen.len()
    }

    /// Tells it to leave, and takes the rest.
    pub(crate) fn stop(self) -> Vec<Place> {
        self.stop_by("-TERM")
    }

    /// The same, with that signal if it listens to signals.
    pub(crate) fn stop_by(mut self, signal: &str) -> Vec<Place> {
        drop(self.child.stdin.take());
        if self.by_signal {
            let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
            assert!(sent.unwrap().success());
        }
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.program);
        self.seen.extend(self.lines.iter());
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It has ended, unless a test has failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits until the readers have read so much together.
pub(crate) fn wait_for(readers: &mut [Reader], count: usize) {
    let deadline = Instant::now() + PATIENCE;
    while readers.iter_mut().map(Reader::look).sum::<usize>() < count {
        assert!(
            Instant::now() < deadline,
            "{:?}",
            readers.iter().map(|r| &r.seen).collect::<Vec<_>>()
        );
        pause();
    }
}

/// librdkafka and the reference client, in a group that shares by ranges.
fn two_kinds(bootstrap: &str, topic: &str, group: &str) -> Result<[Command; 2], String> {
    let arguments = [bootstrap, topic, group, "0"];
    Ok([
        with(python()?.command("librdkafka_group.py"), arguments, "range"),
        with(java()?.command("Group"), arguments, "range"),
    ])
}

/// Writes rounds until each reader has had its part of one; how many rounds there are then.
fn write_until_shared(raw: &mut Raw, topic: &str, readers: &mut [Reader], mut rounds: i64) -> i64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before: Vec<usize> = readers.iter_mut().map(Reader::look).collect();
        write_round(raw, topic);
        rounds += 1;
        let count = usize::try_from(rounds * ROUND * i64::from(PARTITIONS)).unwrap();
        wait_for(readers, count);
        if readers.iter_mut().zip(before).all(|(reader, before)| reader.look() > before) {
            return rounds;
        }
        assert!(Instant::now() < deadline, "one of them has nothing");
    }
}

/// What the command line says of a group whose two members share all partitions of the topic.
fn check_described(bootstrap: &str, group: &str, assignor: &str) {
    let deadline = Instant::now() + PATIENCE;
    let told = loop {
        let told = described(bootstrap, group);
        if told["state"] == "Stable" && told["members"].as_array().is_some_and(|all| all.len() == 2)
        {
            break told;
        }
        assert!(Instant::now() < deadline, "{told}");
        pause();
    };
    assert_eq!(told["assignor"], assignor, "{told}");
    let mut owned = BTreeMap::new();
    for member in told["members"].as_array().unwrap() {
        for topic in member["assignment"].as_array().unwrap() {
            for partition in topic["partitions"].as_array().unwrap() {
                let partition = partition.as_i64().unwrap();
                let before = owned.insert(partition, member["member_id"].clone());
                assert_eq!(before, None, "two have it: {told}");
            }
        }
    }
    assert_eq!(owned.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3], "{told}");
    let rows = told["partitions"].as_array().unwrap();
    for row in rows {
        let owner: &Value = &owned[&row["partition"].as_i64().unwrap()];
        assert_eq!(&row["member_id"], owner, "{told}");
    }
    assert_eq!(rows.len(), owned.len(), "{told}");
}

/// Two clients share a group by ranges, the first gives it up, and nothing comes twice.
fn two_share(name: &str, kinds: impl Fn(&str, &str, &str) -> Result<[Command; 2], String>) {
    two_share_by("range", name, kinds);
}

/// The same in another way.
pub(crate) fn two_share_by(
    assignor: &str,
    name: &str,
    kinds: impl Fn(&str, &str, &str) -> Result<[Command; 2], String>,
) {
    let subject = shared();
    let (bootstrap, group) = (subject.bootstrap(), topic_name(name));
    if or_skip(&format!("a group of {name}"), kinds(&bootstrap, "", &group)).is_none() {
        return;
    }
    let mut raw = Raw::connect(&bootstrap);
    let topic = new_topic_with(&mut raw, name, PARTITIONS, &[]);
    let commands = kinds(&bootstrap, &topic, &group).unwrap();
    write_round(&mut raw, &topic);
    let mut readers = Vec::new();
    let mut rounds = 1;
    // One after the other, so that the second takes away from the first.
    for command in commands {
        readers.push(Reader::start(command));
        rounds = write_until_shared(&mut raw, &topic, &mut readers, rounds);
    }
    check_described(&bootstrap, &group, assignor);
    let first = readers.remove(0).stop();
    // And gives it back.
    let count = readers[0].look();
    write_round(&mut raw, &topic);
    wait_for(&mut readers, count + all(1).len());
    let second = readers.remove(0).stop();
    let read: Vec<Place> = first.into_iter().chain(second).collect();
    let distinct: BTreeSet<Place> = read.iter().copied().collect();
    assert_eq!(read.len(), distinct.len(), "something came twice");
    let ends = committed(&mut raw, &group, &topic);
    assert!(ends.iter().all(|end| *end == ends[0]));
    assert_eq!(distinct, all(ends[0] / ROUND));
}

#[test]
fn wire_72_two_kinds_of_clients_share_a_group_and_nothing_comes_twice() {
    two_share("librdkafka-kafka-clients", two_kinds);
}

/// kafkajs has no assignor that others have; it is given one, which its users may do.
#[test]
fn kafkajs_and_franz_go_share_a_group() {
    two_share("kafkajs-franz-go", |bootstrap, topic, group| {
        let arguments = [bootstrap, topic, group, "0"];
        let mut franz = go()?;
        franz.args([bootstrap, topic, "0", group, "0", "range"]);
        Ok([with(node("group.js")?, arguments, "range"), franz])
    });
}

#[test]
fn logboom_and_librdkafka_share_a_group() {
    two_share("logboom-librdkafka", |bootstrap, topic, group| {
        let arguments = [bootstrap, topic, group, "0"];
        let other = with(python()?.command("librdkafka_group.py"), arguments, "range");
        Ok([ours(bootstrap, topic, group), other])
    });
}

#[test]
fn kafka_python_and_logboom_share_a_group() {
    two_share("kafka-python-logboom", |bootstrap, topic, group| {
        let arguments = [bootstrap, topic, group, "0"];
        let other = with(python()?.command("kafka_python_group.py"), arguments, "");
        Ok([other, ours(bootstrap, topic, group)])
    });
}

#[test]
fn logboom_and_kafka_clients_share_a_group() {
    two_share("logboom-kafka-clients", |bootstrap, topic, group| {
        let arguments = [bootstrap, topic, group, "0"];
        let other = with(java()?.command("Group"), arguments, "range");
        Ok([ours(bootstrap, topic, group), other])
    });
}

#[test]
fn a_killed_broker_keeps_what_groups_have_committed() {
    let what = "groups over kills";
    if or_skip(what, two_kinds("", "", "")).is_none() {
        return;
    }
    let mut broker = Broker::start("kills-groups");
    let (bootstrap, group) = (broker.bootstrap(), "over-kills");
    let topic = new_topic_with(&mut Raw::connect(&bootstrap), "kills-groups", PARTITIONS, &[]);
    let commands = two_kinds(&bootstrap, &topic, group).unwrap();
    let mut readers: Vec<Reader> = commands.into_iter().map(Reader::start).collect();
    let kills = i64::try_from(crate::storage::size("LOGBOOM_GROUP_KILLS", 3)).unwrap();
    let mut seen = BTreeSet::new();
    for round in 1..=kills {
        write_round(&mut Raw::connect(&bootstrap), &topic);
        // At once: some commits are under way.
        let deadline = Instant::now() + PATIENCE;
        while !readers.iter_mut().any(|reader| reader.look() > seen.len() / 2) {
            assert!(Instant::now() < deadline, "nobody reads in round {round}");
            pause();
        }
        broker.kill();
        broker.restart();
        while seen.len() < all(round).len() {
            readers.iter_mut().for_each(|reader| _ = reader.look());
            seen.extend(readers.iter().flat_map(|reader| reader.seen.iter().copied()));
            assert!(Instant::now() < deadline, "round {round}: {} records", seen.len());
            pause();
        }
        // What was read was committed, and is; whoever reads on doesn't begin before it.
        let mut raw = Raw::connect(&bootstrap);
        assert_eq!(committed(&mut raw, group, &topic), [round * ROUND; 4]);
    }
    for reader in readers {
        reader.stop();
    }
    assert_eq!(seen, all(kills));
}
