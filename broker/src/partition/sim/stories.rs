//! What the simulation has shown or can't show, told by hand.

use std::collections::BTreeSet;

use tokio::sync::oneshot;

use logboom_raft::Role;

use super::cluster::Cluster;
use super::plan::{Plan, SECOND};
use crate::partition::Command;

/// A cluster of three brokers with a group that all of them share, which is well.
fn well() -> Cluster {
    well_with(1)
}

/// The same, in which records wait until so many replicas are in sync.
fn well_with(min_insync_replicas: usize) -> Cluster {
    let plan = || Plan { brokers: 3, groups: 1, loss: 0, min_insync_replicas, ..Plan::of(0, 0) };
    let all = BTreeSet::from([0, 1, 2]);
    let mut clusters = (0..).map(|seed| Cluster::new(seed, plan(), false).unwrap());
    let mut cluster = clusters.find(|cluster| cluster.subjects[0].wished() == all).unwrap();
    cluster.run_until_well().unwrap();
    cluster
}

fn leader(cluster: &Cluster) -> usize {
    let leads = |at: &usize| {
        cluster.replica(*at, 0).is_some_and(|replica| replica.group.role() == Role::Leader)
    };
    (0..3).find(leads).expect("one leads")
}

#[test]
fn a_handover_that_comes_to_nothing_leaves_a_leader_that_can_have_a_lease() {
    let mut cluster = well();
    let (first, epoch) = (leader(&cluster), cluster.subjects[0].established);
    // It takes no office any more, and doesn't say so.
    let other = (first + 1) % 3;
    cluster.silent_on_fitness.insert(other);
    cluster.say(other, Command::HandOver(oneshot::channel().0));
    cluster.wish_leader(0, other);
    cluster.run_for(3 * SECOND).unwrap();
    assert!(cluster.subjects[0].established > epoch, "it was tried");
    let at = leader(&cluster);
    let process = cluster.brokers[at].process.as_ref().unwrap();
    assert!(at != other && process.shard.leads_surely(cluster.replica(at, 0).unwrap()));
}

#[test]
fn a_replica_that_takes_no_office_and_does_not_say_so_is_asked_less_and_less() {
    let mut cluster = well();
    let (first, epoch) = (leader(&cluster), cluster.subjects[0].established);
    let other = (first + 1) % 3;
    cluster.silent_on_fitness.insert(other);
    cluster.say(other, Command::HandOver(oneshot::channel().0));
    cluster.wish_leader(0, other);
    cluster.run_for(100 * SECOND).unwrap();
    // Of each of the others that led meanwhile: after 1 s, 2 s, 4 s, and so on.
    let epochs = cluster.subjects[0].established - epoch;
    assert!((1..=14).contains(&epochs), "{epochs} epochs");
}

#[test]
fn a_leader_whose_flushes_hang_hands_over_and_is_back_in_sync_afterwards() {
    let mut cluster = well();
    let (first, epoch) = (leader(&cluster), cluster.subjects[0].established);
    cluster.brokers[first].hangs_until = cluster.now + 6 * SECOND;
    cluster.send_records(0, 0, true);
    cluster.run_for(SECOND).unwrap();
    assert_eq!(leader(&cluster), first, "a second is no reason");
    cluster.run_for(4 * SECOND).unwrap();
    assert_ne!(leader(&cluster), first, "others have all, and no wait for the device");
    assert_eq!(cluster.subjects[0].established, epoch + 1, "it was given, not lost and fought for");
    cluster.run_until_well().unwrap();
}

#[test]
fn where_all_flushes_hang_somebody_leads_on() {
    let mut cluster = well();
    let until = cluster.now + 10 * SECOND;
    cluster.brokers.iter_mut().for_each(|broker| broker.hangs_until = until);
    cluster.send_records(0, 0, true);
    cluster.run_for(12 * SECOND).unwrap();
    leader(&cluster);
    cluster.run_until_well().unwrap();
}

#[test]
fn a_replica_whose_flushes_hang_is_out_of_sync_for_all_but_acknowledgements() {
    let mut cluster = well_with(3);
    let (first, epoch) = (leader(&cluster), cluster.subjects[0].established);
    let other = (first + 1) % 3;
    cluster.run_for(2 * SECOND).unwrap();
    assert_eq!(cluster.subjects[0].in_sync, BTreeSet::from([0, 1, 2]));
    cluster.brokers[other].hangs_until = cluster.now + 3 * SECOND;
    cluster.send_records(0, 0, true);
    cluster.run_for(10 * SECOND).unwrap();
    let without = [0, 1, 2].into_iter().filter(|at| *at != other).collect::<BTreeSet<_>>();
    assert_eq!(cluster.subjects[0].in_sync, without, "it takes no office for a while");
    // Its group sleeps; nobody asks for what it wouldn't do.
    cluster.wish_leader(0, other);
    let end = cluster.subjects[0].log.end;
    cluster.send_records(0, 0, true);
    cluster.run_for(5 * SECOND).unwrap();
    assert!(cluster.subjects[0].log.end > end, "what it has flushed counts");
    assert_eq!((leader(&cluster), cluster.subjects[0].established), (first, epoch));
    // Then it does, and does it.
    cluster.run_for(60 * SECOND).unwrap();
    assert_eq!(cluster.subjects[0].in_sync, BTreeSet::from([0, 1, 2]));
    assert_eq!(leader(&cluster), other);
}
