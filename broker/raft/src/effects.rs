//! What a step asks its host to do, in the order in which it stands here.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::history::Control;
use crate::message::Message;
use crate::position::{Position, ReplicaId};
use crate::trace::Event;
use crate::voters::Voters;

/// What a step asks for. The host keeps one, empties it after each step, and so allocates nothing.
#[derive(Debug, Default)]
pub struct Effects {
    /// First: one durable, atomic frame of the state store. The log is flushed up to the entry, the
    /// cut or the start that it names, before it is durable. Then the host calls
    /// [`Group::stored`](crate::Group::stored) with [`Group::issued`](crate::Group::issued) as it
    /// was after the step. Frames become durable in the order of their steps.
    pub stores: Vec<Store>,
    /// Second: records that came with the message are appended, from the first offset on that the
    /// log doesn't have. Then the host calls [`Group::written`](crate::Group::written).
    pub write: Option<Write>,
    /// Third: these may leave at once. Each says only what is durable already, or claims nothing.
    pub messages: Vec<Message>,
    /// What happened, in words; kept only where somebody listens.
    pub trace: Option<Vec<Event>>,
}

/// A record of the state store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Store {
    /// The epoch, and for whom the replica voted in it.
    Vote {
        /// The epoch.
        epoch: i32,
        /// Who got the vote.
        vote: Option<ReplicaId>,
    },
    /// A control entry at the end of the log, which is flushed up to it before.
    Control(Control),
    /// The log ends here; what is behind is dropped, in files and in the store.
    Cut(Position),
    /// The log begins anew here, empty, and what it was is dropped.
    Reset {
        /// Where it begins.
        start: Position,
        /// The voters in force there.
        voters: Arc<Voters>,
    },
    /// The log begins here; what was before may be deleted once this is durable.
    Start {
        /// Where it begins.
        start: Position,
        /// The voters in force there.
        voters: Arc<Voters>,
    },
    /// Nothing is missing any more of what the replica had acknowledged.
    Clean,
}

/// Records to be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// The first offset, inclusive: the end of the log.
    pub from: i64,
    /// The end, exclusive.
    pub until: i64,
    /// Whether offsets may be missing.
    pub gaps: bool,
}

impl Effects {
    /// Forgets everything, and keeps the memory.
    pub fn clear(&mut self) {
        self.stores.clear();
        self.write = None;
        self.messages.clear();
        if let Some(trace) = &mut self.trace {
            trace.clear();
        }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stores.is_empty() && self.write.is_none() && self.messages.is_empty()
    }
}
