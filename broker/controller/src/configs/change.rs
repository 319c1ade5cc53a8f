//! From what a resource should have set to the records that do it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use logboom_protocol::messages::create_topics::CreatableTopic;
use logboom_protocol::{CompactString, ErrorCode};

use crate::MetadataImage;
use crate::config::{Effective, StaticConfig, group};
use crate::decision::{message, occurrences};
use crate::record::{ConfigResource, MetadataRecord, ResourceKind};

use super::error::ConfigChangeError;
use super::resource;

/// The most bytes of a value: a string of the protocol, and of a metadata record, has no more.
pub(super) const VALUE_BYTES_MAX: usize = i16::MAX as usize;

/// What is set, or is to be set, for a resource.
pub(super) type Settings = BTreeMap<CompactString, CompactString>;

/// What a resource is answered: an error code, and an error's text.
pub(super) type Outcome = (ErrorCode, Option<CompactString>);

/// Alters each resource as if it came alone, but none that is there more than once.
///
/// - `id`: type and name of a resource.
/// - returns the records of all of them, and an outcome for each.
pub(super) fn each<T>(
    resources: &[T],
    id: impl Fn(&T) -> (i8, CompactString),
    alter: impl Fn(&T) -> Result<Vec<MetadataRecord>, ConfigChangeError>,
) -> (Vec<MetadataRecord>, Vec<Outcome>) {
    let times = occurrences(resources.iter().map(&id));
    let mut records = Vec::new();
    let outcomes = resources.iter().map(|one| {
        let altered = match times[&id(one)] {
            1 => alter(one),
            _ => Err(ConfigChangeError::DuplicateResource),
        };
        match altered {
            Ok(mut altered) => {
                records.append(&mut altered);
                (ErrorCode::NONE, None)
            }
            Err(error) => (error.code(), message(&error)),
        }
    });
    let outcomes = outcomes.collect();
    (records, outcomes)
}

/// What is set for a resource now.
pub(super) fn current(image: &MetadataImage, resource: &ConfigResource) -> Settings {
    image.config(resource).map(|(name, value)| (name.into(), value.into())).collect()
}

/// The records after which exactly `wanted` is set. What stays as it is isn't checked again: it
/// may be a key that an older broker knew.
pub(super) fn change(
    image: &MetadataImage,
    broker: &StaticConfig,
    resource: &ConfigResource,
    wanted: &Settings,
) -> Result<Vec<MetadataRecord>, ConfigChangeError> {
    let record = |name: &CompactString, value: Option<&CompactString>| MetadataRecord::Config {
        resource: resource.clone(),
        name: name.clone(),
        value: value.cloned(),
    };
    let current = current(image, resource);
    let mut records = Vec::new();
    for (name, value) in wanted {
        if current.get(name) != Some(value) {
            resource::check_scope(resource, name)?;
            check(resource.kind, name, value)?;
            records.push(record(name, Some(value)));
        }
    }
    let removed = current.keys().filter(|name| !wanted.contains_key(*name));
    records.extend(removed.map(|name| record(name, None)));
    let changed = image.with(&records).expect("the resource exists");
    check_together(&Effective::new(&changed, broker), resource)?;
    Ok(records)
}

/// Whether one value may be set.
fn check(kind: ResourceKind, name: &str, value: &str) -> Result<(), ConfigChangeError> {
    let definition = resource::settable(kind, name)?;
    if value.len() > VALUE_BYTES_MAX {
        let (name, length) = (definition.name, value.len());
        return Err(ConfigChangeError::TooLong { name, length, limit: VALUE_BYTES_MAX });
    }
    definition.check(value).map_err(|error| ConfigChangeError::value(kind, error))
}

/// Whether the values that are in force then fit each other.
fn check_together(
    effective: &Effective<'_>,
    resource: &ConfigResource,
) -> Result<(), ConfigChangeError> {
    match resource.kind {
        ResourceKind::Topic => check_topic(effective, &resource.name),
        ResourceKind::Group => check_group(effective, &resource.name),
        ResourceKind::Broker | ResourceKind::ClientMetrics => Ok(()),
    }
}

fn check_topic(effective: &Effective<'_>, topic: &str) -> Result<(), ConfigChangeError> {
    let min = effective.topic_integer(topic, "min.compaction.lag.ms");
    let max = effective.topic_integer(topic, "max.compaction.lag.ms");
    if min > max { Err(ConfigChangeError::CompactionLag { min, max }) } else { Ok(()) }
}

/// A group's key, and the broker's bounds of it.
const GROUP_BOUNDS: [(&str, &str, &str); 2] = [
    (
        "consumer.session.timeout.ms",
        "group.consumer.min.session.timeout.ms",
        "group.consumer.max.session.timeout.ms",
    ),
    (
        "consumer.heartbeat.interval.ms",
        "group.consumer.min.heartbeat.interval.ms",
        "group.consumer.max.heartbeat.interval.ms",
    ),
];

fn check_group(effective: &Effective<'_>, name: &str) -> Result<(), ConfigChangeError> {
    for (key, least, most) in GROUP_BOUNDS {
        let layered = group::find(key).expect("in the table");
        let value = effective.group(name, layered).value;
        let Some(value) = value.and_then(|value| value.trim().parse::<i64>().ok()) else {
            continue;
        };
        let (least, most) = (effective.broker_integer(least), effective.broker_integer(most));
        if !(least..=most).contains(&value) {
            return Err(ConfigChangeError::OutOfBounds { name: key, value, least, most });
        }
    }
    Ok(())
}

/// What is to be set for a new topic. A key that comes twice has its last value, as in the
/// reference.
pub(crate) fn settings_of_new_topic(topic: &CreatableTopic) -> Result<Settings, ConfigChangeError> {
    let mut settings = Settings::new();
    for config in &topic.configs {
        let Some(value) = &config.value else {
            return Err(ConfigChangeError::NoValueOfNewTopic(config.name.clone()));
        };
        check(ResourceKind::Topic, &config.name, value)?;
        settings.insert(config.name.clone(), value.clone());
    }
    Ok(settings)
}

/// Whether the configuration of a new topic, which the image has already, fits together.
pub(crate) fn check_new_topic(
    effective: &Effective<'_>,
    topic: &CreatableTopic,
) -> Result<(), ConfigChangeError> {
    check_topic(effective, &topic.name)
}
