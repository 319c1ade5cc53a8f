//! What must hold of groups that sleep, and what must come of them when nothing goes wrong any
//! more: all fall asleep, and all wake when something happens.

use std::format;
use std::string::String;

use alloc::vec::Vec;

use super::broker::{Asleep, name, place};
use super::cluster::Cluster;
use super::pairs::key;
use super::plan::MILLISECOND;
use crate::ReplicaId;
use crate::tests::world::Violation;

/// Within which all groups sleep when nothing happens.
const TO_SLEEP: u64 = 5_000 * MILLISECOND;
/// Within which groups have another leader when the broker of theirs is gone.
const TO_ELECT: u64 = 5_000 * MILLISECOND;

impl Cluster {
    /// Both sides of a group that sleeps agree on where it does; and a host has heard of all that
    /// sleeps here.
    pub(crate) fn look_at_sleep(&self, at: usize, group: usize) -> Result<(), Violation> {
        for other in (0..self.brokers.len()).filter(|it| *it != at && self.brokers[*it].is_up) {
            self.look_at_sides(at, other, group)?;
            self.look_at_sides(other, at, group)?;
        }
        Ok(())
    }

    fn look_at_sides(&self, leads: usize, follows: usize, group: usize) -> Result<(), Violation> {
        let (there, here) = (&self.brokers[leads], &self.brokers[follows]);
        if !there.is_up || !here.is_up {
            return Ok(());
        }
        let sleeps = here.pairs[leads].is_asleep_here(key(group), here.milliseconds(self.now));
        let (a, b) = (name(leads), name(follows));
        let asleep = here.replicas[group].asleep;
        if sleeps && asleep.is_none_or(|asleep| asleep.under != leads) {
            return Err(format!("{b} doesn't know that group {group} sleeps under {a}"));
        }
        let Some(Asleep { under, epoch, end }) = asleep else { return Ok(()) };
        if under == leads && !sleeps && here.pairs[leads].is_heard(here.milliseconds(self.now)) {
            return Err(format!("{b} thinks that group {group} sleeps under {a}"));
        }
        let own = here.replicas[group].node.group.as_ref().unwrap();
        if (own.epoch(), own.commit(), own.history().end()) != (epoch, end, end) {
            return Err(format!("group {group} sleeps at {end} in {epoch} on {b}, and has moved"));
        }
        if !sleeps || !there.pairs[follows].is_asleep_there(key(group)) {
            return Ok(());
        }
        let leader = there.replicas[group].node.group.as_ref().unwrap();
        let is_same = (leader.epoch(), leader.commit(), leader.history().end());
        if is_same != (epoch, end, end) || !self.is_leading(leads, group) {
            return Err(format!("group {group} sleeps at {end} in {epoch} on {b}, not on {a}"));
        }
        Ok(())
    }

    /// All groups fall asleep; then something happens to those of some broker, and all get well.
    pub(crate) fn run_until_asleep_and_wake(&mut self) -> Result<(), Violation> {
        self.run_until_asleep()?;
        let at = self.chance.index(self.brokers.len());
        match self.chance.below(3) {
            0 => {
                let left = self.groups_with_majority_without(at);
                self.end(at, false)?;
                self.run_until_led(&left)?;
                self.start_after(at, MILLISECOND);
            }
            // Nobody notices that it was away, but for its run.
            1 => self.blink(at)?,
            _ => {}
        }
        self.run_until_well()?;
        self.run_until_asleep()
    }

    fn run_until_asleep(&mut self) -> Result<(), Violation> {
        let since = self.now;
        loop {
            self.run_for(100 * MILLISECOND)?;
            let awake = (0..self.subjects.len()).find_map(|group| self.who_is_awake(group));
            let Some(why) = awake else { return Ok(()) };
            if self.now - since > TO_SLEEP {
                return Err(why);
            }
        }
    }

    fn who_is_awake(&self, group: usize) -> Option<String> {
        let Some(at) = self.leader_of(group) else { return Some("nobody leads".into()) };
        let core = self.brokers[at].replicas[group].node.group.as_ref()?;
        let sleeps = |id: ReplicaId| {
            let other = &self.brokers[place(id)];
            let now = other.milliseconds(self.now);
            self.brokers[at].pairs[place(id)].is_asleep_there(key(group))
                && other.pairs[at].is_asleep_here(key(group), now)
        };
        let awake = core.standings().find(|standing| !sleeps(standing.id));
        awake.map(|standing| format!("group {group} doesn't fall asleep at {}", standing.id))
    }

    /// Groups of which enough voters are left without a broker.
    fn groups_with_majority_without(&self, gone: usize) -> Vec<usize> {
        let is_left = |id: ReplicaId| place(id) != gone;
        let has_majority = |group: &usize| {
            let at = self.leader_of(*group);
            let core = at.and_then(|at| self.brokers[at].replicas[*group].node.group.as_ref());
            core.is_some_and(|core| core.voters().have_majority(is_left))
        };
        (0..self.subjects.len()).filter(has_majority).collect()
    }

    /// What slept under a broker that is gone elects others.
    fn run_until_led(&mut self, groups: &[usize]) -> Result<(), Violation> {
        let since = self.now;
        loop {
            self.run_for(100 * MILLISECOND)?;
            let orphan = groups.iter().find(|group| self.leader_of(**group).is_none());
            let Some(group) = orphan else { return Ok(()) };
            if self.now - since > TO_ELECT {
                return Err(format!("nobody leads group {group}, though most voters are left"));
            }
        }
    }
}
