//! A fetch session: the partitions that a client fetches again and again, and what it knows of
//! them (KIP-227).
//!
//! Must always hold: what an incremental response leaves out is what the client has been told.

use std::collections::HashMap;
use std::sync::Arc;

use super::read::Answer;
use super::wanted::{TopicName, Wanted};

/// What a client knows of a partition that it hasn't heard of, or of which it heard an error.
const UNTOLD: i64 = -1;

/// Names a partition within a session.
type Key = (Arc<TopicName>, i32);

/// One partition of a session.
#[derive(Debug, Clone)]
struct Entry {
    wanted: Wanted,
    told: Told,
    /// Where it stands among the others: those that were served last come last.
    turn: u64,
}

/// What the client was told of a partition.
#[derive(Debug, Clone, Copy)]
struct Told {
    high_watermark: i64,
    log_start_offset: i64,
}

/// About what an entry takes besides its topic's name, which may be shared.
const ENTRY_BYTES: usize = 128;

/// The partitions of a session.
#[derive(Debug, Default)]
pub(super) struct Session {
    entries: HashMap<Key, Entry>,
    /// About what the entries take.
    bytes: usize,
    next_turn: u64,
}

impl Session {
    /// The session of a client that was given `answers`.
    pub(super) fn new(answers: &[(Wanted, Answer)]) -> Self {
        let mut session = Self::default();
        for (wanted, _) in answers {
            session.want(wanted.clone());
        }
        for (wanted, answer) in answers {
            session.tell(wanted, answer);
        }
        session
    }

    /// How many partitions it has.
    pub(super) fn partition_count(&self) -> usize {
        self.entries.len()
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a partition, or changes what is wanted of it.
    pub(super) fn want(&mut self, wanted: Wanted) {
        let key = (Arc::clone(&wanted.topic), wanted.partition);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.wanted = wanted;
            return;
        }
        let told = Told { high_watermark: UNTOLD, log_start_offset: UNTOLD };
        let turn = self.take_turn();
        self.bytes += entry_bytes(&wanted.topic);
        self.entries.insert(key, Entry { wanted, told, turn });
    }

    /// Drops a partition.
    pub(super) fn forget(&mut self, topic: &Arc<TopicName>, partition: i32) {
        if self.entries.remove(&(Arc::clone(topic), partition)).is_some() {
            self.bytes -= entry_bytes(topic);
        }
    }

    /// What is wanted, in the order in which it is to be read.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        let mut entries: Vec<&Entry> = self.entries.values().collect();
        entries.sort_unstable_by_key(|entry| entry.turn);
        entries.into_iter().map(|entry| entry.wanted.clone()).collect()
    }

    /// Notes what the client is told of a partition; returns whether it has to be told.
    pub(super) fn tell(&mut self, wanted: &Wanted, answer: &Answer) -> bool {
        let turn = self.take_turn();
        let key = (Arc::clone(&wanted.topic), wanted.partition);
        let Some(entry) = self.entries.get_mut(&key) else { return false };
        let has_records = !answer.records.is_empty();
        if has_records {
            // The others come first next time, so that none of them starves.
            entry.turn = turn;
        }
        let told = entry.told;
        let must = has_records
            || answer.is_urgent()
            || told.high_watermark != answer.high_watermark
            || told.log_start_offset != answer.log_start_offset;
        entry.told = Told {
            // When the trouble is over it is told in any case.
            high_watermark: if answer.is_urgent() { UNTOLD } else { answer.high_watermark },
            log_start_offset: answer.log_start_offset,
        };
        must
    }

    fn take_turn(&mut self) -> u64 {
        self.next_turn += 1;
        self.next_turn
    }
}

/// The epoch behind the one that opens a session.
const FIRST_INCREMENTAL_EPOCH: i32 = 1;

/// The epoch of the fetch that follows one of `epoch`; 0 would open another session.
pub(super) fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(FIRST_INCREMENTAL_EPOCH)
}

fn entry_bytes(topic: &TopicName) -> usize {
    let name_bytes = match topic {
        TopicName::Name(name) => name.len(),
        TopicName::Id(_) => 0,
    };
    ENTRY_BYTES + name_bytes
}
