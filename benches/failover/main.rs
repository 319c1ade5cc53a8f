//! How long nobody acknowledges when the broker that leads a partition is killed: from the kill to
//! the first acknowledgement of a client that asks again and again.
//!
//! `cargo run --release -p logboom-benches --bin failover -- ROUNDS`

use std::time::{Duration, Instant};

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use logboom_protocol::records::{BatchBuilder, Codec};
use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;

const PRODUCE: i16 = 9;
/// Longer than any failover takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn record() -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(0, None, Some(&[b'x'; 1_000]), &[]).expect("a small record");
    builder.build().expect("a small batch")
}

fn request(topic: &str) -> ProduceRequest {
    let data = PartitionProduceData { index: 0, records: Some(record()) };
    ProduceRequest {
        acks: -1,
        timeout_ms: 1_000,
        topic_data: vec![TopicProduceData {
            name: topic.into(),
            partition_data: vec![data],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    }
}

/// Produces until a record is acknowledged.
fn produce(cluster: &Cluster, topic: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = cluster.leader(topic, 0).try_call(PRODUCE, &request(topic));
        let code = answer.map(|it| it.responses[0].partition_responses[0].error_code);
        if code == Some(ErrorCode::NONE) {
            return;
        }
        assert!(Instant::now() < deadline, "nobody acknowledges: {code:?}");
        pause();
    }
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20_usize);
    let mut cluster = Cluster::start("failover", 3);
    let topic = cluster.new_topic("failover", 1, 3);
    let mut times = Vec::new();
    for _ in 0..rounds {
        produce(&cluster, &topic);
        let leader = cluster.partitions(&topic)[0].leader_id;
        let killed = Instant::now();
        cluster.kill(leader);
        produce(&cluster, &topic);
        times.push(killed.elapsed());
        cluster.restart(leader);
        cluster.wait_until(&topic, "it is in sync again", |it| it.isr_nodes.len() == 3);
    }
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_millis();
    println!("{rounds} kills: median {} ms, 95 % {} ms, all {} ms", at(50), at(95), at(100));
}
