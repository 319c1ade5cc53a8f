//! The network: what becomes of what one broker sends to another.
//!
//! As in [`crate::peer`], a connection has one direction and one kind. What it carries arrives in
//! order, late or not at all, and nothing of it over the next one. Where links are cut what is on
//! its way waits, and arrives afterwards unless the connection has ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::chance::Chance;
use super::plan::MILLISECOND;
use super::queue::Parcel;
use crate::peer::Kind;

/// From one broker to another, for beats, messages or calls. Answers come back over the connection
/// of their calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kind: Kind,
}

/// All kinds of connections.
const KINDS: [Kind; 3] = [Kind::Groups, Kind::Beats, Kind::Calls];

/// The connection of a way.
#[derive(Debug, Default)]
pub(super) struct Connection {
    /// Its number.
    pub(super) number: u64,
    /// Whether its sender thinks that it stands.
    pub(super) is_open: bool,
    /// When the last of what was sent arrives.
    last: u64,
    /// What has come as far as a link that is cut.
    held: VecDeque<Parcel>,
}

/// All connections, and which links are cut.
#[derive(Debug)]
pub(super) struct Network {
    connections: BTreeMap<Way, Connection>,
    cut: BTreeSet<(usize, usize)>,
    delay: u64,
}

impl Network {
    pub(super) fn new(brokers: usize, delay: u64) -> Self {
        let pairs = (0..brokers).flat_map(|from| (0..brokers).map(move |to| (from, to)));
        let ways = pairs
            .filter(|(from, to)| from != to)
            .flat_map(|(from, to)| KINDS.map(|kind| Way { from, to, kind }));
        let connections = ways.map(|way| (way, Connection::default())).collect();
        Self { connections, cut: BTreeSet::new(), delay }
    }

    pub(super) fn ways(&self) -> Vec<Way> {
        self.connections.keys().copied().collect()
    }

    pub(super) fn at(&mut self, way: Way) -> &mut Connection {
        self.connections.get_mut(&way).expect("brokers are connected")
    }

    /// Takes something; returns over which connection it arrives, and when. Nothing without one.
    pub(super) fn send(&mut self, way: Way, now: u64, chance: &mut Chance) -> Option<(u64, u64)> {
        let delay = self.delay;
        let connection = self.at(way);
        if !connection.is_open {
            return None;
        }
        connection.last = (now + chance.latency(delay)).max(connection.last + 1);
        Some((connection.number, connection.last))
    }

    /// Something has come over a connection; returns it if it arrives now.
    pub(super) fn carry(&mut self, way: Way, number: u64, parcel: Parcel) -> Option<Parcel> {
        let is_cut = self.is_cut(way);
        let connection = self.at(way);
        if connection.number != number {
            return None;
        }
        if is_cut || !connection.held.is_empty() {
            connection.held.push_back(parcel);
            return None;
        }
        Some(parcel)
    }

    /// What waited for a link arrives, if the link works again.
    pub(super) fn released(&mut self, way: Way) -> Vec<Parcel> {
        if self.is_cut(way) { Vec::new() } else { self.at(way).held.drain(..).collect() }
    }

    /// A connection ends, and what is on its way is lost; whether there was one.
    pub(super) fn end(&mut self, way: Way) -> bool {
        let connection = self.at(way);
        connection.number += 1;
        connection.held.clear();
        std::mem::take(&mut connection.is_open)
    }

    /// Nothing arrives over a connection any more, and its sender doesn't know.
    pub(super) fn lose(&mut self, way: Way) {
        let connection = self.at(way);
        connection.number += 1;
        connection.held.clear();
    }

    pub(super) fn is_cut(&self, way: Way) -> bool {
        self.cut.contains(&(way.from, way.to))
    }

    /// Parts some brokers from the others.
    pub(super) fn part(&mut self, brokers: usize, chance: &mut Chance) {
        let sides: Vec<bool> = (0..brokers).map(|_| chance.permille(500)).collect();
        let all = (0..brokers).flat_map(|from| (0..brokers).map(move |to| (from, to)));
        self.cut.extend(all.filter(|(from, to)| sides[*from] != sides[*to]));
    }

    /// Cuts all links of a broker: those from it, those to it, or both.
    pub(super) fn isolate(&mut self, broker: usize, brokers: usize, chance: &mut Chance) {
        let way = chance.below(3);
        for other in (0..brokers).filter(|other| *other != broker) {
            self.cut.extend((way != 0).then_some((broker, other)));
            self.cut.extend((way != 1).then_some((other, broker)));
        }
    }

    /// Cuts one link, in one direction.
    pub(super) fn cut_one(&mut self, from: usize, to: usize) {
        self.cut.insert((from, to));
    }

    /// Nothing is late by much any more.
    pub(super) fn calm(&mut self) {
        self.delay = self.delay.min(MILLISECOND);
    }

    pub(super) fn mend(&mut self) {
        self.cut.clear();
    }
}
