//! From the resource of a request to one that exists.

use core::fmt;

use crate::MetadataImage;
use crate::config::{ConfigType, Definition, broker, client_metrics, group, topic};
use crate::record::{ConfigResource, ResourceKind};
use crate::topics;

use super::error::ConfigChangeError;

/// The resource of a request, if it can have a configuration.
pub(super) fn resolve(
    image: &MetadataImage,
    number: i8,
    name: &str,
) -> Result<ConfigResource, ConfigChangeError> {
    let kind = ResourceKind::from_wire(number).ok_or(ConfigChangeError::ResourceType(number))?;
    match kind {
        ResourceKind::Topic => {
            topics::check_name(name).map_err(ConfigChangeError::TopicName)?;
            image.topic_named(name).ok_or(ConfigChangeError::UnknownTopic)?;
        }
        // The name of all brokers.
        ResourceKind::Broker if name.is_empty() => {}
        ResourceKind::Broker => {
            let id = broker_id(name)?;
            image.broker(id).ok_or(ConfigChangeError::UnknownBroker(id))?;
            // However it was written.
            return Ok(ConfigResource::broker(id));
        }
        ResourceKind::ClientMetrics | ResourceKind::Group if name.is_empty() => {
            return Err(ConfigChangeError::EmptyName(kind));
        }
        ResourceKind::ClientMetrics | ResourceKind::Group => {}
    }
    Ok(ConfigResource { kind, name: name.into() })
}

/// The same, of a request to change it that broker `asked` was sent.
pub(super) fn resolve_at(
    image: &MetadataImage,
    number: i8,
    name: &str,
    asked: i32,
) -> Result<ConfigResource, ConfigChangeError> {
    let is_broker = ResourceKind::from_wire(number) == Some(ResourceKind::Broker);
    if is_broker && !name.is_empty() && broker_id(name)? != asked {
        return Err(ConfigChangeError::OtherBroker { this: asked });
    }
    resolve(image, number, name)
}

/// The id in a broker's name.
pub(super) fn broker_id(name: &str) -> Result<i32, ConfigChangeError> {
    let id = name.parse().ok().filter(|&id| id >= 0);
    id.ok_or_else(|| ConfigChangeError::BrokerName(name.into()))
}

/// The configuration `name` of a resource of `kind`.
pub(super) fn definition(kind: ResourceKind, name: &str) -> Result<Definition, ConfigChangeError> {
    let found = match kind {
        ResourceKind::Topic => topic::find(name).map(|layered| layered.definition),
        ResourceKind::Broker => broker::find(name).map(|broker| broker.definition),
        ResourceKind::ClientMetrics => client_metrics::find(name).copied(),
        ResourceKind::Group => group::find(name).map(|layered| layered.definition),
    };
    found.ok_or_else(|| ConfigChangeError::unknown(kind, name))
}

/// The same, of one that can be set while brokers run.
pub(super) fn settable(kind: ResourceKind, name: &str) -> Result<Definition, ConfigChangeError> {
    let definition = definition(kind, name)?;
    let read_only = kind == ResourceKind::Broker
        && broker::find(name).is_some_and(|broker| broker.update == broker::Update::ReadOnly);
    if read_only { Err(ConfigChangeError::ReadOnly(definition.name)) } else { Ok(definition) }
}

/// Whether a configuration is one of this resource: some are of one broker, and some of all.
pub(super) fn check_scope(resource: &ConfigResource, name: &str) -> Result<(), ConfigChangeError> {
    if resource.kind != ResourceKind::Broker {
        return Ok(());
    }
    let is_all = resource.name.is_empty();
    match broker::find(name).map(|broker| (broker.definition.name, broker.update)) {
        Some((name, broker::Update::OneBroker { by })) if is_all => {
            Err(ConfigChangeError::ForOneBroker { name, by })
        }
        Some((name, broker::Update::AllBrokers { by })) if !is_all => {
            Err(ConfigChangeError::ForAllBrokers { name, by })
        }
        _ => Ok(()),
    }
}

/// The same, of one that is a list.
pub(super) fn list(kind: ResourceKind, name: &str) -> Result<Definition, ConfigChangeError> {
    let definition = settable(kind, name)?;
    if definition.config_type != ConfigType::List {
        return Err(ConfigChangeError::not_a_list(&definition));
    }
    Ok(definition)
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Topic => "topic",
            Self::Broker => "broker",
            Self::ClientMetrics => "subscription to clients' metrics",
            Self::Group => "group",
        })
    }
}
