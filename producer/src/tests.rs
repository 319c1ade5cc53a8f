//! Plan: a producer sends to a broker that a test scripts, which keeps the rules of idempotent
//! producers (KIP-98) and nothing else; a relay or the script makes trouble. In the end the log
//! must hold what was acknowledged where it was acknowledged, once and in order.

mod leaders;
mod model;
mod told;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use logboom_client::testing::{Fault, Relay, ScriptedBroker, Towards, Trouble};
use logboom_client::{BrokerAddress, ClientConfig};
use logboom_protocol::messages::produce::ProduceRequest;
use logboom_protocol::{ApiKey, ErrorCode};

use self::model::{Broker, Chance};
use crate::{Codec, Delivery, ProduceError, Producer, Record, Remedy};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Longer than anything that these tests wait for.
const LIMIT: Duration = Duration::from_secs(60);

/// A model with a producer that talks to it.
struct Rig {
    broker: Arc<Mutex<Broker>>,
    producer: Producer,
}

fn client() -> ClientConfig {
    ClientConfig {
        retry_backoff: MILLISECOND,
        retry_backoff_max: 2 * MILLISECOND,
        request_timeout: Duration::from_millis(500),
        ..ClientConfig::default()
    }
}

impl Rig {
    /// Through a relay, whose address the broker names as its own.
    async fn relayed(
        mut broker: Broker,
        fault: Option<Fault>,
    ) -> (Self, Arc<logboom_client::testing::Passed>) {
        let (scripted, relay) = (ScriptedBroker::bind().await, Relay::bind().await);
        broker.address = Some(relay.address.clone());
        let (target, bootstrap) = (scripted.address.clone(), relay.address.clone());
        let passed = relay.run(target, fault);
        (Self::over(broker, scripted, &bootstrap), passed)
    }

    async fn new(mut broker: Broker) -> Self {
        let scripted = ScriptedBroker::bind().await;
        broker.address = Some(scripted.address.clone());
        let bootstrap = scripted.address.clone();
        Self::over(broker, scripted, &bootstrap)
    }

    fn over(broker: Broker, scripted: ScriptedBroker, bootstrap: &BrokerAddress) -> Self {
        let broker = Arc::new(Mutex::new(broker));
        let answering = Arc::clone(&broker);
        scripted.run(move |asked| answering.lock().unwrap().answer(asked));
        let builder =
            Producer::builder().bootstrap_servers(&bootstrap.to_string()).client(client());
        let builder = builder.topic_propagation_max(20 * MILLISECOND);
        // Three records a batch.
        let producer = builder.batch_size(120).linger(MILLISECOND).build().unwrap();
        Self { broker, producer }
    }

    /// Sends numbers as records.
    async fn send(&self, numbers: std::ops::Range<u32>) -> Vec<(u32, Delivery)> {
        let mut deliveries = Vec::new();
        for number in numbers {
            let value = number.to_string();
            let record = Record::to("t").value(&value);
            deliveries.push((number, self.producer.send(record).await.unwrap()));
        }
        deliveries
    }
}

/// The numbers that were acknowledged, each of which stands at its offset. Those of which nobody
/// knows are put with `unsure`.
async fn acknowledged_but(
    rig: &Rig,
    deliveries: Vec<(u32, Delivery)>,
    run: &str,
    unsure: &mut Vec<u32>,
) -> Vec<u32> {
    let mut sent = Vec::new();
    for (number, delivery) in deliveries {
        let result = tokio::time::timeout(LIMIT, delivery).await.expect("every record has an end");
        match result {
            Ok(delivered) => {
                let at = usize::try_from(delivered.offset.unwrap()).unwrap();
                let log = rig.broker.lock().unwrap().log.clone();
                assert_eq!(log.get(at), Some(&number), "{run}: {number} isn't at {at}");
                sent.push(number);
            }
            Err(ProduceError::Forgotten { .. }) => unsure.push(number),
            Err(error) => assert!(rig.broker.lock().unwrap().refuses(number), "{run}: {error}"),
        }
    }
    sent
}

/// The numbers that were acknowledged; of all others it is known that they aren't there.
async fn acknowledged(rig: &Rig, deliveries: Vec<(u32, Delivery)>, run: &str) -> Vec<u32> {
    let mut unsure = Vec::new();
    let sent = acknowledged_but(rig, deliveries, run, &mut unsure).await;
    assert_eq!(unsure, [0; 0], "{run}");
    sent
}

/// All numbers, once and in order.
fn check_log(rig: &Rig, acknowledged: &[u32], run: &str) {
    assert_eq!(rig.broker.lock().unwrap().log, acknowledged, "{run}");
}

#[tokio::test]
async fn records_arrive_in_order_whatever_travels_together() {
    let rig = Rig::new(Broker::default()).await;
    let deliveries = rig.send(0..500).await;
    let sent = acknowledged(&rig, deliveries, "").await;
    check_log(&rig, &sent, "");
    assert_eq!(sent.len(), 500);
    let batches = rig.broker.lock().unwrap().batches;
    assert!(batches < 300, "{batches} batches of 500 records");
}

#[tokio::test]
async fn a_connection_that_ends_at_any_byte_costs_and_doubles_nothing() {
    let records = 0..8;
    let mut exchanges = Vec::new();
    for _ in 0..3 {
        let (rig, passed) = Rig::relayed(Broker::default(), None).await;
        let deliveries = rig.send(records.clone()).await;
        acknowledged(&rig, deliveries, "").await;
        exchanges.push(passed);
    }
    // They differ in what travels together.
    let length = |towards| exchanges.iter().map(|passed| passed.bytes(towards)).min().unwrap();
    let (mut rounds, mut came) = (0, 0);
    let step = if std::env::var_os("LOGBOOM_EVERY_BYTE").is_some() { 1 } else { 13 };
    for towards in [Towards::Broker, Towards::Client] {
        for trouble in [Trouble::Cut, Trouble::CutAndRepeat, Trouble::Delay(3 * MILLISECOND)] {
            for at in (0..length(towards)).step_by(step) {
                let fault = Fault { towards, at, trouble };
                let run = format!("{fault:?}");
                let (rig, passed) = Rig::relayed(Broker::default(), Some(fault)).await;
                let deliveries = rig.send(records.clone()).await;
                let sent = acknowledged(&rig, deliveries, &run).await;
                (rounds, came) = (rounds + 1, came + u32::from(passed.has_come()));
                assert_eq!(sent.len(), records.len(), "{run}");
                check_log(&rig, &sent, &run);
            }
        }
    }
    // Some exchanges are shorter than those.
    assert!(came * 10 >= rounds * 8, "{came} of {rounds} faults came");
}

#[tokio::test]
async fn whatever_brokers_answer_what_is_acknowledged_is_there_once_and_in_order() {
    let seeds = std::env::var("LOGBOOM_PRODUCER_SEEDS").ok().and_then(|text| text.parse().ok());
    let mut all_unsure = 0;
    for seed in 0..seeds.unwrap_or(150) {
        let run = format!("seed {seed}");
        let rig = Rig::new(Broker::troubled(seed)).await;
        let mut chance = Chance::new(seed);
        let mut deliveries = Vec::new();
        let mut next = 0;
        for _ in 0..8 {
            let count = u32::try_from(chance.below(12)).unwrap();
            deliveries.extend(rig.send(next..next + count).await);
            next += count;
            if chance.below(2) == 0 {
                rig.producer.flush().await;
            }
        }
        let mut unsure = Vec::new();
        let sent = acknowledged_but(&rig, deliveries, &run, &mut unsure).await;
        // Those of which nobody knows are there once at the most, and in their place.
        let log = rig.broker.lock().unwrap().log.clone();
        assert!(log.is_sorted_by(|a, b| a < b), "{run}: {log:?}");
        let known: Vec<u32> = log.into_iter().filter(|one| !unsure.contains(one)).collect();
        assert_eq!(known, sent, "{run}");
        all_unsure += unsure.len();
    }
    assert!(all_unsure > 0, "no broker has forgotten anything");
}

#[tokio::test]
async fn memory_that_is_full_makes_who_sends_wait() {
    let broker = Broker { is_silent: true, ..Broker::default() };
    let scripted = ScriptedBroker::bind().await;
    let bootstrap = scripted.address.to_string();
    let broker = Arc::new(Mutex::new(Broker { address: Some(scripted.address.clone()), ..broker }));
    let answering = Arc::clone(&broker);
    scripted.run(move |asked| answering.lock().unwrap().answer(asked));
    let client = ClientConfig { request_timeout: 50 * MILLISECOND, ..client() };
    let builder = Producer::builder().bootstrap_servers(&bootstrap).client(client);
    let builder = builder.buffer_memory(1_000).max_block(100 * MILLISECOND);
    let producer = builder.batch_size(100).linger(MILLISECOND).build().unwrap();
    let value = [b'x'; 300];
    let mut deliveries = Vec::new();
    let error = loop {
        match producer.send(Record::to("t").value(&value)).await {
            Ok(delivery) => deliveries.push(delivery),
            Err(error) => break error,
        }
        assert!(deliveries.len() < 4, "there is room for three");
    };
    assert!(matches!(error, ProduceError::NoRoom { .. }), "{error}");
    let large = [b'x'; 1_000];
    let error = producer.send(Record::to("t").value(&large)).await.unwrap_err();
    assert!(matches!(error, ProduceError::TooLarge { limit: 1_000, .. }), "{error}");
    // As soon as brokers answer there is room again.
    broker.lock().unwrap().is_silent = false;
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    producer.publish(Record::to("t").value(&value)).await.unwrap();
}

#[tokio::test]
async fn a_topic_that_isn_t_there_is_named() {
    let rig = Rig::new(Broker::default()).await;
    let error = rig.producer.send(Record::to("none").value("a")).await.unwrap_err();
    assert_eq!(error.to_string(), "topic none: there is none of that name");
    let record = Record::to("t").value("a").partition(7);
    let error = rig.producer.send(record).await.unwrap_err();
    assert!(error.to_string().starts_with("partition t-7: the topic has 1"), "{error}");
}

#[tokio::test]
async fn a_partition_that_a_topic_gets_later_is_sent_to() {
    let rig = Rig::new(Broker::default()).await;
    rig.producer.publish(Record::to("t").value("1")).await.unwrap();
    rig.broker.lock().unwrap().further_partitions = 2;
    // Nothing is queued that would make the sender ask.
    let delivery = rig.producer.send(Record::to("t").value("2").partition(2)).await.unwrap();
    assert_eq!(delivery.partition(), 2);
    delivery.await.unwrap();
    let error = rig.producer.send(Record::to("t").value("3").partition(3)).await.unwrap_err();
    assert!(error.to_string().starts_with("partition t-3: the topic has 3"), "{error}");
    let error = rig.producer.send(Record::to("t").value("3").partition(-1)).await.unwrap_err();
    assert!(error.to_string().starts_with("partition t--1: the topic has 3"), "{error}");
}

#[tokio::test]
async fn a_topic_whose_partitions_aren_t_told_yet_is_waited_for() {
    let scripted = ScriptedBroker::bind().await;
    let bootstrap = scripted.address.to_string();
    let address = Some(scripted.address.clone());
    let mut broker = Broker { address, further_partitions: -1, ..Broker::default() };
    let mut questions = 0;
    scripted.run(move |asked| {
        questions += u32::from(asked.api == ApiKey::Metadata);
        if questions == 3 {
            broker.further_partitions = 0;
        }
        broker.answer(asked)
    });
    let builder = Producer::builder().bootstrap_servers(&bootstrap).client(client());
    let producer = builder.build().unwrap();
    for record in [Record::to("t").value("1"), Record::to("t").value("2").key("k")] {
        producer.publish(record).await.unwrap();
    }
}

#[tokio::test]
async fn a_record_has_one_limit_to_wait_for_its_topic_and_for_room() {
    const MAX_BLOCK: Duration = Duration::from_millis(200);
    let scripted = ScriptedBroker::bind().await;
    let bootstrap = scripted.address.to_string();
    let address = Some(scripted.address.clone());
    let mut broker = Broker { address, is_silent: true, ..Broker::default() };
    scripted.run(move |asked| {
        let answer = broker.answer(asked);
        broker.further_partitions = 1;
        answer
    });
    let builder = Producer::builder().bootstrap_servers(&bootstrap).client(client());
    let producer = builder.buffer_memory(1_000).max_block(MAX_BLOCK).build().unwrap();
    let value = [b'x'; 800];
    let _fills = producer.send(Record::to("t").value(&value)).await.unwrap();
    let waited = async |partition| {
        let record = Record::to("t").value(&value).partition(partition);
        match producer.send(record).await.unwrap_err() {
            ProduceError::NoRoom { after } => after,
            error => panic!("{error}"),
        }
    };
    assert!(waited(1).await < MAX_BLOCK, "it was asked for that partition first");
    assert_eq!(waited(0).await, MAX_BLOCK);
}

#[tokio::test]
async fn a_producer_that_is_closed_has_sent_what_it_took() {
    let rig = Rig::new(Broker::default()).await;
    let other = rig.producer.clone();
    let deliveries = rig.send(0..9).await;
    let Rig { broker, producer } = rig;
    producer.close(LIMIT).await;
    assert_eq!(broker.lock().unwrap().log.len(), 9);
    for (_, delivery) in deliveries {
        delivery.await.unwrap();
    }
    for topic in ["t", "other"] {
        let error = other.send(Record::to(topic).value("a")).await.unwrap_err();
        assert!(matches!(error, ProduceError::Closed), "{error}");
    }
}

#[tokio::test]
async fn a_producer_that_is_dropped_sends_what_it_took() {
    let Rig { broker, producer } = Rig::new(Broker::default()).await;
    let delivery = producer.send(Record::to("t").value("1")).await.unwrap();
    drop(producer);
    delivery.await.unwrap();
    assert_eq!(broker.lock().unwrap().log, [1]);
}

#[tokio::test]
async fn a_close_that_takes_too_long_fails_what_is_left() {
    let rig = Rig::new(Broker { is_silent: true, ..Broker::default() }).await;
    let deliveries = rig.send(0..20).await;
    rig.producer.close(50 * MILLISECOND).await;
    for (_, delivery) in deliveries {
        let error = delivery.await.unwrap_err();
        assert!(matches!(error, ProduceError::Closed), "{error}");
    }
}

#[tokio::test]
async fn a_producer_that_brokers_don_t_allow_ends_with_their_reason() {
    let refused = Broker { naming: ErrorCode::CLUSTER_AUTHORIZATION_FAILED, ..Broker::default() };
    let rig = Rig::new(refused).await;
    let delivery = rig.producer.send(Record::to("t").value("a")).await.unwrap();
    let error = delivery.await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::CLUSTER_AUTHORIZATION_FAILED));
    let error = rig.producer.send(Record::to("t").value("a")).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::CLUSTER_AUTHORIZATION_FAILED));
}

#[tokio::test]
async fn a_producer_that_gets_no_id_for_long_asks_again() {
    let scripted = ScriptedBroker::bind().await;
    let bootstrap = scripted.address.to_string();
    let naming = ErrorCode::COORDINATOR_NOT_AVAILABLE;
    let mut broker =
        Broker { address: Some(scripted.address.clone()), naming, ..Broker::default() };
    let mut refusals = 0;
    scripted.run(move |asked| {
        let answer = broker.answer(asked);
        refusals += u32::from(asked.api == ApiKey::InitProducerId);
        if refusals == 3 {
            broker.naming = ErrorCode::NONE;
        }
        answer
    });
    // There is no time for a second attempt, so each refusal is the end of a call.
    let (pause, api_timeout) = (SECOND, SECOND / 2);
    let client = ClientConfig {
        retry_backoff: pause,
        retry_backoff_max: pause,
        api_timeout,
        ..ClientConfig::default()
    };
    let builder = Producer::builder().bootstrap_servers(&bootstrap).client(client);
    let producer = builder.build().unwrap();
    let delivery = producer.send(Record::to("t").value("5")).await.unwrap();
    tokio::time::timeout(LIMIT, delivery).await.unwrap().unwrap();
}

#[tokio::test]
async fn while_somebody_waits_for_room_no_batch_waits_for_more() {
    let scripted = ScriptedBroker::bind().await;
    let bootstrap = scripted.address.to_string();
    let mut broker = Broker { address: Some(scripted.address.clone()), ..Broker::default() };
    scripted.run(move |asked| broker.answer(asked));
    let builder = Producer::builder().bootstrap_servers(&bootstrap);
    let builder = builder.buffer_memory(1_000).linger(LIMIT).max_block(LIMIT / 4);
    let producer = builder.build().unwrap();
    let senders: Vec<_> = (0..30)
        .map(|_| {
            let producer = producer.clone();
            tokio::spawn(async move { producer.send(Record::to("t").value(&[b'1'; 300])).await })
        })
        .collect();
    let mut deliveries = Vec::new();
    for sender in senders {
        deliveries.push(sender.await.unwrap().unwrap());
    }
    producer.flush().await;
    for delivery in deliveries {
        delivery.await.unwrap();
    }
}

#[tokio::test]
async fn a_request_has_no_more_bytes_than_it_may() {
    const LIMIT_BYTES: usize = 1_000;
    let scripted = ScriptedBroker::bind().await;
    let bootstrap = scripted.address.to_string();
    let address = Some(scripted.address.clone());
    let mut broker = Broker { address, further_partitions: 3, ..Broker::default() };
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    scripted.run(move |asked| {
        if asked.api != ApiKey::Produce {
            return broker.answer(asked);
        }
        let request: ProduceRequest = asked.decode();
        let batches = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
        let bytes = batches.map(|one| one.records.as_ref().unwrap().len());
        seen.lock().unwrap().push(bytes.sum::<usize>());
        Some(asked.answer(&model::acknowledge(&request)))
    });
    let builder = Producer::builder().bootstrap_servers(&bootstrap).linger(LIMIT);
    let producer = builder.max_request_size(LIMIT_BYTES).build().unwrap();
    let mut deliveries = Vec::new();
    for partition in 0..4 {
        let record = Record::to("t").value(&[b'x'; 300]).partition(partition);
        deliveries.push(producer.send(record).await.unwrap());
    }
    producer.flush().await;
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    let requests = requests.lock().unwrap();
    assert_eq!(requests.len(), 2, "two batches each: {requests:?}");
    assert!(requests.iter().all(|bytes| *bytes <= LIMIT_BYTES), "{requests:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_waits_for_room_of_a_producer_that_is_closed_is_told() {
    let scripted = ScriptedBroker::bind().await;
    let bootstrap = scripted.address.to_string();
    let mut broker = Broker { address: Some(scripted.address.clone()), ..Broker::default() };
    // The broker says nothing of the batch, which keeps its room. A script that waits instead takes
    // a thread from the runtime, perhaps the one that looks after sockets and clocks: while the
    // others sleep none of them takes that over, and then no time-out ends either.
    scripted.run(move |asked| match asked.api {
        ApiKey::Produce => Some(Bytes::new()),
        _ => broker.answer(asked),
    });
    let (request_timeout, delivery_timeout) = (10 * LIMIT, 20 * LIMIT);
    let client = ClientConfig { request_timeout, delivery_timeout, ..client() };
    let builder = Producer::builder().bootstrap_servers(&bootstrap).client(client);
    let producer = builder.buffer_memory(1_000).max_block(10 * LIMIT).build().unwrap();
    let value = [b'x'; 800];
    let delivery = producer.send(Record::to("t").value(&value)).await.unwrap();
    let waiting = producer.clone();
    let waiting = tokio::spawn(async move { waiting.send(Record::to("t").value(&value)).await });
    producer.close(50 * MILLISECOND).await;
    let error = tokio::time::timeout(LIMIT, waiting).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, ProduceError::Closed), "{error}");
    assert!(delivery.await.is_err());
}

#[test]
fn a_producer_whose_runtime_has_ended_leaves_nobody_waiting() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let silent = Broker { is_silent: true, ..Broker::default() };
    let (rig, delivery) = first.block_on(async {
        let rig = Rig::new(silent).await;
        let delivery = rig.producer.send(Record::to("t").value("5")).await.unwrap();
        (rig, delivery)
    });
    first.shutdown_background();
    second.block_on(async {
        let late = tokio::time::timeout(LIMIT, delivery).await.unwrap();
        assert!(matches!(late, Err(ProduceError::Closed)), "{late:?}");
        tokio::time::timeout(LIMIT, rig.producer.flush()).await.unwrap();
        let error = rig.producer.send(Record::to("t").value("6")).await.unwrap_err();
        assert!(matches!(error, ProduceError::Closed), "{error}");
    });
}

#[tokio::test]
async fn codecs_are_as_the_batch_says() {
    for codec in Codec::ALL {
        let scripted = ScriptedBroker::bind().await;
        let bootstrap = scripted.address.to_string();
        let address = Some(scripted.address.clone());
        let broker = Arc::new(Mutex::new(Broker { address, ..Broker::default() }));
        let answering = Arc::clone(&broker);
        scripted.run(move |asked| answering.lock().unwrap().answer(asked));
        let builder = Producer::builder().bootstrap_servers(&bootstrap).compression_type(codec);
        let producer = builder.build().unwrap();
        producer.publish(Record::to("t").value("5")).await.unwrap();
        assert_eq!(broker.lock().unwrap().codecs, [codec]);
    }
}

#[tokio::test]
async fn who_waits_for_a_topic_hears_whether_a_broker_has_answered() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bootstrap = silent.local_addr().unwrap().to_string();
    let builder = Producer::builder().bootstrap_servers(&bootstrap).client(client());
    let producer = builder.max_block(100 * MILLISECOND).build().unwrap();
    let error = producer.send(Record::to("t").value("a")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "look up topic t: not done within 100 ms; no broker has answered yet"
    );
    assert_eq!(error.remedy(), Remedy::Retry, "it passes");
    assert!(!error.may_be_appended());
}
