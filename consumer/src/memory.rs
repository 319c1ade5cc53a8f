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
/// them doesn't keep all of it;
const PART_OF_ANSWER_MIN: usize = 16;
/// unless they are so many bytes: who reads as fast as it can from many partitions copies nothing.
const COPIED_MAX: usize = 64 << 10;

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
        match records.len() < COPIED_MAX.min(self.whole.bytes / PART_OF_ANSWER_MIN) {
            true => (Bytes::copy_from_slice(&records), self.memory.keep(records.len())),
            false => (records, Arc::clone(&self.whole)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_beside_its_answer_is_copied() {
        let records = Bytes::from(vec![0; 2 << 20]);
        for (bytes, whole, is_copied) in [
            (999, 16_000, true),
            (1_000, 16_000, false),
            (COPIED_MAX - 1, 2 << 20, true),
            (COPIED_MAX, 2 << 20, false),
        ] {
            let memory = Memory::default();
            let answer = Answer::new(&memory, whole);
            let (part, kept) = answer.part(records.slice(..bytes));
            assert_eq!(part.as_ptr() != records.as_ptr(), is_copied, "{bytes} of {whole}");
            assert_eq!(memory.bytes(), if is_copied { whole + bytes } else { whole });
            drop(answer);
            assert_eq!(memory.bytes(), if is_copied { bytes } else { whole });
            drop(kept);
            assert_eq!(memory.bytes(), 0);
        }
    }
}
