//! On which brokers the replicas of new partitions go.
//!
//! Brokers that are in contact, and not drained, come first. As in the reference, others are named
//! where there are not enough, so that a topic can be created while a broker is away; but a
//! majority has to be in contact, or the partition would have no leader.
//!
//! Must always hold: the same brokers, count and start give the same placement; the first replica
//! is in contact; as long as there are racks enough among those in contact, no two replicas of a
//! partition share one, and never more than must; nobody is given more than it has room for, as far
//! as that is known, whoever places.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use logboom_protocol::CompactString;
use logboom_protocol::units::Uuid;

use crate::MetadataImage;
use crate::record::Partition;

use super::error::{AssignmentError, TopicError};

/// Who says where new partitions go.
pub trait Placement {
    /// At which broker turns begin; any number.
    fn start(&self) -> usize;

    /// The brokers of each of so many partitions, those that are preferred to lead first; `None`
    /// leaves it to turns. All are of the image, and in contact.
    ///
    /// - `strategy`: a value of `placement.strategy`.
    ///
    /// # Errors
    /// The rule that can't be kept.
    fn place(
        &mut self,
        image: &MetadataImage,
        strategy: &str,
        partitions: usize,
        replicas: usize,
    ) -> Result<Option<Vec<Vec<i32>>>, CompactString>;

    /// How many new replicas a broker has room for; `None` where that isn't known. Asked where it
    /// is left to turns.
    fn room(&mut self, image: &MetadataImage, broker: i32) -> Option<usize>;

    /// These partitions were placed in turns.
    fn note(&mut self, placed: &[Vec<i32>]);
}

/// Turns for everything, from that broker on.
#[derive(Debug, Clone, Copy)]
pub struct InTurns(pub usize);

impl Placement for InTurns {
    fn start(&self) -> usize {
        self.0
    }

    fn place(
        &mut self,
        _: &MetadataImage,
        _: &str,
        _: usize,
        _: usize,
    ) -> Result<Option<Vec<Vec<i32>>>, CompactString> {
        Ok(None)
    }

    fn room(&mut self, _: &MetadataImage, _: i32) -> Option<usize> {
        None
    }

    fn note(&mut self, _: &[Vec<i32>]) {}
}

/// Places new partitions.
///
/// - `skipped`: how many were placed before, in turns.
pub(super) fn place(
    image: &MetadataImage,
    placement: &mut dyn Placement,
    strategy: &str,
    (partitions, replicas, skipped): (usize, usize, usize),
) -> Result<Vec<Partition>, TopicError> {
    let placed = placement.place(image, strategy, partitions, replicas);
    let placed = match placed.map_err(TopicError::NoRoom)? {
        Some(placed) => placed,
        None => {
            let start = placement.start().wrapping_add(skipped);
            let known =
                image.brokers().filter_map(|it| Some((it.id, placement.room(image, it.id)?)));
            let mut room = Room(known.collect());
            let placed = in_turns(image, (partitions, replicas), start, &mut room)?;
            placement.note(&placed);
            placed
        }
    };
    Ok(placed.iter().map(|ids| new_partition(image, ids)).collect())
}

/// How many replicas brokers have room for that have no room for any number of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Room(pub(super) BTreeMap<i32, usize>);

impl Room {
    fn is_there(&self, broker: i32) -> bool {
        self.0.get(&broker) != Some(&0)
    }

    fn take(&mut self, brokers: &[i32]) {
        for id in brokers {
            self.0.entry(*id).and_modify(|left| *left = left.saturating_sub(1));
        }
    }
}

/// The brokers of so many partitions, of so many replicas each, round robin from the broker at
/// `start`.
pub(super) fn in_turns(
    image: &MetadataImage,
    (partitions, replicas): (usize, usize),
    start: usize,
    room: &mut Room,
) -> Result<Vec<Vec<i32>>, TopicError> {
    let rings = Standing::ALL.map(|standing| ring(image, standing));
    let brokers = image.brokers().len();
    let in_contact = image.brokers_in_contact().count();
    if rings[0].is_empty() {
        return Err(TopicError::NobodyInContact { replicas });
    }
    if replicas > brokers {
        return Err(TopicError::TooFewBrokers { replicas, brokers });
    }
    if !is_majority(in_contact, replicas) {
        return Err(TopicError::TooFewInContact { replicas, in_contact });
    }
    let placed = (0..partitions).map(|index| {
        let has_room = |place: &Place<'_>| room.is_there(place.0);
        let rings = rings.each_ref().map(|it| it.iter().copied().filter(has_room).collect());
        let ids = replicas_of(&rings, start.wrapping_add(index), replicas);
        let there = ids.iter().filter(|id| image.is_in_contact(**id)).count();
        if ids.len() < replicas || !is_majority(there, replicas) {
            return Err(TopicError::NoRoom(no_room(index, replicas, ids.len())));
        }
        room.take(&ids);
        Ok(ids)
    });
    placed.collect()
}

fn no_room(index: usize, replicas: usize, found: usize) -> CompactString {
    format!(
        "partition {index}: {replicas} replicas need brokers that have capacity for one \
         (balance.capacity.partitions), most of them in contact, and {found} have"
    )
    .into()
}

/// Whether so many are more than half of all.
fn is_majority(count: usize, of: usize) -> bool {
    count > of / 2
}

/// The most replicas, up to `wanted` of them, with which a partition can be placed now; 1 where
/// there are no brokers.
#[must_use]
pub fn replicas_within_reach(image: &MetadataImage, wanted: i64) -> i16 {
    let in_contact = image.brokers_in_contact().count();
    // With 2n − 1 replicas n are a majority.
    let reach = image.brokers().len().min((2 * in_contact).saturating_sub(1));
    let reach = i16::try_from(reach).unwrap_or(i16::MAX);
    i16::try_from(wanted).unwrap_or(i16::MAX).min(reach).max(1)
}

/// A partition on brokers that a client chose.
///
/// - `index`: the partition's number.
pub(super) fn assigned(
    image: &MetadataImage,
    index: i32,
    ids: &[i32],
    expected: Option<usize>,
) -> Result<Partition, AssignmentError> {
    check_assignment(image, ids)?;
    match expected {
        Some(expected) if expected != ids.len() => {
            Err(AssignmentError::Length { expected, found: ids.len() })
        }
        _ if !ids.iter().any(|id| image.is_in_contact(*id)) => {
            Err(AssignmentError::AllFenced(index))
        }
        _ => Ok(new_partition(image, ids)),
    }
}

/// Whether brokers that a client chose are distinct brokers of the cluster, at least one.
pub(crate) fn check_assignment(image: &MetadataImage, ids: &[i32]) -> Result<(), AssignmentError> {
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
    Ok(())
}

/// The data directories of brokers, as they are registered.
pub(crate) fn directories(image: &MetadataImage, ids: &[i32]) -> Vec<Uuid> {
    let directory = |id: &i32| image.broker(*id).map_or(Uuid::ZERO, |broker| broker.directory_id);
    ids.iter().map(directory).collect()
}

/// A broker's id and rack.
type Place<'a> = (i32, Option<&'a str>);

/// In which order brokers are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Usual,
    /// In contact, so that it counts for a majority.
    Drained,
    Absent,
}

impl Standing {
    const ALL: [Self; 3] = [Self::Usual, Self::Drained, Self::Absent];

    fn of(image: &MetadataImage, broker: i32) -> Self {
        match (image.is_in_contact(broker), image.is_drained(broker)) {
            (true, false) => Self::Usual,
            (true, true) => Self::Drained,
            (false, _) => Self::Absent,
        }
    }
}

/// The brokers that stand so, so that neighbours are in different racks where that is possible: the
/// first of each rack, then the second of each, and so on.
fn ring(image: &MetadataImage, standing: Standing) -> Vec<Place<'_>> {
    let mut in_rack: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    let mut ring: Vec<_> = image
        .brokers()
        .filter(|broker| Standing::of(image, broker.id) == standing)
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
/// with the fewest of them, and last those that aren't usual in the same way. Each round of the
/// ring skips one more, so that a broker's followers are not always the same.
fn replicas_of(rings: &[Vec<Place<'_>>; 3], turn: usize, replicas: usize) -> Vec<i32> {
    let [ring, others @ ..] = rings;
    if ring.is_empty() {
        return Vec::new();
    }
    let leader = turn % ring.len();
    let count = ring.len() - 1;
    let skipped = (turn / ring.len()).checked_rem(count).unwrap_or(0);
    let followers = (0..count).map(|step| (leader + 1 + (step + skipped) % count) % ring.len());
    let mut in_rack = BTreeMap::from([(ring[leader].1, 1usize)]);
    let mut chosen = Vec::from([ring[leader].0]);
    let mut left: Vec<Place<'_>> = followers.map(|place| ring[place]).collect();
    choose(&mut left, replicas, &mut in_rack, &mut chosen);
    for other in others.iter().filter(|other| !other.is_empty()) {
        let mut left = other.clone();
        left.rotate_left(turn % other.len());
        choose(&mut left, replicas, &mut in_rack, &mut chosen);
    }
    chosen
}

/// Chooses brokers out of `left` until there are so many replicas or nobody is left.
fn choose<'a>(
    left: &mut Vec<Place<'a>>,
    replicas: usize,
    in_rack: &mut BTreeMap<Option<&'a str>, usize>,
    chosen: &mut Vec<i32>,
) {
    while chosen.len() < replicas {
        let crowd = |place: &Place<'_>| in_rack.get(&place.1).copied().unwrap_or(0);
        let next = (0..left.len()).min_by_key(|&step| (crowd(&left[step]), step));
        let Some(next) = next else { return };
        let (id, rack) = left.remove(next);
        *in_rack.entry(rack).or_default() += 1;
        chosen.push(id);
    }
}

/// A partition that nobody has led yet: the first of those in contact is expected to.
fn new_partition(image: &MetadataImage, ids: &[i32]) -> Partition {
    let isr: Vec<i32> = ids.iter().copied().filter(|id| image.is_in_contact(*id)).collect();
    let mut partition = Partition::new(ids.to_vec(), directories(image, ids));
    partition.leader = isr.first().copied().unwrap_or(partition.leader);
    partition.isr = isr;
    partition
}
