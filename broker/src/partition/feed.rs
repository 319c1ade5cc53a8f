//! What followers are sent of the log, and where it is read: the shard lends what was appended a
//! moment ago from memory; for whoever is behind threads read that may wait, a part at a time.
//!
//! ```text
//!   near the end, and in memory ──▶ a slice of the map
//!   anything else ──▶ a permit ──▶ ColdRead, on another thread ──▶ Command::Read ──▶ next ship
//! ```
//!
//! Must always hold: a follower that is in sync, or without which nothing is committed, is never
//! throttled; of each follower one part at the most is being read, or read and not sent; nobody
//! waits for a device for a follower that doesn't answer.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use logboom_protocol::records::{RawBatches, StampedBatch, gap_batch};
use logboom_raft::{Batches, Effects, ReplicaId};
use logboom_storage::{ColdRead, Found, LogView, ReadUntil, StorageError};

use super::catch_up::{CatchUp, Limits};
use super::hands::{Hands, Named};
use super::member::Member;
use super::replica::Replica;

/// How long a read that failed isn't tried again, and one that has met damage: that is repaired
/// first.
const PAUSE_MS: u64 = 1_000;
const DAMAGED_PAUSE_MS: u64 = 30_000;
/// Into how many parts what was appended lately is divided.
const PARTS: u64 = 16;

/// What was appended lately.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// Where each part of it begins.
    parts: VecDeque<i64>,
    /// Bytes of the last part.
    bytes: u64,
}

impl Tail {
    /// Batches were appended.
    ///
    /// - `near_bytes`: what of the end is near.
    pub(super) fn note(&mut self, base_offset: i64, bytes: usize, near_bytes: u64) {
        if self.parts.is_empty() || self.bytes >= near_bytes / PARTS {
            self.parts.push_back(base_offset);
            self.bytes = 0;
        }
        self.bytes += bytes as u64;
        if self.parts.len() as u64 > PARTS {
            self.parts.pop_front();
        }
    }

    fn has(&self, offset: i64) -> bool {
        self.parts.front().is_some_and(|first| *first <= offset)
    }
}

/// What is read for a follower.
#[derive(Debug)]
enum Reading {
    /// Under this number.
    UnderWay(u64),
    /// Batches from an offset on.
    Done(i64, Bytes),
    /// It isn't tried before this time.
    Pauses(u64),
}

/// What is read for the followers of a group.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    /// Of each replica that is read for: a broker that has lost its data directory has two, and
    /// what one of them is to be sent is nothing for the other.
    of: Vec<(ReplicaId, Reading)>,
    /// Of the last read.
    number: u64,
}

impl Feeds {
    /// Another epoch begins: what is under way is for nobody.
    pub(super) fn clear(&mut self) {
        self.of.clear();
    }

    /// What couldn't be read may be readable now.
    pub(super) fn retry(&mut self) {
        self.of.retain(|(_, reading)| !matches!(reading, Reading::Pauses(_)));
    }

    /// A read is over; returns for whom it was, if anybody waits for it.
    fn on_read(&mut self, number: u64, reading: Reading) -> Option<ReplicaId> {
        let is_it =
            |it: &&mut (ReplicaId, Reading)| matches!(it.1, Reading::UnderWay(n) if n == number);
        let (replica, waits) = self.of.iter_mut().find(is_it)?;
        *waits = reading;
        Some(*replica)
    }

    /// Batches from an offset on that were read for a replica; an error where it has to wait.
    fn take(&mut self, replica: ReplicaId, at: i64, now: u64) -> Result<Option<Bytes>, Waits> {
        let found = self.of.iter().position(|(of, _)| *of == replica);
        let Some(found) = found else { return Ok(None) };
        match self.of[found].1 {
            Reading::UnderWay(_) => return Err(Waits),
            Reading::Pauses(until) if now < until => return Err(Waits),
            Reading::Done(..) | Reading::Pauses(_) => {}
        }
        match self.of.swap_remove(found).1 {
            Reading::Done(from, bytes) if from == at => Ok(Some(bytes)),
            _ => Ok(None),
        }
    }

    fn begin(&mut self, replica: ReplicaId) -> u64 {
        self.number += 1;
        self.of.push((replica, Reading::UnderWay(self.number)));
        self.number
    }

    /// What nobody took is for nobody: it would be memory that is held for long.
    fn forget_rest(&mut self) {
        self.of.retain(|(_, reading)| !matches!(reading, Reading::Done(..)));
    }
}

/// Something is being read, or isn't to be read now.
struct Waits;

/// Batches from an offset on that were read in this turn.
pub(super) type Read = (i64, Batches, Bytes);

/// Reads for the followers of a group, in one turn.
struct Feeder<'a> {
    name: Named,
    view: Arc<LogView>,
    tail: &'a Tail,
    feeds: &'a mut Feeds,
    /// Brokers that aren't to be sent more than what is near.
    crowded: &'a [i32],
    /// Replicas that answer.
    there: &'a [ReplicaId],
    limits: &'a dyn Fn(i32) -> Limits,
    hands: &'a Hands,
    read: Vec<Read>,
}

impl Replica {
    /// Has the group say what there is to say to followers, as far as windows allow; returns what
    /// was read for it.
    ///
    /// - `crowded`: brokers to which much is on its way.
    pub(super) fn ship(&mut self, crowded: &[i32], hands: &Hands) -> Vec<Read> {
        let settings = self.partition.settings();
        let (own, partition) = (self.group.id().broker, self.partition.key.partition);
        let Some(member) = self.member.as_deref_mut() else { return Vec::new() };
        let Member { office, tail, outgoing, wish, .. } = member;
        let office = office.get_or_insert_default();
        let in_sync = &office.in_sync;
        let (throttled, voters) = (&settings.throttled, Arc::clone(self.group.voters()));
        let limits = |to: i32| {
            let is_in_sync = |id: ReplicaId| in_sync.contains(&id.broker);
            if in_sync.contains(&to) || !voters.have_majority(is_in_sync) {
                return Limits::default();
            }
            let leader = throttled.leader.names(partition, own);
            let follower = throttled.follower.names(partition, to).then_some(to);
            // Who observes and isn't to have a vote, as of the metadata, is no newcomer.
            let is_wished =
                wish.as_ref().is_some_and(|it| it.voters.iter().any(|id| id.broker == to));
            let is_new = is_wished && !voters.all().any(|id| id.broker == to);
            Limits { leader, follower, newcomers: is_new && !leader && follower.is_none() }
        };
        let answering = self.group.standings().filter(|standing| standing.answers);
        let there: Vec<ReplicaId> = answering.map(|standing| standing.id).collect();
        let mut feeder = Feeder {
            name: self.name,
            view: Arc::clone(self.log.view()),
            tail,
            feeds: &mut office.feeds,
            crowded,
            there: &there,
            limits: &limits,
            hands,
            read: Vec::new(),
        };
        let mut effects = Effects::default();
        let given = &self.partition.traffic.given;
        self.group.ship(
            |to, from, until, bytes_max| {
                let batches = feeder.batches(to, from, until, bytes_max)?;
                // What is copied once is no load.
                if limits(to.broker) == Limits::default() {
                    given.add(batches.bytes as usize);
                }
                Some(batches)
            },
            &mut effects,
        );
        feeder.feeds.forget_rest();
        let read = feeder.read;
        outgoing.append(&mut effects.messages);
        read
    }

    /// Something was read for a follower.
    pub(super) fn on_read(
        &mut self,
        number: u64,
        from: i64,
        result: Result<Bytes, StorageError>,
        now: u64,
    ) {
        let office = self.member.as_mut().and_then(|member| member.office.as_mut());
        let Some(office) = office else { return };
        let (reading, why) = match result {
            Ok(bytes) => (Reading::Done(from, bytes), None),
            // The log begins later now, or was cut.
            Err(StorageError::OutOfRange { .. }) => (Reading::Pauses(now), None),
            Err(error @ StorageError::Corrupt(_)) => {
                (Reading::Pauses(now + DAMAGED_PAUSE_MS), Some(error))
            }
            Err(error) => (Reading::Pauses(now + PAUSE_MS), Some(error)),
        };
        if let (Some(to), Some(error)) = (office.feeds.on_read(number, reading), why) {
            let partition = self.partition.key;
            tracing::warn!(%partition, %to, from, %error, "a follower can't be sent what it lacks");
        }
    }

    /// The log is cut: what comes next isn't behind what was appended lately.
    pub(super) fn forget_tail(&mut self) {
        self.member.iter_mut().for_each(|member| member.tail = Tail::default());
    }

    /// Batches were appended.
    pub(super) fn note_tail(&mut self, batches: &[StampedBatch], catch_up: &CatchUp) {
        let Some(member) = &mut self.member else { return };
        for batch in batches {
            member.tail.note(batch.header().base_offset, batch.size(), catch_up.near_bytes);
        }
    }
}

impl Feeder<'_> {
    /// As [`Group::ship`](logboom_raft::Group::ship) asks for them.
    fn batches(&mut self, to: ReplicaId, from: i64, until: i64, bytes_max: u32) -> Option<Batches> {
        // The log may start within a batch.
        let at = from.max(self.view.log_start_offset());
        let limits = (self.limits)(to.broker);
        let is_near = self.tail.has(at) && limits == Limits::default();
        let mut fits = self.read.iter().filter(|it| it.1.until <= until);
        if is_near && let Some((_, batches, _)) = fits.clone().find(|it| it.0 == from) {
            return Some(*batches);
        }
        // What begins before the offset that was asked for is asked for once more, from there on.
        if let Some((_, batches, bytes)) = fits.find(|it| it.1.from == from && it.0 > from).cloned()
        {
            self.read.push((from, batches, bytes));
            return Some(batches);
        }
        let now = self.hands.around.boot_ms();
        let bytes = match self.feeds.take(to, at, now) {
            Err(Waits) => return None,
            Ok(Some(bytes)) => bytes,
            Ok(None) if is_near => match self.view.read(at, bytes_max, ReadUntil::End) {
                Ok(Found::Batches(bytes)) => bytes,
                Ok(Found::Cold(read)) => {
                    self.begin(to, at, read, (bytes_max, limits));
                    return None;
                }
                Ok(Found::Nothing) | Err(_) => return None,
            },
            Ok(None) if self.crowded.contains(&to.broker) => return None,
            Ok(None) => {
                let read = self.view.read_later(at, bytes_max, ReadUntil::End).ok()?;
                self.begin(to, at, read, (bytes_max, limits));
                return None;
            }
        };
        let (batches, bytes) = whole_batches(&bytes, from, until)?;
        self.read.push((from, batches, bytes));
        Some(batches)
    }

    /// Has another thread read, if that may be now.
    ///
    /// - `cost`: about so many bytes, and what limits them.
    fn begin(&mut self, to: ReplicaId, at: i64, read: ColdRead, cost: (u32, Limits)) {
        if !self.there.contains(&to) {
            // What it would cost is for those that take something.
            return;
        }
        let now = self.hands.around.boot_ms();
        if let Some(permit) = self.hands.catch_up.permit(cost.1, cost.0, now) {
            let number = self.feeds.begin(to);
            self.hands.read_later(self.name, number, at, read, permit);
        }
    }
}

/// A batch that says that nothing is there, from an offset on (inclusive) up to another
/// (exclusive).
pub(super) fn gap(from: i64, until: i64, leader_epoch: i32) -> Bytes {
    let last_offset_delta = i32::try_from(until - from - 1).unwrap_or(i32::MAX);
    Bytes::copy_from_slice(&gap_batch(from, last_offset_delta, leader_epoch))
}

/// The batches from `from` on that end at `until` or before it; none where the first doesn't.
fn whole_batches(bytes: &Bytes, from: i64, until: i64) -> Option<(Batches, Bytes)> {
    let (mut first, mut end, mut length) = (from, from, 0);
    for batch in RawBatches::new(bytes) {
        let batch = batch.ok()?;
        if batch.header().record_count > 0 {
            first = first.min(batch.header().base_offset);
        }
        let batch_end =
            batch.header().base_offset + i64::from(batch.header().last_offset_delta) + 1;
        if batch_end > until {
            let is_gap = batch.header().record_count == 0 && end == from;
            if is_gap && batch.header().base_offset < until {
                // Nothing is there, on both sides of `until`.
                let part = gap(from, until, batch.header().leader_epoch);
                let bytes = u32::try_from(part.len()).ok()?;
                return Some((Batches { from, until, bytes, gaps: false }, part));
            }
            break;
        }
        (end, length) = (batch_end, length + batch.bytes().len());
    }
    let bytes = bytes.slice(..length);
    let size = u32::try_from(length).ok()?;
    (end > from).then_some((Batches { from: first, until: end, bytes: size, gaps: false }, bytes))
}
