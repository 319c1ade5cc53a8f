//! Plan: two brokers that a test scripts; leaders move, are not there, hang, and metadata isn't
//! told any more. What one partition waits for no other one waits for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use logboom_client::testing::{Arrived, ScriptedBroker};
use logboom_client::{Acks, BrokerAddress, ClientConfig};
use logboom_protocol::messages::init_producer_id::InitProducerIdResponse;
use logboom_protocol::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use logboom_protocol::messages::produce::ProduceRequest;
use logboom_protocol::{ApiKey, ErrorCode};

use super::model::acknowledge;
use super::{LIMIT, MILLISECOND, client};
use crate::{Producer, ProducerBuilder, Record};

/// What the brokers know and do.
#[derive(Debug)]
struct Brokers {
    addresses: Vec<BrokerAddress>,
    /// Of each partition of topic `t`; −1 for none.
    leaders: Vec<i32>,
    /// Whether topics aren't told of for the time being.
    is_mute: bool,
    /// Whether broker 0 answers no batch.
    hangs: bool,
    /// Where the leaders are as soon as broker 0 has ended the connection that its next batch
    /// comes by.
    fails_over_to: Option<Vec<i32>>,
    /// A partition of which its leader says that it isn't.
    disowned: Option<i32>,
    /// Which broker got a batch for which partition.
    seen: Vec<(i32, i32)>,
}

impl Brokers {
    async fn start(leaders: &[i32]) -> (Arc<Mutex<Self>>, ProducerBuilder) {
        let brokers = [ScriptedBroker::bind().await, ScriptedBroker::bind().await];
        let addresses: Vec<_> = brokers.iter().map(|broker| broker.address.clone()).collect();
        let builder = Producer::builder().brokers(addresses.clone()).linger(MILLISECOND);
        let shared = Arc::new(Mutex::new(Self {
            addresses,
            leaders: leaders.to_vec(),
            is_mute: false,
            hangs: false,
            fails_over_to: None,
            disowned: None,
            seen: Vec::new(),
        }));
        for (id, broker) in (0..).zip(brokers) {
            let shared = Arc::clone(&shared);
            broker.run(move |asked| shared.lock().unwrap().answer(id, asked));
        }
        (shared, builder)
    }

    fn answer(&mut self, id: i32, asked: &Arrived) -> Option<Bytes> {
        match asked.api {
            ApiKey::Metadata => Some(asked.answer(&self.metadata())),
            ApiKey::InitProducerId => Some(asked.answer(&InitProducerIdResponse::default())),
            _ => self.produce(id, asked),
        }
    }

    fn produce(&mut self, id: i32, asked: &Arrived) -> Option<Bytes> {
        let request: ProduceRequest = asked.decode();
        let batches = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
        self.seen.extend(batches.map(|one| (id, one.index)));
        if id == 0
            && let Some(leaders) = self.fails_over_to.take()
        {
            self.leaders = leaders;
            return None;
        }
        if id == 0 && self.hangs {
            return Some(Bytes::new());
        }
        let mut answer = acknowledge(&request);
        let told = answer.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses);
        for one in told.filter(|one| Some(one.index) == self.disowned) {
            one.error_code = ErrorCode::NOT_LEADER_OR_FOLLOWER;
        }
        Some(asked.answer(&answer))
    }

    fn metadata(&self) -> MetadataResponse {
        let broker = |(node_id, address): (i32, &BrokerAddress)| MetadataResponseBroker {
            node_id,
            host: address.host.as_str().into(),
            port: address.port.into(),
            ..MetadataResponseBroker::default()
        };
        let partition = |(partition_index, &leader_id): (i32, &i32)| MetadataResponsePartition {
            partition_index,
            leader_id,
            ..MetadataResponsePartition::default()
        };
        let topic = MetadataResponseTopic {
            name: Some("t".into()),
            partitions: (0..).zip(&self.leaders).map(partition).collect(),
            ..MetadataResponseTopic::default()
        };
        let error_code = if self.is_mute { ErrorCode::REQUEST_TIMED_OUT } else { ErrorCode::NONE };
        MetadataResponse {
            error_code,
            brokers: (0..).zip(&self.addresses).map(broker).collect(),
            topics: vec![topic],
            ..MetadataResponse::default()
        }
    }
}

/// Publishes to a partition.
async fn publish(producer: &Producer, partition: i32) {
    let record = Record::to("t").value("1").partition(partition);
    tokio::time::timeout(LIMIT / 3, producer.publish(record)).await.expect("in time").unwrap();
}

#[tokio::test]
async fn a_partition_that_waits_for_its_leader_holds_up_no_other() {
    for is_led in [false, true] {
        let (brokers, builder) = Brokers::start(&[0, if is_led { 1 } else { -1 }]).await;
        let producer = builder.client(client()).build().unwrap();
        publish(&producer, 0).await;
        {
            let mut brokers = brokers.lock().unwrap();
            (brokers.is_mute, brokers.disowned) = (true, Some(1));
        }
        let stuck = producer.send(Record::to("t").value("1").partition(1)).await.unwrap();
        let stuck = tokio::spawn(stuck);
        for _ in 0..50 {
            publish(&producer, 0).await;
        }
        assert!(!stuck.is_finished());
        let of_stuck = |brokers: &Brokers| brokers.seen.iter().filter(|one| one.1 == 1).count();
        let asked = of_stuck(&brokers.lock().unwrap());
        assert_eq!(asked, usize::from(is_led), "who isn't believed isn't asked again");
        {
            let mut brokers = brokers.lock().unwrap();
            (brokers.is_mute, brokers.disowned, brokers.leaders) = (false, None, vec![0, 1]);
        }
        tokio::time::timeout(LIMIT, stuck).await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_topic_that_is_never_young_enough_is_sent_to() {
    let (_brokers, builder) = Brokers::start(&[0, 1]).await;
    let client = ClientConfig { metadata_age_max: Duration::ZERO, ..client() };
    let producer = builder.client(client).build().unwrap();
    for partition in [0, 1, 0, 1] {
        publish(&producer, partition).await;
    }
}

#[tokio::test]
async fn what_waits_behind_a_broker_that_hangs_follows_its_leader() {
    let (brokers, builder) = Brokers::start(&[0, 0, 1]).await;
    let client = ClientConfig {
        in_flight_max: 1,
        metadata_age_max: 20 * MILLISECOND,
        request_timeout: 10 * LIMIT,
        delivery_timeout: 20 * LIMIT,
        ..client()
    };
    let producer = builder.client(client).build().unwrap();
    publish(&producer, 0).await;
    brokers.lock().unwrap().hangs = true;
    let stuck = producer.send(Record::to("t").value("1").partition(0)).await.unwrap();
    while brokers.lock().unwrap().seen.len() < 2 {
        tokio::task::yield_now().await;
    }
    let waits = producer.send(Record::to("t").value("1").partition(1)).await.unwrap();
    let waits = tokio::spawn(waits);
    publish(&producer, 2).await;
    brokers.lock().unwrap().leaders = vec![0, 1, 1];
    let others = async {
        while !waits.is_finished() {
            publish(&producer, 2).await;
        }
    };
    tokio::time::timeout(LIMIT / 3, others).await.expect("it goes to its new leader");
    waits.await.unwrap().unwrap();
    assert!(brokers.lock().unwrap().seen.contains(&(1, 1)));
    drop(stuck);
}

#[tokio::test]
async fn what_waits_for_a_broker_that_goes_is_not_sent_to_it_once_more() {
    let (brokers, builder) = Brokers::start(&[0, 0]).await;
    let client = ClientConfig { in_flight_max: 1, ..client() };
    // A batch a request.
    let builder = builder.client(client).linger(LIMIT).max_request_size(500);
    let producer = builder.build().unwrap();
    brokers.lock().unwrap().fails_over_to = Some(vec![1, 1]);
    let mut deliveries = Vec::new();
    for partition in 0..2 {
        let record = Record::to("t").value(&[b'1'; 300]).partition(partition);
        deliveries.push(producer.send(record).await.unwrap());
    }
    producer.flush().await;
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    let seen = &brokers.lock().unwrap().seen;
    let of_first = seen.iter().filter(|(id, _)| *id == 0).count();
    assert_eq!((of_first, seen.len()), (1, 3), "{seen:?}");
}

#[tokio::test]
async fn a_record_that_is_lost_to_a_former_leader_is_the_only_one() {
    for acks in [Acks::Leader, Acks::All] {
        let (brokers, builder) = Brokers::start(&[0]).await;
        let producer = builder.client(client()).acks(acks).retries(0).build().unwrap();
        brokers.lock().unwrap().disowned = Some(0);
        let error = producer.publish(Record::to("t").value("1")).await.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        {
            let mut brokers = brokers.lock().unwrap();
            (brokers.disowned, brokers.leaders) = (None, vec![1]);
        }
        publish(&producer, 0).await;
        assert_eq!(brokers.lock().unwrap().seen, [(0, 0), (1, 0)]);
    }
}
