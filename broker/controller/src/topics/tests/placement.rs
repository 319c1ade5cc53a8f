//! Where replicas go.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use logboom_protocol::ErrorCode;

use super::super::placement::{InTurns, Room, in_turns, place};
use super::*;
use crate::record::ConfigResource;

fn placed(image: &MetadataImage, partitions: usize, count: usize, start: usize) -> Vec<Vec<i32>> {
    in_turns(image, (partitions, count), start, &mut Room::default()).unwrap()
}

#[test]
fn leaders_go_round_robin_from_the_start_and_followers_change_each_round() {
    let image = three_brokers();
    assert_eq!(
        placed(&image, 6, 2, 1),
        [vec![2, 3], vec![3, 1], vec![1, 3], vec![2, 1], vec![3, 2], vec![1, 2]]
    );
    assert_eq!(placed(&image, 1, 1, usize::MAX).len(), 1);
}

#[test]
fn replicas_are_in_different_racks_as_long_as_there_are_some() {
    let racks = [(1, Some("a")), (2, Some("a")), (3, Some("b")), (4, Some("b")), (5, Some("c"))];
    let image = cluster(&racks);
    let rack = |id: &i32| racks.iter().find(|(broker, _)| broker == id).unwrap().1;
    for (count, racks) in [(2, 2), (3, 3), (4, 3), (5, 3)] {
        for replicas in placed(&image, 40, count, 0) {
            let used: BTreeSet<_> = replicas.iter().map(rack).collect();
            assert_eq!(used.len(), racks, "{replicas:?}");
        }
    }
}

/// A cluster of which some brokers are out of contact.
fn cluster_without(brokers: &[(i32, Option<&str>)], fenced: &[i32]) -> MetadataImage {
    let image = cluster(brokers);
    image.with(&crate::brokers::fence_brokers(&image, fenced.iter().copied()).records).unwrap()
}

#[test]
fn who_is_out_of_contact_is_named_only_where_there_are_not_enough() {
    let image = cluster_without(&[(1, None), (2, None), (3, None), (4, None)], &[1, 3]);
    assert!(placed(&image, 8, 2, 0).iter().all(|ids| !ids.contains(&1) && !ids.contains(&3)));
    let mut named = BTreeSet::new();
    for ids in placed(&image, 8, 3, 0) {
        let absent: Vec<_> = ids.iter().filter(|id| [1, 3].contains(*id)).collect();
        assert_eq!((absent.len(), ids[2]), (1, *absent[0]), "{ids:?}");
        named.insert(ids[2]);
    }
    assert_eq!(named.len(), 2, "not always the same");
    let partition = place(&image, &mut InTurns(0), "", (1, 3, 0)).unwrap().remove(0);
    assert_eq!((partition.leader, partition.isr.len()), (partition.replicas[0], 2));
}

#[test]
fn there_are_brokers_for_all_replicas_and_a_majority_of_them_is_in_contact() {
    let three = [(1, None), (2, None), (3, None)];
    for (fenced, replicas, error) in [
        (&[][..], 3, None),
        (
            &[],
            4,
            Some(
                "Unable to replicate the partition 4 time(s): The target replication factor of 4 \
                 cannot be reached because only 3 broker(s) are registered.",
            ),
        ),
        (&[2], 3, None),
        (&[2, 3], 1, None),
        (
            &[2, 3],
            3,
            Some(
                "Unable to replicate the partition 3 time(s): only 1 broker(s) are in contact, \
                 which is no majority, so that nobody would lead",
            ),
        ),
        (
            &[1, 2, 3],
            1,
            Some("Unable to replicate the partition 1 time(s): All brokers are currently fenced."),
        ),
    ] {
        let image = cluster_without(&three, fenced);
        let result = in_turns(&image, (1, replicas), 0, &mut Room::default()).map(|_| ());
        let found = result.map_err(|error| {
            assert_eq!(error.code(), ErrorCode::INVALID_REPLICATION_FACTOR);
            format!("{error}")
        });
        assert_eq!(found.err().as_deref(), error, "{fenced:?} {replicas}");
    }
}

fn drained(image: &MetadataImage, id: i32) -> MetadataImage {
    let resource = ConfigResource::broker(id);
    let (name, value) = ("balance.drain".into(), Some("true".into()));
    image.with([&MetadataRecord::Config { resource, name, value }]).unwrap()
}

#[test]
fn who_is_drained_is_named_before_who_is_out_of_contact() {
    let image = cluster_without(&[(1, None), (2, None), (3, None), (4, None)], &[2, 4]);
    for ids in placed(&drained(&image, 1), 8, 3, 0) {
        assert_eq!(ids[..2], [3, 1], "two in contact are a majority");
    }
}

#[test]
fn nobody_is_given_more_than_it_has_room_for_where_others_are_named_too() {
    let image = cluster_without(&[(1, None), (2, None), (3, None), (4, None)], &[3, 4]);
    let with = |partitions, room: &[(i32, usize)]| {
        let mut room = Room(room.iter().copied().collect());
        let placed = in_turns(&image, (partitions, 3), 0, &mut room);
        placed.map_err(|error| (error.code(), format!("{error}")))
    };
    // The third has room for one, so that the fourth has the others.
    let placed = with(6, &[(1, 6), (2, 9), (3, 1)]).unwrap();
    let counts = [1, 2, 3, 4].map(|id| placed.iter().filter(|ids| ids.contains(&id)).count());
    assert_eq!(counts, [6, 6, 1, 5]);
    for (room, index) in [(&[(1, 5)][..], 5), (&[(3, 1), (4, 2)], 3), (&[(2, 0)], 0)] {
        let (code, why) = with(6, room).unwrap_err();
        assert_eq!(code, ErrorCode::POLICY_VIOLATION, "{room:?}");
        assert!(why.starts_with(&format!("partition {index}: 3 replicas need")), "{why}");
    }
}

#[test]
fn a_topic_of_our_own_has_as_many_replicas_as_are_within_reach() {
    let brokers = [(1, None), (2, None), (3, None), (4, None)];
    for (count, fenced, wanted, replicas) in [
        (0, &[][..], 3, 1),
        (1, &[], 3, 1),
        (2, &[], 3, 2),
        (3, &[], 3, 3),
        (4, &[], 3, 3),
        (4, &[], 100_000, 4),
        (3, &[1], 3, 3),
        (3, &[1, 2], 3, 1),
        (2, &[1], 3, 1),
        (3, &[1, 2, 3], 3, 1),
    ] {
        let image = cluster_without(&brokers[..count], fenced);
        assert_eq!(replicas_within_reach(&image, wanted), replicas, "{count} {fenced:?}");
    }
}

proptest! {
    #[test]
    fn no_broker_is_twice_in_a_partition_and_none_leads_more_than_its_part(
        racks in prop::collection::vec(prop::option::of(0..4u8), 1..9),
        partitions in 1usize..60,
        count in 1usize..9,
        start: usize,
    ) {
        let names: Vec<_> = racks.iter().map(|rack| rack.map(|rack| format!("{rack}"))).collect();
        let brokers: Vec<_> = (1..).zip(names.iter().map(|name| name.as_deref())).collect();
        let image = cluster(&brokers);
        let count = count.min(racks.len());
        let placed = placed(&image, partitions, count, start);
        let mut leads: BTreeMap<i32, usize> = BTreeMap::new();
        for replicas in &placed {
            prop_assert_eq!(replicas.iter().collect::<BTreeSet<_>>().len(), count);
            *leads.entry(replicas[0]).or_default() += 1;
        }
        let most = partitions.div_ceil(racks.len());
        prop_assert!(leads.values().all(|&led| led <= most), "{:?}", leads);
    }
}
