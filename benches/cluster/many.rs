//! Partitions that do nothing.

use std::thread;
use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use logboom_protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponsePartition,
};
use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::raw::Raw;

use super::process::Used;
use super::{BROKERS, say, start};

const METADATA: i16 = 12;
const CREATE_TOPICS: i16 = 7;
/// Partitions of the first topic.
const FIRST: usize = 10_000;
/// The most partitions of a topic, as the broker has it.
const TOPIC_MAX: usize = 10_000;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two questions whether all is well.
const LOOKS_EVERY: Duration = Duration::from_millis(100);
/// After what was asked for is there, until nothing happens any more.
const SETTLE: Duration = Duration::from_secs(15);
/// How long what happens idly is watched.
const IDLE: Duration = Duration::from_secs(30);

pub(crate) fn measure(program: &str, partitions: usize) {
    let mut cluster = start(program);
    let empty = used(&mut cluster);
    let mut topics = Vec::new();
    let sizes = [FIRST.min(partitions), partitions.saturating_sub(FIRST)];
    for (size, at) in sizes.into_iter().filter(|size| *size > 0).zip(1..) {
        let begun = Instant::now();
        let first = topics.len();
        for (part, number) in parts(size).zip(1..) {
            let name = format!("many-{at}-{number}");
            create(&mut cluster.any(), &name, part);
            topics.push(name);
        }
        let answered = begun.elapsed();
        wait_until_in_sync(&cluster, &topics[first..], begun + PATIENCE);
        let (answered, in_sync) = (answered.as_secs_f64(), begun.elapsed().as_secs_f64());
        let epochs = topics[first..].iter().flat_map(|topic| cluster.partitions(topic));
        let elections: i32 = epochs.map(|it| it.leader_epoch).sum();
        say(&format!(
            "{size} partitions: answered in {answered:.1} s, in sync in {in_sync:.1} s, after \
             {elections} elections"
        ));
    }
    idle(&mut cluster, &empty, partitions);
    for (how, ends) in
        [("stopped", Cluster::stop as fn(&mut Cluster, i32)), ("killed", Cluster::kill)]
    {
        (1..=BROKERS).for_each(|id| ends(&mut cluster, id));
        let begun = Instant::now();
        (1..=BROKERS).for_each(|id| cluster.restart(id));
        let answers = begun.elapsed().as_secs_f64();
        wait_until(&cluster, &topics, begun + PATIENCE, |it| it.leader_id > 0);
        let led = begun.elapsed().as_secs_f64();
        let leaders = leaders(&cluster, &topics);
        wait_until_in_sync(&cluster, &topics, begun + PATIENCE);
        let in_sync = begun.elapsed().as_secs_f64();
        say(&format!(
            "all three {how} and started: the last answers after {answers:.1} s, all led after \
             {led:.1} s, by brokers {leaders:?}; in sync after {in_sync:.1} s"
        ));
    }
    idle(&mut cluster, &empty, partitions);
}

/// How many partitions each broker leads.
fn leaders(cluster: &Cluster, topics: &[String]) -> Vec<usize> {
    let all: Vec<_> = topics.iter().flat_map(|topic| cluster.partitions(topic)).collect();
    (1..=BROKERS).map(|id| all.iter().filter(|it| it.leader_id == id).count()).collect()
}

/// The sizes of the topics that so many partitions take.
fn parts(mut left: usize) -> impl Iterator<Item = i32> {
    std::iter::from_fn(move || {
        let part = left.min(TOPIC_MAX);
        left -= part;
        (part > 0).then(|| i32::try_from(part).expect("small"))
    })
}

fn create(raw: &mut Raw, name: &str, partitions: i32) {
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 3,
        ..CreatableTopic::default()
    };
    let request =
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 60_000, ..Default::default() };
    let answer = &raw.call(CREATE_TOPICS, &request).topics[0];
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
}

fn wait_until_in_sync(cluster: &Cluster, topics: &[String], deadline: Instant) {
    wait_until(cluster, topics, deadline, |it| it.leader_id > 0 && it.isr_nodes.len() == 3);
}

fn wait_until(
    cluster: &Cluster,
    topics: &[String],
    deadline: Instant,
    is_so: impl Fn(&MetadataResponsePartition) -> bool,
) {
    let mut raw = cluster.any();
    for topic in topics {
        loop {
            let asked =
                MetadataRequestTopic { name: Some(topic.as_str().into()), ..Default::default() };
            let request = MetadataRequest { topics: Some(vec![asked]), ..Default::default() };
            let partitions = raw.call(METADATA, &request).topics.remove(0).partitions;
            let left = partitions.iter().filter(|it| !is_so(it)).count();
            if !partitions.is_empty() && left == 0 {
                break;
            }
            assert!(Instant::now() < deadline, "{topic}: {left} are not as they should be");
            // To ask costs the brokers something.
            let next = Instant::now() + LOOKS_EVERY;
            while Instant::now() < next {
                pause();
            }
        }
    }
}

fn used(cluster: &mut Cluster) -> Vec<Used> {
    (1..=BROKERS).map(|id| Used::by(cluster.broker(id).pid())).collect()
}

/// What partitions cost of which nothing is asked.
#[expect(clippy::disallowed_methods, reason = "it is what is measured")]
fn idle(cluster: &mut Cluster, empty: &[Used], partitions: usize) {
    thread::sleep(SETTLE);
    let before = used(cluster);
    thread::sleep(IDLE);
    for ((now, before), empty) in used(cluster).iter().zip(&before).zip(empty) {
        let share = (now.cpu_seconds - before.cpu_seconds) / IDLE.as_secs_f64() * 100.0;
        let replica = now.anonymous_bytes.saturating_sub(empty.anonymous_bytes) / partitions as u64;
        let (anonymous, maps, handles) = (now.anonymous_bytes >> 20, now.maps, now.handles);
        say(&format!(
            "idle: {share:.1} % of a processor, {anonymous} MiB, {replica} B a replica, {maps} \
             maps, {handles} handles"
        ));
    }
}
