//! Commits: what is to be committed is gathered while one is under way.
//!
//! **Invariant:** one commit is under way at a time, so an older one can't overtake a newer one.
//!
//! **Invariant:** what is gathered has an offset a partition at most; who waits for it holds a
//! receiver, and nothing here.

use std::collections::BTreeMap;

use tokio::sync::watch;

use logboom_client::Committer;

use super::slot::Slot;
use super::{State, Subscription};
use crate::{ConsumerError, OffsetAndMetadata, TopicPartition};

/// What has become of a commit; `None` while it is under way.
pub(crate) type CommitResult = Option<Result<(), ConsumerError>>;

/// What is committed together, and who waits for it.
#[derive(Debug)]
pub(crate) struct CommitRound {
    pub(crate) offsets: BTreeMap<TopicPartition, OffsetAndMetadata>,
    pub(crate) result: watch::Sender<CommitResult>,
}

/// What is to be committed.
#[derive(Debug, Default)]
pub(super) struct Commits {
    next: Option<CommitRound>,
}

impl Commits {
    /// Partitions of the group are somebody else's: what was gathered of them isn't ours to say.
    pub(super) fn forget(&mut self, places: &[TopicPartition]) {
        if let Some(round) = &mut self.next {
            round.offsets.retain(|place, _| !places.contains(place));
        }
    }

    /// Nobody commits what was gathered: who waits for it hears that the consumer is closed.
    pub(super) fn close(&mut self) {
        *self = Self::default();
    }
}

impl State {
    /// Commits offsets with the next round.
    pub(crate) fn queue_commit(
        &mut self,
        offsets: impl IntoIterator<Item = (TopicPartition, OffsetAndMetadata)>,
    ) -> watch::Receiver<CommitResult> {
        let round = self.commits.next.get_or_insert_with(|| CommitRound {
            offsets: BTreeMap::new(),
            result: watch::Sender::new(None),
        });
        round.offsets.extend(offsets);
        self.signals.commits = true;
        round.result.subscribe()
    }

    /// What is done with, committed or not: to commit it again has the group remember it longer.
    pub(crate) fn all_processed(&mut self) -> BTreeMap<TopicPartition, OffsetAndMetadata> {
        self.catch_up();
        let known =
            |(place, slot): (&TopicPartition, &Slot)| Some((place.clone(), slot.done?.to_commit()));
        self.slots.iter().filter_map(known).collect()
    }

    /// What is done with and not committed.
    pub(crate) fn uncommitted(&mut self) -> BTreeMap<TopicPartition, OffsetAndMetadata> {
        self.catch_up();
        let open = self.slots.iter().filter_map(|(place, slot)| {
            let done = slot.done.filter(|done| slot.committed != Some(done.offset))?;
            Some((place.clone(), done.to_commit()))
        });
        open.collect()
    }

    /// Who commits what is read: a member, or, of partitions that are assigned or were so last,
    /// anybody. Who was a member is not anybody: a group that is empty would take that, too, and
    /// may be further than this one knows.
    pub(crate) fn committer(&self) -> Option<Committer> {
        match self.is_assigned {
            true => self.standalone.clone(),
            false => self.member.clone(),
        }
    }

    /// The next round, if anything is to be committed.
    pub(crate) fn take_commit(&mut self) -> Option<CommitRound> {
        self.commits.next.take()
    }

    /// What the coordinator has taken. Who has sought meanwhile commits again.
    pub(crate) fn committed<'a>(
        &mut self,
        offsets: impl Iterator<Item = (&'a TopicPartition, &'a OffsetAndMetadata)>,
    ) {
        for (place, committed) in offsets {
            if let Some(slot) = self.slots.get_mut(place) {
                slot.committed = Some(committed.offset);
            }
        }
    }

    /// It is time for an automatic commit. Where there are no members the group forgets what isn't
    /// committed for long (`offsets.retention.minutes`), so all of it is committed each time.
    pub(crate) fn auto_commit(&mut self) {
        let offsets = match self.subscription {
            Subscription::Manual => self.all_processed(),
            Subscription::Topics(_) | Subscription::None => self.uncommitted(),
        };
        if !offsets.is_empty() && self.committer().is_some() {
            let _receiver = self.queue_commit(offsets);
        }
    }
}
