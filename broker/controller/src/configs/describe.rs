//! DescribeConfigs.

use alloc::vec::Vec;

use logboom_protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResult, DescribeConfigsSynonym,
};
use logboom_protocol::{CompactString, ErrorCode};

use crate::MetadataImage;
use crate::config::{
    ConfigSource, Effective, Entry, EntrySynonym, StaticConfig, broker, client_metrics, group,
};
use crate::decision::{message, occurrences};
use crate::record::{ConfigResource, ResourceKind};

use super::error::ConfigChangeError;
use super::resource;

/// The most resources of a request that are described. What is said of one is many times as
/// long as its name.
pub const DESCRIBED_PER_REQUEST_MAX: usize = 10_000;

/// Says which configurations resources have, and why: a result for each, in their order, made when
/// it is asked for.
///
/// A broker knows its own file only: another broker's configuration is refused. So are resources
/// that are there twice, and those beyond [`DESCRIBED_PER_REQUEST_MAX`].
///
/// Source: KIP-133, KIP-226 (synonyms), KIP-569 (types and texts).
pub fn describe_configs<'a>(
    image: &'a MetadataImage,
    request: &'a DescribeConfigsRequest,
    broker: &'a StaticConfig,
) -> impl Iterator<Item = DescribeConfigsResult> + use<'a> {
    let id = |one: &DescribeConfigsResource| (one.resource_type, one.resource_name.clone());
    let limit = DESCRIBED_PER_REQUEST_MAX;
    let times = occurrences(request.resources.iter().take(limit).map(id));
    request.resources.iter().enumerate().map(move |(place, one)| {
        let entries = match times.get(&id(one)) {
            _ if place >= limit => Err(ConfigChangeError::TooManyResources { limit }),
            Some(1) => entries(image, one, broker),
            _ => Err(ConfigChangeError::DuplicateResource),
        };
        let (entries, error) = match entries {
            Ok(entries) => (entries, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let asked = |entry: &Entry| is_asked(one, entry.definition.name);
        let configs = entries.into_iter().filter(asked).map(|entry| describe(entry, request));
        DescribeConfigsResult {
            error_code: error.as_ref().map_or(ErrorCode::NONE, ConfigChangeError::code),
            error_message: error.as_ref().and_then(message),
            resource_type: one.resource_type,
            resource_name: one.resource_name.clone(),
            configs: configs.collect(),
        }
    })
}

/// No keys at all are all of them; so is an empty list, as in the reference.
fn is_asked(resource: &DescribeConfigsResource, name: &str) -> bool {
    match resource.configuration_keys.as_deref() {
        None | Some([]) => true,
        Some(keys) => keys.iter().any(|key| key == name),
    }
}

fn entries(
    image: &MetadataImage,
    request: &DescribeConfigsResource,
    config: &StaticConfig,
) -> Result<Vec<Entry>, ConfigChangeError> {
    let resource = resource::resolve(image, request.resource_type, &request.resource_name);
    let resource = resource.map_err(|error| match error {
        // As in the reference, whether it is registered makes no difference.
        ConfigChangeError::UnknownBroker(_) => {
            ConfigChangeError::OtherBroker { this: config.broker_id() }
        }
        error => error,
    })?;
    let effective = Effective::new(image, config);
    Ok(match resource.kind {
        ResourceKind::Topic => effective.topic_entries(&resource.name).collect(),
        ResourceKind::Group => {
            group::TABLE.iter().map(|layered| effective.group(&resource.name, layered)).collect()
        }
        ResourceKind::ClientMetrics => subscription(image, &resource),
        ResourceKind::Broker if resource.name.is_empty() => {
            broker::all().filter_map(|one| of_all_brokers(effective.broker(&one))).collect()
        }
        ResourceKind::Broker => {
            let this = config.broker_id();
            if resource::broker_id(&resource.name)? != this {
                return Err(ConfigChangeError::OtherBroker { this });
            }
            broker::all().map(|one| effective.broker(&one)).collect()
        }
    })
}

/// Of what one broker sees, what is set for all of them.
fn of_all_brokers(mut entry: Entry) -> Option<Entry> {
    let name = entry.definition.name;
    let of_all = |one: &EntrySynonym| one.source == ConfigSource::DynamicDefaultBroker;
    entry.synonyms.retain(|one| of_all(one));
    let own = entry.synonyms.iter().find(|one| one.name == name)?;
    (entry.value, entry.source) = (Some(own.value.clone()), own.source);
    Some(entry)
}

/// What is set for a subscription; nothing else is said of one.
fn subscription(image: &MetadataImage, resource: &ConfigResource) -> Vec<Entry> {
    let set = image.config(resource).filter_map(|(name, value)| {
        Some(Entry {
            definition: *client_metrics::find(name)?,
            value: Some(value.into()),
            source: ConfigSource::ClientMetrics,
            read_only: false,
            synonyms: Vec::new(),
        })
    });
    set.collect()
}

fn describe(entry: Entry, request: &DescribeConfigsRequest) -> DescribeConfigsResourceResult {
    let config_source = source(&entry).to_wire();
    let synonyms = if request.include_synonyms { entry.synonyms } else { Vec::new() };
    let documentation = entry.definition.documentation;
    DescribeConfigsResourceResult {
        name: CompactString::const_new(entry.definition.name),
        value: entry.value,
        read_only: entry.read_only,
        config_source,
        // No configuration in the tables is a secret.
        is_sensitive: false,
        synonyms: synonyms.into_iter().map(synonym).collect(),
        config_type: entry.definition.config_type.to_wire(),
        documentation: request
            .include_documentation
            .then_some(CompactString::const_new(documentation)),
    }
}

/// Where a value is said to come from. As in the reference, one that is only set under a name of
/// another unit (`log.retention.hours`) passes for a default here, and not in CreateTopics.
fn source(entry: &Entry) -> ConfigSource {
    match entry.source {
        ConfigSource::ClientMetrics => ConfigSource::ClientMetrics,
        _ => entry.synonyms.first().map_or(ConfigSource::Default, |listed| listed.source),
    }
}

fn synonym(synonym: EntrySynonym) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym {
        name: CompactString::const_new(synonym.name),
        value: Some(synonym.value),
        source: synonym.source.to_wire(),
    }
}
