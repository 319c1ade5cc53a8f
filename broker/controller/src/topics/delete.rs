//! DeleteTopics.

use alloc::vec::Vec;

use logboom_protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use logboom_protocol::units::Uuid;
use logboom_protocol::{CompactString, ErrorCode};

use crate::MetadataImage;
use crate::config::{Effective, StaticConfig};
use crate::decision::{Decision, message, occurrences};
use crate::image::Topic;
use crate::record::MetadataRecord;

use super::error::TopicError;

/// From this version on the protocol says that deletion is switched off.
const DISABLED_CODE_FROM_VERSION: i16 = 3;

/// Deletes topics by name or by id. A name is free for a new topic at once, whose id is another.
///
/// - `version`: of the request.
#[must_use]
pub fn delete_topics(
    image: &MetadataImage,
    request: &DeleteTopicsRequest,
    version: i16,
    broker: &StaticConfig,
) -> Decision<DeleteTopicsResponse> {
    let disabled = !Effective::new(image, broker).broker_boolean("delete.topic.enable");
    let has_code = version >= DISABLED_CODE_FROM_VERSION;
    // Up to version 5 there are names only.
    let names = request.topic_names.iter().cloned();
    let named = names.map(|name| DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO });
    let states: Vec<_> = named.chain(request.topics.iter().cloned()).collect();

    let found: Vec<_> = states.iter().map(|state| find(image, state)).collect();
    let times = occurrences(found.iter().flatten().map(|topic| topic.id()));
    let (mut records, mut responses) = (Vec::new(), Vec::with_capacity(states.len()));
    for (state, found) in states.iter().zip(found) {
        let result = match found {
            Ok(_) if disabled => Err(TopicError::DeletionDisabled { has_code }),
            Ok(topic) if times[&topic.id()] > 1 => Err(TopicError::Duplicate),
            other => other,
        };
        if let Ok(topic) = result {
            records.push(MetadataRecord::TopicDeleted { id: topic.id() });
        }
        responses.push(answer(state, result));
    }
    Decision { records, response: DeleteTopicsResponse { throttle_time_ms: 0, responses } }
}

fn find<'a>(image: &'a MetadataImage, state: &DeleteTopicState) -> Result<&'a Topic, TopicError> {
    match &state.name {
        Some(name) if state.topic_id.is_zero() => {
            image.topic_named(name).ok_or(TopicError::UnknownName)
        }
        None if !state.topic_id.is_zero() => {
            image.topic(state.topic_id).ok_or(TopicError::UnknownId)
        }
        _ => Err(TopicError::NameOrId),
    }
}

fn answer(state: &DeleteTopicState, result: Result<&Topic, TopicError>) -> DeletableTopicResult {
    match result {
        Ok(topic) => DeletableTopicResult {
            name: Some(CompactString::from(topic.name())),
            topic_id: topic.id(),
            error_code: ErrorCode::NONE,
            error_message: None,
        },
        Err(error) => DeletableTopicResult {
            name: state.name.clone(),
            topic_id: state.topic_id,
            error_code: error.code(),
            error_message: message(&error),
        },
    }
}
