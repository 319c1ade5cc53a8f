//! Topics that were asked for lately.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{LeaderHint, Partition, Topic};

/// How many topics are remembered. Beyond that the oldest is forgotten for the newest.
const TOPICS_MAX: usize = 1_000;

/// Topics and when they were told of.
#[derive(Debug, Default)]
pub(super) struct Topics {
    /// Invariant: at most `TOPICS_MAX`.
    told: BTreeMap<String, (Instant, Arc<Topic>)>,
}

impl Topics {
    /// The topic, if it was told of within `age_max`.
    pub(super) fn get(&self, name: &str, age_max: Duration) -> Option<Arc<Topic>> {
        let (told, topic) = self.told.get(name)?;
        (told.elapsed() < age_max).then(|| Arc::clone(topic))
    }

    /// The topic, if it was told of then or later.
    pub(super) fn told_since(&self, name: &str, since: Instant) -> Option<Arc<Topic>> {
        let (told, topic) = self.told.get(name)?;
        (*told >= since).then(|| Arc::clone(topic))
    }

    /// Remembers a topic that was told of now, and forgets those that were not within `age_max`.
    pub(super) fn keep(&mut self, topic: Arc<Topic>, age_max: Duration) {
        self.told.retain(|_, (told, _)| told.elapsed() < age_max);
        if self.told.len() >= TOPICS_MAX && !self.told.contains_key(&topic.name) {
            let oldest = self.told.iter().min_by_key(|(_, (told, _))| *told);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.told.remove(&oldest);
            }
        }
        self.told.insert(topic.name.clone(), (Instant::now(), topic));
    }

    /// What is told of a topic that is remembered replaces what was, unless it is older.
    pub(super) fn renew(&mut self, topic: &Topic) {
        let Some((told, known)) = self.told.get_mut(&topic.name) else { return };
        let is_older = |before: &Partition| {
            let now = topic.partition(before.index);
            now.is_ok_and(|now| now.leader_epoch < before.leader_epoch)
        };
        // A topic that was made anew begins with new epochs.
        if topic.id != known.id || !known.partitions.iter().any(is_older) {
            (*told, *known) = (Instant::now(), Arc::new(topic.clone()));
        }
    }

    /// Another broker leads a partition than was known; whether that is news.
    pub(super) fn lead(&mut self, name: &str, partition: i32, leader: LeaderHint) -> bool {
        let Some((_, topic)) = self.told.get_mut(name) else { return false };
        let known = |one: &&mut Partition| one.index == partition;
        // Cheap: who holds the former image is about to see that it is old.
        let topic = Arc::make_mut(topic);
        let Some(known) = topic.partitions.iter_mut().find(known) else { return false };
        if known.leader_epoch >= leader.epoch {
            return false;
        }
        (known.leader, known.leader_epoch) = (Some(leader.broker_id), leader.epoch);
        true
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.told.remove(name);
    }

    /// Forgets a topic that lacks something, unless it was told of anew since.
    pub(super) fn outgrow(&mut self, lacking: &Arc<Topic>) {
        if self.told.get(&lacking.name).is_some_and(|(_, known)| Arc::ptr_eq(known, lacking)) {
            self.told.remove(&lacking.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use logboom_protocol::units::Uuid;

    use super::*;

    fn topic(name: &str) -> Arc<Topic> {
        let (name, partitions) = (name.to_owned(), Vec::new());
        Arc::new(Topic { name, id: Uuid::ZERO, is_internal: false, partitions })
    }

    #[tokio::test(start_paused = true)]
    async fn a_topic_is_remembered_until_it_is_old_or_forgotten() {
        let (mut topics, age_max) = (Topics::default(), Duration::from_secs(10));
        topics.keep(topic("a"), age_max);
        tokio::time::advance(Duration::from_secs(9)).await;
        topics.keep(topic("b"), age_max);
        assert!(topics.get("a", age_max).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(topics.get("a", age_max).is_none());
        assert!(topics.get("b", age_max).is_some());
        topics.keep(topic("c"), age_max);
        assert_eq!(topics.told.len(), 2, "the old one is gone");
        topics.forget("b");
        assert!(topics.get("b", age_max).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_is_told_of_replaces_an_older_one() {
        let (mut topics, age_max) = (Topics::default(), Duration::from_secs(10));
        let mut told = Topic::clone(&topic("a"));
        told.partitions =
            vec![Partition { leader: Some(1), leader_epoch: 5, ..Partition::default() }];
        topics.keep(Arc::new(told), age_max);
        let hint = |broker_id, epoch| LeaderHint { broker_id, epoch };
        let leader = |topics: &Topics| topics.get("a", age_max).unwrap().leader(0).unwrap();
        assert!(!topics.lead("a", 0, hint(2, 5)), "of the same epoch");
        assert!(!topics.lead("a", 1, hint(2, 6)), "another partition");
        assert!(!topics.lead("b", 0, hint(2, 6)), "another topic");
        assert_eq!(leader(&topics), 1);
        assert!(topics.lead("a", 0, hint(2, 6)));
        assert_eq!(leader(&topics), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_told_anew_is_remembered_unless_it_is_older() {
        let (mut topics, age_max) = (Topics::default(), Duration::from_secs(10));
        let told = |id: u8, epochs: &[i32]| {
            let partition = |(index, &leader_epoch): (usize, &i32)| {
                let index = i32::try_from(index).unwrap();
                Partition { index, leader_epoch, ..Partition::default() }
            };
            let partitions = epochs.iter().enumerate().map(partition).collect();
            Topic { id: Uuid([id; 16]), partitions, ..(*topic("a")).clone() }
        };
        let epochs = |topics: &Topics| -> Vec<i32> {
            let topic = topics.get("a", age_max).unwrap();
            topic.partitions.iter().map(|one| one.leader_epoch).collect()
        };
        topics.renew(&told(1, &[5]));
        assert!(topics.get("a", age_max).is_none(), "it wasn't remembered");
        topics.keep(Arc::new(told(1, &[5])), age_max);
        for (id, new, known) in [
            (1, &[5, 5][..], &[5, 5][..]),
            (1, &[4, 6], &[5, 5]),
            (1, &[6, 5], &[6, 5]),
            (2, &[0], &[0]),
        ] {
            tokio::time::advance(Duration::from_secs(6)).await;
            topics.keep(topics.get("a", age_max).unwrap(), age_max);
            topics.renew(&told(id, new));
            assert_eq!(epochs(&topics), known, "{id} {new:?}");
        }
        tokio::time::advance(Duration::from_secs(9)).await;
        topics.renew(&told(2, &[0]));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(epochs(&topics), [0], "its age is that of the last answer");
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_a_limit_to_memory() {
        let (mut topics, age_max) = (Topics::default(), Duration::from_secs(10));
        for i in 0..=TOPICS_MAX {
            topics.keep(topic(&i.to_string()), age_max);
            assert!(topics.told.len() <= TOPICS_MAX);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        topics.keep(topic("1"), age_max);
        assert!(topics.get("0", age_max).is_none(), "the oldest");
        assert_eq!(topics.told.len(), TOPICS_MAX, "and no other one");
    }
}
