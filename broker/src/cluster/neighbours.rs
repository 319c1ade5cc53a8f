//! The other brokers, as this one knows them: where they are, who they say they are, and what they
//! send to its shards.
//!
//! Must always hold: a broker of the metadata is known with its data directory; before there is
//! any metadata, those that the configuration names are expected.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use tokio::sync::Notify;

use logboom_controller::MetadataImage;
use logboom_raft::Beat;
use logboom_storage::state::GroupKey;

use super::serve::Desk;
use crate::config::QuorumVoter;
use crate::partition::{Command, ShardHandle};
use crate::peer::{
    Answer, FoundingVoter, GroupMessage, Held, Identity, Inbox, Kind, Membership, PeerId, Roster,
};

/// What a broker knows of the others.
pub(crate) struct Neighbours {
    this: PeerId,
    voters: Vec<QuorumVoter>,
    shards: Arc<[ShardHandle]>,
    published: Arc<ArcSwap<MetadataImage>>,
    /// With whom the metadata log began, once this broker has it.
    founding: ArcSwapOption<Arc<[FoundingVoter]>>,
    /// Who has answered, as of last.
    met: Mutex<BTreeMap<i32, Identity>>,
    has_met: Notify,
    /// Where calls are answered, once somebody can.
    desk: OnceLock<Desk>,
}

impl Neighbours {
    pub(crate) fn new(
        this: PeerId,
        voters: Vec<QuorumVoter>,
        shards: Arc<[ShardHandle]>,
        published: Arc<ArcSwap<MetadataImage>>,
    ) -> Self {
        Self {
            this,
            voters,
            shards,
            published,
            founding: ArcSwapOption::empty(),
            met: Mutex::default(),
            has_met: Notify::new(),
            desk: OnceLock::new(),
        }
    }

    /// The brokers that the configuration names, without this one.
    pub(crate) fn voters(&self) -> impl Iterator<Item = i32> + '_ {
        self.voters.iter().map(|voter| voter.node).filter(|node| *node != self.this.node)
    }

    /// All other brokers that are known.
    pub(crate) fn nodes(&self) -> Vec<i32> {
        let image = self.published.load();
        let mut nodes: Vec<i32> = image.brokers().map(|broker| broker.id).collect();
        nodes.extend(self.voters());
        nodes.sort_unstable();
        nodes.dedup();
        nodes.retain(|node| *node != self.this.node);
        nodes
    }

    /// Says with whom the metadata log began.
    pub(crate) fn set_founding(&self, founding: Arc<[FoundingVoter]>) {
        self.founding.store(Some(Arc::new(founding)));
    }

    /// Calls are answered from now on.
    pub(crate) fn open(&self, desk: Desk) {
        drop(self.desk.set(desk));
    }

    /// What a broker last said of itself.
    pub(crate) fn met(&self, node: i32) -> Option<Identity> {
        self.lock().get(&node).cloned()
    }

    /// Waits until somebody has said something of itself since.
    pub(crate) async fn meets(&self) {
        self.has_met.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, Identity>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Roster for Neighbours {
    fn this(&self) -> Identity {
        let founding = self.founding.load_full().map(|founding| Arc::clone(&*founding));
        Identity { id: self.this, cluster: self.published.load().cluster_id(), founding }
    }

    fn membership(&self, node: i32) -> Membership {
        if let Some(broker) = self.published.load().broker(node) {
            return Membership::Member(broker.directory_id);
        }
        let is_expected = self.voters.iter().any(|voter| voter.node == node);
        if is_expected { Membership::Expected } else { Membership::Stranger }
    }

    fn address(&self, node: i32) -> Option<(String, u16)> {
        let image = self.published.load();
        let told = image.broker(node).and_then(|broker| broker.peer.as_ref());
        let named = || self.voters.iter().find(|voter| voter.node == node);
        match told {
            Some(peer) => Some((peer.host.to_string(), peer.port)),
            None => named().map(|voter| (voter.host.clone(), voter.port)),
        }
    }
}

impl Inbox for Neighbours {
    fn beats(&self, shard: usize, from: PeerId, beats: Vec<(u8, Beat<GroupKey>)>, held: Held) {
        self.shards[shard].send(Command::Beats(from, beats, held));
    }

    fn groups(&self, shard: usize, _from: PeerId, messages: Vec<GroupMessage>, held: Held) {
        self.shards[shard].send(Command::Messages(messages, held));
    }

    fn connected(&self, shard: usize, kind: Kind, peer: &Identity) {
        self.lock().insert(peer.id.node, peer.clone());
        self.has_met.notify_waiters();
        if kind == Kind::Groups {
            self.shards[shard].send(Command::Connected(peer.id.node));
        }
    }

    fn disconnected(&self, shard: usize, kind: Kind, peer: PeerId) {
        if kind == Kind::Beats {
            self.shards[shard].send(Command::Lost(peer.node));
        }
    }

    fn call(&self, from: PeerId, request: Bytes) -> Answer {
        match self.desk.get() {
            Some(desk) => desk.answer(from, request),
            None => Box::pin(async { super::calls::Response::NotController.encode() }),
        }
    }
}
