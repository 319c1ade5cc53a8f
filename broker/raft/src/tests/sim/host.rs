//! What a small honest host does when it looks at its timers.

use alloc::sync::Arc;

use super::broker::{Replica, name, place};
use super::cluster::{Cluster, Subject};
use super::pairs::key;
use super::plan::{TIMEOUT, TURN};
use super::queue::Event;
use crate::group::{Group, Role};
use crate::mutant::Mutant;
use crate::tests::world::Violation;
use crate::{ReplicaId, Voters};

/// How long a leader waits for another one to take its office.
const TRANSFER: u64 = TIMEOUT.1;
/// Turns between two flushes of groups with `write.caching`.
const CACHED_TURNS: u64 = 20;
/// Turns between two checkpoints.
const CHECKPOINT_TURNS: u64 = 8;

impl Cluster {
    pub(crate) fn start(&mut self, at: usize) -> Result<(), Violation> {
        let broker = &mut self.brokers[at];
        if broker.is_up {
            return Ok(());
        }
        let clock = broker.clock(self.now);
        (broker.is_up, broker.booted) = (true, clock);
        self.meet_nobody(at);
        self.tell(|| alloc::format!("broker {} starts", name(at)));
        for group in 0..self.subjects.len() {
            self.start_replica(at, group)?;
        }
        let boot = self.brokers[at].boot;
        let first = self.chance.below(TURN);
        self.queue.push(self.now + first, Event::Turn { at, boot });
        Ok(())
    }

    fn start_replica(&mut self, at: usize, group: usize) -> Result<(), Violation> {
        let caching = self.subjects[group].caching;
        let clock = self.brokers[at].clock(self.now);
        let broker = &mut self.brokers[at];
        let replica = &mut broker.replicas[group];
        replica.start(caching, clock, &mut self.chance, self.mutant);
        for _ in &replica.node.frames {
            broker.frames.push_back(group);
        }
        replica.mirror.follow(&replica.node, &mut self.subjects[group].oracle.places)?;
        self.flush_frames(at);
        self.look(at, group)
    }

    /// A replica is deleted, and begins a new life without a memory of this one.
    pub(crate) fn rebirth(&mut self, at: usize, group: usize) -> Result<(), Violation> {
        let broker = &mut self.brokers[at];
        broker.pairs.iter_mut().for_each(|pair| pair.stir(key(group)));
        let replica = &mut broker.replicas[group];
        let (old, cuts) = (replica.node.id, replica.cuts);
        *replica = Replica { cuts: cuts + 1, ..replica.reborn() };
        let new = replica.node.id;
        let subject = &mut self.subjects[group];
        let named = subject.wish.iter_mut().chain(&mut subject.observers);
        for named in named.filter(|id| **id == old) {
            *named = new;
            subject.generation += 1;
        }
        if self.brokers[at].is_up { self.start_replica(at, group) } else { Ok(()) }
    }

    pub(crate) fn turn(&mut self, at: usize) -> Result<(), Violation> {
        let broker = &mut self.brokers[at];
        broker.turns += 1;
        let (turns, boot) = (broker.turns, broker.boot);
        let clock = broker.clock(self.now);
        let until_next = TURN * 1000 / broker.speed;
        self.queue.push(self.now + until_next, Event::Turn { at, boot });
        let beats = turns.is_multiple_of(2);
        let has_changed = self.look_at_pairs(at)?;
        for group in 0..self.subjects.len() {
            if self.is_leading(at, group) {
                if self.is_asleep(at, group) && !has_changed {
                    self.lead_asleep(at, group)?;
                } else {
                    self.lead(at, group, clock, beats)?;
                }
            } else if self.brokers[at].replicas[group].asleep.is_none() {
                self.wait(at, group, clock)?;
            }
            if self.subjects[group].caching && turns.is_multiple_of(CACHED_TURNS) {
                self.flush_cached(at, group);
            }
            if turns.is_multiple_of(CHECKPOINT_TURNS) {
                let replica = &mut self.brokers[at].replicas[group];
                let commit = replica.node.alive().commit().offset;
                // It stands behind the frames before it, and counts only what is on the device.
                if replica.node.frames.is_empty() {
                    replica.checkpoint = commit.min(replica.node.flushed);
                }
            }
        }
        if beats {
            self.beat(at);
        }
        self.flush_records(at);
        Ok(())
    }

    fn flush_cached(&mut self, at: usize, group: usize) {
        let broker = &mut self.brokers[at];
        if broker.replicas[group].node.may_flush() && !broker.dirty.contains(&group) {
            broker.dirty.push(group);
        }
    }

    /// Nobody leads from here: campaigns if no leader was heard for long.
    fn wait(&mut self, at: usize, group: usize, clock: u64) -> Result<(), Violation> {
        let is_new = self.is_new(at);
        let replica = &mut self.brokers[at].replicas[group];
        if !replica.is_its_own_master() && (clock < replica.deadline || is_new) {
            return Ok(());
        }
        replica.be_patient(clock, &mut self.chance);
        let asks_first = !self.is_rash();
        self.with(at, group, |node, effects| {
            let core = node.alive();
            if asks_first {
                core.campaign(effects)
            } else {
                core.campaign_at_once(effects)
            }
            Ok(())
        })
    }

    /// Whether promises from before a broker's start may still hold.
    pub(crate) fn is_new(&self, at: usize) -> bool {
        self.brokers[at].is_new(self.now) && self.mutant != Some(Mutant::VotesWithinPromise)
    }

    /// This replica leads a group that sleeps.
    fn lead_asleep(&mut self, at: usize, group: usize) -> Result<(), Violation> {
        self.tell_wish(at, group)?;
        self.delete_who_went(at, group)
    }

    /// This replica leads: beats, and looks whether it still may.
    fn lead(&mut self, at: usize, group: usize, clock: u64, beats: bool) -> Result<(), Violation> {
        let replica = &mut self.brokers[at].replicas[group];
        let core = replica.node.group.as_ref().unwrap();
        let refuses = core.is_at_rest() && !core.takes_records();
        let since = refuses.then(|| replica.refuses_since.unwrap_or(clock));
        replica.refuses_since = since;
        let gives_up = since.is_some_and(|since| clock > since + TRANSFER);
        let is_fresh = clock < replica.led_since + TIMEOUT.1;
        let there = self.brokers[at].there;
        self.with(at, group, |node, effects| {
            let core = node.alive();
            core.check_quorum(|id| is_fresh || there[place(id)], effects);
            if gives_up {
                core.cancel_transfer();
            }
            if beats {
                core.beat(effects);
            }
            Ok(())
        })?;
        self.tell_wish(at, group)?;
        if beats && self.is_leading(at, group) {
            self.put_to_sleep(at, group);
        }
        self.delete_who_went(at, group)
    }

    /// The leader hears of a wish, perhaps. It needs answers to follow it.
    fn tell_wish(&mut self, at: usize, group: usize) -> Result<(), Violation> {
        let Some((voters, generation)) = self.news(at, group) else { return Ok(()) };
        let observers = self.subjects[group].observers.clone();
        self.wake(at, group);
        self.with(at, group, |node, effects| {
            node.alive().observe(&observers);
            node.alive().wish(voters, generation, effects);
            Ok(())
        })
    }

    /// The wish, if the leader doesn't know it and hears of it now.
    fn news(&mut self, at: usize, group: usize) -> Option<(Arc<[ReplicaId]>, i64)> {
        let subject = &self.subjects[group];
        let replica = &mut self.brokers[at].replicas[group];
        if replica.told == subject.generation || !self.chance.permille(300) {
            return None;
        }
        replica.told = subject.generation;
        Some((subject.wish.clone().into(), subject.generation))
    }

    /// Replicas that are neither voters nor wished for nor observe are deleted some time later.
    fn delete_who_went(&mut self, at: usize, group: usize) -> Result<(), Violation> {
        if !self.chance.permille(5) {
            return Ok(());
        }
        let Some(voters) = self.settled_voters(at, group) else { return Ok(()) };
        let other = self.chance.index(self.brokers.len());
        let replica = &self.brokers[other].replicas[group];
        let id = replica.node.id;
        let was_here = replica.mirror.end() > 0;
        if other == at || !was_here || voters.contains(id) {
            return Ok(());
        }
        let Subject { wish, observers, .. } = &self.subjects[group];
        if wish.contains(&id) || observers.contains(&id) {
            return Ok(());
        }
        self.tell(|| alloc::format!("{id} of group {group} is deleted"));
        self.rebirth(other, group)
    }

    /// The voters in force if that is sure: the leader is told of the last wish, and has committed
    /// them in its own epoch.
    pub(crate) fn settled_voters(&self, at: usize, group: usize) -> Option<Arc<Voters>> {
        let replica = &self.brokers[at].replicas[group];
        let core = replica.node.group.as_ref()?;
        let (voters, named_at) = core.history().voters();
        let is_sure = core.role() == Role::Leader
            && core.commit().epoch == core.epoch()
            && core.commit() >= named_at
            && !voters.is_joint()
            && replica.told == self.subjects[group].generation;
        is_sure.then(|| Arc::clone(voters))
    }

    /// Where the leader of a group is that nobody has followed by another one.
    pub(crate) fn leader_of(&self, group: usize) -> Option<usize> {
        let leads = |at: &usize| self.is_leading(*at, group);
        let core = |at: usize| self.brokers[at].replicas[group].node.group.as_ref();
        let epoch = |at: &usize| core(*at).map(Group::epoch);
        (0..self.brokers.len()).filter(leads).max_by_key(epoch)
    }
}
