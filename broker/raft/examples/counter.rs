//! A counter that three nodes keep together, in one process: `cargo run -p logboom-raft --example
//! counter` prints what happens.
//!
//! A record says how much to add. The core names ranges of records and says when they are
//! committed; this program, its host, keeps them, moves them, and adds them up. Its disk is memory,
//! so whatever is written is durable at once.

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::collections::VecDeque;
use std::sync::Arc;

use logboom_raft::{
    Append, Batches, Body, Content, Durable, Effects, Group, History, Message, Options, Position,
    ReplicaId, Role, Store, Voters,
};

/// One of the nodes: its core, its log, and what it makes of it.
struct Node {
    core: Group,
    log: Vec<i64>,
    /// How many records are added up.
    applied: usize,
    counter: i64,
}

/// All nodes, and the messages between them with the records that go along.
struct Cluster {
    nodes: Vec<Node>,
    wire: VecDeque<(Message, Vec<i64>)>,
}

fn index(offset: i64) -> usize {
    usize::try_from(offset).expect("offsets begin at 0")
}

impl Cluster {
    fn new() -> Self {
        let ids = [1, 2, 3].map(ReplicaId::of);
        let voters = Arc::new(Voters::of(ids.to_vec()));
        let node = |id| {
            let history = History::new(Position::ZERO, Arc::clone(&voters), vec![], 0);
            let durable =
                Durable { epoch: -1, vote: None, history, high_watermark: 0, lossy: false };
            let core = Group::new(id, 1, durable, Options::default());
            Node { core, log: vec![], applied: 0, counter: 0 }
        };
        Self { nodes: ids.map(node).into(), wire: VecDeque::new() }
    }

    /// Something happens to a node; then it does what its core asks for, in the order of effects.
    fn at(&mut self, node: usize, what: impl FnOnce(&mut Node, &mut Effects)) {
        let mut effects = Effects { trace: Some(vec![]), ..Effects::default() };
        let node = &mut self.nodes[node];
        what(node, &mut effects);
        loop {
            let batches = |_: ReplicaId, from: i64, until: i64, bytes: u32| {
                let until = until.min(from + i64::from(bytes / 8).max(1));
                let bytes = u32::try_from((until - from) * 8).unwrap_or(u32::MAX);
                Some(Batches { from, until, bytes, gaps: false })
            };
            node.core.ship(batches, &mut effects);
            for event in effects.trace.iter().flatten() {
                println!("  node {event}");
            }
            let is_stored = !effects.stores.is_empty();
            for store in &effects.stores {
                if let Store::Cut(to) = store {
                    node.log.truncate(index(to.offset));
                }
            }
            for message in effects.messages.drain(..) {
                let records = match &message.body {
                    Body::Append(Append { prev, content: Content::Data { until, .. }, .. }) => {
                        node.log[index(prev.offset)..index(*until)].to_vec()
                    }
                    _ => vec![],
                };
                self.wire.push_back((message, records));
            }
            effects.clear();
            let end = node.core.history().end();
            if is_stored {
                node.core.stored(node.core.issued(), &mut effects);
            } else if node.core.durable() < end {
                node.core.flushed(end.offset, &mut effects);
            } else {
                break;
            }
        }
        let committed = index(node.core.commit().offset);
        node.counter += node.log[node.applied..committed].iter().sum::<i64>();
        node.applied = committed;
    }

    /// Delivers messages until there are none; those of a node that is away are lost.
    fn deliver(&mut self, away: Option<usize>) {
        while let Some((message, records)) = self.wire.pop_front() {
            let of = |id: ReplicaId| index(i64::from(id.broker)) - 1;
            if away == Some(of(message.to)) || away == Some(of(message.from)) {
                continue;
            }
            self.at(of(message.to), |node, effects| {
                node.core.step(&message, false, effects);
                if let Some(write) = effects.write.take() {
                    let new = records.len() - index(write.until - write.from);
                    node.log.extend(&records[new..]);
                    node.core.written(write.until, effects);
                }
            });
        }
    }

    /// The leader adds something to the counter, and tells the others when it is committed.
    fn add(&mut self, leader: usize, amount: i64, away: Option<usize>) {
        println!("node {} is to add {amount}", leader + 1);
        self.at(leader, |node, effects| {
            node.log.push(amount);
            let end = node.core.history().end().offset + 1;
            node.core.appended(end, effects);
        });
        self.deliver(away);
        self.at(leader, |node, effects| node.core.beat(effects));
        self.deliver(away);
    }

    fn elect(&mut self, candidate: usize, away: Option<usize>) {
        self.at(candidate, |node, effects| node.core.campaign(effects));
        self.deliver(away);
        assert_eq!(self.nodes[candidate].core.role(), Role::Leader);
    }
}

fn main() {
    let mut cluster = Cluster::new();
    cluster.elect(0, None);
    cluster.add(0, 5, None);
    println!("node 1 is away");
    cluster.elect(1, Some(0));
    cluster.add(1, 37, Some(0));
    println!("node 1 is back");
    cluster.at(1, |node, effects| node.core.beat(effects));
    cluster.deliver(None);
    cluster.add(1, 0, None);
    let counters: Vec<i64> = cluster.nodes.iter().map(|node| node.counter).collect();
    println!("counters: {counters:?}");
    assert_eq!(counters, [42, 42, 42]);
}
