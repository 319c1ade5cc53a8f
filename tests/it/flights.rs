//! Real data: flights from New York in 2013, keyed by carrier, published with kcat while the broker
//! is killed in the middle and at the end, and read back by three clients.
//!
//! One percent of them is `tests/flights/sample.csv`, every hundredth line, made by
//! `tests/python/flights.py`; with `LOGBOOM_FLIGHTS_FULL` (`cargo xtask soak flights`) it is all of
//! them, which PyPI has.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use logboom_tests::broker::{Broker, logboom, pause};
use logboom_tests::foreign::{Client, flights, kcat, or_skip, printed, python};
use logboom_tests::raw::Raw;

use crate::wire::{made, new_topic_with};

const PARTITIONS: i32 = 6;
/// Where the carrier stands in a line.
const CARRIER: usize = 9;

/// Longer than half of them take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(100);

/// What was read: partition and offset, key, value.
type Records = BTreeMap<(i32, i64), (String, String)>;

/// The sample, or everything.
fn file() -> Result<PathBuf, String> {
    if std::env::var_os("LOGBOOM_FLIGHTS_FULL").is_some() {
        return flights(python()?);
    }
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).join("flights/sample.csv"))
}

/// kcat as an idempotent producer of lines `KEY:VALUE`, that outlasts a broker's absence.
fn publisher(mut kcat: Command, bootstrap: &str, topic: &str) -> Child {
    kcat.args(["-P", "-q", "-E", "-K:", "-z", "zstd", "-b", bootstrap, "-t", topic]);
    for option in [
        "enable.idempotence=true",
        "partitioner=murmur2",
        "message.timeout.ms=100000",
        "reconnect.backoff.max.ms=100",
        "log_level=2",
    ] {
        kcat.args(["-X", option]);
    }
    kcat.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kcat was just set up")
}

/// Publishes the lines. Three quarters of them are handed to kcat, the broker is killed when half
/// are acknowledged, and kcat gets the rest; then it is killed once more.
fn publish(kcat: Command, broker: &mut Broker, topic: &str, lines: &[&str]) {
    let bootstrap = broker.bootstrap();
    let mut child = publisher(kcat, &bootstrap, topic);
    let mut input = child.stdin.take().unwrap();
    let (restarted, killed) = channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            let (before, after) = lines.split_at(lines.len() / 4 * 3);
            // What kcat says when it ends early is seen below.
            if before.iter().all(|line| writeln!(input, "{}:{line}", carrier(line)).is_ok())
                && killed.recv().is_ok()
            {
                drop(after.iter().try_for_each(|line| writeln!(input, "{}:{line}", carrier(line))));
            }
        });
        wait_for(&bootstrap, topic, lines.len() / 2);
        broker.kill();
        broker.restart();
        restarted.send(()).expect("it waits");
    });
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kcat: {}\n{said}", output.status);
    broker.kill();
    broker.restart();
}

/// Waits until so many records are there.
fn wait_for(bootstrap: &str, topic: &str, count: usize) {
    let mut raw = Raw::connect(bootstrap);
    let deadline = Instant::now() + PATIENCE;
    let goal = i64::try_from(count).unwrap();
    while (0..PARTITIONS).map(|one| raw.end_offset(topic, one)).sum::<i64>() < goal {
        assert!(Instant::now() < deadline, "kcat doesn't get on");
        pause();
    }
}

fn carrier(line: &str) -> &str {
    line.split(',').nth(CARRIER).unwrap()
}

/// Undoes what `tests/src/shapes.rs` does to bytes: a unit in hexadecimal, that may be repeated.
fn text(shown: &str) -> String {
    let (count, unit) = shown.split_once('=').unwrap();
    let bytes = (0..unit.len() / 2).map(|at| u8::from_str_radix(&unit[at * 2..at * 2 + 2], 16));
    let bytes = bytes.collect::<Result<Vec<u8>, _>>().unwrap();
    String::from_utf8(bytes).unwrap().repeat(count.parse().unwrap_or(1))
}

/// Reads everything with a client of somebody else's.
fn read_with(client: Client, bootstrap: &str, topic: &str) -> Option<Records> {
    let mut command = or_skip("flights read back", client.consumer())?;
    let mut raw = Raw::connect(bootstrap);
    let ends = (0..PARTITIONS).map(|one| (one, raw.end_offset(topic, one)));
    let lasts = ends.filter(|(_, end)| *end > 0).map(|(one, end)| format!("{one}:{}", end - 1));
    command.args([bootstrap, topic, "read_uncommitted"]).args(lasts);
    let record = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let place = (words[0].parse().unwrap(), words[1].parse().unwrap());
        (place, (text(words[4]), text(words[5])))
    };
    let printed = printed(&mut command);
    let records: Records = printed.lines().map(record).collect();
    assert_eq!(records.len(), printed.lines().count(), "no offset comes twice");
    Some(records)
}

/// Reads everything with our own command.
fn read_with_ours(bootstrap: &str, topic: &str) -> Records {
    let mut command = Command::new(logboom());
    command.args(["consume", topic, "--bootstrap", bootstrap, "--exit"]);
    command.args(["--format", "%p %o %k %s\\n"]);
    let printed = printed(&mut command);
    let record = |line: &str| {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let place = (words[0].parse().unwrap(), words[1].parse().unwrap());
        (place, (words[2].to_owned(), words[3].to_owned()))
    };
    printed.lines().map(record).collect()
}

/// Every line is there once, in the order of its key, and no partition has a gap.
fn check(records: &Records, lines: &[&str]) {
    let mut expected: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for line in lines {
        expected.entry(carrier(line).to_owned()).or_default().push(line);
    }
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut ends = BTreeMap::new();
    for ((partition, offset), (key, value)) in records {
        let end = ends.entry(*partition).or_insert(0);
        assert_eq!(offset, end, "partition {partition} has no gaps");
        *end += 1;
        found.entry(key.clone()).or_default().push(value);
    }
    assert!(found == expected, "in order per key, once");
    assert!(ends.len() > 3, "several partitions");
}

#[test]
fn flights_are_read_back_as_they_were_published_over_two_kills() {
    let Some(kcat) = or_skip("flights published with kcat", kcat()) else { return };
    let Some(file) = or_skip("flights", file()) else { return };
    let content = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = content.lines().collect();
    let mut broker = Broker::start("flights");
    let bootstrap = broker.bootstrap();
    let topic = new_topic_with(&mut Raw::connect(&bootstrap), "flights", PARTITIONS, &[]);
    publish(kcat, &mut broker, &topic, &lines);
    made(&mut Raw::connect(&bootstrap), &topic);
    let ours = read_with_ours(&bootstrap, &topic);
    check(&ours, &lines);
    for client in [Client::Librdkafka, Client::KafkaClients] {
        let Some(records) = read_with(client, &bootstrap, &topic) else { continue };
        assert!(records == ours, "{} reads what we read", client.name());
    }
}
