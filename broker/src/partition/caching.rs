//! Records that count before they are flushed (`write.caching`).
//!
//! A replica that answers for records which a power cut would take has to say so in the state store
//! first: after a crash of the machine it is known to lack something. A flush that fails is such a
//! loss too.
//!
//! A replica answers for what it has in the page cache; whether that counts is decided by who
//! leads: the setting that the leader knows holds for all.
//!
//! Must always hold: nothing counts before its flush unless the state store has the flag durably.

use std::sync::Arc;

use logboom_raft::Group;
use logboom_storage::Directory;
use logboom_storage::state::{GroupKey, StateRecord};

use super::hands::Hands;
use super::replica::Replica;

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

impl Replica {
    /// Whether records count before they are flushed, where a kill leaves them. Once so many are
    /// not flushed that a flush is due, the last ones wait for it, as in the reference.
    pub(super) fn counts_cached(&self) -> bool {
        let settings = self.partition.settings();
        let unflushed = self.log.end_offset() - self.log.flushed_offset();
        self.caching == Caching::Recorded
            && settings.write_caching
            && unflushed < settings.flush_messages
            && !self.has_failed
    }

    /// Has the group count what is cached while a kill would leave all of the log.
    pub(super) fn note_cached(&mut self, hands: &Hands) {
        if self.say_what_counts() {
            self.step(hands, Group::count_anew);
        }
    }

    /// Tells the group what counts before it is flushed; returns whether that is news.
    pub(super) fn say_what_counts(&mut self) -> bool {
        let (caching, own) = (self.partition.settings().write_caching, self.counts_all_cached());
        let is_news = self.group.is_caching() != (caching, own);
        self.group.set_caching(caching, own);
        is_news
    }

    /// Whether all of the log counts, flushed or not.
    pub(super) fn counts_all_cached(&self) -> bool {
        self.counts_cached() && self.log.cached_offset() >= self.log.end_offset()
    }

    /// What the state store has to learn now of records that count before they are flushed: a new
    /// value of its flag, if any. The answer is [`Self::on_caching_recorded`].
    pub(super) fn caching_to_record(&mut self) -> Option<bool> {
        let is_wanted = self.partition.settings().write_caching;
        let is_flushed = self.log.flushed_offset() >= self.log.end_offset();
        match self.caching {
            Caching::Off if is_wanted && !self.has_failed => {
                self.caching = Caching::Asked;
                Some(true)
            }
            Caching::Recorded if !is_wanted && is_flushed => {
                self.caching = Caching::Off;
                Some(false)
            }
            _ => None,
        }
    }

    /// The state store knows that records may count before they are flushed.
    pub(super) fn on_caching_recorded(&mut self, hands: &Hands) {
        if self.caching == Caching::Asked {
            self.caching = Caching::Recorded;
            self.note_cached(hands);
        }
    }

    /// Has the state store remember that a flush has failed, where records may have counted that
    /// it was to make durable. Nobody waits for it: a start that finds less than the page cache
    /// had knows as well.
    pub(super) fn note_failed_flush(&mut self, hands: &Hands) {
        if self.member.is_some() && self.caching != Caching::Off {
            let lossy = StateRecord::Flags { caching: true, lossy: true };
            hands.directory.state().submit(&[(self.partition.key, lossy)], Box::new(|_| {}));
        }
        self.note_cached(hands);
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
