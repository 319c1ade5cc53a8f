//! Publishes three records, and reads them as a member of a group.

use logboom_consumer::{Consumer, OffsetReset};
use logboom_producer::{Producer, Record};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let producer = Producer::builder().bootstrap_servers("127.0.0.1:9092").build()?;
    for gate in ["A1", "B7", "C3"] {
        let sent = producer.publish(Record::to("departures").key(gate).value("boarding")).await?;
        println!("gate {gate}: partition {}, offset {:?}", sent.partition, sent.offset);
    }

    let builder = Consumer::builder().bootstrap_servers("127.0.0.1:9092").group_id("displays");
    let mut consumer = builder.auto_offset_reset(OffsetReset::Earliest).build()?;
    consumer.subscribe(["departures"])?;
    for _ in 0..3 {
        let record = consumer.next().await?;
        println!("{:?} is {:?}", record.key, record.value);
    }
    Ok(consumer.close().await?)
}
