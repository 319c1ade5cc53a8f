//! What a replica needs of its shard to have things done elsewhere: flushes, steps of the state
//! store, reads of what isn't in memory. Each comes back as a command.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use logboom_controller::record::LeaderReport;
use logboom_storage::state::{GroupKey, StateRecord};
use logboom_storage::{ColdRead, Directory, FlushDone};

use super::catch_up::{CatchUp, Permit};
use super::command::{Command, ShardHandle};
use super::surroundings::Surroundings;
use crate::metrics::Metrics;

/// A replica, apart from those that were here before it under the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    pub(super) key: GroupKey,
    serial: u64,
}

impl Named {
    /// Another one than all before.
    pub(super) fn new(key: GroupKey) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self { key, serial: LAST.fetch_add(1, Ordering::Relaxed) }
    }
}

/// What a replica says of who leads its group.
#[derive(Debug)]
pub(crate) enum LeaderNews {
    /// It does.
    Leads(LeaderReport),
    /// It has heard nobody who does up to this epoch: whatever office it had is given up. With the
    /// room that this takes until somebody has heard it.
    HearsNobody(GroupKey, i32, OwnedSemaphorePermit),
}

/// What a replica needs of its shard.
#[derive(Clone)]
pub(crate) struct Hands {
    pub(crate) directory: Arc<Directory>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) handle: ShardHandle,
    /// Where it is told who leads; nobody listens on a broker that is alone.
    pub(crate) reports: mpsc::UnboundedSender<LeaderNews>,
    /// What followers that are behind may cost; all shards have the same.
    pub(crate) catch_up: Arc<CatchUp>,
    /// Time, chance, and threads that may wait.
    pub(crate) around: Arc<dyn Surroundings>,
}

impl Hands {
    /// What is called when a flush is over, on whichever thread.
    pub(super) fn on_flush_done(&self, key: Named) -> FlushDone {
        let (handle, metrics) = (self.handle.clone(), Arc::clone(&self.metrics));
        let since = Instant::now();
        Box::new(move |result| {
            metrics.flush_seconds.observe(since.elapsed());
            metrics.flushes_failed.add(usize::from(result.is_err()));
            handle.send(Command::Flushed(key, result));
        })
    }

    /// Has the state store learn records of a group that wait for no flush of its log.
    ///
    /// - `number`: of the last frame that they belong to.
    pub(super) fn store(&self, key: Named, records: Vec<StateRecord>, number: u64) {
        let handle = self.handle.clone();
        let done = move |result: Result<(), _>| {
            // Where it fails the broker ends.
            if result.is_ok() {
                handle.send(Command::Stored(key, number));
            }
        };
        let records: Vec<_> = records.into_iter().map(|record| (key.key, record)).collect();
        self.directory.state().submit(&records, Box::new(done));
    }

    /// Reads on a thread that may wait.
    ///
    /// - `number`: of the read, for the one who asked.
    /// - `from`: the offset that is looked for.
    pub(super) fn read_later(
        &self,
        key: Named,
        number: u64,
        from: i64,
        read: ColdRead,
        permit: Permit,
    ) {
        let handle = self.handle.clone();
        self.around.spawn(Box::new(move || {
            let result = read.run();
            permit.settle(result.as_ref().map_or(0, Bytes::len));
            handle.send(Command::Read { key, number, from, result });
        }));
    }
}
