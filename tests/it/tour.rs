//! The tour: every client does every step that it has a call for, against the running broker, and
//! prints a line for each. What it reads back it compares itself: records are numbered, with `key
//! N`, `value N ` twenty times, and the timestamp of the start plus N milliseconds.
//!
//! | line | what was done |
//! | --- | --- |
//! | `create` | a topic with 2 partitions and `retention.ms` 7,200,000 |
//! | `produce CODEC`, `produce idempotent` | 20 records to partition 0, more than one a batch |
//! | `list WHICH N` | offsets looked up: start, end, by the timestamp of record 50 |
//! | `beginning`, `offset`, `time`, `end` | read, from there |
//! | `config N`, `changed N` | `retention.ms` read; set to 3,600,000 and read again |
//! | `partitions 4` | partitions added |
//! | `trim 30` | records before offset 30 deleted, the start looked up |
//! | `delete` | another topic created, deleted, and not found any more |
//!
//! All of these consumers are assigned their partition; `groups` has the tour with groups.
//!
//! Must always hold: a step that a client does not do is named here, with the reason.

pub(crate) mod groups;
mod stored;
mod tools;

use std::process::Command;

use logboom_tests::broker::shared;
use logboom_tests::foreign::{go, java, kcat, node, or_skip, printed, python};
use logboom_tests::raw::topic_name;

use stored::{Stored, stored};

/// What a client that does everything prints.
const ALL: [&str; 19] = [
    "create",
    "produce none",
    "produce gzip",
    "produce snappy",
    "produce lz4",
    "produce zstd",
    "produce idempotent",
    "list earliest 0",
    "list latest 120",
    "list timestamp 50",
    "beginning",
    "offset",
    "time",
    "end",
    "config 7200000",
    "changed 3600000",
    "partitions 4",
    "trim 30",
    "delete",
];

/// Milliseconds since 1970.
fn now_ms() -> i64 {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(time.unwrap().as_millis()).unwrap()
}

/// Runs a client's program; it prints all lines but `missing`, and `codecs` are stored, 20 records
/// each. `changed` lines have other numbers, because something is missing in front of them.
fn tour(
    name: &str,
    program: Result<Command, String>,
    missing: &[&str],
    changed: &[(&str, &str)],
    codecs: &[i64],
) {
    let Some(mut program) = or_skip(&format!("the tour with {name}"), program) else { return };
    let subject = shared();
    let topic = topic_name(name);
    program.args([&subject.bootstrap(), &topic, &now_ms().to_string()]);
    let lines = printed(&mut program);
    let expected = ALL.iter().filter(|line| !missing.contains(line)).map(|line| {
        let other = changed.iter().find(|(of, _)| of == line);
        other.map_or(*line, |(_, other)| other)
    });
    assert_eq!(lines.lines().collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{name}");
    let Some(broker) = subject.ours() else { return };
    check_stored(name, &stored(broker, &topic), codecs);
}

/// Each run of 20 records has its codec, and only the last run an idempotent producer.
fn check_stored(name: &str, batches: &[Stored], codecs: &[i64]) {
    let mut next = 0;
    for batch in batches {
        assert_eq!(batch.base_offset, next, "{name}: offsets have no gaps");
        next = batch.end_offset;
        let run = usize::try_from(batch.base_offset / 20).unwrap();
        // Behind the runs are records that a client needed to find the end.
        let Some(&codec) = codecs.get(run) else { continue };
        assert_eq!(batch.codec, codec, "{name}: {batch:?}");
        let is_last = run + 1 == codecs.len();
        assert_eq!(batch.producer_id >= 0, is_last, "{name}: {batch:?}");
    }
    assert!(next >= i64::try_from(codecs.len()).unwrap() * 20, "{name}: {batches:?}");
}

/// None, gzip, snappy, lz4, zstd, and what is idempotent.
const CODECS: [i64; 6] = [0, 1, 2, 3, 4, 0];

#[test]
fn librdkafka_tours() {
    let program = python().map(|python| python.command("librdkafka_tour.py"));
    tour("librdkafka", program, &[], &[], &CODECS);
}

#[test]
fn kafka_python_tours() {
    let program = python().map(|python| python.command("kafka_python_tour.py"));
    tour("kafka-python", program, &[], &[], &CODECS);
}

#[test]
fn kafka_clients_tour() {
    tour("kafka-clients", java().map(|java| java.command("Tour")), &[], &[], &CODECS);
}

#[test]
fn franz_go_tours() {
    tour("franz-go", go(), &[], &[], &CODECS);
}

#[test]
fn kafkajs_tours() {
    let missing = [
        // Codecs of other packages.
        "produce snappy",
        "produce lz4",
        "produce zstd",
        // Its consumer needs a group.
        "beginning",
        "offset",
        "time",
        "end",
    ];
    let changed = [("list latest 120", "list latest 60")];
    tour("kafkajs", node("tour.js"), &missing, &changed, &[0, 1, 0]);
}

/// kcat has no calls for configurations, partitions and deletions, and makes topics by producing to
/// them; it sets no timestamps.
#[test]
fn kcat_tours() {
    let Some(_) = or_skip("the tour with kcat", kcat()) else { return };
    let subject = shared();
    let topic = topic_name("kcat");
    let run = |arguments: &[&str], input: &str| {
        let mut command = kcat().unwrap();
        command.args(["-q", "-b", &subject.bootstrap(), "-t", &topic, "-p", "0"]).args(arguments);
        stored::fed(&mut command, input)
    };
    let lines = |run: usize| -> String {
        (run * 20..run * 20 + 20).map(|n| format!("key {n}:{}\n", value(n))).collect()
    };
    let all: String = (0..6).map(lines).collect();
    let time = |run: usize| format!("s@{}", stored::timestamp(&subject.bootstrap(), &topic, run));
    for (codec, run_number) in ["none", "gzip", "snappy", "lz4", "zstd"].iter().zip(0..) {
        let arguments =
            ["-P", "-K:", "-z", codec, "-X", "linger.ms=500", "-X", "message.timeout.ms=60000"];
        run(&arguments, &lines(run_number));
    }
    run(&["-P", "-K:", "-X", "enable.idempotence=true", "-X", "linger.ms=500"], &lines(5));
    let read = |from: &str, more: &[&str]| {
        run(&[&["-C", "-e", "-K:", "-o", from, "-X", "check.crcs=true"], more].concat(), "")
    };
    assert_eq!(read("beginning", &[]), all);
    let behind = |first: usize| -> String { all.split_inclusive('\n').skip(first).collect() };
    assert_eq!(read("50", &[]), behind(50));
    assert_eq!(read("end", &[]), "");
    assert_eq!(read("-5", &[]), behind(115), "from the end");
    assert_eq!(read(&time(60), &[]), behind(60), "by time");
    let query = |which: &str| {
        let asked = format!("{topic}:0:{which}");
        let mut command = kcat().unwrap();
        command.args(["-q", "-b", &subject.bootstrap(), "-Q", "-t", &asked]);
        stored::fed(&mut command, "")
    };
    let (start, end) = (query("-2"), query("-1"));
    assert!(start.contains("offset 0") && end.contains("offset 120"), "{start}{end}");
    if let Some(broker) = subject.ours() {
        check_stored("kcat", &stored(broker, &topic), &CODECS);
    }
}

/// The value of a record.
fn value(number: usize) -> String {
    format!("value {number} ").repeat(20)
}
