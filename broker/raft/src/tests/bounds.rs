//! What a world is made of, and what may happen in it.

use alloc::vec;
use alloc::vec::Vec;

use crate::group::Options;
use crate::mutant::Mutant;

/// Something that can happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// A packet arrives, with a leader heard of or not.
    Deliver(usize, bool),
    /// A node's patience with its leader ends.
    Campaign(usize),
    /// A leader appends a record.
    Propose(usize),
    /// What a node appended becomes durable.
    Flush(usize),
    /// The next frame of a node's state store becomes durable.
    Store(usize),
    /// A node goes down; records that were not flushed are kept or lost.
    Crash(usize, bool),
    /// It comes back.
    Start(usize),
    /// A leader says how far it has committed.
    Beat(usize),
    /// A leader is to hand over to another node.
    Transfer(usize, usize),
    /// The voters are to be these.
    Wish(usize, usize),
    /// A leader's log begins at its high watermark.
    Trim(usize),
    /// A leader finds that the others don't answer.
    Resign(usize),
}

/// What a world is made of and what may happen in it.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) nodes: i32,
    /// The voters at first.
    pub(crate) voters: Vec<i32>,
    /// The sets that a leader may be told to wish for, in this order.
    pub(crate) wishes: Vec<Vec<i32>>,
    pub(crate) epochs: i32,
    pub(crate) records: u32,
    pub(crate) crashes: u32,
    pub(crate) transfers: u32,
    pub(crate) trims: u32,
    pub(crate) resignations: u32,
    pub(crate) caching: bool,
    /// Whether a crash takes what a kill of the process would leave.
    pub(crate) powerless: bool,
    /// Whether everything that was ever sent may still arrive; otherwise of each kind only the last
    /// from one replica to another.
    pub(crate) reorders: bool,
    /// Whether a campaign begins with the question whether it would succeed; without it nodes
    /// campaign even where that would have held them back.
    pub(crate) pre_votes: bool,
    /// Whether leaders beat, so that followers learn of the last commit and what was lost is sent
    /// again.
    pub(crate) beats: bool,
    /// Whether flushes of records take time; otherwise they are over at once.
    pub(crate) slow_flushes: bool,
    /// Whether frames of the state store do.
    pub(crate) slow_stores: bool,
    pub(crate) mutant: Option<Mutant>,
}

impl Bounds {
    pub(crate) fn of(nodes: i32) -> Self {
        Self {
            nodes,
            voters: (1..=nodes).collect(),
            wishes: vec![],
            epochs: 2,
            records: 1,
            crashes: 0,
            transfers: 0,
            trims: 0,
            resignations: 0,
            caching: false,
            powerless: true,
            reorders: false,
            pre_votes: false,
            beats: false,
            slow_flushes: true,
            slow_stores: true,
            mutant: None,
        }
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            caching: self.caching,
            message_bytes: 4,
            window_bytes: 8,
            window_messages: 2,
            patience_beats: 0,
        }
    }
}
