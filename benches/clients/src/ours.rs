//! Our clients.

use std::time::Duration;

use logboom_client::{BrokerAddress, ClientConfig, Cluster, NewTopic, OffsetSpec};
use logboom_consumer::{Consumer, Start, TopicPartition};
use logboom_producer::{Producer, Record};

use crate::measure::{Kind, Meter, Spent, Work, age, due, histogram, mark, now_micros};
use crate::{BATCH_BYTES, Failure, LINGER_MS, PARTITIONS};

pub(crate) async fn run(work: &Work<'_>) -> Result<Spent, Failure> {
    match work.kind {
        Kind::Produce => produce(work).await,
        Kind::Consume => consume(work).await,
        Kind::Through => through(work).await,
    }
}

fn cluster(bootstrap: &str) -> Result<Cluster, Failure> {
    Ok(Cluster::new(BrokerAddress::parse_list(bootstrap)?, ClientConfig::default()))
}

pub(crate) async fn create_topic(bootstrap: &str, name: &str) -> Result<(), Failure> {
    let topic = NewTopic {
        name: name.to_owned(),
        partition_count: Some(PARTITIONS),
        replication_factor: None,
        configs: Vec::new(),
        validate_only: false,
    };
    cluster(bootstrap)?.create_topic(&topic).await?;
    Ok(())
}

pub(crate) async fn delete_topic(bootstrap: &str, name: &str) -> Result<(), Failure> {
    cluster(bootstrap)?.delete_topic(name).await?;
    Ok(())
}

/// How many records a topic has.
pub(crate) async fn record_count(bootstrap: &str, topic: &str) -> Result<u64, Failure> {
    let partitions: Vec<i32> = (0..PARTITIONS).collect();
    let cluster = cluster(bootstrap)?;
    let ends = cluster.list_offsets(topic, &partitions, OffsetSpec::Latest).await?;
    let mut count = 0;
    for end in ends {
        count += u64::try_from(end.offset.unwrap_or(0))?;
    }
    Ok(count)
}

fn producer(work: &Work<'_>) -> Result<Producer, Failure> {
    let builder = Producer::builder().bootstrap_servers(work.bootstrap).batch_size(BATCH_BYTES);
    Ok(builder.linger(Duration::from_millis(LINGER_MS)).build()?)
}

fn consumer(work: &Work<'_>, start: Start) -> Result<Consumer, Failure> {
    let mut consumer = Consumer::builder().bootstrap_servers(work.bootstrap).build()?;
    let place = |partition| (TopicPartition::new(work.topic, partition), start);
    consumer.assign_from((0..PARTITIONS).map(place))?;
    Ok(consumer)
}

async fn produce(work: &Work<'_>) -> Result<Spent, Failure> {
    let producer = producer(work)?;
    let value = vec![b'x'; work.bytes];
    producer.publish(Record::to(work.topic).value(&value)).await?;
    let meter = Meter::start();
    for _ in 0..work.records {
        drop(producer.send(Record::to(work.topic).value(&value)).await?);
    }
    producer.flush().await;
    Ok(meter.stop(work.records))
}

async fn consume(work: &Work<'_>) -> Result<Spent, Failure> {
    let mut consumer = consumer(work, Start::Earliest)?;
    let (mut records, mut bytes) = (0, 0);
    let mut meter = None;
    while records < work.records {
        let batch = consumer.next_batch().await?;
        meter.get_or_insert_with(Meter::start);
        for record in &batch {
            bytes += record?.value.map_or(0, <[u8]>::len);
            records += 1;
        }
    }
    assert!(bytes > 0, "empty records");
    Ok(meter.ok_or("nothing came")?.stop(records))
}

/// The same, with each record as a value of its own.
pub(crate) async fn consume_by_record(work: &Work<'_>) -> Result<Spent, Failure> {
    let mut consumer = consumer(work, Start::Earliest)?;
    let mut bytes = 0;
    let mut meter = None;
    for _ in 0..work.records {
        let record = consumer.next().await?;
        meter.get_or_insert_with(Meter::start);
        bytes += record.value.as_deref().map_or(0, <[u8]>::len);
    }
    assert!(bytes > 0, "empty records");
    Ok(meter.ok_or("nothing came")?.stop(work.records))
}

async fn through(work: &Work<'_>) -> Result<Spent, Failure> {
    let (producer, mut consumer) = (producer(work)?, consumer(work, Start::Earliest)?);
    let (topic, bytes, records) = (work.topic.to_owned(), work.bytes, work.records);
    let meter = Meter::start();
    let sending = tokio::spawn(async move {
        let mut value = vec![b'x'; bytes];
        let began = now_micros();
        for number in 0..records {
            let due = due(began, number);
            if let Some(wait) = due.checked_sub(now_micros()).filter(|wait| *wait > 500) {
                tokio::time::sleep(Duration::from_micros(wait)).await;
            }
            mark(&mut value, due);
            drop(producer.send(Record::to(&topic).value(&value)).await?);
        }
        producer.flush().await;
        Ok::<_, Failure>(())
    });
    let mut latency = histogram()?;
    let mut read = 0;
    while read < work.records {
        let batch = consumer.next_batch().await?;
        for record in &batch {
            latency.saturating_record(age(record?.value.unwrap_or_default()));
            read += 1;
        }
    }
    sending.await??;
    Ok(meter.stop(read).with_latency(latency))
}
