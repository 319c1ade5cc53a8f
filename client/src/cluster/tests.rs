//! Plan: brokers on loopback that answer by a script; leaders move, brokers are gone, topics are
//! not there. Time is real, but nothing is measured.

mod silent;

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use bytes::Bytes;

use logboom_protocol::messages::delete_records::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use logboom_protocol::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use logboom_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use logboom_protocol::messages::init_producer_id::InitProducerIdResponse;
use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use logboom_protocol::messages::list_partition_reassignments::ListPartitionReassignmentsResponse;
use logboom_protocol::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use logboom_protocol::messages::produce::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use logboom_protocol::units::Uuid;
use logboom_protocol::{ApiKey, ErrorCode};

use super::*;
use crate::testing::{Arrived, ScriptedBroker, cluster};
use crate::{Acks, Disconnect, FetchPosition, OffsetSpec};

/// What brokers 0, 1, ... at those addresses say: topic `t`, whose partition 0 has that leader and
/// partition 1 the other of two.
fn metadata(addresses: &[BrokerAddress], leader: i32) -> MetadataResponse {
    let broker = |(node_id, address): (i32, &BrokerAddress)| MetadataResponseBroker {
        node_id,
        host: address.host.as_str().into(),
        port: address.port.into(),
        ..MetadataResponseBroker::default()
    };
    let partition = |partition_index: i32, leader_id: i32| MetadataResponsePartition {
        partition_index,
        leader_id,
        ..MetadataResponsePartition::default()
    };
    MetadataResponse {
        brokers: (0..).zip(addresses).map(broker).collect(),
        controller_id: 0,
        topics: vec![MetadataResponseTopic {
            name: Some("t".into()),
            topic_id: Uuid([1; 16]),
            partitions: vec![partition(0, leader), partition(1, 1 - leader)],
            ..MetadataResponseTopic::default()
        }],
        ..MetadataResponse::default()
    }
}

fn produced(error_code: ErrorCode, base_offset: i64) -> ProduceResponse {
    let answer =
        PartitionProduceResponse { error_code, base_offset, ..PartitionProduceResponse::default() };
    let partition_responses = vec![answer];
    let topic =
        TopicProduceResponse { name: "t".into(), topic_id: Uuid([1; 16]), partition_responses };
    ProduceResponse { responses: vec![topic], ..ProduceResponse::default() }
}

async fn two_brokers() -> ([ScriptedBroker; 2], Vec<BrokerAddress>) {
    let brokers = [ScriptedBroker::bind().await, ScriptedBroker::bind().await];
    let addresses = brokers.iter().map(|broker| broker.address.clone()).collect();
    (brokers, addresses)
}

#[tokio::test]
async fn a_batch_follows_its_leader() {
    let ([first, second], addresses) = two_brokers().await;
    let leader = Arc::new(AtomicI32::new(0));
    let bootstrap = vec![first.address.clone()];
    for (id, broker) in [(0, first), (1, second)] {
        let (addresses, leader) = (addresses.clone(), Arc::clone(&leader));
        broker.run(move |asked: &Arrived| {
            Some(match asked.api {
                ApiKey::Metadata => {
                    asked.answer(&metadata(&addresses, leader.load(Ordering::SeqCst)))
                }
                // The first broker has lost its leadership, and all hear of it now.
                _ if id == 0 => {
                    leader.store(1, Ordering::SeqCst);
                    asked.answer(&produced(ErrorCode::NOT_LEADER_OR_FOLLOWER, -1))
                }
                _ => asked.answer(&produced(ErrorCode::NONE, 42)),
            })
        });
    }
    let cluster = cluster(bootstrap);
    let batch = Bytes::from_static(b"a batch");
    let produced = cluster.produce("t", 0, batch, Acks::All).await.unwrap();
    assert_eq!(produced.base_offset, Some(42));
}

#[tokio::test]
async fn a_batch_survives_a_connection_that_breaks() {
    let broker = ScriptedBroker::bind().await;
    let addresses = vec![broker.address.clone()];
    let mut failures = 3;
    let bootstrap = addresses.clone();
    broker.run(move |asked| match asked.api {
        ApiKey::Metadata => Some(asked.answer(&metadata(&addresses, 0))),
        _ if failures > 0 => {
            failures -= 1;
            None
        }
        _ => Some(asked.answer(&produced(ErrorCode::NONE, 1))),
    });
    let produced = cluster(bootstrap).produce("t", 0, Bytes::new(), Acks::All).await.unwrap();
    assert_eq!(produced.base_offset, Some(1));
}

#[tokio::test]
async fn an_error_that_is_final_is_not_tried_again() {
    let broker = ScriptedBroker::bind().await;
    let addresses = vec![broker.address.clone()];
    let (bootstrap, attempts) = (addresses.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&attempts);
    broker.run(move |asked| {
        Some(match asked.api {
            ApiKey::Metadata => asked.answer(&metadata(&addresses, 0)),
            _ => {
                counted.fetch_add(1, Ordering::SeqCst);
                asked.answer(&produced(ErrorCode::MESSAGE_TOO_LARGE, -1))
            }
        })
    });
    let error = cluster(bootstrap).produce("t", 0, Bytes::new(), Acks::Leader).await.unwrap_err();
    assert_eq!(error.to_string(), "partition t-0: MESSAGE_TOO_LARGE (10)");
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn partitions_and_topics_that_are_not_there_are_named_without_long_waiting() {
    let broker = ScriptedBroker::bind().await;
    let addresses = vec![broker.address.clone()];
    let bootstrap = addresses.clone();
    broker.run(move |asked| {
        let request: MetadataRequest = asked.decode();
        assert!(!request.allow_auto_topic_creation);
        let mut answer = metadata(&addresses, 0);
        let names = request.topics.unwrap();
        if names.first().is_some_and(|topic| topic.name.as_deref() != Some("t")) {
            let unknown = &mut answer.topics[0];
            unknown.name = Some("typo".into());
            unknown.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        }
        Some(asked.answer(&answer))
    });
    let cluster = cluster(bootstrap);
    let error = cluster.produce("t", 2, Bytes::new(), Acks::All).await.unwrap_err();
    assert_eq!(error.to_string(), "partition t-2: the topic has 2, numbered from 0");
    let error = cluster.produce("typo", 0, Bytes::new(), Acks::All).await.unwrap_err();
    assert!(matches!(error, ClientError::UnknownTopic { .. }), "{error}");
}

#[tokio::test]
async fn the_bootstrap_list_is_tried_to_its_end() {
    let gone = ScriptedBroker::bind().await.address;
    let broker = ScriptedBroker::bind().await;
    let addresses = vec![broker.address.clone()];
    let bootstrap = vec![gone.clone(), broker.address.clone()];
    broker.run(move |asked| Some(asked.answer(&metadata(&addresses, 0))));
    let image = cluster(bootstrap).image(None).await.unwrap();
    assert_eq!(image.brokers.len(), 1);

    let nobody = Cluster::new(
        vec![gone.clone()],
        ClientConfig { api_timeout: Duration::from_millis(50), ..ClientConfig::default() },
    );
    let error = nobody.image(None).await.unwrap_err().to_string();
    assert!(error.contains(&format!("no broker can be reached: {gone}: connect: ")), "{error}");
}

#[tokio::test]
async fn offsets_are_asked_of_every_leader_and_come_in_the_order_asked_for() {
    let ([first, second], addresses) = two_brokers().await;
    let bootstrap = vec![first.address.clone()];
    for (id, broker) in [(0, first), (1, second)] {
        let addresses = addresses.clone();
        let mut failures = 1;
        broker.run(move |asked: &Arrived| {
            if asked.api == ApiKey::Metadata {
                return Some(asked.answer(&metadata(&addresses, 0)));
            }
            let request: ListOffsetsRequest = asked.decode();
            let asked_for = &request.topics[0].partitions;
            assert_eq!(asked_for.len(), 1, "only what it leads");
            assert_eq!(asked_for[0].partition_index, id);
            let mut answer = ListOffsetsPartitionResponse {
                partition_index: id,
                offset: 100 + i64::from(id),
                ..ListOffsetsPartitionResponse::default()
            };
            if failures > 0 {
                failures -= 1;
                answer.error_code = ErrorCode::OFFSET_NOT_AVAILABLE;
            }
            let topic = ListOffsetsTopicResponse { name: "t".into(), partitions: vec![answer] };
            let topics = vec![topic];
            Some(asked.answer(&ListOffsetsResponse { topics, ..ListOffsetsResponse::default() }))
        });
    }
    let found = cluster(bootstrap).list_offsets("t", &[1, 0], OffsetSpec::Latest).await.unwrap();
    let offsets: Vec<_> = found.iter().map(|found| (found.partition, found.offset)).collect();
    assert_eq!(offsets, [(1, Some(101)), (0, Some(100))]);
}

#[tokio::test]
async fn callers_who_miss_the_same_topic_ask_once() {
    let broker = ScriptedBroker::bind().await;
    let addresses = vec![broker.address.clone()];
    let (bootstrap, asked_for) = (addresses.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked_for);
    broker.run(move |asked| {
        counted.fetch_add(1, Ordering::SeqCst);
        Some(asked.answer(&metadata(&addresses, 0)))
    });
    let cluster = cluster(bootstrap);
    let (a, b, c) = tokio::join!(cluster.topic("t"), cluster.topic("t"), cluster.topic("t"));
    assert!([a, b, c].iter().all(Result::is_ok));
    assert_eq!(asked_for.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_deadline_tells_whether_anybody_has_answered() {
    let limit = Duration::from_millis(200);
    let told = async |address: BrokerAddress| {
        let error = cluster(vec![address]).topic_within("t", None, limit).await.unwrap_err();
        let ClientError::Deadline { last, .. } = error else { panic!("{error}") };
        last
    };
    // It takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let last = told(BrokerAddress { host: "127.0.0.1".to_owned(), port }).await;
    assert!(matches!(*last, ClientError::NoAnswer), "{last}");
    let gone = ScriptedBroker::bind().await.address;
    let last = told(gone).await;
    assert!(matches!(*last, ClientError::NoBroker { .. }), "{last}");
    let broker = ScriptedBroker::bind().await;
    let address = broker.address.clone();
    let addresses = vec![address.clone()];
    broker.run(move |asked| {
        let mut answer = metadata(&addresses, 0);
        answer.error_code = ErrorCode::REQUEST_TIMED_OUT;
        Some(asked.answer(&answer))
    });
    let last = told(address).await;
    assert_eq!(last.code(), Some(ErrorCode::REQUEST_TIMED_OUT), "{last}");
}

/// Two brokers, of which the first one answers nothing once it is to hang.
async fn one_that_hangs() -> (Vec<BrokerAddress>, Arc<Mutex<Asked>>) {
    let ([first, second], mut addresses) = two_brokers().await;
    let asked = Arc::new(Mutex::new(Asked::default()));
    let mut brokers = [first, second];
    brokers.sort_by(|a, b| a.address.cmp(&b.address));
    addresses.sort();
    for (id, broker) in (0..).zip(brokers) {
        let (addresses, noted) = (addresses.clone(), Arc::clone(&asked));
        broker.run(move |asked: &Arrived| {
            let mut noted = noted.lock().unwrap();
            if noted.is_hanging && id == 0 {
                return Some(Bytes::new());
            }
            noted.answered.push((id, asked.api));
            Some(match asked.api {
                ApiKey::Metadata => asked.answer(&metadata(&addresses, id)),
                ApiKey::FindCoordinator => {
                    let answer = Coordinator { key: "g".into(), node_id: 1, ..host(&addresses[1]) };
                    let coordinators = vec![answer];
                    asked.answer(&FindCoordinatorResponse { coordinators, ..Default::default() })
                }
                _ => asked.answer(&InitProducerIdResponse::default()),
            })
        });
    }
    (addresses, asked)
}

#[derive(Debug, Default)]
struct Asked {
    is_hanging: bool,
    answered: Vec<(i32, ApiKey)>,
}

fn host(address: &BrokerAddress) -> Coordinator {
    let (host, port) = (address.host.as_str().into(), address.port.into());
    Coordinator { host, port, ..Coordinator::default() }
}

#[tokio::test]
async fn a_broker_that_hangs_keeps_nobody_from_asking_another() {
    let (addresses, asked) = one_that_hangs().await;
    let cluster = cluster(addresses.clone());
    // A connection stands to each.
    for id in 0..2 {
        cluster.image(None).await.unwrap();
        cluster.connection(Target::Broker(id)).await.unwrap();
    }
    asked.lock().unwrap().is_hanging = true;
    let hanging = cluster.connection(Target::Broker(0)).await.unwrap();
    // Who is asked first is chance.
    while hanging.owed().1 == 0 {
        cluster.image(None).await.unwrap();
    }
    // Each of them has the thirty seconds of a request.
    let limit = cluster.config().request_timeout / 2;
    let all = async {
        cluster.image(None).await.unwrap();
        assert_eq!(cluster.coordinator("g").await.unwrap().id, 1);
        cluster.init_producer_id().await.unwrap();
        cluster.topic("t").await.unwrap();
    };
    tokio::time::timeout(limit, all).await.expect("the other one is asked");
    assert!(hanging.closed().is_none(), "nobody has ended it");
    assert_eq!(hanging.owed().1, 1, "who is late isn't asked first again");
}

#[tokio::test]
async fn topics_that_are_missed_together_are_asked_for_together() {
    let broker = ScriptedBroker::bind().await;
    let addresses = vec![broker.address.clone()];
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (bootstrap, seen) = (addresses.clone(), Arc::clone(&requests));
    broker.run(move |asked| {
        let request: MetadataRequest = asked.decode();
        let names: Vec<_> =
            request.topics.into_iter().flatten().map(|topic| topic.name.unwrap()).collect();
        let mut answer = metadata(&addresses, 0);
        let known = answer.topics.remove(0);
        let topic = |name| MetadataResponseTopic { name: Some(name), ..known.clone() };
        answer.topics = names.iter().cloned().map(topic).collect();
        seen.lock().unwrap().push(names.len());
        Some(asked.answer(&answer))
    });
    let cluster = cluster(bootstrap);
    let lookups: Vec<_> = (0..300)
        .map(|number| {
            let cluster = cluster.clone();
            tokio::spawn(async move { cluster.topic(&format!("t{number}")).await })
        })
        .collect();
    for (number, lookup) in lookups.into_iter().enumerate() {
        assert_eq!(lookup.await.unwrap().unwrap().name, format!("t{number}"));
    }
    let requests = requests.lock().unwrap();
    assert_eq!(requests.iter().sum::<usize>(), 300, "{requests:?}");
    assert!(requests.len() < 10, "{requests:?}");
}

#[tokio::test]
async fn a_topic_that_is_never_young_enough_is_found() {
    let broker = ScriptedBroker::bind().await;
    let addresses = vec![broker.address.clone()];
    let bootstrap = addresses.clone();
    broker.run(move |asked| Some(asked.answer(&metadata(&addresses, 0))));
    let config = ClientConfig { metadata_age_max: Duration::ZERO, ..ClientConfig::default() };
    let cluster = Cluster::new(bootstrap, config);
    for _ in 0..3 {
        cluster.topic("t").await.unwrap();
    }
}

#[tokio::test]
async fn who_waits_no_longer_leaves_the_connection_to_others() {
    let broker = ScriptedBroker::bind().await;
    let address = broker.address.clone();
    let (addresses, mut count) = (vec![address.clone()], 0);
    let mut late = Bytes::new();
    broker.run(move |asked| {
        count += 1;
        let answer = asked.answer(&metadata(&addresses, 0));
        match count {
            1 => Some(answer),
            // Whoever has asked this doesn't wait for its answer.
            2 => {
                late = answer;
                Some(Bytes::new())
            }
            // Over another connection the late one would be no answer.
            3 => Some([&late[..], &answer[..]].concat().into()),
            _ => None,
        }
    });
    let cluster = cluster(vec![address]);
    cluster.image(None).await.unwrap();
    let error = cluster.topic_within("u", None, Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(error, ClientError::Deadline { .. }), "{error}");
    cluster.image(None).await.unwrap();
}

#[test]
fn a_connection_ends_with_its_runtime_and_the_next_one_connects_anew() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let serving = std::thread::spawn(move || {
        runtime().block_on(async {
            let broker = ScriptedBroker::bind().await;
            let addresses = vec![broker.address.clone()];
            tell.send(addresses.clone()).unwrap();
            broker.run(move |asked| Some(asked.answer(&metadata(&addresses, 0))));
            ended.await.ok();
        });
    });
    let cluster = cluster(told.recv().unwrap());
    let mut connections = Vec::new();
    for _ in 0..2 {
        let runtime = runtime();
        let connection = runtime.block_on(async {
            cluster.image(None).await.unwrap();
            cluster.connection(Target::Broker(0)).await.unwrap()
        });
        assert!(connection.is_usable());
        connections.push(connection);
    }
    for connection in connections {
        assert!(matches!(connection.closed(), Some(Disconnect::Dropped)));
    }
    drop(end);
    serving.join().unwrap();
}

#[tokio::test]
async fn who_repeats_what_is_doubted_isn_t_asked_again_before_others() {
    let ([first, second], addresses) = two_brokers().await;
    let bootstrap = vec![first.address.clone()];
    let has_moved = Arc::new(AtomicUsize::new(0));
    for (id, broker) in [(0, first), (1, second)] {
        let (addresses, has_moved) = (addresses.clone(), Arc::clone(&has_moved));
        broker.run(move |asked: &Arrived| {
            // The first one doesn't hear that the second one leads now.
            let is_news = id == 1 && has_moved.load(Ordering::SeqCst) > 0;
            let mut answer = metadata(&addresses, i32::from(is_news));
            answer.topics[0].partitions[0].leader_epoch = if is_news { 6 } else { 5 };
            Some(asked.answer(&answer))
        });
    }
    let cluster = cluster(bootstrap);
    let leader = async || cluster.topic("t").await.unwrap().leader(0).unwrap();
    assert_eq!(leader().await, 0);
    has_moved.store(1, Ordering::SeqCst);
    let mut questions = 0;
    while leader().await == 0 {
        questions += 1;
        cluster.doubt_leader("t", 0, 0);
    }
    assert_eq!(questions, 2, "the one that a connection stands to, then the other one");
    for _ in 0..10 {
        cluster.forget("t");
        assert_eq!(leader().await, 1, "what is older is no news");
    }
}

#[test]
fn who_hangs_is_asked_behind_those_that_repeat_what_is_doubted() {
    let address = |port| BrokerAddress { host: "b".to_owned(), port };
    let mut addresses =
        [(0, 1), (1, 2), (0, 3), (9, 4), (0, 5)].map(|(late, port)| (late, address(port)));
    sort(&mut addresses, &BTreeSet::from([1, 2, 3].map(address)));
    let order = addresses.map(|(_, address)| address.port);
    assert_eq!(order, [5, 1, 3, 4, 2]);
}
