//! What is under way and isn't the plan's: begun by operators, by an office before this one, or by
//! what needs no plan.

use std::collections::{HashMap, HashSet};

use logboom_balance::Other;
use logboom_balance::snapshot::Load;
use logboom_balance::status::OtherStatus;
use logboom_controller::MetadataImage;
use logboom_storage::state::GroupKey;

use super::super::loads::Loads;

/// A replica that is still there though another one is wished for.
pub(super) struct Leaving {
    pub(super) broker: i32,
    pub(super) load: Load,
    /// Whether nobody leads its partition, so that it stays for now.
    pub(super) is_stuck: bool,
}

/// The replicas that are on their way out.
pub(super) fn leaving(image: &MetadataImage, loads: &Loads) -> Vec<Leaving> {
    let mut leaving = Vec::new();
    for topic in image.topics() {
        for (partition, known) in (0..).zip(topic.partitions()).filter(|it| it.1.is_moving()) {
            let key = GroupKey { topic_id: topic.id(), partition };
            for broker in known.all_replicas() {
                if !known.wish().0.contains(&broker) {
                    let load = loads.of(&key, broker).unwrap_or_default();
                    let is_stuck = image.leader_of(known).is_none();
                    leaving.push(Leaving { broker, load, is_stuck });
                }
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
    let mut others = Vec::new();
    for topic in image.topics() {
        for (partition, known) in (0..).zip(topic.partitions()).filter(|it| it.1.is_moving()) {
            let key = GroupKey { topic_id: topic.id(), partition };
            if own.contains(&key) {
                continue;
            }
            let partition = places.get(&key).copied().unwrap_or(usize::MAX);
            let (from, to) = (known.removing().collect(), known.adding().collect());
            others.push(Other { partition, from, to });
        }
    }
    others
}

/// What of it is told to operators.
///
/// - `own`: partitions of which the plan has something under way.
pub(super) fn told(
    image: &MetadataImage,
    loads: &Loads,
    own: &HashSet<GroupKey>,
) -> Vec<OtherStatus> {
    let mut told = Vec::new();
    for topic in image.topics() {
        for (partition, known) in (0..).zip(topic.partitions()).filter(|it| it.1.is_moving()) {
            let key = GroupKey { topic_id: topic.id(), partition };
            if own.contains(&key) {
                continue;
            }
            let (from, to): (Vec<i32>, Vec<i32>) =
                (known.removing().collect(), known.adding().collect());
            let each = loads.of(&key, known.leader).map_or(0, |load| load.disk_bytes);
            let bytes = each.saturating_mul(to.len() as u64);
            let topic = topic.name().to_owned();
            told.push(OtherStatus { topic, index: partition, from, to, bytes });
        }
    }
    told
}
