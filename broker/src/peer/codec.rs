//! Messages of groups as bytes. `docs/peer.md` has the tables.
//!
//! Must always hold: a message that was encoded decodes to itself, and any bytes give messages, in
//! memory that their length bounds, or say what is wrong with them. Numbers are in the ranges that
//! the consensus relies on.
//!
//! Sender and addressee are sent as lives only: their brokers and directories are those of the two
//! ends of the connection, whatever the bytes say.

use std::sync::Arc;

use bytes::Bytes;

use logboom_protocol::units::Uuid;
use logboom_protocol::wire::{Reader, Writer};
use logboom_protocol::{Fault, FieldError};
use logboom_raft::{
    Append, AppendReply, Body, Content, Control, Message, Outcome, Position, ReplicaId, Reset,
    Vote, VoteReply, Voters,
};
use logboom_storage::state::GroupKey;

use super::frame::{Frame, Strange};
use super::roster::GroupMessage;

/// The most voters of a set.
pub(super) const VOTERS_MAX: usize = 1_000;

pub(super) const KEY_BYTES: usize = 16 + 4;
pub(super) const POSITION_BYTES: usize = 4 + 8 + 8;
const REPLICA_BYTES: usize = 4 + 4 + 16;
/// What a message takes at most without its voters: key, lives, epoch, what it is, and what the
/// answer to an append or a control entry says.
const MESSAGE_BYTES_MAX: usize = KEY_BYTES + 4 + 4 + 4 + 1 + 5 * POSITION_BYTES + 32;

// What a body is.
const VOTE: u8 = 0;
const VOTE_REPLY: u8 = 1;
const APPEND_NOTHING: u8 = 2;
const APPEND_CONTROL: u8 = 3;
const APPEND_DATA: u8 = 4;
const APPEND_REPLY: u8 = 5;
const BEAT: u8 = 6;
const RESET: u8 = 7;
const TIMEOUT_NOW: u8 = 8;
const HELLO: u8 = 9;
const HELLO_REPLY: u8 = 10;
const RESIGNED: u8 = 11;

// What an outcome is.
const MATCHED: u8 = 0;
const LONGER: u8 = 1;
const MISMATCH: u8 = 2;

/// The two ends of a connection: brokers and directories, and the version that they speak.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    /// Who sends.
    pub(super) from: (i32, Uuid),
    /// Who receives.
    pub(super) to: (i32, Uuid),
    pub(super) version: i16,
}

/// From this version on the answer to an append says whether the replica only votes.
const HELD_BACK_FROM: i16 = 1;
/// From this version on it says how far the records are flushed.
const FLUSHED_FROM: i16 = 2;
/// From this version on it says which wish for voters the host knows of.
const WISH_FROM: i16 = 3;

impl Ends {
    /// Whether a message goes from one end to the other.
    pub(super) fn are_of(&self, message: &Message) -> bool {
        let is = |(node, Uuid(directory)): (i32, Uuid), id: ReplicaId| {
            (node, directory) == (id.broker, id.directory)
        };
        is(self.from, message.from) && is(self.to, message.to)
    }
}

/// At most how many bytes of a head a message takes; `None` for one that can't be sent.
pub(super) fn size_max(message: &Message) -> Option<usize> {
    let voters = match &message.body {
        Body::Append(Append { content: Content::Control(control), .. }) => control.voters.as_ref(),
        Body::Reset(reset) => Some(&reset.voters),
        _ => None,
    };
    let (new, old) = voters.map_or((0, 0), |it| (it.incoming.len(), it.outgoing.len()));
    let fits = new <= VOTERS_MAX && old <= VOTERS_MAX;
    fits.then_some(MESSAGE_BYTES_MAX + (new + old) * REPLICA_BYTES)
}

/// Writes a message in a version, with the length of the records that go with it.
pub(super) fn write_message(
    out: &mut Writer,
    version: i16,
    key: &GroupKey,
    message: &Message,
    records: u32,
) {
    write_key(out, key);
    out.u32(message.from.life);
    out.u32(message.to.life);
    out.i32(message.epoch);
    match &message.body {
        Body::Vote(Vote { pre, end, transfer }) => {
            write_bytes(out, [VOTE, flags([*pre, *transfer, false])]);
            write_position(out, *end);
        }
        Body::VoteReply(VoteReply { pre, granted, lossy }) => {
            write_bytes(out, [VOTE_REPLY, flags([*pre, *granted, *lossy])]);
        }
        Body::Append(append) => write_append(out, append, records),
        Body::AppendReply(reply) => write_append_reply(out, version, reply),
        Body::Beat { commit, log_start } => {
            write_bytes(out, [BEAT]);
            write_position(out, *commit);
            out.i64(*log_start);
        }
        Body::Reset(reset) => {
            write_bytes(out, [RESET]);
            write_position(out, reset.start);
            write_position(out, reset.commit);
            write_voters(out, &reset.voters);
            out.u32(records);
        }
        Body::TimeoutNow => write_bytes(out, [TIMEOUT_NOW]),
        Body::Hello { run } => {
            write_bytes(out, [HELLO]);
            out.u32(*run);
        }
        Body::HelloReply { run, end } => {
            write_bytes(out, [HELLO_REPLY]);
            out.u32(*run);
            write_position(out, *end);
        }
        Body::Resigned => write_bytes(out, [RESIGNED]),
    }
}

fn write_append(out: &mut Writer, append: &Append, records: u32) {
    let Append { prev, content, commit, log_start } = append;
    let kind = match content {
        Content::Nothing => APPEND_NOTHING,
        Content::Control(_) => APPEND_CONTROL,
        Content::Data { .. } => APPEND_DATA,
    };
    write_bytes(out, [kind]);
    write_position(out, *prev);
    write_position(out, *commit);
    out.i64(*log_start);
    match content {
        Content::Nothing => {}
        Content::Control(Control { sequence, epoch, offset, voters }) => {
            out.i64(*sequence);
            out.i32(*epoch);
            out.i64(*offset);
            out.bool(voters.is_some());
            voters.iter().for_each(|voters| write_voters(out, voters));
        }
        Content::Data { until, gaps } => {
            out.i64(*until);
            out.bool(*gaps);
            out.u32(records);
        }
    }
}

fn write_append_reply(out: &mut Writer, version: i16, reply: &AppendReply) {
    let AppendReply { outcome, matched, kept, commit, log_start, .. } = reply;
    let AppendReply { flushed, run, lossy, held_back, wish, .. } = reply;
    write_bytes(out, [APPEND_REPLY]);
    match outcome {
        Outcome::Matched => write_bytes(out, [MATCHED]),
        Outcome::Longer => write_bytes(out, [LONGER]),
        Outcome::Mismatch { asked, common } => {
            write_bytes(out, [MISMATCH]);
            write_position(out, *asked);
            write_position(out, *common);
        }
    }
    [matched, kept, commit].into_iter().for_each(|position| write_position(out, *position));
    out.i64(*log_start);
    out.u32(*run);
    let says_held_back = *held_back && version >= HELD_BACK_FROM;
    write_bytes(out, [flags([*lossy, says_held_back, false])]);
    if version >= FLUSHED_FROM {
        out.i64(*flushed);
    }
    if version >= WISH_FROM {
        out.i64(*wish);
    }
}

/// The messages of a frame, each with the records that are its own.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_messages(frame: &Frame, ends: Ends) -> Result<Vec<GroupMessage>, Strange> {
    let mut reader = Reader::new(&frame.head);
    let mut records = frame.records.clone();
    let mut messages = Vec::new();
    while reader.remaining() > 0 {
        messages.push(read_message(&mut reader, &mut records, ends)?);
    }
    match records.len() {
        0 => Ok(messages),
        left => {
            Err(Strange::Records { said: frame.records.len() - left, there: frame.records.len() })
        }
    }
}

fn read_message(
    reader: &mut Reader<'_>,
    records: &mut Bytes,
    ends: Ends,
) -> Result<GroupMessage, Strange> {
    let key = read_key(reader)?;
    let of = |(broker, Uuid(directory)): (i32, Uuid), life| ReplicaId { broker, life, directory };
    let from = of(ends.from, reader.u32().map_err(at("life"))?);
    let to = of(ends.to, reader.u32().map_err(at("life"))?);
    let epoch = read_epoch(reader)?;
    let (body, bytes) = read_body(reader, ends.version)?;
    let said = usize::try_from(bytes).unwrap_or(usize::MAX);
    if said > records.len() {
        return Err(Strange::Records { said, there: records.len() });
    }
    let own = records.split_to(said);
    let records = if own.is_empty() { Vec::new() } else { vec![own] };
    Ok(GroupMessage { key, message: Message { from, to, epoch, body }, records })
}

/// A body, and the bytes of records that belong to it.
fn read_body(reader: &mut Reader<'_>, version: i16) -> Result<(Body, u32), Strange> {
    let kind = read_code(reader)?;
    let body = match kind {
        VOTE => {
            let [pre, transfer, _] = read_flags(reader, 2)?;
            Body::Vote(Vote { pre, end: read_position(reader)?, transfer })
        }
        VOTE_REPLY => {
            let [pre, granted, lossy] = read_flags(reader, 3)?;
            Body::VoteReply(VoteReply { pre, granted, lossy })
        }
        APPEND_NOTHING | APPEND_CONTROL | APPEND_DATA => return read_append(reader, kind),
        APPEND_REPLY => Body::AppendReply(read_append_reply(reader, version)?),
        BEAT => Body::Beat { commit: read_position(reader)?, log_start: read_offset(reader)? },
        RESET => {
            let (start, commit) = (read_position(reader)?, read_position(reader)?);
            let reset = Reset { start, commit, voters: read_voters(reader)? };
            let bytes = reader.u32().map_err(at("producers"))?;
            return Ok((Body::Reset(Box::new(reset)), bytes));
        }
        TIMEOUT_NOW => Body::TimeoutNow,
        HELLO => Body::Hello { run: read_run(reader)? },
        HELLO_REPLY => Body::HelloReply { run: read_run(reader)?, end: read_position(reader)? },
        RESIGNED => Body::Resigned,
        code => return Err(Strange::Code { what: "a message", code }),
    };
    Ok((body, 0))
}

fn read_append(reader: &mut Reader<'_>, kind: u8) -> Result<(Body, u32), Strange> {
    let (prev, commit) = (read_position(reader)?, read_position(reader)?);
    let log_start = read_offset(reader)?;
    let (content, bytes) = match kind {
        APPEND_NOTHING => (Content::Nothing, 0),
        APPEND_CONTROL => (Content::Control(read_control(reader)?), 0),
        _ => {
            let (until, gaps) = (read_offset(reader)?, read_bool(reader)?);
            (Content::Data { until, gaps }, reader.u32().map_err(at("records"))?)
        }
    };
    Ok((Body::Append(Append { prev, content, commit, log_start }), bytes))
}

fn read_append_reply(reader: &mut Reader<'_>, version: i16) -> Result<AppendReply, Strange> {
    let outcome = match read_code(reader)? {
        MATCHED => Outcome::Matched,
        LONGER => Outcome::Longer,
        MISMATCH => {
            Outcome::Mismatch { asked: read_position(reader)?, common: read_position(reader)? }
        }
        code => return Err(Strange::Code { what: "an outcome", code }),
    };
    let mut position = || read_position(reader);
    let (matched, kept, commit) = (position()?, position()?, position()?);
    let (log_start, run) = (read_offset(reader)?, read_run(reader)?);
    let used = if version >= HELD_BACK_FROM { 2 } else { 1 };
    let [lossy, held_back, _] = read_flags(reader, used)?;
    // Who doesn't say it decides by itself what counts.
    let flushed = if version >= FLUSHED_FROM { read_offset(reader)? } else { kept.offset };
    // And is believed to stay.
    let wish = if version >= WISH_FROM { reader.i64().map_err(at("wish"))? } else { i64::MAX };
    let reply = AppendReply {
        outcome,
        matched,
        kept,
        flushed,
        commit,
        log_start,
        run,
        lossy,
        held_back,
        wish,
    };
    Ok(reply)
}

fn read_control(reader: &mut Reader<'_>) -> Result<Control, Strange> {
    let sequence = reader.i64().map_err(at("sequence"))?;
    if sequence < 1 {
        return Err(Strange::Range { what: "a control sequence" });
    }
    let (epoch, offset) = (read_epoch(reader)?, read_offset(reader)?);
    let voters = if read_bool(reader)? { Some(read_voters(reader)?) } else { None };
    Ok(Control { sequence, epoch, offset, voters })
}

fn write_voters(out: &mut Writer, voters: &Voters) {
    let Voters { incoming, outgoing, generation, by_operator } = voters;
    for set in [incoming, outgoing] {
        write_count(out, set.len());
        for ReplicaId { broker, life, directory } in set.iter() {
            out.i32(*broker);
            out.u32(*life);
            out.raw(directory);
        }
    }
    out.i64(*generation);
    write_bytes(out, [u8::from(*by_operator)]);
}

fn read_voters(reader: &mut Reader<'_>) -> Result<Arc<Voters>, Strange> {
    let (incoming, outgoing) = (read_set(reader)?, read_set(reader)?);
    let generation = reader.i64().map_err(at("generation"))?;
    let by_operator = read_bool(reader)?;
    Ok(Arc::new(Voters { incoming, outgoing, generation, by_operator }))
}

fn read_set(reader: &mut Reader<'_>) -> Result<Arc<[ReplicaId]>, Strange> {
    let set = reader.array(false, REPLICA_BYTES, |reader| {
        let (broker, life, Uuid(directory)) = (reader.i32()?, reader.u32()?, reader.uuid()?);
        Ok::<_, Fault>(ReplicaId { broker, life, directory })
    })?;
    if set.len() > VOTERS_MAX {
        return Err(Strange::Range { what: "the number of voters" });
    }
    Ok(set.into())
}

pub(super) fn write_key(out: &mut Writer, key: &GroupKey) {
    out.uuid(key.topic_id);
    out.i32(key.partition);
}

pub(super) fn read_key(reader: &mut Reader<'_>) -> Result<GroupKey, Strange> {
    let topic_id = reader.uuid().map_err(at("topic id"))?;
    let partition = reader.i32().map_err(at("partition"))?;
    match partition {
        0.. => Ok(GroupKey { topic_id, partition }),
        _ => Err(Strange::Range { what: "a partition" }),
    }
}

pub(super) fn write_position(out: &mut Writer, position: Position) {
    out.i32(position.epoch);
    out.i64(position.offset);
    out.i64(position.control);
}

pub(super) fn read_position(reader: &mut Reader<'_>) -> Result<Position, Strange> {
    let (epoch, offset) = (read_epoch(reader)?, read_offset(reader)?);
    let control = reader.i64().map_err(at("control"))?;
    match control {
        0.. => Ok(Position { epoch, offset, control }),
        _ => Err(Strange::Range { what: "a control sequence" }),
    }
}

/// An epoch, or −1 for none.
pub(super) fn read_epoch(reader: &mut Reader<'_>) -> Result<i32, Strange> {
    let epoch = reader.i32().map_err(at("epoch"))?;
    if epoch < -1 { Err(Strange::Range { what: "an epoch" }) } else { Ok(epoch) }
}

pub(super) fn read_offset(reader: &mut Reader<'_>) -> Result<i64, Strange> {
    let offset = reader.i64().map_err(at("offset"))?;
    if offset < 0 { Err(Strange::Range { what: "an offset" }) } else { Ok(offset) }
}

fn read_run(reader: &mut Reader<'_>) -> Result<u32, Strange> {
    Ok(reader.u32().map_err(at("run"))?)
}

/// A truth value: 0 or 1, so that what was encoded has one encoding.
pub(super) fn read_bool(reader: &mut Reader<'_>) -> Result<bool, Strange> {
    match read_code(reader)? {
        0 => Ok(false),
        1 => Ok(true),
        code => Err(Strange::Code { what: "a truth value", code }),
    }
}

pub(super) fn read_code(reader: &mut Reader<'_>) -> Result<u8, Strange> {
    Ok(reader.i8().map_err(at("code"))?.cast_unsigned())
}

pub(super) fn write_bytes<const N: usize>(out: &mut Writer, bytes: [u8; N]) {
    out.raw(&bytes);
}

pub(super) fn write_count(out: &mut Writer, count: usize) {
    out.u32(u32::try_from(count).expect("a list that fits into a frame"));
}

/// Three truth values in a byte, the first in the lowest bit.
pub(super) fn flags(values: [bool; 3]) -> u8 {
    let [first, second, third] = values.map(u8::from);
    first | second << 1 | third << 2
}

/// The same, of which only so many may be set.
pub(super) fn read_flags(reader: &mut Reader<'_>, used: u32) -> Result<[bool; 3], Strange> {
    let code = read_code(reader)?;
    if code >> used != 0 {
        return Err(Strange::Code { what: "flags", code });
    }
    Ok([1, 2, 4].map(|bit| code & bit != 0))
}

/// Says in which field a fault is.
pub(super) fn at(field: &'static str) -> impl Fn(Fault) -> FieldError {
    move |fault| FieldError { field, fault }
}

#[cfg(test)]
mod tests;
