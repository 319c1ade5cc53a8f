//! Reading the tail of a file from the device in large pieces.
//!
//! A start looks at the same last bytes several times: for batches, for zeros, for what lies behind
//! them, for producers. Past the page cache each look would be a wait for the device.
//!
//! Must always hold: nobody writes to the file meanwhile, so what is held is what is there.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::ReadAt;

/// Bytes that are read at once: all that is behind most checkpoints.
pub(super) const PIECE_BYTES: u32 = 512 << 10;

/// Bytes behind the end that are read along, so that a look for another header is answered too.
const BEHIND_BYTES: u64 = 128;

/// A file of which the last piece that was read is held.
#[derive(Debug)]
pub(super) struct Ahead {
    file: Arc<dyn ReadAt>,
    /// Where reading ahead ends.
    end: u64,
    piece: Mutex<Piece>,
}

#[derive(Debug, Default)]
struct Piece {
    begins: u64,
    bytes: Vec<u8>,
}

impl Ahead {
    /// - `end`: bytes from the start behind which nothing was written.
    pub(super) fn new(file: Arc<dyn ReadAt>, end: u32) -> Self {
        Self { file, end: u64::from(end) + BEHIND_BYTES, piece: Mutex::default() }
    }

    /// Reads a piece from `position` on, if that is worth it.
    ///
    /// # Errors
    /// What the device says.
    pub(super) fn begin_at(&self, position: u32) -> io::Result<()> {
        self.read_at(position.into(), &mut []).map(|_| ())
    }
}

impl ReadAt for Ahead {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut piece = self.piece.lock().unwrap_or_else(PoisonError::into_inner);
        if piece.from(position, buffer.len()).is_none() {
            let left = self.end.saturating_sub(position).min(PIECE_BYTES.into());
            let wanted = buffer.len().max(usize::try_from(left).unwrap_or(0));
            let mut bytes = std::mem::take(&mut piece.bytes);
            bytes.resize(wanted, 0);
            let read = self.file.read_at(position, &mut bytes)?;
            bytes.truncate(read);
            *piece = Piece { begins: position, bytes };
        }
        let held = piece.from(position, 0).unwrap_or_default();
        let count = held.len().min(buffer.len());
        buffer[..count].copy_from_slice(&held[..count]);
        Ok(count)
    }
}

impl Piece {
    /// What is held from `position` on, if it is `bytes` at least and not nothing.
    fn from(&self, position: u64, bytes: usize) -> Option<&[u8]> {
        let at = usize::try_from(position.checked_sub(self.begins)?).ok()?;
        self.bytes.get(at..).filter(|held| !held.is_empty() && held.len() >= bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug)]
    struct Counted {
        bytes: Vec<u8>,
        reads: AtomicUsize,
    }

    impl ReadAt for Counted {
        fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
            self.reads.fetch_add(1, Ordering::SeqCst);
            let bytes = self.bytes.get(usize::try_from(position).unwrap()..).unwrap_or_default();
            let count = bytes.len().min(buffer.len());
            buffer[..count].copy_from_slice(&bytes[..count]);
            Ok(count)
        }
    }

    #[test]
    fn every_read_gives_the_files_bytes_and_a_tail_is_read_once() {
        let bytes: Vec<u8> = (0..2_000_000u32).map(|i| (i % 251) as u8).collect();
        let file = Arc::new(Counted { bytes: bytes.clone(), reads: AtomicUsize::new(0) });
        let ahead = Ahead::new(Arc::clone(&file) as _, 1_900_000);
        ahead.begin_at(1_800_000).unwrap();
        for (from, length) in [
            (1_800_000, 61),
            (1_850_000, 50_000),
            (1_899_999, 61),
            (1_900_000, 61),
            (5, 10),
            (5, PIECE_BYTES as usize + 9),
            (1_999_990, 100),
            (2_000_000, 1),
            (1_000, 0),
        ] {
            let mut buffer = vec![0; length];
            let read = ahead.read_at(from as u64, &mut buffer).unwrap();
            assert_eq!(buffer[..read], bytes[from..(from + length).min(bytes.len())], "{from}");
            if from == 1_900_000 {
                assert_eq!(file.reads.load(Ordering::SeqCst), 1);
            }
        }
    }
}
