//! Moves that need no plan: what they are for is certain, and so is where to.

use std::collections::{BTreeSet, HashMap};

use logboom_balance::snapshot::{Load, WEIGHT_USUAL};
use logboom_balance::{Limits, Resource};
use logboom_controller::MetadataImage;
use logboom_controller::reassignments::{Relocation, RelocationKind};
use logboom_controller::record::Partition;
use logboom_protocol::units::Uuid;
use logboom_storage::state::GroupKey;

use super::super::loads::Loads;
use super::super::report::Means;
use crate::coordination::OFFSETS_TOPIC;

/// Offices of brokers that are drained, which others can take at once: of those that have all of
/// the partition, who leads the fewest for its weight, and who can give what its leader gives
/// before who can't. It copies nothing, and loads needn't be known for it.
///
/// - `most`: how many at the most.
pub(super) fn offices_of_drained(
    image: &MetadataImage,
    loads: &Loads,
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
    // Sums of all that is known: once there is something to hand over.
    let mut outlets = None;
    let mut offices = Vec::new();
    for (topic_id, index, partition) in partitions(image) {
        let heir = partition.wished_leader;
        let is_on_its_way = may_lead(heir) && partition.isr.contains(&heir);
        if offices.len() == most || !drained.contains(&partition.leader) || is_on_its_way {
            continue;
        }
        let (wish, voters) = (partition.wish().0, partition.voters().0);
        let has_all = |id: &i32| voters.contains(id) && partition.isr.contains(id);
        let able = wish.iter().copied().filter(|id| has_all(id) && may_lead(*id));
        let key = GroupKey { topic_id, partition: index };
        let gives = loads.of(&key, partition.leader).unwrap_or_default().bytes_out;
        let share = |id: i32| per_weight(led.get(&id).copied().unwrap_or(0), loads, id);
        let outlets = outlets.get_or_insert_with(|| Outlets::new(loads));
        let to = able.min_by_key(|id| (!outlets.can_give(*id, gives), share(*id)));
        let Some(to) = to else { continue };
        outlets.take(to, gives);
        *led.entry(to).or_default() += 1;
        let (kind, from) = (RelocationKind::Leader, partition.leader);
        offices.push(Relocation { topic_id, index, kind, from, to });
    }
    offices
}

/// What brokers can give besides what they do.
struct Outlets {
    left: HashMap<i32, u64>,
}

impl Outlets {
    fn new(loads: &Loads) -> Self {
        let left = |(id, (means, load)): (i32, (Means, Option<Load>))| {
            let given = load.unwrap_or_default().bytes_out;
            Some((id, means.capacities()[Resource::BytesOut]?.saturating_sub(given)))
        };
        Self { left: loads.sums().into_iter().filter_map(left).collect() }
    }

    fn can_give(&self, broker: i32, bytes_out: u64) -> bool {
        self.left.get(&broker).is_none_or(|left| *left >= bytes_out)
    }

    fn take(&mut self, broker: i32, bytes_out: u64) {
        if let Some(left) = self.left.get_mut(&broker) {
            *left = left.saturating_sub(bytes_out);
        }
    }
}

/// A count as it compares between brokers of several weights.
fn per_weight(count: usize, loads: &Loads, broker: i32) -> u64 {
    let weight = loads.means(broker).map_or(WEIGHT_USUAL, |means| means.weight);
    (count as u64).saturating_mul(u64::from(u32::MAX)) / u64::from(weight.max(1))
}

/// Replicas that the topic of groups lacks, because it was made when there were fewer brokers: on
/// those that have room for another partition and the fewest replicas of it for their weight, in
/// other racks where there are any.
///
/// - `replicas`: how many it is to have, or one of each broker where there are fewer.
/// - `limits`: how many of them may be under way, from one leader and to one broker.
pub(super) fn missing_of_internal(
    image: &MetadataImage,
    loads: &Loads,
    replicas: usize,
    limits: &Limits,
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
    let mut room: HashMap<i32, u64> =
        racks.keys().map(|id| (*id, partitions_left(image, loads, *id))).collect();
    let mut copied: HashMap<i32, usize> = HashMap::new();
    let mut under_way = 0;
    for partition in topic.partitions().filter(|partition| partition.is_moving()) {
        under_way += 1;
        let ends = partition.adding().chain([partition.leader]);
        ends.for_each(|id| *copied.entry(id).or_default() += 1);
    }
    let mut missing = Vec::new();
    for (index, partition) in (0..).zip(topic.partitions()) {
        let is_free =
            |id: &i32| copied.get(id).is_none_or(|count| *count < limits.moves_per_broker);
        let is_full = under_way >= limits.moves || !is_free(&partition.leader);
        if is_full || !lacks(partition) || partition.is_moving() {
            continue;
        }
        let has = partition.wish().0;
        let crowd = |id: i32| has.iter().filter(|other| racks.get(other) == racks.get(&id)).count();
        let others = racks.keys().copied().filter(|id| !has.contains(id));
        let others = others.filter(|id| room[id] > 0 && is_free(id));
        let count = |id: i32| counts.get(&id).copied().unwrap_or(0);
        let share = |id: i32| per_weight(count(id), loads, id);
        let Some(to) = others.min_by_key(|id| (crowd(*id), share(*id), *id)) else { continue };
        *counts.entry(to).or_default() += 1;
        room.entry(to).and_modify(|left| *left -= 1);
        [partition.leader, to].iter().for_each(|id| *copied.entry(*id).or_default() += 1);
        under_way += 1;
        let (topic_id, kind, from) = (topic.id(), RelocationKind::More, partition.leader);
        missing.push(Relocation { topic_id, index, kind, from, to });
    }
    missing
}

/// How many partitions more a broker may have.
fn partitions_left(image: &MetadataImage, loads: &Loads, broker: i32) -> u64 {
    let capacity = loads.means(broker).and_then(|it| it.capacities()[Resource::Partitions]);
    let left = |most: u64| most.saturating_sub(image.partitions_of(broker).count() as u64);
    capacity.map_or(u64::MAX, left)
}

fn partitions(image: &MetadataImage) -> impl Iterator<Item = (Uuid, i32, &Partition)> {
    image.topics().flat_map(|topic| {
        (0..).zip(topic.partitions()).map(|(index, partition)| (topic.id(), index, partition))
    })
}
