//! Two brokers, and all the groups that they share: beats, silence, sleep.
//!
//! Heartbeats are sent per pair of brokers, not per group. A beat names the groups that are awake;
//! the others sleep, and cost nothing: a broker that beats still leads all that sleeps under it.
//! Leader and follower hold the same set of sleeping groups, changed only by the leader, in order.
//! Each beat carries the sum of hashes over the set, so that a difference is seen at the next beat,
//! and then nobody is asleep until it is settled.
//!
//! **Invariant:** a group that a follower counts as sleeping has, at the leader, the same epoch and
//! end, all of it committed, unless the next beat that arrives says otherwise.
//!
//! **Invariant:** a broker that starts anew has another run, and all that it led has no leader.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::position::Position;

/// What names a group.
pub trait GroupKey: Copy + Ord {
    /// Words that differ from those of any other group.
    fn words(&self) -> [u64; 3];
}

/// How long things take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From one beat to the next.
    pub beat_ms: u64,
    /// The shortest silence after which anybody campaigns.
    pub silence_ms: u64,
    /// How long a leader may rely on an answered beat, from when it was sent: less than the silence
    /// by what clocks may differ in that time.
    pub lease_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { beat_ms: 50, silence_ms: 250, lease_ms: 200 }
    }
}

/// What one broker tells another every so often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat<K> {
    /// Of this start of the sender; grows from start to start.
    pub run: u64,
    /// Its number in this run, from 1.
    pub sequence: u64,
    /// The last beat that was heard of the receiver: its run and number.
    pub heard: Option<(u64, u64)>,
    /// Groups that the sender leads, that are awake, and of which the receiver has a replica.
    pub named: Vec<Named<K>>,
    /// Of the set of groups that sleep under the sender: a new one begins empty.
    pub life: u32,
    /// Changes of that set which the receiver hasn't acknowledged, in order.
    pub changes: Vec<Change<K>>,
    /// The number of the last change, from 1.
    pub version: u64,
    /// Over the set as it is behind that change.
    pub sum: u128,
    /// The life of the receiver's set that is known here, and the last change that was taken over.
    pub applied: (u32, u64),
    /// Whether the set was found to be the same.
    pub agrees: bool,
    /// Groups of the receiver's set that don't sleep here, because something happened to them, and
    /// groups that the receiver named and that don't follow it here.
    pub left: Vec<K>,
}

/// A group that is awake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<K> {
    /// Which.
    pub key: K,
    /// The epoch in which the sender leads it.
    pub epoch: i32,
    /// Up to where it is committed.
    pub commit: Position,
    /// Where the leader's log begins, inclusive.
    pub log_start: i64,
}

/// A change of the set of sleeping groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<K> {
    /// The group sleeps, in this epoch, with a log that ends here and is committed.
    Enter(K, i32, Position),
    /// The group sleeps no more.
    Leave(K),
}

/// What a beat, or its absence, means for groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum News<K> {
    /// A group of the other broker sleeps here from now on.
    Slept(K),
    /// A group of the other broker sleeps here no more; its leader is there.
    Woken(K),
    /// A group that slept under the other broker has lost its leader.
    Orphaned(K),
    /// Something happened at the other broker to a group that this one leads. It is woken if it
    /// sleeps there, and only a beat from now on counts for its lease.
    Stirred(K),
    /// The other broker has started anew: what was on its way to it is lost.
    Restarted,
}

/// What a broker knows of the replicas that it has, when a beat arrives.
pub trait Replicas<K> {
    /// Whether the replica here of a group follows the sender of the beat in this epoch.
    fn follows(&mut self, key: K, epoch: i32) -> bool;

    /// The same, and whether its log ends here, durably, and all of it is committed.
    fn rests(&mut self, key: K, epoch: i32, end: Position) -> bool;
}

/// What one broker knows of another one.
#[derive(Debug, Clone)]
pub struct Pair<K> {
    timing: Timing,
    run: u64,
    /// The last beat that was sent.
    sequence: u64,
    /// When beats were sent that may still be answered, oldest first.
    sent: VecDeque<(u64, u64)>,
    /// When the last beat was sent of those that were answered.
    answered: Option<u64>,
    /// The last beat that was answered by somebody who held the same set: its number, and when it
    /// was sent.
    promised: Option<(u64, u64)>,
    /// The other one's run, and the last beat heard of it.
    theirs: Option<(u64, u64)>,
    heard_at: u64,
    /// Whether its silence was noticed.
    is_silent: bool,
    /// The groups that its last beat named, and that don't follow it here.
    refused: Vec<K>,
    led: Led<K>,
    followed: Followed<K>,
}

/// The groups that this broker leads and that sleep at the other one.
#[derive(Debug, Clone)]
struct Led<K> {
    set: SleepSet<K>,
    life: u32,
    /// Changes that the other one hasn't acknowledged; the number of the last is `version`.
    changes: VecDeque<Change<K>>,
    version: u64,
}

/// The groups that the other broker leads and that sleep here.
#[derive(Debug, Clone)]
struct Followed<K> {
    set: SleepSet<K>,
    life: u32,
    version: u64,
    /// Whether the set was the leader's when its last beat came.
    agrees: bool,
    /// Those of the set to which something happened.
    left: BTreeSet<K>,
}

/// Groups, and the sum of their hashes.
#[derive(Debug, Clone)]
struct SleepSet<K> {
    hashes: BTreeMap<K, u128>,
    sum: u128,
}

impl<K: GroupKey> SleepSet<K> {
    const fn new() -> Self {
        Self { hashes: BTreeMap::new(), sum: 0 }
    }

    fn enter(&mut self, key: K, epoch: i32, end: Position) {
        self.leave(key);
        let hash = hash(key, epoch, end);
        self.hashes.insert(key, hash);
        self.sum = self.sum.wrapping_add(hash);
    }

    fn leave(&mut self, key: K) -> bool {
        let hash = self.hashes.remove(&key);
        self.sum = self.sum.wrapping_sub(hash.unwrap_or(0));
        hash.is_some()
    }

    fn has(&self, key: K) -> bool {
        self.hashes.contains_key(&key)
    }
}

impl<K: GroupKey> Pair<K> {
    /// A broker of which nothing was heard yet.
    ///
    /// - `run`: of this start of this broker; greater than those of all starts before.
    #[must_use]
    pub fn new(run: u64, timing: Timing) -> Self {
        Self {
            timing,
            run,
            sequence: 0,
            sent: VecDeque::new(),
            answered: None,
            promised: None,
            theirs: None,
            heard_at: 0,
            is_silent: false,
            refused: Vec::new(),
            led: Led::new(1),
            followed: Followed::new(0),
        }
    }

    /// A group that this broker leads sleeps at the other one, which has all of its log and knows
    /// that all of it is committed.
    pub fn put_to_sleep(&mut self, key: K, epoch: i32, end: Position) {
        self.led.set.enter(key, epoch, end);
        self.led.push(Change::Enter(key, epoch, end));
    }

    /// A group that this broker led sleeps no more, for whatever reason.
    pub fn wake(&mut self, key: K) {
        if self.led.set.leave(key) {
            self.led.push(Change::Leave(key));
        }
    }

    /// Something happened here to a group that sleeps under the other broker.
    pub fn stir(&mut self, key: K) {
        if self.followed.set.has(key) {
            self.followed.left.insert(key);
        }
    }

    /// Whether a group sleeps at the other broker under this one.
    #[must_use]
    pub fn is_asleep_there(&self, key: K) -> bool {
        self.led.set.has(key)
    }

    /// Whether a group sleeps here under the other broker, which beats.
    #[must_use]
    pub fn is_asleep_here(&self, key: K, now: u64) -> bool {
        let is_in = self.followed.set.has(key);
        is_in && self.followed.agrees && !self.followed.left.contains(&key) && self.is_heard(now)
    }

    /// Whether the other broker was heard of so lately that nobody campaigns against it.
    #[must_use]
    pub fn is_heard(&self, now: u64) -> bool {
        self.theirs.is_some() && now < self.heard_at + self.timing.silence_ms
    }

    /// Whether the other broker has answered a beat that was sent so lately that it promised to
    /// elect nobody else now, for a group that it names or that sleeps.
    ///
    /// - `since`: the number of the first beat that named the group, or that had it asleep, in its
    ///   present epoch, and behind the last [`News::Stirred`]; see [`Self::next_beat`].
    #[must_use]
    pub fn has_promised(&self, since: u64, now: u64) -> bool {
        let is_fresh = |(number, sent)| number >= since && now < sent + self.timing.lease_ms;
        self.promised.is_some_and(is_fresh)
    }

    /// The number that the next beat has.
    #[must_use]
    pub fn next_beat(&self) -> u64 {
        self.sequence + 1
    }

    /// Whether the other broker has answered a beat that was sent within the timeout: it counts as
    /// being there.
    #[must_use]
    pub fn is_there(&self, now: u64) -> bool {
        self.answered.is_some_and(|sent| now < sent + self.timing.silence_ms)
    }

    /// What is to be sent now.
    ///
    /// - `now`: milliseconds of a clock that never stands still, not even in a suspended machine.
    /// - `named`: the groups that are awake.
    pub fn beat(&mut self, now: u64, named: Vec<Named<K>>) -> Beat<K> {
        self.sequence += 1;
        let oldest = now.saturating_sub(self.timing.silence_ms);
        while self.sent.front().is_some_and(|(_, at)| *at < oldest) {
            self.sent.pop_front();
        }
        self.sent.push_back((self.sequence, now));
        Beat {
            run: self.run,
            sequence: self.sequence,
            heard: self.theirs,
            named,
            life: self.led.life,
            changes: self.led.changes.iter().copied().collect(),
            version: self.led.version,
            sum: self.led.set.sum,
            applied: (self.followed.life, self.followed.version),
            agrees: self.followed.agrees,
            left: self.followed.left.iter().chain(&self.refused).copied().collect(),
        }
    }

    /// A beat has arrived. One that is older than another that was heard changes nothing.
    ///
    /// - `news`: what it means is added here.
    pub fn hear(
        &mut self,
        now: u64,
        beat: &Beat<K>,
        replicas: &mut impl Replicas<K>,
        news: &mut Vec<News<K>>,
    ) {
        if self.theirs.is_some_and(|last| last >= (beat.run, beat.sequence)) {
            return;
        }
        if self.theirs.is_some_and(|(run, _)| run != beat.run) {
            self.on_restart(news);
        }
        self.theirs = Some((beat.run, beat.sequence));
        (self.heard_at, self.is_silent) = (now, false);
        self.note_answer(beat);
        self.take_answer(beat, news);
        let named = beat.named.iter().filter(|named| !replicas.follows(named.key, named.epoch));
        self.refused = named.map(|named| named.key).collect();
        self.followed.apply(beat, replicas, news);
    }

    /// What the other broker says of the groups that this one leads.
    fn take_answer(&mut self, beat: &Beat<K>, news: &mut Vec<News<K>>) {
        let knows_run = beat.heard.is_some_and(|(run, _)| run == self.run);
        if !knows_run {
            return;
        }
        news.extend(beat.left.iter().copied().map(News::Stirred));
        if beat.applied.0 != self.led.life {
            return;
        }
        let applied = beat.applied.1;
        let is_ahead_of_changes = applied < self.led.version - self.led.changes.len() as u64;
        let differs = applied == self.led.version && !beat.agrees;
        if is_ahead_of_changes || differs {
            return self.begin_set(news);
        }
        self.led.acknowledge(applied);
    }

    /// Time has passed: what slept under a broker that isn't heard any more has no leader, and
    /// nothing sleeps there.
    pub fn look(&mut self, now: u64, news: &mut Vec<News<K>>) {
        if self.theirs.is_some() && !self.is_heard(now) && !self.is_silent {
            self.is_silent = true;
            self.orphan(news);
            self.begin_set(news);
        }
    }

    fn note_answer(&mut self, beat: &Beat<K>) {
        let Some((run, number)) = beat.heard else { return };
        if run != self.run {
            return;
        }
        while let Some((sent, at)) = self.sent.front().copied().filter(|(sent, _)| *sent <= number)
        {
            if sent == number {
                self.answered = self.answered.max(Some(at));
                if beat.agrees && beat.applied.0 == self.led.life {
                    self.promised = self.promised.max(Some((number, at)));
                }
            }
            self.sent.pop_front();
        }
    }

    /// The other broker is another run: it leads nothing of what it led, and knows of no set.
    fn on_restart(&mut self, news: &mut Vec<News<K>>) {
        self.orphan(news);
        (self.followed, self.refused) = (Followed::new(0), Vec::new());
        (self.answered, self.promised) = (None, None);
        self.begin_set(news);
        news.push(News::Restarted);
    }

    /// Nothing sleeps at the other broker any more, and another set begins.
    fn begin_set(&mut self, news: &mut Vec<News<K>>) {
        let next = Led::new(self.led.life + 1);
        let last = core::mem::replace(&mut self.led, next);
        news.extend(last.set.hashes.into_keys().map(News::Stirred));
    }

    fn orphan(&mut self, news: &mut Vec<News<K>>) {
        let orphans = self.followed.set.hashes.keys();
        let asleep = orphans.filter(|key| !self.followed.left.contains(key));
        news.extend(asleep.map(|key| News::Orphaned(*key)));
        self.followed.left.extend(self.followed.set.hashes.keys());
    }
}

impl<K: GroupKey> Led<K> {
    const fn new(life: u32) -> Self {
        Self { set: SleepSet::new(), life, changes: VecDeque::new(), version: 0 }
    }

    fn push(&mut self, change: Change<K>) {
        self.version += 1;
        self.changes.push_back(change);
    }

    fn acknowledge(&mut self, applied: u64) {
        let open = self.version.saturating_sub(applied);
        while self.changes.len() as u64 > open {
            self.changes.pop_front();
        }
    }
}

impl<K: GroupKey> Followed<K> {
    const fn new(life: u32) -> Self {
        Self { set: SleepSet::new(), life, version: 0, agrees: false, left: BTreeSet::new() }
    }

    fn apply(&mut self, beat: &Beat<K>, replicas: &mut impl Replicas<K>, news: &mut Vec<News<K>>) {
        let did_agree = self.agrees;
        if beat.life != self.life {
            self.wake_all(did_agree, news);
            *self = Self::new(beat.life);
        }
        let first = beat.version - (beat.changes.len() as u64).min(beat.version);
        // What went before may have been acknowledged by somebody else than this start.
        let known = self.version.checked_sub(first);
        let skipped =
            known.map_or(usize::MAX, |known| usize::try_from(known).unwrap_or(usize::MAX));
        for change in beat.changes.iter().skip(skipped) {
            self.change(change, replicas, news);
        }
        self.version = if known.is_some() { self.version.max(beat.version) } else { self.version };
        self.agrees = self.set.sum == beat.sum && self.version == beat.version;
        if did_agree && !self.agrees {
            self.wake_all(true, news);
        }
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

    /// Says that nothing sleeps any more of what did.
    fn wake_all(&self, slept: bool, news: &mut Vec<News<K>>) {
        let asleep = self.set.hashes.keys().filter(|key| slept && !self.left.contains(key));
        news.extend(asleep.map(|key| News::Woken(*key)));
    }
}

/// The hash of a group that sleeps in an epoch with a log that ends here.
fn hash<K: GroupKey>(key: K, epoch: i32, end: Position) -> u128 {
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

#[cfg(test)]
mod tests;
