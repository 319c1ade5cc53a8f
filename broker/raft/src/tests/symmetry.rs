//! Worlds that differ only in the names of their replicas are one.
//!
//! Hashing a world under a renaming needs no renamed copy: an id is hashed as its new name, and
//! what is a set is hashed without an order.

use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use core::hash::{Hash, Hasher};
use std::thread_local;

use super::bounds::Bounds;
use super::node::Node;
use super::world::World;
use crate::candidate::Candidate;
use crate::frames::{Frames, Open};
use crate::leader::Leader;
use crate::membership::Wish;
use crate::{ReplicaId, Voters};

/// The most replicas of a world that is checked.
const NODES: usize = 8;

thread_local! {
    /// The new name of each broker.
    static NAMES: Cell<[u8; NODES]> = const { Cell::new([0; NODES]) };
}

impl Hash for ReplicaId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { broker, life, directory } = *self;
        let name = NAMES.get()[usize::try_from(broker).unwrap()];
        (name, life, directory[0]).hash(state);
    }
}

fn hash_set<T: Hash>(set: impl IntoIterator<Item = T>, state: &mut impl Hasher) {
    let (mut sum, mut count) = (0u128, 0u32);
    for item in set {
        let mut mixer = Mixer::default();
        item.hash(&mut mixer);
        (sum, count) = (sum.wrapping_add(mixer.value()), count + 1);
    }
    (sum, count).hash(state);
}

impl Hash for Voters {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { incoming, outgoing, generation } = self;
        hash_set(incoming.iter(), state);
        hash_set(outgoing.iter(), state);
        generation.hash(state);
    }
}

impl Hash for Wish {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { voters, generation } = self;
        hash_set(voters.iter(), state);
        generation.hash(state);
    }
}

impl Hash for Leader {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { marker, progress, beaten, wish, transfer, gave_up_lease } = self;
        (marker, beaten, wish, transfer, gave_up_lease).hash(state);
        hash_set(progress, state);
    }
}

impl Hash for Candidate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { pre, transfer, granted } = self;
        (pre, transfer).hash(state);
        hash_set(granted, state);
    }
}

/// Numbers of frames matter only beside those that are durable.
impl Hash for Frames {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { issued, open } = self;
        let Some(Open { done, vote, log, start, .. }) = open.as_deref() else {
            return 0u64.hash(state);
        };
        let open = |number: &u64| number.saturating_sub(*done);
        (open(issued), open(vote), open(log), open(start)).hash(state);
        (self.end_before(), self.start_before()).hash(state);
    }
}

impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { id, group, run, state: stored, frames, records, flushed } = self;
        (id, group, run, stored, records, flushed).hash(state);
        frames.len().hash(state);
        for (_, stores) in frames {
            stores.hash(state);
        }
    }
}

/// A hash of 128 bits, so that among billions of worlds no two have the same by chance.
#[derive(Debug, Clone, Copy)]
struct Mixer(u64, u64);

impl Default for Mixer {
    fn default() -> Self {
        Self(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344)
    }
}

/// The lower half.
fn low(value: u128) -> u64 {
    let bytes = value.to_le_bytes();
    u64::from_le_bytes(core::array::from_fn(|i| bytes[i]))
}

fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    low(product) ^ low(product >> 64)
}

impl Mixer {
    fn value(self) -> u128 {
        let a = folded(self.0 ^ self.1.rotate_left(32), 0x9e37_79b9_7f4a_7c15);
        let b = folded(self.1 ^ a, 0xd6e8_feb8_6659_fd93);
        (u128::from(a) << 64) | u128::from(b)
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..piece.len()].copy_from_slice(piece);
            self.write_u64(u64::from_le_bytes(word));
        }
        self.write_u64(bytes.len() as u64);
    }

    fn write_u8(&mut self, i: u8) {
        self.write_u64(i.into());
    }

    fn write_u32(&mut self, i: u32) {
        self.write_u64(i.into());
    }

    fn write_u64(&mut self, i: u64) {
        self.0 = folded(self.0 ^ i, 0xa076_1d64_78bd_642f).wrapping_add(self.1);
        self.1 = folded(self.1.rotate_left(23) ^ i, 0xe703_7ed1_a0b4_28db).wrapping_add(i);
    }

    fn write_usize(&mut self, i: usize) {
        self.write_u64(i as u64);
    }

    fn finish(&self) -> u64 {
        low(self.value())
    }
}

/// Which replicas the bounds treat alike: those of one class may be renamed to each other.
pub(crate) fn classes(bounds: &Bounds) -> Vec<u64> {
    let is_in = |set: &Vec<i32>, id: i32| u64::from(set.contains(&id));
    let class = |id: i32| {
        let first = is_in(&bounds.voters, id);
        bounds.wishes.iter().fold(first, |class, wish| class << 1 | is_in(wish, id))
    };
    (1..=bounds.nodes).map(class).collect()
}

/// What is the same for two worlds just if they are the same but for names.
///
/// - `classes`: of the replicas.
pub(crate) fn fingerprint(world: &World, classes: &[u64]) -> u128 {
    // Nodes in an order that doesn't depend on names; where it leaves a choice, each is tried.
    NAMES.set([0; NODES]);
    let looks = world.nodes.iter().map(|node| {
        let mut mixer = Mixer::default();
        node.hash(&mut mixer);
        mixer.value()
    });
    let keys: Vec<(u64, u128)> = classes.iter().copied().zip(looks).collect();
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|i| keys[*i]);
    let mut least = u128::MAX;
    each_order(&mut order, 0, &keys, &mut |order| least = least.min(hash_as(world, order)));
    least
}

/// Calls `with` for each order in which keys don't fall, by exchanging equal ones from `at` on.
fn each_order(
    order: &mut Vec<usize>,
    at: usize,
    keys: &[(u64, u128)],
    with: &mut impl FnMut(&[usize]),
) {
    if at == order.len() {
        return with(order);
    }
    for other in at..order.len() {
        if keys[order[other]] != keys[order[at]] {
            break;
        }
        order.swap(at, other);
        each_order(order, at + 1, keys, with);
        order.swap(at, other);
    }
}

fn hash_as(world: &World, order: &[usize]) -> u128 {
    let World { nodes, network, used, committed, leaders, repeats: _ } = world;
    let mut names = [0; NODES];
    for (name, node) in order.iter().enumerate() {
        let broker = usize::try_from(nodes[*node].id.broker).unwrap();
        names[broker] = u8::try_from(name).unwrap() + 1;
    }
    NAMES.set(names);
    let mut mixer = Mixer::default();
    for node in order {
        nodes[*node].hash(&mut mixer);
    }
    hash_set(network, &mut mixer);
    (used, committed, leaders).hash(&mut mixer);
    mixer.value()
}

#[test]
fn worlds_that_differ_in_names_only_are_one_and_others_are_not() {
    use super::bounds::Action;

    let bounds = Bounds { epochs: 3, pre_votes: true, ..Bounds::of(3) };
    let classes = classes(&bounds);
    let after = |actions: &[Action]| {
        let mut world = World::new(&bounds);
        for action in actions {
            world.apply(action, &bounds).unwrap();
        }
        fingerprint(&world, &classes)
    };
    let (one, three) = (after(&[Action::Campaign(0)]), after(&[Action::Campaign(2)]));
    assert_eq!(one, three);
    assert_ne!(one, after(&[]));
    let answered = |by: usize| {
        let mut world = World::new(&bounds);
        world.apply(&Action::Campaign(0), &bounds).unwrap();
        let to = world.network.iter().position(|it| it.message.to == world.nodes[by].id);
        world.apply(&Action::Deliver(to.unwrap(), false), &bounds).unwrap();
        fingerprint(&world, &classes)
    };
    assert_eq!(answered(1), answered(2));
    let different: Vec<u128> = vec![one, answered(1), after(&[]), after(&[Action::Crash(0, true)])];
    for (i, a) in different.iter().enumerate() {
        assert!(different[i + 1..].iter().all(|b| a != b));
    }
}
