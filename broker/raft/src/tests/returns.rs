//! Followers and leaders that were away or out of step, and how a group goes on with them. Each
//! story was found by the simulation.

use std::collections::VecDeque;

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::node::{Node, Packet, Record};
use super::world::replicas;
use crate::group::{Group, Options, Role};
use crate::mutant::Mutant;
use crate::{Body, Content, Effects, ReplicaId, Voters};

/// Three replicas whose disks are done at once, and what is on its way between them.
pub(crate) struct Three {
    nodes: Vec<Node>,
    wire: VecDeque<Packet>,
    mutant: Option<Mutant>,
}

impl Three {
    fn new(voters: &[i32]) -> Self {
        Self::with(voters, None)
    }

    pub(crate) fn with(voters: &[i32], mutant: Option<Mutant>) -> Self {
        let voters = Arc::new(Voters::of(replicas(voters)));
        let node = |id: i32| Node::new(ReplicaId::of(id), Arc::clone(&voters));
        let nodes = (1..=3).map(node).collect();
        let mut three = Self { nodes, wire: VecDeque::new(), mutant };
        (0..3).for_each(|at| three.start(at));
        three
    }

    fn start(&mut self, at: usize) {
        let options = Options { patience_beats: 2, ..Options::default() };
        self.nodes[at].begin(options, 0, self.mutant);
    }

    pub(crate) fn core(&self, at: usize) -> &Group {
        self.nodes[at].group.as_ref().unwrap()
    }

    pub(crate) fn act(&mut self, at: usize, does: impl FnOnce(&mut Group, &mut Effects)) {
        let mut effects = Effects::default();
        does(self.nodes[at].alive(), &mut effects);
        self.spread(at, effects);
    }

    fn spread(&mut self, at: usize, mut effects: Effects) {
        let node = &mut self.nodes[at];
        loop {
            node.ship(&mut effects);
            if !effects.stores.is_empty() {
                let number = node.alive().issued();
                node.frames.push_back((number, core::mem::take(&mut effects.stores)));
            }
            let messages = core::mem::take(&mut effects.messages);
            self.wire.extend(messages.into_iter().map(|message| node.pack(message)));
            if !node.frames.is_empty() {
                node.make_durable(&mut effects);
            } else if node.may_flush() {
                node.flushed = node.end();
                let flushed = node.flushed;
                node.alive().flushed(flushed, &mut effects);
            } else {
                return;
            }
        }
    }

    /// Delivers what is on its way and is kept, and what comes of it.
    pub(crate) fn deliver(&mut self, keeps: impl Fn(&Packet) -> bool) {
        for _ in 0..1000 {
            let Some(packet) = self.wire.pop_front() else { return };
            let at = self.nodes.iter().position(|node| node.id == packet.message.to).unwrap();
            if keeps(&packet) && self.nodes[at].group.is_some() {
                let mut effects = Effects::default();
                self.nodes[at].deliver(&packet, false, &mut effects).unwrap();
                self.spread(at, effects);
            }
        }
        panic!("it never becomes quiet: {:?}", self.wire);
    }

    pub(crate) fn lead(&mut self, at: usize) {
        self.act(at, Group::campaign);
        self.deliver(|_| true);
        assert_eq!(self.core(at).role(), Role::Leader);
    }

    pub(crate) fn propose(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let epoch = node.alive().epoch();
        node.records.push(Record { epoch, value: 0 });
        let end = node.end();
        self.act(at, |core, effects| core.appended(end, effects));
    }

    pub(crate) fn beat(&mut self, at: usize, times: usize) {
        for _ in 0..times {
            self.act(at, Group::beat);
            self.deliver(|_| true);
        }
    }

    /// Whether all have the leader's log, and know that it is committed.
    fn assert_same(&self) {
        let end = self.core(0).history().end();
        let at: Vec<_> = (0..3).map(|at| self.core(at).commit()).collect();
        assert_eq!(at, vec![end; 3]);
    }
}

#[test]
fn what_was_lost_on_its_way_is_sent_again_though_beats_are_answered() {
    let mut three = Three::new(&[1, 2, 3]);
    three.lead(0);
    three.propose(0);
    three.deliver(|packet| packet.message.to != ReplicaId::of(2));
    three.beat(0, 6);
    three.assert_same();
}

#[test]
fn who_asked_for_votes_in_vain_learns_of_the_last_commit() {
    let mut three = Three::new(&[1, 2, 3]);
    three.lead(0);
    three.propose(0);
    three.deliver(|_| true);
    three.act(1, Group::campaign);
    three.deliver(|_| false);
    three.beat(0, 3);
    three.assert_same();
}

#[test]
fn who_restarts_is_asked_for_what_it_had_acknowledged() {
    let mut three = Three::new(&[1, 2, 3]);
    three.lead(0);
    three.propose(0);
    three.deliver(|_| true);
    three.nodes[1].group = None;
    three.start(1);
    three.propose(0);
    three.deliver(|packet| packet.message.to != ReplicaId::of(2));
    three.beat(0, 6);
    three.assert_same();
}

/// The leader alone has the entry without it, and who is to follow it gets no votes from it.
#[test]
fn who_voted_until_an_uncommitted_entry_is_elected_where_nobody_else_can_be() {
    let mut three = Three::new(&[1]);
    three.lead(0);
    let wish = |core: &mut Group, effects: &mut Effects| core.wish(replicas(&[2]), 1, effects);
    three.act(0, wish);
    let is_last = |packet: &Packet| match &packet.message.body {
        Body::Append(append) => match &append.content {
            Content::Control(it) => it.voters.as_ref().is_some_and(|voters| !voters.is_joint()),
            _ => false,
        },
        _ => false,
    };
    three.deliver(|packet| !is_last(packet));
    assert!(!three.core(0).voters().contains(ReplicaId::of(1)));
    assert!(three.core(1).voters().is_joint());
    three.nodes[0].group = None;
    three.start(0);
    three.wire.clear();
    three.act(1, Group::campaign);
    three.deliver(|_| true);
    assert_ne!(three.core(1).role(), Role::Leader);
    three.lead(0);
    three.act(0, wish);
    three.beat(0, 3);
    assert_eq!(three.core(1).role(), Role::Leader);
    assert!(!three.core(1).voters().is_joint());
    assert_eq!(three.core(1).commit(), three.core(1).history().end());
}

/// Else it could lose its vote, and lead in the same epoch again with another log.
#[test]
fn a_sole_voter_says_nothing_in_an_epoch_that_is_not_durable() {
    let mut three = Three::new(&[1]);
    let node = &mut three.nodes[0];
    let mut effects = Effects::default();
    node.alive().campaign(&mut effects);
    node.alive().wish(replicas(&[1, 2]), 1, &mut effects);
    node.alive().beat(&mut effects);
    node.ship(&mut effects);
    assert_eq!((node.alive().role(), effects.messages.len()), (Role::Leader, 0));
    let number = node.alive().issued();
    node.frames.push_back((number, core::mem::take(&mut effects.stores)));
    node.make_durable(&mut effects);
    node.ship(&mut effects);
    assert!(!effects.messages.is_empty());
}
