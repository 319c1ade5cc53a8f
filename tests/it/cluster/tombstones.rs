//! A tombstone goes when no replica has what it hides any more.

use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_protocol::records::{BatchBuilder, Codec};
use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::raw::{read_all, topic_name};

use crate::wire::{PRODUCE, now_ms, produce_to};

const PATIENCE: Duration = Duration::from_secs(90);
/// So many records of so many bytes are more than a segment.
const FILLERS: usize = 3;
const FILLER_BYTES: usize = 500_000;

fn create(cluster: &Cluster) -> String {
    let name = topic_name("tombstones");
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("delete.retention.ms", "0"),
    ];
    cluster.create_topic_with(&name, 1, 3, &configs);
    cluster.wait_until(&name, "it is led", |it| it.leader_id > 0);
    name
}

/// Produces a record; returns its offset.
fn send(cluster: &Cluster, topic: &str, key: &str, value: Option<&[u8]>) -> i64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut batch = BatchBuilder::new(Codec::None);
        batch.append(now_ms(), Some(key.as_bytes()), value, &[]).unwrap();
        let request = produce_to(topic, 0, batch.build().unwrap());
        let answer = cluster.leader(topic, 0).call(PRODUCE, &request);
        let answer = &answer.responses[0].partition_responses[0];
        if answer.error_code == ErrorCode::NONE {
            return answer.base_offset;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        pause();
    }
}

/// Fills segments until what fills them was compacted away.
fn compact(cluster: &Cluster, topic: &str) {
    let first = send(cluster, topic, "filler", Some(&[1; FILLER_BYTES]));
    for _ in 0..FILLERS {
        send(cluster, topic, "filler", Some(&[1; FILLER_BYTES]));
    }
    let deadline = Instant::now() + PATIENCE;
    while has(cluster, topic, first) {
        assert!(Instant::now() < deadline, "it isn't compacted");
        pause();
    }
}

fn has(cluster: &Cluster, topic: &str, offset: i64) -> bool {
    let records = read_all(&mut cluster.leader(topic, 0), topic, 0);
    records.iter().any(|record| record.offset == offset)
}

#[test]
fn a_tombstone_waits_for_a_replica_that_has_what_it_hides() {
    let settings = |_| vec!["log.cleaner.backoff.ms=50".to_owned()];
    let mut cluster = Cluster::start_with("tombstones", 3, settings);
    let topic = create(&cluster);
    let hidden = send(&cluster, &topic, "key", Some(b"value"));
    cluster.wait_until(&topic, "all have it", |it| it.isr_nodes.len() == 3);
    let away = cluster.partitions(&topic)[0].leader_id;
    cluster.kill(away);
    let tombstone = send(&cluster, &topic, "key", None);
    for _ in 0..3 {
        compact(&cluster, &topic);
        assert!(has(&cluster, &topic, tombstone), "it hides what another replica has");
    }
    assert!(!has(&cluster, &topic, hidden));
    cluster.restart(away);
    let deadline = Instant::now() + PATIENCE;
    while has(&cluster, &topic, tombstone) {
        assert!(Instant::now() < deadline, "it stays for ever");
        compact(&cluster, &topic);
    }
}
