//! What was written of each partition, and what of it the group knows: the member writes it up, and
//! its listener settles it when partitions go.
//!
//! **Invariant:** what stands as written lies behind an offset for which the leader has answered,
//! and was flushed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logboom_consumer::{
    BoxFuture, ConsumerControl, OffsetAndMetadata, RebalanceListener, TopicPartition,
};

/// What is to be committed.
pub(super) type Offsets = BTreeMap<TopicPartition, OffsetAndMetadata>;

/// What is known of the partitions that the member has, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What comes behind the records that the output has taken.
    written: BTreeMap<i32, i64>,
    /// What the group has committed, as far as we know.
    committed: BTreeMap<i32, i64>,
    /// Those that --from has given a start, and of which nothing was written yet.
    chosen: BTreeSet<i32>,
    /// Those that the group gave, until the listener has heard that they are gone.
    given: BTreeSet<i32>,
    /// Those whose last record was written.
    pub(super) ended: BTreeSet<i32>,
    /// Whether the group has shared, and what it gave is still ours.
    is_joined: bool,
    /// Whether the command commits and leaves by itself.
    pub(super) is_ending: bool,
}

impl Ledger {
    /// --from says where a partition begins.
    pub(super) fn choose(&mut self, partition: i32) {
        self.written.remove(&partition);
        self.committed.remove(&partition);
        self.chosen.insert(partition);
    }

    /// Whether the last record of each partition was written, of those that the group gave. What
    /// was lost is ours here until the listener has heard of it.
    pub(super) fn is_complete(&self) -> bool {
        self.is_joined && self.given.is_subset(&self.ended)
    }

    /// Whether the group has shared, and given nothing.
    pub(super) fn has_nothing(&self) -> bool {
        self.is_joined && self.given.is_empty()
    }

    /// Whether a partition is where --from says, and nothing was written of it.
    pub(super) fn is_chosen(&self, partition: i32) -> bool {
        self.chosen.contains(&partition)
    }

    /// A leader has answered for a partition from here on, or from further on: within what was
    /// fetched at once it isn't told anew. What isn't chosen is there because the group has said
    /// so.
    pub(super) fn note(&mut self, partition: i32, offset: i64) {
        if !self.written.contains_key(&partition) && !self.is_chosen(partition) {
            self.committed.insert(partition, offset);
        }
        let written = self.written.entry(partition).or_insert(offset);
        *written = offset.max(*written);
    }

    /// The output has taken what comes before this offset.
    pub(super) fn write(&mut self, partition: i32, offset: i64) {
        self.written.insert(partition, offset);
        self.chosen.remove(&partition);
    }

    /// What was written and isn't committed.
    pub(super) fn uncommitted(&self, topic: &str) -> Offsets {
        let differs =
            |(partition, offset): &(&i32, &i64)| self.committed.get(partition) != Some(*offset);
        let open = self.written.iter().filter(differs);
        open.map(|(&one, &offset)| (TopicPartition::new(topic, one), offset.into())).collect()
    }

    /// The group has taken these.
    pub(super) fn commit(&mut self, offsets: &Offsets) {
        self.committed.extend(offsets.iter().map(|(place, one)| (place.partition, one.offset)));
    }

    /// The group has given these as well.
    fn give(&mut self, partitions: &[TopicPartition]) {
        self.given.extend(partitions.iter().map(|place| place.partition));
        self.is_joined = true;
    }

    /// These aren't ours any more, and whoever has them says how far they were read.
    fn forget(&mut self, partitions: &[TopicPartition]) {
        for TopicPartition { partition, .. } in partitions {
            self.written.remove(partition);
            self.committed.remove(partition);
            self.chosen.remove(partition);
            self.ended.remove(partition);
            self.given.remove(partition);
        }
        self.is_joined = false;
    }
}

/// A ledger, and whose it is.
#[derive(Debug, Clone)]
pub(super) struct Account {
    ledger: Arc<Mutex<Ledger>>,
    group: Arc<str>,
    topic: Arc<str>,
}

impl Account {
    pub(super) fn new(group: &str, topic: &str) -> Self {
        Self { ledger: Arc::default(), group: group.into(), topic: topic.into() }
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Every change of it is whole, so a panic elsewhere leaves it sound.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn uncommitted(&self) -> Offsets {
        self.ledger().uncommitted(&self.topic)
    }

    pub(super) fn warn(&self, reason: &dyn fmt::Display) {
        let group = &self.group;
        crate::complain(&format!(
            "logboom consume: group {group}: {reason}; records that were written since the last \
             commit may come again"
        ));
    }
}

impl RebalanceListener for Account {
    fn on_assigned<'a>(
        &'a mut self,
        _: &'a ConsumerControl,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        self.ledger().give(partitions);
        Box::pin(std::future::ready(()))
    }

    /// Commits, so that who gets them goes on behind what was written.
    fn on_revoked<'a>(
        &'a mut self,
        consumer: &'a ConsumerControl,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if self.ledger().is_ending {
                return;
            }
            let offsets = self.uncommitted();
            if !offsets.is_empty()
                && let Err(error) = consumer.commit_offsets(offsets).await
            {
                self.warn(&error);
            }
            self.ledger().forget(partitions);
        })
    }

    fn on_lost<'a>(
        &'a mut self,
        _: &'a ConsumerControl,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        if !self.uncommitted().is_empty() {
            self.warn(&"the session is over");
        }
        self.ledger().forget(partitions);
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(ledger: &Ledger) -> Vec<(i32, i64)> {
        let open = ledger.uncommitted("t").into_iter();
        open.map(|(place, one)| (place.partition, one.offset)).collect()
    }

    #[test]
    fn what_the_group_has_said_itself_is_not_committed_again() {
        let mut ledger = Ledger::default();
        ledger.choose(1);
        ledger.note(0, 5);
        ledger.note(1, 7);
        assert_eq!(open(&ledger), [(1, 7)], "the group knows nothing of where --from begins");
        assert!(ledger.is_chosen(1));
        ledger.write(0, 6);
        ledger.write(1, 9);
        assert!(!ledger.is_chosen(1));
        let taken = ledger.uncommitted("t");
        assert_eq!(open(&ledger), [(0, 6), (1, 9)]);
        ledger.commit(&taken);
        ledger.note(0, 8);
        assert_eq!(open(&ledger), [(0, 8)], "records that nobody sees lie before it");
        ledger.note(0, 6);
        assert_eq!(open(&ledger), [(0, 8)], "where the batches of one fetch began");
        ledger.choose(0);
        ledger.note(0, 3);
        assert_eq!(open(&ledger), [(0, 3)], "what it was committed for isn't there any more");
    }

    #[test]
    fn what_was_lost_was_not_read_to_its_end() {
        let mut ledger = Ledger::default();
        assert!(!ledger.is_complete(), "nothing was given yet");
        let places = [0, 1].map(|partition| TopicPartition::new("t", partition));
        ledger.give(&places);
        ledger.ended.insert(0);
        assert!(!ledger.is_complete());
        ledger.forget(&places);
        assert!(!ledger.is_complete(), "it is given others, or none");
        ledger.give(&places[..1]);
        assert!(!ledger.is_complete(), "it is read again from what was committed");
        ledger.ended.insert(0);
        assert!(ledger.is_complete());
        ledger.give(&[]);
        assert!(ledger.is_complete());
    }

    #[test]
    fn what_is_somebody_else_s_is_not_committed() {
        let mut ledger = Ledger::default();
        ledger.note(0, 5);
        ledger.write(0, 6);
        ledger.note(1, 5);
        ledger.write(1, 7);
        ledger.forget(&[TopicPartition::new("t", 0)]);
        assert_eq!(open(&ledger), [(1, 7)]);
    }
}
