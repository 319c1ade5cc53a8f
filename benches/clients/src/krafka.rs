//! krafka: its producer queues records by itself; its consumer hands out what it has.

use std::time::Duration;

use bytes::Bytes;
use krafka::consumer::{AutoOffsetReset, Consumer};
use krafka::producer::{Acks, Producer};
use krafka::{Kafka, Record};

use crate::measure::{Kind, Meter, Spent, Work, age, due, histogram, mark, now_micros};
use crate::{BATCH_BYTES, Failure, LINGER_MS, PARTITIONS};

/// Records that one call hands out at most: more than its own 500, and few beside all, as those of
/// the first call come before the clock starts.
const POLL_RECORDS_MAX: i32 = 4_096;
/// How long one call waits.
const POLL: Duration = Duration::from_millis(100);

pub(crate) async fn run(work: &Work<'_>) -> Result<Spent, Failure> {
    match work.kind {
        Kind::Produce => produce(work).await,
        Kind::Consume => consume(work).await,
        Kind::Through => through(work).await,
    }
}

async fn producer(work: &Work<'_>) -> Result<Producer, Failure> {
    let kafka = Kafka::builder(work.bootstrap).connect().await?;
    let builder = kafka.producer().acks(Acks::All).idempotent(true);
    let builder = builder.linger(Duration::from_millis(LINGER_MS)).batch_size(BATCH_BYTES);
    Ok(builder.build().await?)
}

async fn consumer(work: &Work<'_>) -> Result<Consumer, Failure> {
    let kafka = Kafka::builder(work.bootstrap).connect().await?;
    let builder = kafka.consumer_without_group().auto_offset_reset(AutoOffsetReset::Earliest);
    let consumer = builder.max_poll_records(POLL_RECORDS_MAX).build().await?;
    consumer.assign(work.topic, (0..PARTITIONS).collect()).await?;
    Ok(consumer)
}

async fn produce(work: &Work<'_>) -> Result<Spent, Failure> {
    let producer = producer(work).await?;
    let value = Bytes::from(vec![b'x'; work.bytes]);
    drop(producer.send(Record::new(work.topic, value.clone())).await?);
    let meter = Meter::start();
    for _ in 0..work.records {
        drop(producer.enqueue(Record::new(work.topic, value.clone())).await?);
    }
    producer.flush().await?;
    Ok(meter.stop(work.records))
}

async fn consume(work: &Work<'_>) -> Result<Spent, Failure> {
    let consumer = consumer(work).await?;
    let (mut records, mut bytes) = (0, 0);
    let mut meter = None;
    while records < work.records {
        let polled = consumer.poll(POLL).await?;
        if polled.is_empty() {
            continue;
        }
        meter.get_or_insert_with(Meter::start);
        for record in polled {
            bytes += record.value.map_or(0, |value| value.len());
            records += 1;
        }
    }
    assert!(bytes > 0, "empty records");
    Ok(meter.ok_or("nothing came")?.stop(records))
}

async fn through(work: &Work<'_>) -> Result<Spent, Failure> {
    let (producer, consumer) = (producer(work).await?, consumer(work).await?);
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
            drop(producer.enqueue(Record::new(topic.as_str(), value.clone())).await?);
        }
        producer.flush().await?;
        Ok::<_, Failure>(())
    });
    let mut latency = histogram()?;
    let mut read = 0;
    while read < work.records {
        for record in consumer.poll(POLL).await? {
            latency.saturating_record(age(&record.value.unwrap_or_default()));
            read += 1;
        }
    }
    sending.await??;
    Ok(meter.stop(read).with_latency(latency))
}
