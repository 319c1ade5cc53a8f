//! Times of records: who says so, and reading by them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use logboom_consumer::{Consumer, OffsetReset, Record as Read, Start, Timestamp, TopicPartition};
use logboom_producer::{Codec, Record as Sent};
use logboom_tests::broker::shared;
use logboom_tests::foreign::Client;
use logboom_tests::raw::{Raw, topic_name};
use logboom_tests::shapes::Record;

use super::exchange::{expected, of_partitions, read_by, send_to, written_by_others};
use super::{consumer, create_topic, producer, run};
use crate::wire::new_topic_with;

/// A topic whose records the broker stamps.
fn stamped(bootstrap: &str, name: &str, partitions: usize) -> String {
    let mut raw = Raw::connect(bootstrap);
    let config = [("message.timestamp.type", "LogAppendTime")];
    new_topic_with(&mut raw, name, i32::try_from(partitions).unwrap(), &config)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// What the broker says, and never what the producer has said.
fn is_stamp(millis: i64, began: i64) -> bool {
    // Clocks of brokers elsewhere may differ a little.
    millis >= began - 60_000
}

/// The records as they are read, with the stamps that they have been given.
fn with_stamps(expected: &[Vec<Record>], stamps: &[Vec<i64>]) -> Vec<Vec<Record>> {
    let partition = |(records, stamps): (&Vec<Record>, &Vec<i64>)| {
        let records = records.iter().zip(stamps);
        records.map(|(one, &timestamp)| Record { timestamp, ..one.clone() }).collect()
    };
    expected.iter().zip(stamps).map(partition).collect()
}

/// What our consumer reads where the broker stamps.
async fn read(bootstrap: &str, topic: &str, expected: &[Vec<Record>], began: i64) -> Vec<Vec<i64>> {
    let read = of_partitions(bootstrap, topic, expected).await;
    let stamps: Vec<Vec<i64>> = read
        .iter()
        .map(|records| {
            let stamp = |(_, timestamp): &(Record, Timestamp)| match timestamp {
                Timestamp::Appended(millis) if is_stamp(*millis, began) => *millis,
                other => panic!("{other:?}"),
            };
            records.iter().map(stamp).collect()
        })
        .collect();
    let read: Vec<Vec<Record>> =
        read.into_iter().map(|records| records.into_iter().map(|(one, _)| one).collect()).collect();
    assert_eq!(read, with_stamps(expected, &stamps));
    stamps
}

#[test]
fn what_a_broker_stamps_is_told_to_our_producer_and_read_by_everybody() {
    let subject = shared();
    let (bootstrap, began) = (subject.bootstrap(), now());
    let expected = expected(&[]);
    let topics = Codec::ALL.map(|codec| {
        let topic = stamped(&bootstrap, &format!("stamped-{}", codec.name()), expected.len());
        let (told, stamps) = run(async {
            let told = send_to(&bootstrap, &topic, codec, &expected).await;
            (told, read(&bootstrap, &topic, &expected, began).await)
        });
        let told: Vec<Vec<i64>> = told
            .into_iter()
            .map(|all| all.into_iter().map(|one| one.timestamp.expect("its stamp")).collect())
            .collect();
        assert_eq!(told, stamps, "{}", codec.name());
        (codec, topic, stamps)
    });
    for client in Client::ALL {
        for (codec, topic, stamps) in &topics {
            let what = format!("{} reading stamped {}", client.name(), codec.name());
            let read = read_by(client, &what, [&bootstrap, topic], &expected, "LogAppendTime");
            let Some(read) = read else { break };
            assert_eq!(read, with_stamps(&expected, stamps), "{what}");
        }
    }
}

#[test]
fn what_others_write_and_a_broker_stamps_our_consumer_reads() {
    let subject = shared();
    let (bootstrap, began) = (subject.bootstrap(), now());
    let new_topic = |name: &str, partitions| stamped(&bootstrap, name, partitions);
    written_by_others(&bootstrap, "stamped", new_topic, |topic, expected, _| {
        run(read(&bootstrap, topic, expected, began));
    });
}

/// A topic with one partition, whose records were made so many minutes ago, some together in
/// compressed batches, and the last one alone.
async fn aged(bootstrap: &str, now: i64, minutes: &[i64]) -> String {
    let topic = topic_name("aged");
    create_topic(bootstrap, &topic, 1).await;
    let producer = producer(bootstrap).compression_type(Codec::Zstd).build().unwrap();
    for batch in minutes.chunks(3) {
        let mut deliveries = Vec::new();
        for age in batch {
            let value = age.to_string();
            let record = Sent::to(&topic).value(&value).timestamp(now - age * 60_000);
            deliveries.push(producer.send(record).await.unwrap());
        }
        for delivery in deliveries {
            delivery.await.unwrap();
        }
    }
    topic
}

async fn next(consumer: &mut Consumer) -> Read {
    consumer.next().await.unwrap()
}

#[test]
fn offsets_are_found_by_time_and_reading_goes_on_there() {
    let (subject, now) = (shared(), now());
    let bootstrap = subject.bootstrap();
    run(async {
        let topic = aged(&bootstrap, now, &[300, 200, 100, 90, 80, 70, 5]).await;
        let place = TopicPartition::new(topic.as_str(), 0);
        let mut consumer = consumer(&bootstrap).build().unwrap();
        consumer.assign_from([(place.clone(), Start::Earliest)]).unwrap();
        let control = consumer.control();
        for (minutes, offset) in
            [(301, Some(0)), (300, Some(0)), (150, Some(2)), (85, Some(4)), (5, Some(6)), (4, None)]
        {
            let at = now - minutes * 60_000;
            let times = BTreeMap::from([(place.clone(), at)]);
            let found = control.offsets_for_times(&times).await.unwrap();
            let found = found.get(&place);
            assert_eq!(found.map(|one| one.offset), offset, "{minutes} minutes ago");
            assert!(found.is_none_or(|one| one.timestamp >= Some(at)), "{found:?}");
            if let Some(offset) = offset {
                consumer.seek(&place, Start::Timestamp(at)).unwrap();
                assert_eq!(next(&mut consumer).await.offset, offset, "{minutes} minutes ago");
            }
        }
        consumer.seek(&place, Start::ago(Duration::from_secs(95 * 60))).unwrap();
        assert_eq!(next(&mut consumer).await.offset, 3);
        // Where no record is so young, with what is written from then on.
        consumer.seek(&place, Start::Timestamp(now - 60_000)).unwrap();
        let producer = producer(&bootstrap).build().unwrap();
        let (mut sent, mut read) = (0, Box::pin(consumer.next()));
        let record = loop {
            tokio::select! {
                record = &mut read => break record.unwrap(),
                delivered = producer.publish(Sent::to(&topic).value("young")) => {
                    delivered.unwrap();
                    sent += 1;
                }
            }
        };
        assert_eq!(record.value.as_deref(), Some(&b"young"[..]), "{sent} were sent");
    });
}

#[test]
fn a_group_without_offsets_begins_as_long_ago_as_its_reset_says() {
    let (subject, now) = (shared(), now());
    let bootstrap = subject.bootstrap();
    run(async {
        let topic = aged(&bootstrap, now, &[300, 200, 100, 90, 80, 70, 5]).await;
        for (reset, offset) in [
            (OffsetReset::ByDuration(Duration::from_secs(95 * 60)), 3),
            ("by_duration:PT3H".parse().unwrap(), 2),
            (OffsetReset::ByDuration(Duration::from_secs(3_600_000)), 0),
        ] {
            let group = topic_name("aged");
            let builder = consumer(&bootstrap).group_id(&group).auto_offset_reset(reset);
            let mut consumer = builder.build().unwrap();
            consumer.subscribe([&topic]).unwrap();
            assert_eq!(next(&mut consumer).await.offset, offset, "{reset:?}");
            consumer.close().await.unwrap();
        }
    });
}
