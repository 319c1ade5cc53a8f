//! `logboom consume --group` where nothing can be read: it says so, and waits as long as
//! `--timeout` says.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use logboom_protocol::messages::find_coordinator::FindCoordinatorRequest;
use logboom_tests::broker::shared;
use logboom_tests::cluster::Cluster;
use logboom_tests::raw::{Raw, topic_name};

use super::{command, printed, run, write};
use crate::cluster::produce;
use crate::tour::groups::PATIENCE;
use crate::wire::{new_topic_with, now_ms};

const SECONDS: u64 = 6;

type Output<S> = Lines<BufReader<S>>;

/// A member that has printed the record at offset 0 of each partition, what it prints, and what it
/// complains of.
fn reading(
    bootstrap: &str,
    topic: &str,
    partitions: usize,
    group: &str,
) -> (Child, Output<ChildStdout>, Output<ChildStderr>) {
    let timeout = SECONDS.to_string();
    let words = ["consume", topic, "--group", group, "--format", "%p %o\\n", "--timeout", &timeout];
    let mut command = command(bootstrap, &words);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines: Vec<String> = printed.by_ref().take(partitions).map(Result::unwrap).collect();
    lines.sort();
    let expected: Vec<String> = (0..partitions).map(|partition| format!("{partition} 0")).collect();
    assert_eq!(lines, expected);
    let said = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, printed, said)
}

/// The number of the broker that commits of a group go to. It has answered: the first who asks
/// waits until there is one, which takes a part of a member's patience.
fn coordinator(cluster: &Cluster, group: &str) -> i32 {
    run(&cluster.bootstrap(), &["group", "describe", group]);
    let request = FindCoordinatorRequest { key: group.into(), ..Default::default() };
    cluster.any().call(2, &request).node_id
}

/// How a member ends by itself: what it has said, and after how long.
fn end(mut child: Child, said: Output<ChildStderr>) -> (Vec<String>, Duration) {
    let began = Instant::now();
    // One that waits for ever holds its stderr open.
    let process = child.id().to_string();
    let (over, overdue) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if overdue.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            std::process::Command::new("kill").args(["-KILL", &process]).status().unwrap();
        }
    });
    let said: Vec<String> = said.map(Result::unwrap).collect();
    let took = began.elapsed();
    drop(over);
    watch.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said:?}");
    (said, took)
}

#[test]
fn a_topic_that_is_deleted_ends_its_reader() {
    let subject = shared();
    let bootstrap = subject.bootstrap();
    let mut raw = Raw::connect(&bootstrap);
    let topic = new_topic_with(&mut raw, "deleted", 1, &[]);
    write(&mut raw, &topic, 0, &[now_ms()]);
    let (child, _, said) = reading(&bootstrap, &topic, 1, &topic_name("stuck"));
    printed(&bootstrap, &["topic", "delete", &topic]);
    let (said, took) = end(child, said);
    let last = said.last().unwrap();
    assert!(last.contains(&topic) && last.contains("`logboom topic list`"), "{said:?}");
    assert!(took >= Duration::from_secs(SECONDS - 1), "it has waited only for {took:?}");
}

#[test]
fn a_partition_without_a_leader_is_told_of_and_ends_its_reader() {
    let mut cluster = Cluster::start("stuck", 3);
    // Nobody else has a copy.
    let topic = cluster.new_topic("stuck", 3, 1);
    (0..3).for_each(|partition| _ = produce(&cluster, &topic, partition, b"here"));
    let group = topic_name("stuck");
    // Where commits go is there all the while.
    let coordinator = coordinator(&cluster, &group);
    let (child, _, said) = reading(&cluster.bootstrap(), &topic, 3, &group);
    let leaders = cluster.partitions(&topic).into_iter().map(|it| it.leader_id);
    let lost = leaders.into_iter().find(|id| *id > 0 && *id != coordinator).unwrap();
    cluster.kill(lost);
    let (said, took) = end(child, said);
    let waits = format!("waits for partition {topic}-");
    assert!(said.iter().any(|line| line.contains(&waits)), "{said:?}");
    let last = said.last().unwrap();
    assert!(last.contains(&format!("partition {topic}-")), "{said:?}");
    assert!(last.contains("nothing can be read for "), "{said:?}");
    assert!(took >= Duration::from_secs(SECONDS - 1), "it has waited only for {took:?}");
}

/// The one thing that is waited for lasts for longer than the other, and ends the command.
#[test]
fn a_commit_that_is_not_answered_does_not_keep_the_reader_from_its_end() {
    let mut cluster = Cluster::start("stuck-commit", 3);
    let topic = cluster.new_topic("stuck-commit", 3, 1);
    (0..3).for_each(|partition| _ = produce(&cluster, &topic, partition, b"here"));
    let group = topic_name("stuck");
    let coordinator = coordinator(&cluster, &group);
    let (child, mut printed, mut said) = reading(&cluster.bootstrap(), &topic, 3, &group);
    let partitions = cluster.partitions(&topic);
    let mut others = partitions.into_iter().filter(|one| one.leader_id != coordinator);
    let [lost, led] = [(); 2].map(|()| others.next().unwrap());
    assert!(lost.leader_id != led.leader_id, "it isn't killed as well");
    let mut leader = cluster.leader(&topic, led.partition_index);
    cluster.kill(lost.leader_id);
    let waits = format!("waits for partition {topic}-{}", lost.partition_index);
    let first = said.next().unwrap().unwrap();
    assert!(first.contains(&waits), "{first}");
    // It has read one more, and can't commit that.
    cluster.broker(coordinator).signal("STOP");
    write(&mut leader, &topic, led.partition_index, &[now_ms()]);
    assert_eq!(printed.next().unwrap().unwrap(), format!("{} 1", led.partition_index));
    let (said, _) = end(child, said);
    let last = said.last().unwrap();
    let nothing = format!("partition {topic}-{}: nothing can be read for", lost.partition_index);
    assert!(last.contains(&nothing), "{said:?}");
    assert!(said.iter().any(|line| line.contains("may come again")), "{said:?}");
}
