//! Reads topics as a member of a group and commits what it has printed.
//!
//! ```text
//! cargo run -p logboom-consumer --example consume -- localhost:9092 readers events
//! ```
//!
//! With a file of Kafka's client settings instead of the address it takes all of them.

use std::error::Error;
use std::io::{self, Write as _};
use std::path::Path;

use logboom_consumer::{
    BoxFuture, Consumer, ConsumerControl, OffsetReset, Properties, RebalanceListener, Remedy,
    TopicPartition,
};

/// Says what the group gives and takes.
struct Told;

fn tell(what: &str, partitions: &[TopicPartition]) {
    let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    writeln!(io::stderr(), "{what}: {}", names.join(" ")).ok();
}

impl RebalanceListener for Told {
    fn on_assigned<'a>(
        &'a mut self,
        _consumer: &'a ConsumerControl,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move { tell("assigned", partitions) })
    }

    fn on_revoked<'a>(
        &'a mut self,
        _consumer: &'a ConsumerControl,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move { tell("revoked", partitions) })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "consume ADDRESS|FILE GROUP TOPIC...";
    let (address, group) = (arguments.next().ok_or(usage)?, arguments.next().ok_or(usage)?);
    let mut builder = Consumer::builder().auto_offset_reset(OffsetReset::Earliest);
    builder = match Path::new(&address).is_file() {
        true => builder.properties(&Properties::load(&address)?)?,
        false => builder.bootstrap_servers(&address),
    };
    let mut consumer = builder.group_id(group).rebalance_listener(Told).build()?;
    consumer.subscribe(arguments)?;
    loop {
        let result = tokio::select! {
            result = consumer.next() => result,
            _ = tokio::signal::ctrl_c() => break,
        };
        match result {
            Ok(record) => {
                let value = record.value.as_deref().map(String::from_utf8_lossy);
                let value = value.unwrap_or_default();
                writeln!(io::stdout(), "{} {} {value}", record.place(), record.offset)?;
            }
            Err(error) if error.remedy() == Remedy::Retry => {
                writeln!(io::stderr(), "{error}")?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    consumer.close().await?;
    Ok(())
}
