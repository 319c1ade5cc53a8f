//! Moves that need no plan: what they are for is certain, and so is where to.

use std::collections::{BTreeSet, HashMap};

use logboom_controller::MetadataImage;
use logboom_controller::reassignments::{Relocation, RelocationKind};
use logboom_controller::record::Partition;
use logboom_protocol::units::Uuid;

use crate::coordination::OFFSETS_TOPIC;

/// Offices of brokers that are drained, which others can take at once: of those that have all of
/// the partition, who leads the fewest. It copies nothing, and loads needn't be known for it.
///
/// - `most`: how many at the most.
pub(super) fn offices_of_drained(
    image: &MetadataImage,
    drained: &BTreeSet<i32>,
    most: usize,
) -> Vec<Relocation> {
    if drained.is_empty() {
        return Vec::new();
    }
    let mut led: HashMap<i32, usize> = HashMap::new();
    for (_, _, partition) in partitions(image) {
        *led.entry(partition.leader).or_default() += 1;
    }
    let may_lead = |id: i32| image.is_in_contact(id) && !drained.contains(&id);
    let mut offices = Vec::new();
    for (topic_id, index, partition) in partitions(image) {
        let is_on_its_way = partition.is_moving() || may_lead(partition.wished_leader);
        if offices.len() == most || !drained.contains(&partition.leader) || is_on_its_way {
            continue;
        }
        let able = partition.wish().0.iter().copied();
        let able = able.filter(|id| partition.isr.contains(id) && may_lead(*id));
        let Some(to) = able.min_by_key(|id| led.get(id).copied().unwrap_or(0)) else { continue };
        *led.entry(to).or_default() += 1;
        let (kind, from) = (RelocationKind::Leader, partition.leader);
        offices.push(Relocation { topic_id, index, kind, from, to });
    }
    offices
}

/// Replicas that the topic of groups lacks, because it was made when there were fewer brokers: on
/// those that have the fewest replicas of it, in other racks where there are any.
///
/// - `replicas`: how many it is to have, or one of each broker where there are fewer.
/// - `most`: how many may be under way.
pub(super) fn missing_of_internal(
    image: &MetadataImage,
    replicas: usize,
    most: usize,
) -> Vec<Relocation> {
    let Some(topic) = image.topic_named(OFFSETS_TOPIC) else { return Vec::new() };
    let usual = image.brokers_in_contact().filter(|broker| !image.is_drained(broker.id));
    let racks: HashMap<i32, Option<&str>> =
        usual.map(|broker| (broker.id, broker.rack.as_deref())).collect();
    let wanted = replicas.min(racks.len());
    // What nobody leads can't be copied.
    let lacks = |partition: &Partition| {
        partition.wish().0.len() < wanted && image.leader_of(partition).is_some()
    };
    if !topic.partitions().any(lacks) {
        return Vec::new();
    }
    let mut counts: HashMap<i32, usize> = HashMap::new();
    for id in topic.partitions().flat_map(|partition| partition.wish().0) {
        *counts.entry(*id).or_default() += 1;
    }
    let moving = topic.partitions().filter(|partition| partition.is_moving()).count();
    let mut missing = Vec::new();
    for (index, partition) in (0..).zip(topic.partitions()) {
        if missing.len() + moving >= most || !lacks(partition) || partition.is_moving() {
            continue;
        }
        let has = partition.wish().0;
        let crowd = |id: i32| has.iter().filter(|other| racks.get(other) == racks.get(&id)).count();
        let others = racks.keys().copied().filter(|id| !has.contains(id));
        let count = |id: i32| counts.get(&id).copied().unwrap_or(0);
        let Some(to) = others.min_by_key(|id| (crowd(*id), count(*id), *id)) else { continue };
        *counts.entry(to).or_default() += 1;
        let (topic_id, kind, from) = (topic.id(), RelocationKind::More, partition.leader);
        missing.push(Relocation { topic_id, index, kind, from, to });
    }
    missing
}

fn partitions(image: &MetadataImage) -> impl Iterator<Item = (Uuid, i32, &Partition)> {
    image.topics().flat_map(|topic| {
        (0..).zip(topic.partitions()).map(|(index, partition)| (topic.id(), index, partition))
    })
}
