//! What a shard and the controller have of the process around them: time, chance, and threads that
//! may wait. All of it comes through here, so that a simulation can stand in for it.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::sleep;

use crate::clock::{boot_ms, now_ms};
use crate::node::random_bytes;

/// Something that may wait for the device.
pub(crate) type Errand = Box<dyn FnOnce() + Send>;

/// What is around a shard, and around the controller.
pub(crate) trait Surroundings: Send + Sync {
    /// As [`boot_ms`].
    fn boot_ms(&self) -> u64;

    /// As [`now_ms`].
    fn now_ms(&self) -> i64;

    /// A number that nobody foresees.
    fn chance(&self) -> u64;

    /// Has a thread that may wait do something.
    fn spawn(&self, errand: Errand);

    /// Waits until [`boot_ms`] says so much.
    fn until(&self, boot_ms: u64) -> BoxFuture<'static, ()>;

    /// Waits for so long.
    fn pause(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.until(self.boot_ms().saturating_add(millis(time)))
    }
}

/// Whole milliseconds of a time.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
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

    fn until(&self, at: u64) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            while let Some(left) = at.checked_sub(boot_ms()).filter(|left| *left > 0) {
                sleep(Duration::from_millis(left)).await;
            }
        })
    }
}
