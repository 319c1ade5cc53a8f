//! Beats as bytes. `docs/peer.md` has the table.
//!
//! Must always hold: a beat that was encoded decodes to itself; whatever it names is on its lane.

use logboom_protocol::units::Uuid;
use logboom_protocol::wire::{Reader, Writer};
use logboom_raft::{Beat, Change, Named};
use logboom_storage::state::GroupKey;

use super::codec::{
    KEY_BYTES, POSITION_BYTES, at, flags, read_code, read_epoch, read_flags, read_key, read_offset,
    read_position, write_bytes, write_count, write_key, write_position,
};
use super::frame::{Frame, Strange};
use super::lanes::{LANES, lane_of};

/// Key, lives, epoch, commit and log start.
const NAMED_BYTES: usize = KEY_BYTES + 4 + 4 + 4 + POSITION_BYTES + 8;
const CHANGE_BYTES_MIN: usize = 1 + KEY_BYTES;
const CHANGE_BYTES_MAX: usize = CHANGE_BYTES_MIN + 4 + POSITION_BYTES;
/// Lane and flags, run and sequence, what was heard, lists' lengths, life, version, sum, and what
/// was applied.
const BEAT_BYTES: usize = 2 + 2 * 8 + 2 * 8 + 3 * 4 + 4 + 8 + 16 + 4 + 8;

// What a change is.
const ENTER: u8 = 0;
const LEAVE: u8 = 1;

/// At most how many bytes a beat takes.
pub(super) fn size_max(beat: &Beat<GroupKey>) -> usize {
    BEAT_BYTES
        + beat.named.len() * NAMED_BYTES
        + beat.changes.len() * CHANGE_BYTES_MAX
        + beat.left.len() * KEY_BYTES
}

/// Writes a beat with its lane.
pub(super) fn write_beat(out: &mut Writer, lane: u8, beat: &Beat<GroupKey>) {
    let Beat { run, sequence, heard, named, life, changes, version, sum, applied, agrees, left } =
        beat;
    write_bytes(out, [lane, flags([heard.is_some(), *agrees, false])]);
    write_u64(out, *run);
    write_u64(out, *sequence);
    if let Some((run, sequence)) = heard {
        write_u64(out, *run);
        write_u64(out, *sequence);
    }
    write_count(out, named.len());
    named.iter().for_each(|named| write_named(out, named));
    out.u32(*life);
    write_count(out, changes.len());
    changes.iter().for_each(|change| write_change(out, change));
    write_u64(out, *version);
    out.raw(&sum.to_be_bytes());
    out.u32(applied.0);
    write_u64(out, applied.1);
    write_count(out, left.len());
    left.iter().for_each(|key| write_key(out, key));
}

fn write_named(out: &mut Writer, named: &Named<GroupKey>) {
    let Named { key, leader_life, follower_life, epoch, commit, log_start } = named;
    write_key(out, key);
    out.u32(*leader_life);
    out.u32(*follower_life);
    out.i32(*epoch);
    write_position(out, *commit);
    out.i64(*log_start);
}

fn write_change(out: &mut Writer, change: &Change<GroupKey>) {
    match change {
        Change::Enter(key, epoch, end) => {
            write_bytes(out, [ENTER]);
            write_key(out, key);
            out.i32(*epoch);
            write_position(out, *end);
        }
        Change::Leave(key) => {
            write_bytes(out, [LEAVE]);
            write_key(out, key);
        }
    }
}

/// The beats of a frame, each with its lane.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_beats(frame: &Frame) -> Result<Vec<(u8, Beat<GroupKey>)>, Strange> {
    let mut reader = Reader::new(&frame.head);
    let mut beats = Vec::new();
    while reader.remaining() > 0 {
        if beats.len() == LANES {
            return Err(Strange::Range { what: "the number of beats" });
        }
        beats.push(read_beat(&mut reader)?);
    }
    Ok(beats)
}

fn read_beat(reader: &mut Reader<'_>) -> Result<(u8, Beat<GroupKey>), Strange> {
    let lane = read_code(reader)?;
    if usize::from(lane) >= LANES {
        return Err(Strange::Range { what: "a lane" });
    }
    let [is_heard, agrees, _] = read_flags(reader, 2)?;
    let (run, sequence) = (read_u64(reader)?, read_u64(reader)?);
    let heard = if is_heard { Some((read_u64(reader)?, read_u64(reader)?)) } else { None };
    let named = read_list(reader, NAMED_BYTES, |reader| read_named(reader, lane))?;
    let life = read_life(reader)?;
    let changes = read_list(reader, CHANGE_BYTES_MIN, |reader| read_change(reader, lane))?;
    let version = read_u64(reader)?;
    let Uuid(sum) = reader.uuid().map_err(at("sum"))?;
    let applied = (read_life(reader)?, read_u64(reader)?);
    let left = read_list(reader, KEY_BYTES, |reader| read_key_of(reader, lane))?;
    let sum = u128::from_be_bytes(sum);
    let beat =
        Beat { run, sequence, heard, named, life, changes, version, sum, applied, agrees, left };
    Ok((lane, beat))
}

/// A list whose elements take so many bytes at least. In memory they take less than four times
/// that, so that the head's length bounds it.
fn read_list<T>(
    reader: &mut Reader<'_>,
    element_min: usize,
    mut element: impl FnMut(&mut Reader<'_>) -> Result<T, Strange>,
) -> Result<Vec<T>, Strange> {
    const { assert!(size_of::<T>() <= 4 * CHANGE_BYTES_MIN) };
    let count = reader.count(false, element_min).map_err(at("list"))?;
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        list.push(element(reader)?);
    }
    Ok(list)
}

fn read_named(reader: &mut Reader<'_>, lane: u8) -> Result<Named<GroupKey>, Strange> {
    Ok(Named {
        key: read_key_of(reader, lane)?,
        leader_life: read_life(reader)?,
        follower_life: read_life(reader)?,
        epoch: read_epoch(reader)?,
        commit: read_position(reader)?,
        log_start: read_offset(reader)?,
    })
}

fn read_change(reader: &mut Reader<'_>, lane: u8) -> Result<Change<GroupKey>, Strange> {
    let code = read_code(reader)?;
    let key = read_key_of(reader, lane)?;
    match code {
        ENTER => Ok(Change::Enter(key, read_epoch(reader)?, read_position(reader)?)),
        LEAVE => Ok(Change::Leave(key)),
        code => Err(Strange::Code { what: "a change", code }),
    }
}

/// A key of this lane: otherwise the two ends don't mean the same lanes.
fn read_key_of(reader: &mut Reader<'_>, lane: u8) -> Result<GroupKey, Strange> {
    let key = read_key(reader)?;
    if lane_of(&key) == lane { Ok(key) } else { Err(Strange::Range { what: "a group's lane" }) }
}

fn read_life(reader: &mut Reader<'_>) -> Result<u32, Strange> {
    Ok(reader.u32().map_err(at("life"))?)
}

fn write_u64(out: &mut Writer, value: u64) {
    out.i64(value.cast_signed());
}

fn read_u64(reader: &mut Reader<'_>) -> Result<u64, Strange> {
    Ok(reader.i64().map_err(at("number"))?.cast_unsigned())
}

#[cfg(test)]
mod tests;
