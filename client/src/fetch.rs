//! Reading batches from partitions of one leader, without a fetch session.

use std::time::Duration;

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData};
use logboom_protocol::records::{BatchError, CheckedBatch, Inflater, RawBatch, Record};

use crate::produce::naming;
use crate::{ClientError, Cluster, Connection};

/// From where on a partition is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchPosition {
    /// The partition.
    pub partition: i32,
    /// The first offset that is wanted, inclusive.
    pub offset: i64,
}

/// How much a fetch returns, and how long it waits for it.
#[derive(Debug, Clone)]
pub struct FetchLimits {
    /// How long the broker waits for `bytes_min` (`fetch.max.wait.ms`).
    pub wait_max: Duration,
    /// Bytes for which it is worth to answer earlier (`fetch.min.bytes`).
    pub bytes_min: i32,
    /// Bytes of an answer (`fetch.max.bytes`). A first batch that is longer comes all the same.
    pub bytes_max: i32,
    /// Bytes a partition (`max.partition.fetch.bytes`), with the same exception.
    pub partition_bytes_max: i32,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            wait_max: Duration::from_millis(500),
            bytes_min: 1,
            bytes_max: 50 << 20,
            partition_bytes_max: 1 << 20,
        }
    }
}

/// What a leader says of a partition.
#[derive(Debug, Clone)]
pub struct FetchedPartition {
    /// The partition.
    pub partition: i32,
    /// Below it everything is committed, exclusive; −1 if the leader doesn't say.
    pub high_watermark: i64,
    /// The first offset that is kept, inclusive; −1 if the leader doesn't say.
    pub log_start_offset: i64,
    /// Whole batches, perhaps with the beginning of one more behind them. The first may begin
    /// before the offset that was asked for.
    pub batches: Bytes,
    /// Why there is nothing; other partitions of the same answer may have something.
    pub error: Option<ClientError>,
}

/// The last version that names topics by name.
const NAMES_MAX: i16 = 12;

impl Cluster {
    /// Reads from partitions that have the same leader. It is not tried again: after an error of
    /// its own or of a partition the caller looks up the leaders again if
    /// [`ClientError::is_stale_metadata`], and pauses.
    ///
    /// The broker fills the answer in the order of `positions`; who always names them in the same
    /// order may never see the last ones.
    ///
    /// # Errors
    /// The leader can't be asked, or refuses the request as a whole.
    pub async fn fetch(
        &self,
        topic: &str,
        positions: &[FetchPosition],
        limits: &FetchLimits,
    ) -> Result<Vec<FetchedPartition>, ClientError> {
        let Some(first) = positions.first() else { return Ok(Vec::new()) };
        let result = self.fetch_from_leader(topic, first.partition, positions, limits).await;
        let is_stale = |error: &ClientError| error.is_stale_metadata();
        let stale = match &result {
            Ok(fetched) => fetched.iter().filter_map(|one| one.error.as_ref()).any(is_stale),
            Err(error) => is_stale(error),
        };
        if stale {
            self.forget(topic);
        }
        result
    }

    async fn fetch_from_leader(
        &self,
        topic: &str,
        led: i32,
        positions: &[FetchPosition],
        limits: &FetchLimits,
    ) -> Result<Vec<FetchedPartition>, ClientError> {
        let (connection, known) = self.leader(topic, led).await?;
        let partition = |position: &FetchPosition| FetchPartition {
            partition: position.partition,
            fetch_offset: position.offset,
            partition_max_bytes: limits.partition_bytes_max,
            ..FetchPartition::default()
        };
        let request = FetchRequest {
            max_wait_ms: i32::try_from(limits.wait_max.as_millis()).unwrap_or(i32::MAX),
            min_bytes: limits.bytes_min,
            max_bytes: limits.bytes_max,
            topics: vec![FetchTopic {
                topic: topic.into(),
                topic_id: known.id,
                partitions: positions.iter().map(partition).collect(),
            }],
            ..FetchRequest::default()
        };
        let timeout = self.config().request_timeout.saturating_add(limits.wait_max);
        let versions = naming(&known, NAMES_MAX);
        let response = connection.send_within(&request, versions, timeout).await?;
        ClientError::check(response.error_code, None, || format!("topic {topic}"))?;
        let partitions = response.responses.into_iter().flat_map(|topic| topic.partitions);
        Ok(partitions.map(|data| FetchedPartition::new(topic, data)).collect())
    }
}

impl Cluster {
    /// A new connection to a broker that nobody else uses, for who sends it what waits: requests
    /// are answered in order, so a fetch that waits holds up whatever is sent behind it.
    ///
    /// # Errors
    /// [`ClientError::UnknownBroker`], or why it can't be reached.
    pub async fn connect_to(&self, broker_id: i32) -> Result<Connection, ClientError> {
        let image = self.image(Some(&[])).await?;
        let broker = image.brokers.get(&broker_id);
        let broker = broker.ok_or(ClientError::UnknownBroker { broker_id })?;
        Connection::connect(&broker.address, self.config()).await
    }
}

impl FetchedPartition {
    fn new(topic: &str, data: PartitionData) -> Self {
        let partition = data.partition_index;
        let what = || format!("partition {topic}-{partition}");
        Self {
            partition,
            high_watermark: data.high_watermark,
            log_start_offset: data.log_start_offset,
            batches: data.records.unwrap_or_default(),
            error: ClientError::check(data.error_code, None, what).err(),
        }
    }

    /// Whether the offset asked for is not, or not yet, in the log.
    #[must_use]
    pub fn is_out_of_range(&self) -> bool {
        let code = self.error.as_ref().and_then(ClientError::code);
        code == Some(ErrorCode::OFFSET_OUT_OF_RANGE)
    }
}

/// Visits the records of fetched batches from an offset on, checked and inflated; returns the
/// offset to read from next, exclusive of all that was read. Markers of transactions are left out,
/// records of transactions that were given up are not.
///
/// - `visit`: returns whether it wants more; the offset behind its last record is returned.
///
/// # Errors
/// A batch that is damaged, or inflates to more than `inflater` allows. What was visited before it
/// stays visited.
pub fn visit_records<E>(
    batches: &Bytes,
    from: i64,
    inflater: &mut Inflater,
    mut visit: impl FnMut(&Record<'_>) -> Result<bool, E>,
) -> Result<i64, E>
where
    E: From<BatchError>,
{
    let mut rest: &[u8] = batches;
    let mut next = from;
    while !rest.is_empty() {
        let (raw, behind) = match RawBatch::split_first(rest) {
            Ok(split) => split,
            // Brokers cut the last batch off where the limit is.
            Err(BatchError::Truncated { .. }) => break,
            Err(error) => return Err(error.into()),
        };
        let batch = CheckedBatch::check(batches.slice_ref(raw.bytes()))?;
        rest = behind;
        let header = batch.header();
        let end = header.base_offset + i64::from(header.last_offset_delta) + 1;
        if end <= next {
            continue;
        }
        if !header.attributes.is_control() {
            for record in &batch.records(inflater)? {
                let record = record?;
                if record.offset >= next && !visit(&record)? {
                    return Ok(record.offset + 1);
                }
            }
        }
        next = end;
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use logboom_protocol::records::{BatchBuilder, BatchHeader, Codec, layout};

    use super::*;

    /// A batch of `count` records from `base_offset` on.
    fn batch(base_offset: i64, count: i32) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Codec::Lz4);
        for i in 0..count {
            builder.append(i.into(), None, Some(b"value"), &[]).unwrap();
        }
        let mut bytes = builder.build().unwrap().to_vec();
        let mut header = BatchHeader::from_bytes(bytes.first_chunk().unwrap());
        header.base_offset = base_offset;
        bytes[..layout::HEADER_BYTES].copy_from_slice(&header.to_bytes());
        bytes
    }

    fn visited(bytes: Vec<u8>, from: i64, count: usize) -> Result<(Vec<i64>, i64), BatchError> {
        let mut offsets = Vec::new();
        let mut inflater = Inflater::new(1 << 20);
        let next = visit_records(&bytes.into(), from, &mut inflater, |record| {
            offsets.push(record.offset);
            Ok::<_, BatchError>(offsets.len() < count)
        })?;
        Ok((offsets, next))
    }

    #[test]
    fn records_before_the_offset_are_left_out() {
        let bytes = [batch(0, 3), batch(10, 3)].concat();
        assert_eq!(visited(bytes.clone(), 1, 9).unwrap(), (vec![1, 2, 10, 11, 12], 13));
        assert_eq!(visited(bytes.clone(), 11, 9).unwrap(), (vec![11, 12], 13));
        assert_eq!(visited(bytes.clone(), 1, 3).unwrap(), (vec![1, 2, 10], 11), "enough");
        assert_eq!(visited(bytes, 13, 9).unwrap(), (vec![], 13));
    }

    #[test]
    fn a_batch_that_is_cut_off_is_for_the_next_fetch() {
        let whole = [batch(0, 3), batch(3, 3)].concat();
        let first = batch(0, 3).len();
        for cut in [first, first + 1, first + 17, whole.len() - 1] {
            assert_eq!(visited(whole[..cut].to_vec(), 0, 9).unwrap(), (vec![0, 1, 2], 3));
        }
    }

    #[test]
    fn a_damaged_batch_is_refused() {
        let mut bytes = [batch(0, 3), batch(3, 3)].concat();
        *bytes.last_mut().unwrap() ^= 1;
        assert!(matches!(visited(bytes, 0, 9), Err(BatchError::Crc { .. })));
    }
}
