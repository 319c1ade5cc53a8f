//! Records of every shape and codec, from our producer to the consumers of others, and back.

use std::collections::BTreeMap;

use logboom_consumer::{Start, Timestamp, TopicPartition};
use logboom_producer::{Codec, Delivered, Header, Record as Sent};
use logboom_tests::broker::shared;
use logboom_tests::foreign::{self, Client};
use logboom_tests::raw::topic_name;
use logboom_tests::shapes::{NOT_FOR_KAFKA_PYTHON, Record, from_words, shapes, to_text};

use super::{consumer, create_topic, producer, run};

/// The shapes, each to a partition of its own.
pub(super) fn expected(leaves_out: &[&str]) -> Vec<Vec<Record>> {
    let wanted = shapes().into_iter().filter(|shape| !leaves_out.contains(&shape.name));
    wanted.map(|shape| shape.records).collect()
}

pub(super) async fn send(bootstrap: &str, topic: &str, codec: Codec, partitions: &[Vec<Record>]) {
    create_topic(bootstrap, topic, i32::try_from(partitions.len()).unwrap()).await;
    send_to(bootstrap, topic, codec, partitions).await;
}

/// Sends the records of each partition to a topic that is there; what the broker says of each.
pub(super) async fn send_to(
    bootstrap: &str,
    topic: &str,
    codec: Codec,
    partitions: &[Vec<Record>],
) -> Vec<Vec<Delivered>> {
    let producer = producer(bootstrap).compression_type(codec).build().unwrap();
    let mut deliveries = Vec::new();
    for (partition, records) in (0..).zip(partitions) {
        for record in records {
            let headers = record.headers.iter();
            let headers: Vec<Header<'_>> =
                headers.map(|(key, value)| Header { key, value: value.as_deref() }).collect();
            let mut sent = Sent::to(topic).partition(partition).headers(&headers);
            sent = sent.timestamp(record.timestamp);
            if let Some(key) = &record.key {
                sent = sent.key(key);
            }
            if let Some(value) = &record.value {
                sent = sent.value(value);
            }
            deliveries.push(producer.send(sent).await.unwrap());
        }
    }
    let mut delivered = vec![Vec::new(); partitions.len()];
    for delivery in deliveries {
        let one = delivery.await.unwrap();
        delivered[usize::try_from(one.partition).unwrap()].push(one);
    }
    delivered
}

/// What our consumer reads of each partition, and who says when each record was made.
pub(super) async fn of_partitions(
    bootstrap: &str,
    topic: &str,
    expected: &[Vec<Record>],
) -> Vec<Vec<(Record, Timestamp)>> {
    let mut consumer = consumer(bootstrap).build().unwrap();
    let count = i32::try_from(expected.len()).unwrap();
    let places =
        (0..count).map(|partition| (TopicPartition::new(topic, partition), Start::Earliest));
    consumer.assign_from(places).unwrap();
    let mut read = BTreeMap::<i32, Vec<(Record, Timestamp)>>::new();
    for _ in 0..expected.iter().map(Vec::len).sum::<usize>() {
        let record = consumer.next().await.unwrap();
        let own = read.entry(record.partition).or_default();
        assert_eq!(record.offset, i64::try_from(own.len()).unwrap());
        let header = |one: logboom_consumer::Header| {
            (String::from_utf8(one.key.to_vec()).unwrap(), one.value.map(|value| value.to_vec()))
        };
        let plain = Record {
            timestamp: record.timestamp.millis().unwrap(),
            key: record.key.map(|key| key.to_vec()),
            value: record.value.map(|value| value.to_vec()),
            headers: record.headers.into_iter().map(header).collect(),
        };
        own.push((plain, record.timestamp));
    }
    read.into_values().collect()
}

/// What our consumer reads of each partition, where producers say when it was made.
pub(super) async fn read(
    bootstrap: &str,
    topic: &str,
    expected: &[Vec<Record>],
) -> Vec<Vec<Record>> {
    let created = |(record, timestamp): (Record, Timestamp)| {
        assert!(matches!(timestamp, Timestamp::Created(_)), "{timestamp:?}");
        record
    };
    let read = of_partitions(bootstrap, topic, expected).await;
    read.into_iter().map(|records| records.into_iter().map(created).collect()).collect()
}

/// What the consumer of another client reads of a topic; nothing where that can't be had.
///
/// - `says`: who says when its records were made.
pub(super) fn read_by(
    client: Client,
    what: &str,
    [bootstrap, topic]: [&str; 2],
    expected: &[Vec<Record>],
    says: &str,
) -> Option<Vec<Vec<Record>>> {
    let mut command = foreign::or_skip(what, client.consumer())?;
    command.args([bootstrap, topic, "read_committed"]);
    let last = expected.iter().enumerate();
    command.args(last.map(|(at, records)| format!("{at}:{}", records.len() - 1)));
    let mut read = vec![Vec::new(); expected.len()];
    for line in foreign::printed(&mut command).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[2], says, "{what}: {line}");
        read[words[0].parse::<usize>().unwrap()].push(from_words(&words[3..]));
    }
    Some(read)
}

/// Has the producers of others write the shapes, with each codec to a topic of its own.
///
/// - `name`: a part of the topics' names.
/// - `new_topic`: makes one of a name, with so many partitions.
/// - `check`: looks at what was written there.
pub(super) fn written_by_others(
    bootstrap: &str,
    name: &str,
    new_topic: impl Fn(&str, usize) -> String,
    check: impl Fn(&str, &[Vec<Record>], &str),
) {
    for client in Client::ALL {
        let is_python = client == Client::KafkaPython;
        let leaves_out: &[&str] = if is_python { &NOT_FOR_KAFKA_PYTHON } else { &[] };
        let expected = expected(leaves_out);
        let dir = foreign::scratch(&format!("{name}-{}", client.name()));
        for codec in Codec::ALL {
            let what = format!("reading {name} {} of {}", codec.name(), client.name());
            let Some(mut command) = foreign::or_skip(&what, client.producer()) else { break };
            let topic = format!("{name}-{}-{}", client.name(), codec.name());
            let topic = new_topic(&topic, expected.len());
            let file = dir.join(codec.name());
            let batches = expected.iter().enumerate().map(|(at, records)| (at, records.as_slice()));
            std::fs::write(&file, to_text(batches)).unwrap();
            command.args([bootstrap, &topic, codec.name(), "false"]).arg(file);
            foreign::printed(&mut command);
            check(&topic, &expected, &what);
        }
        std::fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn what_our_producer_writes_our_consumer_reads() {
    let subject = shared();
    let bootstrap = subject.bootstrap();
    for codec in Codec::ALL {
        let topic = topic_name(&format!("rust-{}", codec.name()));
        let expected = expected(&[]);
        run(async {
            send(&bootstrap, &topic, codec, &expected).await;
            assert_eq!(read(&bootstrap, &topic, &expected).await, expected, "{}", codec.name());
        });
    }
}

#[test]
fn what_our_producer_writes_others_read() {
    let subject = shared();
    let bootstrap = subject.bootstrap();
    let expected = expected(&[]);
    let topics = Codec::ALL.map(|codec| (codec, topic_name(&format!("rust-{}", codec.name()))));
    for (codec, topic) in &topics {
        run(send(&bootstrap, topic, *codec, &expected));
    }
    for client in Client::ALL {
        for (codec, topic) in &topics {
            let what = format!("{} reading our producer's {}", client.name(), codec.name());
            let read = read_by(client, &what, [&bootstrap, topic], &expected, "CreateTime");
            let Some(read) = read else { break };
            assert_eq!(read, expected, "{what}");
        }
    }
}

#[test]
fn what_others_write_our_consumer_reads() {
    let subject = shared();
    let bootstrap = subject.bootstrap();
    let new_topic = |name: &str, partitions: usize| {
        let topic = topic_name(name);
        run(create_topic(&bootstrap, &topic, i32::try_from(partitions).unwrap()));
        topic
    };
    written_by_others(&bootstrap, "rust", new_topic, |topic, expected, what| {
        assert_eq!(run(read(&bootstrap, topic, expected)), expected, "{what}");
    });
}
