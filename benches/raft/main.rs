//! The consensus alone, on one processor: a batch through three cores in memory, from the leader's
//! append to its commit, what an idle group holds, and what it takes to put one of 10,000 to sleep
//! and to wake it. No socket, no log, no clock.
//!
//! ```text
//! cargo run --release -p logboom-benches --bin raft
//! ```

mod sleep;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use allocation_counter::measure;

use logboom_raft::{
    Batches, Durable, Effects, Group, History, Message, Options, Position, ReplicaId, Role, Voters,
};

/// Batches of a round, of which the median is told.
const BATCHES: u32 = 200_000;
const ROUNDS: usize = 9;
/// Groups whose memory is counted.
const GROUPS: usize = 1_000;
/// Bytes of a batch, and its records.
const BYTES: u32 = 16 << 10;
const RECORDS: i64 = 16;

/// Three replicas of a group whose disks are done at once; the first one leads.
struct Cores {
    groups: Vec<Group>,
    effects: Effects,
    wire: VecDeque<Message>,
}

impl Cores {
    /// - `count`: of replicas, at most three.
    fn of(count: i32) -> Self {
        let ids: Vec<ReplicaId> = (1..=count).map(ReplicaId::of).collect();
        let group = |id| {
            // Each broker reads its own from its state store.
            let voters = Arc::new(Voters::of(ids.clone()));
            let history = History::new(Position::ZERO, voters, vec![], 0);
            let durable =
                Durable { epoch: -1, vote: None, history, high_watermark: 0, lossy: false };
            Group::new(id, 1, durable, Options::default())
        };
        let groups = ids.iter().copied().map(group).collect();
        let mut cores = Self { groups, effects: Effects::default(), wire: VecDeque::new() };
        cores.groups[0].campaign(&mut cores.effects);
        cores.follow(0);
        cores.deliver();
        assert_eq!(cores.groups[0].role(), Role::Leader, "nobody else campaigns");
        cores
    }

    /// Does what a group asks for.
    fn follow(&mut self, at: usize) {
        let (group, effects) = (&mut self.groups[at], &mut self.effects);
        let batches = |_: ReplicaId, from: i64, until: i64, _: u32| {
            Some(Batches { from, until: until.min(from + RECORDS), bytes: BYTES, gaps: false })
        };
        loop {
            if let Some(write) = effects.write.take() {
                group.written(write.until, effects);
            }
            group.ship(batches, effects);
            self.wire.extend(effects.messages.drain(..));
            let is_stored = !effects.stores.is_empty();
            effects.clear();
            let end = group.history().end();
            if is_stored {
                group.stored(group.issued(), effects);
            } else if group.durable() < end {
                group.flushed(end.offset, effects);
            } else {
                return;
            }
        }
    }

    fn deliver(&mut self) {
        while let Some(message) = self.wire.pop_front() {
            let at =
                if message.to.broker == 1 { 0 } else { usize::from(message.to.broker == 3) + 1 };
            self.groups[at].step(&message, false, &mut self.effects);
            self.follow(at);
        }
    }

    /// One batch, until the leader has committed it and both others have it.
    fn batch(&mut self) {
        let end = self.groups[0].history().end().offset + RECORDS;
        self.groups[0].appended(end, &mut self.effects);
        self.follow(0);
        self.deliver();
        assert_eq!(self.groups[0].commit().offset, end, "a batch isn't committed");
    }

    /// All know that everything is committed.
    fn rest(&mut self) {
        self.groups[0].beat(&mut self.effects);
        self.follow(0);
        self.deliver();
    }
}

fn main() {
    let mut cores = Cores::of(3);
    (0..BATCHES).for_each(|_| cores.batch());
    let info = measure(|| (0..BATCHES).for_each(|_| cores.batch()));
    println!("{BATCHES} batches allocate {} times", info.count_total);
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let since = Instant::now();
            (0..BATCHES).for_each(|_| cores.batch());
            since.elapsed().as_secs_f64() * 1e9 / f64::from(BATCHES)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("a batch through three cores: {:.0} ns (median of {ROUNDS})", rounds[ROUNDS / 2]);
    println!("an idle follower: {} bytes", idle_bytes(3, 1));
    println!("an idle leader of two followers: {} bytes", idle_bytes(3, 0));
    println!("an idle leader of nobody else: {} bytes", idle_bytes(1, 0));
    sleep::main();
}

/// What a group holds that has had a batch and sleeps, itself included.
///
/// - `at`: its place among so many replicas: the first leads.
fn idle_bytes(replicas: i32, at: usize) -> u64 {
    let mut kept: Vec<Group> = Vec::with_capacity(GROUPS);
    let info = measure(|| {
        for _ in 0..GROUPS {
            let mut cores = Cores::of(replicas);
            cores.batch();
            cores.rest();
            kept.push(cores.groups.swap_remove(at));
        }
    });
    let held = u64::try_from(info.bytes_current).expect("what is kept was allocated");
    held / GROUPS as u64 + size_of::<Group>() as u64
}
