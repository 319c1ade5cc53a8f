//! IncrementalAlterConfigs: single keys of a resource (KIP-339).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use logboom_protocol::CompactString;
use logboom_protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

use crate::MetadataImage;
use crate::config::{StaticConfig, elements};
use crate::decision::Decision;
use crate::record::{MetadataRecord, ResourceKind};

use super::change::{self, Settings};
use super::error::ConfigChangeError;
use super::resource;

/// What is done with a key, with its number in the request.
#[derive(Debug, Clone, Copy)]
enum Operation {
    /// 0: sets it.
    Set,
    /// 1: removes it. No error where it isn't set.
    Delete,
    /// 2: adds to its list what isn't there yet.
    Append,
    /// 3: takes out of its list what is there.
    Subtract,
}

impl Operation {
    fn from_wire(number: i8) -> Option<Self> {
        Some(match number {
            0 => Self::Set,
            1 => Self::Delete,
            2 => Self::Append,
            3 => Self::Subtract,
            _ => return None,
        })
    }
}

/// Changes what the request names and leaves everything else, each resource as if it came alone.
///
/// - `broker`: what the broker that decides was started with.
/// - `asked`: the broker that the client asked; the configuration of another one is not changed
///   there, as in the reference.
#[must_use]
pub fn incremental_alter_configs(
    image: &MetadataImage,
    request: &IncrementalAlterConfigsRequest,
    broker: &StaticConfig,
    asked: i32,
) -> Decision<IncrementalAlterConfigsResponse> {
    let id = |one: &AlterConfigsResource| (one.resource_type, one.resource_name.clone());
    let alter = |one: &_| alter(image, one, broker, asked);
    let (mut records, outcomes) = change::each(&request.resources, id, alter);
    let answer = |(one, (error_code, error_message)): (&AlterConfigsResource, _)| {
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: one.resource_type,
            resource_name: one.resource_name.clone(),
        }
    };
    let responses = request.resources.iter().zip(outcomes).map(answer).collect();
    if request.validate_only {
        records.clear();
    }
    let response = IncrementalAlterConfigsResponse { throttle_time_ms: 0, responses };
    Decision { records, response }
}

fn alter(
    image: &MetadataImage,
    request: &AlterConfigsResource,
    broker: &StaticConfig,
    asked: i32,
) -> Result<Vec<MetadataRecord>, ConfigChangeError> {
    let mut names = BTreeSet::new();
    if let Some(twice) = request.configs.iter().find(|config| !names.insert(&config.name)) {
        return Err(ConfigChangeError::DuplicateKey(twice.name.clone()));
    }
    let (number, name) = (request.resource_type, &request.resource_name);
    let resource = resource::resolve_at(image, number, name, asked)?;
    let mut settings = change::current(image, &resource);
    for config in &request.configs {
        apply(&mut settings, resource.kind, config)?;
    }
    change::change(image, broker, &resource, &settings)
}

fn apply(
    settings: &mut Settings,
    kind: ResourceKind,
    config: &AlterableConfig,
) -> Result<(), ConfigChangeError> {
    let AlterableConfig { name, config_operation, value } = config;
    let operation = Operation::from_wire(*config_operation)
        .ok_or(ConfigChangeError::Operation(*config_operation))?;
    let given = || value.clone().ok_or_else(|| ConfigChangeError::NoValue(name.clone()));
    match operation {
        Operation::Set => {
            settings.insert(name.clone(), given()?);
        }
        Operation::Delete => {
            settings.remove(name);
        }
        Operation::Append | Operation::Subtract => {
            let definition = resource::list(kind, name)?;
            let old = settings.get(name).map(CompactString::as_str);
            let old = old.or(definition.default).unwrap_or_default();
            let new = match operation {
                Operation::Append => append(old, &given()?),
                _ => subtract(old, &given()?),
            };
            settings.insert(name.clone(), new);
        }
    }
    Ok(())
}

fn append(list: &str, added: &str) -> CompactString {
    let mut known = BTreeSet::new();
    let all = elements(list).chain(elements(added));
    join(all.filter(|element| known.insert(*element)))
}

fn subtract(list: &str, removed: &str) -> CompactString {
    let removed: BTreeSet<_> = elements(removed).collect();
    join(elements(list).filter(|element| !removed.contains(element)))
}

fn join<'a>(elements: impl Iterator<Item = &'a str>) -> CompactString {
    let mut list = CompactString::default();
    for element in elements {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(element);
    }
    list
}
