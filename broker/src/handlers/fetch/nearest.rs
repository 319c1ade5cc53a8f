//! Where a consumer reads (KIP-392): at the leader, or at a replica in its rack.
//!
//! Must always hold: a consumer is sent to a replica that has shown that it can serve the offset.

use tokio::sync::oneshot;

use logboom_controller::MetadataImage;
use logboom_controller::config::broker::RACK_AWARE_SELECTOR;
use logboom_protocol::CompactString;

use super::super::RequestContext;
use crate::node::Node;
use crate::partition::{Command, Partition, QuorumReplica};

/// From this version on a request says in which rack its sender is, and followers serve it.
const RACKS_FROM: i16 = 11;
/// What a request that comes from a consumer says of its replica.
const CONSUMER: i32 = -1;

/// Who fetches, and what may serve it.
#[derive(Debug, Clone, Default)]
pub(super) struct Reader {
    /// Whether a follower may answer.
    pub(super) takes_followers: bool,
    /// The rack for which leaders look for another replica, if they do.
    rack: Option<CompactString>,
    /// The listener over which it has to be reached.
    listener: CompactString,
}

impl Reader {
    /// - `rack`: as the request says; empty for none.
    pub(super) fn new(context: &RequestContext, replica_id: i32, rack: &CompactString) -> Self {
        let takes_followers = context.version >= RACKS_FROM && replica_id == CONSUMER;
        let selects = takes_followers && !rack.is_empty() && is_rack_aware(&context.node);
        let listener = CompactString::from(&*context.client.listener);
        Self { takes_followers, rack: selects.then(|| rack.clone()), listener }
    }

    /// The replica at which the consumer had better read from an offset on; `None` for the leader,
    /// which is here.
    pub(super) async fn nearest(
        &self,
        node: &Node,
        image: &MetadataImage,
        partition: &Partition,
        offset: i64,
    ) -> Option<i32> {
        let near = self.near(node, image, partition);
        if near.is_empty() {
            return None;
        }
        let (reply, answer) = oneshot::channel();
        node.shards[partition.shard].send(Command::Quorum(partition.key, reply));
        let quorum = answer.await.ok().flatten()?;
        best(&quorum.replicas, &near, offset)
    }

    /// The brokers in the consumer's rack that have a copy which is in sync; none where the leader
    /// is in that rack itself.
    fn near(&self, node: &Node, image: &MetadataImage, partition: &Partition) -> Vec<i32> {
        let Some(rack) = &self.rack else { return Vec::new() };
        let Some(known) = image.partition(partition.key.topic_id, partition.key.partition) else {
            return Vec::new();
        };
        let own = node.config.broker_id();
        let is_near = |id: &i32| {
            let broker = image.broker(*id).filter(|_| image.is_in_contact(*id));
            broker.is_some_and(|broker| {
                let mut endpoints = broker.endpoints.iter();
                let is_reached = endpoints.any(|it| it.listener == self.listener);
                broker.rack.as_ref() == Some(rack) && is_reached
            })
        };
        if is_near(&own) {
            return Vec::new();
        }
        known.isr.iter().copied().filter(is_near).collect()
    }
}

fn is_rack_aware(node: &Node) -> bool {
    node.config.get("replica.selector.class").is_some_and(|class| class == RACK_AWARE_SELECTOR)
}

/// The best of the replicas that are near to read at from an offset on.
fn best(replicas: &[QuorumReplica], near: &[i32], offset: i64) -> Option<i32> {
    let can_serve = |replica: &&QuorumReplica| {
        let serves = replica.readable.start <= offset && offset <= replica.readable.end;
        replica.is_voter && !replica.is_held_back && serves && near.contains(&replica.id.broker)
    };
    let fit = replicas.iter().filter(can_serve);
    // Of those that have come equally far always the same one: its cache is warm.
    let best = fit.max_by_key(|it| (it.readable.end, std::cmp::Reverse(it.id.broker)));
    best.map(|replica| replica.id.broker)
}

#[cfg(test)]
mod tests {
    use logboom_raft::ReplicaId;

    use super::*;

    #[test]
    fn the_nearest_has_the_offset_votes_and_does_not_hold_itself_back() {
        let replica = |broker, readable| QuorumReplica {
            id: ReplicaId::of(broker),
            is_voter: true,
            is_held_back: false,
            end_offset: None,
            readable,
            heard_ms_ago: None,
            caught_up_ms_ago: None,
        };
        let near = [2, 3, 4, 5];
        let mut all = vec![replica(1, 0..99), replica(2, 0..5), replica(3, 0..9), replica(4, 0..9)];
        assert_eq!(best(&all, &near, 5), Some(3), "1 isn't near, and 2 hasn't come so far");
        all[2].is_held_back = true;
        assert_eq!(best(&all, &near, 5), Some(4));
        all[3].is_voter = false;
        assert_eq!(best(&all, &near, 5), Some(2), "it waits for the next there");
        assert_eq!(best(&all, &near, 6), None);
    }
}
