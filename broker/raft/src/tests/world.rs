//! Replicas of one group, with disks that lose what wasn't flushed and a network that loses,
//! repeats and reorders. One action changes it at a time; after each one everything that must
//! always hold is looked at.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::bounds::{Action, Bounds};
use super::node::{Entry, Node, Packet, Record};
use crate::group::Role;
use crate::mutant::Mutant;
use crate::{Body, Effects, Message, ReplicaId, Voters};

/// What was used up of the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Used {
    pub(crate) values: u32,
    pub(crate) crashes: u32,
    pub(crate) transfers: u32,
    pub(crate) trims: u32,
    pub(crate) resignations: u32,
    pub(crate) wishes: usize,
}

/// All of it.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) nodes: Vec<Rc<Node>>,
    /// Everything that was ever sent and may still matter.
    pub(crate) network: Vec<Rc<Packet>>,
    pub(crate) used: Used,
    /// Every entry that was ever committed anywhere, in order, with the epoch in which it was.
    pub(crate) committed: Vec<(Entry, i32)>,
    /// Who led in which epoch.
    pub(crate) leaders: BTreeMap<i32, ReplicaId>,
    /// Whether what arrives stays in the network, to arrive again.
    pub(crate) repeats: bool,
}

/// What must hold and didn't.
pub(crate) type Violation = String;

pub(crate) fn replicas(ids: &[i32]) -> Arc<[ReplicaId]> {
    ids.iter().map(|id| ReplicaId::of(*id)).collect()
}

impl World {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let voters = Arc::new(Voters::of(replicas(&bounds.voters)));
        let node = |id: i32| {
            let mut node = Node::new(ReplicaId::of(id), Arc::clone(&voters));
            node.start(bounds);
            Rc::new(node)
        };
        Self {
            nodes: (1..=bounds.nodes).map(node).collect(),
            network: vec![],
            used: Used::default(),
            committed: vec![],
            leaders: BTreeMap::new(),
            repeats: true,
        }
    }

    pub(crate) fn node(&self, id: ReplicaId) -> usize {
        self.nodes.iter().position(|node| node.id == id).unwrap()
    }

    /// What can happen now.
    pub(crate) fn actions(&self, bounds: &Bounds) -> Vec<Action> {
        let mut actions = vec![];
        for (i, packet) in self.network.iter().enumerate() {
            let to = &self.nodes[self.node(packet.message.to)];
            let Some(group) = &to.group else { continue };
            let is_vote = matches!(packet.message.body, Body::Vote(_));
            actions.push(Action::Deliver(i, false));
            if is_vote && matches!(group.role(), Role::Follower(Some(_))) {
                actions.push(Action::Deliver(i, true));
            }
        }
        for (i, node) in self.nodes.iter().enumerate() {
            self.actions_of(i, node, bounds, &mut actions);
        }
        actions
    }

    fn actions_of(&self, i: usize, node: &Node, bounds: &Bounds, actions: &mut Vec<Action>) {
        let Some(group) = &node.group else { return actions.push(Action::Start(i)) };
        let used = &self.used;
        if group.role() != Role::Leader && group.epoch() + 1 < bounds.epochs {
            actions.push(Action::Campaign(i));
        }
        if node.may_flush() {
            actions.push(Action::Flush(i));
        }
        if !node.frames.is_empty() {
            actions.push(Action::Store(i));
        }
        if used.crashes < bounds.crashes {
            actions.push(Action::Crash(i, true));
            if node.flushed < node.end() && bounds.powerless {
                actions.push(Action::Crash(i, false));
            }
        }
        if group.role() != Role::Leader {
            return;
        }
        if bounds.beats {
            actions.push(Action::Beat(i));
        }
        if group.takes_records() && used.values < bounds.records {
            actions.push(Action::Propose(i));
        }
        if used.transfers < bounds.transfers {
            let others = (0..self.nodes.len()).filter(|to| *to != i);
            actions.extend(others.map(|to| Action::Transfer(i, to)));
        }
        if used.wishes < bounds.wishes.len() {
            actions.push(Action::Wish(i, used.wishes));
        }
        // A leader of a later epoch learns of the wish as well.
        if let Some(last) = used.wishes.checked_sub(1) {
            actions.push(Action::Wish(i, last));
        }
        if used.trims < bounds.trims && group.history().start().offset < group.commit().offset {
            actions.push(Action::Trim(i));
        }
        if used.resignations < bounds.resignations {
            actions.push(Action::Resign(i));
        }
    }

    /// Lets something happen.
    pub(crate) fn apply(&mut self, action: &Action, bounds: &Bounds) -> Result<(), Violation> {
        let mut effects = Effects::default();
        self.apply_traced(action, bounds, &mut effects)
    }

    pub(crate) fn apply_traced(
        &mut self,
        action: &Action,
        bounds: &Bounds,
        effects: &mut Effects,
    ) -> Result<(), Violation> {
        let at = match *action {
            Action::Deliver(packet, _) => self.node(self.network[packet].message.to),
            Action::Campaign(i)
            | Action::Propose(i)
            | Action::Flush(i)
            | Action::Store(i)
            | Action::Crash(i, _)
            | Action::Start(i)
            | Action::Beat(i)
            | Action::Transfer(i, _)
            | Action::Wish(i, _)
            | Action::Trim(i)
            | Action::Resign(i) => i,
        };
        self.act(at, action, bounds, effects)?;
        self.spread(at, bounds, effects)?;
        self.look(at, bounds)?;
        loop {
            let node = &self.nodes[at];
            let stores = !bounds.slow_stores && node.group.is_some() && !node.frames.is_empty();
            let flushes = !bounds.slow_flushes && node.may_flush();
            if !stores && !flushes {
                return Ok(());
            }
            let next = if stores { Action::Store(at) } else { Action::Flush(at) };
            self.act(at, &next, bounds, effects)?;
            self.spread(at, bounds, effects)?;
            self.look(at, bounds)?;
        }
    }

    /// Lets something happen to one node that is none of the actions; what must hold is looked at
    /// apart.
    pub(crate) fn step(
        &mut self,
        at: usize,
        bounds: &Bounds,
        effects: &mut Effects,
        what: impl FnOnce(&mut Node, &mut Effects) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        what(Rc::make_mut(&mut self.nodes[at]), effects)?;
        self.spread(at, bounds, effects)
    }

    fn act(
        &mut self,
        at: usize,
        action: &Action,
        bounds: &Bounds,
        effects: &mut Effects,
    ) -> Result<(), Violation> {
        let used = &mut self.used;
        let others: Vec<ReplicaId> = self.nodes.iter().map(|node| node.id).collect();
        let node = Rc::make_mut(&mut self.nodes[at]);
        match action {
            Action::Deliver(i, heard) => {
                let packet = if self.repeats {
                    self.network[*i].clone()
                } else {
                    self.network.swap_remove(*i)
                };
                let before = node.alive().epoch();
                node.deliver(&packet, *heard, effects)?;
                let asks = matches!(packet.message.body, Body::Vote(vote) if vote.pre);
                if asks && node.alive().epoch() != before {
                    return Err(format!("{}: a question raised the epoch", node.id));
                }
            }
            Action::Campaign(_) if bounds.pre_votes => node.alive().campaign(effects),
            Action::Campaign(_) => node.alive().campaign_at_once(effects),
            Action::Propose(_) => {
                let record = Record { epoch: node.alive().epoch(), value: used.values };
                used.values += 1;
                node.records.push(record);
                let end = node.end();
                node.alive().appended(end, effects);
            }
            Action::Flush(_) => {
                node.flushed = node.end();
                let flushed = node.flushed;
                node.alive().flushed(flushed, effects);
            }
            Action::Store(_) => node.make_durable(effects),
            Action::Crash(_, keeps) => {
                used.crashes += 1;
                node.crash(*keeps, bounds);
            }
            Action::Start(_) => node.start(bounds),
            Action::Beat(_) => node.alive().beat(effects),
            Action::Transfer(_, to) => {
                used.transfers += 1;
                node.alive().transfer(others[*to], effects);
            }
            Action::Wish(_, i) => {
                used.wishes = used.wishes.max(i + 1);
                let generation = i64::try_from(i + 1).unwrap();
                node.alive().wish(replicas(&bounds.wishes[*i]), generation, effects);
            }
            Action::Trim(_) => {
                used.trims += 1;
                let to = node.alive().commit().offset;
                let mutant_to = node.alive().history().end().offset;
                let goes_too_far = bounds.mutant == Some(Mutant::StartBeyondCommit);
                node.alive().move_start(if goes_too_far { mutant_to } else { to }, effects);
            }
            Action::Resign(_) => {
                used.resignations += 1;
                node.alive().check_quorum(|_| false, effects);
            }
        }
        Ok(())
    }

    /// Does what a step asked for.
    fn spread(
        &mut self,
        at: usize,
        bounds: &Bounds,
        effects: &mut Effects,
    ) -> Result<(), Violation> {
        let node = Rc::make_mut(&mut self.nodes[at]);
        if node.group.is_some() {
            node.ship(effects);
            let number = node.alive().issued();
            if !effects.stores.is_empty() {
                node.frames.push_back((number, core::mem::take(&mut effects.stores)));
            }
        }
        for message in core::mem::take(&mut effects.messages) {
            if !self.nodes.iter().any(|node| node.id == message.to) {
                return Err(format!("a message to nobody: {message:?}"));
            }
            self.look_at_message(&message)?;
            let packet = Rc::new(self.nodes[at].pack(message));
            if self.repeats && !bounds.reorders {
                self.network.retain(|older| !older.is_of_kind(&packet));
            }
            if !self.repeats || !self.network.contains(&packet) {
                self.network.push(packet);
            }
        }
        if self.repeats {
            let is_over = |packet: &Rc<Packet>| {
                let to = &self.nodes[self.node(packet.message.to)];
                let is_question = matches!(packet.message.body, Body::Vote(vote) if vote.pre)
                    || matches!(packet.message.body, Body::VoteReply(reply) if reply.pre);
                let is_refusal =
                    matches!(packet.message.body, Body::VoteReply(reply) if !reply.granted);
                packet.message.epoch < to.state.epoch
                    || (is_refusal && packet.message.epoch <= to.state.epoch)
                    || (is_question && packet.message.epoch <= to.state.epoch)
            };
            let over: Vec<bool> = self.network.iter().map(is_over).collect();
            let mut over = over.into_iter();
            self.network.retain(|_| !over.next().unwrap());
        }
        Ok(())
    }

    /// What must always hold, as far as this node could have broken it.
    pub(crate) fn look(&mut self, at: usize, bounds: &Bounds) -> Result<(), Violation> {
        let node = &self.nodes[at];
        node.look()?;
        let Some(group) = &node.group else { return Ok(()) };
        if let Some(why) = group.halted() {
            return Err(format!("{} halts: {why}", node.id));
        }
        if group.role() == Role::Leader {
            let leader = *self.leaders.entry(group.epoch()).or_insert(node.id);
            if leader != node.id {
                return Err(format!("{leader} and {} lead in {}", node.id, group.epoch()));
            }
            self.look_whether_complete(node)?;
        }
        let (first, entries) = node.entries_to(group.commit());
        for (i, entry) in entries.iter().enumerate() {
            match self.committed.get(first + i) {
                Some((known, _)) if known == entry => {}
                Some((known, _)) => {
                    return Err(format!("{}: {entry:?} committed for {known:?}", node.id));
                }
                None if first + i == self.committed.len() => {
                    self.committed.push((entry.clone(), group.epoch()));
                }
                None => return Err(format!("{}: a hole before {entry:?}", node.id)),
            }
        }
        self.look_at_starts(at)?;
        let _ = bounds;
        Ok(())
    }

    /// The office goes only to somebody who has all of the log.
    fn look_at_message(&self, message: &Message) -> Result<(), Violation> {
        let (from, to) = (self.node(message.from), self.node(message.to));
        let end = self.nodes[from].group.as_ref().map(|group| group.history().end());
        let reached = self.nodes[to].group.as_ref().map(|group| group.history().end());
        match message.body {
            Body::TimeoutNow if reached.is_some() && reached < end => {
                Err(format!("{} hands over to {}, at {reached:?}", message.from, message.to))
            }
            _ => Ok(()),
        }
    }

    /// A leader has everything that was committed in an epoch before its own.
    fn look_whether_complete(&self, node: &Node) -> Result<(), Violation> {
        let group = node.group.as_ref().unwrap();
        let (first, entries) = node.entries_to(group.history().end());
        for (i, (known, epoch)) in self.committed.iter().enumerate().skip(first) {
            if *epoch < group.epoch() && entries.get(i - first) != Some(known) {
                return Err(format!("{} leads in {} without {known:?}", node.id, group.epoch()));
            }
        }
        Ok(())
    }

    /// A log begins no later than what is committed.
    fn look_at_starts(&self, at: usize) -> Result<(), Violation> {
        let group = self.nodes[at].group.as_ref().unwrap();
        let start = group.history().start();
        let index = usize::try_from(start.offset + start.control).unwrap();
        if index > self.committed.len() {
            return Err(format!("{} begins at {start}, which isn't committed", self.nodes[at].id));
        }
        Ok(())
    }
}
