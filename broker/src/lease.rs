//! Whether somebody who leads here still does: one that was stalled may have been followed by
//! another, and would tell what was.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::node::Node;
use crate::partition::{Command, Partition, Standing};

/// How long a leader waits to hear that it still is one.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Whether a replica leads in an epoch, and nobody after it yet. What was read before this was
/// asked, of what is committed, is then no older than the question.
pub(crate) async fn leads_surely(node: &Node, partition: &Partition, epoch: i32) -> bool {
    let leads = || partition.role() == (epoch, Standing::Leads);
    if node.others.is_none() {
        return leads();
    }
    let deadline = Instant::now() + PATIENCE;
    while leads() && Instant::now() < deadline {
        let (reply, answer) = oneshot::channel();
        node.shards[partition.shard].send(Command::Lease(partition.key, reply));
        match answer.await {
            Ok(Some(true)) => return leads(),
            Ok(Some(false)) => sleep(LOOK_EVERY).await,
            Ok(None) | Err(_) => break,
        }
    }
    false
}
