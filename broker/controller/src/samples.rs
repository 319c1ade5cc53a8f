//! Random and fixed metadata for tests.

use alloc::vec;
use alloc::vec::Vec;

use proptest::collection::vec as list;
use proptest::option;
use proptest::prelude::*;

use logboom_protocol::CompactString;
use logboom_protocol::units::Uuid;

use crate::record::{
    BrokerRegistration, ConfigResource, Endpoint, LeaderReport, MetadataRecord, Partition,
    PeerAddress, ResourceKind,
};

/// An id that is told from others by its number.
pub(crate) fn id(number: u128) -> Uuid {
    Uuid(number.to_be_bytes())
}

/// A broker in `rack`, if one is given.
pub(crate) fn broker(id: i32, rack: Option<&str>) -> BrokerRegistration {
    BrokerRegistration {
        id,
        directory_id: self::id(1_000 + u128::from(id.unsigned_abs())),
        incarnation: self::id(1),
        rack: rack.map(CompactString::from),
        endpoints: vec![Endpoint {
            listener: "PLAINTEXT".into(),
            host: "127.0.0.1".into(),
            port: 9092,
            security_protocol: 0,
        }],
        peer: None,
    }
}

/// A partition on these brokers, led by the first.
pub(crate) fn partition(replicas: &[i32]) -> Partition {
    Partition::new(replicas.to_vec(), replicas.iter().map(|_| Uuid::ZERO).collect())
}

/// What a leader says of a partition whose replicas are all there, in directories of no id.
pub(crate) fn report(
    topic: u128,
    index: i32,
    leader: i32,
    at: (i32, i64),
    voters: &[i32],
) -> LeaderReport {
    LeaderReport {
        topic_id: id(topic),
        index,
        leader,
        leader_epoch: at.0,
        control_sequence: at.1,
        voters: voters.to_vec(),
        voter_directories: voters.iter().map(|_| Uuid::ZERO).collect(),
        isr: voters.to_vec(),
    }
}

/// The records that create a topic with these partitions.
pub(crate) fn topic_of(
    topic: u128,
    name: &str,
    partitions: impl IntoIterator<Item = Partition>,
) -> Vec<MetadataRecord> {
    let topic_id = id(topic);
    let created = MetadataRecord::Topic { id: topic_id, name: name.into() };
    let partitions = partitions.into_iter().zip(0..);
    let partitions = partitions.map(|(partition, index)| MetadataRecord::Partition {
        topic_id,
        index,
        partition,
    });
    core::iter::once(created).chain(partitions).collect()
}

fn any_id() -> impl Strategy<Value = Uuid> {
    any::<[u8; 16]>().prop_map(Uuid)
}

fn any_text() -> impl Strategy<Value = CompactString> {
    "\\PC{0,40}".prop_map(CompactString::from)
}

fn any_broker() -> impl Strategy<Value = BrokerRegistration> {
    let endpoint = (any_text(), any_text(), any::<u16>(), any::<i16>()).prop_map(
        |(listener, host, port, security_protocol)| Endpoint {
            listener,
            host,
            port,
            security_protocol,
        },
    );
    let peer = (any_text(), any::<u16>()).prop_map(|(host, port)| PeerAddress { host, port });
    let ids = (any::<i32>(), any_id(), any_id());
    (ids, option::of(any_text()), list(endpoint, 0..4), option::of(peer)).prop_map(
        |((id, directory_id, incarnation), rack, endpoints, peer)| BrokerRegistration {
            id,
            directory_id,
            incarnation,
            rack,
            endpoints,
            peer,
        },
    )
}

/// Brokers, and directories in any number.
fn any_replicas() -> impl Strategy<Value = (Vec<i32>, Vec<Uuid>)> {
    (list(any::<i32>(), 0..6), list(any_id(), 0..6))
}

fn any_partition() -> impl Strategy<Value = Partition> {
    let numbers = (any::<i32>(), any::<i32>(), any::<i32>(), any::<i64>(), any::<i64>());
    let lists = (any_replicas(), any_replicas(), any_replicas(), list(any::<i32>(), 0..6));
    (numbers, any::<bool>(), lists).prop_map(|(numbers, is_founding, lists)| {
        let (leader, leader_epoch, wished_leader, control_sequence, generation) = numbers;
        let ((replicas, directories), target, voters, isr) = lists;
        Partition {
            replicas,
            directories,
            target_replicas: target.0,
            target_directories: target.1,
            generation,
            is_founding,
            wished_leader,
            leader,
            leader_epoch,
            control_sequence,
            voters: voters.0,
            voter_directories: voters.1,
            isr,
        }
    })
}

fn any_report() -> impl Strategy<Value = LeaderReport> {
    let numbers = (any::<i32>(), any::<i32>(), any::<i32>(), any::<i64>());
    (any_id(), numbers, any_replicas(), list(any::<i32>(), 0..6)).prop_map(
        |(topic_id, (index, leader, leader_epoch, control_sequence), voters, isr)| LeaderReport {
            topic_id,
            index,
            leader,
            leader_epoch,
            control_sequence,
            voters: voters.0,
            voter_directories: voters.1,
            isr,
        },
    )
}

fn any_resource() -> impl Strategy<Value = ConfigResource> {
    (prop::sample::select(ResourceKind::ALL.to_vec()), any_text())
        .prop_map(|(kind, name)| ConfigResource { kind, name })
}

/// Any record, whether an image would take it or not.
pub(crate) fn any_record() -> impl Strategy<Value = MetadataRecord> {
    prop_oneof![
        any_id().prop_map(MetadataRecord::ClusterId),
        any_broker().prop_map(MetadataRecord::Broker),
        (any_id(), any_text()).prop_map(|(id, name)| MetadataRecord::Topic { id, name }),
        (any_id(), any::<i32>(), any_partition()).prop_map(|(topic_id, index, partition)| {
            MetadataRecord::Partition { topic_id, index, partition }
        }),
        any_id().prop_map(|id| MetadataRecord::TopicDeleted { id }),
        (any_resource(), any_text(), option::of(any_text()))
            .prop_map(|(resource, name, value)| MetadataRecord::Config { resource, name, value }),
        any::<i64>().prop_map(|id| MetadataRecord::ProducerIdBlock { next_producer_id: id }),
        (any_text(), any::<i16>())
            .prop_map(|(name, level)| MetadataRecord::FeatureLevel { name, level }),
        (any::<i32>(), any::<bool>())
            .prop_map(|(id, fenced)| MetadataRecord::BrokerFenced { id, fenced }),
        any::<i32>().prop_map(|id| MetadataRecord::BrokerRemoved { id }),
        list(any_report(), 0..4).prop_map(MetadataRecord::Leaders),
    ]
}

/// A record about one of a few things, so that many of them fit an image and many don't.
pub(crate) fn plausible_record() -> impl Strategy<Value = MetadataRecord> {
    let small_id = || (0u128..6).prop_map(id);
    let name = || prop::sample::select(vec!["a", "a.b", "a_b", "c.", "c_"]);
    let resource = (prop::sample::select(ResourceKind::ALL.to_vec()), name())
        .prop_map(|(kind, name)| ConfigResource { kind, name: name.into() });
    let replicas = prop::sample::select(vec![vec![1], vec![2, 1], vec![1, 2, 3]]);
    prop_oneof![
        1 => (1u128..3).prop_map(|number| MetadataRecord::ClusterId(id(number))),
        2 => (-1i32..4).prop_map(|id| MetadataRecord::Broker(broker(id, None))),
        6 => (small_id(), name())
            .prop_map(|(id, name)| MetadataRecord::Topic { id, name: name.into() }),
        9 => (small_id(), -1i32..5, 0i64..3, replicas).prop_map(
            |(topic_id, index, generation, replicas)| {
                let partition = Partition { generation, ..partition(&replicas) };
                MetadataRecord::Partition { topic_id, index, partition }
            },
        ),
        2 => small_id().prop_map(|id| MetadataRecord::TopicDeleted { id }),
        6 => (resource, name(), option::of(name())).prop_map(|(resource, name, value)| {
            let value = value.map(CompactString::from);
            MetadataRecord::Config { resource, name: name.into(), value }
        }),
        1 => (-1i64..9).prop_map(|id| MetadataRecord::ProducerIdBlock { next_producer_id: id }),
        2 => (-1i32..4, any::<bool>())
            .prop_map(|(id, fenced)| MetadataRecord::BrokerFenced { id, fenced }),
        1 => (-1i32..4).prop_map(|id| MetadataRecord::BrokerRemoved { id }),
        4 => list(plausible_report(), 0..4).prop_map(MetadataRecord::Leaders),
        2 => (name(), -1i16..3)
            .prop_map(|(name, level)| MetadataRecord::FeatureLevel { name: name.into(), level }),
    ]
}

/// A report about one of a few partitions, near what others say of them.
fn plausible_report() -> impl Strategy<Value = LeaderReport> {
    let voters = prop::sample::select(vec![vec![1], vec![2, 1], vec![1, 2, 3], vec![1, 1]]);
    (0u128..6, -1i32..5, -1i32..4, (0i32..4, 0i64..4), voters)
        .prop_map(|(topic, index, leader, at, voters)| report(topic, index, leader, at, &voters))
}
