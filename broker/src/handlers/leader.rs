//! The replica of a partition that answers for it, or why there is none here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use logboom_controller::MetadataImage;
use logboom_controller::image::Topic;
use logboom_controller::record::{NO_BROKER, Partition as PartitionRecord};
use logboom_protocol::ErrorCode;
use logboom_protocol::hot::TopicRef;
use logboom_protocol::messages::metadata::{MetadataRequestTopic, MetadataResponseBroker};

use super::metadata;
use crate::lease::leads_surely;
use crate::node::Node;
use crate::partition::{Partition, Standing};

/// An epoch that a client doesn't say.
const EPOCH_UNKNOWN: i32 = -1;

/// How long an answer waits for another leader to be elected: longer than that takes where it isn't
/// one of thousands.
const ELECTION_MAX: Duration = Duration::from_millis(500);
const LOOKS_EVERY: Duration = Duration::from_millis(10);
/// The most partitions of a request that are looked at each time.
const LOOKED_AT_MAX: usize = 1_000;

/// The replica that leads a partition, if it is here.
///
/// # Errors
/// `UNKNOWN_TOPIC_OR_PARTITION`; `UNKNOWN_TOPIC_ID` where the topic is named by an id that no topic
/// has; `NOT_LEADER_OR_FOLLOWER` where there is no replica here.
pub(super) fn find(
    node: &Node,
    image: &MetadataImage,
    topic: TopicRef<'_>,
    partition: i32,
) -> Result<Arc<Partition>, ErrorCode> {
    let replica = find_replica(node, image, topic, partition)?;
    if replica.leads() { Ok(replica) } else { Err(ErrorCode::NOT_LEADER_OR_FOLLOWER) }
}

/// The replica of a partition that is here, whether or not it leads.
///
/// # Errors
/// As [`find`].
pub(super) fn find_replica(
    node: &Node,
    image: &MetadataImage,
    topic: TopicRef<'_>,
    partition: i32,
) -> Result<Arc<Partition>, ErrorCode> {
    let topic = match topic {
        TopicRef::Name(name) => {
            image.topic_named(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?
        }
        TopicRef::Id(id) => image.topic(id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?,
    };
    if topic.partition(partition).is_none() {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    node.registry.get(topic.id(), partition).ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)
}

/// What clients are told of a partition: who leads it, and where its copies are.
pub(super) struct Shown {
    /// `LEADER_NOT_AVAILABLE` where nobody does.
    pub(super) error_code: ErrorCode,
    /// −1 where nobody does.
    pub(super) leader: i32,
    pub(super) leader_epoch: i32,
    pub(super) replicas: Vec<i32>,
    pub(super) isr: Vec<i32>,
    pub(super) offline: Vec<i32>,
}

/// What clients are told of a partition, in the light of which brokers are in contact.
pub(super) fn shown(node: &Node, image: &MetadataImage, topic: &Topic, index: i32) -> Shown {
    let partition = topic.partition(index).expect("asked for each partition that there is");
    let (leader, leader_epoch) = of(node, image, topic, index, partition);
    let is_led = leader != NO_BROKER;
    Shown {
        error_code: if is_led { ErrorCode::NONE } else { ErrorCode::LEADER_NOT_AVAILABLE },
        leader,
        leader_epoch,
        replicas: partition.all_replicas(),
        isr: image.in_sync_replicas(partition),
        offline: image.offline_replicas(partition),
    }
}

/// Who leads a partition, or −1, and in which epoch: as its replica here knows, or as the metadata
/// has it, whichever is newer. A broker that was lost a moment ago leads nothing.
pub(super) fn of(
    node: &Node,
    image: &MetadataImage,
    topic: &Topic,
    index: i32,
    partition: &PartitionRecord,
) -> (i32, i32) {
    let (leader, epoch) = known(node, image, topic, index, partition);
    let is_lost = node.others.as_ref().is_some_and(|others| others.is_lost(leader));
    (if is_lost { NO_BROKER } else { leader }, epoch)
}

/// Waits for other leaders of topics where one was lost a moment ago. A client that has lost its
/// connection to a leader asks at once who leads now, and librdkafka asks again a second later.
pub(super) async fn wait_for_elections(node: &Node, topics: &[MetadataRequestTopic]) {
    let Some(others) = &node.others else { return };
    let deadline = Instant::now() + ELECTION_MAX;
    while others.has_lost() && Instant::now() < deadline {
        let image = node.image();
        let named = topics.iter().filter_map(|asked| match &asked.name {
            Some(name) => image.topic_named(name),
            None => image.topic(asked.topic_id),
        });
        let partitions = named.flat_map(|topic| {
            topic.partitions().zip(0..).map(move |(partition, index)| (topic, index, partition))
        });
        let is_lost = |(topic, index, partition): (&Topic, i32, &PartitionRecord)| {
            others.is_lost(known(node, &image, topic, index, partition).0)
        };
        if !partitions.take(LOOKED_AT_MAX).any(is_lost) {
            return;
        }
        sleep(LOOKS_EVERY).await;
    }
}

fn known(
    node: &Node,
    image: &MetadataImage,
    topic: &Topic,
    index: i32,
    partition: &PartitionRecord,
) -> (i32, i32) {
    let told = (image.leader_of(partition).unwrap_or(NO_BROKER), partition.leader_epoch);
    let Some(replica) = node.registry.get(topic.id(), index) else { return told };
    let epoch = replica.leader_epoch();
    match replica.leader() {
        Some(leader) if epoch >= told.1 => (leader, epoch),
        None if epoch > told.1 => (NO_BROKER, epoch),
        // It has given its office up, and nobody is known to have taken it.
        None if (node.config.broker_id(), epoch) == told => (NO_BROKER, epoch),
        _ => told,
    }
}

/// Leaders that are told to clients that have asked another broker (KIP-951).
pub(super) struct Leaders<'a> {
    node: &'a Node,
    image: &'a MetadataImage,
    named: Vec<i32>,
}

impl<'a> Leaders<'a> {
    pub(super) fn new(node: &'a Node, image: &'a MetadataImage) -> Self {
        Self { node, image, named: Vec::new() }
    }

    /// Who leads a partition, and in which epoch, if that is another broker.
    pub(super) fn look_up(&mut self, topic: TopicRef<'_>, index: i32) -> Option<(i32, i32)> {
        let topic = match topic {
            TopicRef::Name(name) => self.image.topic_named(name)?,
            TopicRef::Id(id) => self.image.topic(id)?,
        };
        let (leader, epoch) = of(self.node, self.image, topic, index, topic.partition(index)?);
        let is_other = leader != NO_BROKER && leader != self.node.config.broker_id();
        if is_other && !self.named.contains(&leader) {
            self.named.push(leader);
        }
        is_other.then_some((leader, epoch))
    }

    /// Where those that were named are reached.
    pub(super) fn endpoints(
        &self,
        listener: &str,
    ) -> impl Iterator<Item = MetadataResponseBroker> + '_ {
        let brokers = metadata::brokers(self.image, listener).into_iter();
        brokers.filter(|broker| self.named.contains(&broker.node_id))
    }
}

/// Compares the epoch that a client believes in with ours (KIP-320).
///
/// - `current_leader_epoch`: −1 where the client doesn't say.
///
/// # Errors
/// `FENCED_LEADER_EPOCH` for one that is over, `UNKNOWN_LEADER_EPOCH` for one that is to come.
pub(super) fn check_epoch(
    partition: &Partition,
    current_leader_epoch: i32,
) -> Result<(), ErrorCode> {
    let ours = partition.leader_epoch();
    if current_leader_epoch == EPOCH_UNKNOWN || current_leader_epoch == ours {
        Ok(())
    } else if current_leader_epoch < ours {
        Err(ErrorCode::FENCED_LEADER_EPOCH)
    } else {
        Err(ErrorCode::UNKNOWN_LEADER_EPOCH)
    }
}

/// Whether what the leader here knows to be committed is all that is: it has committed in its
/// epoch, and nobody leads after it.
///
/// # Errors
/// `OFFSET_NOT_AVAILABLE` where it hasn't committed yet, `NOT_LEADER_OR_FOLLOWER` where it doesn't
/// lead, or can't know.
pub(super) async fn check_latest(node: &Node, partition: &Partition) -> Result<(), ErrorCode> {
    match partition.role() {
        (_, Standing::Follows) => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        (_, Standing::Begins) => Err(ErrorCode::OFFSET_NOT_AVAILABLE),
        (epoch, Standing::Leads) if leads_surely(node, partition, epoch).await => Ok(()),
        (_, Standing::Leads) => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
    }
}
