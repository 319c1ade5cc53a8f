//! Deleted records (WIRE 88), and bytes on the disk.

use logboom_protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use logboom_protocol::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResult,
};

use super::*;

/// Deletes records of a partition; returns the log start and the code.
fn delete(broker: &TestBroker, topic: &str, partition: i32, offset: i64) -> (i64, ErrorCode) {
    let partitions = vec![DeleteRecordsPartition { partition_index: partition, offset }];
    let topics = vec![DeleteRecordsTopic { name: topic.into(), partitions }];
    let request = DeleteRecordsRequest { topics, timeout_ms: 30_000 };
    let response = broker.request(&request, newest::<DeleteRecordsRequest>());
    let result = &response.topics[0].partitions[0];
    assert_eq!((response.topics[0].name.as_str(), result.partition_index), (topic, partition));
    (result.low_watermark, result.error_code)
}

fn describe(broker: &TestBroker, topics: Option<&[(&str, i32)]>) -> DescribeLogDirsResult {
    let topic = |(name, partition): &(&str, i32)| DescribableLogDirTopic {
        topic: CompactString::from(*name),
        partitions: vec![*partition],
    };
    let topics = topics.map(|topics| topics.iter().map(topic).collect());
    let request = DescribeLogDirsRequest { topics };
    let mut response = broker.request(&request, newest::<DescribeLogDirsRequest>());
    assert_eq!((response.error_code, response.results.len()), (ErrorCode::NONE, 1));
    response.results.remove(0)
}

#[test]
fn wire_88_a_log_start_outlives_the_broker() {
    let mut broker = TestBroker::start();
    create(&broker, vec![topic("t", 1)]);
    produce(&broker, "t", 5, None);
    assert_eq!(delete(&broker, "t", 0, 3), (3, ErrorCode::NONE));
    broker.restart();
    assert_eq!(delete(&broker, "t", 0, 0), (3, ErrorCode::NONE));
    assert_eq!(delete(&broker, "t", 1, 0), (-1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
}

#[test]
fn wire_88_what_the_cluster_keeps_for_itself_is_not_deleted() {
    let broker = TestBroker::start();
    create(&broker, vec![topic("__consumer_offsets", 1)]);
    let internal = delete(&broker, "__consumer_offsets", 0, -1);
    assert_eq!(internal, (-1, ErrorCode::INVALID_TOPIC_EXCEPTION));
}

#[test]
fn the_directory_tells_the_bytes_of_each_partition() {
    let broker = TestBroker::start();
    create(&broker, vec![topic("b", 2), topic("a", 1)]);
    produce(&broker, "b", 3, None);
    let all = describe(&broker, None);
    assert_eq!(all.error_code, ErrorCode::NONE);
    assert_eq!(&*all.log_dir, broker.config().data_dir.to_str().unwrap());
    assert!(0 < all.usable_bytes && all.usable_bytes <= all.total_bytes);
    let partitions = |result: &DescribeLogDirsResult| -> Vec<(String, i32, bool)> {
        let each = result.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|one| {
                assert_eq!((one.offset_lag, one.is_future_key), (0, false));
                (topic.name.to_string(), one.partition_index, one.partition_size > 0)
            })
        });
        each.collect()
    };
    let (a, b) = ("a".to_owned(), "b".to_owned());
    assert_eq!(partitions(&all), [(a, 0, false), (b.clone(), 0, true), (b.clone(), 1, false)]);
    let some = describe(&broker, Some(&[("b", 1), ("b", 7), ("c", 0)]));
    assert_eq!(partitions(&some), [(b, 1, false)]);
    assert_eq!(partitions(&describe(&broker, Some(&[]))), []);
}
