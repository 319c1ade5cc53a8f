//! On which brokers the replicas of new partitions go.
//!
//! Must always hold: the same brokers, count and start give the same placement; as long as there
//! are racks enough, no two replicas of a partition share one, and never more than must.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use logboom_protocol::units::Uuid;

use crate::MetadataImage;
use crate::record::Partition;

use super::error::{AssignmentError, TopicError};

/// Places partitions `first`, `first + 1` and so on, `partitions` of them, round robin from the
/// broker at `start`.
pub(super) fn place(
    image: &MetadataImage,
    partitions: usize,
    replicas: usize,
    start: usize,
) -> Result<Vec<Partition>, TopicError> {
    let ring = ring(image);
    if replicas > ring.len() {
        return Err(TopicError::TooFewBrokers { replicas, brokers: ring.len() });
    }
    let placed = (0..partitions).map(|index| {
        let ids = replicas_of(&ring, start.wrapping_add(index), replicas);
        new_partition(image, &ids)
    });
    Ok(placed.collect())
}

/// A partition on brokers that a client chose.
pub(super) fn assigned(
    image: &MetadataImage,
    ids: &[i32],
    expected: Option<usize>,
) -> Result<Partition, AssignmentError> {
    if ids.is_empty() {
        return Err(AssignmentError::Empty);
    }
    let mut seen = BTreeSet::new();
    for &id in ids {
        if image.broker(id).is_none() {
            return Err(AssignmentError::UnknownBroker(id));
        }
        if !seen.insert(id) {
            return Err(AssignmentError::BrokerTwice(id));
        }
    }
    match expected {
        Some(expected) if expected != ids.len() => {
            Err(AssignmentError::Length { expected, found: ids.len() })
        }
        _ => Ok(new_partition(image, ids)),
    }
}

/// A broker's id and rack.
type Place<'a> = (i32, Option<&'a str>);

/// The brokers, so that neighbours are in different racks where that is possible: the first of each
/// rack, then the second of each, and so on.
fn ring(image: &MetadataImage) -> Vec<Place<'_>> {
    let mut in_rack: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    let mut ring: Vec<_> = image
        .brokers()
        .map(|broker| {
            let rack = broker.rack.as_deref();
            let turn = in_rack.entry(rack).or_default();
            *turn += 1;
            (*turn, rack, broker.id)
        })
        .collect();
    ring.sort_unstable();
    ring.into_iter().map(|(_, rack, id)| (id, rack)).collect()
}

/// The brokers of one partition: the leader by turns, then from its neighbour on who is in the rack
/// with the fewest of them. Each round of the ring skips one more, so that a broker's followers
/// are not always the same.
fn replicas_of(ring: &[Place<'_>], turn: usize, replicas: usize) -> Vec<i32> {
    let leader = turn % ring.len();
    let others = ring.len() - 1;
    let skipped = (turn / ring.len()).checked_rem(others).unwrap_or(0);
    let followers = (0..others).map(|step| (leader + 1 + (step + skipped) % others) % ring.len());
    let mut left: Vec<Place<'_>> = followers.map(|place| ring[place]).collect();
    let mut in_rack = BTreeMap::from([(ring[leader].1, 1usize)]);
    let mut chosen = Vec::from([ring[leader].0]);
    while chosen.len() < replicas {
        let crowd = |place: &Place<'_>| in_rack.get(&place.1).copied().unwrap_or(0);
        let next = (0..left.len()).min_by_key(|&step| (crowd(&left[step]), step));
        let (id, rack) = left.remove(next.expect("as many brokers as replicas"));
        *in_rack.entry(rack).or_default() += 1;
        chosen.push(id);
    }
    chosen
}

/// A partition that nobody has led yet.
fn new_partition(image: &MetadataImage, ids: &[i32]) -> Partition {
    let directory = |id: &i32| image.broker(*id).map_or(Uuid::ZERO, |broker| broker.directory_id);
    Partition::new(ids.to_vec(), ids.iter().map(directory).collect())
}
