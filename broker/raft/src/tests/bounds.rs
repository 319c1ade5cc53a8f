//! What a world is made of, and what may happen in it.

use alloc::vec;
use alloc::vec::Vec;

use crate::group::Options;
use crate::mutant::Mutant;

/// What can happen to a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    /// A packet arrives, which has this number, with a leader heard of or not.
    Deliver(u32, bool),
    /// Its patience with its leader ends.
    Campaign,
    /// It leads, and appends the record with this number.
    Propose(u8),
    /// What it appended becomes durable.
    Flush,
    /// The next frame of its state store becomes durable.
    Store,
    /// Its process ends; what was written stays.
    Kill,
    /// Its machine loses power; of the records that were not flushed so many stay.
    PowerCut(u8),
    /// It comes back.
    Start,
    /// It leads, and says how far it has committed.
    Beat,
    /// It leads, and is to hand over to the replica with this index.
    Transfer(u8),
    /// It leads, and the voters are to be those of the wish with this index.
    Wish(u8),
    /// It leads, and its log is to begin at its high watermark.
    Trim,
    /// It leads, and finds that the others don't answer.
    Resign,
}

/// Something that can happen: to the replica with this index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) at: usize,
    pub(crate) deed: Deed,
}

/// What was used up of the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Used {
    pub(crate) values: u8,
    pub(crate) crashes: u8,
    pub(crate) transfers: u8,
    pub(crate) trims: u8,
    pub(crate) resignations: u8,
    pub(crate) wishes: u8,
}

impl Used {
    /// Something happens.
    pub(crate) fn note(&mut self, deed: Deed) {
        match deed {
            Deed::Propose(_) => self.values += 1,
            Deed::Kill | Deed::PowerCut(_) => self.crashes += 1,
            Deed::Transfer(_) => self.transfers += 1,
            Deed::Trim => self.trims += 1,
            Deed::Resign => self.resignations += 1,
            Deed::Wish(i) => self.wishes = self.wishes.max(i + 1),
            Deed::Deliver(..)
            | Deed::Campaign
            | Deed::Flush
            | Deed::Store
            | Deed::Start
            | Deed::Beat => {}
        }
    }

    /// All of it in one number.
    pub(crate) fn packed(self) -> u64 {
        let Self { values, crashes, transfers, trims, resignations, wishes } = self;
        u64::from_le_bytes([values, crashes, transfers, trims, resignations, wishes, 0, 0])
    }
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
    pub(crate) records: u8,
    pub(crate) crashes: u8,
    pub(crate) transfers: u8,
    pub(crate) trims: u8,
    pub(crate) resignations: u8,
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
            own_cached: self.caching,
            message_bytes: 4,
            window_bytes: 8,
            window_messages: 2,
            patience_beats: 0,
        }
    }
}
