//! The records of the state store and their bytes; `docs/format.md` has the table.
//!
//! Must always hold: a record that was encoded decodes to itself, and any bytes give a record or
//! [`BadRecord`].

use bytes::Bytes;

pub use logboom_protocol::units::GroupKey;
use logboom_protocol::units::Uuid;

use super::group::{
    Checkpoint, CleanedSegments, ControlEntry, EpochStart, LogStart, ProducerSnapshot, Sealed,
    SegmentEntry,
};

/// In which life of the machine a directory was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenMark {
    /// The machine's boot id: another one means that its page cache is gone.
    pub boot_id: [u8; 16],
    /// The file system on which the directory lies.
    pub mount_id: u64,
}

impl OpenMark {
    /// Of no life of any machine: what a start after a power cut writes down until all logs were
    /// opened, so that the next one still expects what the power cut has left.
    pub const NONE: Self = Self { boot_id: [0; 16], mount_id: 0 };
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateRecord {
    /// The directory was opened, and not yet closed.
    Opened(OpenMark),
    /// How often the directory was opened, this time included.
    Run(u64),
    /// The cluster that the directory belongs to, from now on.
    Cluster(Uuid),
    /// The directory was closed cleanly: everything in it was flushed.
    Closed,
    /// A replica of the group began here.
    Created {
        /// Which replica life of the group on this directory it is, from 0.
        life: u32,
        /// The offset of the metadata record that created the topic.
        creation_offset: i64,
    },
    /// The replica was removed. Its tombstone stays, so that it doesn't begin again as a voter.
    Removed,
    /// The topic is gone, and with it the tombstone.
    Forgotten,
    /// The epoch that the replica is in, and whom it voted for in it (−1: nobody).
    Vote {
        /// The epoch.
        epoch: i32,
        /// A broker id, or −1.
        voted_for: i32,
    },
    /// An epoch began: batches from this offset on carry it.
    Epoch(EpochStart),
    /// A control entry was appended.
    Control(ControlEntry),
    /// Control entries are no more, though nothing was cut: no record stood behind them, and no
    /// other replica has them.
    ControlsDropped {
        /// The sequence of the first of them.
        from: u64,
    },
    /// The log was cut: control entries behind `control_sequence`, and epochs and segments that
    /// begin at or behind `offset`, are no more.
    Cut {
        /// The new end, exclusive.
        offset: i64,
        /// The last epoch that survives.
        epoch: i32,
        /// The last control entry that survives.
        control_sequence: u64,
    },
    /// A segment was made; batches are appended to it.
    Segment(SegmentEntry),
    /// The last segment is complete.
    Sealed(Sealed),
    /// The log begins here; segments wholly below are no more, nor are control entries before it.
    LogStart(LogStart),
    /// What recovery may rely on.
    Checkpoint(Checkpoint),
    /// Properties of the replica.
    Flags {
        /// Something was acknowledged that wasn't flushed (`write.caching`).
        caching: bool,
        /// Something acknowledged may be lost.
        lossy: bool,
    },
    /// What the producers were.
    Producers(ProducerSnapshot),
    /// The log was given up: it begins anew, and empty, at this offset.
    Reset {
        /// Inclusive.
        offset: i64,
    },
    /// Compaction put one segment in the place of several.
    Cleaned(CleanedSegments),
    /// Compaction has seen everything below: no record there has the key of an older one.
    CleanOffset {
        /// Exclusive.
        offset: i64,
    },
}

/// The most bytes of a record; only control entries come near.
pub(super) const RECORD_BYTES_MAX: usize = 128 << 10;

/// Bytes that are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadRecord;

impl StateRecord {
    fn tag(&self) -> u8 {
        match self {
            Self::Opened(_) => 1,
            Self::Closed => 2,
            Self::Created { .. } => 3,
            Self::Removed => 4,
            Self::Forgotten => 5,
            Self::Vote { .. } => 6,
            Self::Epoch(_) => 7,
            Self::Control(_) => 8,
            Self::Cut { .. } => 9,
            Self::Segment(_) => 10,
            Self::Sealed(_) => 11,
            Self::LogStart(_) => 19,
            Self::Checkpoint(_) => 13,
            Self::Flags { .. } => 14,
            Self::Producers(_) => 15,
            Self::Reset { .. } => 16,
            Self::Cleaned(_) => 17,
            Self::CleanOffset { .. } => 18,
            Self::ControlsDropped { .. } => 20,
            Self::Run(_) => 21,
            Self::Cluster(_) => 22,
        }
    }

    /// Appends the record of `key` to `out`.
    pub(crate) fn encode(&self, key: &GroupKey, out: &mut Vec<u8>) {
        out.push(self.tag());
        out.extend(key.topic_id.0);
        out.extend(key.partition.to_be_bytes());
        match self {
            Self::Closed | Self::Removed | Self::Forgotten => {}
            Self::Opened(mark) => {
                out.extend(mark.boot_id);
                out.extend(mark.mount_id.to_be_bytes());
            }
            Self::Created { life, creation_offset } => {
                out.extend(life.to_be_bytes());
                out.extend(creation_offset.to_be_bytes());
            }
            Self::Vote { epoch, voted_for } => {
                out.extend(epoch.to_be_bytes());
                out.extend(voted_for.to_be_bytes());
            }
            Self::Epoch(EpochStart { epoch, start_offset }) => {
                out.extend(epoch.to_be_bytes());
                out.extend(start_offset.to_be_bytes());
            }
            Self::Control(entry) => encode_control(entry, out),
            Self::Segment(segment) => {
                out.extend(segment.base_offset.to_be_bytes());
                out.extend(segment.generation.to_be_bytes());
                let unsealed = Sealed { length: u32::MAX, max_timestamp: i64::MIN };
                encode_sealed(&segment.sealed.unwrap_or(unsealed), out);
            }
            Self::Sealed(sealed) => encode_sealed(sealed, out),
            Self::LogStart(LogStart { offset, epoch, control_sequence })
            | Self::Cut { offset, epoch, control_sequence } => {
                out.extend(offset.to_be_bytes());
                out.extend(epoch.to_be_bytes());
                out.extend(control_sequence.to_be_bytes());
            }
            Self::Reset { offset } | Self::CleanOffset { offset } => {
                out.extend(offset.to_be_bytes());
            }
            Self::ControlsDropped { from } => out.extend(from.to_be_bytes()),
            Self::Run(run) => out.extend(run.to_be_bytes()),
            Self::Cluster(Uuid(id)) => out.extend(id),
            Self::Cleaned(cleaned) => {
                out.extend(cleaned.base_offset.to_be_bytes());
                out.extend(cleaned.end_offset.to_be_bytes());
                out.extend(cleaned.generation.to_be_bytes());
                encode_sealed(&cleaned.sealed, out);
            }
            Self::Checkpoint(checkpoint) => encode_checkpoint(checkpoint, out),
            Self::Flags { caching, lossy } => out.extend([u8::from(*caching), u8::from(*lossy)]),
            Self::Producers(snapshot) => encode_producers(snapshot, out),
        }
    }

    /// Takes the first record off `bytes`.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Result<(GroupKey, Self), BadRecord> {
        let [tag] = take(bytes)?;
        let topic_id = Uuid(take(bytes)?);
        let key = GroupKey { topic_id, partition: i32::from_be_bytes(take(bytes)?) };
        let record = match tag {
            1 => Self::Opened(OpenMark {
                boot_id: take(bytes)?,
                mount_id: u64::from_be_bytes(take(bytes)?),
            }),
            2 => Self::Closed,
            3 => Self::Created {
                life: u32::from_be_bytes(take(bytes)?),
                creation_offset: i64::from_be_bytes(take(bytes)?),
            },
            4 => Self::Removed,
            5 => Self::Forgotten,
            6 => Self::Vote {
                epoch: i32::from_be_bytes(take(bytes)?),
                voted_for: i32::from_be_bytes(take(bytes)?),
            },
            7 => Self::Epoch(EpochStart {
                epoch: i32::from_be_bytes(take(bytes)?),
                start_offset: i64::from_be_bytes(take(bytes)?),
            }),
            8 => Self::Control(decode_control(bytes)?),
            9 => Self::Cut {
                offset: i64::from_be_bytes(take(bytes)?),
                epoch: i32::from_be_bytes(take(bytes)?),
                control_sequence: u64::from_be_bytes(take(bytes)?),
            },
            10 => Self::Segment(decode_segment(bytes)?),
            11 => Self::Sealed(decode_sealed(bytes)?),
            // As it was before there were control entries.
            12 => Self::LogStart(LogStart {
                offset: i64::from_be_bytes(take(bytes)?),
                ..LogStart::ZERO
            }),
            13 => Self::Checkpoint(decode_checkpoint(bytes)?),
            14 => Self::Flags { caching: decode_bool(bytes)?, lossy: decode_bool(bytes)? },
            15 => Self::Producers(decode_producers(bytes)?),
            16 => Self::Reset { offset: i64::from_be_bytes(take(bytes)?) },
            17 => Self::Cleaned(CleanedSegments {
                base_offset: i64::from_be_bytes(take(bytes)?),
                end_offset: i64::from_be_bytes(take(bytes)?),
                generation: u32::from_be_bytes(take(bytes)?),
                sealed: decode_sealed(bytes)?,
            }),
            18 => Self::CleanOffset { offset: i64::from_be_bytes(take(bytes)?) },
            19 => Self::LogStart(LogStart {
                offset: i64::from_be_bytes(take(bytes)?),
                epoch: i32::from_be_bytes(take(bytes)?),
                control_sequence: u64::from_be_bytes(take(bytes)?),
            }),
            20 => Self::ControlsDropped { from: u64::from_be_bytes(take(bytes)?) },
            21 => Self::Run(u64::from_be_bytes(take(bytes)?)),
            22 => Self::Cluster(Uuid(take(bytes)?)),
            _ => return Err(BadRecord),
        };
        Ok((key, record))
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], BadRecord> {
    let (head, rest) = bytes.split_first_chunk().ok_or(BadRecord)?;
    *bytes = rest;
    Ok(*head)
}

fn decode_bool(bytes: &mut &[u8]) -> Result<bool, BadRecord> {
    match take(bytes)? {
        [0] => Ok(false),
        [1] => Ok(true),
        _ => Err(BadRecord),
    }
}

fn encode_control(entry: &ControlEntry, out: &mut Vec<u8>) {
    out.extend(entry.sequence.to_be_bytes());
    out.extend(entry.epoch.to_be_bytes());
    out.extend(entry.offset.to_be_bytes());
    let length = u32::try_from(entry.payload.len()).expect("a voter set is far below 4 GiB");
    out.extend(length.to_be_bytes());
    out.extend(&entry.payload);
}

fn decode_control(bytes: &mut &[u8]) -> Result<ControlEntry, BadRecord> {
    let sequence = u64::from_be_bytes(take(bytes)?);
    let epoch = i32::from_be_bytes(take(bytes)?);
    let offset = i64::from_be_bytes(take(bytes)?);
    let length = u32::from_be_bytes(take(bytes)?) as usize;
    let (payload, rest) = bytes.split_at_checked(length).ok_or(BadRecord)?;
    *bytes = rest;
    Ok(ControlEntry { sequence, epoch, offset, payload: Bytes::copy_from_slice(payload) })
}

fn decode_segment(bytes: &mut &[u8]) -> Result<SegmentEntry, BadRecord> {
    let base_offset = i64::from_be_bytes(take(bytes)?);
    let generation = u32::from_be_bytes(take(bytes)?);
    let sealed = Some(decode_sealed(bytes)?).filter(|sealed| sealed.length != u32::MAX);
    Ok(SegmentEntry { base_offset, generation, sealed })
}

fn encode_sealed(sealed: &Sealed, out: &mut Vec<u8>) {
    out.extend(sealed.length.to_be_bytes());
    out.extend(sealed.max_timestamp.to_be_bytes());
}

fn decode_sealed(bytes: &mut &[u8]) -> Result<Sealed, BadRecord> {
    let length = u32::from_be_bytes(take(bytes)?);
    Ok(Sealed { length, max_timestamp: i64::from_be_bytes(take(bytes)?) })
}

fn encode_checkpoint(checkpoint: &Checkpoint, out: &mut Vec<u8>) {
    out.extend(checkpoint.flushed_offset.to_be_bytes());
    out.extend(checkpoint.segment_base_offset.to_be_bytes());
    out.extend(checkpoint.position.to_be_bytes());
    out.extend(checkpoint.high_watermark.to_be_bytes());
    out.push(checkpoint.closed.into());
}

fn decode_checkpoint(bytes: &mut &[u8]) -> Result<Checkpoint, BadRecord> {
    Ok(Checkpoint {
        flushed_offset: i64::from_be_bytes(take(bytes)?),
        segment_base_offset: i64::from_be_bytes(take(bytes)?),
        position: u32::from_be_bytes(take(bytes)?),
        high_watermark: i64::from_be_bytes(take(bytes)?),
        closed: decode_bool(bytes)?,
    })
}

/// Stands in place of a length for bytes that lie in a file.
const IN_A_FILE: u32 = u32::MAX;

fn encode_producers(snapshot: &ProducerSnapshot, out: &mut Vec<u8>) {
    out.extend(snapshot.offset.to_be_bytes());
    out.extend(snapshot.segment_base_offset.to_be_bytes());
    out.extend(snapshot.position.to_be_bytes());
    out.extend(snapshot.position_offset.to_be_bytes());
    let length = snapshot.bytes.as_ref().map(|bytes| u32::try_from(bytes.len()));
    let length = length.transpose().expect("a snapshot in a record is small");
    out.extend(length.unwrap_or(IN_A_FILE).to_be_bytes());
    out.extend(snapshot.bytes.iter().flatten());
}

fn decode_producers(bytes: &mut &[u8]) -> Result<ProducerSnapshot, BadRecord> {
    let offset = i64::from_be_bytes(take(bytes)?);
    let segment_base_offset = i64::from_be_bytes(take(bytes)?);
    let position = u32::from_be_bytes(take(bytes)?);
    let position_offset = i64::from_be_bytes(take(bytes)?);
    let content = match u32::from_be_bytes(take(bytes)?) {
        IN_A_FILE => None,
        length => {
            let (content, rest) = bytes.split_at_checked(length as usize).ok_or(BadRecord)?;
            *bytes = rest;
            Some(Bytes::copy_from_slice(content))
        }
    };
    let bytes = content;
    Ok(ProducerSnapshot { offset, bytes, segment_base_offset, position, position_offset })
}
