//! Sending batches to the brokers that lead their partitions.
//!
//! Must always hold: the records of a batch are lent to the socket, not copied. A repetition after
//! a lost answer may append a batch twice, unless it names its idempotent producer (KIP-98).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use logboom_protocol::hot::{ProduceRequestHead, ProduceRequestWriter, Rope, TopicRef};
use logboom_protocol::messages::init_producer_id::InitProducerIdRequest;
use logboom_protocol::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceResponse,
};
use logboom_protocol::units::Uuid;
use logboom_protocol::{ApiKey, EncodeError, ErrorCode, VersionRange};

use crate::backoff::Retry;
use crate::cluster::Target;
use crate::connection::Posted;
use crate::{BrokerAddress, ClientError, Cluster, Connection, LeaderHint, RefusedRecord, Topic};

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

/// A batch for a partition.
#[derive(Debug, Clone)]
pub struct PartitionBatch {
    /// The topic, as it is known.
    pub topic: Arc<Topic>,
    /// The partition.
    pub partition: i32,
    /// One batch, as [`logboom_protocol::records::BatchBuilder`] makes it, in pieces.
    pub batch: Vec<Bytes>,
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
            let error = match retry.within(attempt).await {
                Ok(produced) => return Ok(produced),
                Err(error) => error,
            };
            let api = ApiKey::Produce;
            let error = self.doubt_leader_by(topic, partition, error, api, &retry);
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
        let request = &request;
        let mut retry = self.retry("get a producer id".to_owned());
        loop {
            let timeout = retry.timeout();
            let ask =
                |connection: Connection| async move { connection.send(request, timeout).await };
            let named = retry.within(self.ask_any(ask)).await.and_then(|(_, response)| {
                ClientError::check(response.error_code, None, || "producer id".to_owned())?;
                Ok((response.producer_id, response.producer_epoch))
            });
            match named {
                Ok(named) => return Ok(named),
                Err(error) => retry.pause(error).await?,
            }
        }
    }

    async fn produce_once(
        &self,
        topic: &str,
        partition: i32,
        batch: Bytes,
        acks: Acks,
        retry: &Retry<'_>,
    ) -> Result<Produced, ClientError> {
        let topic = self.topic(topic).await?;
        let leader = topic.leader(partition)?;
        let batches = [PartitionBatch { topic, partition, batch: vec![batch] }];
        let posted = self.post_batches(leader, acks, retry.timeout(), &batches).await?;
        let [result] = posted.answers().await?.try_into().expect("an answer a batch");
        result
    }

    /// Gives a request with batches its place behind those that were posted to the same broker
    /// before. Nothing is tried again.
    ///
    /// - `batches`: one a partition, all of which the broker leads; those of a topic stand
    ///   together.
    ///
    /// # Errors
    /// Why the broker can't be asked. None of the batches has been sent, or, as
    /// [`ClientError::Connection`], perhaps all.
    pub async fn post_batches(
        &self,
        broker_id: i32,
        acks: Acks,
        timeout: Duration,
        batches: &[PartitionBatch],
    ) -> Result<PostedBatches, ClientError> {
        let connection = self.connection(Target::Broker(broker_id)).await?;
        let allowed = batches.iter().map(|one| naming(&one.topic, NAMES_MAX).max).min();
        let allowed = VersionRange { min: 0, max: allowed.unwrap_or(i16::MAX) };
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let encode = |version: i16, correlation_id: i32, client_id: &str| {
            let acks = acks.to_wire();
            let transactional_id = None;
            let head = ProduceRequestHead {
                correlation_id,
                client_id,
                transactional_id,
                acks,
                timeout_ms,
            };
            encode(version, &head, batches)
        };
        let posted = match acks {
            Acks::None => {
                connection.tell::<ProduceRequest>(allowed, timeout, encode).await?;
                None
            }
            _ => Some(connection.post::<ProduceRequest>(allowed, timeout, encode).await?),
        };
        let sent = batches.iter().map(|one| (Arc::clone(&one.topic), one.partition)).collect();
        Ok(PostedBatches { cluster: self.clone(), posted, sent })
    }
}

/// A request with batches that has its place in the order of its connection.
#[derive(Debug)]
pub struct PostedBatches {
    cluster: Cluster,
    /// Nothing where the broker doesn't answer.
    posted: Option<Posted<ProduceRequest>>,
    /// For what it was.
    sent: Vec<(Arc<Topic>, i32)>,
}

impl PostedBatches {
    /// Waits for what has become of the batches, in their order.
    ///
    /// # Errors
    /// [`ClientError::Connection`]; any of them may have been appended.
    pub async fn answers(self) -> Result<Vec<Result<Produced, ClientError>>, ClientError> {
        let Self { cluster, posted, sent } = self;
        let Some(posted) = posted else {
            return Ok(sent.iter().map(|_| Ok(Produced::default())).collect());
        };
        let address = posted.address().clone();
        let mut answer = Answer::new(posted.answer().await?);
        let read = |(topic, partition): (Arc<Topic>, i32)| {
            let told = answer.take(&topic, partition);
            if let Some((leader, address)) = told.as_ref().and_then(|told| answer.leader(told)) {
                cluster.hear_of_leader(&topic, partition, leader, address);
            }
            read(&address, &topic.name, partition, told)
        };
        Ok(sent.into_iter().map(read).collect())
    }
}

/// Groups batches by their topics.
fn encode(
    version: i16,
    head: &ProduceRequestHead<'_>,
    batches: &[PartitionBatch],
) -> Result<Rope, EncodeError> {
    let by_topic = || batches.chunk_by(|a, b| a.topic.name == b.topic.name);
    let mut writer = ProduceRequestWriter::new(version, head, by_topic().count())?;
    for group in by_topic() {
        let topic = &group[0].topic;
        let named = match version {
            ..=NAMES_MAX => TopicRef::Name(&topic.name),
            _ => TopicRef::Id(topic.id),
        };
        writer.topic(named, group.len())?;
        for one in group {
            writer.partition(one.partition, one.batch.iter().cloned())?;
        }
    }
    writer.finish()
}

/// What a broker says of each partition.
struct Answer {
    by_name: BTreeMap<(String, i32), PartitionProduceResponse>,
    by_id: BTreeMap<(Uuid, i32), PartitionProduceResponse>,
    brokers: BTreeMap<i32, BrokerAddress>,
}

impl Answer {
    fn new(response: ProduceResponse) -> Self {
        let (mut by_name, mut by_id) = (BTreeMap::new(), BTreeMap::new());
        for TopicProduceResponse { name, topic_id, partition_responses } in response.responses {
            for told in partition_responses {
                if topic_id == Uuid::ZERO {
                    by_name.insert((name.as_str().to_owned(), told.index), told);
                } else {
                    by_id.insert((topic_id, told.index), told);
                }
            }
        }
        let brokers = response.node_endpoints.into_iter().filter_map(|one| {
            let port = u16::try_from(one.port).ok()?;
            Some((one.node_id, BrokerAddress { host: one.host.into(), port }))
        });
        Self { by_name, by_id, brokers: brokers.collect() }
    }

    fn take(&mut self, topic: &Topic, partition: i32) -> Option<PartitionProduceResponse> {
        let by_id = self.by_id.remove(&(topic.id, partition));
        by_id.or_else(|| self.by_name.remove(&(topic.name.clone(), partition)))
    }

    /// The leader that it names in place of the one that was asked (KIP-951).
    fn leader(&self, told: &PartitionProduceResponse) -> Option<(LeaderHint, BrokerAddress)> {
        let leader = &told.current_leader;
        let address = self.brokers.get(&leader.leader_id)?.clone();
        Some((LeaderHint { broker_id: leader.leader_id, epoch: leader.leader_epoch }, address))
    }
}

fn read(
    address: &BrokerAddress,
    topic: &str,
    partition: i32,
    answer: Option<PartitionProduceResponse>,
) -> Result<Produced, ClientError> {
    let what = || format!("partition {topic}-{partition}");
    let answer =
        answer.ok_or_else(|| ClientError::Unanswered { address: address.clone(), what: what() })?;
    // The batch is there already: an earlier attempt appended it.
    let code = answer.error_code;
    if code != ErrorCode::DUPLICATE_SEQUENCE_NUMBER {
        let message = answer.error_message.as_deref();
        ClientError::check(code, message, what).map_err(
            |error| match &answer.record_errors[..] {
                [] => error,
                records => refused(what(), code, message, records),
            },
        )?;
    }
    let told = |number: i64| (number >= 0).then_some(number);
    Ok(Produced {
        base_offset: told(answer.base_offset),
        log_append_time: told(answer.log_append_time_ms),
    })
}

/// The error that names records.
fn refused(
    what: String,
    code: ErrorCode,
    message: Option<&str>,
    records: &[BatchIndexAndErrorMessage],
) -> ClientError {
    let words = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let record = |one: &BatchIndexAndErrorMessage| RefusedRecord {
        index: one.batch_index,
        message: words(one.batch_index_error_message.as_deref()),
    };
    let records = records.iter().map(record).collect();
    ClientError::RefusedRecords { what, code, message: words(message), records }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Remedy;

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
    fn a_refusal_names_the_records_that_the_broker_names() {
        let address = BrokerAddress { host: "b".to_owned(), port: 1 };
        let told = |answer| read(&address, "t", 0, Some(answer));
        let mut refused = answer(ErrorCode::INVALID_RECORD, Some("one is bad"));
        let error = told(refused.clone()).unwrap_err();
        assert_eq!(error.to_string(), "partition t-0: INVALID_RECORD (87): one is bad");
        let record = |batch_index, words: Option<&str>| BatchIndexAndErrorMessage {
            batch_index,
            batch_index_error_message: words.map(Into::into),
        };
        refused.record_errors = vec![record(3, None), record(5, Some("no key"))];
        let error = told(refused).unwrap_err();
        assert_eq!(error.to_string(), "partition t-0: INVALID_RECORD (87): record 3: one is bad");
        assert_eq!(error.remedy(), Remedy::FixCall);
        let ClientError::RefusedRecords { records, .. } = error else { panic!("{error}") };
        let records: Vec<_> = records.iter().map(|one| (one.index, one.message.clone())).collect();
        assert_eq!(records, [(3, None), (5, Some("no key".to_owned()))]);
        told(answer(ErrorCode::NONE, None)).unwrap();
    }
}
