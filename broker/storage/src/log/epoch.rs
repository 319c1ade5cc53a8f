//! Epochs: where a leader's time begins in the log.
//!
//! The beginning of an epoch is a barrier: everything before it is durable before the state store
//! learns of it, and that is durable before the first byte behind it is written. So what the state
//! store names was in the log once, and a batch whose epoch it doesn't know was never acknowledged.

use std::sync::Arc;

use super::Log;
use super::replicas::STEP_GROUPS_MAX;
use crate::directory::Directory;
use crate::error::StorageError;
use crate::flush::FlushDone;
use crate::state::{ControlEntry, EpochStart, GroupKey, StateRecord, shared_epochs};

/// An epoch that is to begin at the end of a log.
#[derive(Debug)]
pub struct Beginning<'a> {
    /// The log.
    pub log: &'a mut Log,
    /// The epoch, above [`Log::epoch`].
    pub epoch: i32,
    /// What else belongs to the step, in order: the vote, control entries.
    pub records: Vec<StateRecord>,
}

impl Directory {
    /// Begins an epoch in each of many logs, with one flush of the state store for up to 32,768 of
    /// them; durable when it returns. Waits for the device.
    ///
    /// # Errors
    /// As [`Log::flush_now`].
    ///
    /// # Panics
    /// If an epoch doesn't grow, or a record doesn't fit.
    pub fn begin_epochs(&self, beginnings: &mut [Beginning<'_>]) -> Result<(), StorageError> {
        for some in beginnings.chunks_mut(STEP_GROUPS_MAX) {
            let mut step = Vec::with_capacity(4 * some.len());
            for Beginning { log, epoch, records } in some.iter_mut() {
                assert!(*epoch > log.epoch(), "{}: epoch {} → {epoch}", log.key(), log.epoch());
                // The beginning is a barrier.
                log.flush_now()?;
                let start_offset = log.end_offset();
                let begin = StateRecord::Epoch(EpochStart { epoch: *epoch, start_offset });
                let records = std::mem::take(records);
                step.extend([begin].into_iter().chain(records).map(|record| log.record(record)));
            }
            self.shared.commit(&step)?;
            some.iter().for_each(|beginning| beginning.log.refresh_epochs());
        }
        Ok(())
    }
}

impl Log {
    /// Begins an epoch at the end of the log, and asks for it to be made durable together with
    /// `records` of the group, in one step; returns the offset at which it begins.
    ///
    /// - `epoch`: above [`Log::epoch`], which becomes it at once.
    /// - `records`: what else belongs to the step, in order: the vote, control entries. Votes go
    ///   ahead: they hold at once, as any that is cast while the log is flushed comes behind them,
    ///   and are durable no later than the epoch.
    ///
    /// When `done` is called with success, the owner calls [`Log::on_flushed`] with that offset.
    /// Until then nothing can be appended.
    ///
    /// # Errors
    /// [`StorageError::FlushUnderWay`], [`StorageError::OutOfService`]; nothing has changed.
    ///
    /// A record that doesn't fit what the group has once the log is flushed takes the directory out
    /// of service; `done` is told.
    ///
    /// # Panics
    /// If the epoch doesn't grow, or a vote doesn't fit.
    pub fn begin_epoch(
        &mut self,
        epoch: i32,
        records: &[StateRecord],
        done: FlushDone,
    ) -> Result<i64, StorageError> {
        self.check_at_rest()?;
        assert!(epoch > self.epoch(), "{}: epoch {} → {epoch}", self.view.key, self.epoch());
        let start_offset = self.end_offset();
        let begin = StateRecord::Epoch(EpochStart { epoch, start_offset });
        let records = std::iter::once(begin).chain(records.iter().cloned());
        let (votes, records): (Vec<_>, Vec<_>) = records
            .map(|record| self.record(record))
            .partition(|(_, record)| matches!(record, StateRecord::Vote { .. }));
        self.view.shared.state.submit_lazily(&votes);
        let epochs = self.view.epochs();
        // One without offsets leaves no trace, as in the state store.
        let before = epochs.iter().copied().filter(|before| before.start_offset < start_offset);
        let begun = EpochStart { epoch, start_offset };
        self.view.set_epochs(shared_epochs(before.chain([begun])));
        Ok(self.raise_barrier(records, done))
    }

    /// Appends a control entry at the end of the log, which begins its epoch where that is a new
    /// one, and asks for it to be made durable behind all that was appended; returns its offset.
    ///
    /// The rest is as with [`Log::begin_epoch`].
    ///
    /// # Errors
    /// As [`Log::begin_epoch`].
    ///
    /// # Panics
    /// If it isn't at the end of the log, or its epoch is below [`Log::epoch`].
    pub fn append_control(
        &mut self,
        entry: ControlEntry,
        done: FlushDone,
    ) -> Result<i64, StorageError> {
        let (epoch, offset) = (entry.epoch, entry.offset);
        assert_eq!(offset, self.end_offset(), "{}: a control entry at the end", self.view.key);
        if epoch > self.epoch() {
            return self.begin_epoch(epoch, &[StateRecord::Control(entry)], done);
        }
        assert_eq!(epoch, self.epoch(), "{}: an entry of an epoch before", self.view.key);
        self.check_at_rest()?;
        let record = self.record(StateRecord::Control(entry));
        Ok(self.raise_barrier(vec![record], done))
    }

    /// Has records be durable behind all that was appended, and takes nothing until they are.
    fn raise_barrier(&mut self, records: Vec<(GroupKey, StateRecord)>, done: FlushDone) -> i64 {
        self.unflushed().records.extend(records);
        self.begins_epoch = true;
        self.flush(done).expect("there is a record to be flushed")
    }

    /// Takes over the epochs as the state store has them.
    pub(super) fn refresh_epochs(&self) {
        let epochs = self.view.shared.state.group(&self.view.key, |g| g.map(|g| g.epochs.clone()));
        self.view.set_epochs(epochs.unwrap_or_default());
    }

    /// Every epoch that has offsets, oldest first, with the last even if it has none yet.
    #[must_use]
    pub fn epochs(&self) -> Arc<[EpochStart]> {
        self.view.epochs()
    }
}
