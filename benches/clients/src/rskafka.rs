//! rskafka: it batches where it is told to, and reads partition by partition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures_util::StreamExt as _;
use rskafka::client::ClientBuilder;
use rskafka::client::consumer::{StartOffset, StreamConsumerBuilder};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::producer::aggregator::RecordAggregator;
use rskafka::client::producer::{BatchProducer, BatchProducerBuilder};
use rskafka::record::Record;

use crate::measure::{Kind, Meter, Spent, Work, age, due, histogram, mark, now_micros};
use crate::{BATCH_BYTES, Failure, LINGER_MS, PARTITIONS};

/// Records that wait for their acknowledgement at most, as its producer has no limit of its own.
const WAITING_MAX: usize = 100_000;

type Batching = BatchProducer<RecordAggregator>;

pub(crate) async fn run(work: &Work<'_>) -> Result<Spent, Failure> {
    match work.kind {
        Kind::Produce => produce(work).await,
        Kind::Consume => consume(work).await,
        Kind::Through => through(work).await,
    }
}

async fn partitions(work: &Work<'_>) -> Result<Vec<Arc<PartitionClient>>, Failure> {
    let client = ClientBuilder::new(vec![work.bootstrap.to_owned()]).build().await?;
    let mut partitions = Vec::new();
    for partition in 0..PARTITIONS {
        let one = client.partition_client(work.topic, partition, UnknownTopicHandling::Error);
        partitions.push(Arc::new(one.await?));
    }
    Ok(partitions)
}

fn producer(partition: &Arc<PartitionClient>) -> Arc<Batching> {
    let builder = BatchProducerBuilder::new(Arc::clone(partition));
    let builder = builder.with_linger(Duration::from_millis(LINGER_MS));
    let builder = builder.with_compression(Compression::NoCompression);
    Arc::new(builder.build(RecordAggregator::new(BATCH_BYTES)))
}

fn record(value: &[u8]) -> Record {
    Record {
        key: None,
        value: Some(value.to_vec()),
        headers: BTreeMap::new(),
        timestamp: Utc::now(),
    }
}

async fn produce(work: &Work<'_>) -> Result<Spent, Failure> {
    let partitions = partitions(work).await?;
    let producers: Vec<Arc<Batching>> = partitions.iter().map(producer).collect();
    let value = vec![b'x'; work.bytes];
    producers[0].produce(record(&value)).await?;
    let meter = Meter::start();
    let mut tasks = Vec::new();
    let each = work.records / producers.len() as u64;
    for producer in producers {
        let value = value.clone();
        tasks.push(tokio::spawn(async move {
            let sends = futures_util::stream::iter(0..each).map(|_| {
                let (producer, record) = (Arc::clone(&producer), record(&value));
                async move { producer.produce(record).await }
            });
            let mut acknowledged = sends.buffer_unordered(WAITING_MAX / PARTITIONS as usize);
            while let Some(result) = acknowledged.next().await {
                result?;
            }
            Ok::<_, Failure>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(meter.stop(each * PARTITIONS as u64))
}

async fn consume(work: &Work<'_>) -> Result<Spent, Failure> {
    let partitions = partitions(work).await?;
    let streams = partitions.into_iter().map(|partition| {
        let builder = StreamConsumerBuilder::new(partition, StartOffset::Earliest);
        builder.with_max_batch_size(1 << 20).build()
    });
    let mut all = futures_util::stream::select_all(streams);
    let (mut records, mut bytes) = (0, 0);
    let mut meter = None;
    while records < work.records {
        let (record, _) = all.next().await.ok_or("the stream has ended")??;
        meter.get_or_insert_with(Meter::start);
        bytes += record.record.value.map_or(0, |value| value.len());
        records += 1;
    }
    assert!(bytes > 0, "empty records");
    Ok(meter.ok_or("nothing came")?.stop(records))
}

async fn through(work: &Work<'_>) -> Result<Spent, Failure> {
    let partitions = partitions(work).await?;
    let producers: Vec<Arc<Batching>> = partitions.iter().map(producer).collect();
    let streams = partitions
        .into_iter()
        .map(|partition| StreamConsumerBuilder::new(partition, StartOffset::Earliest).build());
    let mut all = futures_util::stream::select_all(streams);
    let (bytes, records) = (work.bytes, work.records);
    let meter = Meter::start();
    let sending = tokio::spawn(async move {
        let mut value = vec![b'x'; bytes];
        let began = now_micros();
        let mut sends = tokio::task::JoinSet::new();
        for number in 0..records {
            let due = due(began, number);
            if let Some(wait) = due.checked_sub(now_micros()).filter(|wait| *wait > 500) {
                tokio::time::sleep(Duration::from_micros(wait)).await;
            }
            mark(&mut value, due);
            let at = (number as usize / 256) % producers.len();
            let (producer, record) = (Arc::clone(&producers[at]), record(&value));
            sends.spawn(async move { producer.produce(record).await });
            while let Some(sent) = sends.try_join_next() {
                sent??;
            }
        }
        while let Some(sent) = sends.join_next().await {
            sent??;
        }
        Ok::<_, Failure>(())
    });
    let mut latency = histogram()?;
    let mut read = 0;
    while read < work.records {
        let (record, _) = all.next().await.ok_or("the stream has ended")??;
        latency.saturating_record(age(&record.record.value.unwrap_or_default()));
        read += 1;
    }
    sending.await??;
    Ok(meter.stop(read).with_latency(latency))
}
