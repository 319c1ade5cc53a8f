//! What is done now and then: retention, forgetting producers, emptying the trash.
//!
//! The first two are looked after for the first time soon after a start
//! (`log.initial.task.delay.ms`), so that a broker which is restarted more often than its intervals
//! does them nevertheless.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until};

use logboom_storage::Directory;

use crate::clock::{boot_ms, now_ms};
use crate::limits;
use crate::node::Node;
use crate::partition::Command;

/// How often it is looked for producers to forget, in milliseconds; Kafka's
/// `producer.id.expiration.check.interval.ms`, which isn't for users.
const EXPIRY_CHECK_MS: i64 = 600_000;

/// Free bytes below which a large batch doesn't fit.
const ROOM_MIN: u64 = 2 << 20;
/// How often it is looked whether files have waited for long enough.
const TRASH_EVERY: Duration = Duration::from_secs(1);

/// How long to wait, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Intervals {
    /// Until the first time.
    initial_delay_ms: i64,
    /// From retention to retention.
    retention_ms: i64,
    /// From one look at the producers to the next.
    expiry_ms: i64,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tick {
    /// Drop what retention lets go.
    Retain,
    /// Forget producers that are silent for too long.
    ExpireProducers,
}

/// When what is due, in milliseconds since the start.
#[derive(Debug)]
struct Schedule {
    retain_at_ms: i64,
    expire_at_ms: i64,
}

impl Schedule {
    fn new(intervals: Intervals) -> Self {
        let first_ms = intervals.initial_delay_ms;
        Self { retain_at_ms: first_ms, expire_at_ms: first_ms }
    }

    /// When the next is due.
    fn next_ms(&self) -> i64 {
        self.retain_at_ms.min(self.expire_at_ms)
    }

    /// What is due by now; each is put off by its interval, from now on.
    fn take_due(&mut self, since_start_ms: i64, intervals: Intervals) -> Vec<Tick> {
        let Intervals { retention_ms, expiry_ms, .. } = intervals;
        let each = [
            (&mut self.retain_at_ms, retention_ms, Tick::Retain),
            (&mut self.expire_at_ms, expiry_ms, Tick::ExpireProducers),
        ];
        let due = each.into_iter().filter(|(at_ms, ..)| **at_ms <= since_start_ms);
        let put_off = due.map(|(at_ms, interval_ms, tick)| {
            *at_ms = since_start_ms.saturating_add(interval_ms.max(1));
            tick
        });
        put_off.collect()
    }
}

/// Sends every shard what is due, until the broker stops.
pub(crate) async fn run(node: Arc<Node>) {
    let mut stopping = node.stopping.clone();
    tokio::select! {
        () = keep(&node) => {}
        () = empty_trash(&node) => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

async fn keep(node: &Node) {
    let start = Instant::now();
    let mut schedule = Schedule::new(intervals(node));
    loop {
        let next = u64::try_from(schedule.next_ms()).unwrap_or(0).min(WAIT_MAX_MS);
        sleep_until(start + Duration::from_millis(next)).await;
        let since_start_ms = i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX);
        for tick in schedule.take_due(since_start_ms, intervals(node)) {
            tell(node, tick, now_ms());
        }
    }
}

/// Removes what is left of replicas that were removed for long enough, on a thread that may wait.
async fn empty_trash(node: &Node) {
    loop {
        sleep(TRASH_EVERY).await;
        if node.directory.has_trash() {
            let (directory, stopping) = (Arc::clone(&node.directory), node.stopping.clone());
            // Where nothing can be written, room is worth more than a second thought.
            let now = (!is_full(&directory)).then(boot_ms);
            let empty = move || directory.empty_trash(now, || !*stopping.borrow());
            let emptied = spawn_blocking(empty).await;
            if let Ok(Err(error)) = emptied {
                tracing::warn!(%error, "files of removed partitions stay for a while");
            }
        }
    }
}

fn is_full(directory: &Directory) -> bool {
    directory.is_short() || limits::free_bytes(directory.root()).is_ok_and(|free| free < ROOM_MIN)
}

/// The most that a deadline lies behind the start: what the clock can add.
const WAIT_MAX_MS: u64 = 1 << 50;

fn intervals(node: &Node) -> Intervals {
    Intervals {
        initial_delay_ms: node.integer("log.initial.task.delay.ms"),
        retention_ms: node.integer("log.retention.check.interval.ms"),
        expiry_ms: EXPIRY_CHECK_MS.min(node.integer("producer.id.expiration.ms")),
    }
}

fn tell(node: &Node, tick: Tick, now_ms: i64) {
    let expiration_ms = node.integer("producer.id.expiration.ms");
    for shard in &*node.shards {
        shard.send(match tick {
            Tick::Retain => Command::Retain { now_ms },
            Tick::ExpireProducers => Command::ExpireProducers { now_ms, expiration_ms },
        });
    }
}

#[cfg(test)]
mod tests;
