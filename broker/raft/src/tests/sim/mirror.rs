//! A log as a row of hashes: each stands for all entries up to a place, so that two logs are
//! compared by comparing two numbers.

use std::collections::HashMap;
use std::format;

use alloc::vec;
use alloc::vec::Vec;

use crate::Position;
use crate::group::Role;
use crate::history::{Control, History, Next};
use crate::tests::node::{Node, Record};
use crate::tests::world::Violation;

/// What stands before each place at which a log of the group ever ended. Logs that have a place in
/// common are the same up to it.
pub(crate) type Places = HashMap<(i32, i64, i64), u64>;

/// How many entries stand before a place, since the group began.
pub(crate) fn index(position: Position) -> usize {
    usize::try_from(position.offset + position.control).unwrap()
}

fn key(position: Position) -> (i32, i64, i64) {
    (position.epoch, position.offset, position.control)
}

fn mixed(hash: u64, value: u64) -> u64 {
    let mut z = hash.rotate_left(23).wrapping_add(value.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn with_record(hash: u64, record: Record) -> u64 {
    mixed(mixed(hash, 1), u64::from(record.value) << 32 | u64::from(record.epoch.cast_unsigned()))
}

fn with_control(hash: u64, control: &Control) -> u64 {
    let number = |value: i64| value.cast_unsigned();
    let mut hash = mixed(mixed(hash, 2), number(control.sequence));
    hash = mixed(hash, u64::from(control.epoch.cast_unsigned()));
    let Some(voters) = &control.voters else { return hash };
    hash = mixed(hash, number(voters.generation));
    for id in voters.incoming.iter().chain(&*voters.outgoing) {
        hash = mixed(hash, u64::from(id.broker.cast_unsigned()) << 32 | u64::from(id.life));
    }
    mixed(hash, voters.incoming.len() as u64)
}

/// A log as a row of hashes.
#[derive(Debug, Clone)]
pub(crate) struct Mirror {
    /// How many entries of the group stand before the first that is here.
    base: usize,
    /// What stands before the first entry, and behind each.
    hashes: Vec<u64>,
    end: Position,
}

impl Mirror {
    pub(crate) fn new() -> Self {
        Self { base: 0, hashes: vec![0], end: Position::ZERO }
    }

    pub(crate) fn end(&self) -> usize {
        self.base + self.hashes.len() - 1
    }

    pub(crate) fn base(&self) -> usize {
        self.base
    }

    /// What stands before a place, where the log has it.
    pub(crate) fn at(&self, index: usize) -> Option<u64> {
        self.hashes.get(index.checked_sub(self.base)?).copied()
    }

    pub(crate) fn cut(&mut self, to: Position) {
        self.hashes.truncate((index(to) + 1).saturating_sub(self.base));
        self.end = to;
    }

    /// Begins anew at a place that some log of the group had.
    pub(crate) fn reset(&mut self, start: Position, places: &Places) -> Result<(), Violation> {
        let hash = places.get(&key(start)).copied();
        let hash = if start == Position::ZERO { Some(0) } else { hash };
        let hash = hash.ok_or_else(|| format!("a log begins at {start}, where none was"))?;
        (self.base, self.hashes, self.end) = (index(start), vec![hash], start);
        Ok(())
    }

    /// Takes in what a replica has behind what is known.
    pub(crate) fn follow(&mut self, node: &Node, places: &mut Places) -> Result<(), Violation> {
        match &node.group {
            // A sole voter whose vote isn't durable: if it is lost, the epoch is used anew, and
            // nobody has heard of it.
            Some(group) if group.role() == Role::Leader && !group.may_speak() => Ok(()),
            Some(group) => self.extend(group.history(), node, places),
            None => self.extend(&node.on_disk(), node, places),
        }
    }

    fn extend(
        &mut self,
        history: &History,
        node: &Node,
        places: &mut Places,
    ) -> Result<(), Violation> {
        loop {
            match history.next(self.end) {
                Next::End => return Ok(()),
                Next::Control(control) => {
                    let hash = with_control(self.last(), control);
                    self.push(control.end(), hash, places)?;
                }
                Next::Data(until) => {
                    for offset in self.end.offset..until {
                        let end = Position { offset: offset + 1, ..self.end };
                        let hash = match node.record(offset) {
                            // What stood there is known from whoever had it.
                            Record::GAP => places.get(&key(end)).copied(),
                            record => Some(with_record(self.last(), record)),
                        };
                        let hash = hash.ok_or_else(|| format!("a gap before {end}"))?;
                        self.push(end, hash, places)?;
                    }
                }
            }
        }
    }

    fn last(&self) -> u64 {
        *self.hashes.last().unwrap()
    }

    fn push(&mut self, end: Position, hash: u64, places: &mut Places) -> Result<(), Violation> {
        if *places.entry(key(end)).or_insert(hash) != hash {
            return Err(format!("two logs have {end} and differ before it"));
        }
        self.hashes.push(hash);
        self.end = end;
        if index(end) != self.end() {
            return Err(format!("{end} is entry {}", self.end()));
        }
        Ok(())
    }
}
