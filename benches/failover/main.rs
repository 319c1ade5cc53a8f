//! How long librdkafka's producer, with its defaults, waits for acknowledgements where the broker
//! that leads its partition is killed, and where leadership is moved on purpose.
//!
//! `cargo run --release -p logboom-benches --bin failover -- target/release/logboom ROUNDS OTHERS`:
//! three brokers. So many times another is made the leader, then so many times it is killed, and
//! started again. OTHERS are partitions beside the one that is written to, on all brokers. All of
//! it twice: by a producer that writes to nothing else, so that it has connections to the leader
//! and to the brokers that it has asked for it; and by one that has connections to all.
//!
//! - a move: the longest that a record waited that was handed over while leadership moved, or
//!   within a tenth of a second before or after.
//! - a kill: from there to the first acknowledgement of a record that was handed over after it; and
//!   until another broker names another leader, which is what the client can't be faster than.
//!
//! With `coordinator` behind all that, none of it happens; the coordinator of a group is killed so
//! many times: from there to the first commit of a member that is acknowledged, in the generation
//! that it was in.

mod coordinator;

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use logboom_protocol::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use logboom_tests::broker::{Site, pause};
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::{python, scratch};

/// Longer than any failover takes.
const PATIENCE: Duration = Duration::from_secs(60);
const AROUND: Duration = Duration::from_millis(100);
/// For how long librdkafka may not dial a broker again that it has lost, by its defaults.
const RECONNECT: Duration = Duration::from_secs(10);
/// How often it looks for the leader of a partition whose broker is down. The pause before a kill
/// differs by up to this from kill to kill, else all of them would meet the same moment of it.
const LOOKS_EVERY: Duration = Duration::from_secs(1);
/// What the client waits for by itself before it sends again what another broker is to have; 100 by
/// its defaults.
const NO_BACKOFF: [&str; 2] = ["retry.backoff.ms=1", "retry.backoff.max.ms=1"];
const ELECT_LEADERS: i16 = 1;
const ALTER_REASSIGNMENTS: i16 = 0;

/// When a record was handed over, and when it was acknowledged; since 1970.
type Ack = (Duration, Duration);

/// A producer, and what was acknowledged to it.
struct Producer {
    child: Child,
    acks: Arc<Mutex<Vec<Ack>>>,
}

impl Producer {
    /// - `more`: another topic, and properties.
    fn start(cluster: &Cluster, topic: &str, more: &[&str]) -> Self {
        let mut command = python().expect("librdkafka").command("librdkafka_acks.py");
        command.args([&cluster.bootstrap(), topic]).args(more);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.expect("it was set up");
        let acks: Arc<Mutex<Vec<Ack>>> = Arc::default();
        let (list, stdout) = (Arc::clone(&acks), child.stdout.take().expect("it is piped"));
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let nanos = |text: &str| Duration::from_nanos(text.parse().expect("a number"));
                // The last may be cut off, where the client is killed.
                let Some((begun, acked)) = line.split_once(' ') else { break };
                locked(&list).push((nanos(begun), nanos(acked)));
            }
        });
        let mut producer = Self { child, acks };
        producer.acks_since(Duration::ZERO, |acks| acks.len() > 100);
        producer
    }

    /// The acknowledgements of what was handed over from a time on, until `is_enough`.
    fn acks_since(&mut self, from: Duration, is_enough: impl Fn(&[Ack]) -> bool) -> Vec<Ack> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let acks = locked(&self.acks);
            let at = acks.partition_point(|(begun, _)| *begun < from);
            if is_enough(&acks[at..]) {
                return acks[at..].to_vec();
            }
            drop(acks);
            let ended = self.child.try_wait().expect("it is our child");
            assert!(ended.is_none() && Instant::now() < deadline, "no acknowledgements: {ended:?}");
            pause();
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn locked(acks: &Mutex<Vec<Ack>>) -> std::sync::MutexGuard<'_, Vec<Ack>> {
    acks.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970")
}

/// Kills the leader, and starts it again: how long until there is another, and until something is
/// acknowledged.
fn kill(cluster: &mut Cluster, topic: &str, producer: &mut Producer) -> (Duration, Duration) {
    let leader = cluster.partitions(topic)[0].leader_id;
    let killed = now();
    cluster.kill(leader);
    cluster.wait_until(topic, "another leads", |it| ![leader, -1].contains(&it.leader_id));
    let known = now();
    let acks = producer.acks_since(killed, |acks| !acks.is_empty());
    let first = acks.iter().map(|(_, acked)| *acked).min().expect("there is one");
    cluster.restart(leader);
    cluster.wait_until(topic, "it is in sync again", |it| it.isr_nodes.len() == 3);
    let chance = f64::from(killed.subsec_nanos() % 1_000_000) / 1e6;
    let next = Instant::now() + RECONNECT + LOOKS_EVERY.mul_f64(chance);
    while Instant::now() < next {
        pause();
    }
    (known - killed, first - killed)
}

/// Has another replica lead, the first of a list in another order.
fn move_on(cluster: &Cluster, topic: &str, producer: &mut Producer) -> Duration {
    let begun = now();
    producer.acks_since(begun + AROUND, |acks| !acks.is_empty());
    let mut replicas = cluster.partitions(topic)[0].replica_nodes.clone();
    replicas.rotate_left(1);
    let partition = ReassignablePartition { partition_index: 0, replicas: Some(replicas) };
    let topics = vec![ReassignableTopic { name: topic.into(), partitions: vec![partition] }];
    let request = AlterPartitionReassignmentsRequest { topics, ..Default::default() };
    let answer = cluster.any().call(ALTER_REASSIGNMENTS, &request);
    assert_eq!(answer.responses[0].partitions[0].error_code, ErrorCode::NONE, "{answer:?}");
    let home = TopicPartitions { topic: topic.into(), partitions: vec![0] };
    let request = ElectLeadersRequest { topic_partitions: Some(vec![home]), ..Default::default() };
    let answer = cluster.any().call(ELECT_LEADERS, &request);
    let code = answer.replica_election_results[0].partition_result[0].error_code;
    assert!([ErrorCode::NONE, ErrorCode::ELECTION_NOT_NEEDED].contains(&code), "{answer:?}");
    let over = now() + AROUND;
    let acks = producer.acks_since(begun, |acks| acks.last().is_some_and(|ack| ack.0 > over));
    acks.iter().map(|(begun, acked)| *acked - *begun).max().expect("there are some")
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_millis();
    let (count, median) = (times.len(), at(50));
    let within = times.iter().filter(|time| time.as_millis() <= 500).count();
    println!(
        "{count} {what}: median {median} ms, 95 % {} ms, longest {} ms; {within} within 500 ms",
        at(95),
        at(100)
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (program, rounds, others, of_groups) = match &arguments[..] {
        [program, rounds, others] => (program, rounds, others, false),
        [program, rounds, others, what] if what == "coordinator" => (program, rounds, others, true),
        _ => panic!("failover LOGBOOM ROUNDS OTHERS [coordinator]"),
    };
    let rounds: u32 = rounds.parse().expect("a number");
    let others: i32 = others.parse().expect("a number");
    let program = Some(PathBuf::from(program));
    let site = |id| {
        let site = Site { program: program.clone(), ..Site::default() };
        (site, scratch(&format!("failover-{id}")))
    };
    let mut cluster = Cluster::start_at((1..=3).map(site).collect(), |_| Vec::new());
    let topic = cluster.new_topic("failover", 1, 3);
    if others > 0 {
        let others = cluster.new_topic("others", others, 3);
        cluster.wait_until(&others, "all are in sync", |it| it.isr_nodes.len() == 3);
    }
    if of_groups {
        let commits = coordinator::kills(&mut cluster, &topic, rounds);
        return tell("kills of a group's coordinator, committed", commits);
    }
    let elsewhere = cluster.new_topic("elsewhere", 3, 3);
    let quick = [&[&*elsewhere], &NO_BACKOFF[..]].concat();
    let mut producer = Producer::start(&cluster, &topic, &quick);
    let moves = (0..rounds).map(|_| move_on(&cluster, &topic, &mut producer)).collect();
    tell("moves, without the client's back-off", moves);
    drop(producer);
    for (which, more) in [("one", &[][..]), ("all", &[&*elsewhere])] {
        let mut producer = Producer::start(&cluster, &topic, more);
        let moves = (0..rounds).map(|_| move_on(&cluster, &topic, &mut producer)).collect();
        tell(&format!("moves, connected to {which}"), moves);
        let kills = (0..rounds).map(|_| kill(&mut cluster, &topic, &mut producer));
        let (known, acked) = kills.unzip();
        tell(&format!("kills, connected to {which}, another leads"), known);
        tell(&format!("kills, connected to {which}, acknowledged"), acked);
    }
}
