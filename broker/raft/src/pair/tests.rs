//! What beats mean, told step by step; and what both sides hold whatever becomes of beats.

use alloc::vec;
use alloc::vec::Vec;
use std::collections::BTreeMap;

use super::sleep::hash;
use super::*;

impl GroupKey for u32 {
    fn words(&self) -> [u64; 3] {
        [u64::from(*self), 1, 2]
    }
}

const AT: Position = Position { epoch: 3, offset: 17, control: 2 };

fn pair(run: u64) -> Pair<u32> {
    Pair::new(run, Timing::default())
}

impl<K: GroupKey> Pair<K> {
    /// With a fault built in, perhaps.
    pub(crate) fn with_fault(run: u64, timing: Timing, mutant: Option<Mutant>) -> Self {
        Self { mutant, ..Self::new(run, timing) }
    }
}

/// Two brokers, both with the same fault.
fn two(mutant: Option<Mutant>) -> (Pair<u32>, Pair<u32>) {
    let with = |run| Pair { mutant, ..pair(run) };
    (with(1), with(2))
}

/// Replicas that all rest at [`AT`] in epoch 3.
struct Resting;

impl Replicas<u32> for Resting {
    fn follows(&mut self, _key: u32, epoch: i32) -> bool {
        epoch == 3
    }

    fn rests(&mut self, _key: u32, epoch: i32, end: Position) -> bool {
        epoch == 3 && end == AT
    }
}

/// Sends a beat from one to the other; returns what it means there.
fn beat(from: &mut Pair<u32>, to: &mut Pair<u32>, now: u64) -> Vec<News<u32>> {
    let beat = from.beat(now, vec![]);
    let mut news = vec![];
    to.hear(now, &beat, &mut Resting, &mut news);
    news
}

#[test]
fn a_group_sleeps_while_its_leaders_broker_beats() {
    let (mut a, mut b) = (pair(1), pair(2));
    a.put_to_sleep(7, 3, AT);
    assert!(!b.is_asleep_here(7, 0));
    assert_eq!(beat(&mut a, &mut b, 1_000), [News::Slept(7)]);
    assert!(a.is_asleep_there(7) && b.is_asleep_here(7, 1_249));
    let mut news = vec![];
    b.look(1_249, &mut news);
    assert_eq!(news, []);
    b.look(1_250, &mut news);
    assert_eq!(news, [News::Orphaned(7)]);
    b.look(1_300, &mut news);
    assert_eq!(news.len(), 1, "once");
    assert!(!b.is_asleep_here(7, 1_300));
    assert_eq!(beat(&mut a, &mut b, 1_310), []);
    assert!(!b.is_asleep_here(7, 1_310), "it was woken, and its leader has to hear of it");
    assert_eq!(beat(&mut b, &mut a, 1_320), [News::Stirred(7)]);
}

#[test]
fn a_restart_within_the_timeout_is_seen_at_once() {
    let (mut a, mut b) = (pair(1), pair(2));
    a.put_to_sleep(7, 3, AT);
    beat(&mut a, &mut b, 1_000);
    let mut again = pair(9);
    assert_eq!(beat(&mut again, &mut b, 1_010), [News::Orphaned(7), News::Restarted]);
    assert_eq!(beat(&mut a, &mut b, 1_015), [], "a beat of the run before comes late");
    assert_eq!(beat(&mut again, &mut b, 1_020), []);

    // And where it is the follower that starts anew, its leader wakes what slept there.
    let (mut a, mut b) = (pair(1), pair(2));
    a.put_to_sleep(7, 3, AT);
    beat(&mut a, &mut b, 1_000);
    beat(&mut b, &mut a, 1_010);
    let mut b = pair(5);
    assert_eq!(beat(&mut b, &mut a, 1_020), [News::Stirred(7), News::Restarted]);
}

#[test]
fn a_group_to_which_something_happened_is_not_put_to_sleep() {
    let (mut a, mut b) = (pair(1), pair(2));
    a.put_to_sleep(7, 2, AT);
    a.put_to_sleep(8, 3, AT);
    assert_eq!(beat(&mut a, &mut b, 1_000), [News::Slept(8)]);
    assert!(!b.is_asleep_here(7, 1_000) && b.is_asleep_here(8, 1_000));
    assert_eq!(beat(&mut b, &mut a, 1_010), [News::Stirred(7)]);
    b.stir(8);
    assert!(!b.is_asleep_here(8, 1_010));
    assert_eq!(beat(&mut b, &mut a, 1_020), [News::Stirred(7), News::Stirred(8)]);
    a.wake(7);
    a.wake(8);
    assert_eq!(beat(&mut a, &mut b, 1_030), [], "neither slept");
    assert_eq!(beat(&mut b, &mut a, 1_040), []);
}

#[test]
fn a_promise_counts_from_when_its_beat_was_sent() {
    promises_count_from_sending(None);
}

pub(crate) fn promises_count_from_sending(mutant: Option<Mutant>) {
    let (mut a, mut b) = two(mutant);
    beat(&mut b, &mut a, 900);
    let number = a.next_beat();
    let sent = a.beat(1_000, vec![]);
    assert!(!a.has_promised(0, 1_000));
    let mut news = vec![];
    b.hear(1_100, &sent, &mut Resting, &mut news);
    let answer = b.beat(1_140, vec![]);
    a.hear(1_150, &answer, &mut Resting, &mut news);
    assert!(a.has_promised(number, 1_199) && !a.has_promised(number, 1_200));
    assert!(!a.has_promised(number + 1, 1_199), "what a later beat names first");
    assert!(a.is_there(1_249) && !a.is_there(1_250));
    assert!(b.is_heard(1_349) && !b.is_heard(1_350), "longer than any lease that it gave");
}

#[test]
fn what_is_old_or_of_another_run_changes_nothing() {
    old_beats_change_nothing(None);
}

pub(crate) fn old_beats_change_nothing(mutant: Option<Mutant>) {
    let (mut a, mut b) = two(mutant);
    let old = a.beat(1_000, vec![]);
    a.put_to_sleep(7, 3, AT);
    let of_sleep = a.beat(1_005, vec![]);
    beat(&mut a, &mut b, 1_010);
    let mut news = vec![];
    b.hear(1_020, &old, &mut Resting, &mut news);
    assert!(b.is_asleep_here(7, 1_020) && news.is_empty());
    let answer = Beat { heard: Some((77, 1)), ..b.beat(1_030, vec![]) };
    a.hear(1_030, &answer, &mut Resting, &mut news);
    assert!(!a.is_there(1_030), "an answer to another run");
    a.wake(7);
    assert_eq!(beat(&mut a, &mut b, 1_040), [News::Woken(7)]);
    b.hear(1_050, &of_sleep, &mut Resting, &mut news);
    assert!(!b.is_asleep_here(7, 1_050) && news.is_empty(), "it was asleep, and is no more");
    let again = Pair { mutant, ..pair(9) };
    let mut news = vec![];
    let first = Beat { sequence: old.sequence, ..again.clone().beat(1_060, vec![]) };
    b.hear(1_060, &first, &mut Resting, &mut news);
    assert_eq!(news, [News::Restarted], "whatever number its first beat has");
    let late = a.beat(1_070, vec![]);
    assert!(!b.is_new(&late), "the run before");
}

#[test]
fn a_set_that_differs_is_given_up_and_begun_anew() {
    sets_that_differ_are_given_up(None);
}

pub(crate) fn sets_that_differ_are_given_up(mutant: Option<Mutant>) {
    let (mut a, mut b) = two(mutant);
    a.put_to_sleep(7, 3, AT);
    beat(&mut b, &mut a, 990);
    beat(&mut a, &mut b, 1_000);
    b.followed.set.enter(8, 3, AT);
    assert_eq!(beat(&mut a, &mut b, 1_010), [News::Woken(7), News::Woken(8)]);
    assert!(!b.is_asleep_here(7, 1_010) && !b.is_asleep_here(8, 1_010));
    assert!(beat(&mut b, &mut a, 1_020).contains(&News::Stirred(7)));
    assert!(!a.is_asleep_there(7));
    a.put_to_sleep(7, 3, AT);
    assert_eq!(beat(&mut a, &mut b, 1_030), [News::Slept(7)]);
    assert!(b.is_asleep_here(7, 1_030) && !b.is_asleep_here(8, 1_030));
}

#[test]
fn nothing_sleeps_in_a_set_that_differs() {
    let (mut a, mut b) = (pair(1), pair(2));
    beat(&mut b, &mut a, 990);
    beat(&mut a, &mut b, 1_000);
    b.followed.set.enter(8, 3, AT);
    a.put_to_sleep(7, 3, AT);
    let woken = beat(&mut a, &mut b, 1_010);
    assert!(!woken.contains(&News::Slept(8)) && woken.ends_with(&[News::Woken(7), News::Woken(8)]));
    a.put_to_sleep(9, 3, AT);
    assert_eq!(beat(&mut a, &mut b, 1_020), []);
    assert!((7..10).all(|key| !b.is_asleep_here(key, 1_020)));
    let mut news = vec![];
    b.look(2_000, &mut news);
    assert_eq!(news, [], "nobody loses a leader who had none");
}

#[test]
fn a_set_of_which_a_part_is_unknown_is_begun_anew() {
    let (mut a, mut b) = (pair(1), pair(2));
    a.put_to_sleep(7, 3, AT);
    beat(&mut b, &mut a, 990);
    beat(&mut a, &mut b, 1_000);
    beat(&mut b, &mut a, 1_010);
    assert!(a.led.changes.is_empty(), "acknowledged");
    b.followed = Followed::new(a.led.life);
    assert_eq!(beat(&mut a, &mut b, 1_020), []);
    assert_eq!(beat(&mut b, &mut a, 1_030), [News::Stirred(7)]);
    a.put_to_sleep(7, 3, AT);
    assert_eq!(beat(&mut a, &mut b, 1_040), [News::Slept(7)]);
}

#[test]
fn a_group_that_is_named_and_follows_somebody_else_has_promised_nothing() {
    let (mut a, mut b) = (pair(1), pair(2));
    beat(&mut b, &mut a, 990);
    let named = |key, epoch| {
        let (leader_life, follower_life, log_start) = (0, 0, 0);
        Named { key, leader_life, follower_life, epoch, commit: AT, log_start }
    };
    let sent = a.beat(1_000, vec![named(7, 3), named(8, 2)]);
    let mut news = vec![];
    b.hear(1_000, &sent, &mut Resting, &mut news);
    assert_eq!(beat(&mut b, &mut a, 1_010), [News::Stirred(8)]);
    assert!(a.has_promised(sent.sequence, 1_010));
    assert!(!a.has_promised(a.next_beat(), 1_010), "what counts for 8 from now on");
}

/// Replicas that rest where they are.
struct There<'a>(&'a BTreeMap<u32, Position>);

impl Replicas<u32> for There<'_> {
    fn follows(&mut self, _key: u32, _epoch: i32) -> bool {
        true
    }

    fn rests(&mut self, key: u32, _epoch: i32, end: Position) -> bool {
        self.0[&key] == end
    }
}

/// A small source of chance.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Groups that a leads and b follows, with beats that are lost, late, doubled and overtaken, and
/// brokers that start anew.
struct Both {
    a: Pair<u32>,
    b: Pair<u32>,
    runs: u64,
    now: u64,
    /// Where each group ends at a, and at b.
    here: BTreeMap<u32, Position>,
    there: BTreeMap<u32, Position>,
    to_a: Vec<Beat<u32>>,
    to_b: Vec<Beat<u32>>,
}

impl Both {
    fn new() -> Self {
        let here: BTreeMap<u32, Position> = (0..6).map(|key| (key, AT)).collect();
        let (to_a, to_b, there) = (vec![], vec![], here.clone());
        Self { a: pair(1), b: pair(2), runs: 10, now: 1_000, here, there, to_a, to_b }
    }

    fn act(&mut self, dice: &mut Dice) {
        self.now += 10;
        let key = u32::try_from(dice.roll(6)).unwrap();
        match dice.roll(12) {
            0 => self.to_b.push(self.a.beat(self.now, vec![])),
            1 => self.to_a.push(self.b.beat(self.now, vec![])),
            2 if !self.to_b.is_empty() => {
                let beat = self.to_b.remove(pick(dice, self.to_b.len()));
                self.arrives_at_b(&beat);
            }
            3 if !self.to_a.is_empty() => {
                let beat = self.to_a.remove(pick(dice, self.to_a.len()));
                self.arrives_at_a(&beat);
            }
            4 if self.here[&key] == self.there[&key] && !self.a.is_asleep_there(key) => {
                self.a.put_to_sleep(key, 3, self.here[&key]);
            }
            5 => {
                self.a.wake(key);
                self.here.entry(key).and_modify(|end| end.offset += 1);
            }
            6 => {
                self.there.entry(key).and_modify(|end| end.epoch += 1);
                self.b.stir(key);
            }
            // It is replicated: where b has it asleep, that is something that happens to it.
            7 if dice.roll(2) == 0 && !self.a.is_asleep_there(key) => {
                self.there.insert(key, self.here[&key]);
                self.b.stir(key);
            }
            7 => drop(self.to_b.pop()),
            8 => drop(self.to_a.pop()),
            9 => self.to_b.extend(self.to_b.last().cloned()),
            10 if dice.roll(8) == 0 => self.b = self.restarted(),
            11 if dice.roll(8) == 0 => self.a = self.restarted(),
            _ => {}
        }
    }

    fn restarted(&mut self) -> Pair<u32> {
        self.runs += 1;
        pair(self.runs)
    }

    fn arrives_at_b(&mut self, beat: &Beat<u32>) {
        let mut replicas = There(&self.there);
        self.b.hear(self.now, beat, &mut replicas, &mut vec![]);
    }

    /// A group that stirred is woken, and replicated anew.
    fn arrives_at_a(&mut self, beat: &Beat<u32>) {
        let mut news = vec![];
        self.a.hear(self.now, beat, &mut Resting, &mut news);
        for news in news {
            if let News::Stirred(key) = news {
                self.a.wake(key);
                self.there.insert(key, self.here[&key]);
            }
        }
    }

    /// A beat in each direction, both of which arrive.
    fn settle(&mut self) {
        self.now += 10;
        let beat = self.a.beat(self.now, vec![]);
        self.arrives_at_b(&beat);
        let beat = self.b.beat(self.now, vec![]);
        self.arrives_at_a(&beat);
    }
}

/// Whatever sleeps at b is as a had it when it put it to sleep; and once all is calm both hold the
/// same.
#[test]
fn both_sides_hold_the_same_set_whatever_becomes_of_beats() {
    let mut slept = 0;
    for seed in 1..300 {
        let mut dice = Dice(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        let mut both = Both::new();
        for step in 0..400 {
            both.act(&mut dice);
            for key in (0..6).filter(|key| both.b.is_asleep_here(*key, both.now)) {
                slept += 1;
                let entered = both.b.followed.set.hashes[&key];
                assert_eq!(entered, hash(key, 3, both.there[&key]), "seed {seed}, step {step}");
            }
        }
        (0..4).for_each(|_| both.settle());
        let Both { a, b, .. } = both;
        assert!(b.followed.agrees, "seed {seed}");
        assert_eq!(a.led.set.hashes, b.followed.set.hashes, "seed {seed}");
        assert!(a.led.changes.is_empty(), "seed {seed}");
    }
    assert!(slept > 5_000, "{slept}");
}

fn pick(dice: &mut Dice, count: usize) -> usize {
    usize::try_from(dice.roll(count as u64)).unwrap()
}
