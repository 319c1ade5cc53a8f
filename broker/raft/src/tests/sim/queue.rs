//! What is to happen, in the order of virtual time.

use core::cmp::{Ordering, Reverse};

use alloc::boxed::Box;
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;

use crate::Beat;
use crate::tests::node::Packet;

/// Something that is to happen. What a process does has the number of its boot, and doesn't happen
/// to a later one.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A message arrives at a broker, for a group.
    Arrives { at: usize, group: usize, packet: Box<Packet> },
    /// A beat arrives at a broker, from another one.
    Beat { at: usize, from: usize, beat: Box<Beat<u32>> },
    /// The frames of the state store that were being flushed are durable.
    Stored { at: usize, boot: u32 },
    /// Records are: of these groups up to these offsets, where the log wasn't cut since.
    Flushed { at: usize, boot: u32, until: Vec<(usize, i64, u64)> },
    /// A broker looks at its timers.
    Turn { at: usize, boot: u32 },
    /// A broker starts.
    Starts { at: usize, boot: u32 },
    /// A broker ends, and loses what wasn't flushed or not.
    Ends { at: usize, boot: u32, loses: bool },
    /// A broker ends, and is back at once.
    Blinks { at: usize, boot: u32 },
    /// A broker finds that the connection to another one is gone.
    Disconnected { at: usize, boot: u32, from: usize },
    /// A client has records for a group.
    Request,
    /// The controller or an operator wants something of a group.
    Wish,
    /// Something goes wrong.
    Fault,
    /// The links of the network that are cut work again.
    Mends,
    /// Nobody does anything: time passes.
    Pause,
}

impl Event {
    /// To which broker it happens.
    pub(crate) fn at(&self) -> Option<usize> {
        match self {
            Self::Arrives { at, .. }
            | Self::Beat { at, .. }
            | Self::Stored { at, .. }
            | Self::Flushed { at, .. }
            | Self::Turn { at, .. }
            | Self::Disconnected { at, .. } => Some(*at),
            Self::Starts { .. }
            | Self::Ends { .. }
            | Self::Blinks { .. }
            | Self::Request
            | Self::Wish
            | Self::Fault
            | Self::Mends
            | Self::Pause => None,
        }
    }
}

#[derive(Debug)]
struct Entry(Reverse<(u64, u64)>, Event);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

/// What is to happen; what is to happen at the same time, in the order in which it was said.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: BinaryHeap<Entry>,
    pushed: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, time: u64, event: Event) {
        self.pushed += 1;
        self.entries.push(Entry(Reverse((time, self.pushed)), event));
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, Event)> {
        self.entries.pop().map(|Entry(Reverse((time, _)), event)| (time, event))
    }
}
