//! What is known of topics: how many partitions, how many records came, and one batch of each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::{BufMut as _, Bytes, BytesMut};

/// Bytes of a batch's header, its base offset included.
const HEADER_BYTES: usize = 61;
/// Bytes of the base offset, with which a batch begins; no checksum covers them.
const BASE_OFFSET_BYTES: usize = 8;
/// Where the number of the records stands, four bytes.
const RECORD_COUNT_AT: usize = 57;
/// Partitions of a topic that nobody created.
const PARTITIONS: usize = 1;

/// All topics.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: RwLock<HashMap<String, Arc<Topic>>>,
}

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) partitions: Box<[Partition]>,
}

/// A partition.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    /// Offset behind the last record that came, exclusive.
    end: AtomicI64,
    /// Bytes of `kept`, to be looked at without its lock.
    kept_bytes: AtomicUsize,
    kept: Mutex<Option<Kept>>,
}

/// A batch that is served over and over.
#[derive(Debug, Clone)]
struct Kept {
    /// The batch behind its base offset.
    rest: Bytes,
    record_count: i64,
}

impl Topics {
    /// The topic of that name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        let topics = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(name).cloned()
    }

    /// The topic of that name, made if there is none.
    pub(crate) fn get_or_create(&self, name: &str) -> Arc<Topic> {
        self.get(name).unwrap_or_else(|| self.create(name, PARTITIONS))
    }

    /// Makes a topic, in the place of one that has the name.
    pub(crate) fn create(&self, name: &str, partition_count: usize) -> Arc<Topic> {
        let partitions = (0..partition_count).map(|_| Partition::default()).collect();
        let topic = Arc::new(Topic { partitions });
        let mut topics = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        topics.insert(name.to_owned(), Arc::clone(&topic));
        topic
    }

    /// Forgets a topic.
    pub(crate) fn delete(&self, name: &str) {
        self.by_name.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// The names of all topics.
    pub(crate) fn names(&self) -> Vec<String> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

impl Topic {
    /// A partition by its number as sent.
    pub(crate) fn partition(&self, number: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(number).ok()?)
    }
}

impl Partition {
    /// Counts the records of a batch and forgets it; returns the offset of the first, or `None`
    /// for what is no batch.
    pub(crate) fn take(&self, batch: &Bytes) -> Option<i64> {
        let count = batch.get(RECORD_COUNT_AT..HEADER_BYTES)?.first_chunk()?;
        let record_count = i64::from(i32::from_be_bytes(*count));
        // The first batches of a producer are smaller than the others.
        let kept = self.kept_bytes.load(Ordering::Relaxed);
        if batch.len() > kept + kept / 4 {
            self.keep(batch, record_count);
        }
        Some(self.end.fetch_add(record_count, Ordering::Relaxed))
    }

    #[cold]
    fn keep(&self, batch: &Bytes, record_count: i64) {
        let rest = Bytes::copy_from_slice(&batch[BASE_OFFSET_BYTES..]);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(Kept { rest, record_count });
        self.kept_bytes.store(batch.len(), Ordering::Relaxed);
    }

    /// Offset behind the last record that came, exclusive.
    pub(crate) fn end(&self) -> i64 {
        self.end.load(Ordering::Relaxed)
    }

    /// Batches from the one that holds `offset` on, for at most `bytes_max` but at least one;
    /// nothing if nothing was ever produced here.
    pub(crate) fn batches(&self, offset: i64, bytes_max: usize) -> Vec<Bytes> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(Kept { rest, record_count }) = kept else { return Vec::new() };
        let batch_bytes = BASE_OFFSET_BYTES + rest.len();
        let count = (bytes_max / batch_bytes).max(1);
        let first = offset.max(0) / record_count.max(1) * record_count;
        let mut bases = BytesMut::with_capacity(count * BASE_OFFSET_BYTES);
        (first..)
            .step_by(usize::try_from(record_count).unwrap_or(1).max(1))
            .take(count)
            .for_each(|base| bases.put_i64(base));
        let mut bases = bases.freeze();
        let mut pieces = Vec::with_capacity(2 * count);
        for _ in 0..count {
            pieces.push(bases.split_to(BASE_OFFSET_BYTES));
            pieces.push(rest.clone());
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_batch_comes_again_with_the_offsets_that_continue() {
        let partition = Partition::default();
        let mut batch = vec![7; 100];
        batch[RECORD_COUNT_AT..HEADER_BYTES].copy_from_slice(&3_i32.to_be_bytes());
        assert_eq!(partition.take(&batch.clone().into()), Some(0));
        assert_eq!(partition.take(&batch.into()), Some(3));
        assert_eq!(partition.end(), 6);
        let bases: Vec<i64> = partition
            .batches(7, 250)
            .chunks(2)
            .map(|pieces| i64::from_be_bytes(*pieces[0].first_chunk().unwrap()))
            .collect();
        assert_eq!(bases, [6, 9], "whole batches, from the one with the offset on");
        assert_eq!(partition.batches(0, 1).len(), 2, "one at least");
        assert_eq!(partition.take(&Bytes::from_static(b"short")), None);
    }
}
