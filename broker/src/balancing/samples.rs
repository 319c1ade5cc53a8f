//! Clusters for tests.

use logboom_controller::record::{BrokerRegistration, ConfigResource, Endpoint, Partition};
use logboom_controller::{MetadataImage, MetadataRecord};
use logboom_protocol::units::Uuid;
use logboom_storage::state::GroupKey;

use super::report::Means;

/// The first partition.
pub(super) const KEY: GroupKey = GroupKey { topic_id: Uuid([3; 16]), partition: 0 };
pub(super) const MEANS: Means = Means { weight: 100, capacity: [None; 4] };

/// Brokers, and a topic `t` with partitions on them, each led by the first and in sync.
pub(super) fn cluster(brokers: &[i32], partitions: &[&[i32]]) -> MetadataImage {
    cluster_of(brokers, "t", partitions)
}

/// The same, with a topic of that name.
pub(super) fn cluster_of(brokers: &[i32], topic: &str, partitions: &[&[i32]]) -> MetadataImage {
    let mut records: Vec<MetadataRecord> = brokers.iter().map(|id| broker(*id)).collect();
    records.push(MetadataRecord::Topic { id: KEY.topic_id, name: topic.into() });
    for (index, replicas) in (0..).zip(partitions) {
        let directories = replicas.iter().map(|id| directory(*id)).collect();
        let mut partition = Partition::new(replicas.to_vec(), directories);
        (partition.leader, partition.isr) = (replicas[0], replicas.to_vec());
        // Its leader has said so.
        partition.control_sequence = 0;
        records.push(MetadataRecord::Partition { topic_id: KEY.topic_id, index, partition });
    }
    MetadataImage::load(records).unwrap()
}

/// With a configuration of a broker, or of all; `None` takes it away.
pub(super) fn set(
    image: &MetadataImage,
    broker: Option<i32>,
    name: &str,
    value: Option<&str>,
) -> MetadataImage {
    let resource = broker.map_or_else(ConfigResource::all_brokers, ConfigResource::broker);
    let (name, value) = (name.into(), value.map(Into::into));
    image.with([&MetadataRecord::Config { resource, name, value }]).unwrap()
}

fn broker(id: i32) -> MetadataRecord {
    let endpoint =
        Endpoint { listener: "P".into(), host: "h".into(), port: 1, security_protocol: 0 };
    MetadataRecord::Broker(BrokerRegistration {
        id,
        directory_id: directory(id),
        incarnation: Uuid([1; 16]),
        rack: None,
        endpoints: vec![endpoint],
        peer: None,
    })
}

fn directory(id: i32) -> Uuid {
    Uuid([u8::try_from(id).unwrap(); 16])
}
