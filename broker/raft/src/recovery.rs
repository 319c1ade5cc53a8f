//! After most voters are lost for good: an operator names those that are left.
//!
//! No election can show that what the others had isn't missing, so nothing here happens by itself.
//! The one that leads is the one whose log goes furthest, in an epoch far beyond what is known; its
//! first entries are its marker and the voters that are left, and the entry says that an operator
//! named them. What only the others had is lost. Should they come back as they were, they are a
//! majority of the old voters: whoever names others has to see to it that they don't.

use alloc::sync::Arc;

use crate::effects::Effects;
use crate::group::{EPOCH_MAX, Group, Role};
use crate::position::ReplicaId;
use crate::trace::What;
use crate::voters::Voters;

/// How far its epoch is beyond those that are known: those who don't answer may have elected
/// somebody in the next ones meanwhile.
const LEAP: i32 = 1_000;

impl Group {
    /// Leads with the voters that are left, without asking anybody. Returns whether it does: not
    /// where somebody leads, or a later epoch has begun, or a step is under way, or they aren't
    /// some of the voters in force, this replica among them.
    ///
    /// - `left`: each once.
    /// - `epoch`: the greatest that any of them knows.
    pub fn recover(&mut self, left: Arc<[ReplicaId]>, epoch: i32, effects: &mut Effects) -> bool {
        let voters = Arc::clone(self.voters());
        let is_set = (1..left.len()).all(|i| !left[..i].contains(&left[i]));
        let are_voters = left.iter().all(|id| voters.contains(*id)) && left.contains(&self.id);
        let is_led = matches!(self.role(), Role::Leader | Role::Follower(Some(_)));
        let is_news = epoch >= self.epoch && epoch < EPOCH_MAX - LEAP;
        let may = self.halted.is_none() && self.is_at_rest() && is_news;
        if !is_set || !are_voters || is_led || !may {
            return false;
        }
        self.epoch = epoch + LEAP;
        self.vote = Some(self.id);
        self.owes_vote = false;
        self.note(What::Recovers, effects);
        self.store_vote(effects);
        self.lead(effects);
        let generation = voters.generation;
        let named = Voters { generation, by_operator: true, ..Voters::of(left) };
        self.enact(named, effects);
        true
    }
}
