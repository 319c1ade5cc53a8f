//! What it takes to put one of many groups to sleep, and to wake it: at its leader, and at the
//! follower that hears of it in a beat.

use std::time::Instant;

use logboom_raft::{Beat, Group, GroupKey, News, Pair, Position, ReplicaId, Replicas, Timing};

use crate::Cores;

/// Groups that two brokers share.
const GROUPS: usize = 10_000;
/// How many change from one beat to the next.
const CHANGES: usize = 100;
/// Rounds over all of them, of which the median is told.
const ROUNDS: usize = 9;

/// A partition of one of some topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    topic: [u64; 2],
    partition: u64,
}

impl GroupKey for Key {
    fn words(&self) -> [u64; 3] {
        [self.topic[0], self.topic[1], self.partition]
    }
}

impl Key {
    fn of(group: usize) -> Self {
        let topic = (group as u64 / 50).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { topic: [topic, !topic], partition: group as u64 % 50 }
    }
}

/// The replicas of the broker that follows, in the order of their keys.
struct Followers<'a>(&'a [(Key, Group)]);

impl Replicas<Key> for Followers<'_> {
    fn follows(&mut self, _key: Key, _epoch: i32) -> bool {
        true
    }

    fn rests(&mut self, key: Key, epoch: i32, end: Position) -> bool {
        let at = self.0.binary_search_by_key(&key, |(key, _)| *key);
        at.is_ok_and(|at| self.0[at].1.rests_under(ReplicaId::of(1), epoch, end))
    }
}

/// Two brokers; the first one leads all groups.
struct Brokers {
    leaders: Vec<(Key, Group)>,
    followers: Vec<(Key, Group)>,
    pairs: [Pair<Key>; 2],
    now: u64,
    news: Vec<News<Key>>,
}

/// Nanoseconds for each group.
#[derive(Clone, Copy)]
struct Took {
    sleeps: f64,
    hears_of_sleep: f64,
    wakes: f64,
    hears_of_waking: f64,
}

impl Brokers {
    fn new() -> Self {
        let mut groups: Vec<(Key, Group, Group)> = (0..GROUPS)
            .map(|group| {
                let mut cores = Cores::of(3);
                cores.batch();
                cores.rest();
                let follower = cores.groups.swap_remove(1);
                (Key::of(group), cores.groups.swap_remove(0), follower)
            })
            .collect();
        groups.sort_by_key(|(key, _, _)| *key);
        let (leaders, followers) =
            groups.into_iter().map(|(key, a, b)| ((key, a), (key, b))).unzip();
        let pairs = [1, 2].map(|run| Pair::new(run, Timing::default()));
        Self { leaders, followers, pairs, now: 1_000, news: vec![] }
    }

    fn put_to_sleep(&mut self, group: usize) {
        let (key, core) = &self.leaders[group];
        let end = core.rests_with(ReplicaId::of(2)).expect("it rests");
        self.pairs[0].put_to_sleep(*key, core.epoch(), end);
    }

    fn wake(&mut self, group: usize) {
        self.pairs[0].wake(self.leaders[group].0);
    }

    /// A beat of the first broker reaches the second; returns how long that takes there.
    fn beat(&mut self) -> f64 {
        self.now += 50;
        let beat: Beat<Key> = self.pairs[0].beat(self.now, vec![]);
        let since = Instant::now();
        let mut replicas = Followers(&self.followers);
        self.pairs[1].hear(self.now, &beat, &mut replicas, &mut self.news);
        since.elapsed().as_secs_f64()
    }

    /// Its answer, so that changes aren't said again.
    fn answer(&mut self) {
        let beat = self.pairs[1].beat(self.now, vec![]);
        let mut replicas = Followers(&self.leaders);
        self.pairs[0].hear(self.now, &beat, &mut replicas, &mut self.news);
        self.news.clear();
    }

    /// All groups, so many at a time, where all others sleep.
    fn round(&mut self, order: &[usize]) -> Took {
        let mut took = Took { sleeps: 0.0, hears_of_sleep: 0.0, wakes: 0.0, hears_of_waking: 0.0 };
        for groups in order.chunks(CHANGES) {
            let since = Instant::now();
            groups.iter().for_each(|group| self.wake(*group));
            took.wakes += since.elapsed().as_secs_f64();
            took.hears_of_waking += self.beat();
            assert_eq!(self.news.len(), groups.len(), "all of them woke");
            self.answer();
            let since = Instant::now();
            groups.iter().for_each(|group| self.put_to_sleep(*group));
            took.sleeps += since.elapsed().as_secs_f64();
            took.hears_of_sleep += self.beat();
            assert_eq!(self.news.len(), groups.len(), "all of them sleep");
            self.answer();
        }
        took
    }
}

pub(crate) fn main() {
    let mut brokers = Brokers::new();
    (0..GROUPS).for_each(|group| brokers.put_to_sleep(group));
    brokers.beat();
    brokers.answer();
    // As they come, not as they lie.
    let order: Vec<usize> = (0..GROUPS).map(|at| at * 7_919 % GROUPS).collect();
    let rounds: Vec<Took> = (0..ROUNDS).map(|_| brokers.round(&order)).collect();
    let median = |of: fn(&Took) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[ROUNDS / 2] * 1e9 / GROUPS as f64
    };
    let (leader, follower) = (median(|it| it.sleeps), median(|it| it.hears_of_sleep));
    println!("to put one of {GROUPS} to sleep: {leader:.0} ns, {follower:.0} ns at its follower");
    let (leader, follower) = (median(|it| it.wakes), median(|it| it.hears_of_waking));
    println!("to wake one of {GROUPS}: {leader:.0} ns, {follower:.0} ns at its follower");
}
