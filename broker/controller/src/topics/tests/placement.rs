//! Where replicas go.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::super::placement::place;
use super::*;

fn placed(image: &MetadataImage, partitions: usize, count: usize, start: usize) -> Vec<Vec<i32>> {
    let partitions = place(image, partitions, count, start).unwrap();
    partitions.into_iter().map(|partition| partition.replicas).collect()
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
