//! What is under way and isn't the plan's: begun by operators, by an office before this one, or by
//! what needs no plan.

use std::collections::{HashMap, HashSet};

use logboom_balance::Other;
use logboom_balance::snapshot::Load;
use logboom_balance::status::OtherStatus;
use logboom_controller::MetadataImage;
use logboom_controller::record::Partition;
use logboom_storage::state::GroupKey;

use super::super::loads::Loads;

/// A replica that is still there though another one is wished for.
pub(super) struct Leaving {
    pub(super) broker: i32,
    pub(super) load: Load,
    /// Whether nobody leads its partition, so that it stays for now.
    pub(super) is_stuck: bool,
}

/// The partitions of which replicas move, each with its topic's name.
fn moving(image: &MetadataImage) -> impl Iterator<Item = (GroupKey, &str, &Partition)> {
    image.topics().flat_map(|topic| {
        let moving = (0..).zip(topic.partitions()).filter(|it| it.1.is_moving());
        moving.map(|(partition, known)| {
            (GroupKey { topic_id: topic.id(), partition }, topic.name(), known)
        })
    })
}

/// The replicas that are on their way out.
pub(super) fn leaving(image: &MetadataImage, loads: &Loads) -> Vec<Leaving> {
    let mut leaving = Vec::new();
    for (key, _, known) in moving(image) {
        for broker in known.all_replicas() {
            if !known.wish().0.contains(&broker) {
                let load = loads.of(&key, broker).unwrap_or_default();
                let is_stuck = image.leader_of(known).is_none();
                leaving.push(Leaving { broker, load, is_stuck });
            }
        }
    }
    leaving
}

/// What is under way and isn't the plan's.
///
/// - `own`: partitions of which it has begun to move something.
pub(super) fn others(
    image: &MetadataImage,
    places: &HashMap<GroupKey, usize>,
    own: &HashSet<GroupKey>,
) -> Vec<Other> {
    let others = moving(image).filter(|(key, ..)| !own.contains(key));
    let others = others.map(|(key, _, known)| Other {
        partition: places.get(&key).copied().unwrap_or(usize::MAX),
        from: known.removing().collect(),
        to: known.adding().collect(),
    });
    others.collect()
}

/// What of it is told to operators.
///
/// - `own`: partitions of which the plan has something under way.
pub(super) fn told(
    image: &MetadataImage,
    loads: &Loads,
    own: &HashSet<GroupKey>,
) -> Vec<OtherStatus> {
    let others = moving(image).filter(|(key, ..)| !own.contains(key));
    let told = others.map(|(key, topic, known)| {
        let to: Vec<i32> = known.adding().collect();
        let each = loads.of(&key, known.leader).map_or(0, |load| load.disk_bytes);
        let bytes = each.saturating_mul(to.len() as u64);
        let (topic, from) = (topic.to_owned(), known.removing().collect());
        OtherStatus { topic, index: key.partition, from, to, bytes }
    });
    told.collect()
}
