//! Topics made and deleted.

use std::time::{Duration, Instant};

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use logboom_compare::pause;

use crate::spec::Spec;

/// How long a topic may take to have its leaders, or to go.
const DONE_MAX: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

type Admin = AdminClient<DefaultClientContext>;

/// Makes the topic and waits until all partitions have a leader.
///
/// # Errors
/// What the broker says, or the time that has passed.
pub(crate) fn create(spec: &Spec) -> Result<(), String> {
    let admin: Admin = spec.client()?.create().map_err(|error| error.to_string())?;
    let config = spec.topic_config()?;
    let topic = NewTopic::new(&spec.topic, spec.partitions, TopicReplication::Fixed(1));
    let topic = config.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
    let results = block_on(admin.create_topics([&topic], &options()));
    for result in results.map_err(|error| error.to_string())? {
        result.map_err(|(name, code)| format!("create {name}: {code}"))?;
    }
    let since = Instant::now();
    while !has_leaders(&admin, spec)? {
        if since.elapsed() > DONE_MAX {
            return Err(format!("create {}: no leaders after {DONE_MAX:?}", spec.topic));
        }
        pause(LOOK_EVERY);
    }
    Ok(())
}

fn has_leaders(admin: &Admin, spec: &Spec) -> Result<bool, String> {
    let metadata = match admin.inner().fetch_metadata(Some(&spec.topic), DONE_MAX) {
        Ok(metadata) => metadata,
        Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition)) => {
            return Ok(false);
        }
        Err(error) => return Err(error.to_string()),
    };
    let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
    let led = partitions.filter(|partition| partition.leader() >= 0).count();
    Ok(i32::try_from(led) == Ok(spec.partitions))
}

/// Deletes the topic.
///
/// # Errors
/// What the broker says.
pub(crate) fn delete(spec: &Spec) -> Result<(), String> {
    let admin: Admin = spec.client()?.create().map_err(|error| error.to_string())?;
    let results = block_on(admin.delete_topics(&[&spec.topic], &options()));
    for result in results.map_err(|error| error.to_string())? {
        result.map_err(|(name, code)| format!("delete {name}: {code}"))?;
    }
    Ok(())
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(DONE_MAX)).operation_timeout(Some(DONE_MAX))
}
