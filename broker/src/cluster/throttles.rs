//! The rates at which this broker may send replicas what they lack (KIP-73), and those that are new
//! to their partition all that there is.
//!
//! What a broker may be sent in a second is shared by those that send it something: they are known
//! from the metadata to each of them, and nobody has to be asked.

use std::collections::{BTreeMap, BTreeSet};

use logboom_controller::MetadataImage;
use logboom_controller::config::{Effective, StaticConfig};
use logboom_controller::record::{ConfigResource, NO_BROKER};

use crate::partition::{CatchUp, Rates, ReplicaList};

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const NEWCOMERS_RATE: &str = "balance.move.bytes.per.second";
const FOLLOWERS: &str = "follower.replication.throttled.replicas";

/// Sets the rates that are in force for a broker.
pub(super) fn apply(catch_up: &CatchUp, image: &MetadataImage, config: &StaticConfig) {
    let own = config.broker_id();
    let mut followers = BTreeMap::new();
    for broker in image.brokers().map(|broker| broker.id).filter(|id| *id != own) {
        followers.extend(rate(image, broker, FOLLOWER_RATE).map(|rate| (broker, rate)));
    }
    if !followers.is_empty() {
        let senders = senders(image);
        for (broker, rate) in &mut followers {
            let others = senders.get(broker).into_iter().flatten().filter(|id| **id != own);
            *rate /= i64::try_from(others.count()).unwrap_or(i64::MAX - 1) + 1;
        }
    }
    let newcomers = Some(Effective::new(image, config).broker_integer(NEWCOMERS_RATE));
    catch_up.set_rates(&Rates { leader: rate(image, own, LEADER_RATE), followers, newcomers });
}

/// What is set for a broker, or for all of them.
fn rate(image: &MetadataImage, broker: i32, name: &str) -> Option<i64> {
    let own = image.config_value(&ConfigResource::broker(broker), name);
    let value = own.or_else(|| image.config_value(&ConfigResource::all_brokers(), name))?;
    value.trim().parse().ok().filter(|rate| *rate < i64::MAX)
}

/// Who leads partitions of which a broker is throttled as a follower and has not all, by broker.
fn senders(image: &MetadataImage) -> BTreeMap<i32, BTreeSet<i32>> {
    let mut senders: BTreeMap<i32, BTreeSet<i32>> = BTreeMap::new();
    for topic in image.topics() {
        let resource = ConfigResource::topic(topic.name());
        let list = image.config_value(&resource, FOLLOWERS).unwrap_or_default();
        let list = ReplicaList::new(list);
        for (partition, index) in topic.partitions().zip(0..).filter(|_| list.is_any()) {
            let all = partition.all_replicas().into_iter();
            let behind = all.filter(|id| list.names(index, *id) && !partition.isr.contains(id));
            for broker in behind.filter(|_| partition.leader != NO_BROKER) {
                senders.entry(broker).or_default().insert(partition.leader);
            }
        }
    }
    senders
}
