//! Reads records of all partitions of a topic, and says how many a second and a second of CPU.
//!
//! ```text
//! cargo run --release -p logboom-consumer --example throughput -- localhost:9092 events 4 1000000
//! ```
//!
//! The arguments are the address, the topic, how many partitions it has, and how many records to
//! read; `own` behind them reads records that are one's own, not lent ones.

use std::error::Error;
use std::io::{self, Write as _};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use logboom_consumer::{Consumer, ConsumerError, Start, TopicPartition};

/// Seconds of CPU that the process has used.
#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// Reads at least so many records, lent; how many, and the bytes of their values.
async fn read_lent(consumer: &mut Consumer, count: u64) -> Result<(u64, u64), ConsumerError> {
    let (mut records, mut bytes) = (0, 0);
    while records < count {
        let batch = consumer.next_batch().await?;
        for record in &batch {
            bytes += record?.value.map_or(0, <[u8]>::len) as u64;
            records += 1;
        }
    }
    Ok((records, bytes))
}

/// The same, of records that are one's own.
async fn read_own(consumer: &mut Consumer, count: u64) -> Result<(u64, u64), ConsumerError> {
    let mut bytes = 0;
    for _ in 0..count {
        bytes += consumer.next().await?.value.map_or(0, |value| value.len()) as u64;
    }
    Ok((count, bytes))
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::cast_precision_loss, reason = "a measurement")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "throughput ADDRESS TOPIC PARTITIONS RECORDS [own]";
    let address = arguments.next().ok_or(usage)?;
    let topic = arguments.next().ok_or(usage)?;
    let partitions: i32 = arguments.next().ok_or(usage)?.parse()?;
    let count: u64 = arguments.next().ok_or(usage)?.parse()?;
    let is_own = arguments.next().as_deref() == Some("own");
    let mut consumer = Consumer::builder().bootstrap_servers(&address).build()?;
    let place = |partition| (TopicPartition::new(topic.as_str(), partition), Start::Earliest);
    consumer.assign_from((0..partitions).map(place))?;
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let (records, bytes) = match is_own {
        true => read_own(&mut consumer, count).await?,
        false => read_lent(&mut consumer, count).await?,
    };
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    writeln!(
        io::stdout(),
        "{records} records, {bytes} bytes of values, {seconds:.3} s, {cpu:.3} s of CPU: {:.0} a \
         second, {:.0} a second of CPU",
        records as f64 / seconds,
        records as f64 / cpu,
    )?;
    Ok(())
}
