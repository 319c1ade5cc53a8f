//! What a leader knows of one of its followers.

use alloc::collections::VecDeque;

use crate::position::{Position, ReplicaId};

/// A follower, learner or observer, as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Progress {
    pub(crate) id: ReplicaId,
    /// What it has of the leader's log, flushed or not, as it said.
    pub(crate) matched: Position,
    /// What of it a kill leaves, as it said.
    pub(crate) kept: Position,
    /// Its records below this are on stable storage, as it said; exclusive.
    pub(crate) flushed: i64,
    /// Its high watermark, as it said.
    pub(crate) commit: Position,
    /// Where its log begins, durably, as it said.
    pub(crate) log_start: i64,
    /// Behind what the next message follows.
    pub(crate) next: Position,
    pub(crate) pace: Pace,
    /// Of the start since which it counts.
    pub(crate) run: Option<u32>,
    /// Beats since something of what is on its way has arrived.
    pub(crate) silent_beats: u8,
    /// Whether it has answered since the last beat, and whether it had before that.
    pub(crate) answered: [bool; 2],
    /// Whether it only votes at present, as it said.
    pub(crate) held_back: bool,
    /// The generation of the last wish that its host knows of, as it said.
    pub(crate) known_wish: i64,
    /// Whether it is to have the log though it has no vote and is to get none.
    pub(crate) observes: bool,
}

/// How records are sent to a follower.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Pace {
    /// One message, then the answer: where the logs part isn't known, or a control entry is on its
    /// way.
    Probe {
        /// Whether an answer is due.
        waiting: bool,
    },
    /// Message after message, within a window: the end and the bytes of each that is on its way.
    Stream(VecDeque<(Position, u32)>),
}

/// What is known of a follower, learner or observer, for whoever wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Who.
    pub id: ReplicaId,
    /// What it has of the leader's log, flushed or not.
    pub matched: Position,
    /// What of it counts: on stable storage, or in the page cache where that is enough.
    pub kept: Position,
    /// Its high watermark.
    pub commit: Position,
    /// Where its log begins, durably; inclusive.
    pub log_start: i64,
    /// Whether it only votes at present, and takes no office.
    pub held_back: bool,
    /// Whether it has answered since the beat before the last.
    pub answers: bool,
}

impl Progress {
    /// Nothing is known but where to begin.
    pub(crate) fn new(id: ReplicaId, next: Position) -> Self {
        Self {
            id,
            matched: Position::ZERO,
            kept: Position::ZERO,
            flushed: 0,
            commit: Position::ZERO,
            log_start: 0,
            next,
            pace: Pace::Probe { waiting: false },
            run: None,
            silent_beats: 0,
            answered: [false; 2],
            held_back: false,
            known_wish: i64::MIN,
            observes: false,
        }
    }

    /// - `caching`: as for [`Self::counted`].
    pub(crate) fn standing(&self, caching: bool) -> Standing {
        let Self { id, matched, commit, log_start, held_back, .. } = *self;
        let (kept, answers) = (self.counted(caching), self.is_there());
        Standing { id, matched, kept, commit, log_start, held_back, answers }
    }

    /// What of it counts.
    ///
    /// - `caching`: whether what is in its page cache does.
    pub(crate) fn counted(&self, caching: bool) -> Position {
        if caching { self.kept } else { self.durable() }
    }

    /// What it has on stable storage. What is before its last control entry is there.
    pub(crate) fn durable(&self) -> Position {
        Position { offset: self.kept.offset.min(self.flushed), ..self.kept }
    }

    /// Asks anew where the logs part, from `next` on.
    pub(crate) fn probe(&mut self, next: Position) {
        self.next = next;
        self.pace = Pace::Probe { waiting: false };
        self.silent_beats = 0;
    }

    /// It has spoken in a start of it; returns whether that is its last. In a new one it has what
    /// it kept, or nothing that is known where it may have lost records.
    pub(crate) fn meet(&mut self, run: u32, lossy: bool) -> bool {
        if self.run.is_some_and(|known| run < known) {
            return false;
        }
        if self.run.replace(run).is_some_and(|known| known < run) {
            if lossy {
                (self.kept, self.flushed) = (Position::ZERO, 0);
            }
            self.matched = self.kept;
            self.pace = Pace::Probe { waiting: false };
            // A host that starts may know less than it did.
            self.known_wish = i64::MIN;
        }
        true
    }

    /// What is on its way is taken for lost.
    pub(crate) fn send_again(&mut self) {
        let next = if self.is_streaming() { self.matched } else { self.next };
        self.probe(next);
    }

    pub(crate) fn is_streaming(&self) -> bool {
        matches!(self.pace, Pace::Stream(_))
    }

    /// It has all of this leader's log up to `matched`, and nothing else behind it.
    pub(crate) fn on_matched(&mut self) {
        let matched = self.matched;
        match &mut self.pace {
            // The answer to something that was sent before what is asked now.
            Pace::Probe { .. } if matched < self.next => {}
            Pace::Probe { .. } => {
                self.silent_beats = 0;
                self.next = matched;
                self.pace = Pace::Stream(VecDeque::new());
            }
            Pace::Stream(under_way) => {
                while under_way.front().is_some_and(|(end, _)| *end <= matched) {
                    under_way.pop_front();
                    self.silent_beats = 0;
                }
            }
        }
    }

    /// A beat is sent: what has been under way for so many beats is taken for lost.
    pub(crate) fn on_beat(&mut self, patience_beats: u8) {
        self.answered = [false, self.answered[0]];
        if let Pace::Stream(under_way) = &mut self.pace
            && under_way.is_empty()
        {
            // An idle group holds no memory for what isn't on its way.
            *under_way = VecDeque::new();
        }
        let is_waiting = self.under_way().1 > 0;
        self.silent_beats = if is_waiting { self.silent_beats.saturating_add(1) } else { 0 };
        if self.silent_beats > patience_beats || !self.is_streaming() {
            self.send_again();
        }
    }

    /// Whether it has answered of late.
    pub(crate) fn is_there(&self) -> bool {
        self.answered[0] || self.answered[1]
    }

    /// Bytes and messages that are on their way.
    pub(crate) fn under_way(&self) -> (u64, usize) {
        match &self.pace {
            Pace::Probe { waiting } => (0, usize::from(*waiting)),
            Pace::Stream(queue) => {
                (queue.iter().map(|(_, bytes)| u64::from(*bytes)).sum(), queue.len())
            }
        }
    }
}
