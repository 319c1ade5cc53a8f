//! Reading all partitions of a fetch, until there is enough or the time is over.
//!
//! Must always hold: what is read again is only what has changed; a change after a read wakes the
//! fetch; a fetch that ends leaves nothing behind at its partitions.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::{Instant, sleep_until, timeout_at};

use logboom_controller::MetadataImage;
use logboom_protocol::ErrorCode;
use logboom_storage::ColdRead;

use super::super::{errors, leader};
use super::read::{Answer, Room, read};
use super::wanted::Wanted;
use crate::node::Node;
use crate::partition::{Partition, Watch};
use crate::server::AnswerRoom;

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
    wanted: &'a [Wanted],
    limits: Limits,
    /// The replicas of what is wanted; none where there is none here.
    partitions: Vec<Option<Arc<Partition>>>,
    answers: Vec<Answer>,
    /// Of the records of all answers.
    bytes: usize,
    is_urgent: bool,
    deadline: Instant,
}

impl<'a> Poll<'a> {
    pub(super) fn new(
        node: &'a Node,
        image: &MetadataImage,
        wanted: &'a [Wanted],
        limits: Limits,
    ) -> Self {
        let (mut partitions, mut answers) = (Vec::new(), Vec::new());
        let mut is_urgent = wanted.is_empty();
        for Wanted { topic, partition, .. } in wanted {
            let found = leader::find(node, image, topic.to_ref(), *partition);
            // Unknown topics don't end the wait, as in the reference: clients would spin.
            is_urgent |= matches!(found, Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
            let code = found.as_ref().err().copied().unwrap_or(ErrorCode::NONE);
            answers.push(Answer::refused(code));
            partitions.push(found.ok());
        }
        is_urgent |= partitions.iter().all(Option::is_none);
        let deadline = Instant::now() + limits.wait_max;
        Self { node, wanted, limits, partitions, answers, bytes: 0, is_urgent, deadline }
    }

    /// Reads until there is enough, the time is over, or the broker stops.
    pub(super) async fn run(mut self) -> Vec<Answer> {
        for at in 0..self.wanted.len() {
            self.read(at).await;
            if (at + 1) % READS_PER_TURN == 0 {
                yield_now().await;
            }
        }
        if !self.is_done() && !self.limits.wait_max.is_zero() {
            self.wait().await;
        }
        for (answer, partition) in self.answers.iter_mut().zip(&self.partitions) {
            if let Some(partition) = partition.as_ref().filter(|_| !answer.is_urgent()) {
                answer.high_watermark = partition.view.high_watermark();
            }
        }
        self.answers
    }

    fn is_done(&self) -> bool {
        self.is_urgent || self.bytes >= self.limits.bytes_min
    }

    async fn wait(&mut self) {
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
        while !self.is_done() {
            tokio::select! {
                () = watch.changed() => {}
                () = sleep_until(self.deadline) => return,
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
        partition.is_deleted() || partition.view.high_watermark() != self.answers[at].high_watermark
    }

    /// Reads a partition, and takes what is found instead of what was.
    async fn read(&mut self, at: usize) {
        let Some(partition) = &self.partitions[at] else { return };
        let others = self.bytes - self.answers[at].records.len();
        let left = self.limits.bytes_max.saturating_sub(others);
        let wanted = &self.wanted[at];
        let bytes = wanted.bytes_max.min(u32::try_from(left).unwrap_or(u32::MAX));
        let room = Room { bytes, is_first: others == 0 };
        let (mut answer, cold) = read(partition, wanted, room);
        if let Some(cold) = cold
            && let Some(memory) = self.memory(bytes as usize).await
        {
            let found = run_cold(partition, cold).await;
            answer.take(found.map(|bytes| memory.holding(bytes)), room);
        }
        self.is_urgent |= answer.is_urgent();
        self.bytes = others + answer.records.len();
        self.answers[at] = answer;
    }

    /// Memory for what is to come from the device; none where others have it, and the client asks
    /// again.
    async fn memory(&self, bytes: usize) -> Option<AnswerRoom> {
        let door = &self.node.answers;
        let memory = door.try_take(bytes);
        // Two fetches that hold some and wait for more would wait for each other.
        if memory.is_some() || self.bytes > 0 {
            return memory;
        }
        timeout_at(self.deadline, door.take(bytes)).await.ok()
    }
}

/// Reads from the device, on a thread that may wait for it.
async fn run_cold(partition: &Partition, cold: ColdRead) -> Result<Bytes, ErrorCode> {
    match spawn_blocking(move || cold.run()).await {
        Ok(found) => found.map_err(|error| errors::read_code(partition, &error)),
        // It has panicked, and said so.
        Err(_) => Err(ErrorCode::KAFKA_STORAGE_ERROR),
    }
}
