//! What is to happen, in the order of virtual time.

use std::collections::BTreeMap;

use bytes::Bytes;

use logboom_raft::Beat;
use logboom_storage::state::GroupKey;

use super::network::Way;
use super::tasks::Arrived;
use crate::peer::GroupMessage;

/// Something that is to happen. What a process does has the number of its start, and doesn't happen
/// to a later one.
#[derive(Debug)]
pub(super) enum Event {
    /// A shard has a turn.
    Turn { at: usize, start: u32 },
    /// The flush of a log that was asked for first is done.
    Flush { at: usize, start: u32 },
    /// What the state store was asked for is durable.
    Round { at: usize, start: u32 },
    /// A thread goes on.
    Thread { at: usize, start: u32, thread: usize },
    /// What was to be read from the device is read.
    Errands { at: usize, start: u32 },
    /// Something arrives over a connection, of which this is the number.
    Arrives { way: Way, connection: u64, parcel: Parcel },
    /// A broker tries to connect to another one.
    Connects { way: Way, start: u32 },
    /// The answer to a call arrives, over the connection that the call came over.
    Answers { call: Arrived, answer: Bytes },
    /// A broker finds that a connection is gone.
    Breaks { way: Way, connection: u64 },
    /// The tasks of a broker run, if one has something to do or the time has come.
    Tasks { at: usize, start: u32 },
    /// A broker starts.
    Starts { at: usize },
    /// A broker ends, in a clean stop.
    Stops { at: usize, start: u32 },
    /// A broker that stood still goes on.
    Resumes { at: usize },
    /// A client has records for a group.
    Request,
    /// An operator wants something.
    Wish,
    /// Something goes wrong.
    Fault,
    /// What is cut works again.
    Mends,
    /// Nobody does anything: time passes.
    Pause,
}

/// What travels.
#[derive(Debug)]
pub(super) enum Parcel {
    Beats(Vec<(u8, Beat<GroupKey>)>),
    Messages(Vec<GroupMessage>),
    Call(u64, Bytes),
}

/// What is to happen; what is to happen at the same time, in the order in which it was said.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: BTreeMap<(u64, u64), Event>,
    pushed: u64,
}

impl Queue {
    pub(super) fn push(&mut self, time: u64, event: Event) {
        self.pushed += 1;
        self.entries.insert((time, self.pushed), event);
    }

    pub(super) fn pop(&mut self) -> Option<(u64, Event)> {
        self.entries.pop_first().map(|((time, _), event)| (time, event))
    }
}
