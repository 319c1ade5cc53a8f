//! Waits, polled by hand: no clock is read.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Waker};

use logboom_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use logboom_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use logboom_protocol::records::{BatchBuilder, Codec};

use super::super::wanted::TopicName;
use super::*;
use crate::testing::TestBroker;

/// A broker with an empty topic `t`.
fn start() -> TestBroker {
    let broker = TestBroker::start();
    let topic = CreatableTopic {
        name: "t".into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    let response = broker.request(&request, 7);
    assert_eq!(response.topics[0].error_code, ErrorCode::NONE);
    broker
}

fn produce(broker: &TestBroker) {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(1, None, Some(b"v"), &[]).unwrap();
    let records = Some(builder.build().unwrap());
    let partition_data = vec![PartitionProduceData { index: 0, records }];
    let topic = TopicProduceData { name: "t".into(), partition_data, ..Default::default() };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![topic],
        ..Default::default()
    };
    let response = broker.request(&request, 9);
    assert_eq!(response.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
}

/// Everything of partition 0.
fn wanted() -> Wanted {
    Wanted {
        topic: Arc::new(TopicName::Name("t".into())),
        partition: 0,
        offset: 0,
        bytes_max: 1 << 20,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    }
}

const LONG: Duration = Duration::from_secs(3_600);

#[test]
fn a_fetch_of_old_records_waits_for_memory() {
    let mut broker = start();
    produce(&broker);
    broker.restart();
    let node = broker.broker().node();
    let (image, wanted) = (node.image(), [wanted()]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let shut = node.answers.take_for(1 << 40);
        let limits = Limits { bytes_min: 1, bytes_max: 1 << 20, wait_max: Duration::ZERO };
        let hasty = Poll::new(node, &image, &wanted, limits, Reader::default()).run().await;
        assert!(hasty[0].records.is_empty());
        assert_eq!((hasty[0].error_code, hasty[0].high_watermark), (ErrorCode::NONE, 1));
        let limits = Limits { wait_max: LONG, ..limits };
        let mut patient = pin!(Poll::new(node, &image, &wanted, limits, Reader::default()).run());
        assert!(patient.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(node.answers.is_to_hurry());
        drop(shut);
        assert!(patient.await[0].is_cold);
    });
    assert_eq!(node.metrics.queued_response_bytes.get(), 0, "given back with the records");
}

#[test]
fn a_fetch_that_holds_memory_waits_no_more_when_others_want_it() {
    let mut broker = start();
    produce(&broker);
    broker.restart();
    let node = broker.broker().node();
    let (image, wanted) = (node.image(), [wanted()]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        // More than there is.
        let limits = Limits { bytes_min: 1 << 20, bytes_max: 1 << 20, wait_max: LONG };
        let mut holder = pin!(Poll::new(node, &image, &wanted, limits, Reader::default()).run());
        let held = async {
            while node.metrics.queued_response_bytes.get() == 0 {
                yield_now().await;
            }
        };
        tokio::select! {
            _ = &mut holder => panic!("there isn't as much as it wants"),
            () = held => {}
        }
        let _shut = node.answers.take_for(1 << 40);
        tokio::select! {
            answers = &mut holder => assert!(!answers[0].records.is_empty()),
            _ = node.answers.take(Share::Any, 1) => panic!("the door is shut"),
        }
    });
}

#[test]
fn wire_49_a_fetch_without_records_waits_until_its_time_is_over_or_some_are_there() {
    let broker = start();
    let node = broker.broker().node();
    let image = node.image();
    let wanted = [wanted()];
    let fetch = |wait_max| {
        let limits = Limits { bytes_min: 1, bytes_max: 1 << 20, wait_max };
        Poll::new(node, &image, &wanted, limits, Reader::default()).run()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut long = pin!(fetch(Duration::from_secs(3_600)));
        let mut context = Context::from_waker(Waker::noop());
        let early = long.as_mut().poll(&mut context);
        assert!(early.is_pending(), "an answer that comes early would make the client spin");
        let over = fetch(Duration::from_millis(1)).await;
        assert_eq!((over[0].error_code, over[0].records.len()), (ErrorCode::NONE, 0));
        assert!(long.as_mut().poll(&mut context).is_pending(), "its own time is not over");
        produce(&broker);
        assert!(!long.await[0].records.is_empty());
    });
}
