//! The codecs, behind one enum; each is a feature of the crate.
//!
//! Must always hold: what comes out of a codec is counted against a limit while it comes out. No
//! length that stands in compressed data is believed before it was compared with what its bytes
//! can inflate to.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fmt;
#[cfg(any(feature = "gzip", feature = "lz4", feature = "zstd"))]
use std::io::Write as _;
use std::io::{self, Read};

use bytes::Bytes;

use super::source::StreamSource;
use super::walk::walk;
use super::{BatchError, BatchHeader, RecordSummary};

#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "snappy")]
mod snappy;

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Raw, or in the blocks of snappy-java.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// RFC 8878 (KIP-110).
    Zstd,
}

impl Codec {
    /// All codecs, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// Whether this build has it: each is a feature of its name.
    #[must_use]
    pub const fn is_built(self) -> bool {
        match self {
            Self::None => true,
            Self::Gzip => cfg!(feature = "gzip"),
            Self::Snappy => cfg!(feature = "snappy"),
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }

    /// The number in a batch's attributes.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The codec with that number.
    ///
    /// # Errors
    /// [`BatchError::Codec`].
    pub const fn from_number(number: i16) -> Result<Self, BatchError> {
        Ok(match number {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            _ => return Err(BatchError::Codec { number }),
        })
    }

    /// Its name in `compression.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses `bytes`.
    ///
    /// # Errors
    /// [`BatchError::Codec`] for a codec that this build leaves out.
    pub fn compress(self, bytes: &[u8]) -> Result<Vec<u8>, BatchError> {
        self.compress_pieces([bytes])
    }

    /// The same, of bytes that lie in several places.
    pub(super) fn compress_pieces<'a>(
        self,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<u8>, BatchError> {
        match self {
            Self::None => Ok(pieces.into_iter().collect::<Vec<_>>().concat()),
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                let level = flate2::Compression::default();
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                self.done(pieces.into_iter().try_for_each(|piece| encoder.write_all(piece)))?;
                self.done(encoder.finish())
            }
            #[cfg(feature = "snappy")]
            Self::Snappy => Ok(snappy::compress(pieces.into_iter())),
            #[cfg(feature = "lz4")]
            Self::Lz4 => {
                let info = lz4_flex::frame::FrameInfo::new()
                    .block_mode(lz4_flex::frame::BlockMode::Independent)
                    .block_size(lz4_flex::frame::BlockSize::Max64KB);
                let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
                self.done(pieces.into_iter().try_for_each(|piece| encoder.write_all(piece)))?;
                encoder.finish().map_err(|_| BatchError::Compression { codec: self.name() })
            }
            #[cfg(feature = "zstd")]
            Self::Zstd => {
                let level = zstd::DEFAULT_COMPRESSION_LEVEL;
                let mut encoder =
                    self.done(zstd::stream::write::Encoder::new(Vec::new(), level))?;
                self.done(pieces.into_iter().try_for_each(|piece| encoder.write_all(piece)))?;
                self.done(encoder.finish())
            }
            #[cfg(not(all(
                feature = "gzip",
                feature = "snappy",
                feature = "lz4",
                feature = "zstd"
            )))]
            left_out => Err(BatchError::Codec { number: left_out.number() }),
        }
    }

    /// Bytes that a decompressor sets aside for a block before it has seen what is in it.
    fn block_bytes(self, records: &[u8]) -> usize {
        match self {
            #[cfg(feature = "lz4")]
            Self::Lz4 => lz4::block_bytes(records),
            _ => {
                let _ = records;
                0
            }
        }
    }

    /// Compressing into memory fails only where the codec itself is broken.
    fn done<T>(self, result: io::Result<T>) -> Result<T, BatchError> {
        result.map_err(|_| BatchError::Compression { codec: self.name() })
    }
}

/// Bytes of the buffer through which compressed records are walked.
const BUFFER_BYTES: usize = 32 << 10;

/// The default of [`Inflater::new`]: 256 times the default of `max.message.bytes`.
///
/// A batch above it would cost the thread that checks it more than half a second.
const INFLATED_BYTES_MAX: usize = 256 << 20;

/// What a batch costs of a request's budget besides the bytes that come out of it, so that many
/// tiny batches, each of which sets up a decompressor, have an end as well.
const CALL_BYTES: usize = 16 << 10;

/// The greatest window of zstd that is accepted, as a power of two: that of level 22, which the
/// reference's producers may use (KIP-390). The window takes memory only as far as it is filled.
#[cfg(feature = "zstd")]
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Inflates compressed records. It holds what decompressors need, so keep one a thread.
pub struct Inflater {
    buffer: Box<[u8]>,
    scratch: Scratch,
    bytes_max: usize,
    /// What the present request may still inflate; `None` for as much as it likes.
    budget: Option<usize>,
}

/// What decompressors keep from one batch to the next.
#[derive(Default)]
struct Scratch {
    #[cfg(feature = "snappy")]
    snappy_block: Vec<u8>,
    #[cfg(feature = "zstd")]
    zstd: zstd::zstd_safe::DCtx<'static>,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes_max, budget, .. } = self;
        write!(f, "Inflater(bytes_max: {bytes_max}, budget: {budget:?})")
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new(INFLATED_BYTES_MAX)
    }
}

impl Inflater {
    /// - `bytes_max`: the most bytes that the records of one batch may inflate to.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            scratch: Scratch::default(),
            bytes_max,
            budget: None,
        }
    }

    /// Sets what all batches together may inflate to until this is called again; before the first
    /// time there is no limit to that. A request of a
    /// megabyte can hold many batches of a few kilobytes that inflate to hundreds of megabytes.
    pub fn begin_request(&mut self, budget_bytes: usize) {
        self.budget = Some(budget_bytes);
    }

    /// The most bytes that may come out of the next batch.
    fn limit(&mut self, codec: Codec, records: &[u8]) -> Result<usize, BatchError> {
        let Some(budget) = &mut self.budget else { return Ok(self.bytes_max) };
        let fixed = CALL_BYTES.saturating_add(codec.block_bytes(records));
        let refused = BatchError::Inflated { limit: *budget };
        *budget = budget.checked_sub(fixed).ok_or(refused)?;
        Ok(self.bytes_max.min(*budget))
    }

    /// So many bytes have come out.
    fn spend(&mut self, bytes: usize) {
        self.budget = self.budget.map(|budget| budget.saturating_sub(bytes));
    }

    /// Walks over compressed records without keeping them.
    pub(super) fn walk(
        &mut self,
        codec: Codec,
        records: &[u8],
        header: &BatchHeader,
    ) -> Result<RecordSummary, BatchError> {
        let limit = self.limit(codec, records)?;
        let Self { buffer, scratch, .. } = self;
        let mut received = 0;
        let result = scratch.with_reader(codec, records, limit, |reader| {
            let mut source = StreamSource::new(reader, buffer, limit, codec);
            let summary = walk(&mut source, header);
            received = source.received();
            summary
        });
        self.spend(received);
        result
    }

    /// Inflates records into memory of their own, which grows as they come out.
    ///
    /// # Errors
    /// [`BatchError::Codec`], [`BatchError::Compression`] or [`BatchError::Inflated`].
    pub fn inflate(&mut self, codec: Codec, records: &[u8]) -> Result<Bytes, BatchError> {
        let limit = self.limit(codec, records)?;
        let mut out = Vec::new();
        let result = self.scratch.with_reader(codec, records, limit, |reader| {
            let limited = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
            codec.done(reader.take(limited).read_to_end(&mut out)).map(drop)
        });
        self.spend(out.len());
        if out.len() > limit {
            return Err(BatchError::Inflated { limit });
        }
        result.map(|()| out.into())
    }
}

impl Scratch {
    /// Calls `consume` with the decompressor of `codec` over `bytes`.
    ///
    /// - `limit`: the most bytes that a decompressor may allocate for a block.
    fn with_reader<T>(
        &mut self,
        codec: Codec,
        bytes: &[u8],
        limit: usize,
        consume: impl FnOnce(&mut dyn Read) -> Result<T, BatchError>,
    ) -> Result<T, BatchError> {
        // Which of them are used depends on the features.
        let _ = (&self, limit);
        match codec {
            Codec::None => consume(&mut { bytes }),
            #[cfg(feature = "gzip")]
            Codec::Gzip => consume(&mut flate2::bufread::MultiGzDecoder::new(bytes)),
            #[cfg(feature = "snappy")]
            Codec::Snappy => {
                let mut decoder = snappy::Decoder::new(bytes, limit, &mut self.snappy_block);
                let result = consume(&mut decoder);
                if decoder.over_limit() { Err(BatchError::Inflated { limit }) } else { result }
            }
            #[cfg(feature = "lz4")]
            Codec::Lz4 if !lz4::is_readable(bytes) => {
                Err(BatchError::Compression { codec: codec.name() })
            }
            #[cfg(feature = "lz4")]
            Codec::Lz4 => consume(&mut lz4_flex::frame::FrameDecoder::new(bytes)),
            #[cfg(feature = "zstd")]
            Codec::Zstd => {
                let reset = self.zstd.reset(zstd::zstd_safe::ResetDirective::SessionOnly);
                reset.map_err(|_| BatchError::Compression { codec: codec.name() })?;
                let mut decoder = zstd::Decoder::with_context(bytes, &mut self.zstd);
                codec.done(decoder.window_log_max(ZSTD_WINDOW_LOG_MAX))?;
                consume(&mut decoder)
            }
            #[cfg(not(all(
                feature = "gzip",
                feature = "snappy",
                feature = "lz4",
                feature = "zstd"
            )))]
            left_out => Err(BatchError::Codec { number: left_out.number() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_budget_nothing_is_used_up_however_long_it_goes_on() {
        let mut inflater = Inflater::new(1 << 10);
        let before = format!("{inflater:?}");
        assert_eq!(inflater.inflate(Codec::None, &[0; 100]).unwrap().len(), 100);
        assert_eq!(format!("{inflater:?}"), before, "on 32 bits it would end some day");
    }
}
