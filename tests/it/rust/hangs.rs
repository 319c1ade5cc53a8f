//! Our producer where a topic grows, and where a broker hangs: it is stopped, so its connections
//! stand and nothing comes by them.

use std::time::Duration;

use logboom_client::ClientConfig;
use logboom_producer::Record;
use logboom_tests::broker::shared;
use logboom_tests::cluster::Cluster;
use logboom_tests::raw::topic_name;

use super::{create_topic, producer, run};

/// Less than the thirty seconds that an answer may take.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_partition_that_a_topic_gets_later_is_sent_to() {
    let broker = shared();
    let bootstrap = broker.bootstrap();
    let topic = topic_name("grows");
    run(async {
        create_topic(&bootstrap, &topic, 1).await;
        let producer = producer(&bootstrap).build().unwrap();
        producer.publish(Record::to(&topic).value("a")).await.unwrap();
        producer.cluster().add_partitions(&topic, 3, false).await.unwrap();
        for partition in [2, 1] {
            let record = Record::to(&topic).value("a").partition(partition);
            let delivered = producer.publish(record).await.unwrap();
            assert_eq!((delivered.partition, delivered.offset), (partition, Some(0)));
        }
    });
}

#[test]
fn a_broker_that_hangs_keeps_no_producer_from_the_others() {
    let mut cluster = Cluster::start("rust-hangs", 3);
    let (known, new) = (cluster.new_topic("hangs", 3, 3), cluster.new_topic("hangs-new", 3, 3));
    let bootstrap = cluster.bootstrap();
    // Of the brokers that are connected the one with the lowest address would be asked first.
    let mut addresses: Vec<_> = (1..=3).map(|id| (cluster.broker(id).bootstrap(), id)).collect();
    addresses.sort();
    let hangs = addresses[0].1;
    run(async {
        let producer = producer(&bootstrap).client(ClientConfig::default()).build().unwrap();
        for partition in 0..3 {
            let record = Record::to(&known).value("a").partition(partition);
            producer.publish(record).await.unwrap();
        }
        let told = cluster.partitions(&new);
        cluster.broker(hangs).signal("STOP");
        let others = told.iter().filter(|partition| partition.leader_id != hangs);
        let mut count = 0;
        for partition in others {
            let record = Record::to(&new).value("a").partition(partition.partition_index);
            let published = tokio::time::timeout(SOON, producer.publish(record)).await;
            published.expect("another broker is asked").unwrap();
            count += 1;
        }
        assert!(count > 0, "one broker leads all partitions");
    });
    cluster.broker(hangs).signal("CONT");
}
