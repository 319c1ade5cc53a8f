//! The first record from an offset on, for who wants to know how old what is to come is.

use std::collections::BTreeMap;
use std::time::Duration;

use logboom_protocol::records::{BatchError, Inflater};
use logboom_protocol::{ApiKey, ErrorCode};

use crate::backoff::Retry;
use crate::{
    ClientError, Cluster, FetchLimits, FetchPosition, FetchedPartition, race, visit_records,
};

/// What was found in a partition: a record; that there is none; or why nobody can tell.
pub type FirstRecordResult = Result<Option<FirstRecord>, ClientError>;

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

/// A search in several partitions, of which each has its own result.
struct Search<'a> {
    topic: &'a str,
    /// Where those are searched on that have no result yet.
    open: BTreeMap<i32, i64>,
    results: BTreeMap<i32, FirstRecordResult>,
    /// Why some of them aren't told of for now, since the last pause.
    delay: Option<ClientError>,
}

impl Cluster {
    /// The first record of partitions of a topic from an offset on, in the order of `positions`;
    /// `None` where there is none up to the high watermark. An offset before the log start counts
    /// as the log start where the broker names that, which Apache Kafka doesn't; markers of
    /// transactions are no records.
    ///
    /// Each partition has its own error: a broker's code for it, damage, or why its leader can't be
    /// asked.
    pub async fn first_records(
        &self,
        topic: &str,
        positions: &[FetchPosition],
    ) -> Vec<FirstRecordResult> {
        let mut retry = self.retry(format!("look into topic {topic}"));
        let mut search = Search::new(topic, positions);
        while !search.open.is_empty() {
            let before = search.open.clone();
            self.look(&mut search, &retry).await;
            // A leader that answers and tells nothing isn't asked for ever.
            let is_stuck = !search.open.is_empty() && search.open == before;
            let error = search.delay.take().or_else(|| is_stuck.then(|| search.nothing_told()));
            let Some(error) = error else { continue };
            if let Err(error) = retry.pause(error).await {
                search.give_up(&error);
            }
        }
        let result = |one: &FetchPosition| search.results.get(&one.partition).cloned();
        positions.iter().map(|one| result(one).unwrap_or(Ok(None))).collect()
    }

    /// Asks every leader once, all side by side: one that hangs holds up no other.
    async fn look(&self, search: &mut Search<'_>, retry: &Retry<'_>) {
        let topic = match retry.within(self.topic(search.topic)).await {
            Ok(topic) => topic,
            Err(error) => return search.give_up(&error),
        };
        let mut led = BTreeMap::<i32, Vec<FetchPosition>>::new();
        for (partition, offset) in search.open.clone() {
            match topic.leader(partition) {
                Ok(leader) => {
                    led.entry(leader).or_default().push(FetchPosition { partition, offset });
                }
                Err(error) => {
                    self.forget(search.topic);
                    search.fail(partition, error);
                }
            }
        }
        let limits = FetchLimits {
            wait_max: Duration::ZERO,
            partition_bytes_max: LOOK_BYTES,
            ..FetchLimits::default()
        };
        let (name, limits) = (search.topic, &limits);
        let ask = |positions: Vec<FetchPosition>| async move {
            (retry.within(self.fetch(name, &positions, limits)).await, positions)
        };
        for (fetched, positions) in race::all(led.into_values().map(ask)).await {
            match fetched {
                Ok(fetched) => fetched.iter().for_each(|fetched| search.take(fetched)),
                Err(error) => {
                    let (first, api) = (positions[0].partition, ApiKey::Fetch);
                    let error = self.doubt_leader_by(search.topic, first, error, api, retry);
                    positions.iter().for_each(|one| search.fail(one.partition, error.clone()));
                }
            }
        }
    }
}

impl<'a> Search<'a> {
    fn new(topic: &'a str, positions: &[FetchPosition]) -> Self {
        let open = positions.iter().map(|one| (one.partition, one.offset)).collect();
        Self { topic, open, results: BTreeMap::new(), delay: None }
    }

    /// Takes what a leader says of a partition.
    fn take(&mut self, fetched: &FetchedPartition) {
        let partition = fetched.partition;
        let Some(&offset) = self.open.get(&partition) else { return };
        match look_at(self.topic, fetched, offset) {
            Ok(Look::UpTo(offset)) => _ = self.open.insert(partition, offset),
            Ok(Look::Nothing) => self.settle(partition, Ok(None)),
            Ok(Look::Found(record)) => self.settle(partition, Ok(Some(record))),
            Err(error) => self.fail(partition, error),
        }
    }

    /// A partition stays open where another attempt may help.
    fn fail(&mut self, partition: i32, error: ClientError) {
        if error.is_retriable() && !is_damage(&error) {
            self.delay = self.delay.take().or(Some(error));
        } else {
            self.settle(partition, Err(error));
        }
    }

    /// Nobody can tell the rest.
    fn give_up(&mut self, error: &ClientError) {
        for partition in std::mem::take(&mut self.open).into_keys() {
            self.settle(partition, Err(error.clone()));
        }
    }

    fn settle(&mut self, partition: i32, result: FirstRecordResult) {
        self.open.remove(&partition);
        self.results.insert(partition, result);
    }

    fn nothing_told(&self) -> ClientError {
        ClientError::Refused {
            what: format!("topic {}", self.topic),
            code: ErrorCode::OFFSET_NOT_AVAILABLE,
            message: None,
        }
    }
}

/// Whether a copy can't be read. The codes say that another attempt may help, because the leader
/// may move; who only looks doesn't wait for that.
fn is_damage(error: &ClientError) -> bool {
    matches!(error.code(), Some(ErrorCode::CORRUPT_MESSAGE | ErrorCode::KAFKA_STORAGE_ERROR))
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

#[cfg(test)]
mod tests {
    use logboom_protocol::records::{BatchBuilder, Codec};

    use super::*;

    /// What a leader says of a partition with one record, at time 7.
    fn told(partition: i32, code: ErrorCode) -> FetchedPartition {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.append(7, None, Some(b"value"), &[]).unwrap();
        FetchedPartition {
            partition,
            high_watermark: 1,
            log_start_offset: 0,
            batches: builder.build().unwrap(),
            error: ClientError::check(code, None, || format!("partition t-{partition}")).err(),
        }
    }

    fn search(count: i32) -> Search<'static> {
        let position = |partition| FetchPosition { partition, offset: 0 };
        Search::new("t", &(0..count).map(position).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_damaged_is_not_asked_for_again_and_holds_up_no_other() {
        let mut search = search(4);
        search.take(&told(0, ErrorCode::CORRUPT_MESSAGE));
        search.take(&told(1, ErrorCode::KAFKA_STORAGE_ERROR));
        let mut broken = told(2, ErrorCode::NONE);
        let mut bytes = broken.batches.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        broken.batches = bytes.into();
        search.take(&broken);
        search.take(&told(3, ErrorCode::NONE));
        assert!(search.open.is_empty() && search.delay.is_none());
        for partition in 0..3 {
            assert!(search.results[&partition].is_err(), "{partition}");
        }
        let record = FirstRecord { offset: 0, timestamp: Some(7) };
        assert!(matches!(search.results[&3], Ok(Some(found)) if found == record));
    }

    #[test]
    fn a_leader_that_has_moved_is_asked_for_again() {
        let mut search = search(2);
        search.take(&told(0, ErrorCode::NOT_LEADER_OR_FOLLOWER));
        search.take(&told(1, ErrorCode::NONE));
        assert_eq!(search.open, [(0, 0)].into());
        let error = search.delay.take().unwrap();
        search.give_up(&error);
        assert!(search.open.is_empty());
        assert!(search.results[&0].is_err() && search.results[&1].is_ok());
    }
}
