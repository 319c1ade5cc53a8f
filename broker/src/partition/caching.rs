//! Records that count before they are flushed (`write.caching`).
//!
//! A group that answers for records which a power cut would take has to say so in the state store
//! first: after a crash of the machine its replica is known to lack something.
//!
//! Must always hold: nothing counts before its flush unless the state store has the flag durably.

use std::sync::Arc;

use logboom_storage::Directory;
use logboom_storage::state::{GroupKey, StateRecord};

/// What the state store knows of records that count before they are flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caching {
    /// There are none.
    Off,
    /// It has been told that there may be, and hasn't said yet that this is durable.
    Asked,
    /// There may be some.
    Recorded,
}

impl Caching {
    /// What the state store knew when the log was opened.
    pub(super) fn of(directory: &Directory, key: &GroupKey) -> Self {
        let is_recorded = directory.state().group(key, |group| group.is_some_and(|g| g.caching));
        if is_recorded { Self::Recorded } else { Self::Off }
    }
}

/// Has the state store learn the flag of a group; `done` is called on another thread once that is
/// durable, and never if it fails, because the broker ends then.
pub(super) fn record(
    directory: &Arc<Directory>,
    key: GroupKey,
    caching: bool,
    done: impl FnOnce() + Send + 'static,
) {
    let state = directory.state();
    let lossy = state.group(&key, |group| group.is_some_and(|group| group.lossy));
    let flags = StateRecord::Flags { caching, lossy };
    let done = move |result: Result<(), _>| {
        if result.is_ok() {
            done();
        }
    };
    state.submit(&[(key, flags)], Box::new(done));
}
