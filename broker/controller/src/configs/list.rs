//! ListConfigResources (KIP-1142).

use alloc::vec::Vec;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::list_config_resources::{
    ConfigResource as Listed, ListConfigResourcesRequest, ListConfigResourcesResponse,
};

use crate::MetadataImage;
use crate::record::{ConfigResource, ResourceKind};

/// Names the resources that have a configuration: all topics and brokers, and what is set of the
/// other kinds.
///
/// - `version`: of the request. Version 0 asks for subscriptions to clients' metrics; later ones
///   name the kinds, and none of them means all.
#[must_use]
pub fn list_config_resources(
    image: &MetadataImage,
    request: &ListConfigResourcesRequest,
    version: i16,
) -> ListConfigResourcesResponse {
    let kinds = match request.resource_types.as_slice() {
        _ if version == 0 => Some(Vec::from([ResourceKind::ClientMetrics])),
        [] => Some(ResourceKind::ALL.to_vec()),
        numbers => numbers.iter().map(|&number| ResourceKind::from_wire(number)).collect(),
    };
    let error_code = match kinds {
        Some(_) => ErrorCode::NONE,
        None => ErrorCode::UNSUPPORTED_VERSION,
    };
    let mut kinds = kinds.unwrap_or_default();
    kinds.sort_unstable();
    kinds.dedup();
    let resources = kinds.into_iter().flat_map(|kind| resources(image, kind));
    let config_resources = resources
        .map(|resource| Listed {
            resource_name: resource.name,
            resource_type: resource.kind.to_wire(),
        })
        .collect();
    ListConfigResourcesResponse { throttle_time_ms: 0, error_code, config_resources }
}

fn resources(image: &MetadataImage, kind: ResourceKind) -> Vec<ConfigResource> {
    match kind {
        ResourceKind::Topic => {
            image.topics().map(|topic| ConfigResource::topic(topic.name())).collect()
        }
        ResourceKind::Broker => {
            image.brokers().map(|broker| ConfigResource::broker(broker.id)).collect()
        }
        ResourceKind::ClientMetrics | ResourceKind::Group => {
            image.config_resources().filter(|resource| resource.kind == kind).cloned().collect()
        }
    }
}
