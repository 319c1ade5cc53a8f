//! The index of a segment: loaded, extended, written down; always a step behind the log.
//!
//! The owner of the log notes what it appends where the index ends there. Everybody else brings the
//! index up to the log before relying on it, from its file and then from the segment.
//!
//! Must always hold: the owner waits for no reader; an index that was found wrong is made anew from
//! the segment alone.

use std::path::Path;

use logboom_protocol::records::RawBatch;

use super::locate::Head;
use super::{LogView, Segment};
use crate::directory::Shared;
use crate::disk::ReadAt;
use crate::error::StorageError;
use crate::files::OpenFile;
use crate::index::{self, Index};
use crate::scan::{self, Behind, End, Expected, Place, look_behind};
use crate::segment::{HEADER_BYTES, partition_dir};
use crate::state::{EpochStart, GroupKey};

/// Bytes behind the end of an index over which a lookup walks rather than extend it first.
pub(super) const WALK_BYTES_MAX: u32 = 64 << 10;

/// How often a scan goes on with what was appended meanwhile. Each time there is less.
const CATCH_UP_ROUNDS_MAX: u32 = 8;

/// Bytes of a segment whose scan is worth an index file. Below, a scan costs no more than that.
const WRITTEN_SCAN_BYTES_MIN: u32 = 1 << 20;

impl LogView {
    /// Brings the index of a segment up to its log, but for `walk_bytes`. Waits for the device,
    /// for all of the segment where there is no index file.
    pub(super) fn extend_index(
        &self,
        segment: &Segment,
        file: &OpenFile,
        walk_bytes: u32,
    ) -> Result<(), StorageError> {
        if file.index().reaches(segment.log_bytes(), walk_bytes) {
            return Ok(());
        }
        let _extending = file.extending();
        let end = segment.end();
        let mut index = file.index().clone();
        if index.reaches(end.position, walk_bytes) {
            return Ok(());
        }
        if index.covers() == HEADER_BYTES
            && let Some(mut loaded) = self.read_index(segment, end.position)
        {
            self.scan_into(segment, file, end, &mut loaded)?;
            // Otherwise it is another log's, or something is damaged: the segment will show.
            if loaded.is_whole(end.position) {
                index = loaded;
            }
        }
        self.scan_to_end(segment, file, end, index)
    }

    /// Makes the index of a segment anew from the segment alone.
    pub(super) fn rebuild_index(
        &self,
        segment: &Segment,
        file: &OpenFile,
    ) -> Result<(), StorageError> {
        let _extending = file.extending();
        let index = Index::new(self.shared.options.index_interval_bytes);
        *file.index_mut() = index.clone();
        self.scan_to_end(segment, file, segment.end(), index)
    }

    /// Scans what an index doesn't cover, and makes it the segment's.
    fn scan_to_end(
        &self,
        segment: &Segment,
        file: &OpenFile,
        mut end: Place,
        mut index: Index,
    ) -> Result<(), StorageError> {
        let from = index.covers();
        for round in 1.. {
            self.scan_into(segment, file, end, &mut index)?;
            segment.learn_latest(&index);
            let mut known = file.index_mut();
            let now = segment.end();
            // Where nothing was appended meanwhile, the owner goes on with this one.
            if index.reaches(now.position, 0) || round == CATCH_UP_ROUNDS_MAX {
                if known.covers() <= index.covers() {
                    *known = index.clone();
                }
                break;
            }
            end = now;
        }
        if index.covers() - from >= WRITTEN_SCAN_BYTES_MIN && index.is_whole(index.covers()) {
            write_file(&self.shared, &self.key, segment, &index);
        }
        Ok(())
    }

    /// Notes the batches that an index doesn't cover yet. It goes on behind what is fenced, behind
    /// a damaged batch whose header says where the next one begins, and behind any other damage
    /// where a good batch is found that continues the offsets.
    fn scan_into(
        &self,
        segment: &Segment,
        file: &OpenFile,
        end: Place,
        index: &mut Index,
    ) -> Result<(), StorageError> {
        let (path, epochs) = (segment.path(&self.shared, &self.key), self.epochs());
        let segment_base_offset = segment.base_offset;
        let expected = Expected { epochs: &epochs, gaps: false };
        while index.covers() < end.position {
            let position = index.covers();
            let offset = segment_base_offset + index.covers_offset();
            if let Some(hole) = segment.hole_at(position) {
                index.pass_over(hole.end_position, hole.end_offset - segment_base_offset);
                continue;
            }
            let limit = segment.hole_behind(position).unwrap_or(end.position).min(end.position);
            let start = Place { position, offset };
            let mut note = |position, batch: &RawBatch<'_>| {
                index.note_read(segment_base_offset, position, batch);
            };
            let (place, why) = scan::scan(&*file.file, &path, start, limit, &expected, &mut note)?;
            if why == End::Limit {
                continue;
            }
            let Some(behind) = behind_damage(&*file.file, &path, place, end, &epochs)? else {
                index.block();
                return Ok(());
            };
            index.pass_over_damage(behind.position, behind.offset - segment_base_offset);
        }
        Ok(())
    }

    /// The greatest timestamp of a segment; the least `i64` where it isn't known. May wait for the
    /// device.
    pub(super) fn latest_timestamp(&self, segment: &Segment) -> Result<i64, StorageError> {
        if segment.max_timestamp() == i64::MIN && !segment.is_lost() {
            let file = segment.open(&self.shared, &self.key)?;
            self.extend_index(segment, &file, 0)?;
            segment.learn_latest(&file.index());
        }
        Ok(segment.max_timestamp())
    }

    /// The greatest timestamp of a segment as [`Self::latest_timestamp`], as far as it takes no
    /// waiting.
    pub(super) fn timestamp_at_hand(&self, segment: &Segment) -> i64 {
        if let Some(file) = segment.get_open(&self.shared, &self.key) {
            segment.learn_latest(&file.index());
        }
        segment.max_timestamp()
    }

    /// The index in a file, as far as it may be that of the segment.
    fn read_index(&self, segment: &Segment, log_bytes: u32) -> Option<Index> {
        let path = segment.index_name().path(&partition_dir(&self.shared.root, &self.key));
        let file = self.shared.disk.open(&path).ok()?;
        let length = usize::try_from(file.length().ok()?).ok()?;
        // An entry a batch is the most that an index can have.
        if length > log_bytes as usize {
            return None;
        }
        let mut bytes = vec![0; length];
        let read = file.read_at(0, &mut bytes).ok()?;
        Index::from_bytes(&bytes[..read], log_bytes)
    }
}

/// Where a segment goes on behind a damaged batch: where its header says so, or else where a good
/// batch is found that continues the offsets.
///
/// # Errors
/// What the device says.
pub(super) fn behind_damage(
    file: &dyn ReadAt,
    path: &Path,
    place: Place,
    end: Place,
    epochs: &[EpochStart],
) -> Result<Option<Place>, StorageError> {
    if let Ok(head) = Head::read(file, path, place, end, epochs)? {
        return Ok(Some(head.behind));
    }
    let expected = Expected { epochs, gaps: false };
    Ok(match look_behind(file, path, place, end.position, &expected)? {
        Behind::Batch(behind) => Some(behind),
        Behind::Zeros | Behind::Garbage => None,
    })
}

/// Writes the index of a segment that is appended to no more, if it is at hand and covers all of
/// it. What isn't written or fails is made anew when it is needed.
pub(super) fn write_index(shared: &Shared, key: &GroupKey, segment: &Segment) {
    let Some(file) = segment.get_open(shared, key) else { return };
    let index = file.index();
    if index.is_whole(segment.log_bytes()) {
        write_file(shared, key, segment, &index);
    }
}

fn write_file(shared: &Shared, key: &GroupKey, segment: &Segment, index: &Index) {
    let path = segment.index_name().path(&partition_dir(&shared.root, key));
    index::write(&*shared.disk, &path, &index.to_bytes()).unwrap_or(());
    // Whoever removed the segment meanwhile may have looked for it too early.
    if segment.is_removed() {
        remove_file(shared, &path);
    }
}

fn remove_file(shared: &Shared, path: &Path) {
    shared.disk.remove(path).unwrap_or(());
}
