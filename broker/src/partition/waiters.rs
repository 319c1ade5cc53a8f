//! Who waits for a partition's high watermark to move, or for its end.
//!
//! Must always hold: a change behind a registration is told, once; a watch that is dropped leaves
//! nothing behind.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Partition;

/// Something that waits for any of several partitions.
#[derive(Debug, Default)]
struct Waiter {
    notify: Notify,
    /// The numbers of the partitions that have changed. Each is here once at the most, because it
    /// is registered once.
    changed: Mutex<Vec<usize>>,
}

/// The waiters of one partition, each with the number that it gave to the partition. Each is told
/// once and registers again.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    list: Mutex<Vec<(Arc<Waiter>, usize)>>,
}

impl Waiters {
    fn list(&self) -> MutexGuard<'_, Vec<(Arc<Waiter>, usize)>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, waiter: &Arc<Waiter>, number: usize) {
        self.list().push((Arc::clone(waiter), number));
    }

    fn unregister(&self, waiter: &Arc<Waiter>) {
        self.list().retain(|(present, _)| !Arc::ptr_eq(present, waiter));
    }

    /// Tells all.
    pub(super) fn wake(&self) {
        for (waiter, number) in std::mem::take(&mut *self.list()) {
            waiter.changed.lock().unwrap_or_else(PoisonError::into_inner).push(number);
            waiter.notify.notify_one();
        }
    }
}

/// Watches partitions for as long as it lives.
#[derive(Debug)]
pub(crate) struct Watch {
    waiter: Arc<Waiter>,
    partitions: Vec<Arc<Partition>>,
}

impl Watch {
    /// Watches `partitions` from now on; their numbers are their places.
    pub(crate) fn new<'a>(partitions: impl Iterator<Item = &'a Arc<Partition>>) -> Self {
        let (waiter, partitions) = (Arc::default(), partitions.cloned().collect::<Vec<_>>());
        for (number, partition) in partitions.iter().enumerate() {
            partition.waiters.register(&waiter, number);
        }
        Self { waiter, partitions }
    }

    /// Waits until a partition has changed; at once if one has since the last time. Cancel-safe.
    pub(crate) async fn changed(&self) {
        self.waiter.notify.notified().await;
    }

    /// The numbers of the partitions that have changed. They are watched again, so that what is
    /// read of them from now on is no older than the next change.
    pub(crate) fn take_changed(&mut self) -> Vec<usize> {
        let changed = &self.waiter.changed;
        let changed = std::mem::take(&mut *changed.lock().unwrap_or_else(PoisonError::into_inner));
        for &number in &changed {
            self.partitions[number].waiters.register(&self.waiter, number);
        }
        changed
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for partition in &self.partitions {
            partition.waiters.unregister(&self.waiter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_no_more_leaves_nothing_behind() {
        let waiters = Waiters::default();
        let all: [Arc<Waiter>; 3] = Default::default();
        all.iter().for_each(|waiter| waiters.register(waiter, 7));
        all[1..].iter().for_each(|waiter| waiters.unregister(waiter));
        waiters.wake();
        let told = all.map(|waiter| waiter.changed.lock().unwrap().clone());
        assert_eq!(told, [vec![7], Vec::new(), Vec::new()]);
        assert!(waiters.list().is_empty());
    }
}
