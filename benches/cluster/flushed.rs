//! Records that are flushed three times before they are acknowledged.

use std::fs::{File, remove_file};
use std::io::Write as _;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use logboom_protocol::records::{BatchBuilder, Codec};
use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::scratch;

use super::{BROKERS, say, start};

const PRODUCE: i16 = 7;
/// Connections, each with a partition of its own and a request under way.
const CONNECTIONS: usize = 12;
const BATCH_BYTES: usize = 1_000_000;
/// What the plain program writes between two flushes of a file.
const PLAIN_BYTES: [usize; 2] = [1_000_000, 4_000_000];
const PAIRS: usize = 5;

pub(crate) fn measure(program: &str, megabytes: usize) {
    let cluster = start(program);
    let partitions = i32::try_from(CONNECTIONS).expect("small");
    let topic = cluster.new_topic("flushed", partitions, 3);
    cluster.wait_until(&topic, "it is in sync", |it| it.isr_nodes.len() == 3);
    let batch = batch();
    ours(&cluster, &topic, &batch, megabytes / 10);
    let mut ratios = Vec::new();
    for _ in 0..PAIRS {
        let ours = ours(&cluster, &topic, &batch, megabytes);
        let plain = PLAIN_BYTES.map(|bytes| plain(bytes, megabytes));
        let [small, large] = plain.map(|plain| 100.0 * ours / plain);
        ratios.push(large);
        let [one, four] = plain;
        say(&format!(
            "{ours:.0} MB/s; three files with a flush each MB {one:.0} MB/s ({small:.0} %), each \
             4 MB {four:.0} MB/s ({large:.0} %)"
        ));
    }
    ratios.sort_by(f64::total_cmp);
    say(&format!("median: {:.0} % of three files with a flush each 4 MB", ratios[PAIRS / 2]));
}

/// Megabytes a second that the cluster acknowledges.
fn ours(cluster: &Cluster, topic: &str, batch: &Bytes, megabytes: usize) -> f64 {
    let each = megabytes / CONNECTIONS;
    let begun = Instant::now();
    thread::scope(|scope| {
        for index in 0..CONNECTIONS {
            scope.spawn(move || produce(cluster, topic, index, batch, each));
        }
    });
    (each * CONNECTIONS) as f64 / begun.elapsed().as_secs_f64()
}

fn produce(cluster: &Cluster, name: &str, index: usize, batch: &Bytes, count: usize) {
    let index = i32::try_from(index).expect("small");
    let mut raw = cluster.leader(name, index);
    let mut left = count;
    while left > 0 {
        let data = PartitionProduceData { index, records: Some(batch.clone()) };
        let topic = TopicProduceData {
            name: name.into(),
            partition_data: vec![data],
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 60_000,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        };
        let answer = &raw.call(PRODUCE, &request).responses[0].partition_responses[0];
        match answer.error_code {
            ErrorCode::NONE => left -= 1,
            // It was just created: not every broker has heard of it, nor found that it leads.
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::NOT_LEADER_OR_FOLLOWER => {
                pause();
                raw = cluster.leader(name, index);
            }
            _ => panic!("{answer:?}"),
        }
    }
}

/// Megabytes a second that a program writes to each of three files at once, and flushes.
fn plain(flushed_bytes: usize, megabytes: usize) -> f64 {
    let bytes = vec![b'x'; flushed_bytes];
    let root = scratch("cluster-plain");
    let paths: Vec<PathBuf> = (0..BROKERS).map(|at| root.join(format!("{at}"))).collect();
    let count = megabytes * 1_000_000 / flushed_bytes;
    let begun = Instant::now();
    thread::scope(|scope| {
        for path in &paths {
            let bytes = &bytes;
            scope.spawn(move || {
                let mut file = File::create(path).expect("ours to write");
                for _ in 0..count {
                    file.write_all(bytes).and_then(|()| file.sync_data()).expect("there is room");
                }
            });
        }
    });
    let took = begun.elapsed().as_secs_f64();
    paths.iter().for_each(|path| remove_file(path).expect("it was made"));
    (count * flushed_bytes) as f64 / 1e6 / took
}

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    let value = vec![b'x'; 1_000];
    for _ in 0..BATCH_BYTES / 1_010 {
        builder.append(1, None, Some(&value), &[]).expect("it fits");
    }
    builder.build().expect("it isn't empty")
}
