//! A relay cuts, repeats or delays an exchange with a real broker at a byte: no record is lost,
//! none is there twice, and all are read in their order.

use std::time::Duration;

use logboom_client::testing::{Fault, Passed, Relay, Towards, Trouble};
use logboom_client::{BrokerAddress, ClientConfig};
use logboom_consumer::{Start, TopicPartition};
use logboom_producer::Record;
use logboom_tests::broker::Broker;
use logboom_tests::raw::topic_name;

use super::{consumer, create_topic, producer, run};

const RECORDS: i64 = 6;
const DELAY: Duration = Duration::from_millis(5);

fn client() -> ClientConfig {
    ClientConfig {
        retry_backoff: Duration::from_millis(2),
        retry_backoff_max: Duration::from_millis(20),
        ..ClientConfig::default()
    }
}

/// Sends and reads through a relay that a broker takes for itself.
async fn exchange(bootstrap: &str, topic: &str, what: &str) {
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

/// One exchange with a fault; what has passed.
async fn round(name: &str, fault: Option<Fault>) -> std::sync::Arc<Passed> {
    let relay = Relay::bind().await;
    let advertised = format!("advertised.listeners=PLAINTEXT://{}", relay.address);
    let broker = Broker::start_with(name, &["--set", &advertised]);
    let own: BrokerAddress = broker.bootstrap().parse().unwrap();
    let topic = topic_name("cuts");
    let bootstrap = relay.address.to_string();
    let passed = relay.run(own, fault);
    create_topic(&bootstrap, &topic, 1).await;
    exchange(&bootstrap, &topic, &format!("{fault:?}")).await;
    passed
}

#[test]
fn an_exchange_that_is_cut_at_any_byte_costs_and_doubles_nothing() {
    let exchanges = [(); 3].map(|()| run(round("cuts", None)));
    // They differ in what travels together.
    let length = |towards| exchanges.iter().map(|passed| passed.bytes(towards)).min().unwrap();
    let step = if std::env::var_os("LOGBOOM_EVERY_BYTE").is_some() { 1 } else { 97 };
    let (mut rounds, mut came) = (0, 0);
    for towards in [Towards::Broker, Towards::Client] {
        for trouble in [Trouble::Cut, Trouble::CutAndRepeat, Trouble::Delay(DELAY)] {
            for at in (0..length(towards)).step_by(step) {
                let passed = run(round("cuts", Some(Fault { towards, at, trouble })));
                (rounds, came) = (rounds + 1, came + u32::from(passed.has_come()));
            }
        }
    }
    // Some exchanges are shorter than those.
    assert!(came * 10 >= rounds * 8, "{came} of {rounds} faults came");
}
