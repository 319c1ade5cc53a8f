//! Reading all partitions of a fetch, until there is enough or the time is over.
//!
//! Must always hold: what is read again is only what has changed; a change after a read wakes the
//! fetch; a fetch that ends leaves nothing behind at its partitions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::{Instant, sleep_until};

use logboom_controller::MetadataImage;
use logboom_protocol::ErrorCode;
use logboom_storage::ColdRead;

use super::super::{errors, leader};
use super::nearest::Reader;
use super::read::{Answer, ReadBudget, read, serves};
use super::wanted::Wanted;
use crate::node::Node;
use crate::partition::{Partition, Watch};
use crate::server::{AnswerPermit, Share};

#[cfg(test)]
mod tests;

/// How much a fetch wants, and how long it waits for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// It is answered at once with so many bytes of records.
    pub(super) bytes_min: usize,
    /// About the most bytes of records.
    pub(super) bytes_max: usize,
    /// How long it waits for them at the most.
    pub(super) wait_max: Duration,
}

/// Partitions that are read before others have their turn on the thread.
const READS_PER_TURN: usize = 128;

/// A fetch that is being read.
pub(super) struct Poll<'a> {
    node: &'a Node,
    image: &'a MetadataImage,
    wanted: &'a [Wanted],
    limits: Limits,
    reader: Reader,
    /// The replicas of what is wanted; none where there is none here.
    partitions: Vec<Option<Arc<Partition>>>,
    answers: Vec<Answer>,
    /// Of the records of all answers.
    bytes: usize,
    /// How many answers have records from the device.
    cold_count: usize,
    is_urgent: bool,
    /// Places of partitions whose records are on the device, when there was no room for them.
    starved: BTreeSet<usize>,
}

impl<'a> Poll<'a> {
    pub(super) fn new(
        node: &'a Node,
        image: &'a MetadataImage,
        wanted: &'a [Wanted],
        limits: Limits,
        reader: Reader,
    ) -> Self {
        let (mut partitions, mut answers) = (Vec::new(), Vec::new());
        let mut is_urgent = wanted.is_empty();
        for Wanted { topic, partition, .. } in wanted {
            let find = if reader.takes_followers { leader::find_replica } else { leader::find };
            let found = find(node, image, topic.to_ref(), *partition);
            // Unknown topics don't end the wait, as in the reference: clients would spin.
            is_urgent |= matches!(found, Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
            let code = found.as_ref().err().copied().unwrap_or(ErrorCode::NONE);
            answers.push(Answer::refused(code));
            partitions.push(found.ok());
        }
        is_urgent |= partitions.iter().all(Option::is_none);
        let starved = BTreeSet::new();
        let (bytes, cold_count) = (0, 0);
        Self {
            node,
            image,
            wanted,
            limits,
            reader,
            partitions,
            answers,
            bytes,
            cold_count,
            is_urgent,
            starved,
        }
    }

    /// Reads until there is enough, the time is over, or the broker stops.
    pub(super) async fn run(mut self) -> Vec<Answer> {
        let deadline = Instant::now() + self.limits.wait_max;
        for at in 0..self.wanted.len() {
            self.read(at).await;
            if (at + 1) % READS_PER_TURN == 0 {
                yield_now().await;
            }
        }
        if !self.is_done() && !self.limits.wait_max.is_zero() {
            self.wait(deadline).await;
        }
        for (answer, partition) in self.answers.iter_mut().zip(&self.partitions) {
            if let Some(partition) = partition.as_ref().filter(|_| !answer.is_urgent()) {
                answer.high_watermark = partition.view.high_watermark();
                partition.traffic.given.add(answer.records.len());
            }
        }
        self.answers
    }

    fn is_done(&self) -> bool {
        self.is_urgent || self.bytes >= self.limits.bytes_min
    }

    async fn wait(&mut self, deadline: Instant) {
        let mut watch = Watch::new(self.partitions.iter().flatten());
        let mut stopping = self.node.stopping.clone();
        let places: Vec<usize> =
            (0..self.wanted.len()).filter(|at| self.partitions[*at].is_some()).collect();
        // What has changed since it was read, and before it was watched.
        for &at in &places {
            if self.has_changed(at) {
                self.read(at).await;
            }
        }
        let door = Arc::clone(&self.node.answers);
        while !self.is_done() {
            let holds = self.cold_count > 0;
            // Two fetches that hold some and wait for more would wait for each other.
            let starves = !holds && !self.starved.is_empty();
            tokio::select! {
                () = watch.changed() => {}
                () = door.opened(Share::Records), if starves => {
                    for at in std::mem::take(&mut self.starved) {
                        self.read(at).await;
                    }
                }
                // What it has is better than nothing, and others get on.
                () = door.pressed(), if holds => return,
                () = sleep_until(deadline) => return,
                // A broker that is gone has stopped, too.
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
            for number in watch.take_changed() {
                self.read(places[number]).await;
            }
        }
    }

    fn has_changed(&self, at: usize) -> bool {
        let Some(partition) = &self.partitions[at] else { return false };
        let has_moved = partition.is_deleted() || !serves(partition, self.reader.takes_followers);
        has_moved || partition.view.high_watermark() != self.answers[at].high_watermark
    }

    /// Reads a partition, and takes what is found instead of what was.
    async fn read(&mut self, at: usize) {
        let Some(partition) = &self.partitions[at] else { return };
        let others = self.bytes - self.answers[at].records.len();
        let left = self.limits.bytes_max.saturating_sub(others);
        let wanted = &self.wanted[at];
        let bytes = wanted.bytes_max.min(u32::try_from(left).unwrap_or(u32::MAX));
        let budget = ReadBudget { bytes, is_first: others == 0 };
        let (mut answer, mut cold) = read(partition, wanted, self.reader.takes_followers, budget);
        let nearest = self.nearest(partition, wanted, &answer).await;
        if nearest.is_some() {
            (answer, cold) = (Answer { nearest, ..Answer::empty(partition) }, None);
        }
        if let Some(cold) = cold {
            let Some(memory) = self.memory(partition, budget) else {
                self.starved.insert(at);
                // What was read before is as good as it was.
                if self.answers[at].records.is_empty() {
                    self.answers[at] = answer;
                }
                return;
            };
            answer.take(run_cold(partition, cold, memory).await, budget);
            answer.is_cold = !answer.records.is_empty();
        }
        self.is_urgent |= answer.is_urgent();
        self.bytes = others + answer.records.len();
        self.cold_count += usize::from(answer.is_cold);
        let before = std::mem::replace(&mut self.answers[at], answer);
        self.cold_count -= usize::from(before.is_cold);
    }

    /// Where the client had better read instead of here, if what was found here is no error.
    async fn nearest(
        &self,
        partition: &Partition,
        wanted: &Wanted,
        answer: &Answer,
    ) -> Option<i32> {
        if answer.is_urgent() || !partition.leads() {
            return None;
        }
        self.reader.nearest(self.node, self.image, partition, wanted.offset).await
    }

    /// Memory for what is to come from the device.
    fn memory(&self, partition: &Partition, budget: ReadBudget) -> Option<AnswerPermit> {
        // The first batch is read whole, however large it is.
        let batch = if budget.is_first { partition.settings().max_message_bytes } else { 0 };
        self.node.answers.try_take(Share::Records, batch.max(budget.bytes as usize))
    }
}

/// Reads from the device, on a thread that may wait for it. The memory is taken until that is over,
/// whether or not somebody still waits for the records.
async fn run_cold(
    partition: &Partition,
    cold: ColdRead,
    memory: AnswerPermit,
) -> Result<Bytes, ErrorCode> {
    match spawn_blocking(move || cold.run().map(|records| memory.lend_to(records))).await {
        Ok(found) => found.map_err(|error| errors::read_code(partition, &error)),
        // It has panicked, and said so.
        Err(_) => Err(ErrorCode::KAFKA_STORAGE_ERROR),
    }
}
