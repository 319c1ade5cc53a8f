//! A shard's connections to other brokers.
//!
//! Must always hold: what is said in a turn is offered in the order in which it was said. Nobody
//! dials a broker that was removed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::sync::Arc;

use tokio::sync::watch;

use super::lanes::Outgoing;
use crate::peer::{CallLink, LANES, Landing, Link, Peers};

/// What a shard needs to speak to other brokers.
pub(crate) struct Joining {
    pub(crate) peers: Arc<Peers>,
    /// Where it finds the connections that others make.
    pub(crate) landing: Landing,
    /// Of the first shard: where others are awaited, and the brokers that are called.
    pub(crate) first: Option<(TcpListener, Vec<i32>)>,
    /// The other brokers.
    pub(crate) nodes: Vec<i32>,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Bytes that wait for a connection, beyond which nobody who is behind is read for: what others are
/// sent has to wait for them.
const WAITING_MAX: usize = 4 << 20;

/// The connections of a shard.
pub(super) struct Peering {
    peers: Arc<Peers>,
    shard: usize,
    links: BTreeMap<i32, Link>,
    /// To whom something was to be said, and who is none of the cluster.
    strangers: BTreeSet<i32>,
    /// Of the first shard.
    calls: BTreeMap<i32, CallLink>,
}

impl Peering {
    /// Begins to dial, and to serve who dials; within the shard's `LocalSet`.
    pub(super) fn begin(shard: usize, joining: Joining) -> Self {
        let Joining { peers, landing, first, nodes, stopping } = joining;
        tokio::task::spawn_local(Arc::clone(&peers).serve(landing, stopping.clone()));
        let mut calls = BTreeMap::new();
        if let Some((listener, called)) = first {
            calls.extend(called.into_iter().map(|node| (node, peers.call_link(node))));
            let accepting = Arc::clone(&peers).accept(listener, stopping);
            tokio::task::spawn_local(async move {
                if let Err(error) = accepting.await {
                    tracing::error!(%error, "other brokers are not awaited");
                }
            });
        }
        let nodes = nodes.into_iter().filter(|_| shard < LANES);
        let links = nodes.map(|node| (node, peers.link(shard, node))).collect();
        Self { peers, shard, links, strangers: BTreeSet::new(), calls }
    }

    /// Sends what is to be sent. What finds no connection is dropped.
    pub(super) fn send(&mut self, outgoing: &mut Outgoing) {
        for (node, messages) in std::mem::take(&mut outgoing.messages) {
            let Some(link) = self.link(node) else { continue };
            for message in messages {
                link.offer(&message.key, &message.message, &message.records);
            }
        }
        for (node, beats) in std::mem::take(&mut outgoing.beats) {
            let Some(link) = self.link(node) else { continue };
            for (lane, beat) in beats {
                link.beat(lane, beat);
            }
        }
    }

    /// Brokers to which much is on its way already, or nothing can be sent.
    pub(super) fn crowded(&self) -> Vec<i32> {
        let is_crowded = |link: &Link| link.waiting().is_none_or(|bytes| bytes > WAITING_MAX);
        let crowded = self.links.iter().filter(|(_, link)| is_crowded(link)).map(|(node, _)| node);
        crowded.chain(&self.strangers).copied().collect()
    }

    /// Has connections for calls to these, and keeps those that there are.
    pub(super) fn call(&mut self, nodes: &[i32]) {
        for &node in nodes {
            self.calls.entry(node).or_insert_with(|| self.peers.call_link(node));
        }
    }

    /// Closes the connections to brokers that were removed.
    pub(super) fn part(&mut self) {
        let peers = &self.peers;
        self.links.retain(|node, _| !peers.is_stranger(*node));
        self.calls.retain(|node, _| !peers.is_stranger(*node));
        self.strangers.retain(|node| peers.is_stranger(*node));
    }

    /// The way to another broker; none to one that was removed, which groups may name still.
    fn link(&mut self, node: i32) -> Option<&Link> {
        if !self.links.contains_key(&node) {
            if self.peers.is_stranger(node) {
                self.strangers.insert(node);
                return None;
            }
            self.strangers.remove(&node);
            self.links.insert(node, self.peers.link(self.shard, node));
        }
        self.links.get(&node)
    }
}

#[cfg(test)]
mod tests;
