//! Frames of the state store, by number, and what waits for those that aren't durable yet.

use alloc::boxed::Box;

use crate::position::Position;

/// Frames of the state store. An idle group waits for none, and holds only a number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(not(test), derive(Hash))]
pub(crate) struct Frames {
    /// The last that was asked for.
    pub(crate) issued: u64,
    /// What waits, while some aren't durable.
    pub(crate) open: Option<Box<Open>>,
}

/// What waits for frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(test), derive(Hash))]
pub(crate) struct Open {
    /// The last that is durable.
    pub(crate) done: u64,
    /// With which the epoch and the vote are durable.
    pub(crate) vote: u64,
    /// With which the log is as the core has it: a control entry, a cut, a reset.
    pub(crate) log: u64,
    /// With which the log's start is.
    pub(crate) start: u64,
    /// Where the log ends until then: before the control entry, or where it was cut.
    pub(crate) before: Position,
    /// Where it begins until then.
    pub(crate) durable_start: i64,
}

impl Frames {
    /// Asks for another one; returns its number.
    pub(crate) fn issue(&mut self) -> u64 {
        let done = self.issued;
        self.open.get_or_insert_with(|| {
            let (before, durable_start) = (Position::ZERO, 0);
            Box::new(Open { done, vote: done, log: done, start: done, before, durable_start })
        });
        self.issued += 1;
        self.issued
    }

    /// This one is durable, and all before it.
    pub(crate) fn complete(&mut self, number: u64) {
        if let Some(open) = &mut self.open {
            open.done = open.done.max(number);
        }
        if self.done() >= self.issued {
            self.open = None;
        }
    }

    /// The last that is durable.
    pub(crate) fn done(&self) -> u64 {
        self.open.as_ref().map_or(self.issued, |open| open.done)
    }

    /// The epoch and the vote are durable with the last frame.
    pub(crate) fn vote_waits(&mut self) {
        if let Some(open) = &mut self.open {
            open.vote = self.issued;
        }
    }

    /// The log is as the core has it with the last frame.
    ///
    /// - `before`: where it ends until then.
    pub(crate) fn log_waits(&mut self, before: Position) {
        if let Some(open) = &mut self.open {
            (open.log, open.before) = (self.issued, before);
        }
    }

    /// The log's start is durable with the last frame.
    ///
    /// - `durable_start`: where it begins until then.
    pub(crate) fn start_waits(&mut self, durable_start: i64) {
        if let Some(open) = &mut self.open {
            (open.start, open.durable_start) = (self.issued, durable_start);
        }
    }

    /// Whether the epoch and the vote are durable.
    pub(crate) fn have_vote(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.done >= open.vote)
    }

    /// Where the log ends, while its shape on stable storage isn't the core's.
    pub(crate) fn end_before(&self) -> Option<Position> {
        let open = self.open.as_ref().filter(|open| open.done < open.log);
        open.map(|open| open.before)
    }

    /// Where the log begins, while its start isn't durable.
    pub(crate) fn start_before(&self) -> Option<i64> {
        let open = self.open.as_ref().filter(|open| open.done < open.start);
        open.map(|open| open.durable_start)
    }
}
