//! State files: reading one, beginning one, appending to one.
//!
//! Must always hold: a file has its final name only when its checkpoint is durable, and the file
//! before it is removed only after that.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{self, FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader};
use super::group::Misfit;
use super::record::{GroupKey, StateRecord};
use super::store::{Result, StateError, io_error};
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

/// Reads the state file at `path` and hands every record to `apply`; returns where a frame began
/// that isn't whole, if there is one.
///
/// # Errors
/// [`StateError::Damaged`] but for a bad frame at the very end, which is what a power cut leaves.
pub(super) fn read(
    disk: &dyn Disk,
    path: &Path,
    number: u64,
    mut apply: impl FnMut(&GroupKey, &StateRecord) -> std::result::Result<(), Misfit>,
) -> Result<Option<u64>> {
    let bytes = read_written(disk, path)?;
    let damaged = |position: usize, what| StateError::Damaged {
        path: path.to_owned(),
        position: position as u64,
        what,
    };
    let header = FileHeader::from_bytes(&bytes).map_err(|what| damaged(0, what))?;
    if header.number != number {
        return Err(damaged(16, "the file's number is not that of its name"));
    }
    let (mut position, mut sequence) = (FILE_HEADER_BYTES, 0);
    while let Some(payload) = frame::decode(header.salt, sequence + 1, &bytes[position..]) {
        let mut rest = payload;
        while !rest.is_empty() {
            let (key, record) = StateRecord::decode(&mut rest)
                .map_err(|_| damaged(position, "a record that this version doesn't have"))?;
            apply(&key, &record).map_err(|Misfit(what)| damaged(position, what))?;
        }
        sequence += 1;
        position += FRAME_HEADER_BYTES + payload.len();
    }
    if sequence < header.checkpoint_frames.into() {
        return Err(damaged(position, "a bad frame within the checkpoint"));
    }
    if frame::any_later(header.salt, sequence, &bytes[position..]) {
        return Err(damaged(position, "a bad frame before a good one"));
    }
    let torn = bytes[position..].iter().any(|&byte| byte != 0);
    Ok(torn.then_some(position as u64))
}

/// Bytes that are read at once. No record holds so many zeros, so a piece of nothing else lies in
/// the reserve, where nothing was written yet.
const PIECE_BYTES: usize = 256 << 10;

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

impl Place<'_> {
    /// Makes a file that begins with `checkpoint`, durable with its name.
    pub(super) fn begin(&self, number: u64, salt: u32, checkpoint: &[Vec<u8>]) -> Result<Writer> {
        let unfinished = self.dir.join(UNFINISHED);
        let file = self.disk.create(&unfinished).map_err(io_error("create", &unfinished))?;
        let made = self.fill(file, number, salt, checkpoint);
        if made.is_err() {
            // What can't be removed now is removed at the next start.
            self.disk.remove(&unfinished).unwrap_or(());
        }
        let mut writer = made?;
        let path = self.dir.join(format!("{PREFIX}{number:020}"));
        self.disk.rename(&unfinished, &path).map_err(io_error("rename", &path))?;
        self.disk.sync_dir(self.dir).map_err(io_error("flush", self.dir))?;
        writer.path = path;
        Ok(writer)
    }

    fn fill(
        &self,
        file: Arc<dyn DiskFile>,
        number: u64,
        salt: u32,
        checkpoint: &[Vec<u8>],
    ) -> Result<Writer> {
        let path = self.dir.join(UNFINISHED);
        let bytes: usize =
            checkpoint.iter().map(|payload| FRAME_HEADER_BYTES + payload.len()).sum();
        let reserved = (FILE_HEADER_BYTES + bytes) as u64 + self.reserve_bytes;
        file.reserve(reserved).map_err(io_error("reserve", &path))?;
        let checkpoint_frames = u32::try_from(checkpoint.len()).expect("a frame is a megabyte");
        let header = FileHeader { number, salt, checkpoint_frames };
        file.write_at(0, &[&header.to_bytes()]).map_err(io_error("write", &path))?;
        let position = FILE_HEADER_BYTES as u64;
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
