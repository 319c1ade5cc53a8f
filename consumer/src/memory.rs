//! What answers hold in memory: each counts whole, once, as long as anything of it waits or is
//! being handed out, because its records are parts of one buffer.
//!
//! **Invariant:** whatever has a part of an answer's buffer has its [`Kept`] as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Bytes of all answers that are kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory(Arc<AtomicUsize>);

impl Memory {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// So many of them more, until the last clone of what is returned is dropped.
    pub(crate) fn keep(&self, bytes: usize) -> Arc<Kept> {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Arc::new(Kept { bytes, memory: self.clone() })
    }
}

/// An answer that stays in memory.
#[derive(Debug)]
pub(crate) struct Kept {
    bytes: usize,
    memory: Memory,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Records of less than this part of an answer are copied, so that a slow partition of a few of
/// them doesn't keep all of it.
const PART_OF_ANSWER_MIN: usize = 16;

/// An answer that partitions may keep.
#[derive(Debug)]
pub(crate) struct Answer {
    memory: Memory,
    whole: Arc<Kept>,
}

impl Answer {
    /// - `bytes`: of all its records.
    pub(crate) fn new(memory: &Memory, bytes: usize) -> Self {
        Self { memory: memory.clone(), whole: memory.keep(bytes) }
    }

    /// The records of a partition, and what they keep.
    pub(crate) fn part(&self, records: Bytes) -> (Bytes, Arc<Kept>) {
        match records.len() < self.whole.bytes / PART_OF_ANSWER_MIN {
            true => (Bytes::copy_from_slice(&records), self.memory.keep(records.len())),
            false => (records, Arc::clone(&self.whole)),
        }
    }
}
