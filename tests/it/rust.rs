//! Our Rust clients against real brokers, and beside the clients of others: what one writes the
//! other reads, whatever goes wrong on the way.
//!
//! Those that need only an address also run against another broker (`LOGBOOM_REFERENCE`).
//! `LOGBOOM_EVERY_BYTE` has the relay cut at every byte of an exchange, and not at a few.

mod cuts;
mod examples;
mod exchange;
mod hangs;
mod kafka;
mod kills;
mod newcomer;
mod patterns;
mod replicas;
mod settings;
mod times;

use std::time::Duration;

use logboom_client::{BrokerAddress, ClientConfig, Cluster, NewTopic};
use logboom_consumer::{Consumer, ConsumerBuilder, OffsetReset};
use logboom_producer::{Producer, ProducerBuilder};
use logboom_protocol::ErrorCode;

/// Longer than anything that these tests wait for.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs a test of asynchronous clients.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().worker_threads(2).build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, test).await.expect("it takes too long") })
}

fn producer(bootstrap: &str) -> ProducerBuilder {
    Producer::builder().bootstrap_servers(bootstrap)
}

/// A consumer that reads from the start.
pub(crate) fn consumer(bootstrap: &str) -> ConsumerBuilder {
    let builder = Consumer::builder().bootstrap_servers(bootstrap);
    builder.auto_offset_reset(OffsetReset::Earliest)
}

async fn create_topic(bootstrap: &str, name: &str, partitions: i32) {
    let cluster =
        Cluster::new(BrokerAddress::parse_list(bootstrap).unwrap(), ClientConfig::default());
    let topic = NewTopic {
        name: name.to_owned(),
        partition_count: Some(partitions),
        replication_factor: None,
        configs: Vec::new(),
        validate_only: false,
    };
    let created = cluster.create_topic(&topic).await;
    // Where the answer was lost it was made all the same.
    let exists = ErrorCode::TOPIC_ALREADY_EXISTS;
    assert!(
        created.as_ref().map_or_else(|error| error.code() == Some(exists), |_| true),
        "{created:?}"
    );
}
