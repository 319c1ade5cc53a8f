//! State files: reading one, beginning one, appending to one.
//!
//! Must always hold:
//! - A file has its final name only when its checkpoint is durable, and the file before it is
//!   removed only when that name is.
//! - The first frame behind the checkpoint is written only then, so a file that has one has a
//!   durable name.
//!
//! # Going on in a file of the life before
//!
//! A start begins a new file where the disk has room for one. Where it hasn't, it goes on in the
//! old one, whose space is reserved. Nothing that was dropped may come back to life then, and what
//! was read may not be in memory alone:
//! - All frames but the last are durable: each was flushed before the next was begun. The last may
//!   have met a failed flush, after which the system shows bytes that it never writes again. So its
//!   bytes are written once more; where they are durable already, that changes nothing.
//! - Behind it lies at most one frame, the one that was being written. It is not whole, or it would
//!   be the last. The room that it can have taken is overwritten with zeros.
//! - Both are flushed before the start goes on. A cut before that leaves the same frames and a tail
//!   that is bad still, or zeros.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{Result, StateError, io_error};
use super::frame::{self, FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader, PAYLOAD_BYTES_MAX};
use super::group::Misfit;
use super::record::{GroupKey, RECORD_BYTES_MAX, StateRecord};
use crate::disk::{Disk, DiskFile};

/// What a file of the directory is to the state store.
pub(super) enum Name {
    /// A state file with its number.
    Whole(u64),
    /// A file that was being made.
    Unfinished,
}

const PREFIX: &str = "state-";
const UNFINISHED: &str = "state.new";

impl Name {
    pub(super) fn parse(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        if name == UNFINISHED {
            return Some(Self::Unfinished);
        }
        name.strip_prefix(PREFIX)?.parse().ok().map(Self::Whole)
    }
}

/// A state file as it was read.
pub(super) struct Found {
    path: PathBuf,
    header: FileHeader,
    /// Its bytes, up to the reserve.
    bytes: Vec<u8>,
    /// Where the checkpoint ends.
    checkpoint_end: usize,
    /// Where the last good frame begins.
    last: usize,
    /// Where it ends.
    end: usize,
    /// Its sequence number.
    sequence: u64,
}

/// Reads the state file at `path` and hands every record to `apply`.
///
/// # Errors
/// [`StateError::Damaged`] but for a bad frame at the very end, which is what a power cut leaves.
pub(super) fn read(
    disk: &dyn Disk,
    path: PathBuf,
    number: u64,
    mut apply: impl FnMut(&GroupKey, &StateRecord) -> std::result::Result<(), Misfit>,
) -> Result<Found> {
    let bytes = read_written(disk, &path)?;
    let damaged = |position: usize, what| StateError::Damaged {
        path: path.clone(),
        position: position as u64,
        what,
    };
    let header = FileHeader::from_bytes(&bytes).map_err(|what| damaged(0, what))?;
    if header.number != number {
        return Err(damaged(16, "the file's number is not that of its name"));
    }
    let (mut last, mut end, mut sequence) = (0, FILE_HEADER_BYTES, 0);
    let mut checkpoint_end = FILE_HEADER_BYTES;
    while let Some(payload) = frame::decode(header.salt, sequence + 1, &bytes[end..]) {
        let mut rest = payload;
        while !rest.is_empty() {
            let (key, record) = StateRecord::decode(&mut rest)
                .map_err(|_| damaged(end, "a record that this version doesn't have"))?;
            apply(&key, &record).map_err(|Misfit(what)| damaged(end, what))?;
        }
        sequence += 1;
        (last, end) = (end, end + FRAME_HEADER_BYTES + payload.len());
        if sequence == header.checkpoint_frames.into() {
            checkpoint_end = end;
        }
    }
    if sequence < header.checkpoint_frames.into() {
        return Err(damaged(end, "a bad frame within the checkpoint"));
    }
    if frame::any_later(header.salt, sequence, &bytes[end..]) {
        return Err(damaged(end, "a bad frame before a good one"));
    }
    Ok(Found { path, header, bytes, checkpoint_end, last, end, sequence })
}

impl Found {
    /// The file, and where in it a frame begins that isn't whole, if there is one.
    pub(super) fn dropped(&self) -> Option<(PathBuf, u64)> {
        let torn = self.bytes[self.end..].iter().any(|&byte| byte != 0);
        torn.then(|| (self.path.clone(), self.end as u64))
    }

    /// Whether a frame was appended to the file since it was made.
    fn has_frame(&self) -> bool {
        self.end > self.checkpoint_end
    }

    /// Goes on behind the last good frame; the module's doc says why that is sound.
    fn go_on(self, place: &Place<'_>) -> Result<Writer> {
        let Self { path, header, bytes, checkpoint_end, last, end, sequence } = self;
        let file = place.disk.open(&path).map_err(io_error("open", &path))?;
        let reserved = file.length().map_err(io_error("measure", &path))?;
        let (position, checkpoint_end) = (end as u64, checkpoint_end as u64);
        let room = usize::try_from(reserved.saturating_sub(position)).unwrap_or(usize::MAX);
        let zeros = vec![0; room.min(FRAME_HEADER_BYTES + PAYLOAD_BYTES_MAX)];
        let parts = [&bytes[last..end], &zeros];
        file.write_at(last as u64, &parts).map_err(io_error("write", &path))?;
        let writer = Writer { file, path, header, position, reserved, sequence, checkpoint_end };
        writer.sync()?;
        place.disk.sync_dir(place.dir).map_err(io_error("flush", place.dir))?;
        Ok(writer)
    }
}

/// Bytes that are read at once. A piece that is nothing but zeros lies in the reserve, where
/// nothing was written yet.
const PIECE_BYTES: usize = 256 << 10;
const _: () = assert!(PIECE_BYTES >= 2 * RECORD_BYTES_MAX, "no record holds so many zeros");

/// The bytes of a state file up to the reserve.
fn read_written(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>> {
    let file = disk.open(path).map_err(io_error("open", path))?;
    let mut bytes = Vec::new();
    loop {
        let start = bytes.len();
        bytes.resize(start + PIECE_BYTES, 0);
        let read = file.read_at(start as u64, &mut bytes[start..]);
        let read = read.map_err(io_error("read", path))?;
        bytes.truncate(start + read);
        if read < PIECE_BYTES || bytes[start..].iter().all(|&byte| byte == 0) {
            return Ok(bytes);
        }
    }
}

/// Where state files are made.
pub(super) struct Place<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) dir: &'a Path,
    /// Bytes to reserve behind the checkpoint.
    pub(super) reserve_bytes: u64,
}

/// What became of a new file.
pub(super) enum Begun {
    /// It is whole, and durable with its name.
    Writer(Writer),
    /// There was no room for it, and nothing has changed.
    NoSpace(StateError),
}

impl Place<'_> {
    /// Makes a file that begins with `checkpoint`.
    ///
    /// # Errors
    /// The system failed. Which file the next start finds isn't known then, so neither may be
    /// written to any more.
    pub(super) fn begin(&self, number: u64, salt: u32, checkpoint: &[Vec<u8>]) -> Result<Begun> {
        let unfinished = self.dir.join(UNFINISHED);
        // One that was never finished.
        self.remove(&unfinished);
        let path = self.dir.join(format!("{PREFIX}{number:020}"));
        let filled = self.fill(&unfinished, number, salt, checkpoint).and_then(|writer| {
            self.disk.rename(&unfinished, &path).map_err(io_error("rename", &path))?;
            Ok(writer)
        });
        let mut writer = match filled {
            Ok(writer) => writer,
            Err(error) => {
                self.remove(&unfinished);
                return if error.is_no_space() { Ok(Begun::NoSpace(error)) } else { Err(error) };
            }
        };
        // From here on a start may find the new file: whatever fails is final.
        self.disk.sync_dir(self.dir).map_err(io_error("flush", self.dir))?;
        writer.path = path;
        Ok(Begun::Writer(writer))
    }

    /// Makes a file that begins with `checkpoint` and takes the place of `found`; goes on in that
    /// one where there is no room for another. Says whether there was.
    ///
    /// - `older`: state files before it, which a life that was killed has left.
    pub(super) fn begin_behind(
        &self,
        found: Found,
        mut older: Vec<PathBuf>,
        salt: u32,
        checkpoint: &[Vec<u8>],
    ) -> Result<(Writer, bool)> {
        if found.has_frame() {
            // Its name is durable. Those before it may take the room that a new one needs.
            older.drain(..).for_each(|path| self.remove(&path));
        }
        match self.begin(found.header.number + 1, salt, checkpoint)? {
            Begun::Writer(writer) => {
                older.iter().chain([&found.path]).for_each(|path| self.remove(path));
                Ok((writer, true))
            }
            // With an older one there, a power cut may bring that one back.
            Begun::NoSpace(_) if older.is_empty() => Ok((found.go_on(self)?, false)),
            Begun::NoSpace(error) => Err(error),
        }
    }

    /// Removes a file that nobody reads any more. Where that fails the next start does it.
    pub(super) fn remove(&self, path: &Path) {
        self.disk.remove(path).unwrap_or(());
    }

    fn fill(&self, path: &Path, number: u64, salt: u32, checkpoint: &[Vec<u8>]) -> Result<Writer> {
        let file = self.disk.create(path).map_err(io_error("create", path))?;
        let bytes: usize =
            checkpoint.iter().map(|payload| FRAME_HEADER_BYTES + payload.len()).sum();
        let reserved = (FILE_HEADER_BYTES + bytes) as u64 + self.reserve_bytes;
        file.reserve(reserved).map_err(io_error("reserve", path))?;
        let checkpoint_frames = u32::try_from(checkpoint.len()).expect("a frame is a megabyte");
        let header = FileHeader { number, salt, checkpoint_frames };
        file.write_at(0, &[&header.to_bytes()]).map_err(io_error("write", path))?;
        let (path, position) = (path.to_owned(), FILE_HEADER_BYTES as u64);
        let mut writer =
            Writer { file, path, header, position, reserved, sequence: 0, checkpoint_end: 0 };
        for payload in checkpoint {
            writer.write(payload)?;
        }
        writer.checkpoint_end = writer.position;
        writer.sync()?;
        Ok(writer)
    }
}

/// The end of a state file, where frames are appended.
#[derive(Debug)]
pub(super) struct Writer {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    header: FileHeader,
    /// Where the next frame goes.
    position: u64,
    /// Bytes that were reserved.
    reserved: u64,
    /// The sequence number of the last frame.
    sequence: u64,
    /// Where the checkpoint ends.
    checkpoint_end: u64,
}

impl Writer {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Number and salt of the file that follows this one.
    pub(super) fn next_file(&self) -> (u64, u32) {
        (self.header.number + 1, self.header.salt.wrapping_add(0x9e37_79b9))
    }

    /// Bytes of the frames behind the checkpoint if `payload` joined them.
    pub(super) fn frame_bytes(&self, payload: &[u8]) -> u64 {
        self.position - self.checkpoint_end + (FRAME_HEADER_BYTES + payload.len()) as u64
    }

    /// Whether the reserve has room for `payload`.
    pub(super) fn fits(&self, payload: &[u8]) -> bool {
        self.position + (FRAME_HEADER_BYTES + payload.len()) as u64 <= self.reserved
    }

    /// Appends a frame and flushes it.
    pub(super) fn append(&mut self, payload: &[u8]) -> Result<()> {
        self.write(payload)?;
        self.sync()
    }

    fn write(&mut self, payload: &[u8]) -> Result<()> {
        let header = frame::encode(self.header.salt, self.sequence + 1, payload);
        let parts = [&header[..], payload];
        self.file.write_at(self.position, &parts).map_err(io_error("write", &self.path))?;
        self.position += (FRAME_HEADER_BYTES + payload.len()) as u64;
        self.sequence += 1;
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.file.sync().map_err(io_error("flush", &self.path))
    }
}
