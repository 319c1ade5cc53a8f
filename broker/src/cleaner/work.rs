//! Which log is compacted next, and its cleaning from begin to end.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use logboom_storage::{
    CleanError, CleanStats, Cleanable, Cleaning, CleaningRequest, CompactionOptions, StorageError,
};

use super::pace::Pacing;
use super::{RETRY_AFTER, Shared};
use crate::clock::now_ms;
use crate::cluster::compacted_by_all;
use crate::node::random_bytes;
use crate::partition::{Command, Partition};

/// A log that is to be compacted.
struct Work {
    partition: Arc<Partition>,
    cleanable: Cleanable,
    options: CompactionOptions,
}

impl Shared {
    /// Compacts the log with most to gain; returns whether there was one.
    pub(super) fn clean_one(&self, runtime: &Runtime) -> bool {
        if self.node.directory.failure().is_some() {
            return false;
        }
        let Some(work) = self.pick() else { return false };
        let key = work.partition.key;
        let (partition, cleanable) = (Arc::clone(&work.partition), work.cleanable);
        let (topic, number) = (&partition.topic, key.partition);
        let since = Instant::now();
        self.node.metrics.cleaner_threads_busy.move_by(1);
        let result = self.clean(work, runtime);
        self.node.metrics.cleaner_threads_busy.move_by(-1);
        self.node.metrics.cleaner_seconds.observe(since.elapsed());
        let mut state = self.state();
        state.busy.remove(&key);
        match result {
            Ok(Some(stats)) => {
                state.resting.remove(&key);
                drop(state);
                let (from, to) = (cleanable.first_dirty_offset, cleanable.end_offset);
                let CleanStats { replaced_bytes, written_bytes, removed_records, .. } = stats;
                tracing::info!(
                    %topic, partition = number, from, to, replaced_bytes, written_bytes,
                    removed_records, map_full = stats.map_full, "compacted"
                );
            }
            Ok(None) => {
                state.resting.insert(key, (cleanable, since));
            }
            Err(CleanError::Stopped | CleanError::Storage(StorageError::Deleted { .. })) => {}
            Err(CleanError::Storage(error)) => {
                state.resting.insert(key, (cleanable, since));
                drop(state);
                self.node.metrics.cleaner_errors.add(1);
                tracing::warn!(%topic, partition = number, %error, "not compacted");
            }
        }
        true
    }

    /// The log of which the greatest part is dirty, of those for which it is time.
    fn pick(&self) -> Option<Work> {
        let now_ms = now_ms();
        let all = self.node.registry.all();
        let mut best: Option<Work> = None;
        let mut ratio_max = 0.0_f64;
        for partition in all {
            let settings = partition.settings();
            if !settings.is_compacted || partition.is_deleted() || self.is_busy(&partition) {
                continue;
            }
            let options = settings.compaction;
            // Whoever reads it is told of damage; one that is deleted is out of the question.
            let Ok(cleanable) = partition.view.cleanable(i64::MAX, now_ms, &options) else {
                continue;
            };
            ratio_max = ratio_max.max(cleanable.dirty_ratio());
            let is_better = |best: &Work| cleanable.dirty_ratio() > best.cleanable.dirty_ratio();
            if cleanable.is_due(&options)
                && !self.is_resting(&partition, &cleanable)
                && best.as_ref().is_none_or(is_better)
            {
                best = Some(Work { partition, cleanable, options });
            }
        }
        self.node.metrics.cleaner_dirty_ratio_max.set(ratio_max);
        let mut state = self.state();
        // Another thread may have taken it meanwhile; then there is a next time.
        best.filter(|best| state.busy.insert(best.partition.key))
    }

    /// Whether it couldn't be compacted a short while ago, and nothing has changed.
    fn is_resting(&self, partition: &Partition, cleanable: &Cleanable) -> bool {
        let mut state = self.state();
        state.resting.retain(|_, (_, since)| since.elapsed() < RETRY_AFTER);
        state.resting.get(&partition.key).is_some_and(|(then, _)| then == cleanable)
    }

    fn is_busy(&self, partition: &Partition) -> bool {
        self.state().busy.contains(&partition.key)
    }

    /// Compacts a log; `None` where nothing could be.
    ///
    /// - `runtime`: where other brokers are asked.
    fn clean(&self, work: Work, runtime: &Runtime) -> Result<Option<CleanStats>, CleanError> {
        let Work { partition, cleanable, options } = work;
        let last_batches = self.ask(&partition, Command::LastBatches)?;
        let memory = usize::try_from(self.node.integer("log.cleaner.dedupe.buffer.size"));
        let request = CleaningRequest {
            cleanable,
            options,
            last_batches,
            compacted_by_all: runtime.block_on(compacted_by_all(&self.node, partition.key)),
            now_ms: now_ms(),
            map_bytes: memory.unwrap_or(0) / self.wanted().max(1),
            seed: u128::from_be_bytes(random_bytes()),
        };
        let mut pacing = Pacing(self);
        let Some(mut cleaning) = Cleaning::begin(&partition.view, request, &mut pacing)? else {
            return Ok(None);
        };
        let result = self.swap_all(&partition, &mut cleaning);
        let stats = cleaning.stats();
        let metrics = &self.node.metrics;
        let count = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        metrics.cleaner_read_bytes.add(count(stats.read_bytes));
        metrics.cleaner_written_bytes.add(count(stats.written_bytes));
        metrics.cleaner_removed_records.add(count(stats.removed_records));
        result.map(|()| Some(stats))
    }

    fn swap_all(&self, partition: &Partition, cleaning: &mut Cleaning) -> Result<(), CleanError> {
        while let Some(cleaned) = cleaning.next(&mut Pacing(self))? {
            let swap = |key, reply| Command::Swap(key, cleaned, reply);
            if !self.ask(partition, swap)?? {
                // Something else happened to the log; what is left comes with the next cleaning.
                return Err(CleanError::Stopped);
            }
        }
        Ok(())
    }

    /// Has the shard of a partition answer; an error where it doesn't own it any more.
    fn ask<T>(
        &self,
        partition: &Partition,
        command: impl FnOnce(logboom_storage::state::GroupKey, oneshot::Sender<T>) -> Command,
    ) -> Result<T, CleanError> {
        let (reply, answer) = oneshot::channel();
        self.node.shards[partition.shard].send(command(partition.key, reply));
        answer.blocking_recv().map_err(|_| CleanError::Stopped)
    }
}
