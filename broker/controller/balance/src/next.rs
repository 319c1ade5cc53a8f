//! Which moves of a plan may go now.
//!
//! It is asked again whenever something has changed, and remembers nothing: what is done is seen in
//! the snapshot, what is under way is told. So it goes on after a change of who decides, and a move
//! that somebody else has made, or made impossible, is passed over.
//!
//! The moves of a plan have room one after the other, in their order. A later one that goes before
//! takes no room that an earlier one will need, so that they never wait for each other. Where loads
//! have changed on the way they may; then a plan that is made anew from there finds another way.
//! Of one partition nothing goes before what comes earlier.
//!
//! Must always hold: what goes now exceeds no limit together with what is under way, and no
//! capacity of the broker that a replica or leadership comes to; of a partition one replica moves
//! at a time.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::plan::{Move, MoveKind};
use crate::resource::{Amounts, Resource};
use crate::snapshot::{Load, Partition, Snapshot, Standing};

/// How much may go at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Replicas that come to one broker, and those that it sends because it leads their partitions.
    pub moves_per_broker: usize,
    /// Replicas in the whole cluster.
    pub moves: usize,
    /// How fast they are copied.
    pub rates: Rates,
}

impl Default for Limits {
    fn default() -> Self {
        Self { moves_per_broker: 4, moves: 64, rates: Rates::default() }
    }
}

/// What a broker sends replicas that are new to the partitions that it leads, in bytes a second.
/// Who receives them isn't held to anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    /// What it is where nothing else is said.
    pub usual: u64,
    /// What it is of brokers of which something else is said.
    pub others: BTreeMap<i32, u64>,
}

impl Rates {
    /// One rate of all brokers.
    #[must_use]
    pub const fn of_all(usual: u64) -> Self {
        Self { usual, others: BTreeMap::new() }
    }

    /// That of a broker.
    #[must_use]
    pub fn of(&self, broker: i32) -> u64 {
        self.others.get(&broker).copied().unwrap_or(self.usual)
    }
}

/// What brokers do if nothing is configured.
impl Default for Rates {
    fn default() -> Self {
        Self::of_all(50 << 20)
    }
}

/// How it stands with a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The partition is as the move makes it.
    Done,
    /// It has begun.
    UnderWay,
    /// It may go now.
    Now,
    /// It has to wait.
    Waits(Wait),
    /// The partition isn't as it was when this was planned; there is nothing to move.
    Void,
}

/// What a move waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Another replica of its partition is moving, or something of it comes first.
    Partition,
    /// So many are under way at one of its brokers as may be, or in the cluster.
    Limit,
    /// Nobody leads its partition, so that nobody can copy it.
    Leader,
    /// The broker that it comes to is out of contact.
    Contact,
    /// Who is to lead isn't in sync.
    InSync,
    /// Others have to leave first: the broker that it comes to has no capacity for it.
    Capacity(Resource),
}

/// How it stands with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// For each move.
    pub stages: Vec<Stage>,
    /// What is left to copy, of moves under way all that they copy.
    pub bytes_left: u64,
    /// How long that takes at least: the broker that needs the longest to send what it has to.
    pub seconds_left: u64,
}

impl Progress {
    /// The moves that may go now, as places in the list that was asked about.
    pub fn now(&self) -> impl Iterator<Item = usize> + '_ {
        let stages = self.stages.iter().enumerate();
        stages.filter(|(_, stage)| **stage == Stage::Now).map(|(place, _)| place)
    }
}

/// How the cluster is beside the snapshot and the moves that are asked about: what else is under
/// way and what that takes, and who can't take anything now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beside {
    /// What is on brokers still, and not in the snapshot, because it is to leave.
    pub leaving: Vec<(i32, Load)>,
    /// What others have begun.
    pub others: Vec<Other>,
    /// The brokers that are out of contact.
    pub away: BTreeSet<i32>,
    /// Replicas that aren't in sync, as places in the snapshot's partitions, and brokers.
    pub behind: BTreeSet<(usize, i32)>,
}

/// A partition of which others have begun to move replicas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Other {
    /// As a place in the snapshot's.
    pub partition: usize,
    /// The brokers that they leave.
    pub from: Vec<i32>,
    /// The brokers that they come to.
    pub to: Vec<i32>,
}

/// How it stands with moves, as [`next_beside`] nothing else.
#[must_use]
pub fn next(
    snapshot: &Snapshot,
    moves: &[Move],
    under_way: &BTreeSet<usize>,
    limits: &Limits,
) -> Progress {
    next_beside(snapshot, moves, under_way, &Beside::default(), limits)
}

/// How it stands with moves, and which may go now. Earlier ones come first, but those that have to
/// wait hold up nobody at other brokers.
///
/// - `snapshot`: as it is now; a move that is under way may show or not.
/// - `moves`: of a plan, their partitions as places in this snapshot.
/// - `under_way`: places in `moves`.
/// - `beside`: it counts for the limits, and for the room that there is.
#[must_use]
pub fn next_beside(
    snapshot: &Snapshot,
    moves: &[Move],
    under_way: &BTreeSet<usize>,
    beside: &Beside,
    limits: &Limits,
) -> Progress {
    let mut traffic = Traffic::new(snapshot, beside, limits);
    traffic.note(beside);
    for (place, one) in moves.iter().enumerate() {
        if under_way.contains(&place) {
            traffic.begin(one);
        }
    }
    let stage = |(place, one): (usize, &Move)| {
        let is_under_way = under_way.contains(&place);
        let stage = if is_under_way { Stage::UnderWay } else { traffic.stage(one) };
        match stage {
            Stage::Now => traffic.begin(one),
            // Nobody knows when that comes: no room is kept for it.
            Stage::UnderWay | Stage::Waits(Wait::Leader | Wait::Contact | Wait::InSync) => {}
            Stage::Waits(_) => traffic.reserve(one),
            Stage::Done | Stage::Void => return stage,
        }
        traffic.expect(one);
        stage
    };
    let mut stages: Vec<Stage> = moves.iter().enumerate().map(stage).collect();
    note_ways(moves, &mut stages);
    let (bytes_left, seconds_left) = left(snapshot, moves, &stages, &limits.rates);
    Progress { stages, bytes_left, seconds_left }
}

fn is_replica(one: &Move) -> bool {
    matches!(one.kind, MoveKind::Replica { .. })
}

/// What has gone on from where a move brought it is done, and not void.
fn note_ways(moves: &[Move], stages: &mut [Stage]) {
    let mut gone_on = BTreeSet::new();
    for (one, stage) in moves.iter().zip(stages).rev().filter(|(one, _)| is_replica(one)) {
        if *stage == Stage::Void && gone_on.contains(&(one.partition, one.to)) {
            *stage = Stage::Done;
        }
        if *stage != Stage::Void {
            gone_on.insert((one.partition, one.from));
        }
    }
}

/// The bytes that are left to copy, and the seconds that this takes whoever needs the longest.
fn left(snapshot: &Snapshot, moves: &[Move], stages: &[Stage], rates: &Rates) -> (u64, u64) {
    let is_left = |stage: &Stage| !matches!(stage, Stage::Done | Stage::Void);
    let left = moves.iter().zip(stages).filter(|(_, stage)| is_left(stage)).map(|(one, _)| one);
    let (mut bytes, mut sent) = (0, BTreeMap::<i32, u64>::new());
    for (one, sender) in with_senders(snapshot, left) {
        bytes += one.bytes;
        *sent.entry(sender).or_default() += one.bytes;
    }
    let seconds = |(broker, bytes): (&i32, &u64)| bytes.div_ceil(rates.of(*broker).max(1));
    (bytes, sent.iter().map(seconds).max().unwrap_or(0))
}

/// How many seconds each move of a plan takes at least, if nothing else is copied.
#[must_use]
pub fn seconds(snapshot: &Snapshot, moves: &[Move], rates: &Rates) -> Vec<u64> {
    let seconds = |(one, sender): (&Move, i32)| one.bytes.div_ceil(rates.of(sender).max(1));
    with_senders(snapshot, moves.iter()).map(seconds).collect()
}

/// Moves with the broker that sends what is copied: whoever leads the partition then, and not the
/// one that gives a replica up. Where nobody knows who that is, it is taken for that one.
fn with_senders<'a>(
    snapshot: &Snapshot,
    moves: impl Iterator<Item = &'a Move>,
) -> impl Iterator<Item = (&'a Move, i32)> {
    let mut leaders: BTreeMap<usize, i32> = BTreeMap::new();
    moves.map(move |one| {
        let led = || snapshot.partitions().get(one.partition)?.leader;
        let sender = leaders.get(&one.partition).copied().or_else(led).unwrap_or(one.from);
        if matches!(one.kind, MoveKind::Leader | MoveKind::Replica { leads: true }) {
            leaders.insert(one.partition, one.to);
        }
        (one, sender)
    })
}

/// What is under way.
struct Traffic<'a> {
    snapshot: &'a Snapshot,
    beside: &'a Beside,
    limits: &'a Limits,
    /// By broker: what it has and what comes to it.
    load: BTreeMap<i32, Amounts>,
    /// By broker: what earlier moves bring that wait.
    reserved: BTreeMap<i32, Amounts>,
    /// What comes to a broker of a partition, with what it takes: it may go on from there.
    coming: BTreeMap<(usize, i32), Amounts>,
    moves: BTreeMap<i32, usize>,
    all: usize,
    /// Of which replicas are moving.
    partitions: BTreeSet<usize>,
    /// Of which earlier moves aren't over.
    begun: BTreeSet<usize>,
}

impl<'a> Traffic<'a> {
    fn new(snapshot: &'a Snapshot, beside: &'a Beside, limits: &'a Limits) -> Self {
        let mut load: BTreeMap<i32, Amounts> = BTreeMap::new();
        for replica in snapshot.partitions().iter().flat_map(|it| &it.replicas) {
            load.entry(replica.broker).or_default().add(&replica.load.amounts(false));
        }
        Self {
            snapshot,
            beside,
            limits,
            load,
            reserved: BTreeMap::new(),
            coming: BTreeMap::new(),
            moves: BTreeMap::new(),
            all: 0,
            partitions: BTreeSet::new(),
            begun: BTreeSet::new(),
        }
    }

    /// Keeps the room that a move will need that has to wait.
    fn reserve(&mut self, one: &Move) {
        if let Some(more) = self.more(one) {
            self.reserved.entry(one.to).or_default().add(&more);
        }
    }

    /// A replica or leadership comes, or will.
    fn expect(&mut self, one: &Move) {
        self.begun.insert(one.partition);
        if let Some(load) = self.load_of(one).filter(|_| is_replica(one)) {
            self.coming.insert((one.partition, one.to), load);
        }
    }

    fn note(&mut self, beside: &Beside) {
        for (broker, load) in &beside.leaving {
            self.load.entry(*broker).or_default().add(&load.amounts(false));
        }
        for Other { partition, from, to } in &beside.others {
            self.partitions.insert(*partition);
            if self.is_leaderless(*partition) {
                continue;
            }
            for (place, to) in to.iter().enumerate() {
                let from = from.get(place).copied();
                self.count(self.ends(*partition, from, *to));
            }
        }
    }

    /// Of what nobody leads nothing is copied: it counts for no limit, but keeps its room.
    fn begin(&mut self, one: &Move) {
        if let Some(more) = self.more(one) {
            self.load.entry(one.to).or_default().add(&more);
        }
        if !is_replica(one) {
            return;
        }
        self.partitions.insert(one.partition);
        if self.is_leaderless(one.partition) {
            return;
        }
        self.count(self.ends(one.partition, Some(one.from), one.to));
    }

    /// A replica is copied.
    fn count(&mut self, ends: impl Iterator<Item = i32>) {
        for id in ends {
            *self.moves.entry(id).or_default() += 1;
        }
        self.all += 1;
    }

    /// Who receives a replica, and who sends it: whoever leads, and where nobody knows who that is,
    /// the broker that gives it up, unless it is lost.
    fn ends(
        &self,
        partition: usize,
        from: Option<i32>,
        to: i32,
    ) -> impl Iterator<Item = i32> + use<> {
        let leader = self.snapshot.partitions().get(partition).and_then(|it| it.leader);
        let sender = leader.or_else(|| from.filter(|id| !self.is_lost(*id)));
        sender.into_iter().chain([to])
    }

    fn is_lost(&self, id: i32) -> bool {
        let place = self.snapshot.place_of(id);
        place.is_none_or(|place| self.snapshot.brokers()[place].standing == Standing::Absent)
    }

    fn is_leaderless(&self, partition: usize) -> bool {
        self.snapshot.partitions().get(partition).is_some_and(|it| it.is_leaderless)
    }

    fn partition(&self, one: &Move) -> Option<&'a Partition> {
        self.snapshot.partitions().get(one.partition)
    }

    /// What a replica takes that is still where it was, or on its way there.
    fn load_of(&self, one: &Move) -> Option<Amounts> {
        let mut replicas = self.partition(one)?.replicas.iter();
        let known = replicas.find(|it| it.broker == one.from).map(|it| it.load.amounts(false));
        known.or_else(|| self.coming.get(&(one.partition, one.from)).copied())
    }

    /// What the broker has more that a move comes to, once that is over.
    fn more(&self, one: &Move) -> Option<Amounts> {
        if is_replica(one) {
            return self.load_of(one);
        }
        let partition = self.partition(one)?;
        let on = |id: i32| partition.replicas.iter().find(|it| it.broker == id);
        let (old, new) = (on(partition.leader?)?.load, on(one.to)?.load);
        let more = Load {
            disk_bytes: 0,
            bytes_in: old.bytes_in.saturating_sub(new.bytes_in),
            bytes_out: old.bytes_out.saturating_sub(new.bytes_out),
        };
        let mut more = more.amounts(false);
        more[Resource::Partitions] = 0;
        Some(more)
    }

    fn stage(&self, one: &Move) -> Stage {
        let Some(partition) = self.partition(one) else { return Stage::Void };
        let has = |id: i32| partition.replicas.iter().any(|replica| replica.broker == id);
        match one.kind {
            MoveKind::Leader if partition.leader == Some(one.to) => Stage::Done,
            MoveKind::Leader if self.is_moving(one) => Stage::Waits(Wait::Partition),
            MoveKind::Leader if !has(one.to) => Stage::Void,
            MoveKind::Leader if self.beside.away.contains(&one.to) => Stage::Waits(Wait::Contact),
            MoveKind::Leader if self.beside.behind.contains(&(one.partition, one.to)) => {
                Stage::Waits(Wait::InSync)
            }
            MoveKind::Leader => self.stage_of_room(one),
            MoveKind::Replica { .. } if has(one.to) && !has(one.from) => Stage::Done,
            MoveKind::Replica { .. } if self.coming.contains_key(&(one.partition, one.from)) => {
                Stage::Waits(Wait::Partition)
            }
            MoveKind::Replica { .. } if has(one.to) || !has(one.from) => Stage::Void,
            MoveKind::Replica { .. } => self.stage_of_replica(one),
        }
    }

    fn stage_of_replica(&self, one: &Move) -> Stage {
        if self.is_leaderless(one.partition) {
            return Stage::Waits(Wait::Leader);
        }
        if self.beside.away.contains(&one.to) {
            return Stage::Waits(Wait::Contact);
        }
        if self.is_moving(one) {
            return Stage::Waits(Wait::Partition);
        }
        let busy = |id: i32| {
            self.moves.get(&id).is_some_and(|moves| *moves >= self.limits.moves_per_broker)
        };
        let mut ends = self.ends(one.partition, Some(one.from), one.to);
        if self.all >= self.limits.moves || ends.any(busy) {
            return Stage::Waits(Wait::Limit);
        }
        self.stage_of_room(one)
    }

    /// Whether something of its partition is under way, or comes earlier.
    fn is_moving(&self, one: &Move) -> bool {
        self.partitions.contains(&one.partition) || self.begun.contains(&one.partition)
    }

    fn stage_of_room(&self, one: &Move) -> Stage {
        self.lacks(one).map_or(Stage::Now, |resource| Stage::Waits(Wait::Capacity(resource)))
    }

    fn lacks(&self, one: &Move) -> Option<Resource> {
        let place = self.snapshot.place_of(one.to)?;
        let capacity = &self.snapshot.brokers()[place].capacity;
        let more = self.more(one)?;
        let mut load = self.load.get(&one.to).copied().unwrap_or_default();
        load.add(&self.reserved.get(&one.to).copied().unwrap_or_default());
        Resource::MEASURED.into_iter().find(|it| {
            let exceeds = |capacity: u64| load[*it] + more[*it] > capacity;
            more[*it] > 0 && capacity[*it].is_some_and(exceeds)
        })
    }
}
