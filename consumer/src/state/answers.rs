//! What answers change, of metadata and of fetches; `positions` has those about where partitions
//! go on. One to a question of another stamp than the slot has by now is thrown away.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use logboom_client::{ClientError, IsolationLevel, Topic};
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use logboom_protocol::records::BatchError;
use logboom_protocol::units::Uuid;

use super::plan::{Question, Subject};
use super::session::Asked;
use super::slot::{Leader, Place, Position, Slot};
use super::{Life, State, later};
use crate::config::ConsumerConfig;
use crate::haul::{self, Aborted, Haul};
use crate::memory::Answer;
use crate::{ConsumerError, TopicPartition};

/// What the answer of a partition means for it.
enum Verdict {
    /// All is well; so many bytes more wait.
    Fine(usize),
    /// The offset isn't there.
    OutOfRange,
    /// Who leads is to be looked up.
    Stale(ClientError),
    /// Another attempt may help.
    Wait(ClientError),
    /// The application is to hear of it; another attempt may help all the same.
    Tell(ConsumerError),
}

impl State {
    /// Who leads the partitions of a topic.
    pub(crate) fn take_topic(
        &mut self,
        name: &Arc<str>,
        result: Result<Arc<Topic>, ClientError>,
        now: Instant,
    ) {
        let (initial, max) = self.pauses();
        let Some(state) = self.topics.get_mut(name) else { return };
        state.is_asking = false;
        let topic = match result {
            Ok(topic) => topic,
            Err(error) => {
                state.put_off(now, initial, max);
                return self.refuse_topic(name, &error, now);
            }
        };
        state.told = Some(now);
        let is_fresh = state.is_fresh;
        self.ids.learn(topic.id, name);
        self.begin_if_anew(name, &topic, now);
        let mut is_incomplete = false;
        let mut unknown = Vec::new();
        let slots = self.slots.iter_mut().filter(|(place, _)| place.topic == *name);
        for (place, slot) in slots {
            match topic.partition(place.partition) {
                Ok(partition) => {
                    let epoch = partition.leader_epoch;
                    if topic.id != Uuid::ZERO {
                        slot.topic_id = topic.id;
                    }
                    let leader = partition.leader.map(|broker| Leader { broker, epoch });
                    if is_fresh {
                        slot.learn_anew(leader);
                    } else {
                        slot.learn(leader);
                    }
                    if slot.leader.is_none() {
                        is_incomplete = true;
                        let (topic, partition) = (name.to_string(), place.partition);
                        slot.hinder(place, now, ClientError::NoLeader { topic, partition });
                    }
                }
                Err(error) => {
                    is_incomplete = true;
                    slot.hinder(place, now, error.clone());
                    // What the group gives is there, and brokers hear of it one after the other.
                    if is_fresh && !slot.is_shared {
                        unknown.push((place.clone(), error));
                    }
                }
            }
        }
        for (place, error) in unknown {
            self.tell(Some(&place), error.into());
        }
        let Some(state) = self.topics.get_mut(name) else { return };
        if is_incomplete {
            state.put_off(now, initial, max);
        } else {
            state.failures = 0;
        }
    }

    /// A topic that was deleted and made anew has other records at the same offsets.
    fn begin_if_anew(&mut self, name: &Arc<str>, topic: &Topic, now: Instant) {
        // A broker that tells no id, as one that is older than ids, says nothing about that.
        let is_other = |slot: &Slot| {
            ![Uuid::ZERO, topic.id].contains(&slot.topic_id) && topic.id != Uuid::ZERO
        };
        let slots =
            self.slots.iter().filter(|(place, slot)| place.topic == *name && is_other(slot));
        let places: Vec<TopicPartition> = slots.map(|(place, _)| place.clone()).collect();
        for place in places {
            let offset = self.position(&place).ok().flatten().map_or(0, |done| done.offset);
            self.reset(&place, now, |partition| ConsumerError::OutOfRange { partition, offset });
            let resets = self.config.reset.spec().is_some();
            let Some(slot) = self.leave(&place) else { continue };
            if !resets {
                slot.place = Place::Replaced(offset);
            }
            // Once: whether or not the new one has this partition already.
            slot.topic_id = topic.id;
            // What is known is known of the former one.
            (slot.epoch_seen, slot.is_doubted, slot.is_blocked) = (-1, false, false);
            (slot.done, slot.committed, slot.nearest) = (None, None, None);
        }
    }

    /// Nobody tells of a topic. Who has subscribed waits until it is there; who has assigned its
    /// partitions hears of it.
    fn refuse_topic(&mut self, name: &Arc<str>, error: &ClientError, now: Instant) {
        for (place, slot) in self.slots.iter_mut().filter(|(place, _)| place.topic == *name) {
            slot.hinder(place, now, error.clone());
        }
        let place = self.slots.iter().find(|(place, slot)| place.topic == *name && !slot.is_shared);
        if let Some((place, _)) = place.filter(|_| !error.is_retriable()) {
            let place = place.clone();
            self.tell(Some(&place), error.clone().into());
        }
    }

    /// What a broker has sent.
    pub(crate) fn take_fetched(
        &mut self,
        broker: i32,
        result: Result<FetchResponse, ClientError>,
        now: Instant,
    ) {
        if self.life == Life::Closing {
            return;
        }
        let (initial, max) = self.pauses();
        let Some(state) = self.brokers.get_mut(&broker) else { return };
        (state.is_asking, state.reserved) = (false, 0);
        let response = match result.and_then(|response| checked(broker, response)) {
            Ok(response) => response,
            Err(error) if is_session(&error) && state.failures == 0 => {
                // The next request names everything.
                state.session.lost();
                state.failures = 1;
                return;
            }
            Err(error) => {
                state.put_off(now, initial, max);
                return self.lose_broker(broker, error, now);
            }
        };
        state.session.answered(response.session_id);
        (state.failures, state.retry_at) = (0, None);
        let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
        let bytes = partitions.filter_map(|one| one.records.as_ref()).map(Bytes::len).sum();
        let answer = Answer::new(&self.memory, bytes);
        let mut mentioned = Vec::new();
        for topic in response.responses {
            self.take_fetched_topic(broker, topic, &answer, now, &mut mentioned);
        }
        self.free_unmentioned(broker, &mentioned, now);
    }

    fn take_fetched_topic(
        &mut self,
        broker: i32,
        topic: FetchableTopicResponse,
        answer: &Answer,
        now: Instant,
        mentioned: &mut Vec<TopicPartition>,
    ) {
        let name = match topic.topic.as_str() {
            "" => self.ids.name(topic.topic_id),
            name => self.topics.get_key_value(name).map(|(name, _)| Arc::clone(name)),
        };
        let Some(name) = name else { return };
        for data in topic.partitions {
            let place =
                TopicPartition { topic: Arc::clone(&name), partition: data.partition_index };
            self.take_partition(broker, &place, data, answer, now);
            mentioned.push(place);
        }
    }

    fn take_partition(
        &mut self,
        broker: i32,
        place: &TopicPartition,
        data: PartitionData,
        answer: &Answer,
        now: Instant,
    ) {
        let (initial, max) = self.pauses();
        let age_max = self.config.client.metadata_age_max;
        let asked = self.brokers.get(&broker).and_then(|state| state.session.asked().get(place));
        let Some(asked) = asked.copied() else { return };
        let config = Arc::clone(&self.config);
        let Some(slot) = self.slots.get_mut(place) else { return };
        if !slot.expects(broker, asked, now) {
            return;
        }
        let is_nearest = slot.nearest.is_some_and(|(nearest, _)| nearest == broker);
        let is_sent_on = data.preferred_read_replica >= 0;
        if is_sent_on {
            let replica = data.preferred_read_replica;
            slot.nearest = Some((replica, later(now, age_max)));
            tracing::debug!(%place, broker = replica, "reads from a replica");
            if slot.end_avoidance(now) {
                // It wasn't told of a rack, and sends on all the same: nobody else can be read.
                slot.hinder(place, now, unavailable(place, replica));
                return slot.back_off(now, initial, max);
            }
        }
        let leader = data.current_leader.clone();
        match slot.take(place, asked, is_nearest, data, answer, &config) {
            Verdict::Fine(bytes) => {
                slot.settle();
                // Who only says where to read has given nothing.
                if !is_sent_on {
                    slot.free(place);
                }
                if bytes > 0 {
                    metrics::counter!("logboom_consumer_bytes_total").increment(bytes as u64);
                    self.line_up(place);
                }
            }
            // A replica may lag behind its leader, who is asked next.
            Verdict::Wait(error) if is_nearest => {
                slot.hinder(place, now, error);
                slot.avoid_replicas(now, max, age_max);
            }
            Verdict::Stale(error) => {
                slot.hinder(place, now, error);
                let is_news = leader.leader_id >= 0 && leader.leader_epoch > slot.epoch_seen;
                if is_news {
                    let (broker, epoch) = (leader.leader_id, leader.leader_epoch);
                    slot.learn(Some(Leader { broker, epoch }));
                }
                if is_nearest {
                    // It may lag behind its leader, or lead by now: who was known to may hang.
                    slot.avoid_replicas(now, max, age_max);
                } else if !is_news {
                    slot.back_off(now, initial, max);
                }
                self.doubt(&place.topic);
            }
            _ if is_nearest => slot.avoid_replicas(now, max, age_max),
            Verdict::OutOfRange | Verdict::Tell(_) if slot.is_ahead() => slot.is_blocked = true,
            Verdict::OutOfRange => {
                let offset = asked.offset;
                self.reset(place, now, |partition| ConsumerError::OutOfRange { partition, offset });
            }
            Verdict::Wait(error) => {
                slot.hinder(place, now, error);
                slot.back_off(now, initial, max);
            }
            Verdict::Tell(error) => {
                slot.back_off(now, max, max);
                self.tell(Some(place), error);
            }
        }
    }

    /// A broker doesn't answer, or not what was asked for.
    fn lose_broker(&mut self, broker: i32, error: ClientError, now: Instant) {
        let (max, age_max) = (self.pauses().1, self.config.client.metadata_age_max);
        let state = self.brokers.get(&broker);
        let slots = self.slots.iter_mut();
        let mut topics = Vec::new();
        for (place, slot) in slots {
            if slot.leader.is_some_and(|leader| leader.broker == broker) {
                topics.push(Arc::clone(&place.topic));
            }
            let asked = state.and_then(|state| state.session.asked().get(place));
            if asked.is_some_and(|asked| slot.expects(broker, *asked, now)) {
                slot.hinder(place, now, error.clone());
            }
            if slot.nearest.is_some_and(|(nearest, _)| nearest == broker) {
                slot.avoid_replicas(now, max, age_max);
            }
        }
        topics.dedup();
        topics.iter().for_each(|topic| self.doubt(topic));
        tracing::debug!(broker, %error, "a broker can't be fetched from");
        if !error.is_retriable() {
            self.tell(None, error.into());
        }
    }

    /// What is known of a topic is out of date.
    pub(super) fn doubt(&mut self, topic: &Arc<str>) {
        if let Some(state) = self.topics.get_mut(topic) {
            state.is_stale = true;
            self.signals.driver = true;
        }
    }

    /// Goes on where `auto.offset.reset` says, or tells the error.
    pub(super) fn reset(
        &mut self,
        place: &TopicPartition,
        now: Instant,
        error: impl FnOnce(TopicPartition) -> ConsumerError,
    ) {
        let max = self.config.client.retry_backoff_max;
        if let Some(spec) = self.config.reset.spec() {
            tracing::info!(%place, ?spec, "begins anew");
            // A front that still holds the last haul would settle it at the new place.
            if let Some(slot) = self.leave(place) {
                slot.place = Place::Search(spec);
            }
        } else if let Some(slot) = self.slots.get_mut(place) {
            slot.back_off(now, max, max);
            self.tell(Some(place), error(place.clone()));
        }
    }

    /// Questions that weren't answered.
    pub(super) fn fail(&mut self, questions: &[Question], error: &ClientError, now: Instant) {
        let (initial, max) = self.pauses();
        for question in questions {
            let Some(slot) = self.answered(question) else { continue };
            slot.back_off(now, initial, max);
            slot.hinder(&question.place, now, error.clone());
            if error.is_stale_metadata() || error.is_epoch_mismatch() {
                self.doubt(&question.place.topic);
            } else if !error.is_retriable() {
                self.tell(Some(&question.place), error.clone().into());
            }
        }
    }

    /// Nobody answers, because who asked has panicked: it is asked again behind a pause.
    pub(crate) fn take_none(&mut self, subject: &Subject, now: Instant) {
        let (initial, max) = self.pauses();
        match subject {
            Subject::Topic(name) => {
                if let Some(state) = self.topics.get_mut(name) {
                    state.is_asking = false;
                    state.put_off(now, initial, max);
                }
            }
            Subject::Slots(questions) => {
                for question in questions {
                    if let Some(slot) = self.answered(question) {
                        slot.back_off(now, initial, max);
                    }
                }
            }
            Subject::Broker(broker) => {
                if let Some(state) = self.brokers.get_mut(broker) {
                    (state.is_asking, state.reserved) = (false, 0);
                    state.put_off(now, initial, max);
                }
            }
        }
    }

    /// The slot that a question is about, if it is still the same. It may be asked again.
    pub(super) fn answered(&mut self, question: &Question) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(&question.place);
        let slot = slot.filter(|slot| slot.stamp == question.stamp)?;
        slot.is_asking = false;
        Some(slot)
    }

    pub(super) fn pauses(&self) -> (Duration, Duration) {
        let client = &self.config.client;
        (client.retry_backoff, client.retry_backoff_max)
    }
}

impl Slot {
    /// Whether an answer is to the question that would be asked now. Another broker may have become
    /// the source meanwhile: then what the former one says is old, or is told by both.
    pub(super) fn expects(&mut self, broker: i32, asked: Asked, now: Instant) -> bool {
        let is_here = self.position().is_some_and(|at| at.offset == asked.offset);
        let is_same = (self.stamp, self.leader_epoch()) == (asked.stamp, asked.leader_epoch);
        is_same && is_here && !self.is_doubted && self.source(now) == Some(broker)
    }

    /// Takes what a broker says of the partition.
    fn take(
        &mut self,
        place: &TopicPartition,
        asked: Asked,
        is_of_replica: bool,
        data: PartitionData,
        answer: &Answer,
        config: &ConsumerConfig,
    ) -> Verdict {
        let code = data.error_code;
        let refused = || {
            let what = format!("partition {place}");
            ClientError::Refused { what, code, message: None }
        };
        match code {
            ErrorCode::NONE => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => return Verdict::OutOfRange,
            ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::REPLICA_NOT_AVAILABLE
            | ErrorCode::FENCED_LEADER_EPOCH
            | ErrorCode::LEADER_NOT_AVAILABLE
            | ErrorCode::KAFKA_STORAGE_ERROR
            | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode::UNKNOWN_TOPIC_ID
            | ErrorCode::INCONSISTENT_TOPIC_ID => return Verdict::Stale(refused()),
            // As the reference: the broker's log says what it was.
            ErrorCode::UNKNOWN_SERVER_ERROR => {
                tracing::warn!(%place, "the broker can't read it, and doesn't say why");
                return Verdict::Wait(refused());
            }
            code if code.is_retriable() && code != ErrorCode::CORRUPT_MESSAGE => {
                return Verdict::Wait(refused());
            }
            _ => return Verdict::Tell(refused().into()),
        }
        let end = match config.isolation {
            IsolationLevel::ReadCommitted => data.last_stable_offset,
            IsolationLevel::ReadUncommitted => data.high_watermark,
        };
        self.end = (end >= 0).then_some(end);
        self.measure_lag();
        let (records, kept) = answer.part(data.records.unwrap_or_default());
        if records.is_empty() {
            return Verdict::Fine(0);
        }
        let damaged = |error| ConsumerError::Damaged {
            partition: place.clone(),
            offset: asked.offset,
            next: None,
            error,
        };
        let measured = match haul::measure(records) {
            Ok(measured) => measured,
            // Not even one batch: the broker doesn't answer with more than was asked for.
            Err(error @ BatchError::Truncated { .. }) => {
                let what = format!("partition {place}");
                return Verdict::Wait(ClientError::Batch { what, error });
            }
            Err(error) => return Verdict::Tell(damaged(error)),
        };
        let bytes = measured.bytes.len();
        let aborted = Aborted::new(data.aborted_transactions.unwrap_or_default());
        let haul = Haul::new(measured.bytes, asked.offset, aborted, config.check_crcs);
        self.queue.push_back(haul.keeping(kept).of_replica(is_of_replica));
        self.queued_bytes += bytes;
        let offset = measured.end.max(asked.offset);
        self.place = Place::At(Position { offset, epoch: measured.leader_epoch });
        Verdict::Fine(bytes)
    }
}

/// Why a partition can't be read whose leader sends on to a replica that has failed.
fn unavailable(place: &TopicPartition, replica: i32) -> ClientError {
    let what = format!("partition {place}: replica {replica}");
    ClientError::Refused { what, code: ErrorCode::REPLICA_NOT_AVAILABLE, message: None }
}

/// The answer, unless it is refused as a whole.
fn checked(broker: i32, response: FetchResponse) -> Result<FetchResponse, ClientError> {
    match response.error_code {
        ErrorCode::NONE => Ok(response),
        code => {
            let what = format!("fetch from broker {broker}");
            Err(ClientError::Refused { what, code, message: None })
        }
    }
}

/// Whether the two sides remember different things.
fn is_session(error: &ClientError) -> bool {
    matches!(
        error.code(),
        Some(
            ErrorCode::FETCH_SESSION_ID_NOT_FOUND
                | ErrorCode::INVALID_FETCH_SESSION_EPOCH
                | ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR
        )
    )
}
