//! The step in which a new segment takes the place of those that it was made from.
//!
//! Must always hold: the new file is durable before the manifest names it, and the old files go
//! only after that is durable; whoever holds one of them reads on in it.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::{Log, LogView, Segment};
use crate::error::StorageError;
use crate::files::FileKey;
use crate::state::{CleanedSegments, GroupState, Sealed, SegmentEntry, StateRecord};

/// A file that goes when it is dropped, unless it became part of the log.
#[derive(Debug)]
pub(super) struct NewFile {
    pub(super) view: Arc<LogView>,
    pub(super) path: PathBuf,
    key: FileKey,
    is_kept: bool,
}

impl NewFile {
    pub(super) fn new(view: &Arc<LogView>, path: PathBuf, key: FileKey) -> Self {
        Self { view: Arc::clone(view), path, key, is_kept: false }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        // The name of a log that was deleted may be another life's.
        if let Some(_there) = self.view.deletion.hold_off() {
            let index = self.path.with_extension("index");
            for path in [&self.path, &index] {
                // What stays is garbage, and goes at the next start.
                self.view.shared.disk.remove(path).unwrap_or(());
            }
            self.view.shared.files.forget(self.key);
        }
    }
}

/// A new segment that isn't part of the log yet.
#[derive(Debug)]
pub(in crate::log) struct NewSegment {
    pub(super) file: NewFile,
    pub(super) segment: Arc<Segment>,
    /// In whose place it is to stand, oldest first.
    pub(super) replaced: Vec<Arc<Segment>>,
}

/// What a cleaning, or a repair, has made and the log's owner is to take over. Dropped, it leaves
/// nothing.
#[derive(Debug)]
pub struct Cleaned {
    /// `None` where nothing was to be changed.
    pub(in crate::log) new: Option<NewSegment>,
    /// Up to where the log is clean from then on, exclusive, with the last one.
    pub(in crate::log) clean_offset: Option<i64>,
}

impl Cleaned {
    /// Bytes of the new file.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.new.as_ref().map_or(0, |new| new.segment.log_bytes().into())
    }

    /// Bytes of those that it replaces.
    #[must_use]
    pub fn replaced_bytes(&self) -> u64 {
        let bytes = |new: &NewSegment| new.replaced.iter().map(|s| u64::from(s.log_bytes())).sum();
        self.new.as_ref().map_or(0, bytes)
    }
}

impl Log {
    /// Puts a new segment in the place of those that it was made from; durable when it returns.
    /// Waits for the device. Returns whether it did: not where one of them was cut, deleted or
    /// replaced meanwhile. Readers keep what they hold.
    ///
    /// # Errors
    /// [`StorageError::FlushUnderWay`]; any other takes the directory out of service.
    pub fn swap(&mut self, cleaned: Cleaned) -> Result<bool, StorageError> {
        self.check_at_rest()?;
        let Cleaned { new, clean_offset } = cleaned;
        let clean = clean_offset.map(|offset| StateRecord::CleanOffset { offset });
        let Some(NewSegment { mut file, segment, replaced }) = new else {
            let records: Vec<_> = clean.into_iter().map(|it| self.record(it)).collect();
            if !records.is_empty() {
                self.view.shared.commit(&records)?;
            }
            return Ok(true);
        };
        let segments = self.view.segments();
        let Some((first, behind)) = self.place_of(&segments, &replaced) else { return Ok(false) };
        let end = segment.end();
        let cleaned = CleanedSegments {
            base_offset: segment.base_offset,
            end_offset: end.offset,
            generation: segment.generation,
            sealed: Sealed { length: end.position, max_timestamp: segment.max_timestamp() },
        };
        let records = std::iter::once(StateRecord::Cleaned(cleaned)).chain(clean);
        let records: Vec<_> = records.map(|record| self.record(record)).collect();
        self.view.shared.commit(&records)?;
        file.is_kept = true;
        let mut list = segments.to_vec();
        list.splice(first..behind, [segment]);
        self.view.set_segments(list);
        replaced.iter().for_each(|old| self.drop_files(old));
        self.remember_anew();
        Ok(true)
    }

    /// Where the segments that are to be replaced lie in the list, if they all do, something lies
    /// behind them, and the manifest names them as they are.
    fn place_of(
        &self,
        segments: &[Arc<Segment>],
        replaced: &[Arc<Segment>],
    ) -> Option<(usize, usize)> {
        let first = replaced.first()?;
        let at = segments.iter().position(|it| Arc::ptr_eq(it, first))?;
        let behind = at + replaced.len();
        let next = segments.get(behind)?.base_offset;
        let same = segments[at..behind].iter().zip(replaced).all(|(a, b)| Arc::ptr_eq(a, b));
        let is_named = |segment: &Arc<Segment>, entry: &SegmentEntry| {
            (entry.base_offset, entry.generation) == (segment.base_offset, segment.generation)
                && entry.sealed.is_some_and(|sealed| sealed.length == segment.log_bytes())
        };
        let are_named = |group: Option<&GroupState>| {
            let entries = group.map_or(&[][..], |group| &group.segments);
            let at = entries.iter().position(|entry| entry.base_offset == first.base_offset);
            let from = at.map_or(&[][..], |at| &entries[at..]);
            from.get(replaced.len()).is_some_and(|entry| entry.base_offset == next)
                && replaced.iter().zip(from).all(|(segment, entry)| is_named(segment, entry))
        };
        let named = same && self.view.shared.state.group(self.key(), are_named);
        named.then_some((at, behind))
    }
}
