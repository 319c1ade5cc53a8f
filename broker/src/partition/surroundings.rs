//! What a shard has of the process around it: time, chance, and threads that may wait. All of it
//! comes through here, so that a simulation can stand in for it.

use crate::clock::{boot_ms, now_ms};
use crate::node::random_bytes;

/// Something that may wait for the device.
pub(crate) type Errand = Box<dyn FnOnce() + Send>;

/// What is around a shard.
pub(crate) trait Surroundings: Send + Sync {
    /// As [`boot_ms`].
    fn boot_ms(&self) -> u64;

    /// As [`now_ms`].
    fn now_ms(&self) -> i64;

    /// A number that nobody foresees.
    fn chance(&self) -> u64;

    /// Has a thread that may wait do something.
    fn spawn(&self, errand: Errand);
}

/// The process itself; within a runtime.
#[derive(Debug)]
pub(crate) struct Process;

impl Surroundings for Process {
    fn boot_ms(&self) -> u64 {
        boot_ms()
    }

    fn now_ms(&self) -> i64 {
        now_ms()
    }

    fn chance(&self) -> u64 {
        u64::from_be_bytes(random_bytes())
    }

    fn spawn(&self, errand: Errand) {
        tokio::task::spawn_blocking(errand);
    }
}
