//! A world: replicas of one group, a network that loses, repeats and reorders, and what happened
//! before. One action changes it at a time.
//!
//! A search holds and makes worlds by the million, so a world is made of numbers, and [`Known`] has
//! what they stand for.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::bounds::{Action, Deed, Used};
use super::known::{Known, Stage};
use super::node::Node;
use super::past::{Past, look_at_handover};
use super::symmetry::NODES;
use crate::group::Role;
use crate::{ReplicaId, Voters};

/// What must hold and didn't.
pub(crate) type Violation = String;

pub(crate) fn replicas(ids: &[i32]) -> Arc<[ReplicaId]> {
    ids.iter().map(|id| ReplicaId::of(*id)).collect()
}

/// All of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) nodes: [u32; NODES],
    /// Everything that was ever sent and may still matter. What arrives stays, to arrive again.
    pub(crate) network: Vec<u32>,
    past: u32,
    used: Used,
}

impl Clone for World {
    fn clone(&self) -> Self {
        Self { network: self.network.clone(), ..*self }
    }

    fn clone_from(&mut self, other: &Self) {
        let Self { nodes, network, past, used } = other;
        self.network.clone_from(network);
        (self.nodes, self.past, self.used) = (*nodes, *past, *used);
    }
}

impl Known {
    /// The world in which nothing has happened yet.
    pub(crate) fn first(&mut self) -> World {
        let voters = Arc::new(Voters::of(replicas(&self.bounds.voters)));
        let mut nodes = [0; NODES];
        for (id, number) in (1..=self.bounds.nodes).zip(&mut nodes) {
            let mut node = Node::new(ReplicaId::of(id), Arc::clone(&voters));
            node.start(&self.bounds);
            *number = self.number_of_node(node);
        }
        let past = self.number_of_past(Past::default());
        World { nodes, network: vec![], past, used: Used::default() }
    }

    /// What can happen now.
    pub(crate) fn actions(&self, world: &World) -> Vec<Action> {
        let mut actions = Vec::with_capacity(world.network.len() + 2 * NODES);
        for packet in &world.network {
            let mail = self.mail(*packet);
            let Some(group) = &self.node(world.nodes[mail.to]).group else { continue };
            actions.push(Action { at: mail.to, deed: Deed::Deliver(*packet, false) });
            if mail.is_vote && matches!(group.role(), Role::Follower(Some(_))) {
                actions.push(Action { at: mail.to, deed: Deed::Deliver(*packet, true) });
            }
        }
        for at in 0..self.size() {
            let deeds = self.deeds(self.node(world.nodes[at]), at, world.used);
            actions.extend(deeds.into_iter().map(|deed| Action { at, deed }));
        }
        actions
    }

    /// What can happen to a replica without a packet.
    fn deeds(&self, node: &Node, at: usize, used: Used) -> Vec<Deed> {
        let bounds = &self.bounds;
        let mut deeds = vec![];
        let Some(group) = &node.group else { return vec![Deed::Start] };
        if group.role() != Role::Leader && group.epoch() + 1 < bounds.epochs {
            deeds.push(Deed::Campaign);
        }
        if node.may_flush() {
            deeds.push(Deed::Flush);
        }
        if !node.frames.is_empty() {
            deeds.push(Deed::Store);
        }
        if used.crashes < bounds.crashes {
            deeds.push(Deed::Kill);
            let torn = (0..node.unflushed()).filter(|_| bounds.powerless);
            deeds.extend(torn.map(|kept| Deed::PowerCut(u8::try_from(kept).unwrap())));
        }
        if group.role() != Role::Leader {
            return deeds;
        }
        if bounds.beats {
            deeds.push(Deed::Beat);
        }
        if group.takes_records() && used.values < bounds.records {
            deeds.push(Deed::Propose(used.values));
        }
        if used.transfers < bounds.transfers {
            let others = (0..self.size()).filter(|to| *to != at);
            deeds.extend(others.map(|to| Deed::Transfer(u8::try_from(to).unwrap())));
        }
        if usize::from(used.wishes) < bounds.wishes.len() {
            deeds.push(Deed::Wish(used.wishes));
        }
        // A leader of a later epoch learns of the wish as well.
        if let Some(last) = used.wishes.checked_sub(1) {
            deeds.push(Deed::Wish(last));
        }
        if used.trims < bounds.trims && group.history().start().offset < group.commit().offset {
            deeds.push(Deed::Trim);
        }
        if used.resignations < bounds.resignations {
            deeds.push(Deed::Resign);
        }
        deeds
    }

    /// Lets something happen in a world.
    pub(crate) fn act(&mut self, world: &mut World, action: Action) -> Result<(), Violation> {
        let Action { at, deed } = action;
        let stages = self.outcome(world.nodes[at], deed)?;
        world.used.note(deed);
        for stage in stages {
            let stage = self.stage(stage);
            self.pass(world, at, stage)?;
        }
        Ok(())
    }

    /// A replica comes to a stage of what happens to it.
    fn pass(&mut self, world: &mut World, at: usize, stage: Stage) -> Result<(), Violation> {
        let before = core::mem::replace(&mut world.nodes[at], stage.node);
        for packet in self.sent(stage) {
            self.send(world, *packet)?;
        }
        let epoch = self.node(stage.node).state.epoch;
        if before != stage.node && self.node(before).state.epoch < epoch {
            let is_over = |packet: &u32| {
                let mail = self.mail(*packet);
                mail.to == at && mail.last_epoch < epoch
            };
            world.network.retain(|packet| !is_over(packet));
        }
        world.past = self.look(stage.node, world.past)?;
        Ok(())
    }

    fn send(&self, world: &mut World, packet: u32) -> Result<(), Violation> {
        let mail = self.mail(packet);
        let to = self.node(world.nodes[mail.to]);
        if mail.hands_over {
            look_at_handover(self.node(world.nodes[mail.from]), to)?;
        }
        let takes_place = |older: &u32| match self.bounds.reorders {
            true => *older == packet,
            false => self.mail(*older).kind == mail.kind,
        };
        let older = world.network.iter().position(takes_place);
        if self.bounds.reorders && older.is_some() {
            return Ok(());
        }
        if let Some(older) = older {
            world.network.remove(older);
        }
        if to.state.epoch <= mail.last_epoch {
            world.network.push(packet);
        }
        Ok(())
    }

    /// What is the same for two worlds just if they are the same but for names.
    pub(crate) fn fingerprint(&self, world: &World) -> u128 {
        let World { nodes, network, past, used } = world;
        let nodes = &nodes[..self.size()];
        let mut least = u128::MAX;
        self.renamings.each(nodes.iter().map(|node| self.look_of(*node)), |renaming| {
            let hash = self.hash_of(nodes, network, *past, renaming);
            least = least.min(hash);
        });
        // The rest has no names.
        super::symmetry::mixed(least, used.packed())
    }
}
