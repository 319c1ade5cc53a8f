//! `logboom consume --group`: members that share, come and go.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Instant;

use serde_json::Value;

use logboom_protocol::messages::describe_groups::DescribeGroupsRequest;
use logboom_tests::broker::{Broker, pause, shared};
use logboom_tests::raw::{Raw, topic_name};

use super::{command, described, printed, refused, run, workers, write};
use crate::tour::groups::{
    PARTITIONS, PATIENCE, Place, ROUND, Reader, all, committed, ours, wait_for, write_round,
};
use crate::wire::{new_topic_with, now_ms};

/// Waits until a group is stable with so many members; who has which partitions, by member id.
fn shared_by(bootstrap: &str, group: &str, count: usize) -> Vec<BTreeSet<i32>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let told = described(bootstrap, group);
        let members = told["members"].as_array().unwrap();
        if told["state"] == "Stable" && members.len() == count {
            let numbers = |topic: &Value| topic["partitions"].as_array().unwrap().clone();
            let own = |member: &Value| {
                let topics = member["assignment"].as_array().unwrap();
                let all = topics.iter().flat_map(numbers);
                all.map(|one| i32::try_from(one.as_i64().unwrap()).unwrap()).collect()
            };
            return members.iter().map(own).collect();
        }
        assert!(Instant::now() < deadline, "{told}");
        pause();
    }
}

/// The partitions of what a reader has read since it had read `from` records.
fn read_since(reader: &Reader, from: usize) -> BTreeSet<i32> {
    reader.seen[from..].iter().map(|(partition, _)| *partition).collect()
}

#[test]
fn two_members_share_the_partitions_until_one_leaves() {
    let subject = shared();
    let (bootstrap, group) = (subject.bootstrap(), topic_name("ours"));
    let mut raw = Raw::connect(&bootstrap);
    let topic = new_topic_with(&mut raw, "ours", PARTITIONS, &[]);
    let round = all(1).len();
    write_round(&mut raw, &topic);
    let mut readers = vec![Reader::start(ours(&bootstrap, &topic, &group))];
    wait_for(&mut readers, round);
    readers.push(Reader::start(ours(&bootstrap, &topic, &group)));
    let shares = shared_by(&bootstrap, &group, 2);
    let halves = [BTreeSet::from([0, 1]), BTreeSet::from([2, 3])];
    assert!(shares == halves || shares == [halves[1].clone(), halves[0].clone()], "{shares:?}");
    let before: Vec<usize> = readers.iter_mut().map(Reader::look).collect();
    write_round(&mut raw, &topic);
    wait_for(&mut readers, 2 * round);
    for (reader, from) in readers.iter().zip(before) {
        let own = read_since(reader, from);
        assert!(halves.contains(&own), "{own:?}");
    }
    refuse_while_there_are_members(&bootstrap, &group, &topic);
    // It leaves by itself: nobody waits for the end of its session, it is out before it has ended.
    let mut seen = readers.remove(0).stop_by("-INT");
    let told = described(&bootstrap, &group);
    assert_eq!(told["members"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(shared_by(&bootstrap, &group, 1), [BTreeSet::from([0, 1, 2, 3])]);
    write_round(&mut raw, &topic);
    let count = readers[0].look();
    wait_for(&mut readers, count.max(3 * round - seen.len()));
    seen.extend(readers.remove(0).stop_by("-TERM"));
    let distinct: BTreeSet<Place> = seen.iter().copied().collect();
    assert_eq!(seen.len(), distinct.len(), "something came twice");
    assert_eq!(distinct, all(3));
    assert_eq!(committed(&mut raw, &group, &topic), [3 * ROUND; 4]);
    assert_eq!(described(&bootstrap, &group)["state"], "Empty");
}

fn refuse_while_there_are_members(bootstrap: &str, group: &str, topic: &str) {
    for more in [&["--to-beginning"][..], &["--to-beginning", "--dry-run"]] {
        let words = [&["group", "reset", group, "--topic", topic], more].concat();
        let said = refused(bootstrap, &words);
        assert!(said.contains("it is Stable with 2 members"), "{said}");
        assert!(said.contains(&format!("`logboom group describe {group}`")), "{said}");
    }
    let said = refused(bootstrap, &["group", "delete", group]);
    assert!(said.contains("NON_EMPTY_GROUP"), "{said}");
    let said = refused(bootstrap, &["group", "delete", group, "--topic", topic]);
    assert!(said.contains("GROUP_SUBSCRIBED_TO_TOPIC"), "{said}");
}

/// What a consumer prints that ends by itself.
fn consumed(bootstrap: &str, topic: &str, group: &str, more: &[&str]) -> Vec<String> {
    let front = ["consume", topic, "--group", group, "--format", "%o\\n"];
    let text = printed(bootstrap, &[&front[..], more].concat());
    text.lines().map(str::to_owned).collect()
}

fn numbers(range: std::ops::Range<i64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[test]
fn it_begins_where_the_group_stands_and_elsewhere_only_where_it_has_nothing() {
    let subject = shared();
    let bootstrap = subject.bootstrap();
    let mut raw = Raw::connect(&bootstrap);
    let topic = new_topic_with(&mut raw, "begins", 1, &[]);
    write(&mut raw, &topic, 0, &[now_ms(); 10]);
    let consumed = |group: &str, more: &[&str]| consumed(&bootstrap, &topic, group, more);
    // In the middle of a batch, and nothing that wasn't printed counts as read.
    let group = topic_name("begins-new");
    assert_eq!(consumed(&group, &["--from", "4", "--count", "3"]), numbers(4..7));
    assert_eq!(described(&bootstrap, &group)["partitions"][0]["committed_offset"], 7);
    assert_eq!(consumed(&group, &["--from", "0", "--exit"]), numbers(7..10));
    assert_eq!(consumed(&group, &["--from", "0", "--exit"]), numbers(0..0));
    printed(&bootstrap, &["group", "reset", &group, "--topic", &topic, "--to-offset", "8"]);
    assert_eq!(consumed(&group, &["--from", "end", "--exit"]), numbers(8..10));
    // The end is a place to come back to as well.
    let group = topic_name("begins-end");
    assert_eq!(consumed(&group, &["--from", "end", "--exit"]), numbers(0..0));
    write(&mut raw, &topic, 0, &[now_ms(); 2]);
    assert_eq!(consumed(&group, &["--count", "2"]), numbers(10..12));
}

#[test]
fn what_is_gone_is_not_passed_over_in_silence() {
    let subject = shared();
    let (bootstrap, group) = (subject.bootstrap(), topic_name("gone"));
    let mut raw = Raw::connect(&bootstrap);
    let topic = new_topic_with(&mut raw, "gone", 1, &[]);
    write(&mut raw, &topic, 0, &[now_ms(); 10]);
    assert_eq!(consumed(&bootstrap, &topic, &group, &["--count", "3"]), numbers(0..3));
    printed(&bootstrap, &["topic", "trim", &topic, "--before", "5", "--partition", "0"]);
    let said = refused(&bootstrap, &["consume", &topic, "--group", &group]);
    assert!(said.contains("offset 3 is not there"), "{said}");
    let way_out = said.split('`').nth(1).unwrap();
    let words: Vec<&str> = way_out.split(' ').skip(1).collect();
    let table = printed(&bootstrap, &words);
    assert!(table.contains("3 is before the first record"), "{table}");
    assert_eq!(consumed(&bootstrap, &topic, &group, &["--exit"]), numbers(5..10));
    let missing = run(&bootstrap, &["consume", "not-there", "--group", &group]);
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn an_offset_that_a_partition_does_not_have_is_not_committed_for_it() {
    let subject = shared();
    let (bootstrap, group) = (subject.bootstrap(), topic_name("never"));
    let mut raw = Raw::connect(&bootstrap);
    let topic = new_topic_with(&mut raw, "never", PARTITIONS, &[]);
    write(&mut raw, &topic, 0, &[now_ms(); 20]);
    for partition in 1..PARTITIONS {
        write(&mut raw, &topic, partition, &[now_ms(); 5]);
    }
    let output = run(&bootstrap, &["consume", &topic, "--group", &group, "--from", "10"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("offset 10 is not there"), "{said}");
    assert_eq!(committed(&mut raw, &group, &topic)[1..], [-1; 3]);
    let way_out = said.split('`').nth(1).unwrap();
    let words: Vec<&str> = way_out.split(' ').skip(1).collect();
    let table = printed(&bootstrap, &words);
    assert!(table.contains("10 is behind the end"), "{table}");
    let mut told = committed(&mut raw, &group, &topic).split_off(1);
    told.sort_unstable();
    assert_eq!(told, [-1, -1, 5], "that of the one partition which was named");
}

/// Records of which a pipe holds a small part.
const MANY: usize = 5_000;

/// A member that has `MANY` records to write, and nobody reads more of its output than the first.
fn stuck(raw: &mut Raw, words: [&str; 3], more: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let [bootstrap, topic, group] = words;
    write(raw, topic, 0, &[now_ms(); MANY]);
    let format = format!("%o {}\\n", "x".repeat(200));
    let words = ["consume", topic, "--group", group, "--format", &format];
    let mut command = command(bootstrap, &[&words[..], more].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(line.starts_with("0 "), "{line}");
    (child, output)
}

fn send(signal: &str, process: u32) {
    let sent = Command::new("kill").args([signal, &process.to_string()]).status();
    assert!(sent.unwrap().success());
}

/// How a process ended, and what it said.
fn ended(child: Child) -> (ExitStatus, String) {
    let output = child.wait_with_output().unwrap();
    (output.status, String::from_utf8(output.stderr).unwrap())
}

/// Waits as long as a session lasts without a heartbeat, of which another group has one.
fn outlast_session(raw: &mut Raw, session_timeout_ms: i32) {
    let group = topic_name("silent");
    workers(raw, &group, session_timeout_ms);
    let request = DescribeGroupsRequest {
        groups: vec![group.as_str().into()],
        ..DescribeGroupsRequest::default()
    };
    let deadline = Instant::now() + PATIENCE;
    while raw.call(5, &request).groups[0].group_state.as_str() == "Stable" {
        assert!(Instant::now() < deadline, "it has no end");
        pause();
    }
}

/// Nobody reads what it writes: it is a member all the same, for longer than a session without
/// heartbeats lasts, and a signal ends it; what wasn't taken comes again.
#[test]
fn an_output_that_is_stuck_holds_up_nothing_but_itself() {
    let subject = shared();
    let (bootstrap, group) = (subject.bootstrap(), topic_name("stuck"));
    let mut raw = Raw::connect(&bootstrap);
    let topic = new_topic_with(&mut raw, "stuck", 1, &[]);
    let session = ["--session-timeout", "6"];
    let (child, output) = stuck(&mut raw, [&bootstrap, &topic, &group], &session);
    outlast_session(&mut raw, 6_000);
    let told = described(&bootstrap, &group);
    let members = told["members"].as_array().unwrap().len();
    assert_eq!((&told["state"], members), (&"Stable".into(), 1), "its heart stood still");
    send("-TERM", child.id());
    let (status, said) = ended(child);
    assert!(status.success(), "{status}: {said}");
    // It has left, and what the pipe still holds is read after it.
    assert_eq!(described(&bootstrap, &group)["state"], "Empty");
    let offset = |line: String| line.split(' ').next().unwrap().parse::<i64>().ok();
    let taken = output.lines().map(Result::unwrap).filter_map(offset);
    let taken: BTreeSet<i64> = taken.chain([0]).collect();
    assert!(taken.len() < MANY, "it wasn't stuck");
    let rest = consumed(&bootstrap, &topic, &group, &["--exit"]);
    let rest = rest.iter().map(|line| line.parse::<i64>().unwrap());
    let all: BTreeSet<i64> = taken.into_iter().chain(rest).collect();
    assert_eq!(all.len(), MANY, "something was left out");
}

#[test]
fn what_cannot_be_committed_in_the_end_is_a_failure() {
    let mut broker = Broker::start("uncommitted");
    let (bootstrap, group) = (broker.bootstrap(), "uncommitted");
    let mut raw = Raw::connect(&bootstrap);
    let topic = new_topic_with(&mut raw, "uncommitted", 1, &[]);
    let count = MANY.to_string();
    let (child, output) = stuck(&mut raw, [&bootstrap, &topic, group], &["--count", &count]);
    broker.kill();
    assert_eq!(output.lines().map_while(Result::ok).count(), MANY - 1);
    let (status, said) = ended(child);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("may come again"), "{said}");
}

/// The broker stands still, so that neither the commit which is due is answered nor the last one.
#[test]
fn a_signal_is_heard_while_a_commit_is_not_answered() {
    let broker = Broker::start("unanswered");
    let (bootstrap, group) = (broker.bootstrap(), "unanswered");
    let mut raw = Raw::connect(&bootstrap);
    let topic = new_topic_with(&mut raw, "unanswered", 1, &[]);
    let (child, output) = stuck(&mut raw, [&bootstrap, &topic, group], &[]);
    send("-STOP", broker.pid());
    assert_eq!(output.lines().map_while(Result::ok).take(MANY - 1).count(), MANY - 1);
    send("-TERM", child.id());
    let (status, said) = ended(child);
    assert!(status.success(), "{status}: {said}");
    assert!(said.contains("may come again"), "{said}");
}

#[test]
fn a_member_outlives_the_broker() {
    let mut broker = Broker::start("consume-kills");
    let (bootstrap, group) = (broker.bootstrap(), "over-kills");
    let topic = new_topic_with(&mut Raw::connect(&bootstrap), "consume-kills", PARTITIONS, &[]);
    let mut readers = vec![Reader::start(ours(&bootstrap, &topic, group))];
    let rounds = 3;
    for round in 1..=rounds {
        let mut raw = Raw::connect(&bootstrap);
        write_round(&mut raw, &topic);
        let round_size = all(1).len();
        wait_for(&mut readers, usize::try_from(round).unwrap() * round_size);
        // What was printed is committed soon, and then it can't come again.
        let deadline = Instant::now() + PATIENCE;
        while committed(&mut raw, group, &topic) != [round * ROUND; 4] {
            assert!(Instant::now() < deadline, "not committed in round {round}");
            pause();
        }
        broker.kill();
        broker.restart();
    }
    let seen = readers.remove(0).stop();
    assert_eq!(seen.len(), all(rounds).len(), "something came twice");
    assert_eq!(seen.into_iter().collect::<BTreeSet<Place>>(), all(rounds));
}
