//! A replica and its disk, which loses what wasn't flushed.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::bounds::Bounds;
use super::world::Violation;
use crate::group::{Durable, Group, Options};
use crate::mutant::Mutant;
use crate::{Batches, Body, Content, Control, Effects, History, Message, Position};
use crate::{ReplicaId, Store, Voters};

/// A record: who wrote it, and which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) epoch: i32,
    pub(crate) value: u32,
}

impl Record {
    /// What compaction leaves of one: its offset, and nothing there.
    pub(crate) const GAP: Self = Self { epoch: -1, value: u32::MAX };
}

/// An entry of a log, for comparisons.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Entry {
    Record(Record),
    Control { sequence: i64, epoch: i32, voters: Option<Arc<Voters>> },
}

/// A message on its way, with the records that go along.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Packet {
    pub(crate) message: Message,
    pub(crate) records: Vec<Record>,
}

impl Packet {
    /// From whom, to whom, and what about: of those that are the same only the last is kept, where
    /// only the last of a kind is.
    pub(crate) fn kind(&self) -> (i32, i32, u8) {
        let kind = match &self.message.body {
            Body::Append(append) => 1 - u8::from(append.content == Content::Nothing),
            Body::Vote(vote) => 2 + u8::from(vote.pre),
            Body::VoteReply(reply) => 4 + u8::from(reply.pre),
            Body::AppendReply(_) => 6,
            Body::Beat { .. } => 7,
            Body::Reset(_) => 8,
            Body::TimeoutNow => 9,
            Body::Hello { .. } => 10,
            Body::HelloReply { .. } => 11,
            Body::Resigned => 12,
        };
        (self.message.from.broker, self.message.to.broker, kind)
    }

    /// The last epoch of the addressee, on its device, in which it may still matter.
    pub(crate) fn last_epoch(&self) -> i32 {
        let Message { epoch, body, .. } = &self.message;
        let is_question = matches!(body, Body::Vote(vote) if vote.pre)
            || matches!(body, Body::VoteReply(reply) if reply.pre);
        let is_refusal = matches!(body, Body::VoteReply(reply) if !reply.granted);
        epoch - i32::from(is_question || is_refusal)
    }
}

/// What the state store has on the device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) epoch: i32,
    pub(crate) vote: Option<ReplicaId>,
    pub(crate) start: Position,
    pub(crate) voters: Arc<Voters>,
    pub(crate) controls: Vec<Control>,
    pub(crate) lossy: bool,
}

/// A replica and its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: ReplicaId,
    /// `None` while it is down.
    pub(crate) group: Option<Group>,
    pub(crate) run: u32,
    pub(crate) state: State,
    /// Frames of the state store that are not durable yet.
    pub(crate) frames: VecDeque<(u64, Vec<Store>)>,
    /// The records in the page cache, from the start's offset on.
    pub(crate) records: Vec<Record>,
    /// Below it they are on the device, exclusive.
    pub(crate) flushed: i64,
}

impl Node {
    /// A replica that never was before, down.
    pub(crate) fn new(id: ReplicaId, voters: Arc<Voters>) -> Self {
        let start = Position::ZERO;
        let state = State { epoch: -1, vote: None, start, voters, controls: vec![], lossy: false };
        let (frames, records) = (VecDeque::new(), vec![]);
        Self { id, group: None, run: 0, state, frames, records, flushed: 0 }
    }

    /// Whether there is something to flush, and the log's shape is on the device.
    pub(crate) fn may_flush(&self) -> bool {
        let is_at_rest = self.group.as_ref().is_some_and(Group::is_at_rest);
        is_at_rest && self.flushed < self.end()
    }

    pub(crate) fn alive(&mut self) -> &mut Group {
        self.group.as_mut().unwrap()
    }

    pub(crate) fn end(&self) -> i64 {
        self.state_base() + i64::try_from(self.records.len()).unwrap()
    }

    /// The offset of the first record on the disk.
    fn state_base(&self) -> i64 {
        self.state.start.offset
    }

    fn at(&self, offset: i64) -> usize {
        usize::try_from(offset - self.state_base()).unwrap()
    }

    pub(crate) fn start(&mut self, bounds: &Bounds) {
        self.begin(bounds.options(), 0, bounds.mutant);
    }

    /// Starts with what is on the disk.
    ///
    /// - `high_watermark`: the last that was written down.
    pub(crate) fn begin(&mut self, options: Options, high_watermark: i64, mutant: Option<Mutant>) {
        let State { epoch, vote, lossy, .. } = self.state;
        let history = self.on_disk();
        // A start flushes what it finds before it counts it.
        self.flushed = self.end();
        self.run += 1;
        let durable = Durable { epoch, vote, history, high_watermark, lossy };
        let mut group = Group::new(self.id, self.run, durable, options);
        group.mutant = mutant;
        if mutant == Some(Mutant::SecondVoteAfterRestart) {
            group.vote = None;
        }
        self.group = Some(group);
        if mutant == Some(Mutant::ResumeEpoch) && vote == Some(self.id) {
            let mut effects = Effects::default();
            self.alive().lead(&mut effects);
            let number = self.alive().issued();
            self.frames.push_back((number, effects.stores));
        }
    }

    /// The log as the disk has it.
    pub(crate) fn on_disk(&self) -> History {
        let State { start, voters, controls, .. } = &self.state;
        History::new(*start, Arc::clone(voters), controls.clone(), self.end())
    }

    /// The process ends; what it wrote stays.
    pub(crate) fn kill(&mut self) {
        self.group = None;
        self.frames.clear();
    }

    /// The machine loses power.
    ///
    /// - `kept`: how many of the records that were not flushed stay all the same.
    pub(crate) fn lose_power(&mut self, kept: usize, caching: bool) {
        self.kill();
        let kept = self.at(self.flushed) + kept;
        self.records.truncate(kept);
        // What was acknowledged out of the page cache may be gone.
        self.state.lossy |= caching;
    }

    /// How many records are not flushed.
    pub(crate) fn unflushed(&self) -> usize {
        usize::try_from(self.end() - self.flushed).unwrap()
    }

    /// The device has records below an offset, and no others.
    pub(crate) fn tear(&mut self, end: i64) {
        let kept = self.at(end);
        self.records.truncate(kept);
        self.flushed = self.flushed.min(end);
    }

    pub(crate) fn deliver(
        &mut self,
        packet: &Packet,
        heard: bool,
        effects: &mut Effects,
    ) -> Result<(), Violation> {
        if self.group.is_none() {
            return Ok(());
        }
        self.alive().step(&packet.message, heard, effects);
        let Some(write) = effects.write.take() else { return Ok(()) };
        if write.from != self.end() {
            return Err(format!("{} writes at {} of {}", self.id, write.from, self.end()));
        }
        let count = usize::try_from(write.until - write.from).unwrap();
        let new = packet.records.len().checked_sub(count).map(|at| &packet.records[at..]);
        let new = new.ok_or_else(|| format!("{packet:?} has no {count} records"))?;
        if new.contains(&Record::GAP) && !write.gaps {
            return Err(format!("{}: a gap that nobody speaks of: {packet:?}", self.id));
        }
        self.records.extend(new);
        let end = self.end();
        self.alive().written(end, effects);
        Ok(())
    }

    /// The record with an offset.
    pub(crate) fn record(&self, offset: i64) -> Record {
        self.records[self.at(offset)]
    }

    /// Does what a step asked for, but for the network; gives what is to be sent.
    pub(crate) fn spread(&mut self, effects: &mut Effects) -> Vec<Packet> {
        if self.group.is_some() {
            self.ship(effects);
            let number = self.alive().issued();
            if !effects.stores.is_empty() {
                self.frames.push_back((number, core::mem::take(&mut effects.stores)));
            }
        }
        core::mem::take(&mut effects.messages).into_iter().map(|it| self.pack(it)).collect()
    }

    /// All that was appended is on the device.
    pub(crate) fn flush(&mut self, effects: &mut Effects) {
        self.flushed = self.end();
        let flushed = self.flushed;
        self.alive().flushed(flushed, effects);
    }

    pub(crate) fn ship(&mut self, effects: &mut Effects) {
        let (records, base) = (&self.records, self.state_base());
        let batches = |_: ReplicaId, from: i64, until: i64, bytes: u32| {
            let range = [from, until].map(|offset| usize::try_from(offset - base).unwrap());
            Some(batches(&records[range[0]..range[1]], from, bytes))
        };
        self.group.as_mut().unwrap().ship(batches, effects);
    }

    /// Adds the records to a message that has some.
    pub(crate) fn pack(&self, message: Message) -> Packet {
        let records = match &message.body {
            Body::Append(append) => match append.content {
                Content::Data { until, .. } => {
                    self.records[self.at(append.prev.offset)..self.at(until)].to_vec()
                }
                _ => vec![],
            },
            _ => vec![],
        };
        Packet { message, records }
    }

    pub(crate) fn make_durable(&mut self, effects: &mut Effects) {
        if let Some(number) = self.persist() {
            self.alive().stored(number, effects);
        }
    }

    /// The next frame is on the device, whether anybody learns of it or not.
    pub(crate) fn persist(&mut self) -> Option<u64> {
        let (number, stores) = self.frames.pop_front()?;
        for store in stores {
            match store {
                Store::Vote { epoch, vote } => (self.state.epoch, self.state.vote) = (epoch, vote),
                Store::Control(control) => {
                    self.flushed = self.flushed.max(control.offset);
                    self.state.controls.push(control);
                }
                Store::Cut(to) => {
                    let kept = self.at(to.offset);
                    self.records.truncate(kept);
                    self.state.controls.retain(|control| control.sequence <= to.control);
                    self.flushed = to.offset;
                }
                Store::Reset { start, voters } => {
                    self.records.clear();
                    self.state.controls.clear();
                    (self.state.start, self.state.voters) = (start, voters);
                    self.flushed = start.offset;
                }
                Store::Start { start, voters } => {
                    let gone = self.at(start.offset);
                    self.records.drain(..gone);
                    self.state.controls.retain(|control| control.sequence > start.control);
                    (self.state.start, self.state.voters) = (start, voters);
                    self.flushed = self.flushed.max(start.offset);
                }
                Store::Clean => self.state.lossy = false,
            }
        }
        Some(number)
    }

    /// The entries up to a position, and how many entries of the group were before the first.
    pub(crate) fn entries_to(&self, to: Position) -> (usize, Vec<Entry>) {
        let history = self.group.as_ref().unwrap().history();
        let start = history.start();
        let mut entries = vec![];
        let mut offset = start.offset;
        let mut records = |until: i64, entries: &mut Vec<Entry>| {
            while offset < until {
                entries.push(Entry::Record(self.records[self.at(offset)]));
                offset += 1;
            }
        };
        for control in history.controls().iter().filter(|it| it.sequence <= to.control) {
            records(control.offset, &mut entries);
            let Control { sequence, epoch, voters, .. } = control.clone();
            entries.push(Entry::Control { sequence, epoch, voters });
        }
        records(to.offset, &mut entries);
        (usize::try_from(start.offset + start.control).unwrap(), entries)
    }

    /// What must hold of a node alone: every record is of the epoch that its place says.
    pub(crate) fn look(&self) -> Result<(), Violation> {
        let history = self.on_disk();
        let present = |(_, record): &(usize, &Record)| **record != Record::GAP;
        for (i, record) in self.records.iter().enumerate().filter(present) {
            let offset = self.state_base() + i64::try_from(i).unwrap();
            let after = history.first_at(offset + 1);
            if after.epoch != record.epoch {
                return Err(format!("{}: {record:?} at {offset}, epoch {after}", self.id));
            }
        }
        let Some(group) = &self.group else { return Ok(()) };
        if group.commit() > group.history().end() {
            return Err(format!("{} has committed beyond its end", self.id));
        }
        if self.frames.is_empty() && *group.history() != history {
            return Err(format!("{}: {:?} is {history:?} on disk", self.id, group.history()));
        }
        Ok(())
    }
}

/// So many of these records as a message may have, at least one; gaps take no room.
///
/// - `from`: the offset of the first.
fn batches(records: &[Record], from: i64, bytes: u32) -> Batches {
    let room = usize::try_from(bytes.max(1)).unwrap();
    let present = records.iter().enumerate().filter(|(_, record)| **record != Record::GAP);
    let next = present.map(|(at, _)| at).nth(room);
    let taken = &records[..next.unwrap_or(records.len())];
    let gaps = taken.iter().filter(|record| **record == Record::GAP).count();
    let until = from + i64::try_from(taken.len()).unwrap();
    let bytes = u32::try_from(taken.len() - gaps).unwrap();
    Batches { from, until, bytes, gaps: gaps > 0 }
}
