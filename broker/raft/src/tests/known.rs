//! What a search has met, each once, by number: replicas, packets and pasts.
//!
//! What comes of something that happens to a replica depends on nothing but the replica as it is
//! then. So it is worked out once, though it happens in thousands of worlds: what differs between
//! them is mostly what the others are like. The same goes for fingerprints, which are sums.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::hash::{BuildHasherDefault, Hash};
use core::ops::Range;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::bounds::{Bounds, Deed};
use super::node::{Node, Packet, Record};
use super::past::Past;
use super::symmetry::{AsIs, Mixer, Renamings};
use super::world::{Violation, replicas};
use crate::mutant::Mutant;
use crate::{Body, Effects, ReplicaId};

/// All that there is of a kind.
struct Table<T> {
    items: Vec<T>,
    /// By the hash under the first renaming.
    numbers: HashMap<u128, u32, BuildHasherDefault<AsIs>>,
    /// Of each item: under each renaming, and without names.
    hashes: Vec<u128>,
}

impl<T: Hash> Table<T> {
    fn new() -> Self {
        Self { items: vec![], numbers: HashMap::default(), hashes: vec![] }
    }

    /// The number of something, and whether it is new.
    fn number(&mut self, item: T, renamings: &Renamings) -> (u32, bool) {
        let first = renamings.hash(&item, 0);
        if let Some(number) = self.numbers.get(&first) {
            return (*number, false);
        }
        let number = count(&self.items);
        self.hashes.push(first);
        self.hashes.extend((1..=renamings.count()).map(|it| renamings.hash(&item, it)));
        self.numbers.insert(first, number);
        self.items.push(item);
        (number, true)
    }
}

/// What decides where a packet goes, and whether it still matters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mail {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) kind: (i32, i32, u8),
    pub(crate) last_epoch: i32,
    pub(crate) is_vote: bool,
    pub(crate) hands_over: bool,
}

impl Mail {
    fn of(packet: &Packet) -> Self {
        Self {
            from: index(packet.message.from),
            to: index(packet.message.to),
            kind: packet.kind(),
            last_epoch: packet.last_epoch(),
            is_vote: matches!(packet.message.body, Body::Vote(_)),
            hands_over: packet.message.body == Body::TimeoutNow,
        }
    }
}

/// The index of a replica.
fn index(id: ReplicaId) -> usize {
    usize::try_from(id.broker).unwrap() - 1
}

/// A replica on its way from what it was before something happened to what it is then: each report
/// of a disk that is done at once makes another stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    pub(crate) node: u32,
    /// Where in the list of all that is ever sent stands what it sends.
    sent: (u32, u32),
}

fn count<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap()
}

/// What a search has met.
pub(crate) struct Known {
    pub(crate) bounds: Bounds,
    pub(crate) renamings: Renamings,
    nodes: Table<Node>,
    packets: Table<Packet>,
    mail: Vec<Mail>,
    pasts: Table<Past>,
    /// The stages that a replica passes.
    outcomes: HashMap<(u32, Deed), (u32, u32), BuildHasherDefault<Mixer>>,
    stages: Vec<Stage>,
    sent: Vec<u32>,
    /// What the past is once a replica was looked at.
    looks: HashMap<(u32, u32), u32, BuildHasherDefault<Mixer>>,
}

impl Known {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self {
            bounds: bounds.clone(),
            renamings: Renamings::of(bounds),
            nodes: Table::new(),
            packets: Table::new(),
            mail: vec![],
            pasts: Table::new(),
            outcomes: HashMap::default(),
            stages: vec![],
            sent: vec![],
            looks: HashMap::default(),
        }
    }

    /// How many replicas there are.
    pub(crate) fn size(&self) -> usize {
        usize::try_from(self.bounds.nodes).unwrap()
    }

    pub(crate) fn node(&self, number: u32) -> &Node {
        &self.nodes.items[number as usize]
    }

    pub(crate) fn packet(&self, number: u32) -> &Packet {
        &self.packets.items[number as usize]
    }

    pub(crate) fn mail(&self, packet: u32) -> Mail {
        self.mail[packet as usize]
    }

    pub(crate) fn stage(&self, number: usize) -> Stage {
        self.stages[number]
    }

    /// The packets that a replica sends at a stage.
    pub(crate) fn sent(&self, stage: Stage) -> &[u32] {
        let (begin, end) = stage.sent;
        &self.sent[begin as usize..end as usize]
    }

    pub(crate) fn number_of_node(&mut self, node: Node) -> u32 {
        self.nodes.number(node, &self.renamings).0
    }

    pub(crate) fn number_of_past(&mut self, past: Past) -> u32 {
        self.pasts.number(past, &self.renamings).0
    }

    fn number_of_packet(&mut self, packet: Packet) -> u32 {
        let mail = Mail::of(&packet);
        let (number, is_new) = self.packets.number(packet, &self.renamings);
        if is_new {
            self.mail.push(mail);
        }
        number
    }

    /// How much there is of each, for whoever wonders where memory goes.
    pub(crate) fn sizes(&self) -> String {
        let (nodes, packets) = (self.nodes.items.len(), self.packets.items.len());
        let (pasts, outcomes) = (self.pasts.items.len(), self.outcomes.len());
        format!("{nodes} replicas, {packets} packets, {pasts} pasts, {outcomes} outcomes")
    }

    /// A replica's part of the fingerprint without names.
    pub(crate) fn look_of(&self, node: u32) -> u128 {
        self.nodes.hashes[self.hash_at(node, self.renamings.count())]
    }

    /// The hash of all of this under a renaming.
    pub(crate) fn hash_of(
        &self,
        nodes: &[u32],
        network: &[u32],
        past: u32,
        renaming: usize,
    ) -> u128 {
        let past = self.pasts.hashes[self.hash_at(past, renaming)];
        let nodes = nodes.iter().map(|it| self.nodes.hashes[self.hash_at(*it, renaming)]);
        let network = network.iter().map(|it| self.packets.hashes[self.hash_at(*it, renaming)]);
        nodes.chain(network).fold(past, u128::wrapping_add)
    }

    fn hash_at(&self, number: u32, renaming: usize) -> usize {
        number as usize * (self.renamings.count() + 1) + renaming
    }

    /// The stages that a replica passes when something happens to it.
    pub(crate) fn outcome(&mut self, node: u32, deed: Deed) -> Result<Range<usize>, Violation> {
        if let Some(&(first, end)) = self.outcomes.get(&(node, deed)) {
            return Ok(first as usize..end as usize);
        }
        let passed = self.guarded(|| self.play(node, deed, &mut Effects::default()))?;
        let first = count(&self.stages);
        for (node, packets) in passed {
            let begin = count(&self.sent);
            for packet in packets {
                let packet = self.number_of_packet(packet);
                self.sent.push(packet);
            }
            let node = self.number_of_node(node);
            self.stages.push(Stage { node, sent: (begin, count(&self.sent)) });
        }
        let end = count(&self.stages);
        self.outcomes.insert((node, deed), (first, end));
        Ok(first as usize..end as usize)
    }

    /// What a past is once a replica was looked at, if what must hold does.
    pub(crate) fn look(&mut self, node: u32, past: u32) -> Result<u32, Violation> {
        if let Some(next) = self.looks.get(&(node, past)) {
            return Ok(*next);
        }
        let mut next = self.pasts.items[past as usize].clone();
        self.guarded(|| next.look(self.node(node)))?;
        let next = self.number_of_past(next);
        self.looks.insert((node, past), next);
        Ok(next)
    }

    /// Where a fault is built in, a panic is a violation as well.
    fn guarded<T>(&self, what: impl FnOnce() -> Result<T, Violation>) -> Result<T, Violation> {
        if self.bounds.mutant.is_none() {
            return what();
        }
        catch_unwind(AssertUnwindSafe(what)).unwrap_or_else(|_| Err(String::from("a panic")))
    }

    /// What a replica is after something has happened to it and after each thing that its disk does
    /// at once, and what it sends.
    pub(crate) fn play(
        &self,
        node: u32,
        deed: Deed,
        effects: &mut Effects,
    ) -> Result<Vec<(Node, Vec<Packet>)>, Violation> {
        let bounds = &self.bounds;
        let mut node = self.node(node).clone();
        self.happen(&mut node, deed, effects)?;
        let mut passed = vec![];
        loop {
            let packets = node.spread(effects);
            let is_to_nobody = |it: &&Packet| !(1..=bounds.nodes).contains(&it.message.to.broker);
            if let Some(Packet { message, .. }) = packets.iter().find(is_to_nobody) {
                return Err(format!("a message to nobody: {message:?}"));
            }
            passed.push((node.clone(), packets));
            if node.group.is_some() && !bounds.slow_stores && !node.frames.is_empty() {
                node.make_durable(effects);
            } else if !bounds.slow_flushes && node.may_flush() {
                node.flush(effects);
            } else {
                return Ok(passed);
            }
        }
    }

    fn happen(&self, node: &mut Node, deed: Deed, effects: &mut Effects) -> Result<(), Violation> {
        let bounds = &self.bounds;
        match deed {
            Deed::Deliver(packet, heard) => {
                let packet = self.packet(packet);
                let before = node.alive().epoch();
                node.deliver(packet, heard, effects)?;
                let asks = matches!(packet.message.body, Body::Vote(vote) if vote.pre);
                if asks && node.alive().epoch() != before {
                    return Err(format!("{}: a question raised the epoch", node.id));
                }
            }
            Deed::Campaign if bounds.pre_votes => node.alive().campaign(effects),
            Deed::Campaign => node.alive().campaign_at_once(effects),
            Deed::Propose(value) => {
                let record = Record { epoch: node.alive().epoch(), value: value.into() };
                node.records.push(record);
                let end = node.end();
                node.alive().appended(end, effects);
            }
            Deed::Flush => node.flush(effects),
            Deed::Store => node.make_durable(effects),
            Deed::Kill => node.kill(),
            Deed::PowerCut(kept) => node.lose_power(kept.into(), bounds.caching),
            Deed::Start => node.start(bounds),
            Deed::Beat => node.alive().beat(effects),
            Deed::Transfer(to) => {
                node.alive().transfer(ReplicaId::of(i32::from(to) + 1), effects);
            }
            Deed::Wish(i) => {
                let wish = replicas(&bounds.wishes[usize::from(i)]);
                node.alive().wish(wish, i64::from(i) + 1, effects);
            }
            Deed::Trim => {
                let goes_too_far = bounds.mutant == Some(Mutant::StartBeyondCommit);
                let end = node.alive().history().end();
                let to = if goes_too_far { end } else { node.alive().commit() };
                node.alive().move_start(to.offset, effects);
            }
            Deed::Resign => node.alive().check_quorum(|_| false, effects),
        }
        Ok(())
    }
}
