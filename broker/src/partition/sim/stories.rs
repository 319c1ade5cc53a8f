//! What the simulation has shown or can't show, told by hand.

use std::collections::BTreeSet;

use tokio::sync::oneshot;

use logboom_raft::Role;

use super::cluster::Cluster;
use super::groups::METADATA_GROUP;
use super::operators::{Wanted, election};
use super::plan::{MILLISECOND, Plan, SECOND};
use super::queue::Event;
use crate::partition::Command;

/// The group of the topic.
pub(super) const GROUP: usize = METADATA_GROUP + 1;

/// A cluster of three brokers with a topic of which all of them have a copy, which is well.
fn well() -> Cluster {
    well_with(|plan| plan)
}

/// The same, on another plan.
pub(super) fn well_with(change: impl FnOnce(Plan) -> Plan) -> Cluster {
    let small = Plan { brokers: 3, voters: 3, topics: 0, loss: 0, ..Plan::of(0, 0) };
    let plan = Plan { goes_home: false, is_rough: false, min_insync_replicas: 1, ..small };
    // Operators want nothing but what a story says.
    let plan = Plan { wishes: 1_000 * SECOND, caching: 0, ..plan };
    let mut cluster = Cluster::new(0, change(plan), false);
    cluster.found().unwrap();
    // Until all have registered: one may have lost its power while it was founded.
    cluster.run_until_well().unwrap();
    ask(&mut cluster, |cluster, at| cluster.creation_of(at, "topic".to_owned(), 1, 3));
    cluster.run_until_well().unwrap();
    assert_eq!(cluster.wished(GROUP).len(), 3);
    cluster
}

/// The same; records count before they are flushed.
fn caching() -> Cluster {
    well_with(|plan| Plan { caching: 1_000, ..plan })
}

/// Asks the broker that decides.
pub(super) fn ask(cluster: &mut Cluster, wanted: impl FnOnce(&mut Cluster, usize) -> Wanted) {
    let at = cluster.controller().expect("one decides");
    let wanted = wanted(cluster, at);
    cluster.ask(at, wanted);
    cluster.run_for(SECOND).unwrap();
}

/// A broker is to lead as soon as it can.
fn wish_leader(cluster: &mut Cluster, at: usize) {
    let replicas = [at, (at + 1) % 3, (at + 2) % 3].map(|at| cluster.brokers[at].id);
    let id = cluster.subjects[GROUP].key.topic_id;
    ask(cluster, |cluster, _| cluster.move_to("topic".into(), id, 0, replicas.to_vec()));
    ask(cluster, |_, _| election());
}

pub(super) fn leader(cluster: &Cluster) -> usize {
    some_leader(cluster).expect("one leads")
}

fn some_leader(cluster: &Cluster) -> Option<usize> {
    let leads = |at: &usize| {
        cluster.replica(*at, GROUP).is_some_and(|replica| replica.group.role() == Role::Leader)
    };
    (0..3).find(leads)
}

#[test]
fn a_handover_that_comes_to_nothing_leaves_a_leader_that_can_have_a_lease() {
    let mut cluster = well();
    let (first, epoch) = (leader(&cluster), cluster.subjects[GROUP].established);
    // It takes no office any more, and doesn't say so.
    let other = (first + 1) % 3;
    cluster.silent_on_fitness.insert(other);
    cluster.say(other, Command::HandOver(oneshot::channel().0));
    wish_leader(&mut cluster, other);
    cluster.run_for(3 * SECOND).unwrap();
    assert!(cluster.subjects[GROUP].established > epoch, "it was tried");
    let at = leader(&cluster);
    let process = cluster.brokers[at].process.as_ref().unwrap();
    assert!(at != other && process.shard.leads_surely(cluster.replica(at, GROUP).unwrap()));
}

#[test]
fn a_replica_that_takes_no_office_and_does_not_say_so_is_asked_less_and_less() {
    let mut cluster = well();
    let (first, epoch) = (leader(&cluster), cluster.subjects[GROUP].established);
    let other = (first + 1) % 3;
    cluster.silent_on_fitness.insert(other);
    cluster.say(other, Command::HandOver(oneshot::channel().0));
    wish_leader(&mut cluster, other);
    cluster.run_for(100 * SECOND).unwrap();
    // Of each of the others that led meanwhile: after 1 s, 2 s, 4 s, and so on.
    let epochs = cluster.subjects[GROUP].established - epoch;
    assert!((1..=14).contains(&epochs), "{epochs} epochs");
}

#[test]
fn a_leader_whose_flushes_hang_hands_over_and_is_back_in_sync_afterwards() {
    let mut cluster = well();
    let (first, epoch) = (leader(&cluster), cluster.subjects[GROUP].established);
    cluster.brokers[first].hangs_until = cluster.now + 6 * SECOND;
    cluster.send_records(0, GROUP, true);
    cluster.run_for(SECOND).unwrap();
    assert_eq!(leader(&cluster), first, "a second is no reason");
    cluster.run_for(4 * SECOND).unwrap();
    assert_ne!(leader(&cluster), first, "others have all, and no wait for the device");
    assert_eq!(
        cluster.subjects[GROUP].established,
        epoch + 1,
        "it was given, not lost and fought for"
    );
    cluster.run_until_well().unwrap();
}

#[test]
fn a_broker_that_stood_still_does_not_take_its_flushes_for_slow() {
    let mut cluster = well();
    let at = (leader(&cluster) + 1) % 3;
    cluster.send_records(0, GROUP, true);
    while cluster.replica(at, GROUP).unwrap().flushing.is_none() {
        cluster.run_for(MILLISECOND / 20).unwrap();
    }
    cluster.brokers[at].is_paused = true;
    cluster.queue.push(cluster.now + 4 * SECOND, Event::Resumes { at });
    cluster.run_for(10 * SECOND).unwrap();
    assert_eq!(cluster.in_sync(GROUP), BTreeSet::from([0, 1, 2]));
}

#[test]
fn where_all_flushes_hang_somebody_leads_on() {
    let mut cluster = well();
    let until = cluster.now + 10 * SECOND;
    cluster.brokers.iter_mut().for_each(|broker| broker.hangs_until = until);
    cluster.send_records(0, GROUP, true);
    cluster.run_for(12 * SECOND).unwrap();
    leader(&cluster);
    cluster.run_for(30 * SECOND).unwrap();
    cluster.run_until_well().unwrap();
}

#[test]
fn a_replica_whose_flushes_hang_counts_and_takes_no_office() {
    let mut cluster = well_with(|plan| Plan { min_insync_replicas: 3, ..plan });
    let (first, epoch) = (leader(&cluster), cluster.subjects[GROUP].established);
    let other = (first + 1) % 3;
    cluster.run_for(2 * SECOND).unwrap();
    assert_eq!(cluster.in_sync(GROUP), BTreeSet::from([0, 1, 2]));
    cluster.brokers[other].hangs_until = cluster.now + 3 * SECOND;
    cluster.send_records(0, GROUP, true);
    cluster.run_for(10 * SECOND).unwrap();
    assert!(!cluster.is_all_acknowledged(), "too few were in sync, as the producer was told");
    cluster.send_records(0, GROUP, false);
    cluster.run_for(SECOND).unwrap();
    assert!(cluster.is_all_acknowledged(), "it was appended, and is there once");
    // Its group sleeps; nobody asks for what it wouldn't do.
    wish_leader(&mut cluster, other);
    let end = cluster.subjects[GROUP].log.end;
    cluster.send_records(0, GROUP, true);
    cluster.run_for(5 * SECOND).unwrap();
    assert!(cluster.subjects[GROUP].log.end > end, "what it has flushed counts");
    assert_eq!((leader(&cluster), cluster.subjects[GROUP].established), (first, epoch));
    // Then it does, and does it.
    cluster.run_for(60 * SECOND).unwrap();
    ask(&mut cluster, |_, _| election());
    cluster.run_for(5 * SECOND).unwrap();
    assert_eq!(leader(&cluster), other);
}

#[test]
fn with_caching_a_record_is_acknowledged_though_all_flushes_hang() {
    let mut cluster = caching();
    let until = cluster.now + 10 * SECOND;
    cluster.brokers.iter_mut().for_each(|broker| broker.hangs_until = until);
    let before = cluster.subjects[GROUP].log.end;
    cluster.send_records(0, GROUP, true);
    cluster.run_for(SECOND).unwrap();
    let end = cluster.subjects[GROUP].log.end;
    assert!(cluster.is_all_acknowledged() && end > before);
    let mut flushed = (0..3).map(|at| cluster.replica(at, GROUP).unwrap().log.flushed_offset());
    assert!(flushed.all(|flushed| flushed < end));
}

#[test]
fn with_caching_kills_of_all_lose_nothing_and_nobody_waits() {
    let mut cluster = caching();
    cluster.send_records(0, GROUP, true);
    cluster.run_for(SECOND / 10).unwrap();
    let end = cluster.subjects[GROUP].log.end;
    (0..3).for_each(|at| cluster.end_now(at, None, false));
    cluster.start(0).unwrap();
    cluster.start(1).unwrap();
    cluster.run_for(5 * SECOND).unwrap();
    let leader = cluster.replica(leader(&cluster), GROUP).unwrap();
    assert!(leader.log.view().high_watermark() >= end);
}

#[test]
fn with_caching_voters_whose_machines_have_lost_power_wait_for_each_other() {
    let mut cluster = caching();
    // Everything is flushed, but nobody can know.
    cluster.run_for(3 * SECOND).unwrap();
    (0..3).for_each(|at| cluster.end_now(at, None, true));
    cluster.start(0).unwrap();
    cluster.start(1).unwrap();
    cluster.run_for(5 * SECOND).unwrap();
    assert_eq!(some_leader(&cluster), None, "the third may have more");
    cluster.start(2).unwrap();
    cluster.run_until_well().unwrap();
}

#[test]
fn with_caching_one_machine_that_loses_power_holds_nothing_up() {
    let mut cluster = caching();
    cluster.send_records(0, GROUP, true);
    cluster.run_for(SECOND / 10).unwrap();
    let (first, end) = (leader(&cluster), cluster.subjects[GROUP].log.end);
    cluster.end_now(first, None, true);
    cluster.run_for(5 * SECOND).unwrap();
    let next = cluster.replica(leader(&cluster), GROUP).unwrap();
    assert!(next.log.view().high_watermark() >= end);
    cluster.start(first).unwrap();
    while cluster.replica(first, GROUP).is_none() {
        cluster.run_for(MILLISECOND).unwrap();
    }
    assert!(cluster.replica(first, GROUP).unwrap().group.is_lossy());
    cluster.run_until_well().unwrap();
}
