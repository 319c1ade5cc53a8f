//! Sets of groups that sleep, at the side that leads them and at the side that follows.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::{Beat, Change, GroupKey, News, Replicas};
use crate::position::Position;

/// Groups, and the sum of their hashes.
#[derive(Debug, Clone)]
pub(super) struct SleepSet<K> {
    pub(super) hashes: BTreeMap<K, u128>,
    pub(super) sum: u128,
}

impl<K: GroupKey> SleepSet<K> {
    const fn new() -> Self {
        Self { hashes: BTreeMap::new(), sum: 0 }
    }

    pub(super) fn enter(&mut self, key: K, epoch: i32, end: Position) {
        let hash = hash(key, epoch, end);
        let before = self.hashes.insert(key, hash).unwrap_or(0);
        self.sum = self.sum.wrapping_sub(before).wrapping_add(hash);
    }

    fn leave(&mut self, key: K) -> bool {
        let hash = self.hashes.remove(&key);
        self.sum = self.sum.wrapping_sub(hash.unwrap_or(0));
        hash.is_some()
    }

    pub(super) fn has(&self, key: K) -> bool {
        self.hashes.contains_key(&key)
    }
}

/// The groups that this broker leads and that sleep at the other one.
#[derive(Debug, Clone)]
pub(super) struct Led<K> {
    pub(super) set: SleepSet<K>,
    pub(super) life: u32,
    /// Changes that the other one hasn't acknowledged; the number of the last is `version`.
    pub(super) changes: VecDeque<Change<K>>,
    pub(super) version: u64,
}

impl<K: GroupKey> Led<K> {
    pub(super) const fn new(life: u32) -> Self {
        Self { set: SleepSet::new(), life, changes: VecDeque::new(), version: 0 }
    }

    pub(super) fn enter(&mut self, key: K, epoch: i32, end: Position) {
        self.set.enter(key, epoch, end);
        self.push(Change::Enter(key, epoch, end));
    }

    pub(super) fn leave(&mut self, key: K) {
        if self.set.leave(key) {
            self.push(Change::Leave(key));
        }
    }

    fn push(&mut self, change: Change<K>) {
        self.version += 1;
        self.changes.push_back(change);
    }

    pub(super) fn acknowledge(&mut self, applied: u64) {
        let open = self.version.saturating_sub(applied);
        while self.changes.len() as u64 > open {
            self.changes.pop_front();
        }
    }
}

/// The groups that the other broker leads and that sleep here.
#[derive(Debug, Clone)]
pub(super) struct Followed<K> {
    pub(super) set: SleepSet<K>,
    pub(super) life: u32,
    pub(super) version: u64,
    /// Whether the set was the leader's when its last beat came.
    pub(super) agrees: bool,
    /// Those of the set to which something happened.
    pub(super) left: BTreeSet<K>,
}

impl<K: GroupKey> Followed<K> {
    pub(super) const fn new(life: u32) -> Self {
        Self { set: SleepSet::new(), life, version: 0, agrees: false, left: BTreeSet::new() }
    }

    /// Whether a group sleeps here, as long as the other broker is heard.
    pub(super) fn is_asleep(&self, key: K) -> bool {
        self.agrees && self.set.has(key) && !self.left.contains(&key)
    }

    /// What sleeps here, as long as the other broker is heard.
    pub(super) fn asleep(&self) -> impl Iterator<Item = K> + '_ {
        self.set.hashes.keys().copied().filter(|key| self.is_asleep(*key))
    }

    /// Takes the changes of a beat over.
    ///
    /// - `news`: what sleeps from now on, and what doesn't any more, is added here.
    pub(super) fn apply(
        &mut self,
        beat: &Beat<K>,
        replicas: &mut impl Replicas<K>,
        news: &mut Vec<News<K>>,
    ) {
        if beat.life != self.life {
            news.extend(self.asleep().map(News::Woken));
            *self = Self::new(beat.life);
        }
        let did_agree = self.agrees;
        let unsaid = news.len();
        self.take_changes(beat, replicas, news);
        self.agrees = self.set.sum == beat.sum && self.version == beat.version;
        match (did_agree, self.agrees) {
            (true, true) => {}
            // Before, nothing slept here.
            (false, true) => {
                news.truncate(unsaid);
                news.extend(self.asleep().map(News::Slept));
            }
            (false, false) => news.truncate(unsaid),
            (true, false) => {
                let present = self.set.hashes.keys().filter(|key| !self.left.contains(key));
                news.extend(present.copied().map(News::Woken));
            }
        }
        if !self.agrees {
            // Nobody says any more what happens to them here.
            self.left.extend(self.set.hashes.keys());
        }
    }

    fn take_changes(
        &mut self,
        beat: &Beat<K>,
        replicas: &mut impl Replicas<K>,
        news: &mut Vec<News<K>>,
    ) {
        let first = beat.version - (beat.changes.len() as u64).min(beat.version);
        // What went before may have been acknowledged by somebody else than this start.
        let Some(known) = self.version.checked_sub(first) else { return };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        for change in beat.changes.iter().skip(known) {
            self.change(change, replicas, news);
        }
        self.version = self.version.max(beat.version);
    }

    fn change(
        &mut self,
        change: &Change<K>,
        replicas: &mut impl Replicas<K>,
        news: &mut Vec<News<K>>,
    ) {
        match *change {
            Change::Enter(key, epoch, end) => {
                self.set.enter(key, epoch, end);
                if replicas.rests(key, epoch, end) {
                    self.left.remove(&key);
                    news.push(News::Slept(key));
                } else {
                    self.left.insert(key);
                }
            }
            Change::Leave(key) => {
                let slept = self.set.leave(key) && !self.left.remove(&key);
                news.extend(slept.then_some(News::Woken(key)));
            }
        }
    }

    /// As if the changes of a beat followed what is here; only to see that it is noticed.
    pub(super) fn take_anything(&mut self, beat: &Beat<K>, replicas: &mut impl Replicas<K>) {
        for change in &beat.changes {
            self.change(change, replicas, &mut Vec::new());
        }
        self.version = beat.version;
        self.agrees = true;
    }
}

/// The hash of a group that sleeps in an epoch with a log that ends here.
pub(super) fn hash<K: GroupKey>(key: K, epoch: i32, end: Position) -> u128 {
    let [a, b, c] = key.words();
    let words = [
        a,
        b,
        c,
        u64::from(epoch.cast_unsigned()),
        u64::from(end.epoch.cast_unsigned()),
        end.offset.cast_unsigned(),
        end.control.cast_unsigned(),
    ];
    let (mut low, mut high) = (0x6a09_e667_f3bc_c908_u64, 0xbb67_ae85_84ca_a73b_u64);
    for word in words {
        let product = u128::from(low ^ word) * 0x9e37_79b9_7f4a_7c15;
        let [p, q] = halves(product);
        high = (high ^ word).rotate_left(29).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ p;
        low = q ^ p.rotate_left(31);
    }
    let [p, q] = halves(u128::from(low ^ high.rotate_left(17)) * 0xa076_1d64_78bd_642f);
    (u128::from(p ^ high) << 64) | u128::from(q ^ low)
}

/// The low and the high half.
fn halves(value: u128) -> [u64; 2] {
    let bytes = value.to_le_bytes();
    let half = |from: usize| u64::from_le_bytes(core::array::from_fn(|i| bytes[from + i]));
    [half(0), half(8)]
}
