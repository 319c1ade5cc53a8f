//! Everything that goes wrong around three brokers, in an order that a seed gives, while producers
//! write and readers read, and check what they are told.
//!
//! | fault | what happens |
//! | --- | --- |
//! | `Kill`, `KillAll` | kill -9 of a broker, or of all at once |
//! | `Restart` | a stop as an operator does it |
//! | `Pause` | SIGSTOP, and SIGCONT later |
//! | `CutOff`, `Deaf`, `Mute` | nothing comes or goes, comes, goes: from one peer or more |
//! | `Loss`, `Rate`, `Delay` | what is sent vanishes, waits in a queue, comes late either way |
//! | `FullDisk` | a data directory's file system has no free byte |
//! | `SlowDisk` | each flush takes longer |
//! | `FailingDisk` | flushes fail, and the broker is started anew |
//! | `FailingWrites` | writes fail with EIO or ENOSPC, and the broker is started anew |
//! | `FailingReads` | every third read fails but those from maps, and the broker is started anew |
//! | `Clock` | the time of day jumps, forth and back |
//! | `Move` | a partition gets other replicas |
//!
//! A round has each of them once, every third beside another of another broker, and then it is
//! calm: CI has rounds for about two minutes. `LOGBOOM_FAULTS_SECONDS` is for how long round
//! follows round, `LOGBOOM_FAULTS_SEED` the first one's number; `cargo xtask soak faults` makes the
//! time long. What can't be done on a machine (no root, no strace) prints `SKIPPED` and why.
//!
//! The network is one of namespaces. Where they aren't permitted, the kernel has no macvtap, or
//! `LOGBOOM_FAULTS_RELAYS` is set, it is one of relays on the loopback interface, in which streams
//! go wrong and not packets (`logboom_tests::network`); CI has a short round of that everywhere.
//!
//! With `LOGBOOM_FAULTS_PROGRAM` brokers are that binary: `cargo xtask soak built-in` names some
//! that don't do what they should, each of which has to be noticed.
//!
//! One topic has `write.caching`: no fault here is one that may take what it has acknowledged. What
//! a kill leaves is in the page cache, and a disk whose flushes fail is one of three.
//!
//! Must always hold: what is checked is checked all the while, not only in the end.

mod commits;
mod group;
mod history;
mod inflict;
mod ours;
mod probes;
mod readers;
mod replicas;
mod schedule;
mod seek;
mod writers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::network::Network;
use logboom_tests::raw::topic_name;

use self::group::Members;
use self::history::{History, Partition, say};
use self::inflict::Stage;
use self::ours::Ours;
use self::schedule::{Fault, Step};
use crate::cluster::{Endless, all_are_there};
use crate::storage::size;

const BROKERS: usize = 3;
/// For how long about round follows round in CI.
const SECONDS: u64 = 120;
const PARTITIONS: i32 = 4;
const CACHED_PARTITIONS: i32 = 2;
/// Longer than it takes until everything goes on, once all is well.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two pipelines of a producer, and of one whose records are committed one by one.
const PACE: Duration = Duration::from_millis(20);
const SLOW_PACE: Duration = Duration::from_millis(400);
/// Between two times at which our producer sends.
const OUR_PACE: Duration = Duration::from_millis(100);
/// Records a second of librdkafka's producer.
const RATE: u32 = 2_000;
/// Of our own group, at a time.
const OUR_MEMBERS: usize = 2;

/// What producers write into and readers read.
struct Topics {
    history: History,
    /// Copied to two brokers, and moved.
    moved: String,
    /// Read by a group.
    grouped: String,
    /// Acknowledged before it is flushed.
    cached: String,
    /// librdkafka's.
    numbers: String,
    /// Of our own clients.
    ours: String,
}

impl Topics {
    fn new(cluster: &Cluster) -> Self {
        let held = cluster.new_topic("held", PARTITIONS, 3);
        let moved = cluster.new_topic("moved", PARTITIONS, 2);
        let grouped = cluster.new_topic("grouped", PARTITIONS, 3);
        let numbers = cluster.new_topic("numbers", PARTITIONS, 3);
        let ours = cluster.new_topic("ours", PARTITIONS, 3);
        let cached = topic_name("cached");
        cluster.create_topic_with(&cached, CACHED_PARTITIONS, 3, &[("write.caching", "true")]);
        let all = [(&held, PACE), (&moved, PACE), (&grouped, SLOW_PACE), (&ours, OUR_PACE)];
        let of = |(topic, pace): (&String, Duration)| {
            let partition = move |index| Partition::new(topic, index, pace);
            (0..PARTITIONS).map(partition).collect::<Vec<_>>()
        };
        let also = (0..CACHED_PARTITIONS).map(|index| Partition::new(&cached, index, PACE));
        let history = History::new(all.into_iter().flat_map(of).chain(also).collect());
        Self { history, moved, grouped, cached, numbers, ours }
    }

    fn names(&self) -> [&str; 6] {
        let held = &self.history.partitions[0].topic;
        let rest = [&self.moved, &self.grouped, &self.cached, &self.numbers, &self.ours];
        let [moved, grouped, cached, numbers, ours] = rest.map(String::as_str);
        [held, moved, grouped, cached, numbers, ours]
    }
}

#[test]
fn whatever_goes_wrong_nothing_is_lost_and_nobody_sees_what_is_not_so() {
    let _alone = alone();
    let seconds = Duration::from_secs(size("LOGBOOM_FAULTS_SECONDS", SECONDS));
    let first = size("LOGBOOM_FAULTS_SEED", 1);
    let begun = Instant::now();
    for seed in first.. {
        let before = begun.elapsed();
        round(seed, inflict::network(), |stage| schedule::steps(seed, |fault| stage.can(fault)));
        let took = begun.elapsed() - before;
        // Another one would be further from so long than these are.
        if begun.elapsed() + took / 2 >= seconds {
            break;
        }
    }
}

#[test]
fn nor_where_streams_go_wrong_on_a_machine_without_namespaces() {
    let _alone = alone();
    let seed = size("LOGBOOM_FAULTS_SEED", 1);
    round(seed, inflict::relays(), |_| schedule::each_once(seed, &Fault::OF_NETWORK));
}

/// A round takes all that the machine has, and its places are named by the seed.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// - `steps`: what happens in it.
fn round(seed: u64, network: Box<dyn Network>, steps: impl Fn(&Stage) -> Vec<Step>) {
    say(&format!("a round begins with seed {seed}"));
    let mut stage = Stage::build(seed, network);
    let steps = steps(&stage);
    let topics = Topics::new(&stage.cluster);
    let producer = Endless::at_rate(&stage.cluster, &topics.numbers, RATE);
    let members = Members::join(&stage.cluster, &topics.grouped);
    let addresses = stage.cluster.addresses();
    let stop = AtomicBool::new(false);
    let history = &topics.history;
    let ours = Ours::new(history, &topics.ours, &addresses, &stop);
    thread::scope(|scope| {
        for partition in &history.partitions {
            let (addresses, stop) = (&addresses, &stop);
            if partition.topic != topics.ours {
                scope.spawn(move || writers::write(history, partition, addresses, stop));
            }
            scope.spawn(move || readers::read(history, partition, addresses, stop));
        }
        for address in &addresses {
            let stop = &stop;
            scope.spawn(move || probes::probe(scope, history, address, stop));
        }
        let ours = &ours;
        scope.spawn(|| ours.write());
        (0..OUR_MEMBERS).for_each(|number| drop(scope.spawn(move || ours.read(number))));
        history.wait_for_progress("the beginning");
        for step in &steps {
            if history.is_broken() {
                break;
            }
            inflict(&mut stage, &topics, step);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(!history.is_broken(), "seed {seed}: {:#?}", history.broken());
    say("our group is done");
    calm(&stage.cluster, &topics);
    say("all is calm");
    if let Some(producer) = producer {
        all_are_there(&stage.cluster, &topics.numbers, producer.end());
    }
    say("librdkafka's records are there");
    let (read, passed_over) = members.leave(history, &topics.grouped);
    assert_eq!(passed_over, [], "seed {seed}: a group has passed over them");
    assert!(!history.is_broken(), "seed {seed}: {:#?}", history.broken());
    say("a group is done");
    readers::check_all(&stage.cluster, history);
    say("all is read");
    let compared = replicas::compare(&mut stage.cluster, &topics.names());
    let told = history.summary();
    say(&format!(
        "seed {seed}: {told}; a group read {read}, {compared} compared; {}",
        ours.summary()
    ));
}

/// Lets a step happen, and waits until everything goes on.
fn inflict(stage: &mut Stage, topics: &Topics, step: &Step) {
    let what = step.to_string();
    say(&what);
    step.hits.iter().for_each(|hit| stage.begin(hit, &topics.moved));
    let end = Instant::now() + step.lasts;
    while Instant::now() < end {
        stage.look(&topics.history);
        pause();
    }
    step.hits.iter().for_each(|hit| stage.end(hit, &topics.history));
    topics.history.wait_for_progress(&what);
}

/// Everybody is in sync, and nothing moves.
fn calm(cluster: &Cluster, topics: &Topics) {
    let held = &topics.history.partitions[0].topic;
    for topic in [held, &topics.grouped, &topics.cached, &topics.numbers, &topics.ours] {
        cluster.wait_until(topic, "all are in sync", |it| it.isr_nodes.len() == BROKERS);
    }
    cluster.wait_until(&topics.moved, "it has moved", |it| {
        let (mut replicas, mut isr) = (it.replica_nodes.clone(), it.isr_nodes.clone());
        replicas.sort_unstable();
        isr.sort_unstable();
        replicas.len() == 2 && replicas == isr
    });
}
