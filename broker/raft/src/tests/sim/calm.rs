//! When nothing goes wrong any more everything gets well, within a bounded time.

use std::format;
use std::string::String;

use super::broker::place;
use super::cluster::Cluster;
use super::plan::{CALM, MILLISECOND};
use super::queue::Event;
use crate::tests::world::Violation;
use crate::{ReplicaId, Voters};

/// The most events within that time.
const EVENTS: u64 = 5_000_000;

impl Cluster {
    /// Runs until everything that was wished for is there in every group.
    pub(crate) fn run_until_well(&mut self) -> Result<(), Violation> {
        let since = self.now;
        self.calm();
        let mut first = alloc::vec![None; self.subjects.len()];
        for rounds in 1.. {
            self.run_for(100 * MILLISECOND)?;
            let mut ill = None;
            for (group, proposed) in first.iter_mut().enumerate() {
                // A leader that was one for too long may have lost it.
                if proposed.is_none() || rounds % 20 == 0 {
                    *proposed = self.propose_anew(group)?;
                }
                ill = self.what_ails(group, *proposed).map(|why| (group, why)).or(ill);
            }
            let took = self.now - since;
            let Some((group, why)) = ill else {
                self.totals.calm = self.totals.calm.max(took / MILLISECOND);
                return Ok(());
            };
            if took > CALM {
                return Err(format!("group {group} isn't well again: {why}"));
            }
        }
        Ok(())
    }

    pub(crate) fn run_for(&mut self, time: u64) -> Result<(), Violation> {
        let until = self.now + time;
        self.queue.push(until, Event::Pause);
        while self.now < until {
            self.step()?;
            if self.totals.events > self.plan.steps + EVENTS {
                return Err("messages make messages without end".into());
            }
        }
        Ok(())
    }

    /// Appends a record where there is a leader; returns its offset.
    fn propose_anew(&mut self, group: usize) -> Result<Option<i64>, Violation> {
        let Some(at) = self.leader_of(group) else { return Ok(None) };
        let offset = self.brokers[at].replicas[group].node.end();
        Ok(self.propose(at, group, 1)?.then_some(offset))
    }

    /// What a group still lacks.
    fn what_ails(&self, group: usize, proposed: Option<i64>) -> Option<String> {
        let subject = &self.subjects[group];
        let Some(at) = self.leader_of(group) else { return Some("nobody leads".into()) };
        let leader = self.brokers[at].replicas[group].node.group.as_ref()?;
        let Some(voters) = self.settled_voters(at, group) else {
            return Some(format!("the voters change: {}", leader.voters()));
        };
        let is_wished = |id: &ReplicaId| subject.wish.contains(id);
        let is_reached = voters.incoming.len() == subject.wish.len();
        if !is_reached || !voters.incoming.iter().all(is_wished) {
            let wished = Voters::of(subject.wish.clone());
            return Some(format!("{voters} vote, {wished} are wished for"));
        }
        if proposed.is_none_or(|offset| leader.commit().offset <= offset) {
            let (end, commit) = (leader.history().end(), leader.commit());
            return Some(format!("{proposed:?} isn't committed: {commit} of {end}"));
        }
        let (end, commit) = (leader.history().end(), leader.commit());
        for id in voters.all().chain(subject.observers.iter().copied()) {
            let Some(core) = &self.brokers[place(id)].replicas[group].node.group else {
                return Some(format!("{id} is down"));
            };
            if (core.history().end(), core.commit()) != (end, commit) || commit != end {
                return Some(format!("{id} is at {} of {end}", core.commit()));
            }
            if core.is_lossy() {
                return Some(format!("{id} may still lack something"));
            }
        }
        None
    }
}
