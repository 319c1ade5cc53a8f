//! Who is dialled, and who isn't.

use std::collections::BTreeSet;
use std::sync::{Mutex, mpsc};

use bytes::Bytes;
use tokio::task::LocalSet;

use logboom_protocol::units::Uuid;
use logboom_raft::{Beat, Body, Message, ReplicaId};
use logboom_storage::state::GroupKey;

use super::*;
use crate::peer::{
    Answer, GroupMessage, Held, Identity, Inbox, Kind, Limits, Membership, PeerId, Roster,
};

/// A roster whose members come and go, and of which everything that it is asked for is told.
struct Members {
    known: Mutex<BTreeSet<i32>>,
    dialled: Mutex<mpsc::Sender<i32>>,
}

impl Roster for Members {
    fn this(&self) -> Identity {
        Identity {
            id: PeerId { node: 1, directory: Uuid([1; 16]), run: 1 },
            cluster: None,
            founding: None,
            named: Arc::default(),
            is_controller: true,
        }
    }

    fn membership(&self, node: i32) -> Membership {
        match self.known.lock().unwrap().contains(&node) {
            true => Membership::Expected,
            false => Membership::Stranger,
        }
    }

    fn addresses(&self, node: i32) -> Vec<(String, u16)> {
        self.dialled.lock().unwrap().send(node).unwrap();
        Vec::new()
    }
}

/// Nothing arrives.
struct Nothing;

impl Inbox for Nothing {
    fn beats(&self, _: usize, _: PeerId, _: Vec<(u8, Beat<GroupKey>)>, _: Held) {}

    fn groups(&self, _: usize, _: PeerId, _: Vec<GroupMessage>, _: Held) {}

    fn connected(&self, _: usize, _: Kind, _: &Identity) {}

    fn disconnected(&self, _: usize, _: Kind, _: PeerId) {}

    fn call(&self, _: PeerId, _: Bytes) -> Answer {
        Box::pin(async { Bytes::new() })
    }
}

/// Something to be said to a broker.
fn said(node: i32) -> Outgoing {
    let key = GroupKey { topic_id: Uuid([7; 16]), partition: 0 };
    let (from, to) = (ReplicaId::of(1), ReplicaId::of(node));
    let message = Message { from, to, epoch: 1, body: Body::Resigned };
    let message = GroupMessage { key, message, records: Vec::new() };
    Outgoing { messages: [(node, vec![message])].into(), ..Outgoing::default() }
}

#[tokio::test]
async fn nobody_dials_a_broker_that_was_removed_until_it_is_back() {
    let (sender, dialled) = mpsc::channel();
    let known = Mutex::new(BTreeSet::from([2, 3]));
    let roster = Arc::new(Members { known, dialled: Mutex::new(sender) });
    let (peers, mut landings) =
        Peers::new(Arc::clone(&roster) as _, Arc::new(Nothing), 1, Limits::default());
    let (_stop, stopping) = watch::channel(false);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let landing = landings.remove(0);
    let joining = Joining {
        peers,
        landing,
        first: Some((listener, vec![2, 3])),
        nodes: vec![2, 3],
        stopping,
    };
    let turns = async {
        let mut peering = Peering::begin(0, joining);
        tokio::task::yield_now().await;
        let first: BTreeSet<i32> = dialled.try_iter().collect();
        assert_eq!(first, [2, 3].into());
        roster.known.lock().unwrap().remove(&3);
        peering.part();
        peering.send(&mut said(3));
        tokio::task::yield_now().await;
        assert_eq!((peering.links.len(), peering.calls.len()), (1, 1), "those of 2");
        assert!(peering.crowded().contains(&3), "nobody reads for it");
        roster.known.lock().unwrap().insert(3);
        dialled.try_iter().for_each(drop);
        peering.send(&mut said(3));
        tokio::task::yield_now().await;
        assert!(dialled.try_iter().any(|node| node == 3));
        assert!(peering.links.contains_key(&3));
    };
    LocalSet::new().run_until(turns).await;
}
