//! Bytes in several pieces, to be written with one vectored write.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::Fault;
use crate::frame::PREFIX_BYTES;

/// A sequence of slices that reads like one run of bytes.
///
/// **Invariant:** no piece is empty.
#[derive(Debug, Clone, Default)]
pub struct Rope {
    pieces: VecDeque<Bytes>,
    remaining: usize,
    own_bytes: usize,
}

impl Rope {
    /// A frame whose length is put in its place.
    ///
    /// - `out`: what was written for it, with room for the length in front.
    /// - `lent`: pieces and the places in `out` before which they belong, in order.
    ///
    /// # Errors
    /// [`Fault::TooLong`] for a frame of 2 GiB.
    pub(super) fn framed(mut out: BytesMut, lent: Vec<(usize, Bytes)>) -> Result<Self, Fault> {
        let lent_bytes: usize = lent.iter().map(|(_, piece)| piece.len()).sum();
        let length = out.len() - PREFIX_BYTES + lent_bytes;
        let too_long = |_| Fault::TooLong { length, limit: i32::MAX as usize };
        let prefix = i32::try_from(length).map_err(too_long)?;
        out[..PREFIX_BYTES].copy_from_slice(&prefix.to_be_bytes());
        let out = out.freeze();
        let pieces = VecDeque::with_capacity(2 * lent.len() + 1);
        let mut rope = Self { pieces, remaining: 0, own_bytes: out.len() };
        let mut written = 0;
        for (place, piece) in lent {
            rope.push(out.slice(written..place));
            rope.push(piece);
            written = place;
        }
        rope.push(out.slice(written..));
        Ok(rope)
    }

    /// Adds bytes that were written for it.
    pub fn push_own(&mut self, piece: Bytes) {
        self.own_bytes += piece.len();
        self.push(piece);
    }

    /// Adds all that another one holds.
    pub fn append(&mut self, mut other: Self) {
        self.own_bytes += other.own_bytes;
        self.remaining += other.remaining;
        self.pieces.append(&mut other.pieces);
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.remaining += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// Bytes that are not lent but were written for it; their memory stays until the end.
    #[must_use]
    pub fn own_bytes(&self) -> usize {
        self.own_bytes
    }

    /// The pieces that are left, none of them empty.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        self.pieces.iter()
    }
}

impl From<Bytes> for Rope {
    fn from(own: Bytes) -> Self {
        let mut rope = Self::default();
        rope.push_own(own);
        rope
    }
}

impl Buf for Rope {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let pairs = out.iter_mut().zip(&self.pieces);
        pairs.map(|(slot, piece)| *slot = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining, "advance by {count} of {}", self.remaining);
        self.remaining -= count;
        while count > 0 {
            let piece = self.pieces.front_mut().expect("pieces add up to what remains");
            if count < piece.len() {
                piece.advance(count);
                return;
            }
            count -= piece.len();
            self.pieces.pop_front();
        }
    }
}
