//! Topics that were asked for lately.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use logboom_protocol::units::Uuid;

use super::{LeaderHint, Partition, Topic};

/// How many topics are remembered. Beyond that the oldest is forgotten for the newest.
const TOPICS_MAX: usize = 1_000;

/// After so many answers that know the same older epochs those are believed: a cluster may have
/// been restored to what it was.
const OLDER_MAX: u32 = 5;

/// Topics and when they were told of.
#[derive(Debug, Default)]
pub(super) struct Topics {
    /// Invariant: at most `TOPICS_MAX`.
    told: BTreeMap<String, Told>,
}

/// What was told of a topic.
#[derive(Debug)]
struct Told {
    at: Instant,
    topic: Arc<Topic>,
    /// Whether it is out of date: then nobody goes by it, but what is told next isn't to be older.
    is_doubted: bool,
    /// The last answer's epochs that are older than what is known, by partition.
    older: Vec<(i32, i32)>,
    /// How many answers in a row had them while the topic was doubted.
    older_told: u32,
}

impl Told {
    fn new(topic: Arc<Topic>) -> Self {
        let (older, older_told) = (Vec::new(), 0);
        Self { at: Instant::now(), topic, is_doubted: false, older, older_told }
    }

    /// What is known once it is told of as it is now.
    fn renewed(&self, now: Topic) -> Self {
        let merged = self.merge(now.clone());
        let pairs = now.partitions.iter().zip(&merged.partitions);
        let older = pairs.filter(|(one, known)| one.leader_epoch < known.leader_epoch);
        let older: Vec<_> = older.map(|(one, _)| (one.index, one.leader_epoch)).collect();
        let before = if older == self.older { self.older_told } else { 0 };
        let older_told = before + u32::from(self.is_doubted);
        if older_told >= OLDER_MAX {
            return Self::new(Arc::new(now));
        }
        Self { older, older_told, ..Self::new(Arc::new(merged)) }
    }

    /// The topic as it is told of now, but for leaderships that were newer before: brokers hear of
    /// them one after the other. A topic that was made anew begins with new epochs.
    fn merge(&self, mut now: Topic) -> Topic {
        if now.id == self.topic.id && now.id != Uuid::ZERO {
            for one in &mut now.partitions {
                let before = self.topic.partition(one.index);
                let is_older = |before: &&Partition| one.leader_epoch < before.leader_epoch;
                // Some brokers don't tell the epoch.
                let before = before.ok().filter(|_| one.leader_epoch >= 0).filter(is_older);
                if let Some(before) = before {
                    one.clone_from(before);
                }
            }
        }
        now
    }
}

impl Topics {
    /// The topic, if it was told of within `age_max`.
    pub(super) fn get(&self, name: &str, age_max: Duration) -> Option<Arc<Topic>> {
        let told = self.told.get(name).filter(|told| !told.is_doubted)?;
        (told.at.elapsed() < age_max).then(|| Arc::clone(&told.topic))
    }

    /// The topic, if it was told of then or later.
    pub(super) fn told_since(&self, name: &str, since: Instant) -> Option<Arc<Topic>> {
        let told = self.told.get(name).filter(|told| !told.is_doubted)?;
        (told.at >= since).then(|| Arc::clone(&told.topic))
    }

    /// Remembers a topic that was told of now, and forgets those that were not within `age_max`.
    /// Returns it as it is known now: leaderships that were newer before stay.
    pub(super) fn keep(&mut self, topic: Topic, age_max: Duration) -> Arc<Topic> {
        let name = topic.name.clone();
        let told = match self.told.get(&name) {
            Some(known) => known.renewed(topic),
            None => Told::new(Arc::new(topic)),
        };
        let topic = Arc::clone(&told.topic);
        self.told.retain(|_, told| told.at.elapsed() < age_max);
        if self.told.len() >= TOPICS_MAX && !self.told.contains_key(&name) {
            let oldest = self.told.iter().min_by_key(|(_, told)| told.at);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.told.remove(&oldest);
            }
        }
        self.told.insert(name, told);
        topic
    }

    /// What is told of a topic that is remembered replaces what was, as with [`Self::keep`].
    pub(super) fn renew(&mut self, topic: &Topic) {
        let known = self.told.get_mut(&topic.name).filter(|known| !known.is_doubted);
        if let Some(known) = known {
            *known = known.renewed(topic.clone());
        }
    }

    /// Whether the topic is doubted, and nothing new is told of who leads it.
    pub(super) fn is_repeated(&self, topic: &Topic) -> bool {
        let leaders = |topic: &Topic| -> Vec<_> {
            topic.partitions.iter().map(|one| (one.index, one.leader, one.leader_epoch)).collect()
        };
        let known = self.told.get(&topic.name).filter(|known| known.is_doubted);
        known.is_some_and(|known| {
            known.topic.id == topic.id
                && leaders(&known.topic) == leaders(&known.merge(topic.clone()))
        })
    }

    /// Another broker leads a partition than was known; whether that is news. Of a topic that was
    /// made anew the former one's leaders are none.
    ///
    /// - `id`: of the topic that it was said of.
    pub(super) fn lead(
        &mut self,
        (name, id): (&str, Uuid),
        partition: i32,
        leader: LeaderHint,
    ) -> bool {
        let told = self.told.get_mut(name).filter(|told| told.topic.id == id);
        let Some(told) = told else { return false };
        let known = |one: &&mut Partition| one.index == partition;
        // Cheap: who holds the former image is about to see that it is old.
        let topic = Arc::make_mut(&mut told.topic);
        let Some(known) = topic.partitions.iter_mut().find(known) else { return false };
        if known.leader_epoch >= leader.epoch {
            return false;
        }
        (known.leader, known.leader_epoch) = (Some(leader.broker_id), leader.epoch);
        told.older_told = 0;
        true
    }

    /// What is known of a topic is out of date.
    pub(super) fn doubt(&mut self, name: &str) {
        if let Some(told) = self.told.get_mut(name) {
            told.is_doubted = true;
        }
    }

    /// There is no such topic.
    pub(super) fn remove(&mut self, name: &str) {
        self.told.remove(name);
    }

    /// Doubts a topic that lacks something, unless it was told of anew since.
    pub(super) fn outgrow(&mut self, lacking: &Arc<Topic>) {
        if self.told.get(&lacking.name).is_some_and(|known| Arc::ptr_eq(&known.topic, lacking)) {
            self.doubt(&lacking.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> Topic {
        let (name, partitions) = (name.to_owned(), Vec::new());
        Topic { name, id: Uuid::ZERO, is_internal: false, partitions }
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
        topics.doubt("b");
        assert!(topics.get("b", age_max).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_is_told_of_replaces_an_older_one() {
        let (mut topics, age_max) = (Topics::default(), Duration::from_secs(10));
        let mut told = topic("a");
        told.partitions =
            vec![Partition { leader: Some(1), leader_epoch: 5, ..Partition::default() }];
        topics.keep(told, age_max);
        let hint = |broker_id, epoch| LeaderHint { broker_id, epoch };
        let leader = |topics: &Topics| topics.get("a", age_max).unwrap().leader(0).unwrap();
        let id = Uuid::ZERO;
        assert!(!topics.lead(("a", id), 0, hint(2, 5)), "of the same epoch");
        assert!(!topics.lead(("a", id), 1, hint(2, 6)), "another partition");
        assert!(!topics.lead(("b", id), 0, hint(2, 6)), "another topic");
        assert!(!topics.lead(("a", Uuid([2; 16])), 0, hint(2, 6)), "the former one of that name");
        assert_eq!(leader(&topics), 1);
        assert!(topics.lead(("a", id), 0, hint(2, 6)));
        assert_eq!(leader(&topics), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_older_epoch_is_believed_when_it_is_told_again_and_again() {
        let (mut topics, age_max) = (Topics::default(), Duration::from_secs(10));
        let told = |leader_epoch: i32| {
            let leader = Some(leader_epoch);
            let partitions = vec![Partition { leader, leader_epoch, ..Partition::default() }];
            Topic { id: Uuid([1; 16]), partitions, ..topic("a") }
        };
        let epoch = |topics: &mut Topics, leader_epoch, is_doubted| {
            if is_doubted {
                topics.doubt("a");
            }
            topics.keep(told(leader_epoch), age_max).partitions[0].leader_epoch
        };
        assert_eq!(epoch(&mut topics, 9, false), 9);
        for _ in 0..2 * OLDER_MAX {
            assert_eq!(epoch(&mut topics, 4, false), 9, "nobody doubts what is known");
        }
        let before = OLDER_MAX - 1;
        for other in [3, 9] {
            for _ in 0..before {
                assert_eq!(epoch(&mut topics, 4, true), 9);
                topics.renew(&told(4));
            }
            assert_eq!(epoch(&mut topics, other, true), 9, "not the same again");
        }
        for _ in 0..before {
            assert_eq!(epoch(&mut topics, 4, true), 9);
        }
        let hint = LeaderHint { broker_id: 10, epoch: 10 };
        assert!(topics.lead(("a", Uuid([1; 16])), 0, hint));
        for _ in 0..before {
            assert_eq!(epoch(&mut topics, 4, true), 10, "somebody knows it");
        }
        assert_eq!(epoch(&mut topics, 4, true), 4);
        assert_eq!(topics.get("a", age_max).unwrap().leader(0).unwrap(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_told_anew_is_remembered_but_for_leaderships_that_are_older() {
        let (mut topics, age_max) = (Topics::default(), Duration::from_secs(10));
        let told = |id: u8, epochs: &[i32]| {
            let partition = |(index, &leader_epoch): (usize, &i32)| {
                let index = i32::try_from(index).unwrap();
                Partition { index, leader_epoch, ..Partition::default() }
            };
            let partitions = epochs.iter().enumerate().map(partition).collect();
            Topic { id: Uuid([id; 16]), partitions, ..topic("a") }
        };
        let epochs = |topics: &Topics| -> Vec<i32> {
            let topic = topics.get("a", age_max).unwrap();
            topic.partitions.iter().map(|one| one.leader_epoch).collect()
        };
        topics.renew(&told(1, &[5]));
        assert!(topics.get("a", age_max).is_none(), "it wasn't remembered");
        for is_doubted in [false, true] {
            topics.remove("a");
            topics.keep(told(1, &[5]), age_max);
            for (id, new, known, is_repeated) in [
                (1, &[5, 5][..], &[5, 5][..], false),
                (1, &[4, 6], &[5, 6], false),
                (1, &[5, 5], &[5, 6], true),
                (1, &[7, 6], &[7, 6], false),
                (1, &[-1, 6], &[-1, 6], false),
                (2, &[0], &[0], false),
            ] {
                tokio::time::advance(Duration::from_secs(6)).await;
                let run = format!("{id} {new:?} {is_doubted}");
                if is_doubted {
                    topics.doubt("a");
                    assert_eq!(topics.is_repeated(&told(id, new)), is_repeated, "{run}");
                    topics.renew(&told(id, new));
                    assert!(topics.get("a", age_max).is_none(), "{run}");
                    topics.keep(told(id, new), age_max);
                } else {
                    topics.renew(&told(id, new));
                }
                assert_eq!(epochs(&topics), known, "{run}");
                assert!(!topics.is_repeated(&told(id, new)), "{run}: nobody doubts it");
            }
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
