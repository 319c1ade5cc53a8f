//! The cluster as the balancer sees it: the metadata, and what is known of loads.

use std::collections::BTreeSet;

use logboom_balance::Snapshot;
use logboom_balance::snapshot::{
    Broker, Load, Partition, REPLICAS_MAX, Replica, SnapshotError, Standing, WEIGHT_USUAL,
};
use logboom_controller::MetadataImage;
use logboom_controller::record::{self, NO_BROKER};
use logboom_protocol::units::Uuid;
use logboom_storage::state::GroupKey;

use super::loads::Loads;
use super::report::Means;

/// A snapshot, and which partitions are in it.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub(super) snapshot: Snapshot,
    /// The ids of its topics, by their places.
    topics: Vec<Uuid>,
}

impl Picture {
    /// Looks.
    ///
    /// - `lost`: brokers that won't come back in time.
    ///
    /// # Errors
    /// What there is too much of.
    pub(super) fn new(
        image: &MetadataImage,
        loads: &Loads,
        lost: &BTreeSet<i32>,
    ) -> Result<Self, SnapshotError> {
        let mut brokers: Vec<Broker> =
            image.brokers().map(|it| broker(image, loads, lost, it)).collect();
        let (mut topics, mut names, mut partitions) = (Vec::new(), Vec::new(), Vec::new());
        let mut strangers = BTreeSet::new();
        for topic in image.topics() {
            let place = u32::try_from(topics.len()).unwrap_or(u32::MAX);
            topics.push(topic.id());
            names.push(topic.name().to_owned());
            for (index, known) in (0_i32..).zip(topic.partitions()) {
                let key = GroupKey { topic_id: topic.id(), partition: index };
                let replicas = replicas(loads, &key, known);
                let unknown = replicas.iter().map(|it| it.broker);
                strangers.extend(unknown.filter(|id| image.broker(*id).is_none()));
                let leads = |id: i32| replicas.iter().any(|replica| replica.broker == id);
                let leader = image.leader_of(known);
                let (topic, is_leaderless) = (place, leader.is_none());
                let leader = leader.filter(|leader| leads(*leader));
                partitions.push(Partition { topic, index, leader, is_leaderless, replicas });
            }
        }
        // Who was removed still is where partitions say so, and has to be replaced.
        brokers.extend(
            strangers
                .into_iter()
                .map(|id| Broker { standing: Standing::Absent, ..Broker::new(id) }),
        );
        Ok(Self { snapshot: Snapshot::new(brokers, names, partitions)?, topics })
    }

    /// The partition at a place of the snapshot.
    pub(super) fn key(&self, place: usize) -> Option<GroupKey> {
        let partition = self.snapshot.partitions().get(place)?;
        let topic_id = *self.topics.get(partition.topic as usize)?;
        Some(GroupKey { topic_id, partition: partition.index })
    }
}

fn broker(
    image: &MetadataImage,
    loads: &Loads,
    lost: &BTreeSet<i32>,
    registered: &record::BrokerRegistration,
) -> Broker {
    let id = registered.id;
    let standing = if lost.contains(&id) {
        Standing::Absent
    } else if image.is_drained(id) {
        Standing::Draining
    } else {
        Standing::Active
    };
    let means = loads.means(id);
    let capacity = means.map(Means::capacities).unwrap_or_default();
    let rack = registered.rack.as_ref().map(|rack| rack.to_string());
    Broker { id, rack, weight: means.map_or(WEIGHT_USUAL, |it| it.weight), capacity, standing }
}

/// The replicas that a partition is to have. One that its broker hasn't measured yet will take what
/// the leader's does, but for what that gives; and all take in what the leader's does: what one
/// that was behind took in more is over. One that is being copied will be as large as the leader's,
/// and give what that gives where it comes in place of it.
fn replicas(loads: &Loads, key: &GroupKey, partition: &record::Partition) -> Vec<Replica> {
    let of_leader = Some(partition.leader).filter(|leader| *leader != NO_BROKER);
    let of_leader = of_leader.and_then(|leader| loads.of(key, leader)).unwrap_or_default();
    let expected = Load { bytes_out: 0, ..of_leader };
    let wished = partition.wish().0.iter().take(REPLICAS_MAX);
    let (adding, removing): (Vec<i32>, Vec<i32>) =
        (partition.adding().collect(), partition.removing().collect());
    let heir = partition.preferred_leader();
    let load = |broker: i32| {
        let mut own = loads.of(key, broker).unwrap_or(expected);
        if adding.contains(&broker) {
            own.disk_bytes = own.disk_bytes.max(of_leader.disk_bytes);
            if broker == heir && removing.contains(&partition.leader) {
                own.bytes_out = own.bytes_out.max(of_leader.bytes_out);
            }
        }
        if of_leader == Load::default() {
            own
        } else {
            Load { bytes_in: of_leader.bytes_in, ..own }
        }
    };
    wished.map(|&broker| Replica { broker, load: load(broker) }).collect()
}

#[cfg(test)]
mod tests {
    use logboom_controller::reassignments::{Relocation, RelocationKind, relocate};

    use super::*;
    use crate::balancing::report::LoadReport;
    use crate::balancing::samples::{KEY, MEANS, cluster};

    /// A partition that goes from the first broker to the third, with what each has told of it.
    fn moving(told: [Load; 3]) -> Vec<(i32, Load)> {
        let image = cluster(&[1, 2, 3], &[&[2, 1]]);
        let (topic_id, index) = (KEY.topic_id, KEY.partition);
        let one = Relocation { topic_id, index, kind: RelocationKind::Replica, from: 1, to: 3 };
        let image = image.with(&relocate(&image, &[one]).records).unwrap();
        let mut loads = Loads::default();
        for (id, load) in (1..).zip(told) {
            let loads_of = vec![(KEY, load)];
            let (means, office) = (MEANS, Some(1));
            let report = LoadReport { means, growth: None, loads: loads_of, office, is_last: true };
            loads.note(id, report);
        }
        let picture = Picture::new(&image, &loads, &BTreeSet::new()).unwrap();
        let replicas = &picture.snapshot.partitions()[0].replicas;
        replicas.iter().map(|it| (it.broker, it.load)).collect()
    }

    #[test]
    fn what_is_copied_to_a_new_replica_is_no_load_of_the_partition() {
        let leader = Load { disk_bytes: 1_000, bytes_in: 10, bytes_out: 30 };
        // It takes in all that there is, as fast as it can.
        let new = Load { disk_bytes: 400, bytes_in: 50_000, bytes_out: 0 };
        let old = Load { bytes_out: 0, ..leader };
        let expected = Load { bytes_in: 10, disk_bytes: 1_000, ..new };
        assert_eq!(moving([old, leader, new]), [(2, leader), (3, expected)]);
    }

    #[test]
    fn who_comes_for_the_leader_will_give_what_that_gives() {
        let leader = Load { disk_bytes: 1_000, bytes_in: 10, bytes_out: 30 };
        let image = cluster(&[1, 2, 3], &[&[1, 2]]);
        let (topic_id, index) = (KEY.topic_id, KEY.partition);
        let one = Relocation { topic_id, index, kind: RelocationKind::Replica, from: 1, to: 3 };
        let image = image.with(&relocate(&image, &[one]).records).unwrap();
        let mut loads = Loads::default();
        let (means, office) = (MEANS, Some(1));
        let told = |load| LoadReport {
            means,
            growth: None,
            loads: vec![(KEY, load)],
            office,
            is_last: true,
        };
        loads.note(1, told(leader));
        loads.note(3, told(Load { disk_bytes: 10, bytes_in: 900, bytes_out: 0 }));
        let picture = Picture::new(&image, &loads, &BTreeSet::new()).unwrap();
        let partition = &picture.snapshot.partitions()[0];
        assert_eq!(partition.replicas[0], Replica { broker: 3, load: leader });
    }

    #[test]
    fn a_replica_that_nobody_has_measured_will_take_what_the_leader_does() {
        let leader = Load { disk_bytes: 1_000, bytes_in: 10, bytes_out: 30 };
        let expected = Load { bytes_out: 0, ..leader };
        let told = moving([Load::default(), leader, Load::default()]);
        assert_eq!(told, [(2, leader), (3, expected)]);
    }
}
