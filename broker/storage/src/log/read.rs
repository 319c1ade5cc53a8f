//! Reading: from the map what is hot, from the device what is not.
//!
//! Must always hold: a slice of a map lies below the end of what never changes again, and its
//! checksums were seen to be right by this process. Anything else is read into memory, checked,
//! and only then handed out. [`LogView::read`] never waits for the device: what isn't open,
//! indexed, verified and in memory is a [`ColdRead`], and so is everything that looks wrong.

use std::sync::Arc;

use bytes::Bytes;

use logboom_protocol::records::RawBatches;

use super::indexing::WALK_BYTES_MAX;
use super::locate::{FromDevice, Head, InMemory, Later, Looker, Lookup};
use super::{LogView, Segment};
use crate::error::{Damage, StorageError};
use crate::scan::{self, Expected};
use crate::segment::HEADER_BYTES;

/// Up to where a reader may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadUntil {
    /// Consumers.
    HighWatermark,
    /// Replicas.
    End,
}

/// What a read found.
#[derive(Debug)]
pub enum Found {
    /// Nothing: the offset is the end of what may be read.
    Nothing,
    /// Whole batches, at hand. The first may begin below the offset that was asked for.
    Batches(Bytes),
    /// Whole batches that have to be read from the device; not on a thread that others wait for.
    Cold(ColdRead),
}

/// A read that may have to wait for the device.
#[derive(Debug)]
pub struct ColdRead {
    view: Arc<LogView>,
    wanted: Wanted,
}

/// What a read asks for.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    offset: i64,
    bytes_max: u32,
    until: ReadUntil,
    /// Where `until` is at the moment, exclusive.
    end_offset: i64,
    /// Whether batches without records are passed over as long as nothing else was found.
    skips_empty: bool,
}

/// Whole batches in the file of a segment.
#[derive(Debug, Clone, Copy)]
struct Range {
    first: Head,
    /// Exclusive.
    end: u32,
}

/// Bytes between the places whose presence in the page cache is asked for.
const PROBE_BYTES: u32 = 512 << 10;

impl LogView {
    /// Finds the batches from the one that holds `offset` on, up to about `bytes_max`, within one
    /// segment. The first batch is found whole whatever its size. Never waits for the device.
    ///
    /// Where the records at `offset` are gone (compaction), the next ones are found: a consumer's
    /// first batch has records, unless there are none up to the high watermark.
    ///
    /// # Errors
    /// [`StorageError::OutOfRange`]. Damage shows in [`ColdRead::run`].
    pub fn read(
        self: &Arc<Self>,
        offset: i64,
        bytes_max: u32,
        until: ReadUntil,
    ) -> Result<Found, StorageError> {
        let wanted = self.wanted(offset, bytes_max, until)?;
        if offset == wanted.end_offset {
            return Ok(Found::Nothing);
        }
        let segments = self.segments();
        let hot = segment_of(&segments, offset).map(|segment| self.lend(segment, &wanted));
        Ok(match hot {
            Some(Ok(bytes)) => Found::Batches(bytes),
            Some(Err(Later)) => Found::Cold(ColdRead { view: Arc::clone(self), wanted }),
            None => Found::Nothing,
        })
    }

    /// As [`Self::read`], for a thread that may wait in any case: nothing is looked for yet, and no
    /// page of a map is touched.
    ///
    /// # Errors
    /// [`StorageError::OutOfRange`].
    pub fn read_later(
        self: &Arc<Self>,
        offset: i64,
        bytes_max: u32,
        until: ReadUntil,
    ) -> Result<ColdRead, StorageError> {
        let wanted = self.wanted(offset, bytes_max, until)?;
        Ok(ColdRead { view: Arc::clone(self), wanted })
    }

    /// Checks an offset against what is kept at this moment.
    fn wanted(
        &self,
        offset: i64,
        bytes_max: u32,
        until: ReadUntil,
    ) -> Result<Wanted, StorageError> {
        self.check_there()?;
        let end_offset = match until {
            ReadUntil::HighWatermark => self.high_watermark(),
            ReadUntil::End => self.end_offset(),
        };
        let log_start_offset = self.log_start_offset();
        if offset < log_start_offset || offset > end_offset {
            return Err(StorageError::OutOfRange { offset, log_start_offset, end_offset });
        }
        // A replica takes everything.
        let skips_empty = until == ReadUntil::HighWatermark;
        Ok(Wanted { offset, bytes_max, until, end_offset, skips_empty })
    }

    /// A slice of the map, if that takes no waiting.
    fn lend(&self, segment: &Segment, wanted: &Wanted) -> Result<Bytes, Later> {
        let file = segment.get_open(&self.shared, &self.key).ok_or(Later)?;
        let lookup = Lookup::new(self, segment, &file);
        if !file.index().reaches(lookup.end.position, WALK_BYTES_MAX) {
            return Err(Later);
        }
        let range = lookup.range(wanted, &InMemory)?.ok_or(Later)?;
        if !lookup.is_in_memory(&range) {
            return Err(Later);
        }
        file.stable(range.first.at.position, range.end).map_err(|_| Later)
    }

    /// Does `work` with the segments of the view, and again where it failed while the owner changed
    /// them: a segment that is no longer named may be gone, and what replaced it is another.
    pub(super) fn with_segments<T>(
        &self,
        mut work: impl FnMut(&[Arc<Segment>]) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        loop {
            let segments = self.segments();
            match work(&segments) {
                Err(StorageError::Corrupt(_)) if !Arc::ptr_eq(&segments, &self.segments()) => {}
                // A deletion takes all files at once, and the list stays.
                Err(error) => return Err(self.check_there().err().unwrap_or(error)),
                found => return found,
            }
        }
    }

    /// Where the batch that holds `offset` begins, its base offset, and the greatest timestamp of
    /// the segment.
    pub(super) fn batch_at(
        &self,
        segment: &Segment,
        offset: i64,
    ) -> Result<Option<(u32, i64, i64)>, StorageError> {
        let latest = self.latest_timestamp(segment)?;
        let file = segment.open(&self.shared, &self.key)?;
        let found = Lookup::new(self, segment, &file).locate(offset, &FromDevice)?;
        Ok(found.map(|batch| (batch.at.position, batch.at.offset, latest)))
    }
}

/// The segment that holds `offset`, or the first one behind it.
fn segment_of(segments: &[Arc<Segment>], offset: i64) -> Option<&Arc<Segment>> {
    let at = segments.partition_point(|segment| segment.base_offset <= offset);
    let mut from = segments[at.saturating_sub(1)..].iter();
    from.find(|segment| segment.end_offset() > offset)
}

impl Lookup<'_> {
    /// The batches of this segment that are wanted; none where the offset lies behind it, or the
    /// first batch behind it is not to be read yet.
    fn range<L: Looker>(&self, wanted: &Wanted, looker: &L) -> Result<Option<Range>, L::Refusal> {
        let first = self.locate(wanted.offset, looker)?;
        let Some(mut first) = first.filter(|first| first.at.offset < wanted.end_offset) else {
            return Ok(None);
        };
        while wanted.skips_empty && first.is_empty {
            let next = self.locate(first.behind.offset, looker)?;
            let Some(next) = next.filter(|next| next.at.offset < wanted.end_offset) else {
                return Ok(None);
            };
            first = next;
        }
        let behind = self.segment.holes().into_iter().find(|h| h.position > first.at.position);
        let limit = self.end.position;
        let stop = match behind {
            // A read doesn't reach into a damaged part.
            Some(hole) if hole.offset <= wanted.end_offset => hole.position,
            _ if self.end.offset > wanted.end_offset => {
                let behind = self.locate(wanted.end_offset, looker)?;
                behind.map_or(limit, |batch| batch.at.position)
            }
            _ => limit,
        };
        let about = first.at.position.saturating_add(wanted.bytes_max);
        let end = if about < stop { self.boundary(about, looker)? } else { stop };
        Ok(Some(Range { first, end: end.max(first.behind.position) }))
    }

    /// Where a batch begins, at or before `position`, as the index knows it.
    fn boundary<L: Looker>(&self, position: u32, looker: &L) -> Result<u32, L::Refusal> {
        let floor = || self.file.index().floor_position(position);
        let mut entry = floor();
        if let Some(found) = entry
            && self.file.index().is_hearsay(&found)
            && !self.confirms(&found, looker)?
        {
            looker.mend(self, true)?;
            entry = floor();
        }
        Ok(entry.map_or(HEADER_BYTES, |entry| entry.position))
    }

    /// Whether the bytes can be lent from the map: checked, and in memory.
    fn is_in_memory(&self, range: &Range) -> bool {
        let start = range.first.at.position;
        // Where the file system can't tell, it is one that lives in memory. The start was looked at
        // just now.
        let is_cached = |at: u32| self.file.file.is_cached(at.into()) != Some(false);
        let mut probes = (start..range.end).step_by(PROBE_BYTES as usize).skip(1);
        self.segment.is_verified(start, range.end)
            && probes.all(is_cached)
            && is_cached(range.end - 1)
    }

    /// Reads batches from the device and checks every one; what is good before a bad one is
    /// returned.
    fn read_checked(&self, range: &Range) -> Result<Bytes, StorageError> {
        let start = range.first.at.position;
        let mut bytes = vec![0; (range.end - start) as usize];
        let read = self.file.file.read_at(start.into(), &mut bytes);
        let read = read.map_err(|source| self.unreadable(source))?;
        bytes.truncate(read);
        let expected = Expected { epochs: &self.epochs, gaps: false };
        let (mut good, mut offset, mut damage) = (0, range.first.at.offset, None);
        for batch in RawBatches::new(&bytes) {
            let checked = batch
                .map_err(Damage::Batch)
                .and_then(|batch| scan::check_batch(&batch, offset, &expected).map(|()| batch));
            match checked {
                Ok(batch) => {
                    let header = batch.header();
                    offset = header.base_offset + i64::from(header.last_offset_delta) + 1;
                    good += batch.bytes().len();
                }
                Err(what) => {
                    damage = Some(what);
                    break;
                }
            }
        }
        if good > 0 {
            self.segment.mark_verified(start, start + u32::try_from(good).unwrap_or(0));
            bytes.truncate(good);
            return Ok(bytes.into());
        }
        let (expected, present) = ((range.end - start).into(), read as u64);
        Err(self.corrupt(start, damage.unwrap_or(Damage::Short { expected, present })))
    }
}

impl ColdRead {
    /// Reads the batches from the device and checks every one. Nothing is found where the log was
    /// cut meanwhile at the offset that was asked for.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] with the place of the first batch that is not what was appended,
    /// if it is the first of all; what is good before a bad one is returned.
    /// [`StorageError::OutOfRange`] where the offset has been deleted or cut off meanwhile.
    pub fn run(self) -> Result<Bytes, StorageError> {
        let Wanted { offset, bytes_max, until, .. } = self.wanted;
        self.view.with_segments(|segments| {
            let wanted = self.view.wanted(offset, bytes_max, until)?;
            if let Some(bytes) = self.read_first(segments, &wanted)? {
                return Ok(bytes);
            }
            // Nothing but empty batches: they lead to the end of what may be read.
            let any = Wanted { skips_empty: false, ..wanted };
            let found = if wanted.skips_empty { self.read_first(segments, &any)? } else { None };
            Ok(found.unwrap_or_default())
        })
    }

    /// The first of what is wanted in any segment.
    fn read_first(
        &self,
        segments: &[Arc<Segment>],
        wanted: &Wanted,
    ) -> Result<Option<Bytes>, StorageError> {
        let offset = wanted.offset;
        let at = segments.partition_point(|segment| segment.base_offset <= offset);
        for segment in &segments[at.saturating_sub(1)..] {
            if offset >= wanted.end_offset || segment.base_offset >= wanted.end_offset {
                break;
            }
            if segment.end_offset() > offset
                && let Some(bytes) = self
                    .read_segment(segment, wanted)
                    .inspect_err(|error| self.suspect(segment, error))?
            {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// Has somebody look closely where a read has failed. What was removed meanwhile isn't damaged.
    fn suspect(&self, segment: &Segment, error: &StorageError) {
        let is_damage = matches!(error, StorageError::Corrupt(_) | StorageError::Io { .. });
        if is_damage && !segment.is_removed() {
            self.view.shared.suspect(self.view.key, segment.base_offset);
        }
    }

    fn read_segment(
        &self,
        segment: &Segment,
        wanted: &Wanted,
    ) -> Result<Option<Bytes>, StorageError> {
        let file = segment.open(&self.view.shared, &self.view.key)?;
        self.view.extend_index(segment, &file, WALK_BYTES_MAX)?;
        let lookup = Lookup::new(&self.view, segment, &file);
        let range = match lookup.range(wanted, &FromDevice) {
            // What is damaged may lie on the walk there. An index leads past it.
            Err(StorageError::Corrupt(_)) if !file.index().reaches(lookup.end.position, 0) => {
                self.view.extend_index(segment, &file, 0)?;
                lookup.range(wanted, &FromDevice)?
            }
            found => found?,
        };
        range.map(|range| lookup.read_checked(&range)).transpose()
    }
}
