//! What everybody but its shard sees of a partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use arc_swap::ArcSwap;

use logboom_protocol::CompactString;
use logboom_storage::LogView;
use logboom_storage::state::GroupKey;

use super::settings::TopicSettings;
use super::waiters::Waiters;

/// A partition with a replica on this broker.
#[derive(Debug)]
pub(crate) struct Partition {
    /// Topic id and number.
    pub(crate) key: GroupKey,
    /// The topic's name.
    pub(crate) topic: CompactString,
    /// The shard that owns it.
    pub(crate) shard: usize,
    /// Its log, for readers.
    pub(crate) view: Arc<LogView>,
    /// Who waits for records.
    pub(super) waiters: Waiters,
    leader_epoch: AtomicI32,
    settings: ArcSwap<TopicSettings>,
    deleted: AtomicBool,
}

impl Partition {
    pub(crate) fn new(
        key: GroupKey,
        topic: CompactString,
        shard: usize,
        view: Arc<LogView>,
        leader_epoch: i32,
        settings: Arc<TopicSettings>,
    ) -> Self {
        Self {
            key,
            topic,
            shard,
            view,
            waiters: Waiters::default(),
            leader_epoch: AtomicI32::new(leader_epoch),
            settings: ArcSwap::new(settings),
            deleted: AtomicBool::new(false),
        }
    }

    /// The epoch of its leader.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.leader_epoch.load(Ordering::Acquire)
    }

    /// Where an epoch ends in the log: the greatest epoch not above `epoch`, and the first offset
    /// behind it. Below all that are known, `epoch` itself and the first offset of the next one;
    /// `None` for one that hasn't begun here.
    pub(crate) fn epoch_end(&self, epoch: i32) -> Option<(i32, i64)> {
        if epoch == self.leader_epoch() {
            return Some((epoch, self.view.end_offset()));
        }
        self.view.epoch_end(epoch)
    }

    /// What its topic is configured to.
    pub(crate) fn settings(&self) -> Arc<TopicSettings> {
        self.settings.load_full()
    }

    pub(crate) fn set_settings(&self, settings: Arc<TopicSettings>) {
        self.settings.store(settings);
    }

    /// Whether it is no more; who holds it is to look for its successor.
    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    pub(super) fn set_deleted(&self) {
        self.deleted.store(true, Ordering::Release);
        self.waiters.wake();
    }
}
