//! Brokers that lose their data directories, voters that come and go, and bits that flip, told by
//! hand.

use std::collections::BTreeSet;

use logboom_raft::{ReplicaId, Voters};

use super::cluster::Cluster;
use super::network::Way;
use super::plan::{MILLISECOND, Plan, SECOND};
use super::stories::{GROUP, ask, leader, well_with};
use crate::cluster::VoterChange;
use crate::peer::Kind;

/// The brokers that decide.
fn deciding(cluster: &Cluster) -> Vec<i32> {
    let mut all: Vec<i32> =
        cluster.deciding().into_iter().flat_map(Voters::all).map(|id| id.broker).collect();
    all.sort_unstable();
    all
}

/// Asks the broker that decides for a change of the voters, and waits.
fn change(cluster: &mut Cluster, change: VoterChange) {
    let at = cluster.controller().expect("one decides");
    cluster.ask_voters(at, change);
    cluster.run_for(10 * SECOND).unwrap();
}

#[test]
fn a_broker_that_lost_its_data_directory_is_let_in_when_it_was_removed_and_has_all_again() {
    let mut cluster = well_with(|plan| Plan { voters: 1, ..plan });
    let (at, before) = (2, cluster.brokers[2].directory);
    cluster.lose_directory(at);
    cluster.run_for(10 * SECOND).unwrap();
    let process = cluster.brokers[at].process.as_ref().unwrap();
    assert!(process.began.is_none() && cluster.brokers[at].directory != before);
    assert_eq!(cluster.metadata.newest().node(3).unwrap().directory_id, before);
    let end = cluster.subjects[GROUP].log.end;
    cluster.send_records(0, GROUP, true);
    cluster.run_for(SECOND).unwrap();
    assert!(cluster.subjects[GROUP].log.end > end, "two of three have it");
    cluster.lose_directory((at + 1) % 3);
    cluster.lose_directory((at + 2) % 3);
    assert_eq!(cluster.totals.lost, 1, "no more may be lost");
    cluster.run_until_well().unwrap();
    assert_eq!(cluster.in_sync(GROUP), BTreeSet::from([0, 1, 2]));
    let id = cluster.replica(at, GROUP).unwrap().group.id();
    assert_eq!(id.directory, cluster.brokers[at].directory.0);
}

#[test]
fn one_that_decides_and_lost_its_data_directory_votes_when_its_vote_was_taken_and_given_anew() {
    let mut cluster = well_with(|plan| plan);
    let decides = cluster.controller().unwrap();
    let at = (decides + 1) % 3;
    let id = cluster.brokers[at].id;
    cluster.lose_directory(at);
    cluster.remove(decides, id);
    cluster.run_for(5 * SECOND).unwrap();
    assert!(cluster.metadata.has(id), "it isn't removed as long as it has a vote");
    assert!(cluster.brokers[at].process.as_ref().unwrap().began.is_none());
    change(&mut cluster, VoterChange::Remove(ReplicaId::of(id)));
    assert_eq!(deciding(&cluster).len(), 2);
    cluster.run_until_well().unwrap();
    let decides = cluster.controller().unwrap();
    if !deciding(&cluster).contains(&id) {
        cluster.add_voter(decides, at);
        cluster.run_until_well().unwrap();
    }
    assert_eq!(deciding(&cluster), [1, 2, 3]);
}

#[test]
fn a_broker_that_is_known_and_has_none_of_the_metadata_finds_who_decides() {
    // The configurations name broker 1 only, which decides no more.
    let mut cluster = well_with(|plan| Plan { voters: 1, ..plan });
    cluster.add_voter(0, 1);
    cluster.run_for(10 * SECOND).unwrap();
    change(&mut cluster, VoterChange::Remove(ReplicaId::of(1)));
    cluster.run_until_well().unwrap();
    assert_eq!(deciding(&cluster), [2]);
    let at = 2;
    cluster.lose_directory(at);
    cluster.run_for(2 * SECOND).unwrap();
    cluster.look_after_lost();
    let is_known = |cluster: &Cluster| {
        let known = cluster.metadata.newest().node(3).map(|known| known.directory_id);
        known == Some(cluster.brokers[at].directory)
    };
    while !is_known(&cluster) {
        cluster.run_for(MILLISECOND / 20).unwrap();
    }
    // Nothing of it has come to itself.
    cluster.end_now(at, None, false);
    cluster.start(at).unwrap();
    cluster.run_until_well().unwrap();
}

#[test]
fn all_who_decide_may_be_others_in_the_end() {
    let mut cluster = well_with(|plan| Plan { brokers: 5, voters: 3, ..plan });
    for (new, old) in [(3, 0), (4, 1)] {
        let decides = cluster.controller().unwrap();
        cluster.add_voter(decides, new);
        cluster.run_for(10 * SECOND).unwrap();
        let old = cluster.brokers[old].id;
        change(&mut cluster, VoterChange::Remove(ReplicaId::of(old)));
        let decides = cluster.controller().unwrap();
        cluster.end_now(decides, None, true);
        cluster.start(decides).unwrap();
        cluster.run_until_well().unwrap();
    }
    let old = cluster.brokers[2].id;
    change(&mut cluster, VoterChange::Remove(ReplicaId::of(old)));
    cluster.run_until_well().unwrap();
    assert_eq!(deciding(&cluster), [4, 5]);
    // Those that the configurations name are gone; the others go on and find each other.
    (0..5).for_each(|at| cluster.end_now(at, None, true));
    (0..5).for_each(|at| cluster.start(at).unwrap());
    cluster.run_until_well().unwrap();
    ask(&mut cluster, |cluster, at| cluster.creation_of(at, "later".to_owned(), 1, 3));
    cluster.run_until_well().unwrap();
    assert_eq!(cluster.metadata.newest().topics().len(), 2);
}

#[test]
fn a_change_of_the_voters_that_takes_too_long_is_taken_back() {
    let mut cluster = well_with(|plan| Plan { brokers: 4, voters: 3, ..plan });
    let decides = cluster.controller().unwrap();
    cluster.end_now(3, None, true);
    // Until nobody takes it for one that answers.
    cluster.run_for(2 * SECOND).unwrap();
    cluster.add_voter(decides, 3);
    cluster.run_for(10 * SECOND).unwrap();
    assert_eq!((deciding(&cluster), cluster.totals.voters), (vec![1, 2, 3], 0));
    cluster.start(3).unwrap();
    cluster.run_until_well().unwrap();
    assert_eq!(deciding(&cluster), [1, 2, 3]);
}

#[test]
fn bits_that_flip_are_made_good_from_other_replicas() {
    let mut cluster = well_with(|plan| Plan { is_cold: true, segment_bytes: 2_000, ..plan });
    for _ in 0..30 {
        cluster.send_records(0, GROUP, true);
        cluster.run_for(SECOND / 10).unwrap();
    }
    for at in [leader(&cluster), (leader(&cluster) + 1) % 3] {
        cluster.flip_bits_of(GROUP, at);
        assert!(cluster.subjects[GROUP].losses.rotten.contains_key(&at));
        cluster.run_until_well().unwrap();
        assert!(cluster.subjects[GROUP].losses.rotten.is_empty());
    }
}

#[test]
fn a_leader_whose_last_records_are_damaged_leaves_its_office_to_those_who_do_without() {
    let mut cluster = well_with(|plan| Plan { is_cold: true, ..plan });
    let first = leader(&cluster);
    let others = [(first + 1) % 3, (first + 2) % 3];
    for other in others {
        cluster.network.cut_one(first, other);
    }
    cluster.send_records(0, GROUP, true);
    cluster.run_for(50 * MILLISECOND).unwrap();
    let log = &cluster.replica(first, GROUP).unwrap().log;
    assert!(log.view().high_watermark() < log.end_offset(), "nobody else has it");
    cluster.flip_last_bit(GROUP, first);
    for to in others {
        cluster.break_off(Way { from: first, to, kind: Kind::Groups });
    }
    cluster.mend();
    cluster.run_for(10 * SECOND).unwrap();
    assert_ne!(leader(&cluster), first);
    cluster.run_until_well().unwrap();
}
