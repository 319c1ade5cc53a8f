//! Steps of a rebalance: what the application's listener has to hear before the group goes on.
//!
//! The membership puts a step, the front takes it within a call for records, and the membership
//! waits until it is done. So nothing is handed out while a listener runs.

use std::collections::{BTreeSet, VecDeque};

use super::{State, Subscription};
use crate::{Start, TopicPartition};

/// What happens to partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepKind {
    /// They are the consumer's.
    Assign,
    /// They will be somebody else's; what was read of them can be committed.
    Revoke,
    /// They may be somebody else's already.
    Lose,
}

/// A step, and the partitions that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) id: u64,
    pub(crate) kind: StepKind,
    pub(crate) places: Vec<TopicPartition>,
}

impl State {
    /// Puts a step; its number.
    pub(crate) fn put_step(&mut self, kind: StepKind, places: Vec<TopicPartition>) -> u64 {
        self.step_count += 1;
        let id = self.step_count;
        let is_subscribed = matches!(self.subscription, Subscription::Topics(_));
        if kind == StepKind::Assign && !is_subscribed {
            // The application has changed its mind while the group shared.
            return id;
        }
        match kind {
            // Before the listener hears of it, so that it can seek.
            StepKind::Assign => {
                places.iter().for_each(|place| self.begin(place, true, Start::Committed));
            }
            StepKind::Revoke => {}
            // Whatever the listener does, nothing of them is handed out.
            StepKind::Lose => self.remove(&places),
        }
        self.steps.push_back(Step { id, kind, places });
        self.signals.attention = true;
        self.signals.front = true;
        id
    }

    /// The step that the listener begins to hear of now.
    pub(crate) fn next_step(&mut self) -> Option<Step> {
        let step = self.steps.front().cloned();
        self.hearing = step.as_ref().map(|step| step.id);
        step
    }

    /// The listener has heard of a step.
    pub(crate) fn end_step(&mut self, id: u64) {
        if self.steps.front().is_none_or(|step| step.id != id) {
            return;
        }
        let Some(step) = self.steps.pop_front() else { return };
        self.hearing = None;
        if step.kind == StepKind::Revoke {
            self.remove(&step.places);
        }
        self.signals.group = true;
    }

    /// Whether a step is done, or was taken back.
    pub(crate) fn is_step_done(&self, id: u64) -> bool {
        self.steps.iter().all(|step| step.id != id)
    }

    /// Nobody needs to hear of the steps that wait: what they are about is lost or let go. What was
    /// lost in them is returned, for the listener to hear of by another step.
    pub(crate) fn take_back_steps(&mut self) -> Vec<TopicPartition> {
        let lost = self.take_unheard_losses();
        self.steps.clear();
        self.hearing = None;
        self.signals.group = true;
        lost
    }

    /// What was lost in steps of which the listener hasn't heard; they count as done.
    pub(crate) fn take_unheard_losses(&mut self) -> Vec<TopicPartition> {
        let hearing = self.hearing;
        let is_unheard = |step: &Step| step.kind == StepKind::Lose && Some(step.id) != hearing;
        let (lost, others): (VecDeque<_>, _) = self.steps.drain(..).partition(is_unheard);
        self.steps = others;
        self.signals.group = true;
        lost.into_iter().flat_map(|step| step.places).collect()
    }

    /// All that the group has given is lost, and whatever was lost before; the step by which the
    /// listener hears of it.
    pub(crate) fn lose_all(&mut self) -> u64 {
        let (given, mut places) = (self.shared_places(), self.heard_places());
        places.extend(self.take_back_steps());
        self.remove(&given);
        self.put_step(StepKind::Lose, places)
    }

    /// The partitions that the group has given and the listener has heard of.
    pub(crate) fn heard_places(&self) -> Vec<TopicPartition> {
        let is_unheard =
            |step: &&Step| step.kind == StepKind::Assign && Some(step.id) != self.hearing;
        let unheard = self.steps.iter().filter(is_unheard).flat_map(|step| &step.places);
        let unheard: BTreeSet<_> = unheard.collect();
        let mut given = self.shared_places();
        given.retain(|place| !unheard.contains(place));
        given
    }

    /// The partitions that the group has given.
    pub(crate) fn shared_places(&self) -> Vec<TopicPartition> {
        let shared = self.slots.iter().filter(|(_, slot)| slot.is_shared);
        shared.map(|(place, _)| place.clone()).collect()
    }
}
