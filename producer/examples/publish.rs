//! Publishes the lines of stdin, each as a record, and says where each was appended:
//!
//! ```text
//! seq 3 | cargo run -p logboom-producer --example publish -- localhost:9092 numbers
//! ```

use std::io::{BufRead as _, Write as _};

use logboom_producer::{Producer, Record};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, topic] = &arguments[..] else {
        return Err("give an address and a topic".into());
    };
    let producer = Producer::builder().bootstrap_servers(bootstrap).build()?;
    let mut deliveries = Vec::new();
    for line in std::io::stdin().lock().lines() {
        deliveries.push(producer.send(Record::to(topic).value(&line?)).await?);
    }
    let mut out = std::io::stdout().lock();
    for delivery in deliveries {
        let delivered = delivery.await?;
        let offset = delivered.offset.unwrap_or(-1);
        writeln!(out, "{topic}-{}: {offset}", delivered.partition)?;
    }
    Ok(())
}
