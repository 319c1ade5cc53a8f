//! A fetch session with one broker (KIP-227): both remember what is read, and requests say only
//! what has changed.
//!
//! **Invariant:** what stands here is what the broker was asked for last, so that an answer can be
//! told from one to an older question.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use logboom_protocol::messages::fetch::{FetchPartition, FetchTopic, ForgottenTopic};
use logboom_protocol::units::Uuid;

use crate::TopicPartition;

/// From where on a partition is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The slot's stamp at that time; the broker doesn't know it.
    pub(crate) stamp: u64,
    pub(crate) offset: i64,
    /// Of the leader, as we know it; −1 where we don't.
    pub(crate) leader_epoch: i32,
    pub(crate) topic_id: Uuid,
}

impl Asked {
    /// Whether the broker would be told the same.
    fn is_same(&self, other: &Self) -> bool {
        (self.offset, self.leader_epoch, self.topic_id)
            == (other.offset, other.leader_epoch, other.topic_id)
    }
}

/// The session of who has none, and its first and its last request.
const NO_SESSION: i32 = 0;
const FIRST_EPOCH: i32 = 0;

/// What both sides remember.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// 0 while there is none.
    id: i32,
    /// The number of the next request; 0 for one that names everything.
    epoch: i32,
    asked: BTreeMap<TopicPartition, Asked>,
    /// What the last request that named everything named first.
    first: Option<TopicPartition>,
}

/// What a request says of partitions.
#[derive(Debug, Default)]
pub(crate) struct SessionRequest {
    pub(crate) id: i32,
    pub(crate) epoch: i32,
    pub(crate) topics: Vec<FetchTopic>,
    pub(crate) forgotten: Vec<ForgottenTopic>,
    /// Whether every topic has an id to be named by.
    pub(crate) has_ids: bool,
}

impl Session {
    /// What the broker was asked for last.
    pub(crate) fn asked(&self) -> &BTreeMap<TopicPartition, Asked> {
        &self.asked
    }

    /// What to ask for `wanted`, which becomes what was asked.
    ///
    /// - `bytes_max`: of a partition.
    pub(crate) fn request(
        &mut self,
        wanted: BTreeMap<TopicPartition, Asked>,
        bytes_max: i32,
    ) -> SessionRequest {
        let (id, epoch) = (self.id, self.epoch);
        let is_full = epoch == FIRST_EPOCH;
        let has_ids = wanted.values().chain(self.asked.values().filter(|_| !is_full));
        let has_ids = has_ids.into_iter().all(|one| one.topic_id != Uuid::ZERO);
        let mut request = SessionRequest { id, epoch, has_ids, ..SessionRequest::default() };
        let is_known = |place: &TopicPartition, one: &Asked| {
            !is_full && self.asked.get(place).is_some_and(|before| before.is_same(one))
        };
        for (place, one) in wanted.iter().filter(|(place, one)| !is_known(place, one)) {
            add(&mut request.topics, place, one, bytes_max);
        }
        if is_full {
            self.turn(&wanted, &mut request.topics);
        } else {
            let gone = |place: &TopicPartition, one: &Asked| {
                // A topic that was made anew has another id, and its namesake is to be forgotten.
                wanted.get(place).is_none_or(|now| now.topic_id != one.topic_id)
            };
            for (place, one) in self.asked.iter().filter(|(place, one)| gone(place, one)) {
                forget(&mut request.forgotten, place, one);
            }
        }
        self.asked = wanted;
        request
    }

    /// Brokers fill answers in the order of the request, and only those that remember one change
    /// it: so each partition is named first in its turn.
    fn turn(&mut self, wanted: &BTreeMap<TopicPartition, Asked>, topics: &mut [FetchTopic]) {
        let behind = |before: &TopicPartition| {
            wanted.range((Bound::Excluded(before), Bound::Unbounded)).next()
        };
        let next = self.first.as_ref().and_then(behind).or_else(|| wanted.first_key_value());
        let Some((next, _)) = next else { return };
        let of_topic = topics.iter().position(|topic| topic.topic == *next.topic);
        topics.rotate_left(of_topic.unwrap_or_default());
        if let Some(topic) = topics.first_mut() {
            let at = topic.partitions.iter().position(|one| one.partition == next.partition);
            topic.partitions.rotate_left(at.unwrap_or_default());
        }
        self.first = Some(next.clone());
    }

    /// The broker has answered; whether it has a session is its own choice.
    pub(crate) fn answered(&mut self, session_id: i32) {
        if session_id == NO_SESSION {
            (self.id, self.epoch) = (NO_SESSION, FIRST_EPOCH);
        } else {
            self.id = session_id;
            // Behind the last number comes the one behind the first.
            self.epoch = self.epoch.checked_add(1).unwrap_or(FIRST_EPOCH + 1);
        }
    }

    /// Nobody knows what the broker knows: the next request names everything, and ends the session.
    pub(crate) fn failed(&mut self) {
        self.epoch = FIRST_EPOCH;
    }

    /// The broker knows no such session.
    pub(crate) fn lost(&mut self) {
        (self.id, self.epoch) = (NO_SESSION, FIRST_EPOCH);
    }
}

fn add(topics: &mut Vec<FetchTopic>, place: &TopicPartition, one: &Asked, bytes_max: i32) {
    let partition = FetchPartition {
        partition: place.partition,
        current_leader_epoch: one.leader_epoch,
        fetch_offset: one.offset,
        partition_max_bytes: bytes_max,
        ..FetchPartition::default()
    };
    // They come in the order of their topics.
    match topics.last_mut().filter(|topic| topic.topic == *place.topic) {
        Some(topic) => topic.partitions.push(partition),
        None => topics.push(FetchTopic {
            topic: (&*place.topic).into(),
            topic_id: one.topic_id,
            partitions: vec![partition],
        }),
    }
}

fn forget(forgotten: &mut Vec<ForgottenTopic>, place: &TopicPartition, one: &Asked) {
    match forgotten.last_mut().filter(|topic| topic.topic == *place.topic) {
        Some(topic) => topic.partitions.push(place.partition),
        None => forgotten.push(ForgottenTopic {
            topic: (&*place.topic).into(),
            topic_id: one.topic_id,
            partitions: vec![place.partition],
        }),
    }
}

/// Topics by their ids, for answers that name them so.
#[derive(Debug, Default)]
pub(crate) struct TopicIds {
    names: BTreeMap<[u8; 16], Arc<str>>,
}

impl TopicIds {
    pub(crate) fn learn(&mut self, id: Uuid, name: &Arc<str>) {
        if id != Uuid::ZERO {
            self.names.retain(|_, known| known != name);
            self.names.insert(id.0, Arc::clone(name));
        }
    }

    pub(crate) fn forget(&mut self, name: &str) {
        self.names.retain(|_, known| **known != *name);
    }

    pub(crate) fn name(&self, id: Uuid) -> Option<Arc<str>> {
        self.names.get(&id.0).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid([7; 16]);

    fn asked(offset: i64) -> Asked {
        Asked { stamp: 1, offset, leader_epoch: 2, topic_id: ID }
    }

    fn wanted(places: &[(&str, i32, i64)]) -> BTreeMap<TopicPartition, Asked> {
        let one = |&(topic, partition, offset): &(&str, i32, i64)| {
            (TopicPartition::new(topic, partition), asked(offset))
        };
        places.iter().map(one).collect()
    }

    fn named(request: &SessionRequest) -> Vec<String> {
        let of_topic = |topic: &FetchTopic| {
            let one = |one: &FetchPartition| {
                format!("{}-{} from {}", topic.topic, one.partition, one.fetch_offset)
            };
            topic.partitions.iter().map(one).collect::<Vec<_>>()
        };
        let gone = |topic: &ForgottenTopic| {
            let one = |one: &i32| format!("not {}-{one}", topic.topic);
            topic.partitions.iter().map(one).collect::<Vec<_>>()
        };
        let topics = request.topics.iter().flat_map(of_topic);
        topics.chain(request.forgotten.iter().flat_map(gone)).collect()
    }

    #[test]
    fn only_what_has_changed_is_said() {
        let mut session = Session::default();
        let first = session.request(wanted(&[("t", 0, 5), ("t", 1, 6), ("u", 0, 7)]), 10);
        assert_eq!((first.id, first.epoch, first.has_ids), (0, 0, true));
        assert_eq!(named(&first), ["t-0 from 5", "t-1 from 6", "u-0 from 7"]);
        session.answered(99);
        let next = session.request(wanted(&[("t", 0, 5), ("t", 1, 8), ("v", 0, 1)]), 10);
        assert_eq!((next.id, next.epoch), (99, 1));
        assert_eq!(named(&next), ["t-1 from 8", "v-0 from 1", "not u-0"]);
        session.answered(99);
        let same = session.request(wanted(&[("t", 0, 5), ("t", 1, 8), ("v", 0, 1)]), 10);
        assert_eq!((same.epoch, named(&same).len()), (2, 0));
    }

    #[test]
    fn who_has_no_session_is_told_everything() {
        let mut session = Session::default();
        for _ in 0..2 {
            let request = session.request(wanted(&[("t", 0, 5)]), 10);
            assert_eq!((request.id, request.epoch, named(&request).len()), (0, 0, 1));
            session.answered(NO_SESSION);
        }
    }

    #[test]
    fn without_a_session_each_partition_is_named_first_in_its_turn() {
        let mut session = Session::default();
        let mut first = || {
            let all = [("t", 0, 5), ("t", 1, 5), ("u", 0, 5), ("u", 3, 5)];
            let request = session.request(wanted(&all), 10);
            session.answered(NO_SESSION);
            let named = named(&request);
            assert_eq!((named.len(), request.topics.len()), (4, 2), "each topic stands once");
            named[0].clone()
        };
        for _ in 0..2 {
            let order = [first(), first(), first(), first()];
            assert_eq!(order, ["t-0 from 5", "t-1 from 5", "u-0 from 5", "u-3 from 5"]);
        }
    }

    #[test]
    fn a_session_that_failed_is_ended_and_one_that_is_lost_is_not() {
        let mut session = Session::default();
        session.request(wanted(&[("t", 0, 5)]), 10);
        session.answered(99);
        session.failed();
        let request = session.request(wanted(&[("t", 0, 5)]), 10);
        assert_eq!((request.id, request.epoch, named(&request).len()), (99, 0, 1));
        session.lost();
        let request = session.request(wanted(&[("t", 0, 5)]), 10);
        assert_eq!((request.id, request.epoch, named(&request).len()), (0, 0, 1));
    }

    #[test]
    fn a_topic_that_was_made_anew_is_named_by_both_ids() {
        let mut session = Session::default();
        session.request(wanted(&[("t", 0, 5)]), 10);
        session.answered(99);
        let mut anew = wanted(&[("t", 0, 0)]);
        anew.values_mut().for_each(|one| one.topic_id = Uuid([8; 16]));
        let request = session.request(anew, 10);
        assert_eq!(named(&request), ["t-0 from 0", "not t-0"]);
        assert_eq!(request.forgotten[0].topic_id, ID);
    }

    #[test]
    fn numbers_begin_anew_behind_the_last_one() {
        let mut session = Session { id: 9, epoch: i32::MAX, ..Session::default() };
        session.answered(9);
        assert_eq!(session.epoch, 1);
    }

    #[test]
    fn a_name_has_one_id() {
        let mut ids = TopicIds::default();
        ids.learn(ID, &"t".into());
        ids.learn(Uuid([8; 16]), &"t".into());
        assert_eq!((ids.name(ID), ids.name(Uuid([8; 16])).as_deref()), (None, Some("t")));
        ids.forget("t");
        assert_eq!(ids.name(Uuid([8; 16])), None);
    }
}
