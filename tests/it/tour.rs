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

mod cluster;
mod consumer;
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

/// A client, and what it does otherwise than all.
struct Client {
    name: &'static str,
    program: fn() -> Result<Command, String>,
    /// Lines that it doesn't print.
    missing: &'static [&'static str],
    /// Lines with other numbers, because something is missing in front of them.
    changed: &'static [(&'static str, &'static str)],
    /// Of what is stored, 20 records each.
    codecs: &'static [i64],
}

const LIBRDKAFKA: Client = Client {
    name: "librdkafka",
    program: || Ok(python()?.command("librdkafka_tour.py")),
    missing: &[],
    changed: &[],
    codecs: &CODECS,
};
const KAFKA_PYTHON: Client = Client {
    name: "kafka-python",
    program: || Ok(python()?.command("kafka_python_tour.py")),
    ..LIBRDKAFKA
};
const KAFKA_CLIENTS: Client =
    Client { name: "kafka-clients", program: || Ok(java()?.command("Tour")), ..LIBRDKAFKA };
const FRANZ_GO: Client = Client { name: "franz-go", program: go, ..LIBRDKAFKA };
const KAFKAJS: Client = Client {
    name: "kafkajs",
    program: || node("tour.js"),
    missing: &[
        // Codecs of other packages.
        "produce snappy",
        "produce lz4",
        "produce zstd",
        // Its consumer needs a group.
        "beginning",
        "offset",
        "time",
        "end",
    ],
    changed: &[("list latest 120", "list latest 60")],
    codecs: &[0, 1, 0],
};

impl Client {
    /// Tours a broker that nothing happens to; what it stored is looked at.
    fn tour(&self) {
        let subject = shared();
        let Some(topic) = self.tour_at(&subject.bootstrap()) else { return };
        let Some(broker) = subject.ours() else { return };
        check_stored(self.name, &stored(broker, &topic), self.codecs);
    }

    /// Runs the program, which prints all lines that it should; its topic.
    fn tour_at(&self, bootstrap: &str) -> Option<String> {
        let name = self.name;
        let mut program = or_skip(&format!("the tour with {name}"), (self.program)())?;
        let topic = topic_name(name);
        program.args([bootstrap, &topic, &now_ms().to_string()]);
        let lines = printed(&mut program);
        let expected = ALL.iter().filter(|line| !self.missing.contains(line)).map(|line| {
            let other = self.changed.iter().find(|(of, _)| of == line);
            other.map_or(*line, |(_, other)| other)
        });
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{name}");
        Some(topic)
    }
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
    LIBRDKAFKA.tour();
}

#[test]
fn kafka_python_tours() {
    KAFKA_PYTHON.tour();
}

#[test]
fn kafka_clients_tour() {
    KAFKA_CLIENTS.tour();
}

#[test]
fn franz_go_tours() {
    FRANZ_GO.tour();
}

#[test]
fn kafkajs_tours() {
    KAFKAJS.tour();
}

/// kcat has no calls for configurations, partitions and deletions, and makes topics by producing to
/// them; it sets no timestamps.
fn kcat_tour(bootstrap: &str) -> Option<String> {
    or_skip("the tour with kcat", kcat())?;
    let topic = topic_name("kcat");
    let run = |arguments: &[&str], input: &str| {
        let mut command = kcat().unwrap();
        command.args(["-q", "-b", bootstrap, "-t", &topic, "-p", "0"]).args(arguments);
        stored::fed(&mut command, input)
    };
    let lines = |run: usize| -> String {
        (run * 20..run * 20 + 20).map(|n| format!("key {n}:{}\n", value(n))).collect()
    };
    let all: String = (0..6).map(lines).collect();
    let time = |run: usize| format!("s@{}", stored::timestamp(bootstrap, &topic, run));
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
        command.args(["-q", "-b", bootstrap, "-Q", "-t", &asked]);
        stored::fed(&mut command, "")
    };
    let (start, end) = (query("-2"), query("-1"));
    assert!(start.contains("offset 0") && end.contains("offset 120"), "{start}{end}");
    Some(topic)
}

#[test]
fn kcat_tours() {
    let subject = shared();
    let Some(topic) = kcat_tour(&subject.bootstrap()) else { return };
    if let Some(broker) = subject.ours() {
        check_stored("kcat", &stored(broker, &topic), &CODECS);
    }
}

/// The value of a record.
fn value(number: usize) -> String {
    format!("value {number} ").repeat(20)
}
