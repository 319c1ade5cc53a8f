//! librdkafka, through its Rust binding.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::measure::{Kind, Meter, Spent, Work, age, due, histogram, mark, now_micros};
use crate::{BATCH_BYTES, Failure, LINGER_MS, PARTITIONS};

/// How long one call waits.
const POLL: Duration = Duration::from_millis(100);
/// How long all acknowledgements may take.
const FLUSH: Duration = Duration::from_secs(120);

pub(crate) fn run(work: &Work<'_>) -> Result<Spent, Failure> {
    match work.kind {
        Kind::Produce => produce(work),
        Kind::Consume => consume(work),
        Kind::Through => through(work),
    }
}

fn producer(work: &Work<'_>) -> Result<BaseProducer, Failure> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", work.bootstrap).set("acks", "all");
    config.set("enable.idempotence", "true").set("linger.ms", LINGER_MS.to_string());
    config.set("batch.size", BATCH_BYTES.to_string()).set("batch.num.messages", "1000000");
    Ok(config.create()?)
}

fn consumer(work: &Work<'_>) -> Result<BaseConsumer, Failure> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", work.bootstrap).set("group.id", "clients");
    config.set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(work.topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    Ok(consumer)
}

/// Sends a value; serves the reports, and waits where the queue is full.
fn send(producer: &BaseProducer, topic: &str, value: &[u8]) -> Result<(), Failure> {
    let mut record = BaseRecord::<(), [u8]>::to(topic).payload(value);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                producer.poll(Duration::from_millis(1));
                record = again;
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

fn produce(work: &Work<'_>) -> Result<Spent, Failure> {
    let producer = producer(work)?;
    let value = vec![b'x'; work.bytes];
    send(&producer, work.topic, &value)?;
    producer.flush(FLUSH)?;
    let meter = Meter::start();
    for number in 0..work.records {
        send(&producer, work.topic, &value)?;
        if number.is_multiple_of(1_024) {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(FLUSH)?;
    Ok(meter.stop(work.records))
}

fn consume(work: &Work<'_>) -> Result<Spent, Failure> {
    let consumer = consumer(work)?;
    let (mut records, mut bytes) = (0, 0);
    let mut meter = None;
    while records < work.records {
        let Some(message) = consumer.poll(POLL) else { continue };
        meter.get_or_insert_with(Meter::start);
        bytes += message?.payload_len();
        records += 1;
    }
    assert!(bytes > 0, "empty records");
    Ok(meter.ok_or("nothing came")?.stop(records))
}

fn through(work: &Work<'_>) -> Result<Spent, Failure> {
    let (producer, consumer) = (producer(work)?, consumer(work)?);
    let (topic, bytes, records) = (work.topic.to_owned(), work.bytes, work.records);
    let meter = Meter::start();
    let sending = std::thread::spawn(move || {
        let mut value = vec![b'x'; bytes];
        let began = now_micros();
        for number in 0..records {
            let due = due(began, number);
            if let Some(wait) = due.checked_sub(now_micros()).filter(|wait| *wait > 500) {
                #[expect(clippy::disallowed_methods, reason = "pacing is what a sleep is for")]
                std::thread::sleep(Duration::from_micros(wait));
            }
            mark(&mut value, due);
            send(&producer, &topic, &value)?;
            producer.poll(Duration::ZERO);
        }
        producer.flush(FLUSH)?;
        Ok::<_, Failure>(())
    });
    let mut latency = histogram()?;
    let mut read = 0;
    while read < work.records {
        let Some(message) = consumer.poll(POLL) else { continue };
        latency.saturating_record(age(message?.payload().unwrap_or_default()));
        read += 1;
    }
    sending.join().map_err(|_| "the sending thread panicked")??;
    Ok(meter.stop(read).with_latency(latency))
}
