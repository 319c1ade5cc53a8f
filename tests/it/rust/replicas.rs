//! Our consumer and the replicas of Apache Kafka: it reads in its rack (KIP-392), and says so when
//! what it has read is lost (KIP-320).

use std::time::Duration;

use logboom_client::{BrokerAddress, ClientConfig, Cluster, NewTopic, Partition};
use logboom_consumer::{Consumer, ConsumerError, OffsetReset, Remedy, Start, TopicPartition};
use logboom_producer::{Producer, Record};
use logboom_tests::foreign::or_skip;
use logboom_tests::kafka::Pair;
use logboom_tests::raw::topic_name;

use super::{consumer, producer, run};

const RECORDS: i64 = 100;
const VALUE_BYTES: usize = 2_000;
/// Of what is fetched ahead: a few records.
const QUEUED_BYTES: usize = 8_000;
/// How often somebody looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[test]
fn our_consumer_and_the_replicas_of_apache_kafka() {
    let what = "our consumer and the replicas of Apache Kafka";
    let Some(mut pair) = or_skip(what, Pair::start("rust-kafka-pair")) else { return };
    run(reads_in_its_rack(&pair));
    run(tells_what_is_lost(&mut pair));
}

/// What a broker says of the only partition of a topic.
async fn partition(bootstrap: &str, topic: &str) -> Option<Partition> {
    let brokers = BrokerAddress::parse_list(bootstrap).unwrap();
    let cluster = Cluster::new(brokers, ClientConfig::default());
    let image = cluster.image(Some(&[topic])).await.ok()?;
    image.topics.into_values().next()?.partitions.into_iter().next()
}

async fn wait_until(bootstrap: &str, topic: &str, is_so: impl Fn(&Partition) -> bool) {
    while !partition(bootstrap, topic).await.is_some_and(|it| is_so(&it)) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A topic of one partition on both brokers, who leads it, and a producer.
async fn created(pair: &Pair, name: &str) -> (String, i32, Producer) {
    let (topic, bootstrap) = (topic_name(name), pair.bootstrap());
    let brokers = BrokerAddress::parse_list(&bootstrap).unwrap();
    let wanted = NewTopic {
        name: topic.clone(),
        partition_count: Some(1),
        replication_factor: Some(2),
        configs: vec![("unclean.leader.election.enable".into(), "true".into())],
        validate_only: false,
    };
    Cluster::new(brokers, ClientConfig::default()).create_topic(&wanted).await.unwrap();
    wait_until(&bootstrap, &topic, |it| it.leader.is_some() && it.in_sync.len() == 2).await;
    let leader = partition(&bootstrap, &topic).await.unwrap().leader.unwrap();
    (topic, leader, producer(&bootstrap).build().unwrap())
}

async fn publish(producer: &Producer, topic: &str, numbers: std::ops::Range<i64>) {
    for number in numbers {
        let mut value = number.to_string().into_bytes();
        value.resize(VALUE_BYTES, b' ');
        let sent = producer.publish(Record::to(topic).value(&value)).await.unwrap();
        assert_eq!(sent.offset, Some(number));
    }
}

/// The next record, however often the consumer says that it tries again.
async fn next(consumer: &mut Consumer) -> Result<i64, ConsumerError> {
    loop {
        match consumer.next().await {
            Ok(record) => return Ok(record.offset),
            Err(error) if error.remedy() == Remedy::Retry => {}
            Err(error) => return Err(error),
        }
    }
}

/// While the leader hangs, and is still held for the leader, all is there in the follower's rack.
async fn reads_in_its_rack(pair: &Pair) {
    let (topic, leader, producer) = created(pair, "rust-rack").await;
    publish(&producer, &topic, 0..RECORDS).await;
    let follower = 3 - leader;
    let builder = consumer(&pair.bootstrap()).client_rack(format!("rack-{follower}"));
    let builder = builder.queued_max_bytes(QUEUED_BYTES).max_partition_fetch_bytes(1);
    let mut consumer = builder.build().unwrap();
    consumer.assign_from([(TopicPartition::new(topic.as_str(), 0), Start::Earliest)]).unwrap();
    assert_eq!(next(&mut consumer).await.unwrap(), 0);
    pair.signal(leader, "STOP");
    // Of the last ones the follower may not know yet that they are committed.
    for offset in 1..RECORDS - 10 {
        assert_eq!(next(&mut consumer).await.unwrap(), offset);
    }
    let address = &pair.addresses[usize::from(follower == 2)];
    let told = partition(address, &topic).await.unwrap().leader;
    pair.signal(leader, "CONT");
    assert_eq!(told, Some(leader), "nobody has elected the follower");
}

/// A leader that was alone for a while is gone, and one without the last records follows it.
async fn tells_what_is_lost(pair: &mut Pair) {
    let (topic, leader, producer) = created(pair, "rust-lost").await;
    let (bootstrap, follower) = (pair.bootstrap(), 3 - leader);
    publish(&producer, &topic, 0..10).await;
    pair.stop(follower);
    wait_until(&bootstrap, &topic, |it| it.in_sync == [leader]).await;
    publish(&producer, &topic, 10..20).await;
    let builder = Consumer::builder().bootstrap_servers(&bootstrap);
    let mut consumer = builder.auto_offset_reset(OffsetReset::None).build().unwrap();
    let place = TopicPartition::new(topic.as_str(), 0);
    consumer.assign_from([(place.clone(), Start::Earliest)]).unwrap();
    for offset in 0..20 {
        assert_eq!(next(&mut consumer).await.unwrap(), offset);
    }
    pair.stop(leader);
    pair.start_again(follower);
    wait_until(&bootstrap, &topic, |it| it.leader == Some(follower)).await;
    match next(&mut consumer).await.unwrap_err() {
        ConsumerError::Truncated { partition, offset, diverging } => {
            assert_eq!((partition, offset, diverging), (place.clone(), 20, Some(10)));
        }
        error => panic!("{error}"),
    }
    consumer.control().seek(&place, Start::Offset(10)).unwrap();
    publish(&producer, &topic, 10..11).await;
    assert_eq!(next(&mut consumer).await.unwrap(), 10);
}
