//! Plan: a broker on loopback that coordinates the one member of a group by a script, and says what
//! it is asked for. Time is real, but nothing is measured.

use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::mpsc;

use logboom_client::BrokerAddress;
use logboom_client::testing::{Arrived, ScriptedBroker};
use logboom_protocol::ApiKey;
use logboom_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use logboom_protocol::messages::heartbeat::HeartbeatResponse;
use logboom_protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember,
};
use logboom_protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse};
use logboom_protocol::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use logboom_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use logboom_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use logboom_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use logboom_protocol::wire::Reader;

use super::*;
use crate::{Consumer, ConsumerBuilder, ConsumerControl};

/// A group as its coordinator sees it. Topic `t` has one partition, of which 7 is committed.
struct Group {
    address: BrokerAddress,
    generation: i32,
    /// What joins are answered with.
    join: ErrorCode,
    /// What topics are told of, and how: those of whom one begins with `__` is internal.
    topics: Vec<&'static str>,
    topic: ErrorCode,
    said: mpsc::UnboundedSender<String>,
    /// Whose partitions are looked at when it leaves.
    leaver: Option<ConsumerControl>,
}

struct Stage {
    group: Arc<Mutex<Group>>,
    said: mpsc::UnboundedReceiver<String>,
}

impl Group {
    fn answer(&mut self, asked: &Arrived) -> Option<Bytes> {
        Some(match asked.api {
            ApiKey::Metadata => asked.answer(&self.metadata()),
            ApiKey::FindCoordinator => asked.answer(&self.found()),
            ApiKey::JoinGroup => asked.answer(&self.join(&asked.decode())),
            ApiKey::SyncGroup => asked.answer(&self.sync(&asked.decode())),
            ApiKey::Heartbeat => asked.answer(&HeartbeatResponse::default()),
            ApiKey::OffsetCommit => asked.answer(&self.commit(&asked.decode())),
            ApiKey::OffsetFetch => asked.answer(&committed(&asked.decode())),
            ApiKey::LeaveGroup => asked.answer(&self.leave(&asked.decode())),
            // There is nothing to read, and whoever asks is to pause.
            ApiKey::Fetch => return None,
            api => panic!("{api}"),
        })
    }

    fn say(&self, what: impl Into<String>) {
        self.said.send(what.into()).ok();
    }

    fn metadata(&self) -> MetadataResponse {
        MetadataResponse {
            brokers: vec![MetadataResponseBroker {
                host: self.address.host.as_str().into(),
                port: self.address.port.into(),
                ..MetadataResponseBroker::default()
            }],
            topics: self.topics.iter().map(|name| self.topic(name)).collect(),
            ..MetadataResponse::default()
        }
    }

    fn topic(&self, name: &str) -> MetadataResponseTopic {
        MetadataResponseTopic {
            error_code: self.topic,
            name: Some(name.into()),
            is_internal: name.starts_with("__"),
            partitions: vec![MetadataResponsePartition::default()],
            ..MetadataResponseTopic::default()
        }
    }

    fn found(&self) -> FindCoordinatorResponse {
        let (host, port) = (self.address.host.as_str().into(), self.address.port.into());
        let found = Coordinator { key: "g".into(), host, port, ..Coordinator::default() };
        FindCoordinatorResponse { coordinators: vec![found], ..Default::default() }
    }

    fn join(&mut self, request: &JoinGroupRequest) -> JoinGroupResponse {
        self.say(format!("join for {}", wanted(&request.protocols[0].metadata).join(", ")));
        let (error_code, member_id) = (self.join, "m".into());
        if !error_code.is_none() {
            return JoinGroupResponse { error_code, member_id, ..Default::default() };
        }
        self.generation += 1;
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_name: Some(request.protocols[0].name.clone()),
            leader: "m".into(),
            member_id: "m".into(),
            members: vec![JoinGroupResponseMember {
                member_id: "m".into(),
                group_instance_id: None,
                metadata: request.protocols[0].metadata.clone(),
            }],
            ..JoinGroupResponse::default()
        }
    }

    fn sync(&self, request: &SyncGroupRequest) -> SyncGroupResponse {
        self.say("sync");
        let assignment = request.assignments[0].assignment.clone();
        SyncGroupResponse { assignment, ..SyncGroupResponse::default() }
    }

    fn commit(&self, request: &OffsetCommitRequest) -> OffsetCommitResponse {
        let one = &request.topics[0].partitions[0];
        let generation = request.generation_id_or_member_epoch;
        self.say(format!("commit {} in {generation}", one.committed_offset));
        let partition_index = one.partition_index;
        let partitions =
            vec![OffsetCommitResponsePartition { partition_index, ..Default::default() }];
        let topic =
            OffsetCommitResponseTopic { name: "t".into(), partitions, ..Default::default() };
        OffsetCommitResponse { topics: vec![topic], ..Default::default() }
    }

    fn leave(&self, request: &LeaveGroupRequest) -> LeaveGroupResponse {
        let read = self.leaver.as_ref().map_or(0, |leaver| leaver.assignment().len());
        let id = &request.members[0].member_id;
        self.say(format!("{} leaves, and reads {read}", id.as_str()));
        LeaveGroupResponse::default()
    }
}

/// The topics of a subscription, which are its first field behind the version.
fn wanted(subscription: &Bytes) -> Vec<String> {
    let topics = subscription.slice(2..);
    let mut reader = Reader::new(&topics);
    let count = reader.i32().unwrap();
    (0..count).map(|_| reader.string(false).unwrap().as_str().to_owned()).collect()
}

fn committed(request: &OffsetFetchRequest) -> OffsetFetchResponse {
    let partition = OffsetFetchResponsePartitions { committed_offset: 7, ..Default::default() };
    let asked = request.groups[0].topics.iter().flatten();
    let topics = asked.map(|topic| OffsetFetchResponseTopics {
        name: topic.name.clone(),
        partitions: vec![partition.clone()],
        ..Default::default()
    });
    let group = OffsetFetchResponseGroup {
        group_id: request.groups[0].group_id.clone(),
        topics: topics.collect(),
        ..Default::default()
    };
    OffsetFetchResponse { groups: vec![group], ..Default::default() }
}

async fn stage() -> Stage {
    let broker = ScriptedBroker::bind().await;
    let (sender, said) = mpsc::unbounded_channel();
    let group = Group {
        address: broker.address.clone(),
        generation: 0,
        join: ErrorCode::NONE,
        topics: vec!["t"],
        topic: ErrorCode::NONE,
        said: sender,
        leaver: None,
    };
    let group = Arc::new(Mutex::new(group));
    let answering = Arc::clone(&group);
    broker.run(move |asked| answering.lock().unwrap().answer(asked));
    Stage { group, said }
}

impl Stage {
    fn group(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap()
    }

    fn builder(&self) -> ConsumerBuilder {
        let address = self.group().address.to_string();
        Consumer::builder().bootstrap_servers(&address).group_id("g")
    }

    /// Waits until the coordinator says something that begins so.
    async fn says(&mut self, what: &str) -> String {
        loop {
            let said = self.said.recv().await.unwrap();
            if said.starts_with(what) {
                return said;
            }
        }
    }

    /// The same, while records are asked for, of which there are none.
    async fn says_to(&mut self, consumer: &mut Consumer, what: &str) {
        tokio::select! {
            _ = self.says(what) => {}
            result = consumer.next() => panic!("{result:?}"),
        }
    }
}

fn place() -> TopicPartition {
    TopicPartition::new("t", 0)
}

#[tokio::test]
async fn who_was_a_member_commits_what_is_assigned_to_it_afterwards() {
    let mut stage = stage().await;
    let mut consumer = stage.builder().build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    stage.says_to(&mut consumer, "sync").await;
    consumer.unsubscribe().await;
    consumer.assign([place()]).unwrap();
    stage.says("m leaves").await;
    consumer.commit_offsets([(place(), 9.into())].into()).await.unwrap();
    assert_eq!(stage.says("commit").await, "commit 9 in -1");
}

#[tokio::test]
async fn topics_that_match_are_looked_for_and_those_that_come_are_shared_too() {
    let mut stage = stage().await;
    stage.group().topics = vec!["__t", "s", "t"];
    let moment = Duration::from_millis(20);
    let builder = stage.builder().metadata_max_age(moment).retry_backoff(moment, moment);
    let mut consumer = builder.build().unwrap();
    consumer.subscribe(["s", "^t"]).unwrap();
    stage.says_to(&mut consumer, "join for s, t").await;
    stage.group().topics.extend(["u", "tt"]);
    stage.says_to(&mut consumer, "join for s, t, tt").await;
    stage.group().topics = vec!["__t", "s", "tt"];
    stage.says_to(&mut consumer, "join for s, tt").await;
}

#[tokio::test]
async fn a_pattern_passes_over_internal_topics_unless_it_is_told_not_to() {
    let mut stage = stage().await;
    stage.group().topics = vec!["__t", "t"];
    for (is_excluded, wanted) in [(true, "join for t"), (false, "join for __t, t")] {
        let builder = stage.builder().exclude_internal_topics(is_excluded);
        let mut consumer = builder.build().unwrap();
        consumer.subscribe(["^.*t"]).unwrap();
        stage.says_to(&mut consumer, wanted).await;
        consumer.close().await.unwrap();
    }
}

#[tokio::test]
async fn who_asks_for_nothing_for_too_long_reads_nothing_any_more_before_it_leaves() {
    let mut stage = stage().await;
    let builder = stage.builder().max_poll_interval(Duration::from_millis(100));
    let mut consumer = builder.build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    while consumer.assignment().is_empty() {
        // Asks, and has its tasks go on.
        tokio::select! {
            biased;
            result = consumer.next() => panic!("{result:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    stage.group().leaver = Some(consumer.control());
    assert_eq!(stage.says("m leaves").await, "m leaves, and reads 0");
    let error = consumer.next().await.unwrap_err();
    assert!(matches!(error, ConsumerError::PollInterval { .. }), "{error}");
    stage.says_to(&mut consumer, "sync").await;
}

#[tokio::test]
async fn whom_the_group_refuses_hears_of_it_until_it_subscribes_again() {
    let mut stage = stage().await;
    stage.group().join = ErrorCode::GROUP_AUTHORIZATION_FAILED;
    let mut consumer = stage.builder().build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    for _ in 0..2 {
        let error = consumer.next().await.unwrap_err();
        assert!(error.to_string().contains("GROUP_AUTHORIZATION_FAILED"), "{error}");
    }
    stage.group().join = ErrorCode::NONE;
    consumer.subscribe(["t"]).unwrap();
    stage.says_to(&mut consumer, "sync").await;
}

#[tokio::test]
async fn whom_the_group_refuses_for_no_fault_of_its_own_hears_of_it_and_joins_again() {
    let mut stage = stage().await;
    stage.group().join = ErrorCode::UNKNOWN_SERVER_ERROR;
    let mut consumer = stage.builder().build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    let error = consumer.next().await.unwrap_err();
    assert!(error.to_string().contains("UNKNOWN_SERVER_ERROR"), "{error}");
    stage.group().join = ErrorCode::NONE;
    while !matches!(stage.said.try_recv().as_deref(), Ok("sync")) {
        tokio::select! {
            biased;
            _ = consumer.next() => {}
            () = tokio::task::yield_now() => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_pause_before_the_group_is_asked_again_grows() {
    let (mut membership, _) = nowhere();
    let code = ErrorCode::UNKNOWN_SERVER_ERROR;
    let error = ClientError::Refused { what: "group g".to_owned(), code, message: None };
    for millis in [80, 160, 320] {
        let began = Instant::now();
        membership.fall_out(error.clone(), &mut Assignment::new()).await.unwrap();
        assert!(began.elapsed() >= Duration::from_millis(millis), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn who_shares_hears_of_a_topic_that_it_may_not_read_and_goes_on() {
    let mut stage = stage().await;
    stage.group().topic = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let mut consumer = stage.builder().build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    let error = consumer.next().await.unwrap_err();
    assert!(error.to_string().contains("topic t: TOPIC_AUTHORIZATION_FAILED"), "{error}");
    stage.says("sync").await;
    stage.group().topic = ErrorCode::NONE;
    consumer.subscribe(["t", "u"]).unwrap();
    while consumer.assignment().is_empty() {
        tokio::select! {
            biased;
            _ = consumer.next() => {}
            () = tokio::task::yield_now() => {}
        }
    }
}

#[tokio::test]
async fn a_commit_that_was_begun_is_finished_before_the_end() {
    let mut stage = stage().await;
    let mut consumer = stage.builder().enable_auto_commit(false).build().unwrap();
    consumer.assign([place()]).unwrap();
    drop(consumer.commit_offsets_async([(place(), 9.into())].into()));
    consumer.close().await.unwrap();
    assert_eq!(stage.said.try_recv().unwrap(), "commit 9 in -1");
}

#[test]
fn one_hears_of_one_s_own_topics_that_are_refused_and_of_all_at_once() {
    let denied = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let unshared = [("a", denied), ("b", unknown), ("c", denied), ("others", denied)];
    let unshared = unshared.map(|(topic, code)| (topic.to_owned(), code)).into();
    let told = |wish: &[&str]| {
        let wish: Vec<String> = wish.iter().map(|&topic| topic.to_owned()).collect();
        refusal(&wish, &unshared).map(|error| error.to_string())
    };
    assert_eq!(told(&["b", "t"]), None);
    let error = told(&["a", "b", "c", "t"]).unwrap();
    assert!(error.starts_with("topic a, c: TOPIC_AUTHORIZATION_FAILED"), "{error}");
}

#[tokio::test]
async fn that_one_was_too_slow_is_heard_whatever_comes_behind_it() {
    let (membership, shared) = nowhere();
    membership.lose_by_poll_interval();
    membership.lose_by_poll_interval();
    let error = ClientError::UnknownBroker { broker_id: 0 };
    shared.update(|state| state.tell(None, error.into()));
    let next = || shared.update(State::next_error);
    assert!(matches!(next(), Some(ConsumerError::PollInterval { .. })));
    assert!(matches!(next(), Some(ConsumerError::Client(_))));
    assert!(next().is_none());
}

/// Of who wants topic `t`, and reaches nobody.
fn nowhere() -> (Membership, Arc<Shared>) {
    let config = Arc::new(ConsumerConfig::default());
    let shared = Arc::new(Shared::new(Arc::clone(&config)));
    let topics = Topics::new(["t"]).unwrap();
    shared.update(|state| state.subscribe(topics.clone()));
    let nowhere = BrokerAddress { host: "127.0.0.1".to_owned(), port: 1 };
    let cluster = Cluster::new(vec![nowhere], config.client.clone());
    let mut membership = Membership::new(Arc::clone(&shared), cluster, config, "g".to_owned());
    membership.wish.topics = topics;
    (membership, shared)
}

#[tokio::test(start_paused = true)]
async fn who_gets_no_answer_pauses_however_little_time_the_call_had() {
    let (mut membership, shared) = nowhere();
    let last = Box::new(ClientError::UnknownBroker { broker_id: 0 });
    let (doing, limit) = ("join".to_owned(), Duration::ZERO);
    let late = ClientError::Deadline { doing, limit, last };
    let began = Instant::now();
    membership.fall_out(late.clone(), &mut Assignment::new()).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(80), "{:?}", began.elapsed());
    assert!(shared.update(State::next_error).is_some(), "the application hears of it");
    // A pause holds up nobody who wants something else.
    shared.update(State::unsubscribe);
    let stopped = membership.fall_out(late, &mut Assignment::new()).await;
    assert_eq!(stopped, Err(Interrupt::Unsubscribed));
}
