//! Replicas that are on their way and never catch up: what is new to their partitions arrives as
//! fast as they may be sent anything.
//!
//! What a broker sends new replicas in a second is shared by all partitions that it leads. Those of
//! a topic that has a throttle of its own aren't judged.

use std::collections::BTreeMap;

use logboom_balance::status::EndlessStatus;
use logboom_controller::MetadataImage;
use logboom_controller::config::StaticConfig;
use logboom_controller::record::{ConfigResource, NO_BROKER, Partition};
use logboom_storage::state::GroupKey;

use super::super::loads::Loads;
use super::rates::rates;

/// The throttle of a topic.
const THROTTLED: &str = "leader.replication.throttled.replicas";

/// A partition of which replicas are on their way.
struct Copied {
    key: GroupKey,
    leader: i32,
    /// What they are sent at least, in bytes a second.
    bytes_in: u64,
}

/// The partitions whose new replicas never catch up, those that take in the most first: as many as
/// it takes for the others to catch up.
pub(super) fn endless(
    image: &MetadataImage,
    config: &StaticConfig,
    loads: &Loads,
) -> Vec<(GroupKey, EndlessStatus)> {
    let mut copied = copied(image, loads);
    copied.sort_by(|one, other| other.bytes_in.cmp(&one.bytes_in).then(one.key.cmp(&other.key)));
    let mut all: BTreeMap<i32, u64> = BTreeMap::new();
    for Copied { leader, bytes_in, .. } in &copied {
        *all.entry(*leader).or_default() += bytes_in;
    }
    let mut left = all.clone();
    let rates = rates(image, config);
    let judge = |one: Copied| {
        let rate = rates.of(one.leader);
        let left = left.get_mut(&one.leader)?;
        if *left < rate || one.bytes_in == 0 {
            return None;
        }
        *left -= one.bytes_in;
        let status = EndlessStatus {
            topic: super::name(image, &one.key)?,
            index: one.key.partition,
            leader: one.leader,
            bytes_in: one.bytes_in,
            all_bytes_in: all[&one.leader],
            bytes_per_second: rate,
        };
        Some((one.key, status))
    };
    copied.into_iter().filter_map(judge).collect()
}

fn copied(image: &MetadataImage, loads: &Loads) -> Vec<Copied> {
    let mut copied = Vec::new();
    for topic in image.topics() {
        let mut moving = (0..).zip(topic.partitions()).filter(|it| it.1.is_moving()).peekable();
        let resource = ConfigResource::topic(topic.name());
        if moving.peek().is_none() || image.config_value(&resource, THROTTLED).is_some() {
            continue;
        }
        copied.extend(moving.filter_map(|(partition, known)| {
            let key = GroupKey { topic_id: topic.id(), partition };
            copied_of(loads, key, known)
        }));
    }
    copied
}

fn copied_of(loads: &Loads, key: GroupKey, known: &Partition) -> Option<Copied> {
    let leader = Some(known.leader).filter(|leader| *leader != NO_BROKER)?;
    let newcomers = known.wish().0.iter().filter(|id| !known.isr.contains(id)).count() as u64;
    let bytes_in = loads.of(&key, leader)?.bytes_in.saturating_mul(newcomers);
    (newcomers > 0).then_some(Copied { key, leader, bytes_in })
}
