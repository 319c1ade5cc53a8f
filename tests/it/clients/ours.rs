//! Our own consumer reads the partitions that every client has to read, in every way that it has.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::timeout;

use logboom_consumer::{
    Consumer, ConsumerError, IsolationLevel, Start, Timestamp, TopicPartition,
};
use logboom_protocol::records::layout;
use logboom_tests::shapes::{Record, words};
use logboom_tests::stub::{Stub, TOPIC};

use super::consume::{Isolation, Served, check_printed, served};

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

/// Lent records are those of one's own.
#[test]
fn lent_records_are_all_records() {
    let served = served();
    let stub = Stub::start(served.iter().map(Served::partition).collect()).unwrap();
    let isolation = Isolation::ReadCommitted;
    let (lent, bytes) = runtime().block_on(async {
        let mut consumer = consumer(&stub, isolation, served.len());
        let expected: usize = served.iter().map(|one| one.visible(isolation)).sum();
        let (mut lent, mut bytes) = (0, 0);
        while lent < expected {
            let batch = timeout(PATIENCE, consumer.next_batch()).await.expect("records").unwrap();
            for record in &batch {
                let record = record.unwrap();
                lent += 1;
                bytes += record.value.map_or(0, <[u8]>::len);
            }
        }
        (lent, bytes)
    });
    let own = printed(&served, isolation);
    assert_eq!(lent, own.lines().count());
    assert!(bytes > 0);
}

#[test]
fn a_wrong_checksum_is_named_and_can_be_sought_past() {
    let mut served = served().remove(0);
    let end = served.end();
    let mut wrong = served.partition().batches[0].to_vec();
    wrong[layout::CRC_AT] ^= 1;
    served.replace(vec![wrong.into()]);
    let stub = Stub::start(vec![served.partition()]).unwrap();
    runtime().block_on(async {
        let mut consumer = consumer(&stub, Isolation::ReadCommitted, 1);
        for _ in 0..2 {
            let error = timeout(PATIENCE, consumer.next()).await.expect("an error").unwrap_err();
            assert!(matches!(error, ConsumerError::Damaged { .. }), "{error}");
        }
        let place = TopicPartition::new(TOPIC, 0);
        consumer.seek(&place, Start::Offset(end)).unwrap();
        assert_eq!(consumer.position(&place).unwrap(), Some(end));
    });
}
