//! A broker whose flushes hang for seconds: others take over what it leads, and keep it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_protocol::records::{BatchBuilder, Codec};
use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::scratch;
use logboom_tests::raw::{Raw, read_all};

use super::wait_for_reason;
use crate::wire::{PRODUCE, now_ms, produce_to, send_home};

const PATIENCE: Duration = Duration::from_secs(60);

/// A library that has flushes hang.
fn library(root: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c/hanging_flushes.c");
    let library = root.join("hanging_flushes.so");
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", "-o"]).args([&library, &source]);
    assert!(command.status().unwrap().success(), "a C compiler builds it");
    library
}

fn send(raw: &mut Raw, topic: &str, number: i64) -> Option<ErrorCode> {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(now_ms(), None, Some(number.to_string().as_bytes()), &[]).unwrap();
    let request = produce_to(topic, 0, builder.build().unwrap());
    let answer = raw.try_call(PRODUCE, &request)?;
    Some(answer.responses[0].partition_responses[0].error_code)
}

#[test]
fn a_leader_whose_flushes_hang_hands_over_and_nothing_is_lost() {
    let root = scratch("slow-flushes-control");
    let hang = root.join("hang");
    let mut cluster = Cluster::start("slow-flushes", 3);
    let topic = cluster.new_topic("slow-flushes", 1, 3);
    cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
    let slow = cluster.partitions(&topic)[0].replica_nodes[0];
    cluster.stop(slow);
    cluster.broker(slow).set_variable("LD_PRELOAD", &library(&root));
    cluster.broker(slow).set_variable("HANG", &hang);
    cluster.wait_until(&topic, "another leads", |it| it.leader_id > 0 && it.leader_id != slow);
    cluster.restart(slow);
    cluster.wait_until(&topic, "it is in sync", |it| it.isr_nodes.len() == 3);
    // It isn't known at once that it is back.
    let deadline = Instant::now() + PATIENCE;
    while send_home(&cluster, &topic, 1) != [ErrorCode::NONE] {
        assert!(Instant::now() < deadline, "it can't lead");
        pause();
    }
    cluster.wait_until(&topic, "it leads", |it| it.leader_id == slow);
    File::create(&hang).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut sent = 0;
    while !cluster.broker(slow).stderr().contains("others are to lead") {
        let taken = send(&mut cluster.leader(&topic, 0), &topic, sent);
        sent += i64::from(taken == Some(ErrorCode::NONE));
        assert!(Instant::now() < deadline, "it notices nothing after {sent} records");
        pause();
    }
    cluster.wait_until(&topic, "another leads", |it| it.leader_id > 0 && it.leader_id != slow);
    wait_for_reason(&cluster, &topic, &format!("{slow}: behind: its flushes hang, or did lately,"));
    // It is still slow, and nobody gives the office back, though there is always something to do.
    for _ in 0..200 {
        let led = cluster.wait_until(&topic, "it is led", |it| it.leader_id > 0);
        assert_ne!(led[0].leader_id, slow, "after {sent} records");
        let taken = send(&mut cluster.leader(&topic, 0), &topic, sent);
        sent += i64::from(taken == Some(ErrorCode::NONE));
    }
    assert!(sent > 100, "only {sent} were acknowledged");
    fs::remove_file(&hang).unwrap();
    cluster.wait_until(&topic, "it is in sync again", |it| it.isr_nodes.len() == 3);
    let records = read_all(&mut cluster.leader(&topic, 0), &topic, 0);
    let values = records.iter().map(|it| String::from_utf8_lossy(&it.value).into_owned());
    let mut numbers: Vec<i64> = values.map(|value| value.parse().unwrap()).collect();
    // One whose answer was an error may be there, too.
    numbers.dedup();
    numbers.retain(|number| *number < sent);
    assert_eq!(numbers, (0..sent).collect::<Vec<_>>(), "what was acknowledged, in its order");
    fs::remove_dir_all(root).unwrap();
}
