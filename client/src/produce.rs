//! Sending one batch to one partition.
//!
//! Must always hold: a batch is in flight once at a time. A repetition after a lost answer may
//! append it twice, unless the batch names its idempotent producer (KIP-98).

use bytes::Bytes;

use logboom_protocol::messages::init_producer_id::InitProducerIdRequest;
use logboom_protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use logboom_protocol::units::Uuid;
use logboom_protocol::{ErrorCode, VersionRange};

use crate::backoff::Retry;
use crate::cluster::Target;
use crate::{ClientError, Cluster, Connection, Topic};

/// How many copies an acknowledgement stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Acks {
    /// None: the broker doesn't answer, and a batch that it refuses is lost.
    None,
    /// The leader's.
    Leader,
    /// Those of all replicas that must hold it.
    #[default]
    All,
}

/// Where a batch was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Produced {
    /// Offset of its first record, inclusive. `None` where the broker doesn't answer, or no longer
    /// knows it because the batch was a repetition.
    pub base_offset: Option<i64>,
    /// The timestamp of its records, milliseconds, where the broker stamps them.
    pub log_append_time: Option<i64>,
}

impl Acks {
    fn to_wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// The last version that names topics by name.
const NAMES_MAX: i16 = 12;

/// The versions that can name the topic: by id only if its id is known (KIP-516).
pub(crate) fn naming(topic: &Topic, names_max: i16) -> VersionRange {
    VersionRange { min: 0, max: if topic.id == Uuid::ZERO { names_max } else { i16::MAX } }
}

impl Cluster {
    /// Sends a batch to a partition, and again until it is acknowledged or `delivery.timeout.ms`
    /// is over.
    ///
    /// - `batch`: one batch, as [`logboom_protocol::records::BatchBuilder`] makes it.
    ///
    /// # Errors
    /// The broker's code, MESSAGE_TOO_LARGE for example, or why the leader can't be asked. After
    /// [`ClientError::Deadline`] the batch may have been appended all the same.
    pub async fn produce(
        &self,
        topic: &str,
        partition: i32,
        batch: Bytes,
        acks: Acks,
    ) -> Result<Produced, ClientError> {
        let doing = format!("produce to {topic}-{partition}");
        let mut retry = Retry::new(self.config(), self.config().delivery_timeout, doing);
        loop {
            let attempt = self.produce_once(topic, partition, batch.clone(), acks, &retry);
            let error = match attempt.await {
                Ok(produced) => return Ok(produced),
                Err(error) => error,
            };
            if error.is_stale_metadata() {
                self.forget(topic);
            }
            retry.pause(error).await?;
        }
    }

    /// Asks for an id for an idempotent producer; its epoch comes with it.
    ///
    /// # Errors
    /// A broker's code, or why none can be asked.
    pub async fn init_producer_id(&self) -> Result<(i64, i16), ClientError> {
        let request = InitProducerIdRequest {
            transactional_id: None,
            // Without a transactional id the time-out of transactions means nothing.
            transaction_timeout_ms: i32::MAX,
            ..InitProducerIdRequest::default()
        };
        let doing = "get a producer id".to_owned();
        self.call(Target::Any, doing, &request, |_, response| {
            ClientError::check(response.error_code, None, || "producer id".to_owned())?;
            Ok((response.producer_id, response.producer_epoch))
        })
        .await
    }

    async fn produce_once(
        &self,
        topic: &str,
        partition: i32,
        batch: Bytes,
        acks: Acks,
        retry: &Retry<'_>,
    ) -> Result<Produced, ClientError> {
        let (connection, known) = self.leader(topic, partition).await?;
        let request = ProduceRequest {
            acks: acks.to_wire(),
            timeout_ms: i32::try_from(retry.timeout().as_millis()).unwrap_or(i32::MAX),
            topic_data: vec![TopicProduceData {
                name: topic.into(),
                topic_id: known.id,
                partition_data: vec![PartitionProduceData {
                    index: partition,
                    records: Some(batch),
                }],
            }],
            ..ProduceRequest::default()
        };
        let versions = naming(&known, NAMES_MAX);
        if acks == Acks::None {
            connection.send_unanswered(&request, versions, retry.timeout()).await?;
            return Ok(Produced::default());
        }
        let response = connection.send_within(&request, versions, retry.timeout()).await?;
        let topics = response.responses.into_iter();
        let mut partitions = topics.flat_map(|topic| topic.partition_responses);
        let answer = partitions.find(|answer| answer.index == partition);
        read(&connection, topic, partition, answer)
    }
}

fn read(
    connection: &Connection,
    topic: &str,
    partition: i32,
    answer: Option<PartitionProduceResponse>,
) -> Result<Produced, ClientError> {
    let what = || format!("partition {topic}-{partition}");
    let answer = answer.ok_or_else(|| ClientError::Unanswered {
        address: connection.address().clone(),
        what: what(),
    })?;
    // The batch is there already: an earlier attempt appended it.
    if answer.error_code != ErrorCode::DUPLICATE_SEQUENCE_NUMBER {
        ClientError::check(answer.error_code, message(&answer).as_deref(), what)?;
    }
    let told = |number: i64| (number >= 0).then_some(number);
    Ok(Produced {
        base_offset: told(answer.base_offset),
        log_append_time: told(answer.log_append_time_ms),
    })
}

/// The broker's words about the batch, and about the first record that it names.
fn message(answer: &PartitionProduceResponse) -> Option<String> {
    let whole = answer.error_message.as_deref();
    let Some(first) = answer.record_errors.first() else {
        return whole.map(str::to_owned);
    };
    let what = first.batch_index_error_message.as_deref().or(whole).unwrap_or("refused");
    Some(format!("record {}: {what}", first.batch_index))
}

#[cfg(test)]
mod tests {
    use logboom_protocol::messages::produce::BatchIndexAndErrorMessage;

    use super::*;

    fn answer(error_code: ErrorCode, words: Option<&str>) -> PartitionProduceResponse {
        PartitionProduceResponse {
            error_code,
            error_message: words.map(Into::into),
            ..PartitionProduceResponse::default()
        }
    }

    #[test]
    fn a_topic_without_an_id_is_named_by_name() {
        let topic =
            |id| Topic { name: "t".to_owned(), id, is_internal: false, partitions: Vec::new() };
        assert_eq!(naming(&topic(Uuid::ZERO), NAMES_MAX).max, 12);
        assert!(naming(&topic(Uuid([1; 16])), NAMES_MAX).max > 12);
    }

    #[test]
    fn a_refusal_names_the_record_that_the_broker_names() {
        let mut refused = answer(ErrorCode::INVALID_RECORD, Some("one is bad"));
        assert_eq!(message(&refused).as_deref(), Some("one is bad"));
        refused
            .record_errors
            .push(BatchIndexAndErrorMessage { batch_index: 3, batch_index_error_message: None });
        assert_eq!(message(&refused).as_deref(), Some("record 3: one is bad"));
        assert_eq!(message(&answer(ErrorCode::NONE, None)), None);
    }
}
