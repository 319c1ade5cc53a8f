//! Three brokers that are killed in turn, while our producer sends and a group of our consumers
//! reads: what was acknowledged is there once and in order, and the group has seen all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use logboom_consumer::{Assignor, Start, TopicPartition};
use logboom_producer::Record;
use logboom_tests::cluster::Cluster;

use super::{consumer, producer, run};

const PARTITIONS: i32 = 3;
/// Between two kills.
const BETWEEN: Duration = Duration::from_secs(4);

/// Sends numbers to a partition until it is told to end; how many.
async fn write(
    producer: logboom_producer::Producer,
    topic: String,
    partition: i32,
    is_over: Arc<AtomicBool>,
) -> i64 {
    let mut deliveries = Vec::new();
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        let value = count.to_string();
        let record = Record::to(&topic).partition(partition).value(&value);
        deliveries.push((count, producer.send(record).await.unwrap()));
        count += 1;
        if count % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    for (number, delivery) in deliveries {
        let delivered = delivery.await.unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!(delivered.offset, Some(number), "partition {partition}");
    }
    count
}

/// Reads as a member of a group until all is seen; what it has seen of each partition.
async fn member(
    bootstrap: String,
    topic: String,
    is_over: Arc<AtomicBool>,
) -> BTreeMap<i32, BTreeSet<i64>> {
    let builder = consumer(&bootstrap).group_id("kills");
    let mut consumer = builder.assignors([Assignor::CooperativeSticky]).build().unwrap();
    consumer.subscribe([&topic]).unwrap();
    let mut seen = BTreeMap::<i32, BTreeSet<i64>>::new();
    while !is_over.load(Ordering::Relaxed) {
        let next = tokio::time::timeout(Duration::from_millis(200), consumer.next()).await;
        let Ok(next) = next else { continue };
        // What a kill costs passes.
        let Ok(record) = next else { continue };
        let value = str::from_utf8(record.value.as_ref().unwrap()).unwrap().parse().unwrap();
        assert_eq!(record.offset, value, "partition {}", record.partition);
        seen.entry(record.partition).or_default().insert(value);
    }
    consumer.close().await.unwrap();
    seen
}

#[test]
fn kills_of_each_broker_cost_and_double_nothing() {
    let mut cluster = Cluster::start("rust-kills", 3);
    let topic = cluster.new_topic("rust-kills", PARTITIONS, 3);
    let bootstrap = cluster.bootstrap();
    run(async {
        let producer = producer(&bootstrap).build().unwrap();
        let (is_over, is_read) =
            (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let writers: Vec<_> = (0..PARTITIONS)
            .map(|partition| {
                let writing =
                    write(producer.clone(), topic.clone(), partition, Arc::clone(&is_over));
                tokio::spawn(writing)
            })
            .collect();
        let members: Vec<_> = (0..2)
            .map(|_| tokio::spawn(member(bootstrap.clone(), topic.clone(), Arc::clone(&is_read))))
            .collect();
        for id in 1..=3 {
            tokio::time::sleep(BETWEEN).await;
            cluster.kill(id);
            tokio::time::sleep(BETWEEN / 2).await;
            cluster.restart(id);
        }
        tokio::time::sleep(BETWEEN).await;
        is_over.store(true, Ordering::Relaxed);
        let mut counts = Vec::new();
        for writer in writers {
            counts.push(writer.await.unwrap());
        }
        assert!(counts.iter().all(|count| *count > 1_000), "{counts:?}");
        check_log(&bootstrap, &topic, &counts).await;
        // The group has as much time again to come to the end.
        tokio::time::sleep(2 * BETWEEN).await;
        is_read.store(true, Ordering::Relaxed);
        let mut seen = BTreeMap::<i32, BTreeSet<i64>>::new();
        for member in members {
            for (partition, numbers) in member.await.unwrap() {
                seen.entry(partition).or_default().extend(numbers);
            }
        }
        for (partition, count) in (0..).zip(counts) {
            let numbers = &seen[&partition];
            assert_eq!(numbers.len(), usize::try_from(count).unwrap(), "partition {partition}");
        }
    });
}

/// Each partition holds its numbers, once and in order.
async fn check_log(bootstrap: &str, topic: &str, counts: &[i64]) {
    let mut consumer = consumer(bootstrap).build().unwrap();
    let place = |partition| (TopicPartition::new(topic, partition), Start::Earliest);
    consumer.assign_from((0..PARTITIONS).map(place)).unwrap();
    let mut next = vec![0; counts.len()];
    for _ in 0..counts.iter().sum::<i64>() {
        let record = consumer.next().await.unwrap();
        let expected = &mut next[usize::try_from(record.partition).unwrap()];
        assert_eq!(record.offset, *expected);
        assert_eq!(record.value.as_deref(), Some(expected.to_string().as_bytes()));
        *expected += 1;
    }
    assert_eq!(next, counts);
}
