//! What everybody but its shard sees of a partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use arc_swap::ArcSwap;

use logboom_protocol::CompactString;
use logboom_storage::LogView;
use logboom_storage::state::GroupKey;

use super::settings::TopicSettings;
use super::waiters::Waiters;
use crate::metrics::Counter;

/// Stands for no leader.
const NOBODY: i32 = -1;

/// What a replica is in its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It follows, or waits for a leader.
    Follows,
    /// It leads, and hasn't committed in its epoch yet: what it knows to be committed isn't all.
    Begins,
    /// It leads.
    Leads,
}

impl Standing {
    const fn number(self) -> u64 {
        self as u64
    }

    fn of(role: u64) -> (i32, Self) {
        let epoch = u32::try_from(role >> 8).unwrap_or(0).cast_signed();
        let standing = match role & 0xff {
            0 => Self::Follows,
            1 => Self::Begins,
            _ => Self::Leads,
        };
        (epoch, standing)
    }
}

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
    /// The leader's broker id, or −1.
    leader: AtomicI32,
    /// The epoch, and in the low bits what this replica is in it: a reader sees both of one moment.
    role: AtomicU64,
    settings: ArcSwap<TopicSettings>,
    shared: AtomicBool,
    deleted: AtomicBool,
    /// What came and went since the start.
    pub(crate) traffic: Traffic,
}

/// Bytes of records that a replica took and gave.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// From producers, or from the leader.
    pub(crate) taken: Counter,
    /// To consumers, and to followers.
    pub(crate) given: Counter,
}

impl Partition {
    pub(crate) fn new(
        key: GroupKey,
        topic: CompactString,
        shard: usize,
        view: Arc<LogView>,
        settings: Arc<TopicSettings>,
    ) -> Self {
        Self {
            key,
            topic,
            shard,
            view,
            waiters: Waiters::default(),
            leader: AtomicI32::new(NOBODY),
            role: AtomicU64::new(Standing::Follows.number()),
            settings: ArcSwap::new(settings),
            shared: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
            traffic: Traffic::default(),
        }
    }

    /// The epoch of its leader.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.role().0
    }

    /// The broker that leads it, as far as its replica here knows.
    pub(crate) fn leader(&self) -> Option<i32> {
        Some(self.leader.load(Ordering::Acquire)).filter(|leader| *leader != NOBODY)
    }

    /// The epoch, and what the replica here is in it.
    pub(crate) fn role(&self) -> (i32, Standing) {
        Standing::of(self.role.load(Ordering::Acquire))
    }

    /// Whether others have replicas of it, as far as the one here knows.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    pub(super) fn set_shared(&self, shared: bool) {
        self.shared.store(shared, Ordering::Relaxed);
    }

    /// Whether the replica here leads.
    pub(crate) fn leads(&self) -> bool {
        self.role().1 != Standing::Follows
    }

    /// Says who leads; returns whether that is new.
    pub(super) fn set_leader(&self, leader: Option<i32>, epoch: i32, standing: Standing) -> bool {
        let leader = leader.unwrap_or(NOBODY);
        let role = u64::from(epoch.cast_unsigned()) << 8 | standing.number();
        let has_role = self.role.swap(role, Ordering::AcqRel) == role;
        let has_leader = self.leader.swap(leader, Ordering::AcqRel) == leader;
        !(has_role && has_leader)
    }

    /// Has the replica here be that, whatever its group says.
    #[cfg(test)]
    pub(crate) fn set_standing(&self, standing: Standing) {
        self.set_leader(self.leader(), self.leader_epoch(), standing);
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
