//! Configurations: each rule with its error code, and the statements of the wire.

mod alter;
mod describe;

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::StaticConfig;
use crate::record::{ConfigResource, ResourceKind};
use crate::samples::{broker, id};
use crate::{MetadataImage, MetadataRecord};

use super::*;

const TOPIC: i8 = ResourceKind::Topic.to_wire();
const BROKER: i8 = ResourceKind::Broker.to_wire();
const CLIENT_METRICS: i8 = ResourceKind::ClientMetrics.to_wire();
const GROUP: i8 = ResourceKind::Group.to_wire();

/// Brokers 1 and 2, and topic `t`, for which two keys are set.
fn image() -> MetadataImage {
    let set = |name: &str, value: &str| MetadataRecord::Config {
        resource: ConfigResource::topic("t"),
        name: name.into(),
        value: Some(value.into()),
    };
    MetadataImage::load([
        MetadataRecord::Broker(broker(1, None)),
        MetadataRecord::Broker(broker(2, None)),
        MetadataRecord::Topic { id: id(1), name: "t".into() },
        set("retention.ms", "1000"),
        set("cleanup.policy", "delete"),
    ])
    .unwrap()
}

/// What is set for a resource.
fn set(image: &MetadataImage, number: i8, name: &str) -> Vec<(String, String)> {
    let kind = ResourceKind::from_wire(number).unwrap();
    let resource = ConfigResource { kind, name: name.into() };
    image.config(&resource).map(|(name, value)| (name.into(), value.into())).collect()
}
