//! Random and fixed metadata for tests.

use alloc::vec;
use alloc::vec::Vec;

use proptest::collection::vec as list;
use proptest::option;
use proptest::prelude::*;

use logboom_protocol::CompactString;
use logboom_protocol::units::Uuid;

use crate::record::{
    BrokerRegistration, ConfigResource, Endpoint, MetadataRecord, Partition, ResourceKind,
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
    }
}

/// A partition on these brokers, led by the first.
pub(crate) fn partition(replicas: &[i32]) -> Partition {
    Partition {
        replicas: replicas.to_vec(),
        directories: replicas.iter().map(|_| Uuid::ZERO).collect(),
        target_replicas: Vec::new(),
        leader: replicas[0],
        leader_epoch: 0,
    }
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
    (any::<i32>(), any_id(), any_id(), option::of(any_text()), list(endpoint, 0..4)).prop_map(
        |(id, directory_id, incarnation, rack, endpoints)| BrokerRegistration {
            id,
            directory_id,
            incarnation,
            rack,
            endpoints,
        },
    )
}

fn any_partition() -> impl Strategy<Value = Partition> {
    let brokers = || list(any::<i32>(), 0..6);
    (brokers(), list(any_id(), 0..6), brokers(), any::<i32>(), any::<i32>()).prop_map(
        |(replicas, directories, target_replicas, leader, leader_epoch)| Partition {
            replicas,
            directories,
            target_replicas,
            leader,
            leader_epoch,
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
        9 => (small_id(), -1i32..5, replicas).prop_map(|(topic_id, index, replicas)| {
            MetadataRecord::Partition { topic_id, index, partition: partition(&replicas) }
        }),
        2 => small_id().prop_map(|id| MetadataRecord::TopicDeleted { id }),
        6 => (resource, name(), option::of(name())).prop_map(|(resource, name, value)| {
            let value = value.map(CompactString::from);
            MetadataRecord::Config { resource, name: name.into(), value }
        }),
        1 => (-1i64..9).prop_map(|id| MetadataRecord::ProducerIdBlock { next_producer_id: id }),
        2 => (name(), -1i16..3)
            .prop_map(|(name, level)| MetadataRecord::FeatureLevel { name: name.into(), level }),
    ]
}
