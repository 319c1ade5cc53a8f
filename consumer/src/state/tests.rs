//! Plan: a scripted life of the state, without any broker: what it plans is answered by hand.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use logboom_client::{
    ClientError, CommittedOffset, EpochEnd, FoundOffset, OffsetSpec, Partition, Topic,
};
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::fetch::{
    FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData,
};
use logboom_protocol::records::{BatchBuilder, BatchHeader, Codec, Inflater, layout};
use logboom_protocol::units::Uuid;

use super::*;
use crate::OffsetReset;

const ID: Uuid = Uuid([7; 16]);

fn place(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn batch(base_offset: i64, count: i32, epoch: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    for _ in 0..count {
        builder.append(1, None, Some(&[0; 50]), &[]).unwrap();
    }
    let mut bytes = builder.build().unwrap().to_vec();
    let mut header = BatchHeader::from_bytes(bytes.first_chunk().unwrap());
    (header.base_offset, header.leader_epoch) = (base_offset, epoch);
    bytes[..layout::HEADER_BYTES].copy_from_slice(&header.to_bytes());
    bytes
}

/// A consumer's state, and the cluster that answers it.
struct Life {
    state: State,
    now: Instant,
    /// Of topic `t`.
    partitions: i32,
    leader: i32,
    epoch: i32,
}

impl Life {
    fn new(config: ConsumerConfig) -> Self {
        let state = State::new(Arc::new(config));
        Self { state, now: Instant::now(), partitions: 2, leader: 1, epoch: 3 }
    }

    fn assigned(config: ConsumerConfig, start: Start) -> Self {
        let mut life = Self::new(config);
        life.state.assign((0..2).map(|one| (place(one), Some(start))).collect());
        life
    }

    fn topic(&self) -> Arc<Topic> {
        let partition = |index| Partition {
            index,
            leader: Some(self.leader),
            leader_epoch: self.epoch,
            replicas: Vec::new(),
            in_sync: Vec::new(),
            offline: Vec::new(),
        };
        let partitions = (0..self.partitions).map(partition).collect();
        Arc::new(Topic { name: "t".to_owned(), id: ID, is_internal: false, partitions })
    }

    /// What is to be asked now, with all but fetches answered: searches by offset 10.
    fn fetches(&mut self) -> Vec<Fetch> {
        let mut fetches = Vec::new();
        for _ in 0..10 {
            let (actions, _) = self.state.plan(self.now);
            for action in actions {
                match action {
                    Action::LookUp { topic, .. } => {
                        self.state.take_topic(&topic, Ok(self.topic()), self.now);
                    }
                    Action::Search { questions, .. } => {
                        let found = |one: &Question| {
                            Ok(FoundOffset {
                                partition: one.place.partition,
                                offset: Some(10),
                                timestamp: None,
                                leader_epoch: None,
                            })
                        };
                        let found = questions.iter().map(found).collect();
                        self.state.take_found(&questions, found, self.now);
                    }
                    Action::Fetch(fetch) => fetches.push(fetch),
                    other => panic!("{other:?}"),
                }
            }
        }
        fetches
    }

    fn answer(&mut self, partitions: Vec<PartitionData>) {
        self.answer_by(1, partitions);
    }

    fn answer_by(&mut self, broker: i32, partitions: Vec<PartitionData>) {
        let topic = FetchableTopicResponse { topic_id: ID, partitions, ..Default::default() };
        let response =
            FetchResponse { session_id: 9, responses: vec![topic], ..Default::default() };
        self.state.take_fetched(broker, Ok(response), self.now);
    }

    /// The offsets of what is handed out next.
    fn taken(&mut self) -> Option<(i32, Vec<i64>)> {
        let mut taken = self.state.take()?;
        let (mut inflater, mut offsets) = (Inflater::new(1 << 20), Vec::new());
        while let Some((record, _)) = taken.haul.next_record(&mut inflater).unwrap() {
            offsets.push(record.offset);
        }
        self.state.settle(&taken);
        Some((taken.place.partition, offsets))
    }

    fn error(&mut self) -> String {
        self.state.next_error().expect("an error").to_string()
    }
}

fn data(partition_index: i32, records: Vec<u8>) -> PartitionData {
    PartitionData {
        partition_index,
        high_watermark: 100,
        last_stable_offset: 90,
        records: Some(records.into()),
        preferred_read_replica: -1,
        current_leader: LeaderIdAndEpoch { leader_id: -1, leader_epoch: -1 },
        ..PartitionData::default()
    }
}

fn refused(partition: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData { error_code, ..data(partition, Vec::new()) }
}

/// The partitions that a request names, and from where on.
fn asked(fetch: &Fetch) -> Vec<(i32, i64)> {
    let topics = fetch.request.topics.iter().flat_map(|topic| &topic.partitions);
    topics.map(|one| (one.partition, one.fetch_offset)).collect()
}

fn earliest() -> ConsumerConfig {
    ConsumerConfig { reset: OffsetReset::Earliest, ..ConsumerConfig::default() }
}

fn no_reset() -> ConsumerConfig {
    ConsumerConfig { reset: OffsetReset::None, ..ConsumerConfig::default() }
}

#[tokio::test(start_paused = true)]
async fn partitions_are_read_in_turn_from_where_they_begin() {
    let mut life = Life::assigned(earliest(), Start::Earliest);
    let fetches = life.fetches();
    assert_eq!(fetches.len(), 1, "one request a broker");
    assert_eq!(asked(&fetches[0]), [(0, 10), (1, 10)]);
    assert_eq!(life.fetches().len(), 0, "one at a time");
    life.answer(vec![data(0, batch(10, 2, 3)), data(1, batch(9, 3, 3))]);
    assert_eq!(life.taken(), Some((0, vec![10, 11])));
    assert_eq!(life.taken(), Some((1, vec![10, 11])), "what comes before the offset is left out");
    assert_eq!(life.taken(), None);
    assert_eq!(asked(&life.fetches()[0]), [(0, 12), (1, 12)]);
    assert_eq!(life.state.lag(&place(0)).unwrap(), Some(88));
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_comes_later_is_read_as_those_before() {
    let mut life = Life::new(earliest());
    life.state.assign(vec![(place(0), Some(Start::Earliest))]);
    assert_eq!(asked(&life.fetches()[0]), [(0, 10)]);
    let both = [0, 1].map(|one| (place(one), None));
    life.state.assign(both.to_vec());
    life.state.seek(&place(1), Start::Offset(7));
    life.fetches();
    life.answer(vec![data(0, batch(10, 1, 3))]);
    assert_eq!(asked(&life.fetches()[0]), [(0, 11), (1, 7)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_before_a_seek_is_never_handed_out() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.fetches();
    life.answer(vec![data(0, batch(10, 2, 3)), data(1, batch(10, 2, 3))]);
    assert!(life.state.seek(&place(0), Start::Offset(50)));
    let fetch = life.fetches();
    assert_eq!(asked(&fetch[0]), [(0, 50), (1, 12)]);
    assert!(life.state.seek(&place(0), Start::Offset(60)));
    life.answer(vec![data(0, batch(50, 2, 3)), data(1, batch(12, 1, 3))]);
    assert_eq!(life.taken(), Some((1, vec![10, 11])));
    assert_eq!(life.taken(), Some((1, vec![12])));
    assert_eq!(life.taken(), None, "what was on its way counts for nothing");
    assert_eq!(asked(&life.fetches()[0]), [(0, 60), (1, 13)]);
}

#[tokio::test(start_paused = true)]
async fn what_the_front_holds_is_void_after_a_seek_and_held_back_by_a_pause() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.fetches();
    life.answer(vec![data(0, batch(10, 2, 3)), data(1, batch(10, 2, 3))]);
    let first = life.state.take().unwrap();
    let places = [place(0), place(1)];
    life.state.signals = Signals::default();
    assert_eq!(life.state.pause(&places, true), None);
    assert!(life.state.signals.attention, "the front looks at what it holds");
    assert!(!life.state.is_valid(&first));
    life.state.give_back(first);
    assert_eq!(life.taken(), None);
    assert_eq!(life.fetches().len(), 0, "what is paused isn't fetched");
    assert_eq!(life.state.pause(&places, false), None);
    let (mut all, mut seen) = (Vec::new(), Vec::new());
    while let Some((partition, offsets)) = life.taken() {
        seen.push(partition);
        all.extend(offsets);
    }
    seen.sort_unstable();
    assert_eq!((seen, all), (vec![0, 1], vec![10, 11, 10, 11]), "nothing is lost, nothing twice");
}

#[tokio::test(start_paused = true)]
async fn what_is_fetched_ahead_has_a_bound() {
    let config = ConsumerConfig { queued_bytes_max: 300, partition_bytes_max: 250, ..earliest() };
    let mut life = Life::assigned(config, Start::Offset(10));
    let fetch = life.fetches().remove(0);
    assert_eq!(fetch.request.max_bytes, 300);
    life.answer(vec![data(0, batch(10, 2, 3))]);
    let bytes = batch(10, 2, 3).len();
    assert!((150..250).contains(&bytes), "{bytes}");
    let fetch = life.fetches().remove(0);
    assert_eq!(fetch.request.max_bytes, i32::try_from(300 - bytes).unwrap());
    life.answer(vec![data(0, batch(12, 2, 3)), data(1, Vec::new())]);
    assert_eq!(life.fetches().len(), 0, "no room");
    assert!(life.taken().is_some());
    assert_eq!(life.state.queued_bytes, bytes);
    assert_eq!(life.fetches().len(), 1);
    life.state.remove(&[place(0), place(1)]);
    assert_eq!(life.state.queued_bytes, 0);
}

/// Partition 0 is read from broker 1, partition 1 from broker 2.
fn two_brokers(config: ConsumerConfig) -> Life {
    let mut life = Life::assigned(config, Start::Offset(10));
    let mut topic = (*life.topic()).clone();
    topic.partitions[1].leader = Some(2);
    life.state.plan(life.now);
    life.state.take_topic(&"t".into(), Ok(Arc::new(topic)), life.now);
    life
}

#[tokio::test(start_paused = true)]
async fn brokers_have_equal_parts_of_the_room() {
    let partition_bytes_max = 300;
    let mut life =
        two_brokers(ConsumerConfig { queued_bytes_max: 400, partition_bytes_max, ..earliest() });
    let sizes: Vec<_> =
        life.fetches().iter().map(|one| (one.broker, one.request.max_bytes)).collect();
    assert_eq!(sizes, [(1, 200), (2, 200)]);
}

#[tokio::test(start_paused = true)]
async fn where_there_is_room_for_one_the_brokers_are_asked_in_turn() {
    let bytes = batch(10, 2, 3).len();
    let mut life = two_brokers(ConsumerConfig { queued_bytes_max: 2 * bytes, ..earliest() });
    let asks = |life: &mut Life| -> Vec<i32> {
        life.now += Duration::from_millis(1);
        life.fetches().iter().map(|one| one.broker).collect()
    };
    assert_eq!(asks(&mut life), [1, 2]);
    life.answer(vec![data(0, batch(10, 2, 3))]);
    life.answer_by(2, Vec::new());
    assert_eq!(asks(&mut life), [1]);
    life.answer(vec![data(0, batch(12, 2, 3))]);
    assert_eq!(asks(&mut life), [0; 0], "there is no room");
    for broker in [2, 1] {
        assert!(life.taken().is_some());
        assert_eq!(asks(&mut life), [broker]);
        life.answer_by(broker, Vec::new());
        life.state.feed(&place(0), 14, batch(14, 2, 3).into());
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_of_a_paused_partition_gives_way_to_others() {
    let bytes = batch(10, 2, 3).len();
    let partition_bytes_max = i32::try_from(bytes).unwrap();
    let config = ConsumerConfig { queued_bytes_max: 2 * bytes, partition_bytes_max, ..earliest() };
    let mut life = Life::assigned(config, Start::Offset(10));
    life.fetches();
    life.answer(vec![data(0, batch(10, 2, 3))]);
    life.state.pause(&[place(0)], true);
    for offset in [10, 12, 14] {
        assert_eq!(life.fetches().len(), 1, "there is room for one more");
        life.answer(vec![data(1, batch(offset, 2, 3))]);
        assert_eq!(life.state.slots[&place(0)].queued_bytes, bytes, "nobody needs its room");
        assert_eq!(life.taken(), Some((1, vec![offset, offset + 1])));
    }
    let config = ConsumerConfig { queued_bytes_max: bytes, ..(*life.state.config).clone() };
    life.state.config = Arc::new(config);
    assert_eq!(life.fetches()[0].request.max_bytes, partition_bytes_max);
    life.answer(vec![data(1, batch(16, 2, 3))]);
    assert_eq!(life.taken(), Some((1, vec![16, 17])));
    life.state.pause(&[place(0)], false);
    assert_eq!(asked(&life.fetches()[0]), [(0, 10), (1, 18)], "nothing of it is lost");
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_far_ahead_holds_up_no_other() {
    let bytes = batch(10, 2, 3).len();
    let config =
        ConsumerConfig { partition_bytes_max: i32::try_from(bytes).unwrap(), ..earliest() };
    let mut life = Life::assigned(config, Start::Offset(10));
    life.fetches();
    life.answer(vec![data(0, batch(10, 2, 3)), data(1, Vec::new())]);
    let fetch = life.fetches().remove(0);
    let forgotten = &fetch.request.forgotten_topics_data;
    assert_eq!((asked(&fetch), forgotten[0].partitions.as_slice()), (vec![], &[0][..]));
    life.answer(vec![data(1, batch(10, 1, 3))]);
    assert!(life.taken().is_some());
    assert_eq!(asked(&life.fetches()[0]), [(0, 12), (1, 11)]);
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_is_asked_whether_it_has_what_was_read() {
    let mut life = Life::assigned(no_reset(), Start::Offset(10));
    life.fetches();
    life.answer(vec![data(0, batch(10, 2, 3)), data(1, batch(10, 2, 3))]);
    let mut moved = refused(0, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    moved.current_leader = LeaderIdAndEpoch { leader_id: 2, leader_epoch: 4 };
    life.fetches();
    life.answer(vec![moved]);
    let (actions, _) = life.state.plan(life.now);
    let epochs = actions.into_iter().find_map(|action| match action {
        Action::Epochs { leader, questions, epochs } => Some((leader, questions, epochs)),
        _ => None,
    });
    let (leader, questions, epochs) = epochs.expect("the answer has named the leader");
    assert_eq!((leader, epochs[0].epoch, epochs[0].current_epoch), (2, 3, 4));
    life.state.take_epochs(&questions, ends(Some(12)), life.now);
    let fetch = life.fetches().remove(0);
    assert_eq!((fetch.broker, asked(&fetch)), (2, vec![(0, 12)]));
}

fn ends(end_offset: Option<i64>) -> Result<Vec<Result<EpochEnd, ClientError>>, ClientError> {
    let epoch = end_offset.map(|_| 3);
    Ok(vec![Ok(EpochEnd { epoch, end_offset })])
}

/// Partition 0 alone, of which 10 to 13 wait, written in epoch 3.
fn waiting(config: ConsumerConfig) -> Life {
    let mut life = Life::assigned(config, Start::Offset(10));
    life.state.remove(&[place(1)]);
    life.fetches();
    life.answer(vec![data(0, batch(10, 4, 3))]);
    life
}

/// Broker 2 leads partition 0 now, in the next epoch.
fn lead_by_another(life: &mut Life) {
    (life.leader, life.epoch) = (2, life.epoch + 1);
    life.state.take_topic(&"t".into(), Ok(life.topic()), life.now);
}

/// What leaders are asked for about epochs: up to where the partition was read.
fn doubts(life: &mut Life) -> Vec<Question> {
    let (actions, _) = life.state.plan(life.now);
    let epochs = actions.into_iter().filter_map(|action| match action {
        Action::Epochs { questions, .. } => Some(questions),
        _ => None,
    });
    epochs.flatten().collect()
}

#[tokio::test(start_paused = true)]
async fn where_there_is_a_reset_a_truncated_partition_goes_on_where_the_logs_parted() {
    for (end_offset, goes_on) in [(11, 11), (14, 14), (40, 14)] {
        let mut life = waiting(earliest());
        assert!(life.taken().is_some());
        lead_by_another(&mut life);
        let questions = doubts(&mut life);
        life.state.take_epochs(&questions, ends(Some(end_offset)), life.now);
        let fetch = life.fetches().remove(0);
        assert_eq!((fetch.broker, asked(&fetch)[0]), (2, (0, goes_on)));
        let at = Position { offset: goes_on, epoch: 3 };
        assert_eq!(life.state.position(&place(0)).unwrap(), Some(at));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_reset_a_truncated_partition_stays_where_it_is_until_it_is_sought() {
    let mut life = waiting(no_reset());
    assert!(life.taken().is_some());
    lead_by_another(&mut life);
    for _ in 0..2 {
        let questions = doubts(&mut life);
        life.state.take_epochs(&questions, ends(Some(11)), life.now);
        let error = life.error();
        assert!(error.contains("t-0: it was read up to offset 14"), "{error}");
        assert!(error.contains("from offset 11 on"), "{error}");
        assert!(life.fetches().is_empty(), "10 to 13 are others now, and nobody has read them");
        life.now += Duration::from_secs(2);
    }
    life.state.seek(&place(0), Start::Offset(11));
    assert_eq!(asked(&life.fetches()[0]), [(0, 11)]);
}

#[tokio::test(start_paused = true)]
async fn what_no_leader_knows_begins_anew_or_is_an_error() {
    for (config, begins_anew) in [(earliest(), true), (no_reset(), false)] {
        let mut life = waiting(config);
        assert!(life.taken().is_some());
        lead_by_another(&mut life);
        let questions = doubts(&mut life);
        life.state.take_epochs(&questions, ends(None), life.now);
        let fetched = life.fetches().first().map(asked);
        assert_eq!(fetched, begins_anew.then(|| vec![(0, 10)]));
        assert_eq!(life.state.next_error().is_none(), begins_anew);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_only_fetched_ahead_and_is_gone_is_fetched_again_and_no_loss() {
    let mut life = waiting(no_reset());
    lead_by_another(&mut life);
    let questions = doubts(&mut life);
    life.state.take_epochs(&questions, ends(Some(11)), life.now);
    assert_eq!(life.taken(), None, "what waits isn't what is there now");
    assert!(life.state.next_error().is_none());
    assert_eq!(life.state.position(&place(0)).unwrap().unwrap().offset, 10);
    let fetch = life.fetches().remove(0);
    assert_eq!((fetch.broker, asked(&fetch)), (2, vec![(0, 10)]));
    life.answer_by(2, vec![data(0, [batch(10, 1, 3), batch(11, 2, 4)].concat())]);
    assert_eq!(life.taken(), Some((0, vec![10, 11, 12])));
}

#[tokio::test(start_paused = true)]
async fn what_the_front_hands_out_of_what_was_fetched_ahead_is_asked_about_before_it_goes_on() {
    let mut life = waiting(no_reset());
    let mut held = life.state.take().unwrap();
    let mut inflater = Inflater::new(1 << 20);
    lead_by_another(&mut life);
    let questions = doubts(&mut life);
    for _ in 0..2 {
        held.haul.next_record(&mut inflater).unwrap().unwrap();
    }
    life.state.take_epochs(&questions, ends(Some(12)), life.now);
    assert!(!life.state.is_valid(&held), "13 is gone, and 12 is another one");
    assert_eq!(asked(&life.fetches()[0]), [(0, 10)], "as far as the front has told");
    life.answer_by(2, vec![data(0, batch(10, 2, 3))]);
    life.state.give_back(held);
    assert_eq!(life.taken(), None, "10 and 11 were handed out");
    let questions = doubts(&mut life);
    life.state.take_epochs(&questions, ends(Some(12)), life.now);
    assert_eq!(asked(&life.fetches()[0]), [(0, 12)]);
    assert!(life.state.next_error().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_was_replaced_is_not_believed() {
    let mut life = waiting(earliest());
    lead_by_another(&mut life);
    let questions = doubts(&mut life);
    lead_by_another(&mut life);
    life.state.take_epochs(&questions, ends(Some(14)), life.now);
    assert_eq!(doubts(&mut life)[0].leader_epoch, 5, "the next one is asked");
}

#[tokio::test(start_paused = true)]
async fn an_offset_that_is_gone_is_an_error_or_begins_anew() {
    let mut life = Life::assigned(earliest(), Start::Offset(5));
    life.state.remove(&[place(1)]);
    life.fetches();
    life.answer(vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert_eq!(asked(&life.fetches()[0]), [(0, 10)], "the earliest, as the search says");
    let mut life = Life::assigned(no_reset(), Start::Offset(5));
    life.fetches();
    life.answer(vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert!(life.error().contains("no offset 5"));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_handed_out_before_a_partition_begins_anew() {
    let mut life = Life::assigned(earliest(), Start::Offset(5));
    life.state.remove(&[place(1)]);
    life.fetches();
    life.answer(vec![data(0, batch(5, 2, 3))]);
    let held = life.state.take().unwrap();
    life.fetches();
    life.answer(vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert!(life.state.is_valid(&held));
    life.state.give_back(held);
    assert_eq!(life.taken(), Some((0, vec![5, 6])));
    assert_eq!(life.fetches().len(), 1, "it is asked for again");
    life.answer(vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert_eq!(asked(&life.fetches()[0])[0], (0, 10));
}

#[tokio::test(start_paused = true)]
async fn what_is_done_with_does_not_run_ahead_of_what_was_handed_out() {
    let mut life = waiting(earliest());
    life.fetches();
    life.answer(vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert_eq!(life.fetches().len(), 0, "10 to 13 are still to be handed out");
    assert_eq!(life.state.uncommitted()[&place(0)].offset, 10);
}

#[tokio::test(start_paused = true)]
async fn what_can_t_be_read_is_told_behind_what_comes_before_it() {
    let mut life = waiting(no_reset());
    for is_first in [true, false] {
        assert_eq!(life.fetches().len(), 1);
        life.answer(vec![data(0, vec![0; 100])]);
        let error = life.state.next_error();
        assert_eq!(error.is_none(), is_first, "{error:?}");
        assert_eq!(life.taken(), is_first.then(|| (0, vec![10, 11, 12, 13])));
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_was_made_anew_is_begun_anew() {
    let mut life = Life::assigned(earliest(), Start::Offset(5));
    life.fetches();
    life.answer(vec![data(0, batch(5, 2, 3)), data(1, Vec::new())]);
    let anew = Topic { id: Uuid([8; 16]), ..(*life.topic()).clone() };
    life.epoch = 0;
    let partitions = life.topic().partitions.clone();
    life.state.take_topic(&"t".into(), Ok(Arc::new(Topic { partitions, ..anew })), life.now);
    assert_eq!(life.taken(), None, "what waits is of the old one");
    let fetch = life.fetches().remove(0);
    assert_eq!(asked(&fetch), [(0, 10), (1, 10)]);
    let epochs: Vec<i32> =
        fetch.request.topics[0].partitions.iter().map(|one| one.current_leader_epoch).collect();
    assert_eq!(epochs, [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_tells_no_topic_id_has_the_same_topic() {
    let mut life = waiting(earliest());
    let nameless = Topic { id: Uuid::ZERO, ..(*life.topic()).clone() };
    life.state.take_topic(&"t".into(), Ok(Arc::new(nameless)), life.now);
    assert_eq!(life.taken(), Some((0, vec![10, 11, 12, 13])));
    assert_eq!(asked(&life.fetches()[0]), [(0, 14)]);
    life.answer(vec![data(0, batch(14, 1, 3))]);
    assert_eq!(life.taken(), Some((0, vec![14])), "answers name it by its id");
    let anew = Topic { id: Uuid([8; 16]), ..(*life.topic()).clone() };
    life.state.take_topic(&"t".into(), Ok(Arc::new(anew)), life.now);
    assert_eq!(asked(&life.fetches()[0]), [(0, 10)], "a new one is noticed all the same");
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_resumed_again_and_again_stands_in_line_once() {
    let mut life = waiting(earliest());
    for _ in 0..3 {
        life.state.pause(&[place(0)], true);
        life.state.pause(&[place(0)], false);
        life.state.pause(&[place(0)], false);
    }
    assert_eq!(life.state.ready, [place(0)]);
    assert!(life.taken().is_some());
    life.state.pause(&[place(0)], false);
    assert!(life.state.ready.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_nearest_replica_is_read_from_until_it_errs() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.fetches();
    let nearest = PartitionData { preferred_read_replica: 7, ..data(0, Vec::new()) };
    life.answer(vec![nearest]);
    let brokers = |fetches: Vec<Fetch>| {
        let broker = |fetch: &Fetch| (fetch.broker, asked(fetch));
        fetches.iter().map(broker).collect::<Vec<_>>()
    };
    assert_eq!(brokers(life.fetches()), [(7, vec![(0, 10)]), (1, vec![])]);
    life.answer_by(7, vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    life.answer(Vec::new());
    assert_eq!(brokers(life.fetches()), [(1, vec![(0, 10)])], "the leader knows");
}

/// Partition 0 alone, read from broker 1, which is asked, while broker 2 becomes its leader.
fn moved(epoch: i32) -> Life {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.state.remove(&[place(1)]);
    life.epoch = epoch;
    assert_eq!(asked(&life.fetches()[0]), [(0, 10)]);
    life.leader = 2;
    life.state.take_topic(&"t".into(), Ok(life.topic()), life.now);
    let fetch = life.fetches().remove(0);
    assert_eq!((fetch.broker, asked(&fetch)), (2, vec![(0, 10)]), "nobody waits for the former");
    life
}

#[tokio::test(start_paused = true)]
async fn what_two_brokers_are_asked_for_is_handed_out_once() {
    for answers in [[1, 2], [2, 1]] {
        let mut life = moved(-1);
        for broker in answers {
            life.answer_by(broker, vec![data(0, batch(10, 2, -1))]);
        }
        assert_eq!((life.taken(), life.taken()), (Some((0, vec![10, 11])), None), "{answers:?}");
        assert_eq!(asked(&life.fetches()[0]), [(0, 12)], "{answers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_former_leader_s_error_changes_nothing() {
    let mut life = moved(-1);
    life.answer_by(2, vec![data(0, batch(10, 2, -1))]);
    life.answer_by(1, vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert_eq!(asked(&life.fetches()[0]), [(0, 12)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_former_leader_has_is_left_out_though_it_comes_first() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.state.remove(&[place(1)]);
    life.fetches();
    life.epoch = 4;
    life.state.take_topic(&"t".into(), Ok(life.topic()), life.now);
    life.answer(vec![data(0, batch(10, 2, 3))]);
    assert_eq!(life.taken(), None, "it may have lost these records since");
    assert_eq!(asked(&life.fetches()[0]), [(0, 10)]);
    life.answer(vec![data(0, batch(10, 3, 4))]);
    assert_eq!(life.taken(), Some((0, vec![10, 11, 12])));
}

#[tokio::test(start_paused = true)]
async fn a_lost_session_is_begun_anew_at_once_and_a_lost_broker_after_a_pause() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.fetches();
    life.answer(Vec::new());
    let fetch = life.fetches().remove(0);
    assert_eq!((fetch.request.session_id, fetch.request.session_epoch), (9, 1));
    let error_code = ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
    let response = FetchResponse { error_code, ..FetchResponse::default() };
    life.state.take_fetched(1, Ok(response), life.now);
    let fetch = life.fetches().remove(0);
    assert_eq!((fetch.request.session_id, fetch.request.session_epoch), (0, 0));
    assert_eq!(asked(&fetch).len(), 2);
    let error = ClientError::UnknownBroker { broker_id: 1 };
    life.state.take_fetched(1, Err(error), life.now);
    assert_eq!(life.fetches().len(), 0);
    life.now += Duration::from_secs(2);
    assert_eq!(asked(&life.fetches()[0]).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_committed_is_where_a_group_begins() {
    let mut life = Life::new(ConsumerConfig { group_id: Some("g".into()), ..no_reset() });
    life.state.subscription = Subscription::Topics(vec!["t".to_owned()]);
    life.state.put_step(StepKind::Assign, vec![place(0), place(1)]);
    let (actions, _) = life.state.plan(life.now);
    let questions = actions.into_iter().find_map(|action| match action {
        Action::Committed(questions) => Some(questions),
        _ => None,
    });
    let questions = questions.unwrap();
    life.state.take_topic(&"t".into(), Ok(life.topic()), life.now);
    let committed = CommittedOffset {
        topic: "t".to_owned(),
        partition: 0,
        offset: 33,
        leader_epoch: 3,
        metadata: String::new(),
    };
    life.state.take_committed(&questions, Ok(vec![committed]), life.now);
    assert_eq!(asked(&life.fetches()[0]), [(0, 33)]);
    assert!(life.error().contains("t-1: nothing is committed"));
    assert!(life.state.uncommitted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_revoked_partition_is_neither_handed_out_nor_committed() {
    let mut life = Life::new(ConsumerConfig { group_id: Some("g".into()), ..earliest() });
    life.state.subscription = Subscription::Topics(vec!["t".to_owned()]);
    life.state.put_step(StepKind::Assign, vec![place(0), place(1)]);
    life.state.end_step(1);
    for place in [place(0), place(1)] {
        life.state.seek(&place, Start::Offset(10));
    }
    life.fetches();
    life.answer(vec![data(0, batch(10, 2, 3)), data(1, batch(10, 2, 3))]);
    assert_eq!(life.taken(), Some((0, vec![10, 11])));
    let open = life.state.uncommitted();
    assert_eq!((open[&place(0)].offset, open[&place(0)].leader_epoch), (12, Some(3)));
    let receiver = life.state.queue_commit(open);
    let id = life.state.put_step(StepKind::Revoke, vec![place(0), place(1)]);
    assert!(!life.state.is_step_done(id) && life.state.assignment().len() == 2);
    life.state.end_step(id);
    assert!(life.state.is_step_done(id));
    assert_eq!((life.taken(), life.state.uncommitted().len()), (None, 0));
    let round = life.state.take_commit().unwrap();
    assert!(round.offsets.is_empty(), "they are somebody else's to commit");
    drop((round, receiver));
    let id = life.state.put_step(StepKind::Assign, vec![place(0)]);
    life.state.end_step(id);
    life.state.put_step(StepKind::Lose, vec![place(0)]);
    assert!(life.state.assignment().is_empty(), "at once");
    life.state.take_back_steps();
    life.state.subscription = Subscription::None;
    let id = life.state.put_step(StepKind::Assign, vec![place(0)]);
    assert!(life.state.is_step_done(id) && life.state.assignment().is_empty(), "unsubscribed");
}

#[tokio::test(start_paused = true)]
async fn who_is_told_of_is_woken_and_errors_have_a_bound() {
    let mut life = Life::new(earliest());
    life.state.waker = Some(Waker::noop().clone());
    for number in 0..300 {
        let error = ConsumerError::NoOffset { partition: place(number) };
        life.state.tell(Some(&place(number)), error);
    }
    assert!(life.state.signals.front);
    let mut count = 0;
    while life.state.next_error().is_some() {
        count += 1;
    }
    assert_eq!(count, ERRORS_MAX);
    life.state.end_by(ConsumerError::Closed);
    assert!(life.state.next_error().is_some() && life.state.next_error().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_not_there_is_told_when_brokers_say_so_and_not_memory() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.partitions = 1;
    life.fetches();
    assert!(life.state.next_error().is_none(), "what is remembered may be old");
    life.now += Duration::from_secs(1);
    life.fetches();
    assert!(life.error().contains("t-1: the topic has 1"));
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_the_group_gives_and_brokers_do_not_know_yet_is_waited_for() {
    let mut life = Life::new(earliest());
    life.state.subscribe(vec!["t".to_owned()]);
    life.state.put_step(StepKind::Assign, vec![place(0), place(1)]);
    for place in [place(0), place(1)] {
        life.state.seek(&place, Start::Offset(10));
    }
    life.partitions = 1;
    for _ in 0..3 {
        life.fetches();
        assert!(life.state.next_error().is_none());
        life.now += Duration::from_secs(1);
    }
    life.partitions = 2;
    life.fetches();
    life.answer(Vec::new());
    assert_eq!(asked(&life.fetches()[0]), [(1, 10)]);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_can_t_read_and_says_nothing_is_asked_again() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.fetches();
    life.answer(vec![refused(0, ErrorCode::UNKNOWN_SERVER_ERROR)]);
    assert!(life.state.next_error().is_none());
    life.now += Duration::from_secs(1);
    assert_eq!(life.state.slots[&place(0)].retry_at.map(|at| at <= life.now), Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_small_part_of_an_answer_does_not_keep_all_of_it_in_memory() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.fetches();
    let (small, large) = (batch(10, 1, 3), batch(10, 100, 3));
    let small_bytes = small.len();
    let answer: bytes::Bytes = [small, large].concat().into();
    let [small, large] = [answer.slice(..small_bytes), answer.slice(small_bytes..)];
    life.answer(
        [small, large]
            .map(Some)
            .into_iter()
            .zip(0..)
            .map(|(records, partition)| PartitionData { records, ..data(partition, Vec::new()) })
            .collect(),
    );
    let mut is_part = || {
        let part = life.state.take().unwrap().haul.next_part(&mut Inflater::new(1 << 20));
        let part = part.unwrap().unwrap();
        answer.as_ptr_range().contains(&part.records.bytes().as_ptr())
    };
    assert!(!is_part(), "the small one is copied");
    assert!(is_part(), "the large one isn't");
}

#[tokio::test(start_paused = true)]
async fn times_may_be_so_long_that_no_clock_tells_them() {
    let mut config = earliest();
    config.client.metadata_age_max = Duration::MAX;
    (config.client.retry_backoff, config.client.retry_backoff_max) = (Duration::MAX, Duration::MAX);
    let mut life = Life::assigned(config, Start::Offset(10));
    assert_eq!(life.fetches().len(), 1);
    let nearest = PartitionData { preferred_read_replica: 7, ..data(0, Vec::new()) };
    life.answer(vec![nearest, refused(1, ErrorCode::NOT_LEADER_OR_FOLLOWER)]);
    assert_eq!(life.fetches()[0].broker, 7);
    life.state.take_fetched(7, Err(ClientError::UnknownBroker { broker_id: 7 }), life.now);
}

#[tokio::test(start_paused = true)]
async fn where_no_record_is_so_young_the_end_is_next() {
    let mut life = Life::assigned(earliest(), Start::Timestamp(5));
    let (actions, _) = life.state.plan(life.now);
    let found = |actions: Vec<Action>| {
        actions.into_iter().find_map(|action| match action {
            Action::Search { spec, questions, .. } => Some((spec, questions)),
            _ => None,
        })
    };
    let (spec, questions) = found(actions).unwrap();
    assert_eq!((spec, questions.len()), (OffsetSpec::Timestamp(5), 2));
    let none = |one: &Question| {
        let partition = one.place.partition;
        Ok(FoundOffset { partition, offset: None, timestamp: None, leader_epoch: None })
    };
    life.state.take_found(&questions, questions.iter().map(none).collect(), life.now);
    let (spec, _) = found(life.state.plan(life.now).0).unwrap();
    assert_eq!(spec, OffsetSpec::Latest);
}
