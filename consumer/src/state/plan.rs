//! What is to be asked now: who leads, where partitions begin, what epochs ended, records.
//!
//! **Invariant:** a question is asked once at a time: its slots, its topic or its broker, which are
//! its [`Subject`], stand as asking until the answer, or the failure, is in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use logboom_client::{EpochQuestion, OffsetSpec};
use logboom_protocol::VersionRange;
use logboom_protocol::messages::fetch::FetchRequest;

use super::session::{Asked, Session};
use super::slot::{Place, Slot};
use super::{State, later};
use crate::{ConsumerError, TopicPartition};

/// The last version that names topics by name.
const NAMES_MAX: i16 = 12;

/// A partition that a question is about, under the stamp of that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) place: TopicPartition,
    pub(crate) stamp: u64,
    /// Of the leader, as it was known then; −1 where it wasn't.
    pub(crate) leader_epoch: i32,
}

/// A request for records.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) broker: i32,
    pub(crate) request: FetchRequest,
    pub(crate) versions: VersionRange,
}

/// What the driver is to ask.
#[derive(Debug)]
pub(crate) enum Action {
    /// Who leads the partitions of a topic.
    LookUp {
        topic: Arc<str>,
        /// Whether what is known of it is out of date.
        is_stale: bool,
    },
    /// What the group has committed.
    Committed(Vec<Question>),
    /// Offsets of one topic.
    Search { topic: Arc<str>, spec: OffsetSpec, questions: Vec<Question> },
    /// Whether what was read is still there.
    Epochs { leader: i32, questions: Vec<Question>, epochs: Vec<EpochQuestion> },
    /// Records.
    Fetch(Fetch),
}

/// What stands as asking until an action is answered.
#[derive(Debug)]
pub(crate) enum Subject {
    Topic(Arc<str>),
    Slots(Vec<Question>),
    Broker(i32),
}

impl Action {
    pub(crate) fn subject(&self) -> Subject {
        match self {
            Self::LookUp { topic, .. } => Subject::Topic(Arc::clone(topic)),
            Self::Committed(questions)
            | Self::Search { questions, .. }
            | Self::Epochs { questions, .. } => Subject::Slots(questions.clone()),
            Self::Fetch(fetch) => Subject::Broker(fetch.broker),
        }
    }
}

/// A broker that records are fetched from.
#[derive(Debug, Default)]
pub(super) struct BrokerState {
    pub(super) session: Session,
    pub(super) is_asking: bool,
    /// When it was asked last.
    pub(super) asked: Option<Instant>,
    /// Bytes that the present answer may bring.
    pub(super) reserved: usize,
    pub(super) retry_at: Option<Instant>,
    pub(super) failures: u32,
}

/// What is known of a topic.
#[derive(Debug, Default)]
pub(super) struct TopicState {
    pub(super) is_asking: bool,
    pub(super) told: Option<Instant>,
    /// Whether somebody has said that what is known is out of date.
    pub(super) is_stale: bool,
    /// Whether brokers were asked, and not what is remembered of them.
    pub(super) is_fresh: bool,
    pub(super) retry_at: Option<Instant>,
    pub(super) failures: u32,
}

impl TopicState {
    /// It couldn't be asked for, or isn't whole: it is asked for again behind a pause.
    ///
    /// - `initial`, `max`: of the pause.
    pub(super) fn put_off(&mut self, now: Instant, initial: Duration, max: Duration) {
        self.is_stale = true;
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(later(now, pause(self.failures, initial, max)));
    }
}

impl BrokerState {
    /// It hasn't answered: it is asked again behind a pause, for everything.
    ///
    /// - `initial`, `max`: of the pause.
    pub(super) fn put_off(&mut self, now: Instant, initial: Duration, max: Duration) {
        self.session.failed();
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(later(now, pause(self.failures, initial, max)));
    }
}

/// The pause behind so many failures, at least one.
fn pause(failures: u32, initial: Duration, max: Duration) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    initial.saturating_mul(doubled).min(max)
}

/// What a turn of the driver comes to.
#[derive(Debug, Default)]
struct Turn {
    actions: Vec<Action>,
    /// When something is to be asked that must not be asked yet.
    wake: Option<Instant>,
    committed: Vec<Question>,
    searches: BTreeMap<(Arc<str>, i64), (OffsetSpec, Vec<Question>)>,
    epochs: BTreeMap<i32, (Vec<Question>, Vec<EpochQuestion>)>,
    fetches: BTreeMap<i32, BTreeMap<TopicPartition, Asked>>,
    /// The brokers that partitions are read from, whether or not they are asked now.
    sources: BTreeSet<i32>,
}

impl Turn {
    fn wait(&mut self, until: Instant) {
        self.wake = Some(self.wake.map_or(until, |wake| wake.min(until)));
    }

    fn search(&mut self, spec: OffsetSpec, question: Question) {
        let key = (Arc::clone(&question.place.topic), order(spec));
        self.searches.entry(key).or_insert((spec, Vec::new())).1.push(question);
    }

    /// Whether it is not yet time.
    fn is_early(&mut self, at: Option<Instant>, now: Instant) -> bool {
        let Some(at) = at.filter(|at| *at > now) else { return false };
        self.wait(at);
        true
    }
}

impl State {
    /// What is to be asked now, and when to look again if nothing happens before.
    pub(crate) fn plan(&mut self, now: Instant) -> (Vec<Action>, Option<Instant>) {
        let mut turn = Turn::default();
        self.plan_topics(now, &mut turn);
        self.plan_slots(now, &mut turn);
        if !turn.committed.is_empty() {
            turn.actions.push(Action::Committed(std::mem::take(&mut turn.committed)));
        }
        for ((topic, _), (spec, questions)) in std::mem::take(&mut turn.searches) {
            turn.actions.push(Action::Search { topic, spec, questions });
        }
        for (leader, (questions, epochs)) in std::mem::take(&mut turn.epochs) {
            turn.actions.push(Action::Epochs { leader, questions, epochs });
        }
        self.plan_fetches(now, &mut turn);
        (turn.actions, turn.wake)
    }

    fn plan_topics(&mut self, now: Instant, turn: &mut Turn) {
        let age_max = self.config.client.metadata_age_max;
        for (name, topic) in &mut self.topics {
            let is_wanted =
                topic.is_stale || topic.told.is_none_or(|told| now >= later(told, age_max));
            if topic.is_asking || !is_wanted || turn.is_early(topic.retry_at, now) {
                if let Some(told) = topic.told.filter(|_| !topic.is_asking && !is_wanted) {
                    turn.wait(later(told, age_max));
                }
                continue;
            }
            topic.is_asking = true;
            let is_stale = std::mem::take(&mut topic.is_stale);
            topic.is_fresh = is_stale;
            turn.actions.push(Action::LookUp { topic: Arc::clone(name), is_stale });
        }
    }

    fn plan_slots(&mut self, now: Instant, turn: &mut Turn) {
        let config = Arc::clone(&self.config);
        let mut replaced = Vec::new();
        for (place, slot) in &mut self.slots {
            if slot.is_asking || turn.is_early(slot.retry_at, now) {
                continue;
            }
            let question = || Question {
                place: place.clone(),
                stamp: slot.stamp,
                leader_epoch: slot.leader_epoch(),
            };
            match slot.place {
                // Who has no group is told that nothing is committed.
                Place::Committed => {
                    turn.committed.push(question());
                    slot.is_asking = true;
                }
                Place::Search(spec) => {
                    turn.search(spec, question());
                    slot.is_asking = true;
                }
                Place::EndFirst(_) => {
                    turn.search(OffsetSpec::Latest, question());
                    slot.is_asking = true;
                }
                Place::Time { millis, .. } => {
                    turn.search(OffsetSpec::Timestamp(millis), question());
                    slot.is_asking = true;
                }
                Place::Replaced(offset) => {
                    let pause = config.client.retry_backoff_max;
                    slot.back_off(now, pause, pause);
                    turn.wait(later(now, pause));
                    replaced.push((place.clone(), offset));
                }
                Place::At(_) if slot.is_doubted => {
                    let Some(leader) = slot.leader else { continue };
                    let epochs = turn.epochs.entry(leader.broker).or_default();
                    epochs.0.push(question());
                    epochs.1.extend(epoch_question(place, slot));
                    slot.is_asking = true;
                }
                Place::At(at) => {
                    turn.sources.extend(slot.source(now));
                    if !slot.wants_more(size(config.partition_bytes_max)) {
                        continue;
                    }
                    let Some(broker) = slot.source(now) else { continue };
                    if self.brokers.get(&broker).is_some_and(|broker| broker.is_asking) {
                        continue;
                    }
                    slot.is_blocked = false;
                    let asked = Asked {
                        stamp: slot.stamp,
                        offset: at.offset,
                        leader_epoch: slot.leader_epoch(),
                        topic_id: slot.topic_id,
                    };
                    let fetch = turn.fetches.entry(broker).or_default();
                    fetch.insert(place.clone(), asked);
                }
            }
        }
        for (place, offset) in replaced {
            let partition = place.clone();
            self.tell(Some(&place), ConsumerError::OutOfRange { partition, offset });
        }
    }

    /// Bytes that may be asked for. What waits of paused partitions gives way to others, and is
    /// fetched again when they are resumed.
    fn room(&mut self) -> usize {
        let in_flight: usize = self.brokers.values().map(|broker| broker.reserved).sum();
        let max = self.config.queued_bytes_max;
        let enough = size(self.config.partition_bytes_max).min(max);
        if max.saturating_sub(self.memory.bytes() + in_flight) < enough {
            let held_back = |slot: &Slot| slot.is_paused && !slot.queue.is_empty();
            let paused = self.slots.iter().filter(|(_, slot)| held_back(slot));
            let paused: Vec<TopicPartition> = paused.map(|(place, _)| place.clone()).collect();
            paused.iter().for_each(|place| self.rewind(place));
        }
        max.saturating_sub(self.memory.bytes() + in_flight)
    }

    fn plan_fetches(&mut self, now: Instant, turn: &mut Turn) {
        // There may be no room for all: who was asked longest ago comes first, and nobody gets more
        // than an equal part of it.
        let mut fetches: Vec<_> = std::mem::take(&mut turn.fetches).into_iter().collect();
        fetches.sort_by_key(|(broker, _)| self.brokers.get(broker).and_then(|one| one.asked));
        let part = self.config.queued_bytes_max.div_ceil(turn.sources.len().max(1));
        self.is_short = false;
        for (broker, wanted) in fetches {
            let room = self.room().min(part);
            self.is_short |= room == 0;
            let state = self.brokers.entry(broker).or_default();
            if state.is_asking || room == 0 || turn.is_early(state.retry_at, now) {
                continue;
            }
            let config = &self.config;
            let partitions = wanted.len().saturating_mul(size(config.partition_bytes_max));
            let bytes_max = room.min(size(config.fetch_bytes_max)).min(partitions);
            state.reserved = bytes_max;
            (state.is_asking, state.asked) = (true, Some(now));
            // Who says where it stands may be sent on.
            let avoids = |place| self.slots.get(place).is_some_and(|one| one.avoids_replicas(now));
            let rack = config.rack.as_deref().filter(|_| !wanted.keys().any(avoids));
            let said = state.session.request(wanted, config.partition_bytes_max);
            let request = FetchRequest {
                max_wait_ms: millis(config.fetch_wait_max),
                min_bytes: config.fetch_bytes_min,
                max_bytes: i32::try_from(bytes_max).unwrap_or(i32::MAX),
                isolation_level: config.isolation.to_wire(),
                session_id: said.id,
                session_epoch: said.epoch,
                topics: said.topics,
                forgotten_topics_data: said.forgotten,
                rack_id: rack.unwrap_or_default().into(),
                ..FetchRequest::default()
            };
            let max = if said.has_ids { i16::MAX } else { NAMES_MAX };
            let versions = VersionRange { min: 0, max };
            turn.actions.push(Action::Fetch(Fetch { broker, request, versions }));
        }
    }
}

fn epoch_question(place: &TopicPartition, slot: &Slot) -> Option<EpochQuestion> {
    Some(EpochQuestion {
        topic: place.topic.as_ref().to_owned(),
        partition: place.partition,
        current_epoch: slot.leader?.epoch,
        epoch: slot.position()?.epoch,
    })
}

/// So that searches of the same kind stand together.
fn order(spec: OffsetSpec) -> i64 {
    match spec {
        OffsetSpec::Latest => -1,
        OffsetSpec::Earliest => -2,
        OffsetSpec::MaxTimestamp => -3,
        OffsetSpec::Timestamp(millis) => millis.max(0),
    }
}

fn size(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or_default()
}

fn millis(wait: Duration) -> i32 {
    i32::try_from(wait.as_millis()).unwrap_or(i32::MAX)
}
