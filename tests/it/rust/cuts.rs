//! A relay cuts, repeats or delays an exchange with a real broker at a byte: no record is lost,
//! none is there twice, and all are read in their order; a group goes on where it has committed.
//!
//! Of what a group commits this doesn't hold where the relay sends requests a second time: brokers
//! take a commit for a new one, whichever client sends it. Then records may come again.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use logboom_client::testing::{Fault, Passed, Relay, Towards, Trouble};
use logboom_client::{BrokerAddress, ClientConfig};
use logboom_consumer::{Assignor, Consumer, ConsumerError, Remedy, Start, TopicPartition};
use logboom_producer::Record;
use logboom_protocol::records::{BatchBuilder, Codec};
use logboom_tests::broker::{Broker, free_port};
use logboom_tests::foreign::or_skip;
use logboom_tests::kafka::Kafka;
use logboom_tests::raw::{Raw, topic_name};

use super::{consumer, create_topic, producer};
use crate::wire::{PRODUCE, new_topic_with, now_ms, produce_to};

const RECORDS: i64 = 6;
const DELAY: Duration = Duration::from_millis(5);
/// Records of a group, half of them for a member that leaves.
const GROUP_RECORDS: i64 = 2;
/// A member that is cut off is missed after this.
const SESSION: Duration = Duration::from_secs(1);
const HEARTBEAT: Duration = Duration::from_millis(20);

fn client() -> ClientConfig {
    ClientConfig {
        retry_backoff: Duration::from_millis(2),
        retry_backoff_max: Duration::from_millis(20),
        ..ClientConfig::default()
    }
}

/// A broker that takes a relay for itself.
struct Relayed<B> {
    /// Where it listens.
    own: BrokerAddress,
    /// The port of the relay.
    port: u16,
    _broker: B,
}

impl Relayed<Broker> {
    fn ours(name: &str) -> Self {
        let port = free_port();
        let settings = [
            format!("advertised.listeners=PLAINTEXT://127.0.0.1:{port}"),
            "group.initial.rebalance.delay.ms=0".to_owned(),
            "group.min.session.timeout.ms=100".to_owned(),
        ];
        let options: Vec<&str> = settings.iter().flat_map(|one| ["--set", one.as_str()]).collect();
        let broker = Broker::start_with(name, &options);
        Self { own: broker.bootstrap().parse().unwrap(), port, _broker: broker }
    }
}

impl Relayed<Kafka> {
    fn kafka(name: &str) -> Result<Self, String> {
        let kafka = Kafka::start(name)?;
        let (own, port) = kafka.relayed.clone();
        Ok(Self { own: own.parse().unwrap(), port, _broker: kafka })
    }
}

/// What goes over the relay.
#[derive(Debug, Clone, Copy)]
enum Exchange {
    /// A topic is made, records are sent, and read by assignment.
    Records,
    /// Two members of a group, one after the other: joins, syncs, heartbeats, commits, leaves.
    Group,
    /// The same, of members that keep what they have while the group shares anew (KIP-429).
    Cooperative,
}

impl Exchange {
    /// One exchange with a fault; what has passed.
    fn run<B>(self, broker: &Relayed<B>, fault: Option<Fault>) -> Arc<Passed> {
        // Whatever it has begun ends with it, before the next one listens where it did.
        super::run(async {
            let topic = match self {
                Self::Records => topic_name("cuts"),
                Self::Group | Self::Cooperative => filled(&broker.own),
            };
            let relay = Relay::bind_at(broker.port).await;
            let bootstrap = relay.address.to_string();
            let passed = relay.run(broker.own.clone(), fault);
            let what = format!("{fault:?}");
            match self {
                Self::Records => records(&bootstrap, &topic, &what).await,
                Self::Group | Self::Cooperative => {
                    let member = || self.member(&bootstrap, &topic);
                    group(member, &what, fault).await;
                }
            }
            passed
        })
    }

    fn member(self, bootstrap: &str, topic: &str) -> Consumer {
        let builder = consumer(bootstrap).client(client()).group_id(topic);
        let builder = builder.session_timeout(SESSION).heartbeat_interval(HEARTBEAT);
        let builder = match self {
            Self::Cooperative => builder.assignors([Assignor::CooperativeSticky]),
            Self::Records | Self::Group => builder,
        };
        let mut consumer = builder.enable_auto_commit(false).build().unwrap();
        consumer.subscribe([topic]).unwrap();
        consumer
    }
}

/// Sends and reads through a relay.
async fn records(bootstrap: &str, topic: &str, what: &str) {
    create_topic(bootstrap, topic, 1).await;
    let producer = producer(bootstrap).client(client()).batch_size(100).build().unwrap();
    let mut deliveries = Vec::new();
    for number in 0..RECORDS {
        let value = number.to_string();
        deliveries.push(producer.send(Record::to(topic).value(&value)).await.unwrap());
    }
    for (number, delivery) in (0..).zip(deliveries) {
        let delivered = delivery.await.unwrap_or_else(|error| panic!("{what}: {number}: {error}"));
        assert_eq!(delivered.offset, Some(number), "{what}");
    }
    let mut consumer = consumer(bootstrap).client(client()).build().unwrap();
    consumer.assign_from([(TopicPartition::new(topic, 0), Start::Earliest)]).unwrap();
    for number in 0..RECORDS {
        let record = match consumer.next().await {
            Ok(record) => record,
            Err(error) => panic!("{what}: {error}"),
        };
        assert_eq!(record.offset, number, "{what}");
        assert_eq!(record.value.as_deref(), Some(number.to_string().as_bytes()), "{what}");
    }
    let end = consumer.control().end_offsets(&[TopicPartition::new(topic, 0)]).await.unwrap();
    assert_eq!(end.into_values().collect::<Vec<_>>(), [RECORDS], "{what}: nothing is there twice");
}

/// A topic with what a group reads, made without a relay.
fn filled(broker: &BrokerAddress) -> String {
    let mut raw = Raw::connect(&broker.to_string());
    let topic = new_topic_with(&mut raw, "cuts", 1, &[]);
    for number in 0..GROUP_RECORDS {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.append(now_ms(), None, Some(number.to_string().as_bytes()), &[]).unwrap();
        let response = raw.call(PRODUCE, &produce_to(&topic, 0, builder.build().unwrap()));
        let answer = &response.responses[0].partition_responses[0];
        assert!(answer.error_code.is_none(), "{answer:?}");
    }
    topic
}

/// One member after the other reads and commits its half.
async fn group(member: impl Fn() -> Consumer, what: &str, fault: Option<Fault>) {
    let comes_again = fault.is_some_and(|fault| fault.trouble == Trouble::CutAndRepeat);
    let half = GROUP_RECORDS / 2;
    let mut next = 0;
    for until in [half, GROUP_RECORDS] {
        let committed_min = if comes_again { 0 } else { next };
        next = read_on(member(), committed_min, next, until, what).await;
    }
}

/// What passes by itself.
fn passes<T: Debug>(result: Result<T, ConsumerError>, what: &str) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) if error.remedy() == Remedy::Retry => None,
        Err(error) => panic!("{what}: {error}"),
    }
}

/// Reads and commits record by record until one is committed that is so far; returns what is next.
///
/// - `committed`: what the group has committed at least.
/// - `next`: what nobody has read yet. It goes on there, or where the group has committed.
async fn read_on(
    mut consumer: Consumer,
    mut committed: i64,
    mut next: i64,
    until: i64,
    what: &str,
) -> i64 {
    while committed < until {
        let Some(record) = passes(consumer.next().await, what) else { continue };
        assert!(
            (committed..=next).contains(&record.offset),
            "{what}: {} where {committed} is committed and {next} is next",
            record.offset
        );
        assert_eq!(record.value.as_deref(), Some(record.offset.to_string().as_bytes()), "{what}");
        next = next.max(record.offset + 1);
        if passes(consumer.commit().await, what).is_some() {
            committed = committed.max(record.offset + 1);
        }
    }
    // So that there is a heartbeat to be cut.
    tokio::time::sleep(2 * HEARTBEAT).await;
    passes(consumer.close().await, what);
    next
}

/// Tries each fault behind each `step`th byte, or behind every byte if that is asked for.
fn cut_everywhere<B>(exchange: Exchange, broker: &Relayed<B>, step: usize) {
    let exchanges = [(); 3].map(|()| exchange.run(broker, None));
    // They differ in what travels together.
    let length = |towards| exchanges.iter().map(|passed| passed.bytes(towards)).min().unwrap();
    let step = if std::env::var_os("LOGBOOM_EVERY_BYTE").is_some() { 1 } else { step };
    let (mut rounds, mut came) = (0, 0);
    for towards in [Towards::Broker, Towards::Client] {
        for trouble in [Trouble::Cut, Trouble::CutAndRepeat, Trouble::Delay(DELAY)] {
            for at in (0..length(towards)).step_by(step) {
                let passed = exchange.run(broker, Some(Fault { towards, at, trouble }));
                (rounds, came) = (rounds + 1, came + u32::from(passed.has_come()));
            }
        }
    }
    let lengths = [Towards::Broker, Towards::Client].map(length);
    println!("{exchange:?}: {lengths:?} bytes there and back, {came} of {rounds} faults came");
    // Some exchanges are shorter than those.
    assert!(came * 10 >= rounds * 8, "{came} of {rounds} faults came");
}

#[test]
fn an_exchange_that_is_cut_at_any_byte_costs_and_doubles_nothing() {
    cut_everywhere(Exchange::Records, &Relayed::ours("cuts"), 97);
}

#[test]
fn a_group_that_is_cut_at_any_byte_goes_on_where_it_has_committed() {
    cut_everywhere(Exchange::Group, &Relayed::ours("cuts-group"), 197);
}

#[test]
fn a_cooperative_group_that_is_cut_at_any_byte_goes_on_where_it_has_committed() {
    cut_everywhere(Exchange::Cooperative, &Relayed::ours("cuts-cooperative"), 397);
}

#[test]
fn apache_kafka_s_exchanges_may_be_cut_at_any_byte() {
    let kafka = Relayed::kafka("cuts-kafka");
    let Some(kafka) = or_skip("cuts before Apache Kafka", kafka) else { return };
    cut_everywhere(Exchange::Records, &kafka, 997);
    cut_everywhere(Exchange::Group, &kafka, 997);
}
