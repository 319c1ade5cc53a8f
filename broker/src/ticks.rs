//! What is done now and then: retention, and forgetting producers.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::node::Node;
use crate::partition::Command;

/// How often it is looked for producers to forget, in milliseconds; Kafka's
/// `producer.id.expiration.check.interval.ms`, which isn't for users.
const EXPIRY_CHECK_MS: i64 = 600_000;

/// Sends every shard what is due, until the broker stops.
pub(crate) async fn run(node: Arc<Node>) {
    let mut stopping = node.stopping.clone();
    tokio::select! {
        () = every(&node, "log.retention.check.interval.ms", || Command::Retain) => {}
        () = expire(&node) => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

async fn every(node: &Node, interval: &'static str, command: impl Fn() -> Command) {
    loop {
        sleep(milliseconds(node.integer(interval))).await;
        tell(node, &command);
    }
}

async fn expire(node: &Node) {
    loop {
        let expiration_ms = node.integer("producer.id.expiration.ms");
        sleep(milliseconds(EXPIRY_CHECK_MS.min(expiration_ms))).await;
        let expiration_ms = node.integer("producer.id.expiration.ms");
        tell(node, || Command::ExpireProducers(expiration_ms));
    }
}

fn tell(node: &Node, command: impl Fn() -> Command) {
    node.shards.iter().for_each(|shard| shard.send(command()));
}

fn milliseconds(count: i64) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(1).max(1))
}
