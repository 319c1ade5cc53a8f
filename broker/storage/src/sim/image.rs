//! What a machine finds on its disk after a power cut, or a process after it was killed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::content::Content;
use super::disk::SimDisk;
use super::random::Random;
use super::replay::{Change, PendingData, Replay, apply_names, complete};
use super::tree::Tree;

/// Bytes that a device writes wholly or not at all, at positions that are multiples of it.
const SECTOR_BYTES: u64 = 512;

/// What a power cut leaves of the calls that no sync covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unflushed {
    /// All of it.
    All,
    /// Nothing.
    None,
    /// A random part, with torn writes; the same for the same number.
    Seeded(u64),
    /// The calls with these indices in the trace, whole and exactly, and the changes of names that
    /// must have come before one of them. An index that is not among [`SimDisk::unsynced`] says
    /// nothing.
    ///
    /// NB: of two writes to one sector the later alone can be chosen; no page cache leaves that.
    Only(Vec<usize>),
}

impl SimDisk {
    /// How many calls the trace has. Reads and marks are none; making a directory with those above
    /// it is one each.
    pub fn trace_len(&self) -> usize {
        self.state().trace.len()
    }

    /// The calls of the trace, one line each, for the message of a test that fails.
    pub fn trace(&self) -> Vec<String> {
        let state = self.state();
        state.trace.iter().enumerate().map(|(i, entry)| format!("{i}: {entry}")).collect()
    }

    /// The marks set before call `at` of the trace was called, in their order; one set right after
    /// call `at - 1` had returned is among them.
    pub fn marks_before(&self, at: usize) -> Vec<u64> {
        let state = self.state();
        state.marks.iter().filter(|(set_at, _)| *set_at <= at).map(|(_, mark)| *mark).collect()
    }

    /// The indices of the calls that are pending after `at` calls, in order: what
    /// [`Unflushed::Only`] chooses from.
    ///
    /// # Panics
    /// If the trace is shorter.
    pub fn unsynced(&self, at: usize) -> Vec<usize> {
        let replay = self.replay(at);
        let data = replay.pending_data.values().flatten().filter_map(|pending| pending.index);
        let names = replay.pending_names.iter().filter_map(|pending| pending.index);
        let mut indices: Vec<usize> = data.chain(names).collect();
        indices.sort_unstable();
        indices.dedup();
        indices
    }

    /// The disk as it may be found after a power cut, when `at` calls of the trace had been called
    /// and no more. A sync among them had returned: the cut during it is the one before it.
    ///
    /// The image is a disk of its own on which everything is durable; its trace is empty, and
    /// nothing of faults, capacity, or locks goes with it.
    ///
    /// # Panics
    /// If the trace is shorter.
    #[must_use]
    pub fn crash_image(&self, at: usize, unflushed: &Unflushed) -> Arc<Self> {
        let tree = image(&self.replay(at), at, unflushed);
        let next_inode = self.state().next_inode;
        Self::on(Replay::new(tree.clone()), tree, next_inode)
    }

    /// The disk as a process finds it that was killed after `at` calls and is started again: what
    /// was written is there, as in [`Unflushed::All`], and what was pending is pending still, lost
    /// by a failed sync or not. A power cut after that is a [`Self::crash_image`] of the image,
    /// whose trace begins empty; [`Unflushed::Only`] can't choose what was pending before.
    ///
    /// # Panics
    /// If the trace is shorter.
    #[must_use]
    pub fn kill_image(&self, at: usize) -> Arc<Self> {
        let replay = self.replay(at);
        let tree = image(&replay, at, &Unflushed::All);
        let next_inode = self.state().next_inode;
        Self::on(replay.restarted(), tree, next_inode)
    }

    /// The disk after `at` calls. Going forward costs only the calls in between.
    fn replay(&self, at: usize) -> Replay {
        let mut state = self.state();
        let state = &mut *state;
        assert!(at <= state.trace.len(), "{at} of {} calls", state.trace.len());
        if state.cursor.at() > at {
            state.cursor = state.base.clone();
        }
        state.cursor.advance(&state.trace, at);
        state.cursor.clone()
    }
}

/// What is durable, and of the rest what `unflushed` says.
fn image(replay: &Replay, at: usize, unflushed: &Unflushed) -> Tree {
    let seed = if let Unflushed::Seeded(seed) = unflushed { *seed } else { 0 };
    let mut dice = Dice::new(seed, at);
    let mut chosen: Vec<bool> = replay
        .pending_names
        .iter()
        .map(|pending| match unflushed {
            Unflushed::All => true,
            Unflushed::None => false,
            Unflushed::Seeded(_) => dice.keeps_name(),
            Unflushed::Only(indices) => pending.index.is_some_and(|i| indices.contains(&i)),
        })
        .collect();
    complete(&replay.pending_names, &mut chosen);
    let mut tree = replay.durable.clone();
    apply_names(&mut tree, &replay.pending_names, &chosen);
    let mut tree = tree.reachable();
    for (&inode, pending) in &replay.pending_data {
        if tree.find_content(inode).is_none() || *unflushed == Unflushed::None {
            continue;
        }
        let content = tree.content_mut(inode);
        let chosen = |pending: &&PendingData| match unflushed {
            Unflushed::Only(indices) => pending.index.is_some_and(|i| indices.contains(&i)),
            _ => true,
        };
        match unflushed {
            Unflushed::Seeded(_) => tear(content, pending, &mut dice),
            _ => pending.iter().filter(chosen).for_each(|pending| pending.change.apply(content)),
        }
    }
    tree
}

/// Applies a random part of what is pending in a file.
fn tear(content: &mut Content, pending: &[PendingData], dice: &mut Dice) {
    // By sector, the last write that it shows; the earlier ones show too.
    let mut shown: BTreeMap<u64, usize> = BTreeMap::new();
    for (i, pending) in pending.iter().enumerate() {
        match &pending.change {
            Change::Reserve { length } if dice.keeps_length() => content.grow(*length),
            Change::Reserve { .. } => {}
            Change::Write { position, data } => {
                let end = position + data.len() as u64;
                if dice.keeps_length() {
                    content.grow(end);
                }
                let sectors = dice.sectors(position / SECTOR_BYTES, (end - 1) / SECTOR_BYTES);
                shown.extend(sectors.into_iter().map(|sector| (sector, i)));
            }
        }
    }
    for (i, pending) in pending.iter().enumerate() {
        let Change::Write { position, data } = &pending.change else { continue };
        let end = position + data.len() as u64;
        for sector in position / SECTOR_BYTES..=(end - 1) / SECTOR_BYTES {
            if shown.get(&sector).is_some_and(|last| i <= *last) {
                let from = (sector * SECTOR_BYTES).max(*position);
                let to = ((sector + 1) * SECTOR_BYTES).min(end);
                let at = |at: u64| usize::try_from(at - position).expect("within the write");
                content.write(from, &data[at(from)..at(to)]);
            }
        }
    }
}

/// What a seed decides. How much survives differs from image to image, so that some lack one call
/// and some have only one.
struct Dice {
    random: Random,
    /// Chances in eighths.
    name: u64,
    write: u64,
    torn: u64,
}

impl Dice {
    fn new(seed: u64, at: usize) -> Self {
        let mut random = Random::new(seed);
        let mut random = Random::new(random.next() ^ at as u64);
        let chances = [0, 1, 4, 7, 8];
        let mut chance = || chances[usize::try_from(random.below(5)).unwrap_or(0)];
        let (name, write) = (chance(), chance());
        let torn = random.below(4);
        Self { random, name, write, torn }
    }

    fn keeps_name(&mut self) -> bool {
        self.random.chance(self.name)
    }

    fn keeps_length(&mut self) -> bool {
        self.random.chance(4)
    }

    /// Those of the sectors `first..=last` that survive.
    fn sectors(&mut self, first: u64, last: u64) -> Vec<u64> {
        let whole = self.random.chance(self.write);
        if first == last || !self.random.chance(self.torn) {
            return if whole { (first..=last).collect() } else { Vec::new() };
        }
        let count = last - first + 1;
        let cut = first + self.random.below(count);
        match self.random.below(4) {
            0 => (first..cut).collect(),
            1 => (cut..=last).collect(),
            2 => (first..=last).filter(|sector| *sector != cut).collect(),
            _ => (first..=last).filter(|_| self.random.chance(4)).collect(),
        }
    }
}
