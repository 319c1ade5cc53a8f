//! AlterConfigs: the whole configuration of a resource at once.

use alloc::vec::Vec;

use logboom_protocol::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};

use crate::MetadataImage;
use crate::config::StaticConfig;
use crate::decision::Decision;
use crate::record::MetadataRecord;

use super::change::{self, Settings};
use super::error::ConfigChangeError;
use super::resource;

/// Sets what the request names and removes everything else, each resource as if it came alone.
///
/// - `broker`: what the broker that decides was started with.
/// - `asked`: the broker that the client asked; the configuration of another one is not changed
///   there, as in the reference.
#[must_use]
pub fn alter_configs(
    image: &MetadataImage,
    request: &AlterConfigsRequest,
    broker: &StaticConfig,
    asked: i32,
) -> Decision<AlterConfigsResponse> {
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
    Decision { records, response: AlterConfigsResponse { throttle_time_ms: 0, responses } }
}

fn alter(
    image: &MetadataImage,
    request: &AlterConfigsResource,
    broker: &StaticConfig,
    asked: i32,
) -> Result<Vec<MetadataRecord>, ConfigChangeError> {
    let mut wanted = Settings::new();
    for config in &request.configs {
        let name = || config.name.clone();
        let value = config.value.clone().ok_or_else(|| ConfigChangeError::NoValue(name()))?;
        if wanted.insert(name(), value).is_some() {
            return Err(ConfigChangeError::DuplicateKey(name()));
        }
    }
    let (number, name) = (request.resource_type, &request.resource_name);
    let resource = resource::resolve_at(image, number, name, asked)?;
    change::change(image, broker, &resource, &wanted)
}
