//! Worlds that differ only in the names of their replicas are one.
//!
//! Hashing something under a renaming needs no renamed copy: an id is hashed as its new name, and
//! what is a set is hashed without an order.

use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use core::hash::{Hash, Hasher};
use std::thread_local;

use super::bounds::Bounds;
use super::node::Node;
use crate::candidate::Candidate;
use crate::frames::{Frames, Open};
use crate::leader::Leader;
use crate::membership::Wish;
use crate::{ReplicaId, Voters};

/// The most replicas of a world that is checked.
pub(crate) const NODES: usize = 4;

thread_local! {
    /// The new name of each replica, by its index.
    static NAMES: Cell<[u8; NODES]> = const { Cell::new([0; NODES]) };
}

impl Hash for ReplicaId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { broker, life, directory } = *self;
        let name = NAMES.get()[usize::try_from(broker - 1).unwrap()];
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
        let Self { incoming, outgoing, generation, by_operator } = self;
        hash_set(incoming.iter(), state);
        hash_set(outgoing.iter(), state);
        (generation, by_operator).hash(state);
    }
}

impl Hash for Wish {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { voters, generation, is_change, needs_entry } = self;
        hash_set(voters.iter(), state);
        (generation, is_change, needs_entry).hash(state);
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
pub(crate) struct Mixer(u64, u64);

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

/// Something that is mixed already, and a little more.
pub(crate) fn mixed(value: u128, more: u64) -> u128 {
    let mut mixer = Mixer(low(value), low(value >> 64));
    mixer.write_u64(more);
    mixer.value()
}

/// Hashes what is mixed already.
#[derive(Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only numbers of 128 bits are mixed already");
    }

    fn write_u128(&mut self, i: u128) {
        self.0 = low(i);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The renamings of replicas that the bounds allow, each with a number from 0.
pub(crate) struct Renamings {
    /// Of each replica: those of one class may be renamed to each other.
    classes: Vec<u128>,
    /// The new names of each renaming, and behind them the same one for all.
    names: Vec<[u8; NODES]>,
    /// Of each order of the replicas the number of the renaming that makes it the order of names.
    of_orders: Vec<u8>,
}

impl Renamings {
    pub(crate) fn of(bounds: &Bounds) -> Self {
        let is_in = |set: &Vec<i32>, id: i32| u128::from(set.contains(&id));
        let class = |id: i32| {
            let first = is_in(&bounds.voters, id);
            bounds.wishes.iter().fold(first, |class, wish| class << 1 | is_in(wish, id))
        };
        let classes: Vec<u128> = (1..=bounds.nodes).map(class).collect();
        let mut names = vec![];
        let mut of_orders = vec![0; NODES.pow(u32::try_from(NODES).unwrap())];
        let mut order: Vec<usize> = (0..classes.len()).collect();
        order.sort_by_key(|i| classes[*i]);
        each_order(&mut order, 0, &classes, &mut |order| {
            of_orders[packed(order)] = u8::try_from(names.len()).unwrap();
            let mut new = [0; NODES];
            for (name, i) in (1..).zip(order) {
                new[*i] = name;
            }
            names.push(new);
        });
        names.push([0; NODES]);
        Self { classes, names, of_orders }
    }

    pub(crate) fn count(&self) -> usize {
        self.names.len() - 1
    }

    /// Something's hash under a renaming; where there are no more of them, without names.
    pub(crate) fn hash(&self, item: &impl Hash, renaming: usize) -> u128 {
        NAMES.set(self.names[renaming]);
        let mut mixer = Mixer::default();
        item.hash(&mut mixer);
        mixer.value()
    }

    /// Calls `with` for a renaming that depends on how replicas look and not on their names; where
    /// that leaves a choice, for each.
    ///
    /// - `looks`: of each replica the hash without names.
    pub(crate) fn each(&self, looks: impl Iterator<Item = u128>, mut with: impl FnMut(usize)) {
        let (mut keys, mut order) = ([0; NODES], [0; NODES]);
        let mut size = 0;
        for (class, look) in self.classes.iter().zip(looks) {
            keys[size] = class << 120 | look >> 8;
            order[size] = size;
            size += 1;
        }
        let order = &mut order[..size];
        order.sort_unstable_by_key(|i| keys[*i]);
        each_order(order, 0, &keys, &mut |order| with(self.of_orders[packed(order)].into()));
    }
}

/// An order of replicas as one number.
fn packed(order: &[usize]) -> usize {
    order.iter().fold(0, |packed, i| packed * NODES + i)
}

/// Calls `with` for each order in which keys don't fall, by exchanging equal ones from `at` on.
fn each_order(order: &mut [usize], at: usize, keys: &[u128], with: &mut impl FnMut(&[usize])) {
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

#[test]
fn worlds_that_differ_in_names_only_are_one_and_others_are_not() {
    use super::bounds::{Action, Deed};
    use super::known::Known;

    let bounds = Bounds { epochs: 3, pre_votes: true, crashes: 1, ..Bounds::of(3) };
    let mut known = Known::new(&bounds);
    let mut after = |actions: &[Action]| {
        let mut world = known.first();
        for action in actions {
            known.act(&mut world, *action).unwrap();
        }
        known.fingerprint(&world)
    };
    let campaign = |at: usize| Action { at, deed: Deed::Campaign };
    let none = after(&[]);
    let (one, three) = (after(&[campaign(0)]), after(&[campaign(2)]));
    assert_eq!(one, three);
    let killed = after(&[Action { at: 0, deed: Deed::Kill }]);
    let mut answered = |by: usize| {
        let mut world = known.first();
        known.act(&mut world, campaign(0)).unwrap();
        let is_to = |packet: &&u32| known.mail(**packet).to == by;
        let packet = *world.network.iter().find(is_to).unwrap();
        known.act(&mut world, Action { at: by, deed: Deed::Deliver(packet, false) }).unwrap();
        known.fingerprint(&world)
    };
    assert_eq!(answered(1), answered(2));
    let different = [one, answered(1), none, killed];
    for (i, a) in different.iter().enumerate() {
        assert!(different[i + 1..].iter().all(|b| a != b));
    }
}
