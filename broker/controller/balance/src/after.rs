//! What moves make of a snapshot.

use alloc::vec::Vec;

use crate::plan::{Move, MoveKind};
use crate::snapshot::{Partition, Snapshot};

/// The snapshot once moves are done, if loads stay as they are: a replica keeps its own, and what a
/// leader takes goes with leadership.
///
/// - `moves`: of a plan for this snapshot.
///
/// # Panics
/// If they aren't.
#[must_use]
pub fn after(snapshot: &Snapshot, moves: &[Move]) -> Snapshot {
    let mut partitions: Vec<Partition> = snapshot.partitions().to_vec();
    for one in moves {
        make(&mut partitions[one.partition], one);
    }
    let (brokers, topics) = (snapshot.brokers().to_vec(), snapshot.topics().to_vec());
    Snapshot::new(brokers, topics, partitions).expect("a plan is for its snapshot")
}

fn make(partition: &mut Partition, one: &Move) {
    let place = |id: i32| {
        let place = partition.replicas.iter().position(|replica| replica.broker == id);
        place.expect("the plan was made for this partition")
    };
    match one.kind {
        MoveKind::Replica { .. } => {
            let from = place(one.from);
            partition.replicas[from].broker = one.to;
            if partition.leader == Some(one.from) {
                partition.leader = Some(one.to);
            }
        }
        MoveKind::Leader => {
            // Whoever leads: the replica of the one that is named may have moved before.
            let (from, to) = (partition.leader.map_or_else(|| place(one.to), place), place(one.to));
            let (old, new) = (partition.replicas[from].load, partition.replicas[to].load);
            partition.replicas[from].load.bytes_in = new.bytes_in;
            partition.replicas[from].load.bytes_out = new.bytes_out;
            partition.replicas[to].load.bytes_in = old.bytes_in;
            partition.replicas[to].load.bytes_out = old.bytes_out;
            partition.leader = Some(one.to);
        }
    }
}
