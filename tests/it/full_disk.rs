//! The broker on a file system without a free byte: a tmpfs of its own, which only root may mount.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use logboom_protocol::records::{BatchBuilder, Codec};
use logboom_tests::broker::{Broker, pause};
use logboom_tests::disk::Disk;
use logboom_tests::foreign::{java, or_skip, python};
use logboom_tests::raw::{Raw, read_all};

use crate::wire::{PRODUCE, new_topic_with, now_ms, produce_to};

/// How often a batch of 60 kB fits into 256 MiB, and then some.
const BATCHES_MAX: usize = 5_000;
/// Attempts of a producer that goes on.
const ATTEMPTS_MAX: usize = 1_000;
/// Longer than a producer waits before it tries again.
const PATIENCE: Duration = Duration::from_secs(60);

/// 60 kB that don't compress away.
fn batch(number: usize) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    let value = format!("{number:0>60000}");
    builder.append(now_ms(), None, Some(value.as_bytes()), &[]).unwrap();
    builder.build().unwrap()
}

fn send(raw: &mut Raw, topic: &str, number: usize) -> (ErrorCode, i64) {
    let response = raw.call(PRODUCE, &produce_to(topic, 0, batch(number)));
    let answer = &response.responses[0].partition_responses[0];
    (answer.error_code, answer.base_offset)
}

/// Everything that was taken is there.
fn check(raw: &mut Raw, topic: &str, count: usize) {
    let records = read_all(raw, topic, 0);
    assert_eq!(records.len(), count);
    for (record, number) in records.iter().zip(0..) {
        assert_eq!(record.value, format!("{number:0>60000}").as_bytes());
    }
}

/// A broker on the disk, and a file that somebody else has there.
fn start(disk: &Disk) -> (Broker, PathBuf) {
    let other = disk.path().join("other");
    fs::write(&other, vec![1; 64 << 20]).unwrap();
    let root = disk.path().join("broker");
    fs::create_dir(&root).unwrap();
    (Broker::start_in(root, &[]), other)
}

#[test]
fn a_full_disk_refuses_records_and_nothing_else_until_there_is_room() {
    let Some(disk) = or_skip("a broker on a full disk", Disk::mount("full-disk")) else { return };
    let (mut broker, other) = start(&disk);
    let mut raw = Raw::connect(&broker.bootstrap());
    let topic = new_topic_with(&mut raw, "full", 1, &[]);
    let mut taken = 0;
    let refused = loop {
        match send(&mut raw, &topic, taken) {
            (ErrorCode::NONE, _) => taken += 1,
            (code, offset) => break (code, offset),
        }
        assert!(taken < BATCHES_MAX, "256 MiB are never full");
    };
    assert_eq!(refused, (ErrorCode::KAFKA_STORAGE_ERROR, -1));
    assert!(taken > 100, "{taken}");
    // It stays full, and what is there is read.
    assert_eq!(send(&mut raw, &topic, taken).0, ErrorCode::KAFKA_STORAGE_ERROR);
    check(&mut raw, &topic, taken);
    // A start serves what is there, and takes nothing new that would need the room of it.
    broker.kill();
    broker.restart();
    let mut raw = Raw::connect(&broker.bootstrap());
    check(&mut raw, &topic, taken);
    let mut create = |name: &str| {
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
        raw.call(7, &request).topics[0].error_code
    };
    assert_eq!(create("another"), ErrorCode::KAFKA_STORAGE_ERROR);
    fs::remove_file(other).unwrap();
    assert_eq!(create("another"), ErrorCode::NONE);
    let sent = (0..ATTEMPTS_MAX).map(|_| send(&mut raw, &topic, taken));
    let sent = sent.into_iter().find(|(code, _)| *code != ErrorCode::KAFKA_STORAGE_ERROR);
    assert_eq!(sent, Some((ErrorCode::NONE, i64::try_from(taken).unwrap())));
    check(&mut raw, &topic, taken + 1);
}

/// A producer of somebody else's fills the disk, is refused, and goes on by itself when there is
/// room: nothing is restarted, and every record is there once and in order.
///
/// - `refused`: what it says when a batch comes back the first time.
fn goes_on_by_itself(name: &str, program: Result<Command, String>, refused: &str) {
    let what = format!("{name} on a full disk");
    let Some(mut program) = or_skip(&what, program) else { return };
    let Some(disk) = or_skip(&what, Disk::mount(&format!("full-{name}"))) else { return };
    let (broker, other) = start(&disk);
    let mut raw = Raw::connect(&broker.bootstrap());
    let topic = new_topic_with(&mut raw, "full", 1, &[]);
    program.args([&broker.bootstrap(), &topic]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), refused, "{name}");
    // It is the disk: we are refused as well, as long as it stays as it is.
    assert_eq!(send(&mut raw, &topic, 0).0, ErrorCode::KAFKA_STORAGE_ERROR);
    let end = raw.end_offset(&topic, 0);
    fs::remove_file(other).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while raw.end_offset(&topic, 0) == end {
        assert!(Instant::now() < deadline, "{name} doesn't try again");
        pause();
    }
    drop(child.stdin.take());
    let mut count = String::new();
    said.read_to_string(&mut count).unwrap();
    assert!(child.wait().unwrap().success(), "{name}: {count}");
    let count = count.trim().parse().unwrap();
    assert!(count > 100 && i64::try_from(count).unwrap() > end, "{count}");
    check(&mut raw, &topic, count);
}

#[test]
fn librdkafka_goes_on_by_itself_when_a_full_disk_has_room_again() {
    let program = python().map(|python| python.command("librdkafka_fill.py"));
    goes_on_by_itself("librdkafka", program, "refused KAFKA_STORAGE_ERROR");
}

#[test]
fn kafka_clients_go_on_by_themselves_when_a_full_disk_has_room_again() {
    goes_on_by_itself("kafka-clients", java().map(|java| java.command("Fill")), "refused");
}
