//! Reading from the start, as fast as goes.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;

use crate::spec::Spec;
use crate::window::{Spent, Window};

/// How long nothing may come.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long all of it may take.
const READ_MAX: Duration = Duration::from_secs(600);
/// How long one call waits.
const POLL: Duration = Duration::from_millis(100);

/// What was read.
#[derive(Debug, Serialize)]
pub(crate) struct Consumed {
    records: u64,
    bytes: u64,
    seconds: f64,
    records_per_second: f64,
    bytes_per_second: f64,
    /// From the start of the client to its first record.
    first_record_ms: f64,
    client_cpu_seconds: f64,
    broker_cpu_seconds: f64,
}

/// Reads `spec.records` records from the start of all partitions; measured from the first on.
///
/// # Errors
/// What the client says, or that nothing comes.
pub(crate) fn run(spec: &Spec) -> Result<Consumed, String> {
    let since = Instant::now();
    let consumer = consumer(spec)?;
    let (mut records, mut bytes) = (0, 0);
    let mut window: Option<Window> = None;
    let mut first_record_ms = 0.0;
    let mut last = Instant::now();
    while records < spec.records {
        let Some(message) = consumer.poll(POLL) else {
            if last.elapsed() > SILENCE_MAX {
                return Err(format!("{records} of {} came, then nothing", spec.records));
            }
            continue;
        };
        let message = message.map_err(|error| format!("consume: {error}"))?;
        if window.is_none() {
            first_record_ms = since.elapsed().as_secs_f64() * 1e3;
            window = Some(Window::open(spec.broker_pid));
        }
        records += 1;
        bytes += message.payload_len() as u64;
        // The clock costs as much as a record.
        if records.is_multiple_of(1024) {
            last = Instant::now();
            if since.elapsed() > READ_MAX {
                return Err(format!("{records} of {} in {READ_MAX:?}", spec.records));
            }
        }
    }
    let window = window.ok_or("nothing was to be read: --records")?;
    Ok(consumed(records, bytes, first_record_ms, window.spent()))
}

fn consumer(spec: &Spec) -> Result<BaseConsumer, String> {
    let said = |error: rdkafka::error::KafkaError| error.to_string();
    let mut config = spec.client()?;
    config.set("group.id", "driver").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().map_err(said)?;
    let mut list = TopicPartitionList::new();
    for partition in 0..spec.partitions {
        list.add_partition_offset(&spec.topic, partition, Offset::Beginning).map_err(said)?;
    }
    // Without a group: what is measured is fetching.
    consumer.assign(&list).map_err(said)?;
    Ok(consumer)
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
fn consumed(records: u64, bytes: u64, first_record_ms: f64, spent: Spent) -> Consumed {
    Consumed {
        records,
        bytes,
        seconds: spent.seconds,
        records_per_second: records as f64 / spent.seconds,
        bytes_per_second: bytes as f64 / spent.seconds,
        first_record_ms,
        client_cpu_seconds: spent.client_cpu_seconds,
        broker_cpu_seconds: spent.broker_cpu_seconds,
    }
}
