//! The replicas of a script, and what is on its way between them.

use alloc::rc::Rc;
use alloc::sync::Arc;
use std::format;
use std::vec;
use std::vec::Vec;

use super::super::bounds::Bounds;
use super::super::node::{Node, Packet};
use super::super::past::{Past, look_at_handover};
use super::super::world::{Violation, replicas};
use crate::{Body, Effects, ReplicaId, Voters};

/// All of it.
pub(super) struct Stage {
    pub(super) nodes: Vec<Node>,
    pub(super) network: Vec<Rc<Packet>>,
    past: Past,
}

impl Stage {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let voters = Arc::new(Voters::of(replicas(&bounds.voters)));
        let node = |id: i32| {
            let mut node = Node::new(ReplicaId::of(id), Arc::clone(&voters));
            node.start(bounds);
            node
        };
        let nodes = (1..=bounds.nodes).map(node).collect();
        Self { nodes, network: vec![], past: Past::default() }
    }

    pub(super) fn node(&self, id: ReplicaId) -> usize {
        self.nodes.iter().position(|node| node.id == id).unwrap()
    }

    /// Lets something happen to a replica; what must hold is looked at apart.
    pub(super) fn step(
        &mut self,
        at: usize,
        effects: &mut Effects,
        what: impl FnOnce(&mut Node, &mut Effects) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        what(&mut self.nodes[at], effects)?;
        for packet in self.nodes[at].spread(effects) {
            let message = &packet.message;
            let Some(to) = self.nodes.iter().find(|node| node.id == message.to) else {
                return Err(format!("a message to nobody: {message:?}"));
            };
            if message.body == Body::TimeoutNow {
                look_at_handover(&self.nodes[at], to)?;
            }
            self.network.push(Rc::new(packet));
        }
        Ok(())
    }

    /// What must always hold, as far as this replica could have broken it.
    pub(super) fn look(&mut self, at: usize) -> Result<(), Violation> {
        self.past.look(&self.nodes[at])
    }
}
