//! How long a broker that is drained leads anything.
//!
//! `cargo run --release -p logboom-benches --bin drain -- target/release/logboom PARTITIONS
//! ROUNDS`: three brokers, and a topic with so many partitions on all of them. So many times
//! another broker is drained by `logboom cluster drain`, of what has come to it meanwhile, and then
//! drained no more. Replicas stay, because no other broker may have them: only offices are handed
//! over, and no records are written meanwhile.
//!
//! Told is from the start of the command until another broker names other leaders for all that the
//! drained one has led, and what of that the command itself took.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use logboom_tests::broker::Site;
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::scratch;

/// Has a broker drained, or no more; how long the command took.
fn ask(program: &str, bootstrap: &str, words: &[&str]) -> Duration {
    let since = Instant::now();
    let mut command = Command::new(program);
    command.arg("cluster").args(words).args(["--bootstrap", bootstrap]);
    let output = command.output().expect("the program is there");
    assert!(output.status.success(), "{words:?}: {output:?}");
    since.elapsed()
}

/// Drains a broker once; how many partitions it led, until when, and how long the command took.
fn drain(program: &str, cluster: &Cluster, topic: &str, id: i32) -> (usize, Duration, Duration) {
    let is_led = |it: &i32| *it >= 0;
    let led = cluster.wait_until(topic, "all are led", |it| is_led(&it.leader_id));
    let led = led.iter().filter(|it| it.leader_id == id).count();
    let (bootstrap, name) = (cluster.bootstrap(), id.to_string());
    let since = Instant::now();
    let asked = ask(program, &bootstrap, &["drain", &name, "--no-wait"]);
    cluster.wait_until(topic, "others lead", |it| is_led(&it.leader_id) && it.leader_id != id);
    let over = since.elapsed();
    ask(program, &bootstrap, &["undrain", &name]);
    (led, over, asked)
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, partitions, rounds] = &arguments[..] else {
        panic!("drain LOGBOOM PARTITIONS ROUNDS")
    };
    let partitions: i32 = partitions.parse().expect("a number");
    let rounds: i32 = rounds.parse().expect("a number");
    let site = |id| {
        let site = Site { program: Some(PathBuf::from(program)), ..Site::default() };
        (site, scratch(&format!("drain-{id}")))
    };
    let cluster = Cluster::start_at((1..=3).map(site).collect(), |_| Vec::new());
    let topic = cluster.new_topic("drained", partitions, 3);
    cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
    for id in (0..rounds).map(|round| 1 + round % 3) {
        let (led, over, asked) = drain(program, &cluster, &topic, id);
        let (over, asked) = (over.as_millis(), asked.as_millis());
        let what = format!("broker {id} led {led} of {partitions}");
        println!("{what}: none after {over} ms, {asked} of them the command");
    }
}
