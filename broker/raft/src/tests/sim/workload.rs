//! What clients, the controller and operators want.

use std::format;

use alloc::vec::Vec;

use super::broker::name;
use super::cluster::Cluster;
use super::plan::MILLISECOND;
use super::queue::Event;
use crate::tests::node::Record;
use crate::tests::world::Violation;
use crate::{ReplicaId, Voters};

/// The most records that a log keeps.
const RETAINED: i64 = 2_000;

impl Cluster {
    /// A client has records for some group, and asks some brokers whether they take them.
    pub(crate) fn request(&mut self) -> Result<(), Violation> {
        if self.is_calm {
            return Ok(());
        }
        let next = self.chance.between(1, 2 * self.plan.requests);
        self.queue.push(self.now + next, Event::Request);
        let group = self.busy_group();
        for at in self.some_brokers(3) {
            let count = self.chance.between(1, 3);
            if self.propose(at, group, count)? {
                return self.retain(at, group);
            }
        }
        Ok(())
    }

    /// One of those that have something to do; every two seconds it is others.
    fn busy_group(&mut self) -> usize {
        let groups = self.subjects.len();
        let first = usize::try_from(self.now / (2_000 * MILLISECOND)).unwrap() * self.plan.busy;
        (first + self.chance.index(self.plan.busy)) % groups
    }

    /// Appends records where a replica takes them; returns whether it did.
    pub(crate) fn propose(
        &mut self,
        at: usize,
        group: usize,
        count: u64,
    ) -> Result<bool, Violation> {
        let broker = &self.brokers[at];
        let core = broker.replicas[group].node.group.as_ref();
        let stands = self.now < broker.stands_until;
        let Some(core) = core.filter(|core| core.takes_records() && !stands) else {
            return Ok(false);
        };
        let epoch = core.epoch();
        let first = self.subjects[group].values;
        self.subjects[group].values += u32::try_from(count).unwrap();
        let last = self.subjects[group].values;
        self.tell(|| format!("{} of group {group} appends {first}..{last}", name(at)));
        self.with(at, group, |node, effects| {
            node.records.extend((first..last).map(|value| Record { epoch, value }));
            let end = node.end();
            node.alive().appended(end, effects);
            Ok(())
        })?;
        Ok(true)
    }

    /// The controller or an operator wants something of some group.
    pub(crate) fn wish(&mut self) -> Result<(), Violation> {
        if self.is_calm {
            return Ok(());
        }
        let next = self.chance.between(1, 2 * self.plan.wishes / self.subjects.len() as u64);
        self.queue.push(self.now + next, Event::Wish);
        let group = self.chance.index(self.subjects.len());
        let Some(at) = self.leader_of(group) else { return Ok(()) };
        if self.now < self.brokers[at].stands_until {
            return Ok(());
        }
        match self.chance.below(12) {
            0..=2 => self.transfer(at, group),
            3..=4 => self.move_start(at, group),
            5..=7 => {
                let at = self.chance.index(self.brokers.len());
                self.compact(at, group);
                Ok(())
            }
            _ => {
                self.wish_for(at, group);
                Ok(())
            }
        }
    }

    fn transfer(&mut self, at: usize, group: usize) -> Result<(), Violation> {
        let to = self.chance.index(self.brokers.len());
        let to = self.brokers[to].replicas[group].node.id;
        self.tell(|| format!("{} of group {group} is to hand over to {to}", name(at)));
        self.with(at, group, |node, effects| {
            node.alive().transfer(to, effects);
            Ok(())
        })
    }

    /// Retention by size: who comes later has no more than that to fetch.
    fn retain(&mut self, at: usize, group: usize) -> Result<(), Violation> {
        let core = self.brokers[at].replicas[group].node.alive();
        let (start, end) = (core.history().start().offset, core.history().end().offset);
        if end - start <= RETAINED {
            return Ok(());
        }
        self.with(at, group, |node, effects| {
            node.alive().move_start(end - RETAINED / 2, effects);
            Ok(())
        })
    }

    /// Retention by time, or somebody who deletes records: up to some offset, which may be too far.
    fn move_start(&mut self, at: usize, group: usize) -> Result<(), Violation> {
        let core = self.brokers[at].replicas[group].node.alive();
        let (start, end) = (core.history().start().offset, core.history().end().offset);
        let to = start + self.chance.below((end - start).cast_unsigned() + 3).cast_signed();
        self.tell(|| format!("the log of group {group} is to begin at {to}"));
        self.with(at, group, |node, effects| {
            node.alive().move_start(to, effects);
            Ok(())
        })
    }

    /// A replica drops records whose keys came again, of those that are committed and flushed. The
    /// others have them still.
    fn compact(&mut self, at: usize, group: usize) {
        let node = &mut self.brokers[at].replicas[group].node;
        let Some(core) = node.group.as_ref().filter(|_| self.subjects[group].compacted) else {
            return;
        };
        let start = node.state.start.offset;
        let until = core.commit().offset.min(node.flushed);
        let rate = self.chance.between(100, 900);
        // The last one stays, as it does in a segment.
        let count = usize::try_from(until - 1 - start).unwrap_or(0);
        for record in &mut node.records[..count] {
            if *record != Record::GAP && self.chance.permille(rate) {
                *record = Record::GAP;
                self.totals.gaps += 1;
            }
        }
        let line = format!("{} of group {group} is compacted up to {until}", name(at));
        self.tell(|| line);
    }

    /// Others are to vote: more, fewer, one instead of another, all but the leader, or as before;
    /// and others observe.
    fn wish_for(&mut self, at: usize, group: usize) {
        let ids: Vec<ReplicaId> =
            self.brokers.iter().map(|broker| broker.replicas[group].node.id).collect();
        let core = self.brokers[at].replicas[group].node.alive();
        let voters = core.voters();
        let before = if voters.is_joint() { &voters.outgoing } else { &voters.incoming };
        let before: Vec<ReplicaId> = before.iter().copied().filter(|id| ids.contains(id)).collect();
        let mut wish = before.clone();
        let stranger = *self.chance.pick(&ids);
        match self.chance.below(6) {
            0 => wish.retain(|id| *id != ids[at]),
            1 if !wish.contains(&stranger) && !wish.is_empty() => {
                let gone = self.chance.index(wish.len());
                wish[gone] = stranger;
            }
            2 => {}
            how => {
                let size = [1, 3, 3, 5][usize::try_from(how).unwrap() % 4].min(ids.len());
                wish.extend(ids.iter().copied().filter(|id| !before.contains(id)));
                while wish.len() > size {
                    // Mostly who votes goes on voting.
                    let least = if self.chance.permille(700) { before.len().min(size) } else { 0 };
                    let gone = self.chance.count(least, wish.len() - 1);
                    wish.remove(gone);
                }
            }
        }
        if wish.is_empty() {
            return;
        }
        let count = if self.plan.observes { self.chance.index(3) } else { 0 };
        let observers = if count > 0 { self.some_brokers(count) } else { Vec::new() };
        let observers = observers.into_iter().map(|at| ids[at]).collect();
        let subject = &mut self.subjects[group];
        subject.generation += 1;
        (subject.wish, subject.observers) = (wish, observers);
        let [voters, observers] =
            [&subject.wish, &subject.observers].map(|ids| Voters::of(ids.clone()));
        let line = format!("of group {group} {voters} are to vote, {observers} to observe");
        self.tell(|| line);
    }
}
