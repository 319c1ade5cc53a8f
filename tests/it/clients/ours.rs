//! Our own consumer reads the partitions that every client has to read, in every way that it has.

use std::fs;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::timeout;

use logboom_consumer::{Consumer, ConsumerError, IsolationLevel, Start, Timestamp, TopicPartition};
use logboom_protocol::records::{BatchError, layout};
use logboom_tests::foreign::scratch;
use logboom_tests::shapes::{Record, words};
use logboom_tests::stub::{Stub, TOPIC};

use super::consume::{self, Isolation, Served, check_printed, served};
use crate::groups::command;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(100);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn consumer(stub: &Stub, isolation: Isolation, count: usize) -> Consumer {
    let isolation = match isolation {
        Isolation::ReadCommitted => IsolationLevel::ReadCommitted,
        Isolation::ReadUncommitted => IsolationLevel::ReadUncommitted,
    };
    let builder = Consumer::builder().bootstrap_servers(&stub.bootstrap());
    let mut consumer = builder.isolation_level(isolation).build().unwrap();
    let count = i32::try_from(count).unwrap();
    let place = |partition| (TopicPartition::new(TOPIC, partition), Start::Earliest);
    consumer.assign_from((0..count).map(place)).unwrap();
    consumer
}

fn line(partition: i32, offset: i64, timestamp_type: &str, record: &Record) -> String {
    format!("{partition} {offset} {timestamp_type} {}\n", words(record))
}

/// A record of one's own, as a line of what clients print.
fn owned(record: &logboom_consumer::Record) -> String {
    let kind = match record.timestamp {
        Timestamp::Appended(_) => "LogAppendTime",
        _ => "CreateTime",
    };
    let text = |key: &[u8]| String::from_utf8(key.to_vec()).unwrap();
    let headers = record.headers.iter();
    let plain = Record {
        timestamp: record.timestamp.millis().unwrap_or(-1),
        key: record.key.as_deref().map(Vec::from),
        value: record.value.as_deref().map(Vec::from),
        headers: headers.map(|one| (text(&one.key), one.value.as_deref().map(Vec::from))).collect(),
    };
    line(record.partition, record.offset, kind, &plain)
}

/// All partitions are read to their ends: nothing else can come.
fn check_at_end(consumer: &mut Consumer, served: &[Served]) {
    for (partition, served) in (0..).zip(served) {
        let place = TopicPartition::new(TOPIC, partition);
        let at = consumer.position(&place).unwrap();
        assert_eq!(at, Some(served.end()), "{place}: {}", served.path());
    }
}

/// Reads until every partition has been read to its end.
fn printed(served: &[Served], isolation: Isolation) -> String {
    let stub = Stub::start(served.iter().map(Served::partition).collect()).unwrap();
    let printed = runtime().block_on(async {
        let mut consumer = consumer(&stub, isolation, served.len());
        let mut text = String::new();
        let mut left: usize = served.iter().map(|one| one.visible(isolation)).sum();
        while left > 0 {
            let record = timeout(PATIENCE, consumer.next()).await.expect("records").unwrap();
            text += &owned(&record);
            left -= 1;
        }
        check_at_end(&mut consumer, served);
        consumer.close().await.unwrap();
        text
    });
    assert_eq!(stub.complaints(), [""; 0]);
    printed
}

#[test]
fn logboom_consumes() {
    let served = served();
    for isolation in Isolation::ALL {
        check_printed(&served, isolation, &printed(&served, isolation), false);
    }
}

/// `logboom consume` reads as its file of settings says, without a group as well.
#[test]
fn the_command_heeds_what_its_properties_say_of_reading() {
    let served = served();
    let stub = Stub::start(served.iter().map(Served::partition).collect()).unwrap();
    let dir = scratch("consume-properties");
    let file = dir.join("client.properties");
    for (isolation, name) in Isolation::ALL.into_iter().zip(["read_committed", "read_uncommitted"])
    {
        fs::write(&file, format!("isolation.level={name}\n")).unwrap();
        let words = ["consume", TOPIC, "--exit", "--format", "%p %o\\n", "--properties"];
        let words = [&words[..], &[file.to_str().unwrap()]].concat();
        let output = command(&stub.bootstrap(), &words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8(output.stdout).unwrap().lines().count();
        let visible: usize = served.iter().map(|one| one.visible(isolation)).sum();
        assert_eq!(lines, visible, "{name}");
    }
    assert_eq!(stub.complaints(), [""; 0]);
    fs::remove_dir_all(dir).unwrap();
}

/// What lines that clients print say beside the kind of a timestamp, which lent records don't have;
/// in the order of the partitions.
fn untyped(printed: &str) -> Vec<String> {
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        [&words[..2], &words[3..]].concat().join(" ")
    };
    let mut lines: Vec<String> = printed.lines().map(line).collect();
    lines.sort_by_key(|line| line.split(' ').next().unwrap().parse::<usize>().unwrap());
    lines
}

/// Lent records are those of one's own.
#[test]
fn lent_records_are_all_records() {
    let served = served();
    let stub = Stub::start(served.iter().map(Served::partition).collect()).unwrap();
    let isolation = Isolation::ReadCommitted;
    let lent = runtime().block_on(async {
        let mut consumer = consumer(&stub, isolation, served.len());
        let expected: usize = served.iter().map(|one| one.visible(isolation)).sum();
        let mut lent = String::new();
        while lent.lines().count() < expected {
            let batch = timeout(PATIENCE, consumer.next_batch()).await.expect("records").unwrap();
            for record in &batch {
                let record = record.unwrap();
                let partition = batch.place().partition;
                lent += &line(partition, record.offset, "-", &consume::owned(&record));
            }
        }
        check_at_end(&mut consumer, &served);
        lent
    });
    assert_eq!(stub.complaints(), [""; 0]);
    assert_eq!(untyped(&lent), untyped(&printed(&served, isolation)));
}

#[test]
fn a_wrong_checksum_is_named_and_can_be_sought_past() {
    let mut served = served();
    let mut served = served.remove(served.iter().position(Served::has_two_batches).unwrap());
    let [first, second] = served.partition().batches.try_into().unwrap();
    let [base, next] = [&first, &second].map(|batch| {
        i64::from_be_bytes(batch[..8].try_into().expect("a batch begins with its offset"))
    });
    let mut wrong = first.to_vec();
    wrong[layout::CRC_AT] ^= 1;
    served.replace(vec![wrong.into(), second]);
    let stub = Stub::start(vec![served.partition()]).unwrap();
    runtime().block_on(async {
        let mut consumer = consumer(&stub, Isolation::ReadCommitted, 1);
        let place = TopicPartition::new(TOPIC, 0);
        for _ in 0..2 {
            let error = timeout(PATIENCE, consumer.next()).await.expect("an error").unwrap_err();
            let ConsumerError::Damaged { partition, offset, next: behind, error } = error else {
                panic!("{error}")
            };
            assert!(matches!(error, BatchError::Crc { .. }), "{error}");
            assert_eq!((partition, offset, behind), (place.clone(), base, None));
            assert_eq!(consumer.position(&place).unwrap(), Some(base), "nothing was read");
        }
        consumer.seek(&place, Start::Offset(next)).unwrap();
        for offset in next..served.end() {
            let record = timeout(PATIENCE, consumer.next()).await.expect("a record").unwrap();
            assert_eq!(record.offset, offset);
        }
        check_at_end(&mut consumer, &[served]);
    });
}
