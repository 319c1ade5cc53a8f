//! Elections: who asks for votes, who gets them.
//!
//! A candidate asks first whether it would be elected (pre-vote), so that one that can't be raises
//! nobody's epoch. A vote is durable before it leaves. A voter that may have lost records says so,
//! and counts only where all voters agree: then whatever survived is with the winner.
//!
//! Source: the Raft paper, 5.2 and 5.4.1; Ongaro's thesis, 9.6 (pre-vote) and 4.2.3.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::effects::Effects;
use crate::group::{EPOCH_MAX, Group, Part};
use crate::message::{Body, Vote, VoteReply};
use crate::mutant::Mutant;
use crate::position::ReplicaId;
use crate::trace::What;
use crate::voters::Voters;

/// Somebody who asks for votes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(test), derive(Hash))]
pub(crate) struct Candidate {
    /// Whether it only asks if it would be elected.
    pub(crate) pre: bool,
    /// Whether the leader wants it.
    pub(crate) transfer: bool,
    /// Who granted, in order of ids, and whether they may have lost records.
    pub(crate) granted: Vec<(ReplicaId, bool)>,
}

/// Why a vote is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Objection {
    Heard,
    Shorter,
    Over,
    Voted,
}

impl Objection {
    const fn words(self) -> &'static str {
        match self {
            Self::Heard => "a leader is heard",
            Self::Shorter => "its log is shorter",
            Self::Over => "its epoch is over",
            Self::Voted => "voted already",
        }
    }
}

impl Group {
    /// The leader isn't heard any more: asks the others whether they would elect this replica. Does
    /// nothing for one that leads or has no vote.
    pub fn campaign(&mut self, effects: &mut Effects) {
        if !self.may_campaign() {
            return;
        }
        let is_alone = self.voters().all().eq([self.id]);
        if is_alone {
            return self.run_for_office(false, effects);
        }
        self.become_candidate(Candidate { pre: true, transfer: false, granted: Vec::new() });
        self.note(What::Asks, effects);
        self.ask_for_votes(effects);
        self.count(self.id, self.is_lossy(), effects);
    }

    /// Campaigns without asking first; what a faulty host could do, and always safe.
    #[cfg(test)]
    pub(crate) fn campaign_at_once(&mut self, effects: &mut Effects) {
        if self.may_campaign() {
            self.run_for_office(false, effects);
        }
    }

    /// Who votes may campaign. So may who voted until an entry that may not be committed: nobody
    /// else may have it, and then nobody else gets the votes of those who have.
    ///
    /// Source: Ongaro's thesis, 4.2.2.
    #[must_use]
    pub fn has_vote(&self) -> bool {
        let (voters, named_at) = self.history.voters();
        voters.contains(self.id)
            || (self.commit < named_at && self.history.voters_before().contains(self.id))
    }

    fn may_campaign(&self) -> bool {
        let leads = matches!(self.part, Part::Leader(_));
        let is_fit = self.halted.is_none() && !self.held_back && self.epoch < EPOCH_MAX;
        !leads && is_fit && self.has_vote()
    }

    fn become_candidate(&mut self, candidate: Candidate) {
        self.part = Part::Candidate(Box::new(candidate));
    }

    /// Begins an epoch and votes for itself; asks the others once that is durable.
    pub(crate) fn run_for_office(&mut self, transfer: bool, effects: &mut Effects) {
        self.epoch += 1;
        self.vote = Some(self.id);
        self.owes_vote = false;
        self.become_candidate(Candidate { pre: false, transfer, granted: Vec::new() });
        self.store_vote(effects);
        self.note(What::Campaigns, effects);
        if self.voters().all().eq([self.id]) {
            // Its vote and its marker become durable in one frame, and it doesn't speak before.
            self.lead(effects);
        } else if self.is(Mutant::VoteBeforeItIsDurable) {
            self.on_candidacy_stored(effects);
        }
    }

    /// The candidate's own vote may be durable now.
    pub(crate) fn on_candidacy_stored(&mut self, effects: &mut Effects) {
        let Part::Candidate(candidate) = &self.part else { return };
        let is_durable = self.frames.have_vote() || self.is(Mutant::VoteBeforeItIsDurable);
        if candidate.pre || !candidate.granted.is_empty() || !is_durable {
            return;
        }
        self.ask_for_votes(effects);
        self.count(self.id, self.is_lossy(), effects);
    }

    fn ask_for_votes(&self, effects: &mut Effects) {
        let Part::Candidate(candidate) = &self.part else { return };
        let (pre, transfer) = (candidate.pre, candidate.transfer);
        let vote = Vote { pre, end: self.history.end(), transfer };
        for to in self.voters().all().filter(|id| *id != self.id) {
            let epoch = self.epoch + i32::from(pre);
            let body = Body::Vote(vote);
            effects.messages.push(crate::Message { from: self.id, to, epoch, body });
        }
    }

    /// Whether it would vote for somebody. Nothing changes, and nothing has to be durable.
    pub(crate) fn on_question(
        &mut self,
        from: ReplicaId,
        epoch: i32,
        vote: Vote,
        heard: bool,
        effects: &mut Effects,
    ) {
        if self.is(Mutant::PreVoteRaisesEpoch) && epoch > self.epoch {
            self.adopt(epoch, from, effects);
        }
        let refusal = if epoch <= self.epoch && !self.is(Mutant::PreVoteRaisesEpoch) {
            Some(Objection::Over)
        } else {
            self.objection(vote, heard)
        };
        let granted = refusal.is_none();
        match refusal {
            None => self.note(What::Grants { to: from, pre: true }, effects),
            Some(why) => self.note(What::Refuses { to: from, why: why.words() }, effects),
        }
        let reply = VoteReply { pre: true, granted, lossy: self.is_lossy() };
        let epoch = if granted { epoch } else { self.epoch };
        let body = Body::VoteReply(reply);
        effects.messages.push(crate::Message { from: self.id, to: from, epoch, body });
    }

    /// Why somebody may not be elected, whatever the epoch.
    fn objection(&self, vote: Vote, heard: bool) -> Option<Objection> {
        let leads = matches!(self.part, Part::Leader(_));
        if (heard || leads) && !vote.transfer {
            return Some(Objection::Heard);
        }
        let own = self.history.end();
        let is_complete = if self.is(Mutant::VotesIgnoreControl) {
            (vote.end.epoch, vote.end.offset) >= (own.epoch, own.offset)
        } else {
            vote.end >= own
        };
        (!is_complete).then_some(Objection::Shorter)
    }

    /// Somebody wants to be elected.
    pub(crate) fn on_vote(
        &mut self,
        from: ReplicaId,
        epoch: i32,
        vote: Vote,
        heard: bool,
        effects: &mut Effects,
    ) {
        let objection = self.objection(vote, heard);
        let is_new = epoch > self.epoch;
        // One that comes although a leader is heard raises no epoch.
        if is_new && objection != Some(Objection::Heard) {
            self.adopt(epoch, from, effects);
        }
        let refusal = if epoch < self.epoch {
            Some(Objection::Over)
        } else if epoch == self.epoch && self.vote.is_some_and(|vote| vote != from) {
            Some(Objection::Voted)
        } else {
            objection
        };
        if let Some(why) = refusal {
            self.note(What::Refuses { to: from, why: why.words() }, effects);
            let reply = VoteReply { pre: false, granted: false, lossy: self.is_lossy() };
            return self.send(from, Body::VoteReply(reply), effects);
        }
        if self.vote.is_none() {
            self.vote = Some(from);
            self.store_vote(effects);
            self.note(What::Grants { to: from, pre: false }, effects);
        }
        self.owes_vote = true;
        self.give_vote(effects);
    }

    /// Sends the vote that is owed, if it is durable.
    pub(crate) fn give_vote(&mut self, effects: &mut Effects) {
        let is_durable = self.frames.have_vote() || self.is(Mutant::VoteBeforeItIsDurable);
        if let Some(to) = self.vote.filter(|_| self.owes_vote && is_durable) {
            self.owes_vote = false;
            let reply = VoteReply { pre: false, granted: true, lossy: self.is_lossy() };
            self.send(to, Body::VoteReply(reply), effects);
        }
    }

    /// Somebody has answered.
    pub(crate) fn on_vote_reply(
        &mut self,
        from: ReplicaId,
        epoch: i32,
        reply: VoteReply,
        effects: &mut Effects,
    ) {
        let Part::Candidate(candidate) = &self.part else { return };
        let asked_in = self.epoch + i32::from(candidate.pre);
        if reply.granted && reply.pre == candidate.pre && epoch == asked_in {
            self.count(from, reply.lossy, effects);
        }
    }

    /// Counts a vote, and takes the next step if that was enough.
    fn count(&mut self, from: ReplicaId, lossy: bool, effects: &mut Effects) {
        let lossy = lossy && !self.is(Mutant::LossyVoteCounts);
        let Part::Candidate(candidate) = &mut self.part else { return };
        if let Err(at) = candidate.granted.binary_search_by_key(&from, |(id, _)| *id) {
            candidate.granted.insert(at, (from, lossy));
        }
        let Part::Candidate(candidate) = &self.part else { return };
        if !is_won(&self.deciding(), &candidate.granted) {
            return;
        }
        if candidate.pre { self.run_for_office(false, effects) } else { self.lead(effects) }
    }

    /// The sets that elect and commit.
    pub(crate) fn deciding(&self) -> Arc<Voters> {
        let voters = self.voters();
        if voters.is_joint() && self.is(Mutant::SkipOldMajority) {
            return Arc::new(Voters::of(Arc::clone(&voters.incoming)));
        }
        if voters.is_joint() && self.is(Mutant::SkipNewMajority) {
            return Arc::new(Voters::of(Arc::clone(&voters.outgoing)));
        }
        Arc::clone(voters)
    }

    /// The leader hands its office over.
    pub(crate) fn on_timeout_now(&mut self, from: ReplicaId, effects: &mut Effects) {
        let follows = matches!(&self.part, Part::Follower(f) if f.leader == Some(from));
        if follows && self.may_campaign() {
            self.run_for_office(true, effects);
        }
    }
}

/// Whether these votes elect: a majority of those who surely have what they acknowledged, or all.
fn is_won(voters: &Voters, granted: &[(ReplicaId, bool)]) -> bool {
    let by = |id: ReplicaId| granted.iter().find(|(by, _)| *by == id);
    let clean = |id: ReplicaId| by(id).is_some_and(|(_, lossy)| !lossy);
    voters.have_majority(clean) || voters.all().all(|id| by(id).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn ids(ids: &[i32]) -> Vec<ReplicaId> {
        ids.iter().map(|id| ReplicaId::of(*id)).collect()
    }

    #[test]
    fn a_majority_of_clean_votes_or_all_votes_elect() {
        let three = Voters::of(ids(&[1, 2, 3]));
        let joint = Voters { outgoing: ids(&[1, 2, 3]).into(), ..Voters::of(ids(&[1, 4, 5])) };
        let won = |voters: &Voters, votes: &[(i32, bool)]| {
            let votes: Vec<_> = votes.iter().map(|(id, l)| (ReplicaId::of(*id), *l)).collect();
            is_won(voters, &votes)
        };
        for (votes, wins) in [
            (vec![(1, false)], false),
            (vec![(1, false), (2, false)], true),
            (vec![(1, false), (2, true)], false),
            (vec![(1, false), (2, true), (3, true)], true),
            (vec![(1, true), (2, true), (3, true)], true),
            (vec![(1, false), (4, false)], false),
        ] {
            assert_eq!(won(&three, &votes), wins, "{votes:?}");
        }
        for (votes, wins) in [
            (vec![(1, false), (2, false)], false),
            (vec![(1, false), (2, false), (4, false)], true),
            (vec![(1, false), (4, false), (5, false)], false),
            (vec![(1, false), (2, false), (4, true)], false),
            (vec![(1, true), (2, true), (3, true), (4, true), (5, true)], true),
        ] {
            assert_eq!(won(&joint, &votes), wins, "{votes:?} in the joint set");
        }
    }
}
