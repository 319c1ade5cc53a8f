//! Changes of the voters: joint consensus, one change at a time, taken back where it gets stuck.
//!
//! There are no commands. A leader has a wish, compares it with what stands in its log whenever
//! something moves, and takes the next step: bring the new ones near, the joint set, the new set.
//! The wish is the controller's and can change at any time.
//!
//! Source: the Raft paper, 6; Ongaro's thesis, 4.2.1 (catching up) and 4.3.

use alloc::sync::Arc;

use crate::effects::Effects;
use crate::group::{Group, Part};
use crate::history::Control;
use crate::leader::Transfer;
use crate::mutant::Mutant;
use crate::position::{Position, ReplicaId};
use crate::progress::Progress;
use crate::voters::{Voters, same};

/// What the voters are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(test), derive(Hash))]
pub(crate) struct Wish {
    pub(crate) voters: Arc<[ReplicaId]>,
    pub(crate) generation: i64,
    /// Whether others are to vote than did when it was told.
    pub(crate) is_change: bool,
    /// Whether the leader had a wish before it that asked for a change: who is left over from that
    /// one waits for an entry.
    pub(crate) needs_entry: bool,
}

impl Wish {
    /// Whether nothing is left to do.
    pub(crate) fn is_served_by(&self, voters: &Voters) -> bool {
        let is_written = !self.needs_entry || self.generation <= voters.generation;
        is_written && !voters.is_joint() && same(&voters.incoming, &self.voters)
    }
}

/// A set that doesn't change.
fn settled(voters: &Arc<[ReplicaId]>) -> Voters {
    Voters { incoming: Arc::clone(voters), ..Voters::of([]) }
}

impl Group {
    /// Says what the voters are to be. Nothing happens where this replica doesn't lead, or acted
    /// on a newer wish.
    ///
    /// - `voters`: each once, at least one; otherwise it is no wish.
    /// - `generation`: grows with each wish.
    pub fn wish(&mut self, voters: Arc<[ReplicaId]>, generation: i64, effects: &mut Effects) {
        let is_old = generation < self.voters().generation;
        let end = self.history.end();
        let Part::Leader(leader) = &mut self.part else { return };
        let is_set = (1..voters.len()).all(|i| !voters[..i].contains(&voters[i]));
        if is_old || voters.is_empty() || !is_set {
            return;
        }
        let present = self.history.voters().0;
        let is_change = present.is_joint() || !same(&voters, &present.incoming);
        let (mut is_change, mut needs_entry) = (is_change, false);
        if let Some(before) = &leader.wish {
            let is_told_again = before.generation == generation;
            is_change |= is_told_again && before.is_change;
            let is_owed = before.is_change || !before.is_served_by(present);
            needs_entry = if is_told_again { before.needs_entry } else { is_owed };
        }
        // Mostly it is what is: then there is no second list of the same.
        let voters = if is_change { voters } else { Arc::clone(&present.incoming) };
        leader.wish = Some(Wish { voters, generation, is_change, needs_entry });
        self.follow_voters(end);
        self.change_voters(effects);
    }

    /// Says who is to have the log without a vote, besides the voters and those who are to become
    /// some: nothing of what they have counts. Nothing happens where this replica doesn't lead.
    pub fn observe(&mut self, observers: &[ReplicaId]) {
        let (own, end) = (self.id, self.history.end());
        let Part::Leader(leader) = &mut self.part else { return };
        for progress in &mut leader.progress {
            progress.observes = observers.contains(&progress.id);
        }
        for id in observers.iter().filter(|id| **id != own) {
            if leader.of(*id).is_none() {
                let progress = Progress { observes: true, ..Progress::new(*id, end) };
                leader.progress.push(progress);
            }
        }
        self.follow_voters(end);
    }

    /// Follows everybody whom the voters in force or the wish name, and those who observe, and
    /// nobody else; but who was a voter before still hears that it is none, until that is
    /// committed.
    ///
    /// - `next`: behind what a new one is first asked for.
    pub(crate) fn follow_voters(&mut self, next: Position) {
        let (voters, named_at) = self.history.voters();
        let (voters, is_committed) = (Arc::clone(voters), self.commit >= named_at);
        let own = self.id;
        let Part::Leader(leader) = &mut self.part else { return };
        let wished = leader.wish.as_ref().map(|wish| Arc::clone(&wish.voters));
        let wished = wished.as_deref().unwrap_or_default();
        let is_wanted = |id: ReplicaId| voters.contains(id) || wished.contains(&id);
        let is_wanted = |progress: &Progress| progress.observes || is_wanted(progress.id);
        leader.progress.retain(|progress| !is_committed || is_wanted(progress));
        for id in voters.all().chain(wished.iter().copied()) {
            if id != own && leader.of(id).is_none() {
                leader.progress.reserve_exact(1);
                leader.progress.push(Progress::new(id, next));
            }
        }
        // The office can't go to who has left.
        let is_there = |transfer: &Transfer| leader.of(transfer.to).is_some();
        leader.transfer = leader.transfer.filter(is_there);
    }

    /// Takes the next step from the voters in force to those that are wished for, if it may.
    pub(crate) fn change_voters(&mut self, effects: &mut Effects) {
        let Part::Leader(leader) = &self.part else { return };
        let Some(wish) = &leader.wish else { return };
        let (voters, named_at) = self.history.voters();
        let is_committed = self.commit >= named_at;
        if !self.is_at_rest() || self.commit < leader.marker {
            return;
        }
        let next = if voters.is_joint() {
            if !same(&voters.incoming, &wish.voters) {
                // The way back needs no majority of those who may never have come.
                settled(&voters.outgoing)
            } else if is_committed || self.is(Mutant::FinalOnUncommittedJoint) {
                settled(&voters.incoming)
            } else {
                return;
            }
        } else if !is_committed || leader.transfer.is_some() {
            // Whoever was told to campaign has nothing of what is written now.
            return;
        } else if !same(&voters.incoming, &wish.voters) {
            if !self.are_near(wish, named_at.max(leader.marker)) {
                return;
            }
            Voters { outgoing: Arc::clone(&voters.incoming), ..settled(&wish.voters) }
        } else if !voters.incoming.contains(&self.id) {
            self.make_way(effects);
            return;
        } else if wish.is_served_by(voters) || self.is(Mutant::SameVotersLeaveNoEntry) {
            return;
        } else {
            settled(&wish.voters)
        };
        let generation = wish.generation.max(voters.generation);
        self.enact(Voters { generation, ..next }, effects);
    }

    pub(crate) fn enact(&mut self, voters: Voters, effects: &mut Effects) {
        let end = self.history.end();
        let control = Control {
            sequence: end.control + 1,
            epoch: self.epoch,
            offset: end.offset,
            voters: Some(Arc::new(voters)),
        };
        self.push_control(control, effects);
        self.follow_voters(end);
        self.advance(effects);
    }

    /// Whether a set with those that are wished for goes on at once: all newcomers answer, and with
    /// them a majority of the set, and keep what the log had at the last beat. A voter that stays
    /// may be gone: a set of the same size is no worse off for it. A newcomer may be about
    /// to go, because another wish, before this one or after it, has no place for it: its host must
    /// know of just this one.
    ///
    /// - `known`: what they must have on stable storage. Where its log ends tells the host of one
    ///   that has no vote whether what is reported of the group is newer than the set that this
    ///   leader writes, so the log is this leader's, and has the voters in force.
    fn are_near(&self, wish: &Wish, known: Position) -> bool {
        let Part::Leader(leader) = &self.part else { return false };
        let votes = |id: ReplicaId| self.voters().contains(id);
        let stays = |progress: &Progress| {
            votes(progress.id)
                || [wish.generation, i64::MAX].contains(&progress.known_wish)
                || self.is(Mutant::NewcomersMayGo)
        };
        let is_near = |id: ReplicaId| {
            let caching = self.options.caching;
            let knows =
                |it: &Progress| it.durable() >= known || self.is(Mutant::NewcomersLackVoters);
            let keeps = |it: &&Progress| it.counted(caching) >= leader.beaten && knows(it);
            let is_there = |it: &Progress| it.is_there() && stays(it);
            id == self.id || leader.of(id).filter(keeps).is_some_and(is_there)
        };
        let wished = Voters::of(Arc::clone(&wish.voters));
        wished.all().all(|id| votes(id) || is_near(id)) && wished.have_majority(is_near)
    }

    /// The new voters don't include the leader: once they know that they are the voters, one of
    /// them is to lead.
    fn make_way(&mut self, effects: &mut Effects) {
        let named_at = self.history.voters().1;
        let Part::Leader(leader) = &self.part else { return };
        if leader.transfer.is_some() {
            return;
        }
        let voters = &self.voters().incoming;
        let ready = leader.progress.iter().filter(|progress| {
            let knows = progress.commit >= named_at;
            knows && progress.is_there() && voters.contains(&progress.id)
        });
        let best =
            ready.max_by_key(|it| it.counted(self.options.caching)).map(|progress| progress.id);
        if let Some(best) = best {
            self.transfer(best, effects);
        }
    }
}
