//! Where a batch lies in a segment: from the index's entry on, header by header.
//!
//! Must always hold: what a header says is looked at in its relation to the batch before it, before
//! anything is done with it; a length that leads out of the log is damage, and nothing is allocated
//! for it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use logboom_protocol::records::{BatchHeader, RawBatches, crc32c, layout};

use super::{LogView, Segment};
use crate::disk::{DiskFile, ReadAt};
use crate::error::{Damage, Doing as _, StorageError};
use crate::files::OpenFile;
use crate::index::{IndexEntry, PREFIX_BYTES, prefix_crc};
use crate::scan::{self, Expected, LENGTH_OVERHEAD, Place};
use crate::segment::HEADER_BYTES;
use crate::state::EpochStart;

/// The header of a batch that fits in behind the one before it. Its checksum was not looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// Where the batch begins.
    pub(super) at: Place,
    /// Where the next one does.
    pub(super) behind: Place,
    /// Whether it has no records, by its checksum: compaction has left it to stand for offsets.
    pub(super) is_empty: bool,
}

impl Head {
    /// The header at a place, or what is wrong with it there.
    ///
    /// - `end`: where the segment's log ends.
    ///
    /// # Errors
    /// What the device says.
    pub(super) fn read(
        file: &dyn ReadAt,
        path: &Path,
        at: Place,
        end: Place,
        epochs: &[EpochStart],
    ) -> Result<Result<Self, Damage>, StorageError> {
        let mut head = [0; layout::HEADER_BYTES];
        let read = file.read_at(at.position.into(), &mut head).doing("read", path)?;
        Ok(Self::check(&head[..read], at, end, epochs))
    }

    fn check(bytes: &[u8], at: Place, end: Place, epochs: &[EpochStart]) -> Result<Self, Damage> {
        const NONE: Damage = Damage::Header("no batch where one was appended");
        let Some(bytes) = bytes.first_chunk::<{ layout::HEADER_BYTES }>() else {
            return Err(NONE);
        };
        let header = BatchHeader::from_bytes(bytes);
        let relation = |field, expected, found| Damage::Relation { field, expected, found };
        if header.base_offset != at.offset {
            return Err(relation("base offset", at.offset, header.base_offset));
        }
        if let Some(epoch) = scan::epoch_at(epochs, at.offset)
            && header.leader_epoch != epoch
        {
            return Err(relation("leader epoch", epoch.into(), header.leader_epoch.into()));
        }
        let size = u32::try_from(header.length).ok();
        let size = size.and_then(|length| length.checked_add(LENGTH_OVERHEAD));
        let left = end.position.saturating_sub(at.position);
        let fits = |size: &u32| (layout::HEADER_BYTES..=left as usize).contains(&(*size as usize));
        let (Some(size), layout::MAGIC) = (size.filter(fits), header.magic) else {
            return Err(NONE);
        };
        let last_offset = at.offset.saturating_add(header.last_offset_delta.into());
        if header.last_offset_delta < 0 || last_offset >= end.offset {
            return Err(relation("last offset", end.offset - 1, last_offset));
        }
        let behind = Place { position: at.position + size, offset: last_offset + 1 };
        // It ends with its header, so that all of it is at hand.
        let is_empty = header.record_count == 0
            && size as usize == layout::HEADER_BYTES
            && crc32c(&[&bytes[layout::ATTRIBUTES_AT..]]) == header.crc;
        Ok(Self { at, behind, is_empty })
    }
}

/// Who looks, and what it does about what isn't at hand.
pub(super) trait Looker {
    /// Why it gives up.
    type Refusal: From<StorageError>;

    /// Whether the batches at `position` may be looked at.
    fn may_read(&self, lookup: &Lookup<'_>, position: u32) -> Result<(), Self::Refusal>;

    /// An entry is not what is in the segment: one that came from a file is wrong, for any other
    /// the segment has changed.
    fn mend(&self, lookup: &Lookup<'_>, is_hearsay: bool) -> Result<(), Self::Refusal>;
}

/// Never waits for the device, and leaves everything unusual to the other.
pub(super) struct InMemory;

/// Refused: the look is to be done again where waiting is allowed, and there the reason shows.
pub(super) struct Later;

impl From<StorageError> for Later {
    fn from(_: StorageError) -> Self {
        Self
    }
}

impl Looker for InMemory {
    type Refusal = Later;

    fn may_read(&self, lookup: &Lookup<'_>, position: u32) -> Result<(), Later> {
        let verified = lookup.segment.is_verified(position, position.saturating_add(1));
        // Where the file system can't tell, it is one that lives in memory.
        let at_hand = verified && lookup.file.file.is_cached(position.into()) != Some(false);
        if at_hand { Ok(()) } else { Err(Later) }
    }

    fn mend(&self, _: &Lookup<'_>, _: bool) -> Result<(), Later> {
        Err(Later)
    }
}

/// Waits for the device as long as it takes.
pub(super) struct FromDevice;

impl Looker for FromDevice {
    type Refusal = StorageError;

    fn may_read(&self, _: &Lookup<'_>, _: u32) -> Result<(), StorageError> {
        Ok(())
    }

    fn mend(&self, lookup: &Lookup<'_>, is_hearsay: bool) -> Result<(), StorageError> {
        if !is_hearsay {
            return Ok(());
        }
        lookup.view.rebuild_index(lookup.segment, lookup.file)
    }
}

/// A look into one segment.
pub(super) struct Lookup<'a> {
    pub(super) view: &'a LogView,
    pub(super) segment: &'a Segment,
    pub(super) file: &'a OpenFile,
    /// Where its log ended when the look began; the owner may append meanwhile.
    pub(super) end: Place,
    pub(super) epochs: Arc<[EpochStart]>,
}

/// Where a walk ended.
enum Walked {
    /// At the batch that holds the offset.
    At(Head),
    /// At the end: the offset lies behind.
    Behind,
    /// At its first step: the entry is not what is in the segment.
    Differs,
}

/// Bytes that a walk reads at once, from its second batch on.
const PIECE_BYTES: usize = 4096;

impl<'a> Lookup<'a> {
    pub(super) fn new(view: &'a LogView, segment: &'a Segment, file: &'a OpenFile) -> Self {
        Self { view, segment, file, end: segment.end(), epochs: view.epochs() }
    }

    /// The batch that holds `offset`; `None` where it lies behind the end.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] where something on the way there is damaged or fenced.
    pub(super) fn locate<L: Looker>(
        &self,
        offset: i64,
        looker: &L,
    ) -> Result<Option<Head>, L::Refusal> {
        let relative = u32::try_from(offset.saturating_sub(self.segment.base_offset)).unwrap_or(0);
        let mut entry = self.file.index().floor_offset(relative);
        loop {
            match (self.walk(entry, offset, looker)?, entry) {
                (Walked::At(head), _) => return Ok(Some(head)),
                (Walked::Differs, Some(wrong)) => {
                    let is_hearsay = self.file.index().is_hearsay(&wrong);
                    looker.mend(self, is_hearsay)?;
                    let index = self.file.index();
                    entry = if is_hearsay {
                        index.floor_offset(relative)
                    } else {
                        // The walk to it, from one before, says what has changed.
                        index.floor_position(wrong.position - 1)
                    };
                }
                (Walked::Behind | Walked::Differs, _) => return Ok(None),
            }
        }
    }

    /// Whether what is in the segment is what an entry remembers.
    pub(super) fn confirms<L: Looker>(
        &self,
        entry: &IndexEntry,
        looker: &L,
    ) -> Result<bool, L::Refusal> {
        looker.may_read(self, entry.position)?;
        let mut head = [0; PREFIX_BYTES];
        let read = self.file.file.read_at(entry.position.into(), &mut head);
        let read = read.map_err(|source| self.unreadable(source))?;
        Ok(prefix_crc(&head[..read]) == entry.prefix_crc)
    }

    fn place_of(&self, entry: Option<IndexEntry>) -> Place {
        let base = self.segment.base_offset;
        entry.map_or(Place { position: HEADER_BYTES, offset: base }, |entry| Place {
            position: entry.position,
            offset: base + i64::from(entry.relative_offset),
        })
    }

    /// Goes from an entry, or from the first batch, to the batch that holds `offset`.
    fn walk<L: Looker>(
        &self,
        entry: Option<IndexEntry>,
        offset: i64,
        looker: &L,
    ) -> Result<Walked, L::Refusal> {
        let mut at = self.place_of(entry);
        let (mut first, mut before) = (entry, None);
        let mut piece = Piece { bytes: Vec::new(), begins: at.position };
        while at.position < self.end.position {
            if let Some(hole) = self.segment.hole_at(at.position) {
                if offset < hole.end_offset {
                    return Err(self.corrupt(at.position, hole.damage.clone()).into());
                }
                at = Place { position: hole.end_position, offset: hole.end_offset };
                continue;
            }
            if !piece.holds(at.position) {
                looker.may_read(self, at.position)?;
                let read = piece.read(&*self.file.file, at.position, self.end.position);
                read.map_err(|source| self.unreadable(source))?;
            }
            let head = piece.from(at.position);
            let checked = Head::check(head, at, self.end, &self.epochs);
            if let Some(entry) = first.take()
                && prefix_crc(head) != entry.prefix_crc
            {
                return Ok(Walked::Differs);
            }
            let head = match checked {
                Ok(head) => head,
                Err(what) => return Err(self.misled(before, at, what, looker)?.into()),
            };
            if head.behind.offset > offset {
                return Ok(Walked::At(head));
            }
            (at, before) = (head.behind, Some(head));
        }
        if offset >= self.end.offset {
            return Ok(Walked::Behind);
        }
        let (expected, found) = (self.end.offset, at.offset);
        let what = Damage::Relation { field: "end offset", expected, found };
        Err(self.corrupt(at.position, what).into())
    }

    /// What a walk has met that is no batch: damage there, or in the batch that led there.
    fn misled<L: Looker>(
        &self,
        before: Option<Head>,
        at: Place,
        what: Damage,
        looker: &L,
    ) -> Result<StorageError, L::Refusal> {
        let Some(before) = before.filter(|before| before.behind == at) else {
            return Ok(self.corrupt(at.position, what));
        };
        looker.may_read(self, before.at.position)?;
        let mut bytes = vec![0; (at.position - before.at.position) as usize];
        let read = self.file.file.read_at(before.at.position.into(), &mut bytes);
        bytes.truncate(read.map_err(|source| self.unreadable(source))?);
        let expected = Expected { epochs: &self.epochs, gaps: false };
        let led = RawBatches::new(&bytes).next().map_or(Ok(()), |batch| {
            let batch = batch.map_err(Damage::Batch)?;
            scan::check_batch(&batch, before.at.offset, &expected)
        });
        Ok(match led {
            Ok(()) => self.corrupt(at.position, what),
            Err(what) => self.corrupt(before.at.position, what),
        })
    }

    /// Damage at `position` of the segment's file.
    pub(super) fn corrupt(&self, position: u32, what: Damage) -> StorageError {
        let path = self.segment.path(&self.view.shared, &self.view.key);
        StorageError::corrupt(&path, position.into(), what)
    }

    /// The device's failure to read the segment's file.
    pub(super) fn unreadable(&self, source: io::Error) -> StorageError {
        let path = self.segment.path(&self.view.shared, &self.view.key);
        StorageError::Io { doing: "read", path, source }
    }
}

/// What a walk has read at once.
struct Piece {
    bytes: Vec<u8>,
    /// Where it begins in the file.
    begins: u32,
}

impl Piece {
    /// Whether the whole header at `position` is in it.
    fn holds(&self, position: u32) -> bool {
        let at = (position - self.begins) as usize;
        at + layout::HEADER_BYTES <= self.bytes.len()
    }

    /// Its bytes from `position` on, if there are any.
    fn from(&self, position: u32) -> &[u8] {
        self.bytes.get((position - self.begins) as usize..).unwrap_or_default()
    }

    /// Reads on at `position`: the first time no more than a header, which is all that is needed
    /// where batches are large.
    fn read(&mut self, file: &dyn DiskFile, position: u32, limit: u32) -> io::Result<()> {
        let bytes = if self.bytes.is_empty() { layout::HEADER_BYTES } else { PIECE_BYTES };
        self.bytes.resize(bytes.min((limit - position) as usize), 0);
        self.begins = position;
        let read = file.read_at(position.into(), &mut self.bytes)?;
        self.bytes.truncate(read);
        Ok(())
    }
}
