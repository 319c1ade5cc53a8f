//! Plan: what a producer tells of itself and of its records, and what a send that is given up
//! leaves behind.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::mpsc;

use logboom_client::Acks;
use logboom_client::testing::{Meters, ScriptedBroker};
use logboom_protocol::ApiKey;
use logboom_protocol::messages::produce::ProduceRequest;

use super::model::Broker;
use super::{LIMIT, MILLISECOND, Rig, acknowledged_but, client};
use crate::{Producer, Record};

/// The names that the crate's doc has in its table.
fn documented() -> BTreeSet<String> {
    let lines = include_str!("../lib.rs").lines();
    let lines = lines.skip_while(|line| !line.contains("logboom_producer_…"));
    let names = lines.filter_map(|line| line.strip_prefix("//! | `")?.split('`').next());
    names.map(|name| format!("logboom_producer_{name}")).collect()
}

#[tokio::test]
async fn it_counts_what_its_doc_lists() {
    let meters = Meters::default();
    let _counting = metrics::set_default_local_recorder(&meters);
    let rig = Rig::new(Broker::troubled(3)).await;
    let deliveries = rig.send(0..40).await;
    let sent = acknowledged_but(&rig, deliveries, "", &mut Vec::new()).await;
    let names = meters.names().into_iter().filter(|name| name.starts_with("logboom_producer_"));
    assert_eq!(names.collect::<BTreeSet<_>>(), documented());
    let records = meters.count("logboom_producer_records_total");
    assert_eq!(records, u64::try_from(sent.len()).unwrap());
    assert_eq!(records + meters.count("logboom_producer_failed_records_total"), 40);
}

#[tokio::test]
async fn without_acknowledgements_a_record_is_done_when_it_is_written() {
    let scripted = ScriptedBroker::bind().await;
    let bootstrap = scripted.address.to_string();
    let address = Some(scripted.address.clone());
    let mut broker = Broker { address, ..Broker::default() };
    let (seen, mut acks) = mpsc::unbounded_channel();
    scripted.run(move |asked| match asked.api {
        ApiKey::Produce => {
            seen.send(asked.decode::<ProduceRequest>().acks).unwrap();
            Some(Bytes::new())
        }
        _ => broker.answer(asked),
    });
    let builder = Producer::builder().bootstrap_servers(&bootstrap).client(client());
    let producer = builder.acks(Acks::None).build().unwrap();
    for _ in 0..3 {
        let delivered = producer.publish(Record::to("t").value("a")).await.unwrap();
        assert_eq!((delivered.partition, delivered.offset), (0, None));
        assert_eq!(acks.recv().await, Some(0));
    }
    producer.close(LIMIT).await;
}

#[tokio::test]
async fn a_send_that_is_given_up_sends_nothing_and_keeps_no_room() {
    const BUFFER: usize = 1_000;
    let scripted = ScriptedBroker::bind().await;
    let bootstrap = scripted.address.to_string();
    let address = Some(scripted.address.clone());
    let broker = Broker { address, is_silent: true, ..Broker::default() };
    let broker = Arc::new(Mutex::new(broker));
    let answering = Arc::clone(&broker);
    scripted.run(move |asked| answering.lock().unwrap().answer(asked));
    let builder = Producer::builder().bootstrap_servers(&bootstrap).client(client());
    let producer = builder.buffer_memory(BUFFER).linger(MILLISECOND).build().unwrap();
    let value = |number: u32| format!("{number:0600}");
    let first = producer.send(Record::to("t").value(&value(1))).await.unwrap();
    for number in 2..5 {
        let given_up = value(number);
        let send = producer.send(Record::to("t").value(&given_up));
        tokio::time::timeout(5 * MILLISECOND, send).await.unwrap_err();
    }
    broker.lock().unwrap().is_silent = false;
    first.await.unwrap();
    producer.publish(Record::to("t").value(&value(6))).await.unwrap();
    assert_eq!(broker.lock().unwrap().log, [1, 6]);
}
