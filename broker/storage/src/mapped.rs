//! Files in memory; the only module with unsafe code.
//!
//! What makes it sound:
//!
//! 1. The data directory is locked: no other process of ours writes its files, and a foreign
//!    program that does breaks every promise anyway.
//! 2. We never write through a map. Appends go through `pwrite` into space that is already part of
//!    the file, so the map never reaches beyond the file's end.
//! 3. A slice is handed out only up to a length that its caller vouches for: below the high
//!    watermark, or within a sealed file. Those bytes never change again. Memory behind that
//!    length may change while the slice lives; the slice doesn't cover it.
//! 4. A file never shrinks. Truncation seals a file and begins another; removal unlinks it, and the
//!    map keeps its pages until the last slice is gone.
//! 5. A page that the device can't read raises SIGBUS in whoever touches it. Therefore our own code
//!    never reads record bytes through a map; only the kernel does, when it writes them to a
//!    socket, where a bad page is an error.

#![expect(unsafe_code, reason = "slices of mapped files; the contract is the module's doc")]

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use memmap2::{MmapOptions, MmapRaw};

use crate::disk::Map;

/// A file mapped for reading.
#[derive(Debug)]
pub(crate) struct MappedFile {
    map: MmapRaw,
}

impl MappedFile {
    /// Maps the first `length` bytes of a file that is at least so long.
    pub(crate) fn new(file: &File, length: usize) -> io::Result<Self> {
        Ok(Self { map: MmapOptions::new().len(length).map_raw_read_only(file)? })
    }
}

impl Map for MappedFile {
    fn prefix(self: Arc<Self>, length: usize) -> Bytes {
        let length = length.min(self.map.len());
        Bytes::from_owner(StablePrefix { map: self, length })
    }
}

/// The part of a map whose bytes never change again.
struct StablePrefix {
    map: Arc<MappedFile>,
    length: usize,
}

impl AsRef<[u8]> for StablePrefix {
    fn as_ref(&self) -> &[u8] {
        let start = self.map.map.as_ptr();
        // SAFETY: `start` is valid for reads of `length` bytes, because `length` is at most the
        // map's length and the file doesn't shrink (4); the bytes don't change while the slice
        // lives, because the caller of `prefix` vouches for them (3); the map outlives the slice,
        // because `self` holds it.
        unsafe { std::slice::from_raw_parts(start, self.length) }
    }
}
