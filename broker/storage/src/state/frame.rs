//! The frames of a state file.
//!
//! | bytes | field of the file's header |
//! | ---: | --- |
//! | 8 | magic `LBSTATE\0` |
//! | 2 | version, 1 |
//! | 2 | zeros |
//! | 4 | frames of the checkpoint at the start of the file; they are all there |
//! | 8 | number of the file |
//! | 4 | salt |
//! | 4 | CRC-32 of the 28 bytes before |
//!
//! | bytes | field of a frame |
//! | ---: | --- |
//! | 4 | bytes of the payload |
//! | 8 | sequence number, one more than that of the frame before |
//! | 4 | CRC-32 of the file's salt, the 12 bytes before and the payload |
//! | n | payload: records |

/// Bytes of the header of a state file.
pub(super) const FILE_HEADER_BYTES: usize = 32;
/// Bytes before the payload of a frame.
pub(super) const FRAME_HEADER_BYTES: usize = 16;
/// The most bytes of a payload.
pub(super) const PAYLOAD_BYTES_MAX: usize = 8 << 20;

const MAGIC: [u8; 8] = *b"LBSTATE\0";
const VERSION: u16 = 1;

/// What the header of a state file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) number: u64,
    pub(super) salt: u32,
    /// How many frames make up the checkpoint with which the file begins.
    pub(super) checkpoint_frames: u32,
}

impl FileHeader {
    pub(super) fn to_bytes(self) -> [u8; FILE_HEADER_BYTES] {
        let mut bytes = [0; FILE_HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.checkpoint_frames.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_be_bytes());
        bytes[24..28].copy_from_slice(&self.salt.to_be_bytes());
        let crc = crc32fast::hash(&bytes[..28]);
        bytes[28..].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// Reads a header, or says what is wrong with it.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, &'static str> {
        let Some(bytes) = bytes.first_chunk::<FILE_HEADER_BYTES>() else {
            return Err("shorter than its header");
        };
        if bytes[..8] != MAGIC {
            return Err("no state file");
        }
        if crc32fast::hash(&bytes[..28]).to_be_bytes() != bytes[28..] {
            return Err("wrong checksum of the header");
        }
        if bytes[8..10] != VERSION.to_be_bytes() {
            return Err("a version that this build does not read; use the build that wrote it");
        }
        let frames = bytes[12..].first_chunk().copied().map(u32::from_be_bytes);
        let number = bytes[16..].first_chunk().copied().map(u64::from_be_bytes);
        let salt = bytes[24..].first_chunk().copied().map(u32::from_be_bytes);
        match (frames, number, salt) {
            (Some(checkpoint_frames), Some(number), Some(salt)) => {
                Ok(Self { number, salt, checkpoint_frames })
            }
            _ => Err("shorter than its header"),
        }
    }
}

/// Puts the header of a frame before `payload`.
pub(super) fn encode(salt: u32, sequence: u64, payload: &[u8]) -> [u8; FRAME_HEADER_BYTES] {
    let length = u32::try_from(payload.len()).expect("a payload is at most PAYLOAD_BYTES_MAX");
    let mut header = [0; FRAME_HEADER_BYTES];
    header[..4].copy_from_slice(&length.to_be_bytes());
    header[4..12].copy_from_slice(&sequence.to_be_bytes());
    let crc = checksum(salt, &header[..12], payload);
    header[12..].copy_from_slice(&crc.to_be_bytes());
    header
}

fn checksum(salt: u32, front: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_be_bytes());
    hasher.update(front);
    hasher.update(payload);
    hasher.finalize()
}

/// The payload of the frame at the start of `bytes`, if there is a whole one with that sequence
/// number.
pub(super) fn decode(salt: u32, sequence: u64, bytes: &[u8]) -> Option<&[u8]> {
    let header = bytes.first_chunk::<FRAME_HEADER_BYTES>()?;
    let length = u32::from_be_bytes(*header.first_chunk()?) as usize;
    if length > PAYLOAD_BYTES_MAX || u64::from_be_bytes(*header[4..].first_chunk()?) != sequence {
        return None;
    }
    let payload = bytes[FRAME_HEADER_BYTES..].get(..length)?;
    let crc = u32::from_be_bytes(*header[12..].first_chunk()?);
    (checksum(salt, &header[..12], payload) == crc).then_some(payload)
}

/// Whether a whole frame with a later sequence number than `last` begins anywhere in `bytes`.
pub(super) fn any_later(salt: u32, last: u64, bytes: &[u8]) -> bool {
    // The sequence number is looked at first: it is cheap, and it is wrong nearly everywhere.
    (0..bytes.len().saturating_sub(FRAME_HEADER_BYTES)).any(|place| {
        let sequence = bytes[place + 4..].first_chunk().map_or(0, |s| u64::from_be_bytes(*s));
        sequence > last
            && sequence - last < LATER_FRAMES
            && decode(salt, sequence, &bytes[place..]).is_some()
    })
}

/// How many frames a file can hold at the most; a sequence number beyond is none.
const LATER_FRAMES: u64 = 1 << 32;
