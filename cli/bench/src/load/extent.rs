//! What consumers are to read, and how far each group has come.
//!
//! It goes by offsets, for counts tell neither: what compaction has removed and the ends of
//! transactions have offsets and are no records, and a member that takes a partition over begins
//! it anew, for nothing is committed.
//!
//! Must always hold: a record counts once for each group; what is behind the ends doesn't count.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Records to read, of all partitions.
#[derive(Debug)]
pub(crate) struct Extent {
    /// By partition, exclusive; `None`: it has no end.
    ends: Option<Vec<i64>>,
    /// So many records of each group are enough.
    enough: u64,
    groups: Box<[Mutex<Progress>]>,
    /// Groups that aren't through.
    left: AtomicUsize,
}

/// How far a group is; every change is whole.
#[derive(Debug, Clone)]
struct Progress {
    /// By partition: all before it has been read.
    next: Vec<i64>,
    records: u64,
    is_through: bool,
}

impl Extent {
    /// - `begins`, `ends`: offsets by partition; without ends there is always more to come.
    /// - `records`: so many of each group are enough.
    pub(crate) fn new(
        begins: &[i64],
        ends: Option<&[i64]>,
        records: Option<u64>,
        groups: usize,
    ) -> Self {
        let begin = Progress { next: begins.to_vec(), records: 0, is_through: false };
        Self {
            ends: ends.map(<[i64]>::to_vec),
            enough: records.unwrap_or(u64::MAX),
            groups: (0..groups).map(|_| Mutex::new(begin.clone())).collect(),
            left: AtomicUsize::new(groups),
        }
    }

    /// A group has been given what a partition has up to `next`, exclusive. Returns the offsets of
    /// those that count: that weren't read before, and lie before the end.
    pub(crate) fn claim(&self, group: usize, partition: usize, next: i64) -> Range<i64> {
        let end = self.ends.as_ref().map_or(i64::MAX, |ends| ends.get(partition).map_or(0, |e| *e));
        let mut progress = self.progress(group);
        if progress.next.len() <= partition {
            progress.next.resize(partition + 1, 0);
        }
        let from = progress.next[partition];
        progress.next[partition] = from.max(next);
        self.look(&mut progress);
        from..next.min(end).max(from)
    }

    /// Records of a group have counted.
    pub(crate) fn count(&self, group: usize, records: u64) {
        let mut progress = self.progress(group);
        progress.records += records;
        self.look(&mut progress);
    }

    /// Whether all groups are through.
    pub(crate) fn is_read(&self) -> bool {
        self.left.load(Ordering::Acquire) == 0
    }

    fn look(&self, progress: &mut Progress) {
        let is_at_end =
            |ends: &Vec<i64>| ends.iter().zip(&progress.next).all(|(end, at)| at >= end);
        let is_enough = progress.records >= self.enough;
        if !progress.is_through && (is_enough || self.ends.as_ref().is_some_and(is_at_end)) {
            progress.is_through = true;
            self.left.fetch_sub(1, Ordering::Release);
        }
    }

    fn progress(&self, group: usize) -> MutexGuard<'_, Progress> {
        self.groups[group].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_group_reads_again_counts_once_and_for_each_group() {
        let extent = Extent::new(&[5, 0], None, None, 2);
        assert_eq!(extent.claim(0, 0, 10), 5..10);
        assert!(extent.claim(0, 0, 8).is_empty(), "another member begins anew");
        assert_eq!(extent.claim(0, 0, 12), 10..12);
        assert_eq!(extent.claim(1, 0, 12), 5..12);
        assert_eq!(extent.claim(0, 3, 2), 0..2, "a partition that was added");
        assert!(!extent.is_read(), "there is always more to come");
    }

    #[test]
    fn all_is_read_when_each_group_is_at_the_ends_however_few_records_there_were() {
        let extent = Extent::new(&[0, 7, 0], Some(&[10, 7, 3]), None, 2);
        assert_eq!(extent.claim(0, 0, 20), 0..10, "what came later isn't meant");
        extent.claim(0, 2, 3);
        assert!(!extent.is_read());
        extent.claim(1, 0, 10);
        assert!(!extent.is_read());
        extent.claim(1, 2, 3);
        assert!(extent.is_read());
        extent.claim(1, 2, 4);
        assert!(extent.is_read());
    }

    #[test]
    fn so_many_records_of_each_group_are_enough() {
        let extent = Extent::new(&[0], Some(&[100]), Some(10), 2);
        extent.count(0, 20);
        assert!(!extent.is_read(), "the other one hasn't read any");
        extent.count(1, 9);
        assert!(!extent.is_read());
        extent.count(1, 1);
        assert!(extent.is_read());
    }
}
