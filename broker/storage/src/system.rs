//! The real disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Advice, FallocateFlags, FlockOperation, Mode, OFlags, SeekFrom};
use rustix::io::{Errno, ReadWriteFlags};

use crate::disk::{Disk, DiskFile, Map, ReadAt};
use crate::mapped::MappedFile;

/// The file system of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDisk;

/// The most slices that one vectored write takes (`IOV_MAX` of Linux).
const PARTS_MAX: usize = 1024;

impl Disk for SystemDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Arc::new(SystemFile { file }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Arc::new(SystemFile { file }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Box::new(file))
    }
}

#[derive(Debug)]
struct SystemFile {
    file: File,
}

impl ReadAt for SystemFile {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.file.read_at(&mut buffer[read..], position + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(read)
    }
}

impl DiskFile for SystemFile {
    fn write_at(&self, position: u64, parts: &[&[u8]]) -> io::Result<()> {
        let mut position = position;
        for parts in parts.chunks(PARTS_MAX) {
            let mut slices: Vec<IoSlice<'_>> =
                parts.iter().map(|part| IoSlice::new(part)).collect();
            let mut left = &mut slices[..];
            // A first, empty slice would look like a full disk.
            IoSlice::advance_slices(&mut left, 0);
            while !left.is_empty() {
                match rustix::io::pwritev(&self.file, left, position) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => {
                        position += written as u64;
                        IoSlice::advance_slices(&mut left, written);
                    }
                    Err(Errno::INTR) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
        }
        Ok(())
    }

    fn is_cached(&self, position: u64) -> Option<bool> {
        let mut byte = [0];
        let mut slices = [io::IoSliceMut::new(&mut byte)];
        match rustix::io::preadv2(&self.file, &mut slices, position, ReadWriteFlags::NOWAIT) {
            Ok(_) => Some(true),
            Err(Errno::AGAIN) => Some(false),
            Err(_) => None,
        }
    }

    fn set_read_ahead(&self, wanted: bool) {
        let advice = if wanted { Advice::Normal } else { Advice::Random };
        // A hint that isn't taken changes nothing but the time.
        rustix::fs::fadvise(&self.file, 0, None, advice).unwrap_or(());
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        let allocate = || rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, length);
        match rustix::io::retry_on_intr(allocate) {
            // A file system without reservation: the file grows, and a full disk shows later.
            Err(Errno::OPNOTSUPP) if self.length()? < length => self.file.set_len(length),
            Err(Errno::OPNOTSUPP) => Ok(()),
            other => Ok(other?),
        }
    }

    fn sync(&self) -> io::Result<()> {
        // fdatasync: the file's length is data that reading needs, so it is written too.
        self.file.sync_data()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn written(&self) -> io::Result<u64> {
        let (length, mut end) = (self.length()?, 0);
        loop {
            match rustix::fs::seek(&self.file, SeekFrom::Data(end)) {
                Ok(data) => end = rustix::fs::seek(&self.file, SeekFrom::Hole(data))?,
                Err(Errno::NXIO) => return Ok(end.min(length)),
                Err(_) => return Ok(length),
            }
        }
    }

    fn uncached(&self) -> io::Result<Arc<dyn ReadAt>> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let flags = OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(file) => Ok(Arc::new(DirectFile { file: file.into() })),
            // A file system without such reads, or no /proc.
            Err(Errno::INVAL | Errno::NOENT) => {
                Ok(Arc::new(SystemFile { file: self.file.try_clone()? }))
            }
            Err(errno) => Err(errno.into()),
        }
    }

    fn map(&self, length: u64) -> io::Result<Arc<dyn Map>> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        Ok(Arc::new(MappedFile::new(&self.file, length)?))
    }
}

/// A file whose reads go past the page cache.
#[derive(Debug)]
struct DirectFile {
    file: File,
}

/// Positions, lengths and addresses of direct reads are multiples of it; no device asks for more.
const DIRECT_ALIGNMENT: usize = 4096;

impl ReadAt for DirectFile {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let before = usize::try_from(position % DIRECT_ALIGNMENT as u64).unwrap_or(0);
        let wanted = (before + buffer.len()).next_multiple_of(DIRECT_ALIGNMENT);
        let mut room = vec![0; wanted + DIRECT_ALIGNMENT];
        let start = room.as_ptr().align_offset(DIRECT_ALIGNMENT);
        let aligned = &mut room[start..start + wanted];
        let mut read = 0;
        // A read that ends within a block has met the end of the file.
        while read < wanted && read % DIRECT_ALIGNMENT == 0 {
            let from = position - before as u64 + read as u64;
            match self.file.read_at(&mut aligned[read..], from) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let found = &aligned[before.min(read)..read.min(before + buffer.len())];
        buffer[..found.len()].copy_from_slice(found);
        Ok(found.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, Arc<dyn DiskFile>) {
        let dir = tempfile::tempdir().unwrap();
        let file = SystemDisk.create(&dir.path().join("a")).unwrap();
        file.write_at(0, &[bytes]).unwrap();
        (dir, file)
    }

    #[test]
    fn reads_from_the_device_are_those_of_the_file_wherever_they_begin_and_end() {
        let bytes: Vec<u8> = (0..10_000u32).map(|i| (i % 251) as u8).collect();
        let (_dir, file) = file(&bytes);
        let uncached = file.uncached().unwrap();
        for (from, length) in [(0, 10_000), (1, 4095), (4095, 2), (4096, 4096), (9_999, 5), (0, 0)]
        {
            let mut buffer = vec![0; length];
            let read = uncached.read_at(from as u64, &mut buffer).unwrap();
            let expected = &bytes[from..(from + length).min(bytes.len())];
            assert_eq!(&buffer[..read], expected, "{length} bytes from {from}");
        }
        let mut buffer = [0; 10];
        assert_eq!(uncached.read_at(10_000, &mut buffer).unwrap(), 0);
        assert_eq!(uncached.read_at(1 << 40, &mut buffer).unwrap(), 0);
    }

    #[test]
    fn what_was_only_reserved_was_not_written() {
        let (_dir, file) = file(&[7; 5000]);
        file.reserve(1 << 20).unwrap();
        file.sync().unwrap();
        let written = file.written().unwrap();
        // Whole pages, or where the file system doesn't know, all of it.
        assert!((5000..=8192).contains(&written) || written == 1 << 20, "{written}");
        assert_eq!(file.length().unwrap(), 1 << 20);
    }
}
