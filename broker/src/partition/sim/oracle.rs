//! What must always hold, looked at after each turn by who sees everything.
//!
//! - What is committed is the same on every replica, byte for byte, without gaps; every producer's
//!   batches stand there once and in order; epochs grow.
//! - An epoch has one leader, whom a majority of the voters has elected, and which has all that
//!   anybody has shown as committed when it has committed something itself.
//! - What was acknowledged stands where it was said.
//! - While a replica has a lease nobody has committed anything in a later epoch.
//! - No replica comes back in a life before its last.

use std::collections::BTreeMap;

use bytes::Bytes;

use logboom_protocol::records::{BatchHeader, RawBatches};
use logboom_raft::Role;
use logboom_storage::producers::{BatchFacts, Producers, ProducersOptions};
use logboom_storage::state::GroupState;
use logboom_storage::{Found, ReadUntil, StorageError};

use super::chance::Chance;
use super::cluster::Cluster;
use super::groups::Subject;
use crate::cluster::METADATA;
use crate::partition::replica::Replica;

/// What went wrong.
pub(super) type Violation = String;

/// The batches that somebody has shown as committed.
#[derive(Default)]
pub(super) struct Committed {
    /// By base offset.
    batches: BTreeMap<i64, Batch>,
    pub(super) end: i64,
    epoch: i32,
    /// Of each producer, the sequence number that comes next.
    next_sequences: BTreeMap<i64, i32>,
}

struct Batch {
    header: BatchHeader,
    bytes: Bytes,
}

impl Committed {
    pub(super) fn count(&self) -> u64 {
        self.batches.len() as u64
    }

    /// A replica has this batch below its high watermark.
    fn see(&mut self, bytes: &[u8], header: &BatchHeader) -> Result<i64, Violation> {
        let base = header.base_offset;
        let end = base + i64::from(header.last_offset_delta) + 1;
        if let Some(known) = self.batches.get(&base) {
            let is_same = known.bytes == bytes;
            return if is_same { Ok(end) } else { Err(format!("another batch is at {base}")) };
        }
        if base != self.end {
            return Err(format!("a batch at {base}, and the log ends at {}", self.end));
        }
        let id = header.producer_id;
        let next = self.next_sequences.entry(id).or_default();
        // Those of the metadata have no producer.
        if id >= 0 && header.base_sequence != *next {
            let found = header.base_sequence;
            return Err(format!("{found} of producer {id} at {base}, in place of {next}"));
        }
        if header.leader_epoch < self.epoch {
            return Err(format!("epoch {} at {base}, behind {}", header.leader_epoch, self.epoch));
        }
        *next += header.last_offset_delta + 1;
        (self.epoch, self.end) = (header.leader_epoch, end);
        let bytes = Bytes::copy_from_slice(bytes);
        self.batches.insert(base, Batch { header: *header, bytes });
        Ok(end)
    }

    /// The batches from an offset on, and where each ends.
    pub(super) fn batches_from(&self, offset: i64) -> impl Iterator<Item = (&Bytes, i64)> {
        let end =
            |header: &BatchHeader| header.base_offset + i64::from(header.last_offset_delta) + 1;
        self.batches.range(offset..).map(move |(_, batch)| (&batch.bytes, end(&batch.header)))
    }

    /// What all that is committed makes of the producers.
    pub(super) fn producers(&self) -> Producers {
        let mut producers = Producers::new(0, ProducersOptions::default());
        for batch in self.batches.values() {
            producers.record(&BatchFacts::new(&batch.header, None));
        }
        producers.commit(self.end);
        producers
    }
}

impl Subject {
    /// A client was told that a batch is committed, by a broker whose copy may be damaged.
    pub(super) fn note_acknowledged(
        &mut self,
        at: usize,
        producer: i64,
        sequence: i32,
        base_offset: i64,
    ) -> Result<(), Violation> {
        if base_offset >= self.log.end && self.losses.rotten.contains_key(&at) {
            self.owed.push((producer, sequence, base_offset));
            return Ok(());
        }
        self.check_acknowledged(producer, sequence, base_offset)
    }

    fn check_acknowledged(
        &self,
        producer: i64,
        sequence: i32,
        base_offset: i64,
    ) -> Result<(), Violation> {
        let found = self.log.batches.get(&base_offset).map(|batch| &batch.header);
        let is_it = |it: &&BatchHeader| (it.producer_id, it.base_sequence) == (producer, sequence);
        match found.filter(is_it) {
            Some(_) => Ok(()),
            None => Err(format!(
                "{}: {sequence} of producer {producer} isn't at {base_offset}: {found:?}",
                self.key
            )),
        }
    }

    /// Where some batch begins.
    pub(super) fn some_offset(&self, chance: &mut Chance) -> Option<i64> {
        let count = self.log.batches.len();
        (count > 0)
            .then(|| chance.index(count))
            .and_then(|i| self.log.batches.keys().nth(i).copied())
    }

    /// Looks at a replica that may have changed.
    fn observe(&mut self, at: usize, start: u32, replica: &Replica) -> Result<(), Violation> {
        let (group, epoch) = (&replica.group, replica.group.epoch());
        self.losses.look(at, start, group.voters(), group.is_lossy());
        if let Some(why) = group.halted() {
            return Err(format!("it has stopped: {why}"));
        }
        let id = group.id();
        let life = self.lives.entry(id.directory).or_insert(id.life);
        if id.life < *life {
            return Err(format!("it is in life {}, and was in {life}", id.life));
        }
        *life = id.life;
        self.controls.look(at, group, self.key == METADATA)?;
        let leads = group.role() == Role::Leader;
        if leads && !self.leaders.contains_key(&epoch) {
            self.votes.check_elected(group)?;
        }
        if leads && *self.leaders.entry(epoch).or_insert(id) != id {
            return Err(format!("{} leads in epoch {epoch} too", self.leaders[&epoch]));
        }
        let view = replica.log.view();
        let (start, high_watermark) = (view.log_start_offset(), view.high_watermark());
        let is_established = leads && group.commit().epoch == epoch;
        if is_established && epoch >= self.established {
            if high_watermark < self.log.end {
                let end = self.log.end;
                return Err(format!("{end} was committed, and it leads with {high_watermark}"));
            }
            self.established = epoch;
        }
        let seen = self.seen.get(&at).copied().unwrap_or(start);
        if high_watermark < seen {
            return Err(format!("its high watermark was {seen}, and is {high_watermark}"));
        }
        let mut next = seen.max(start);
        let may_be_damaged = self.losses.rotten.contains_key(&at);
        while next < high_watermark {
            match self.read(replica, next)? {
                Some(read) => next = read,
                None if may_be_damaged => break,
                None => return Err(format!("{next} is damaged")),
            }
        }
        self.seen.insert(at, next);
        let known = self.log.end;
        for (producer, sequence, at) in
            self.owed.extract_if(.., |owed| owed.2 < known).collect::<Vec<_>>()
        {
            self.check_acknowledged(producer, sequence, at)?;
        }
        let end = (high_watermark, view.end_offset());
        let is_whole = (next, next) == end && next >= self.log.end && view.damage().is_none();
        if is_whole && !group.is_lossy() {
            self.losses.rotten.remove(&at);
        }
        Ok(())
    }

    /// Reads what is committed from an offset on; returns up to where, and nothing where it is
    /// damaged.
    fn read(&mut self, replica: &Replica, from: i64) -> Result<Option<i64>, Violation> {
        let view = replica.log.view();
        let found = view.read(from, 1 << 20, ReadUntil::HighWatermark);
        let bytes = match found {
            Ok(Found::Batches(bytes)) => bytes,
            Ok(Found::Cold(read)) => match read.run() {
                Ok(bytes) => bytes,
                Err(StorageError::Corrupt(_)) => return Ok(None),
                Err(error) => return Err(format!("{from} can't be read: {error}")),
            },
            Ok(Found::Nothing) => return Err(format!("nothing is at {from}")),
            Err(StorageError::Corrupt(_)) => return Ok(None),
            Err(error) => return Err(format!("{from} can't be read: {error}")),
        };
        let mut next = from;
        for batch in RawBatches::new(&bytes) {
            let batch = batch.map_err(|error| error.to_string())?;
            if batch.header().base_offset != next {
                return Err(format!("offset {} in place of {next}", batch.header().base_offset));
            }
            next = self.log.see(batch.bytes(), batch.header())?;
        }
        if next == from { Err(format!("nothing is at {from}")) } else { Ok(Some(next)) }
    }
}

impl Cluster {
    /// Looks at the replicas of a broker.
    pub(super) fn observe(&mut self, at: usize) -> Result<(), Violation> {
        let Some(process) = &self.brokers[at].process else { return Ok(()) };
        let mut told = Vec::new();
        // What becomes of a group whose topic is gone is nobody's concern.
        let there = self.subjects.iter_mut().enumerate().filter(|(_, it)| !it.is_deleted);
        for (index, subject) in there {
            let Some(replica) = process.shard.replicas.get(&subject.key) else {
                subject.forget(at);
                // One that starts opens it sooner or later.
                let is_gone = |group: Option<&GroupState>| group.is_none_or(|it| it.removed);
                if process.directory.state().group(&subject.key, is_gone) {
                    subject.losses.forget(at);
                }
                continue;
            };
            let start = replica.log.view().log_start_offset();
            let begins_anew = subject.seen.get(&at).is_some_and(|seen| start > *seen);
            self.totals.resets += u64::from(begins_anew);
            let before = (subject.established, subject.log.count());
            let looked = subject.observe(at, self.brokers[at].starts, replica);
            looked.map_err(|what| format!("group {index} at {at}: {what}"))?;
            self.totals.batches += subject.log.count() - before.1;
            if subject.established > before.0 {
                self.totals.leaders += 1;
                told.push(format!("group {index}: {at} leads in epoch {}", subject.established));
            }
        }
        self.follow_metadata()?;
        let has_new_leader = !told.is_empty();
        self.tell_replicas(at);
        told.into_iter().for_each(|what| self.tell(|| what));
        if has_new_leader {
            return (0..self.brokers.len()).try_for_each(|at| self.check_leases(at));
        }
        self.check_leases(at)
    }

    /// What the replicas of a broker are, where that has changed.
    fn tell_replicas(&mut self, at: usize) {
        let groups = if self.is_told() { self.subjects.len() } else { 0 };
        for group in 0..groups {
            let Some(replica) = self.replica(at, group) else { continue };
            let (core, log) = (&replica.group, &replica.log);
            let (role, epoch, commit) = (core.role(), core.epoch(), core.commit());
            let (end, durable, hw) =
                (core.history().end(), core.durable(), log.view().high_watermark());
            let (start, log_end) = (log.view().log_start_offset(), log.end_offset());
            let (voters, lossy) = (core.voters(), core.is_lossy());
            let is = format!(
                "group {group} at {at}: {role:?} in {epoch}, end {end}, durable {durable}, commit \
                 {commit}; log {start}..{log_end}, flushed {}, hw {hw}, lossy {lossy}, {voters}",
                log.flushed_offset()
            );
            if self.looked.get(&(at, group)) != Some(&is) {
                self.looked.insert((at, group), is.clone());
                self.tell(|| is);
            }
        }
    }

    /// Nobody has a lease while another one leads later.
    fn check_leases(&self, at: usize) -> Result<(), Violation> {
        if !self.brokers[at].runs() {
            return Ok(());
        }
        let Some(process) = &self.brokers[at].process else { return Ok(()) };
        let there = self.subjects.iter().enumerate().filter(|(_, it)| !it.is_deleted);
        for (index, subject) in there {
            let Some(replica) = process.shard.replicas.get(&subject.key) else { continue };
            let epoch = replica.group.epoch();
            if epoch < subject.established && process.shard.leads_surely(replica) {
                let later = subject.established;
                return Err(format!(
                    "group {index}: {at} has a lease in epoch {epoch}, and {later} has begun"
                ));
            }
        }
        Ok(())
    }
}
