//! What the storage asks of a file system, small enough that a simulated disk can stand in.
//!
//! [`crate::SystemDisk`] is the real one. The tests have one that records every call and plays back
//! what a power cut may leave behind.
//!
//! Must always hold: nothing here interprets bytes, and nothing is retried. Every method says what
//! it makes durable, and what it makes durable only with a later call.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

/// A directory tree that holds files.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Makes a new file, open for reading and writing. Its name is durable after
    /// [`Self::sync_dir`] on its directory.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`], or what the file system says.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or what the file system says.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a directory and those above it that are missing. Durable after [`Self::sync_dir`] on
    /// the directory above.
    ///
    /// # Errors
    /// What the file system says; that it is there already is none.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Gives a file or directory another name, replacing a file that has it. Durable after
    /// [`Self::sync_dir`].
    ///
    /// # Errors
    /// What the file system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Who has it open or mapped keeps its bytes.
    ///
    /// # Errors
    /// What the file system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// What the file system says.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// The entries of a directory, in no order.
    ///
    /// # Errors
    /// What the file system says.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// What the file system says; then nothing is known of any name in it.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Takes the lock that keeps a second process out of a directory; given up with the value.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where another process holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;
}

/// A file open for reading.
pub trait ReadAt: Send + Sync + fmt::Debug {
    /// Reads up to `buffer.len()` bytes from `position` on; fewer only at the end of the file.
    ///
    /// # Errors
    /// What the file system or the device says.
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// A file open for reading and writing.
pub trait DiskFile: ReadAt {
    /// Writes all of `parts`, one behind the other, from `position` on. Readers see it at once; it
    /// is durable after [`Self::sync`].
    ///
    /// # Errors
    /// What the file system says; then any part of the bytes may have been written.
    fn write_at(&self, position: u64, parts: &[&[u8]]) -> io::Result<()>;

    /// Whether the byte at `position` could be read at this moment without waiting for the device;
    /// `None` where the file system can't tell.
    fn is_cached(&self, position: u64) -> Option<bool>;

    /// Whether the system may read more of the file than it is asked for; at first it may. A hint:
    /// a start looks at little of many files, where megabytes ahead of each would be most of it.
    fn set_read_ahead(&self, _wanted: bool) {}

    /// Makes sure that `length` bytes from the start can be written without asking for space; the
    /// file's length becomes at least `length`, what was never written reads as zeros.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`], or what the file system says. The bytes of the file are as
    /// before then; some of the space may be reserved.
    fn reserve(&self, length: u64) -> io::Result<()>;

    /// Makes all writes durable that returned before this call began, and the file's length.
    ///
    /// # Errors
    /// What the file system says. It is said once: a second call that succeeds proves nothing, so
    /// after an error the file is not to be trusted beyond what was durable before.
    fn sync(&self) -> io::Result<()>;

    /// The file's length in bytes, reserved space included.
    ///
    /// # Errors
    /// What the file system says.
    fn length(&self) -> io::Result<u64>;

    /// Bytes from the start behind which nothing was ever written, only reserved; where the file
    /// system can't tell, the file's length.
    ///
    /// # Errors
    /// What the file system says.
    fn written(&self) -> io::Result<u64>;

    /// The same file, read from the device and not from the page cache, which after a failed flush
    /// may hold what never reached the device. Where the file system has no such reads, from the
    /// page cache.
    ///
    /// # Errors
    /// What the file system says.
    fn uncached(&self) -> io::Result<Arc<dyn ReadAt>>;

    /// Maps the first `length` bytes for reading; they must be within the file's length.
    ///
    /// # Errors
    /// What the file system says.
    fn map(&self, length: u64) -> io::Result<Arc<dyn Map>>;
}

/// The bytes of a file in memory.
///
/// **Invariant:** whoever asks for a slice knows that its bytes never change again: they lie below
/// the high watermark, or in a sealed file.
pub trait Map: Send + Sync + fmt::Debug {
    /// The first `length` bytes, or all if there are fewer. Keeps the map alive.
    fn prefix(self: Arc<Self>, length: usize) -> Bytes;
}
