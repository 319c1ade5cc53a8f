//! Looking into a data directory without opening it: for `logboom log verify` and `dump`.
//!
//! Nothing is written, nothing is repaired, and no lock is taken: on a directory in use the last
//! batches may be seen half written.

use std::fmt;
use std::path::{Path, PathBuf};

use logboom_protocol::records::{BatchHeader, RawBatches};

use crate::disk::Disk;
use crate::error::{Corruption, Damage, Doing as _, StorageError};
use crate::log::proven;
use crate::scan::{Behind, End, Expected, Place, look_behind, scan};
use crate::segment::{FileName, HEADER_BYTES, PARTITIONS, SegmentHeader, partition_dir};
use crate::state::{GroupKey, GroupState, Inspected, SegmentEntry, StateError, inspect};

/// What was found in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Report {
    /// A partition's log is whole.
    Whole {
        /// The partition.
        key: GroupKey,
        /// The first offset that is kept, inclusive.
        log_start_offset: i64,
        /// The end of what is good, exclusive.
        end_offset: i64,
        /// Files of the log.
        segments: usize,
        /// Bytes of the log, headers of files included.
        bytes: u64,
    },
    /// Something is damaged.
    Damaged {
        /// The partition.
        key: GroupKey,
        /// Where, and what.
        corruption: Corruption,
        /// The first offset that is affected.
        offset: i64,
    },
    /// The last segment ends in something that is no batch; the next start cuts it.
    TornTail {
        /// The partition.
        key: GroupKey,
        /// Where, and what.
        corruption: Corruption,
        /// The end of what is good, exclusive.
        end_offset: i64,
    },
    /// A file that the manifest doesn't name; the next start may remove it.
    Garbage {
        /// The file.
        path: PathBuf,
    },
    /// The last frame of the state store is not whole.
    DroppedFrame {
        /// The file.
        path: PathBuf,
        /// Where the frame begins.
        position: u64,
    },
}

impl Report {
    /// Whether it means that something which was written can't be served.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole { key, log_start_offset, end_offset, segments, bytes } => write!(
                f,
                "{key}: offsets {log_start_offset}..{end_offset} in {segments} segments, \
                 {bytes} bytes"
            ),
            Self::Damaged { key, corruption, offset } => {
                write!(f, "{key}: damaged from offset {offset} on: {corruption}")
            }
            Self::TornTail { key, corruption, end_offset } => {
                write!(f, "{key}: ends at offset {end_offset}, behind it: {corruption}")
            }
            Self::Garbage { path } => write!(f, "{}: not part of any log", path.display()),
            Self::DroppedFrame { path, position } => {
                write!(f, "{} at byte {position}: the last frame is not whole", path.display())
            }
        }
    }
}

/// Reads everything in the directory at `root` and hands what it finds to `report`.
///
/// # Errors
/// What the system says, or a state store that can't be read.
pub fn verify(
    disk: &dyn Disk,
    root: &Path,
    mut report: impl FnMut(Report),
) -> Result<(), VerifyError> {
    let Inspected { mut groups, dropped } = inspect(disk, &root.join("state"))?;
    if let Some((path, position)) = dropped {
        report(Report::DroppedFrame { path, position });
    }
    groups.sort_by_key(|(key, _)| *key);
    for (key, state) in groups.iter().filter(|(_, state)| !state.removed) {
        let verifier = Verifier { disk, root, key: *key, state };
        verifier.run(&mut report)?;
    }
    for dir in disk.list(&root.join(PARTITIONS)).doing("list", root)? {
        let named = groups.iter().find(|(key, _)| partition_dir(root, key) == dir);
        for path in disk.list(&dir).doing("list", &dir)? {
            let kept = FileName::parse(&path).is_some_and(|name| match name {
                FileName::Segment { base_offset, generation }
                | FileName::Index { base_offset, generation } => named.is_some_and(|(_, state)| {
                    let is = |s: &SegmentEntry| {
                        s.base_offset == base_offset && s.generation == generation
                    };
                    state.segments.iter().any(is)
                }),
                FileName::Producers { .. } => named.is_some(),
            });
            if !kept {
                report(Report::Garbage { path });
            }
        }
    }
    Ok(())
}

/// Why a directory can't be looked into.
#[derive(Debug)]
pub enum VerifyError {
    /// Its state store can't be read.
    State(StateError),
    /// The system failed.
    Storage(StorageError),
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(error) => write!(f, "state store: {error}"),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for VerifyError {}

impl From<StateError> for VerifyError {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl From<StorageError> for VerifyError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

struct Verifier<'a> {
    disk: &'a dyn Disk,
    root: &'a Path,
    key: GroupKey,
    state: &'a GroupState,
}

impl Verifier<'_> {
    fn run(&self, report: &mut impl FnMut(Report)) -> Result<(), StorageError> {
        let segments = &self.state.segments;
        let (mut whole, mut bytes, mut end_offset) = (true, 0, self.state.log_start.offset);
        for (i, entry) in segments.iter().enumerate() {
            let next = segments.get(i + 1).map(|next| next.base_offset);
            let (end, found) = self.segment(entry, next)?;
            whole &= found.is_none();
            bytes += u64::from(end.position);
            end_offset = end.offset;
            found.into_iter().for_each(&mut *report);
        }
        if whole {
            let (key, log_start_offset) = (self.key, self.state.log_start.offset);
            let segments = segments.len();
            report(Report::Whole { key, log_start_offset, end_offset, segments, bytes });
        }
        Ok(())
    }

    /// Reads one segment; returns the end of what is good in it, and what is wrong.
    fn segment(
        &self,
        entry: &SegmentEntry,
        next: Option<i64>,
    ) -> Result<(Place, Option<Report>), StorageError> {
        let (base_offset, generation) = (entry.base_offset, entry.generation);
        let name = FileName::Segment { base_offset, generation };
        let path = name.path(&partition_dir(self.root, &self.key));
        let start = Place { position: HEADER_BYTES, offset: base_offset };
        let damaged = |place: Place, what| {
            let corruption =
                Corruption { path: path.clone(), position: place.position.into(), what };
            let key = self.key;
            Ok((place, Some(Report::Damaged { key, corruption, offset: place.offset })))
        };
        let file = match self.disk.open(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return damaged(start, Damage::Missing);
            }
            other => other.doing("open", &path)?,
        };
        let mut header = [0; HEADER_BYTES as usize];
        file.read_at(0, &mut header).doing("read", &path)?;
        match SegmentHeader::from_bytes(&header) {
            Err(what) => return damaged(start, Damage::Header(what)),
            Ok(found) if found.key != self.key || found.base_offset != base_offset => {
                return damaged(start, Damage::Header("another segment's file"));
            }
            Ok(_) => {}
        }
        let present = u32::try_from(file.length().doing("measure", &path)?).unwrap_or(u32::MAX);
        let limit = entry.sealed.map_or(present, |sealed| sealed.length);
        if limit > present {
            let what = Damage::Short { expected: limit.into(), present: present.into() };
            return damaged(start, what);
        }
        let epochs = &self.state.epochs;
        let expected = Expected { epochs, gaps: false };
        let (end, why) = scan(&*file, &path, start, limit, &expected, &mut |_, _| ())?;
        if entry.sealed.is_some() {
            return match why {
                End::Limit if next.is_none_or(|next| next == end.offset) => Ok((end, None)),
                End::Limit => {
                    let (expected, found) = (next.unwrap_or(end.offset), end.offset);
                    damaged(end, Damage::Relation { field: "end offset", expected, found })
                }
                End::Zeros => damaged(end, Damage::NotWritten),
                End::Damaged(what) => damaged(end, what),
            };
        }
        let proven = proven(self.state);
        let what = match why {
            End::Damaged(what) => what,
            End::Zeros | End::Limit => Damage::NotWritten,
        };
        match look_behind(&*file, &path, end, limit, &expected)? {
            _ if end.offset < proven => damaged(end, what),
            Behind::Batch(_) => damaged(end, what),
            Behind::Zeros => Ok((end, None)),
            Behind::Garbage => {
                let corruption = Corruption { path, position: end.position.into(), what };
                let (key, end_offset) = (self.key, end.offset);
                Ok((end, Some(Report::TornTail { key, corruption, end_offset })))
            }
        }
    }
}

/// A batch in a segment file, for [`dump`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dumped {
    /// Where it begins, bytes from the start of the file.
    pub position: u64,
    /// Its header.
    pub header: BatchHeader,
    /// Whether its checksum and its header are right.
    pub good: bool,
}

/// The batches of the segment file at `path`, one after the other, up to the first thing that is
/// none.
///
/// # Errors
/// What the system says, or a file that is no segment.
pub fn dump(
    disk: &dyn Disk,
    path: &Path,
    mut each: impl FnMut(Dumped),
) -> Result<(), StorageError> {
    let file = disk.open(path).doing("open", path)?;
    let mut header = [0; HEADER_BYTES as usize];
    file.read_at(0, &mut header).doing("read", path)?;
    SegmentHeader::from_bytes(&header)
        .map_err(|what| StorageError::corrupt(path, 0, Damage::Header(what)))?;
    let length = file.length().doing("measure", path)?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length.saturating_sub(header.len())];
    let read = file.read_at(HEADER_BYTES.into(), &mut bytes).doing("read", path)?;
    let mut position = u64::from(HEADER_BYTES);
    for batch in RawBatches::new(&bytes[..read]).map_while(Result::ok) {
        each(Dumped { position, header: *batch.header(), good: batch.check().is_ok() });
        position += batch.bytes().len() as u64;
    }
    Ok(())
}
