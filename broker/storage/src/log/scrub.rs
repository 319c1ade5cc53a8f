//! Looking through sealed segments for damage that nobody has met yet. What is found is fenced.
//!
//! A scrub asks the device, not the page cache, and reads at the pace of its caller. It looks at
//! what is durable and committed: that never changes again, so whatever differs is damage.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use logboom_protocol::records::RawBatch;

use super::{CleanError, Hole, LogView, Pace, Segment};
use crate::disk::ReadAt;
use crate::error::{Corruption, Damage, Doing as _, StorageError};
use crate::scan::{Behind, End, Expected, Place, look_behind, scan};
use crate::segment::{HEADER_BYTES, SegmentHeader};

/// A segment that was looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrubbed {
    /// Where it ends and the next begins, exclusive.
    pub end_offset: i64,
    /// Bytes of the log in it.
    pub bytes: u64,
    /// What is wrong with it, the first damage of all, and its offsets.
    pub damage: Option<(Corruption, Range<i64>)>,
}

/// A file that is read at a pace.
pub(super) struct Paced<'a> {
    file: &'a dyn ReadAt,
    pace: Mutex<&'a mut (dyn Pace + Send)>,
    is_stopped: AtomicBool,
}

impl fmt::Debug for Paced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Paced({:?})", self.file)
    }
}

impl ReadAt for Paced<'_> {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(position, buffer)?;
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if !pace.moved(read) {
            self.is_stopped.store(true, Ordering::Relaxed);
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(read)
    }
}

impl LogView {
    /// The first damaged part that is known: its offsets. What was deleted doesn't count.
    #[must_use]
    pub fn damage(&self) -> Option<Range<i64>> {
        let (segments, start) = (self.segments(), self.log_start_offset());
        let kept = |segment: &Arc<Segment>| {
            segment.holes().into_iter().find(|hole| hole.end_offset > start)
        };
        let hole = segments.iter().find_map(kept)?;
        Some(hole.offset..hole.end_offset)
    }

    /// Whether a part at or behind an offset is known to be damaged.
    #[must_use]
    pub fn is_damaged_from(&self, offset: i64) -> bool {
        let is_behind =
            |segment: &Arc<Segment>| segment.holes().iter().any(|hole| hole.end_offset > offset);
        self.segments().iter().any(is_behind)
    }

    /// Looks through the segment that holds `offset`, or the first one behind it, and fences what
    /// is damaged. `None` where there is no more: the last segment, and what isn't committed, is
    /// not looked at. Waits for the device.
    ///
    /// # Errors
    /// [`CleanError`]; damage is none.
    pub fn scrub(
        &self,
        offset: i64,
        pace: &mut (dyn Pace + Send),
    ) -> Result<Option<Scrubbed>, CleanError> {
        self.scrub_of(&self.settled(), offset, pace)
    }

    /// The same where damage was met, which may lie in what isn't committed: a leader can't send it
    /// to others, so that it never will be.
    ///
    /// # Errors
    /// As [`Self::scrub`].
    pub fn scrub_suspect(
        &self,
        offset: i64,
        pace: &mut (dyn Pace + Send),
    ) -> Result<Option<Scrubbed>, CleanError> {
        self.scrub_of(&self.sealed(i64::MAX), offset, pace)
    }

    fn scrub_of(
        &self,
        segments: &[Arc<Segment>],
        offset: i64,
        pace: &mut (dyn Pace + Send),
    ) -> Result<Option<Scrubbed>, CleanError> {
        let Some(segment) = segments.iter().find(|it| it.end_offset() > offset) else {
            return Ok(None);
        };
        let mut damage = None;
        let holes = if segment.is_damaged() { Vec::new() } else { self.look(segment, pace)? };
        // One that is no part of the log any more may be gone, or cut.
        let is_there = self.segments().iter().any(|it| Arc::ptr_eq(it, segment));
        if let Some(first) = holes.first().filter(|_| is_there) {
            let path = segment.path(&self.shared, &self.key);
            let (position, what) = (first.position.into(), first.damage.clone());
            let corruption = Corruption { path, position, what };
            damage = Some((corruption, first.offset..first.end_offset));
            segment.fence(holes);
            self.shared.suspect(self.key, segment.base_offset);
        }
        let (end_offset, bytes) = (segment.end_offset(), segment.log_bytes().into());
        Ok(Some(Scrubbed { end_offset, bytes, damage }))
    }

    /// The segments that the manifest has as sealed, and that are committed.
    pub(super) fn settled(&self) -> Vec<Arc<Segment>> {
        self.sealed(self.high_watermark())
    }

    /// The segments that the manifest has as sealed, and that end at an offset or before it.
    pub(super) fn sealed(&self, ceiling: i64) -> Vec<Arc<Segment>> {
        let named = self.shared.state.group(&self.key, |group| {
            let last = group.and_then(|group| group.segments.last());
            last.map_or(0, |last| last.base_offset)
        });
        let ceiling = ceiling.min(named);
        let segments = self.segments();
        let sealed = segments.split_last().map_or(&[][..], |(_, sealed)| sealed);
        sealed.iter().filter(|it| it.end_offset() <= ceiling).cloned().collect()
    }

    /// Reads a sealed segment to its end; returns what of it is damaged.
    pub(super) fn look(
        &self,
        segment: &Segment,
        pace: &mut (dyn Pace + Send),
    ) -> Result<Vec<Hole>, CleanError> {
        self.check_there()?;
        let all = |what| Ok(whole(segment, what));
        let path = segment.path(&self.shared, &self.key);
        let file = match self.open_apart(segment, &path)? {
            Ok(file) => file,
            Err(what) => return all(what),
        };
        let mut header = [0; HEADER_BYTES as usize];
        if let Err(error) = file.read_at(0, &mut header) {
            return all(Damage::Unreadable(error.to_string()));
        }
        match SegmentHeader::from_bytes(&header) {
            Ok(header) if (header.key, header.base_offset) == (self.key, segment.base_offset) => {}
            Ok(_) => return all(Damage::Header("another segment's file")),
            Err(what) => return all(Damage::Header(what)),
        }
        let is_stopped = AtomicBool::new(false);
        let paced = Paced { file: &*file, pace: Mutex::new(pace), is_stopped };
        let holes = self.holes_of(segment, &paced, &path)?;
        if paced.is_stopped.into_inner() {
            return Err(CleanError::Stopped);
        }
        Ok(holes)
    }

    /// A segment's file as the device has it, or what is wrong with it. Files that are open for
    /// readers don't make room for it.
    pub(super) fn open_apart(
        &self,
        segment: &Segment,
        path: &Path,
    ) -> Result<Result<Arc<dyn ReadAt>, Damage>, StorageError> {
        let file = match self.shared.disk.open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Err(Damage::Missing)),
            other => other.doing("open", path)?,
        };
        let expected = segment.log_bytes().into();
        let present = file.length().doing("measure", path)?;
        if present < expected {
            return Ok(Err(Damage::Short { expected, present }));
        }
        file.uncached().doing("open", path).map(Ok)
    }

    fn holes_of(
        &self,
        segment: &Segment,
        file: &dyn ReadAt,
        path: &Path,
    ) -> Result<Vec<Hole>, StorageError> {
        let (epochs, end) = (self.epochs(), segment.end());
        let expected = Expected { epochs: &epochs, gaps: false };
        let mut at = Place { position: HEADER_BYTES, offset: segment.base_offset };
        let mut holes = Vec::new();
        while at != end {
            let mut reached = at;
            let mut note = |position: u32, batch: &RawBatch<'_>| {
                let bytes = u32::try_from(batch.bytes().len()).unwrap_or(u32::MAX);
                reached = Place { position: position.saturating_add(bytes), offset: end_of(batch) };
            };
            let (damage, next) = match scan(file, path, at, end.position, &expected, &mut note) {
                Ok((place, End::Limit)) if place == end => break,
                Ok((place, why)) => {
                    reached = place;
                    let damage = match why {
                        End::Damaged(damage) => damage,
                        End::Zeros | End::Limit => Damage::NotWritten,
                    };
                    (damage, look_behind(file, path, place, end.position, &expected))
                }
                Err(StorageError::Io { source, .. }) => {
                    (Damage::Unreadable(source.to_string()), Ok(Behind::Garbage))
                }
                Err(error) => return Err(error),
            };
            let behind = match next {
                Ok(Behind::Batch(behind)) if behind.offset < end.offset => behind,
                // Where the device can't read on, nobody knows what is behind.
                Ok(_) | Err(StorageError::Io { .. }) => end,
                Err(error) => return Err(error),
            };
            holes.push(Hole::between(reached, behind, damage));
            at = behind;
        }
        Ok(holes)
    }
}

/// All of a segment, as one damaged part.
fn whole(segment: &Segment, damage: Damage) -> Vec<Hole> {
    let start = Place { position: HEADER_BYTES, offset: segment.base_offset };
    vec![Hole::between(start, segment.end(), damage)]
}

/// The offset behind a batch.
pub(super) fn end_of(batch: &RawBatch<'_>) -> i64 {
    batch.header().base_offset + i64::from(batch.header().last_offset_delta) + 1
}
