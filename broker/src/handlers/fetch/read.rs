//! Reading one partition, once.
//!
//! Must always hold: nothing here waits; what has to come from the device is returned as a read
//! that is still to be done.

use std::sync::Arc;

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::fetch::EpochEndOffset;
use logboom_storage::{ColdRead, Found, ReadUntil};

use super::super::{errors, leader};
use super::wanted::Wanted;
use crate::partition::Partition;

/// An offset that isn't known.
const UNKNOWN: i64 = -1;
/// Clients are given nothing that may be lost.
const UNTIL: ReadUntil =
    if cfg!(logboom_fault = "read_beyond") { ReadUntil::End } else { ReadUntil::HighWatermark };

/// What is answered for one partition.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) error_code: ErrorCode,
    /// Exclusive; −1 where unknown.
    pub(super) high_watermark: i64,
    /// Inclusive; −1 where unknown.
    pub(super) log_start_offset: i64,
    /// Where the client's log left ours.
    pub(super) diverging: Option<EpochEndOffset>,
    /// Whole batches.
    pub(super) records: Bytes,
    /// The broker at which the client had better read, if there is one (KIP-392).
    pub(super) nearest: Option<i32>,
    /// Whether they came from the device, and have room at the door for answers.
    pub(super) is_cold: bool,
}

impl Answer {
    /// An error; as in the reference, nothing is told of the partition beside it.
    pub(super) fn refused(error_code: ErrorCode) -> Self {
        Self {
            error_code,
            high_watermark: UNKNOWN,
            log_start_offset: UNKNOWN,
            diverging: None,
            records: Bytes::new(),
            nearest: None,
            is_cold: false,
        }
    }

    /// No records, and where the log begins and ends at this moment.
    pub(super) fn empty(partition: &Partition) -> Self {
        Self {
            high_watermark: partition.view.high_watermark(),
            log_start_offset: partition.view.log_start_offset(),
            ..Self::refused(ErrorCode::NONE)
        }
    }

    /// Takes what a read has found.
    ///
    /// - `budget`: what is left for this partition; only the first records of a response may be
    ///   more.
    pub(super) fn take(&mut self, found: Result<Bytes, ErrorCode>, budget: ReadBudget) {
        match found {
            Ok(records) if budget.is_first || records.len() <= budget.bytes as usize => {
                self.records = records;
            }
            // The next batch is larger than what is left: it comes when the partition is first.
            Ok(_) => {}
            Err(error_code) => *self = Self::refused(error_code),
        }
    }

    /// Whether the client has to act on it at once.
    pub(super) fn is_urgent(&self) -> bool {
        let is_elsewhere = self.diverging.is_some() || self.nearest.is_some();
        self.error_code != ErrorCode::NONE || is_elsewhere
    }
}

/// How much may be read of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadBudget {
    /// About so many bytes.
    pub(super) bytes: u32,
    /// Whether nothing was read before: then a batch is read whole, however large it is (KIP-74).
    pub(super) is_first: bool,
}

/// Whether the replica here serves a client, one that takes followers or not. A follower has to
/// know whom it follows: one that is cut off falls behind without noticing.
pub(super) fn serves(partition: &Partition, takes_followers: bool) -> bool {
    partition.leads() || (takes_followers && partition.leader().is_some())
}

/// Reads a partition; what comes back second is still to be read from the device.
pub(super) fn read(
    partition: &Arc<Partition>,
    wanted: &Wanted,
    takes_followers: bool,
    budget: ReadBudget,
) -> (Answer, Option<ColdRead>) {
    if partition.is_deleted() {
        return (Answer::refused(partition_gone(wanted)), None);
    }
    if !serves(partition, takes_followers) {
        return (Answer::refused(ErrorCode::NOT_LEADER_OR_FOLLOWER), None);
    }
    if let Err(code) = leader::check_epoch(partition, wanted.current_leader_epoch) {
        return (Answer::refused(code), None);
    }
    let mut answer = Answer::empty(partition);
    let Wanted { offset, last_fetched_epoch, .. } = *wanted;
    if last_fetched_epoch >= 0 {
        match diverging(partition, last_fetched_epoch, offset) {
            Ok(None) => {}
            Ok(diverging) => return (Answer { diverging, ..answer }, None),
            Err(error_code) => return (Answer::refused(error_code), None),
        }
    }
    if offset > answer.high_watermark && !partition.leads() {
        // The leader may have it.
        return (Answer::refused(ErrorCode::OFFSET_NOT_AVAILABLE), None);
    }
    let is_behind_end = offset > answer.high_watermark && offset <= partition.view.end_offset();
    if is_behind_end || (budget.bytes == 0 && !budget.is_first && is_within(&answer, offset)) {
        return (answer, None);
    }
    let found = partition.view.read(offset, budget.bytes, UNTIL);
    // It may have moved since: no record stands behind what is said to be committed.
    answer.high_watermark = partition.view.high_watermark();
    match found {
        Ok(Found::Nothing) => {}
        Ok(Found::Batches(records)) => answer.take(Ok(records), budget),
        Ok(Found::Cold(cold)) => return (answer, Some(cold)),
        Err(error) => answer.take(Err(errors::read_code(partition, &error)), budget),
    }
    (answer, None)
}

fn is_within(answer: &Answer, offset: i64) -> bool {
    (answer.log_start_offset..=answer.high_watermark).contains(&offset)
}

/// The code for a partition that was deleted under a fetch.
fn partition_gone(wanted: &Wanted) -> ErrorCode {
    match &*wanted.topic {
        super::wanted::TopicName::Name(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        super::wanted::TopicName::Id(_) => ErrorCode::UNKNOWN_TOPIC_ID,
    }
}

/// Where a client's log left ours, whose last record has `epoch` and which ends at `offset`
/// (KIP-595).
fn diverging(
    partition: &Partition,
    epoch: i32,
    offset: i64,
) -> Result<Option<EpochEndOffset>, ErrorCode> {
    let Some((ours, end_offset)) = partition.epoch_end(epoch) else {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    };
    let diverges = ours < epoch || end_offset < offset;
    Ok(diverges.then_some(EpochEndOffset { epoch: ours, end_offset }))
}
