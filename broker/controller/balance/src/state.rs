//! Who has what while moves are tried: sums per broker that each move changes in constant time.
//!
//! A *seat* is a replica and stays the same when it moves. With leadership goes what a leader
//! takes: the two seats exchange what arrives and what leaves.
//!
//! Must always hold: the load of a broker is the sum of its seats; which brokers may take a seat
//! ([`State::hosts`]) is said by hard rules alone.

use alloc::vec;
use alloc::vec::Vec;

use crate::plan::Obstacle;
use crate::racks::Racks;
use crate::resource::{Amounts, PerResource, Resource};
use crate::snapshot::{BROKERS_MAX, Load, PARTITIONS_MAX, Snapshot, Standing};

/// A replica. It has half a line of the processor's cache: hundreds of thousands are looked at in
/// no order.
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
pub(crate) struct Seat {
    measured: Load,
    /// The partition's number, and [`LEADS`] where it leads.
    partition: u32,
    /// The broker that it is on, by its place.
    broker: u16,
    /// The broker that it was on at the beginning of this round.
    origin: u16,
}

/// Above the numbers of all partitions.
const LEADS: u32 = 1 << 31;
const _: () = assert!(size_of::<Seat>() == 32);
const _: () = assert!(PARTITIONS_MAX < LEADS as usize && BROKERS_MAX <= u16::MAX as usize);

impl Seat {
    fn new(partition: u32, broker: usize, load: &Amounts) -> Self {
        let broker = short(broker);
        let mut seat = Self { measured: Load::default(), partition, broker, origin: broker };
        seat.set_load(load);
        seat
    }

    pub(crate) fn load(&self) -> Amounts {
        self.measured.amounts(self.leads())
    }

    fn set_load(&mut self, load: &Amounts) {
        self.measured = Load {
            disk_bytes: load[Resource::DiskBytes],
            bytes_in: load[Resource::BytesIn],
            bytes_out: load[Resource::BytesOut],
        };
        let leads = if load[Resource::Leaders] > 0 { LEADS } else { 0 };
        self.partition = self.partition() | leads;
    }

    pub(crate) fn partition(&self) -> u32 {
        self.partition & !LEADS
    }

    pub(crate) fn origin(&self) -> usize {
        usize::from(self.origin)
    }

    pub(crate) fn broker(&self) -> usize {
        usize::from(self.broker)
    }

    pub(crate) fn leads(&self) -> bool {
        self.partition & LEADS != 0
    }

    /// What is copied because of it if it moves now: nothing more if it moves anyway.
    pub(crate) fn bytes(&self) -> u64 {
        if self.broker == self.origin { self.measured.disk_bytes } else { 0 }
    }
}

/// A change that can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// A seat goes from one broker to another.
    Seat { seat: usize, from: usize, to: usize },
    /// A seat takes over leadership from another of its partition.
    Leader { from: usize, to: usize },
}

impl Change {
    pub(crate) fn back(self) -> Self {
        match self {
            Self::Seat { seat, from, to } => Self::Seat { seat, from: to, to: from },
            Self::Leader { from, to } => Self::Leader { from: to, to: from },
        }
    }
}

#[derive(Debug)]
pub(crate) struct State<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) racks: &'a Racks,
    /// By the broker's place.
    pub(crate) load: Vec<Amounts>,
    pub(crate) capacity: Vec<Amounts>,
    pub(crate) is_active: Vec<bool>,
    pub(crate) seats: Vec<Seat>,
    /// The first seat of each partition, and one more.
    first: Vec<u32>,
    /// The seats of each broker, in no order.
    on: Vec<Vec<u32>>,
    /// Where in that list a seat is.
    place: Vec<u32>,
    marks: Marks,
}

/// What is noted of one partition while its hosts are looked for.
#[derive(Debug)]
struct Marks {
    /// By rack.
    replicas: Vec<usize>,
    /// By broker.
    is_taken: Vec<bool>,
}

impl<'a> State<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, racks: &'a Racks) -> Self {
        let brokers = snapshot.brokers();
        let capacity = |resource: Resource, place: usize| {
            brokers[place].capacity[resource].unwrap_or(u64::MAX)
        };
        let capacity = (0..brokers.len())
            .map(|place| PerResource(Resource::ALL.map(|resource| capacity(resource, place))));
        let marks =
            Marks { replicas: vec![0; racks.active.len()], is_taken: vec![false; brokers.len()] };
        let mut state = Self {
            snapshot,
            racks,
            load: vec![Amounts::default(); brokers.len()],
            capacity: capacity.collect(),
            is_active: brokers.iter().map(|it| it.standing == Standing::Active).collect(),
            seats: Vec::new(),
            first: Vec::with_capacity(snapshot.partitions().len() + 1),
            on: vec![Vec::new(); brokers.len()],
            place: Vec::new(),
            marks,
        };
        state.fill();
        state
    }

    fn fill(&mut self) {
        let snapshot = self.snapshot;
        let mut place_of = PlaceOf::new(snapshot);
        for (number, partition) in (0..).zip(snapshot.partitions()) {
            self.first.push(small(self.seats.len()));
            for replica in &partition.replicas {
                let broker = place_of.broker(replica.broker);
                let load = replica.load.amounts(partition.leader == Some(replica.broker));
                self.load[broker].add(&load);
                self.place.push(small(self.on[broker].len()));
                self.on[broker].push(small(self.seats.len()));
                self.seats.push(Seat::new(number, broker, &load));
            }
        }
        self.first.push(small(self.seats.len()));
    }

    /// Forgets where seats came from.
    pub(crate) fn begin_here(&mut self) {
        self.seats.iter_mut().for_each(|seat| seat.origin = seat.broker);
    }

    /// The seats of a broker.
    pub(crate) fn on(&self, broker: usize) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.on[broker].iter().map(|seat| *seat as usize)
    }

    /// The seats of a partition.
    pub(crate) fn of(&self, partition: u32) -> core::ops::Range<usize> {
        let partition = partition as usize;
        self.first[partition] as usize..self.first[partition + 1] as usize
    }

    /// The seats of the partition of a seat, that one included.
    pub(crate) fn beside(&self, seat: usize) -> core::ops::Range<usize> {
        self.of(self.seats[seat].partition())
    }

    /// The seat that leads a partition.
    pub(crate) fn leader_of(&self, partition: u32) -> Option<usize> {
        self.of(partition).find(|seat| self.seats[*seat].leads())
    }

    pub(crate) fn active(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.is_active.len()).filter(|broker| self.is_active[*broker])
    }

    pub(crate) fn make(&mut self, change: Change) {
        match change {
            Change::Seat { seat, from, to } => self.move_seat(seat, from, to),
            Change::Leader { from, to } => self.hand_over(from, to),
        }
    }

    /// The brokers that a change is about.
    pub(crate) fn ends(&self, change: Change) -> [usize; 2] {
        match change {
            Change::Seat { from, to, .. } => [from, to],
            Change::Leader { from, to } => [from, to].map(|seat| self.seats[seat].broker()),
        }
    }

    fn move_seat(&mut self, seat: usize, from: usize, to: usize) {
        let load = self.seats[seat].load();
        self.load[from].remove(&load);
        self.load[to].add(&load);
        let place = self.place[seat] as usize;
        self.on[from].swap_remove(place);
        if let Some(moved) = self.on[from].get(place) {
            self.place[*moved as usize] = small(place);
        }
        self.place[seat] = small(self.on[to].len());
        self.on[to].push(small(seat));
        self.seats[seat].broker = short(to);
    }

    fn hand_over(&mut self, from: usize, to: usize) {
        let (old, new) = (self.seats[from], self.seats[to]);
        let (old_load, new_load) = exchanged(&old.load(), &new.load());
        self.load[old.broker()].remove(&old.load());
        self.load[new.broker()].remove(&new.load());
        self.load[old.broker()].add(&old_load);
        self.load[new.broker()].add(&new_load);
        self.seats[from].set_load(&old_load);
        self.seats[to].set_load(&new_load);
    }

    /// Calls `visit` with each broker that may take a seat by all hard rules.
    pub(crate) fn hosts(&mut self, seat: usize, mut visit: impl FnMut(&Self, usize)) {
        if self.is_stuck(seat) {
            return;
        }
        let limit = self.mark(seat);
        for broker in 0..self.is_active.len() {
            if self.may_host(seat, limit, broker) {
                visit(self, broker);
            }
        }
        self.unmark(seat);
    }

    /// Whether a broker may take a seat by all hard rules.
    pub(crate) fn is_host(&mut self, seat: usize, broker: usize) -> bool {
        if self.is_stuck(seat) {
            return false;
        }
        let limit = self.mark(seat);
        let is_host = self.may_host(seat, limit, broker);
        self.unmark(seat);
        is_host
    }

    /// Whether nobody can copy it.
    fn is_stuck(&self, seat: usize) -> bool {
        self.snapshot.partitions()[self.seats[seat].partition() as usize].is_leaderless
    }

    fn may_host(&self, seat: usize, limit: usize, broker: usize) -> bool {
        self.is_active[broker]
            && !self.marks.is_taken[broker]
            && self.marks.replicas[self.racks.of[broker]] < limit
            && self.lacks(broker, &self.seats[seat].load()).is_none()
    }

    /// The first resource of which a broker hasn't got capacity for so much more.
    pub(crate) fn lacks(&self, broker: usize, more: &Amounts) -> Option<Resource> {
        let (load, capacity) = (&self.load[broker], &self.capacity[broker]);
        let exceeds = |resource: &Resource| {
            more[*resource] > 0 && load[*resource] + more[*resource] > capacity[*resource]
        };
        Resource::MEASURED.into_iter().find(exceeds)
    }

    /// Notes where the other replicas are, and gives how many a rack may have. Those that leave
    /// their brokers anyway count for no rack.
    fn mark(&mut self, seat: usize) -> usize {
        for other in self.beside(seat) {
            let broker = self.seats[other].broker();
            self.marks.is_taken[broker] = true;
            let counts = other != seat && self.is_active[broker];
            self.marks.replicas[self.racks.of[broker]] += usize::from(counts);
        }
        self.racks.limit(self.beside(seat).len())
    }

    fn unmark(&mut self, seat: usize) {
        for other in self.beside(seat) {
            let broker = self.seats[other].broker();
            self.marks.is_taken[broker] = false;
            self.marks.replicas[self.racks.of[broker]] = 0;
        }
    }

    /// Why nobody may take a seat: the rule that the least would have to be bent for.
    pub(crate) fn obstacle(&mut self, seat: usize) -> Obstacle {
        if self.is_stuck(seat) {
            return Obstacle::NoLeader;
        }
        let limit = self.mark(seat);
        let mut obstacle = Obstacle::NoOtherBroker;
        for broker in self.active() {
            if self.marks.is_taken[broker] {
                continue;
            }
            if self.marks.replicas[self.racks.of[broker]] >= limit {
                if obstacle == Obstacle::NoOtherBroker {
                    obstacle = Obstacle::Racks;
                }
            } else if let Some(resource) = self.lacks(broker, &self.seats[seat].load()) {
                obstacle = Obstacle::Capacity(resource);
            }
        }
        self.unmark(seat);
        obstacle
    }
}

/// What two seats take after the second has taken over leadership.
pub(crate) fn exchanged(old: &Amounts, new: &Amounts) -> (Amounts, Amounts) {
    let (mut old, mut new) = (*old, *new);
    for resource in Resource::ALL {
        if resource.goes_with_leadership() {
            core::mem::swap(&mut old[resource], &mut new[resource]);
        }
    }
    (old, new)
}

/// Finds brokers by id; those of one partition after another.
struct PlaceOf<'a> {
    snapshot: &'a Snapshot,
    /// The places of small ids.
    small: Vec<u32>,
}

impl<'a> PlaceOf<'a> {
    /// Ids below this are looked up in a table.
    const SMALL_MAX: usize = 1 << 16;

    fn new(snapshot: &'a Snapshot) -> Self {
        let mut small_ids = Vec::new();
        for (place, broker) in snapshot.brokers().iter().enumerate() {
            let Ok(id) = usize::try_from(broker.id) else { continue };
            if id < Self::SMALL_MAX {
                small_ids.resize(id + 1, 0);
                small_ids[id] = small(place);
            }
        }
        Self { snapshot, small: small_ids }
    }

    fn broker(&mut self, id: i32) -> usize {
        let known = usize::try_from(id).ok().and_then(|id| self.small.get(id));
        known.map_or_else(
            || self.snapshot.place_of(id).expect("a snapshot names only brokers that it has"),
            |place| *place as usize,
        )
    }
}

/// A broker's place.
fn short(broker: usize) -> u16 {
    u16::try_from(broker).expect("brokers are limited")
}

/// Places and counts are far below this.
pub(crate) fn small(number: usize) -> u32 {
    u32::try_from(number).expect("snapshots are limited")
}
