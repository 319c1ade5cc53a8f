//! The first record from an offset on, for who wants to know how old what is to come is.

use std::collections::BTreeMap;
use std::time::Duration;

use logboom_protocol::ErrorCode;
use logboom_protocol::records::{BatchError, Inflater};

use crate::admin::by_leader;
use crate::{ClientError, Cluster, FetchLimits, FetchPosition, FetchedPartition, visit_records};

/// A record's place in its partition and in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstRecord {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, milliseconds; `None` where it has none.
    pub timestamp: Option<i64>,
}

/// Bytes of a partition that are asked for: most batches are no longer, and of those that are the
/// first of an answer comes all the same.
const LOOK_BYTES: i32 = 64 << 10;
/// Bytes that a batch may inflate to.
const INFLATED_BYTES_MAX: usize = 1 << 30;

/// How far the search in a partition has come.
enum Look {
    Found(FirstRecord),
    /// To the end of the partition: there is none.
    Nothing,
    /// Up to this offset, exclusive.
    UpTo(i64),
}

impl Cluster {
    /// The first record of partitions of a topic from an offset on, in the order of `positions`;
    /// `None` where there is none up to the high watermark. An offset before the log start counts
    /// as the log start; markers of transactions are no records.
    ///
    /// # Errors
    /// A broker's code for one of the partitions, damage, or why a leader can't be asked.
    pub async fn first_records(
        &self,
        topic: &str,
        positions: &[FetchPosition],
    ) -> Result<Vec<Option<FirstRecord>>, ClientError> {
        let mut retry = self.retry(format!("look into topic {topic}"));
        let mut found = BTreeMap::new();
        let mut open: BTreeMap<i32, i64> =
            positions.iter().map(|one| (one.partition, one.offset)).collect();
        while !open.is_empty() {
            let before = open.clone();
            let looked = self.look(topic, &mut open, &mut found).await;
            let nothing = || ClientError::Refused {
                what: format!("topic {topic}"),
                code: ErrorCode::OFFSET_NOT_AVAILABLE,
                message: None,
            };
            // A leader that answers and tells nothing isn't asked for ever.
            let error = looked.err().or_else(|| (open == before).then(nothing));
            if let Some(error) = error {
                retry.pause(error).await?;
            }
        }
        Ok(positions.iter().map(|one| found.get(&one.partition).copied()).collect())
    }

    /// Asks every leader once; what is settled leaves `open`.
    async fn look(
        &self,
        name: &str,
        open: &mut BTreeMap<i32, i64>,
        found: &mut BTreeMap<i32, FirstRecord>,
    ) -> Result<(), ClientError> {
        let topic = self.topic(name).await?;
        let partitions: Vec<i32> = open.keys().copied().collect();
        for led in by_leader(&topic, &partitions)?.into_values() {
            let positions: Vec<FetchPosition> = led
                .iter()
                .map(|&partition| FetchPosition { partition, offset: open[&partition] })
                .collect();
            let limits = FetchLimits {
                wait_max: Duration::ZERO,
                partition_bytes_max: LOOK_BYTES,
                ..FetchLimits::default()
            };
            for fetched in self.fetch(name, &positions, &limits).await? {
                let partition = fetched.partition;
                let Some(&offset) = open.get(&partition) else { continue };
                match look_at(name, &fetched, offset)? {
                    Look::UpTo(offset) => _ = open.insert(partition, offset),
                    Look::Nothing => _ = open.remove(&partition),
                    Look::Found(record) => {
                        found.insert(partition, record);
                        open.remove(&partition);
                    }
                }
            }
        }
        Ok(())
    }
}

fn look_at(topic: &str, fetched: &FetchedPartition, offset: i64) -> Result<Look, ClientError> {
    if fetched.is_out_of_range() && offset < fetched.log_start_offset {
        return Ok(Look::UpTo(fetched.log_start_offset));
    }
    if fetched.is_out_of_range() && fetched.high_watermark >= 0 {
        return Ok(Look::Nothing);
    }
    if let Some(error) = &fetched.error {
        return Err(error.clone());
    }
    let mut first = None;
    let mut inflater = Inflater::new(INFLATED_BYTES_MAX);
    let next = visit_records(&fetched.batches, offset, &mut inflater, |record| {
        let timestamp = Some(record.timestamp).filter(|&timestamp| timestamp >= 0);
        first = Some(FirstRecord { offset: record.offset, timestamp });
        Ok::<_, BatchError>(false)
    });
    let what = || format!("partition {topic}-{}", fetched.partition);
    let next = next.map_err(|error| ClientError::Batch { what: what(), error })?;
    Ok(match first {
        Some(record) => Look::Found(record),
        None if next >= fetched.high_watermark => Look::Nothing,
        None => Look::UpTo(next),
    })
}
