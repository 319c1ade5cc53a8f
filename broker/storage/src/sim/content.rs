//! The bytes of a file, in pages that copies share.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a page: what copies share or copy.
const PAGE_BYTES: usize = 4096;

/// The bytes of a file. What was never written reads as zeros and takes no memory; a clone shares
/// its pages until one of both writes to them.
///
/// **Invariant:** no byte of a page at or beyond `length` is other than zero.
#[derive(Clone, Default)]
pub(super) struct Content {
    length: u64,
    pages: BTreeMap<u64, Arc<[u8; PAGE_BYTES]>>,
}

impl Content {
    /// Puts `data` at `position`; the length grows where it has to.
    pub(super) fn write(&mut self, position: u64, data: &[u8]) {
        let mut position = position;
        let mut left = data;
        while !left.is_empty() {
            let (page, start) = place(position);
            let (now, later) = left.split_at(left.len().min(PAGE_BYTES - start));
            let bytes = self.pages.entry(page).or_insert_with(|| Arc::new([0; PAGE_BYTES]));
            Arc::make_mut(bytes)[start..start + now.len()].copy_from_slice(now);
            position += now.len() as u64;
            left = later;
        }
        if !data.is_empty() {
            self.grow(position);
        }
    }

    /// Fills `buffer` from `position` on; returns how many bytes lay before the end.
    pub(super) fn read(&self, position: u64, buffer: &mut [u8]) -> usize {
        let present = self.length.saturating_sub(position);
        let count = usize::try_from(present).map_or(buffer.len(), |n| n.min(buffer.len()));
        let mut read = 0;
        while read < count {
            let (page, start) = place(position + read as u64);
            let step = (count - read).min(PAGE_BYTES - start);
            let target = &mut buffer[read..read + step];
            match self.pages.get(&page) {
                Some(bytes) => target.copy_from_slice(&bytes[start..start + step]),
                None => target.fill(0),
            }
            read += step;
        }
        count
    }

    /// The first `length` bytes; zeros behind the end.
    pub(super) fn prefix(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.read(0, &mut bytes);
        bytes
    }

    /// Makes the length at least `length` bytes.
    pub(super) fn grow(&mut self, length: u64) {
        self.length = self.length.max(length);
    }

    /// Drops what lies at or beyond `length` bytes, or grows to it.
    pub(super) fn truncate(&mut self, length: u64) {
        let (page, start) = place(length);
        drop(self.pages.split_off(&(page + 1)));
        if let Some(bytes) = self.pages.get_mut(&page) {
            Arc::make_mut(bytes)[start..].fill(0);
        }
        self.length = length;
    }

    /// Bytes up to the end of the last page that was written to.
    pub(super) fn written(&self) -> u64 {
        let pages = self.pages.last_key_value().map_or(0, |(page, _)| page + 1);
        self.length.min(pages * PAGE_BYTES as u64)
    }

    /// Bytes from the start to the end, what was only reserved included.
    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

/// The page of a byte, and its place in it.
fn place(position: u64) -> (u64, usize) {
    let page_bytes = PAGE_BYTES as u64;
    let start = usize::try_from(position % page_bytes).expect("smaller than a page");
    (position / page_bytes, start)
}
