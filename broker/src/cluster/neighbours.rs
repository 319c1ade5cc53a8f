//! The other brokers, as this one knows them: where they are, who they say they are, and what they
//! send to its shards.
//!
//! Must always hold: a broker of the metadata is known with its data directory; before there is
//! any metadata, those that the configuration names are expected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use tokio::sync::Notify;

use logboom_controller::MetadataImage;
use logboom_raft::Beat;
use logboom_storage::state::GroupKey;

use super::metadata_log::Foreseen;
use super::serve::Desk;
use crate::clock::boot_ms;
use crate::config::QuorumVoter;
use crate::partition::{Command, ShardHandle};
use crate::peer::{
    Answer, FoundingVoter, GroupMessage, Held, Identity, Inbox, Kind, Membership, PeerId, Roster,
    listed,
};

/// For how long a broker that was lost isn't named as a leader. Its groups have elected others
/// before; where they haven't, it may be that only this broker doesn't reach it.
const LOST_MS: u64 = 1_000;

/// What a broker knows of the others.
pub(crate) struct Neighbours {
    /// What this broker says of itself: with the cluster of its data directory at the start, if it
    /// had one. What is published may not know it yet, because a broker that starts knows less to
    /// be committed than it did.
    own: Identity,
    voters: Vec<QuorumVoter>,
    shards: Arc<[ShardHandle]>,
    published: Arc<ArcSwap<MetadataImage>>,
    /// With whom the metadata log began, once this broker has it.
    founding: ArcSwapOption<Arc<[FoundingVoter]>>,
    /// Who has answered, as of last.
    met: Mutex<BTreeMap<i32, Identity>>,
    has_met: Notify,
    /// Brokers to which a connection has ended and none was made since, and when that was.
    lost: ArcSwap<BTreeMap<i32, u64>>,
    /// Nodes that this broker's log names, whether that is known to be committed or not. A broker
    /// that starts knows less to be committed than it did, and hears more only from those nodes,
    /// until it is one of the cluster again.
    foreseen: ArcSwap<Vec<Foreseen>>,
    /// The one that decides, as others told who know more than the configuration.
    told: ArcSwapOption<QuorumVoter>,
    /// Where calls are answered, once somebody can.
    desk: OnceLock<Desk>,
}

impl Neighbours {
    /// - `own`: who this broker is; nobody is named yet.
    pub(crate) fn new(
        own: Identity,
        voters: Vec<QuorumVoter>,
        shards: Arc<[ShardHandle]>,
        published: Arc<ArcSwap<MetadataImage>>,
    ) -> Self {
        let named: BTreeSet<i32> = voters.iter().map(|voter| voter.node).collect();
        Self {
            own: Identity { named: named.into_iter().collect(), ..own },
            voters,
            shards,
            published,
            founding: ArcSwapOption::empty(),
            met: Mutex::default(),
            has_met: Notify::new(),
            lost: ArcSwap::default(),
            foreseen: ArcSwap::default(),
            told: ArcSwapOption::empty(),
            desk: OnceLock::new(),
        }
    }

    /// Whether the configuration names this broker as one of those that decide.
    pub(crate) fn names_this(&self) -> bool {
        self.voters.iter().any(|voter| voter.node == self.own.id.node)
    }

    /// The brokers that the configuration names, without this one.
    pub(crate) fn voters(&self) -> impl Iterator<Item = i32> + '_ {
        self.voters.iter().map(|voter| voter.node).filter(|node| *node != self.own.id.node)
    }

    /// Somebody whom the configuration names says who decides, which it may not name.
    pub(super) fn tell(&self, controller: QuorumVoter) {
        let node = controller.node;
        if node == self.own.id.node || self.told().is_some_and(|known| *known == controller) {
            return;
        }
        self.told.store(Some(Arc::new(controller)));
        self.shards[0].send(Command::Call(vec![node]));
    }

    /// Who was told to decide.
    pub(super) fn told(&self) -> Option<Arc<QuorumVoter>> {
        self.told.load_full()
    }

    /// All other brokers that are known.
    pub(crate) fn nodes(&self) -> Vec<i32> {
        let image = self.published.load();
        let mut nodes: Vec<i32> = image.nodes().map(|node| node.id).collect();
        nodes.extend(self.voters());
        nodes.sort_unstable();
        nodes.dedup();
        nodes.retain(|node| *node != self.own.id.node);
        nodes
    }

    /// The same, and all of whom it is only said that they are there.
    pub(super) fn heard_of(&self) -> Vec<i32> {
        let foreseen = self.foreseen.load();
        let hearsay = foreseen.iter().map(|it| it.place.node).chain(self.told().map(|it| it.node));
        let mut nodes = self.nodes();
        nodes.extend(hearsay.filter(|node| *node != self.own.id.node));
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// Says with whom the metadata log began.
    pub(crate) fn set_founding(&self, founding: Arc<[FoundingVoter]>) {
        self.founding.store(Some(Arc::new(founding)));
    }

    /// Says which nodes the log of this broker names at its start.
    pub(crate) fn foresee(&self, nodes: Vec<Foreseen>) {
        self.foreseen.store(Arc::new(nodes));
        self.shards[0].send(Command::Call(self.heard_of()));
    }

    /// This broker is one of the cluster, and knows from there who the others are.
    pub(crate) fn is_in(&self) {
        self.foreseen.store(Arc::default());
        self.told.store(None);
        self.shards.iter().for_each(|shard| shard.send(Command::Part));
    }

    /// Where a node is to be found besides what is registered: as was told, as the log foresees,
    /// and as the configuration says, which may be newer than all of it.
    fn hearsay(&self, node: i32) -> impl Iterator<Item = QuorumVoter> {
        let told = self.told().map(Arc::unwrap_or_clone);
        let foreseen: Vec<_> = self.foreseen.load().iter().map(|it| it.place.clone()).collect();
        let others = told.into_iter().chain(foreseen).chain(self.voters.iter().cloned());
        others.filter(move |other| other.node == node)
    }

    /// Calls are answered from now on.
    pub(crate) fn open(&self, desk: Desk) {
        drop(self.desk.set(desk));
    }

    /// What a broker last said of itself.
    pub(crate) fn met(&self, node: i32) -> Option<Identity> {
        self.lock().get(&node).cloned()
    }

    /// Whether a node may be given a vote, as it said last; unknown of one that wasn't met.
    pub(crate) fn is_controller(&self, node: i32) -> Option<bool> {
        if node == self.own.id.node {
            return Some(self.own.is_controller);
        }
        self.lock().get(&node).map(|met| met.is_controller)
    }

    /// Whether a connection to a broker has just ended: another one may be about to lead what it
    /// led.
    pub(super) fn is_lost(&self, node: i32) -> bool {
        self.lost.load().get(&node).is_some_and(|since| boot_ms() < since + LOST_MS)
    }

    /// Whether any broker is lost.
    pub(super) fn has_lost(&self) -> bool {
        let now = boot_ms();
        self.lost.load().values().any(|since| now < since + LOST_MS)
    }

    fn lose(&self, node: i32, since: Option<u64>) {
        self.lost.rcu(|lost| {
            let mut lost = BTreeMap::clone(lost);
            match since {
                Some(since) => lost.insert(node, since),
                None => lost.remove(&node),
            };
            lost
        });
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
        let cluster = self.own.cluster.or_else(|| self.published.load().cluster_id());
        Identity { cluster, founding, ..self.own.clone() }
    }

    fn membership(&self, node: i32) -> Membership {
        if let Some(known) = self.published.load().node(node) {
            let foreseen = self.foreseen.load();
            let is_other = |it: &Foreseen| it.directory != known.directory_id;
            return match foreseen.iter().any(|it| it.place.node == node && is_other(it)) {
                // It came back with another one, or will turn out not to have been let in.
                true => Membership::Expected,
                false => Membership::Member(known.directory_id),
            };
        }
        if self.hearsay(node).next().is_some() {
            Membership::Expected
        } else {
            Membership::Stranger
        }
    }

    fn addresses(&self, node: i32) -> Vec<(String, u16)> {
        let image = self.published.load();
        let registered = image.node(node).and_then(|known| known.peer.as_ref());
        let registered = registered.map(|peer| (peer.host.to_string(), peer.port));
        let others = self.hearsay(node).map(|other| (other.host, other.port));
        let mut all: Vec<_> = registered.into_iter().chain(others).collect();
        // Two words of one place may stand apart.
        let mut seen = BTreeSet::new();
        all.retain(|address| seen.insert(address.clone()));
        all
    }
}

/// Says that another broker has another list of those that decide. Who decides stands in the
/// metadata log; but one of the lists is out of date.
fn say_different(peer: &Identity, own: &[i32]) {
    tracing::warn!(
        broker = peer.id.node,
        theirs = listed(&peer.named),
        own = listed(own),
        "another broker's controller.quorum.voters names others than this one's"
    );
}

impl Inbox for Neighbours {
    fn beats(&self, shard: usize, from: PeerId, beats: Vec<(u8, Beat<GroupKey>)>, held: Held) {
        self.shards[shard].send(Command::Beats(from, beats, held));
    }

    fn groups(&self, shard: usize, _from: PeerId, messages: Vec<GroupMessage>, held: Held) {
        self.shards[shard].send(Command::Messages(messages, held));
    }

    fn connected(&self, shard: usize, kind: Kind, peer: &Identity) {
        let before = self.lock().insert(peer.id.node, peer.clone());
        let is_said = before.is_some_and(|before| before.named == peer.named);
        if peer.named != self.own.named && !is_said {
            say_different(peer, &self.own.named);
        }
        self.has_met.notify_waiters();
        if self.lost.load().contains_key(&peer.id.node) {
            self.lose(peer.id.node, None);
        }
        if kind == Kind::Groups {
            self.shards[shard].send(Command::Connected(peer.id.node));
        }
    }

    fn disconnected(&self, shard: usize, kind: Kind, peer: PeerId) {
        if kind == Kind::Beats {
            self.lose(peer.node, Some(boot_ms()));
            self.shards[shard].send(Command::Lost(peer.node));
        }
    }

    fn call(&self, from: PeerId, request: Bytes) -> Answer {
        match self.desk.get() {
            Some(desk) => desk.answer(from, request),
            None => Box::pin(async { super::calls::Response::NotController(None).encode() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use logboom_controller::MetadataRecord;
    use logboom_controller::record::BrokerRegistration;
    use logboom_protocol::units::Uuid;

    use super::*;

    fn neighbours(voters: Vec<QuorumVoter>) -> Neighbours {
        let own = Identity {
            id: id(1),
            cluster: None,
            founding: None,
            named: Arc::default(),
            is_controller: true,
        };
        let (shard, _) = ShardHandle::channel();
        Neighbours::new(own, voters, Arc::from([shard]), Arc::default())
    }

    fn id(node: i32) -> PeerId {
        PeerId { node, directory: Uuid([1; 16]), run: 1 }
    }

    #[test]
    fn a_broker_is_lost_for_a_moment_or_until_there_is_a_connection_again() {
        let neighbours = neighbours(Vec::new());
        let other = Identity { id: id(2), ..neighbours.own.clone() };
        assert!(!neighbours.is_lost(2));
        neighbours.disconnected(0, Kind::Beats, other.id);
        assert!(neighbours.is_lost(2) && !neighbours.is_lost(3) && neighbours.has_lost());
        neighbours.connected(0, Kind::Groups, &other);
        assert!(!neighbours.is_lost(2));
        neighbours.lose(2, Some(boot_ms() - LOST_MS));
        assert!(!neighbours.is_lost(2) && !neighbours.has_lost(), "a second ago");
    }

    #[test]
    fn until_a_broker_is_in_another_may_have_the_directory_that_the_log_foresees() {
        let neighbours = neighbours(Vec::new());
        let registration = BrokerRegistration {
            id: 2,
            directory_id: Uuid([1; 16]),
            incarnation: Uuid([2; 16]),
            rack: None,
            endpoints: Vec::new(),
            peer: None,
        };
        let mut image = MetadataImage::default();
        image.apply(&MetadataRecord::Broker(registration)).unwrap();
        neighbours.published.store(Arc::new(image));
        let known = Membership::Member(Uuid([1; 16]));
        assert_eq!(neighbours.membership(2), known);
        let place = QuorumVoter { node: 2, host: "b-2".to_owned(), port: 7 };
        for (directory, membership) in [(1, known), (3, Membership::Expected)] {
            let directory = Uuid([directory; 16]);
            neighbours.foresee(vec![Foreseen { place: place.clone(), directory }]);
            assert_eq!(neighbours.membership(2), membership);
        }
        neighbours.is_in();
        assert_eq!(neighbours.membership(2), known);
    }

    #[test]
    fn who_is_named_anywhere_is_expected_and_looked_for_wherever_it_may_be() {
        let at = |node, host: &str| QuorumVoter { node, host: host.to_owned(), port: 7 };
        let neighbours = neighbours(vec![at(1, "b-1"), at(2, "b-2")]);
        let hosts = |node| -> Vec<String> {
            neighbours.addresses(node).into_iter().map(|(host, _)| host).collect()
        };
        assert_eq!((neighbours.membership(3), hosts(3)), (Membership::Stranger, Vec::new()));
        assert_eq!(hosts(2), ["b-2"]);
        let foreseen = [at(2, "other"), at(3, "b-3"), at(1, "b-1")];
        let foreseen = foreseen.map(|place| Foreseen { place, directory: Uuid([1; 16]) });
        neighbours.foresee(foreseen.into());
        assert_eq!(neighbours.membership(3), Membership::Expected);
        assert_eq!(
            (hosts(3), hosts(2)),
            (vec!["b-3".to_owned()], vec!["other".into(), "b-2".into()])
        );
        assert_eq!(hosts(1), ["b-1"], "once");
        assert_eq!(neighbours.membership(4), Membership::Stranger);
        // As soon as the metadata say who there is, nothing else does but the configuration.
        neighbours.is_in();
        assert_eq!((neighbours.membership(3), hosts(3)), (Membership::Stranger, Vec::new()));
        assert_eq!(hosts(2), ["b-2"]);
    }
}
