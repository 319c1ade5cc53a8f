//! Whether a replica may lead its group: not where its disk has failed, its broker stops, or a part
//! of its log is damaged; and in any case where an operator says so.

use std::sync::Arc;

use logboom_raft::ReplicaId;
use logboom_storage::StorageError;

use super::hands::Hands;
use super::replica::{AppendError, Replica};

impl Replica {
    /// Looks whether a part of the log is damaged.
    pub(super) fn note_damage(&mut self) {
        let damage = self.log.view().damage();
        let was_damaged = std::mem::replace(&mut self.is_damaged, damage.is_some());
        if was_damaged && damage.is_none() {
            // Where nothing was repaired: it can be read again, or is the log's no more.
            self.log.remember_anew();
        }
        let Some(member) = &mut self.member else { return };
        if was_damaged && damage.is_none() {
            // What couldn't be read for a follower can be read now.
            member.office.iter_mut().for_each(|office| office.feeds.retry());
            member.leaderless = None;
        }
        if !was_damaged && damage.is_some() {
            // What came of attempts before says nothing of this.
            member.handovers.forget();
        }
        if was_damaged != self.is_damaged {
            self.hold_back(self.is_damaged);
        }
    }

    /// Has it vote only, or take part as the others do. Its leader is to hear of it, also where the
    /// group sleeps.
    pub(super) fn hold_back(&mut self, is_held_back: bool) {
        let is_news = self.group.hold_back(is_held_back || self.is_retired);
        if let Some(member) = &mut self.member {
            member.is_to_be_asked |= is_news;
        }
    }

    /// Has it vote only until the broker starts again.
    pub(super) fn retire(&mut self) {
        self.is_retired = true;
        self.hold_back(true);
    }

    /// Nothing more becomes durable here: whoever waits is told, and the office is given up.
    pub(super) fn on_failed(&mut self, error: &StorageError, hands: &Hands) {
        tracing::error!(partition = %self.partition.key, %error, "flush failed");
        self.has_failed = true;
        self.note_failed_flush(hands);
        self.answers.fail(|| AppendError::FlushFailed);
        let root = hands.directory.root();
        self.fail_tasks(|| StorageError::OutOfService { path: root.to_owned() });
        self.resign(hands);
    }

    /// Lets others lead, if there are any.
    pub(super) fn resign(&mut self, hands: &Hands) {
        if self.member.is_some() {
            self.retire();
            self.step(hands, |group, effects| group.resign("it has failed", effects));
        }
    }

    /// An operator has given up all other voters than these; returns whether it leads with them.
    ///
    /// - `epoch`: the greatest that any of them knows.
    pub(super) fn recover(&mut self, left: Arc<[ReplicaId]>, epoch: i32, hands: &Hands) -> bool {
        let mut has_begun = false;
        if !self.has_failed {
            self.step(hands, |group, effects| has_begun = group.recover(left, epoch, effects));
        }
        has_begun
    }
}
