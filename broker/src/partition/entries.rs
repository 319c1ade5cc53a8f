//! The core's words in the state store: positions, control entries, voters.
//!
//! | bytes | of a payload that names voters |
//! | ---: | --- |
//! | 1 | version: 0, or 1 where an operator named the voters because others were lost |
//! | 8 | generation of the wish that it serves |
//! | 2 | how many voters there are |
//! | 2 | how many voted before, while the set changes; otherwise 0 |
//! | 24 each | broker id, replica life, data directory's id |
//!
//! Integers are big-endian. The entry with sequence 0 names the voters with which a group began;
//! where there is none, the broker that has the log is the only one.
//!
//! Must always hold: what was written is read as the same.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use logboom_raft::{Control, Position, ReplicaId, Voters};
use logboom_storage::state::{ControlEntry, LogStart};

const VERSION: u8 = 0;
const BY_OPERATOR: u8 = 1;

/// An entry of the state store that isn't one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadEntry;

pub(super) fn position(start: LogStart) -> Position {
    let LogStart { offset, epoch, control_sequence } = start;
    let control = i64::try_from(control_sequence).expect("a core counts in 63 bits");
    Position { epoch, offset, control }
}

pub(super) fn log_start(position: Position) -> LogStart {
    let Position { epoch, offset, control } = position;
    LogStart { offset, epoch, control_sequence: sequence(control) }
}

/// The number of a control entry, as the state store counts.
pub(super) fn sequence(control: i64) -> u64 {
    u64::try_from(control).expect("sequences are never negative")
}

/// - `named`: the voters that a payload names.
pub(super) fn control(
    entry: &ControlEntry,
    named: impl FnOnce(&Bytes) -> Result<Arc<Voters>, BadEntry>,
) -> Result<Control, BadEntry> {
    let sequence = i64::try_from(entry.sequence).map_err(|_| BadEntry)?;
    let is_marker = entry.payload.is_empty();
    let voters = if is_marker { None } else { Some(named(&entry.payload)?) };
    Ok(Control { sequence, epoch: entry.epoch, offset: entry.offset, voters })
}

pub(super) fn entry(control: &Control) -> ControlEntry {
    ControlEntry {
        sequence: sequence(control.sequence),
        epoch: control.epoch,
        offset: control.offset,
        payload: control.voters.as_deref().map_or_else(Bytes::new, payload),
    }
}

/// The entry that names the voters in force at a position.
pub(super) fn voters_entry(at: Position, voters: &Voters) -> ControlEntry {
    let Position { epoch, offset, control } = at;
    ControlEntry { sequence: sequence(control), epoch, offset, payload: payload(voters) }
}

/// The voters that an entry names.
pub(super) fn voters(payload: &[u8]) -> Result<Voters, BadEntry> {
    let mut bytes = payload;
    let version = bytes.try_get_u8().map_err(|_| BadEntry)?;
    if bytes.len() < 12 || !matches!(version, VERSION | BY_OPERATOR) {
        return Err(BadEntry);
    }
    let by_operator = version == BY_OPERATOR;
    let generation = bytes.get_i64();
    let [incoming, outgoing] = [bytes.get_u16(), bytes.get_u16()].map(usize::from);
    if bytes.len() != (incoming + outgoing) * REPLICA_BYTES {
        return Err(BadEntry);
    }
    let mut take = |count: usize| (0..count).map(|_| get_replica(&mut bytes)).collect();
    let (incoming, outgoing) = (take(incoming), take(outgoing));
    Ok(Voters { incoming, outgoing, generation, by_operator })
}

pub(super) fn payload(voters: &Voters) -> Bytes {
    let Voters { incoming, outgoing, generation, by_operator } = voters;
    let count = |set: &[ReplicaId]| u16::try_from(set.len()).expect("a set of voters is small");
    let length = 13 + (incoming.len() + outgoing.len()) * REPLICA_BYTES;
    let mut bytes = BytesMut::with_capacity(length);
    bytes.put_u8(if *by_operator { BY_OPERATOR } else { VERSION });
    bytes.put_i64(*generation);
    bytes.put_u16(count(incoming));
    bytes.put_u16(count(outgoing));
    incoming.iter().chain(outgoing.iter()).for_each(|id| put_replica(&mut bytes, id));
    bytes.freeze()
}

/// Bytes of a replica's name.
pub(crate) const REPLICA_BYTES: usize = 24;

pub(crate) fn put_replica(out: &mut BytesMut, id: &ReplicaId) {
    out.put_i32(id.broker);
    out.put_u32(id.life);
    out.put_slice(&id.directory);
}

/// - `bytes`: at least [`REPLICA_BYTES`].
pub(crate) fn get_replica(bytes: &mut impl Buf) -> ReplicaId {
    let (broker, life, mut directory) = (bytes.get_i32(), bytes.get_u32(), [0; 16]);
    bytes.copy_to_slice(&mut directory);
    ReplicaId { broker, life, directory }
}

#[cfg(test)]
mod tests {
    use super::voters as voters_of;
    use super::*;

    #[test]
    fn an_entry_that_was_written_is_read_as_the_same() {
        let of = |ids: &[i32]| -> Arc<[ReplicaId]> { ids.iter().map(|id| id_of(*id)).collect() };
        let id = |broker| ReplicaId { life: 7, ..id_of(broker) };
        let by_operator = Voters { by_operator: true, ..Voters::of([id(4)]) };
        let outgoing = of(&[1, 2, 3]);
        let joint = Voters { outgoing, generation: 9, ..Voters::of([id(4)]) };
        let [none, one] = [Voters::of(of(&[])), Voters::of(of(&[1]))];
        for voters in [None, Some(none), Some(one), Some(joint), Some(by_operator)] {
            let voters = voters.map(Arc::new);
            let written = Control { sequence: 5, epoch: 2, offset: 17, voters };
            let named = |payload: &Bytes| voters_of(payload).map(Arc::new);
            assert_eq!(control(&entry(&written), named), Ok(written));
        }
    }

    fn id_of(broker: i32) -> ReplicaId {
        ReplicaId { directory: [u8::try_from(broker).unwrap(); 16], ..ReplicaId::of(broker) }
    }

    #[test]
    fn a_payload_of_another_length_or_version_is_refused() {
        let whole = payload(&Voters::of([id_of(1), id_of(2)]));
        for end in 0..whole.len() {
            assert_eq!(voters(&whole[..end]), Err(BadEntry), "the first {end} bytes");
        }
        let longer = [&whole[..], &[0]].concat();
        let later = [&[2], &whole[1..]].concat();
        assert_eq!((voters(&longer), voters(&later)), (Err(BadEntry), Err(BadEntry)));
    }
}
