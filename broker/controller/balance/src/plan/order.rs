//! The order in which moves can be made, each when the broker that it comes to has room, and
//! leadership when whoever takes over has.
//!
//! What the search moved twice is told once, so that two replicas may change places, each of which
//! needs the room of the other. Then one of them goes by way of a broker that has room: it is
//! copied twice, and told as two moves.
//!
//! Must always hold: what is made in this order exceeds no capacity in between, and no replica
//! comes to a broker that its partition has left or goes to otherwise; so it can be seen of a
//! partition alone which of its moves are done. In whatever order the moves of one partition are
//! made, no rack gets crowded, by way of another broker neither.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::Planner;
use super::difference::Told;
use crate::resource::Resource;
use crate::state::{Change, State};

/// A replica, or a leader, for which nobody has room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stuck {
    pub(super) told: Told,
    /// What the broker lacks that it should come to.
    pub(super) lacks: Resource,
}

/// Makes moves one after the other, later ones first only where earlier ones have to wait for
/// them. Gives those for which nobody has room.
///
/// - `end`: who has what when all is done.
pub(super) fn follow(
    planner: &mut Planner<'_>,
    end: &State<'_>,
    mut told: Vec<Told>,
    mut make: impl FnMut(&mut Planner<'_>, &Told),
) -> Vec<Stuck> {
    let mut went_round = BTreeSet::new();
    loop {
        let before = told.len();
        told = pass(planner, told, &mut make);
        if told.is_empty() {
            return Vec::new();
        }
        if told.len() < before {
            continue;
        }
        let Some(way) = way_round(planner, end, &told, &went_round) else { break };
        let Way { place, seat, from, by, to, .. } = way;
        went_round.insert(planner.state.seats[seat].partition());
        make(planner, &told[place].with(Change::Seat { seat, from, to: by }));
        told[place] = told[place].with(Change::Seat { seat, from: by, to });
    }
    let stuck = told.into_iter().filter_map(|told| {
        let lacks = lacks(planner, &told)?;
        Some(Stuck { told, lacks })
    });
    stuck.collect()
}

/// Makes what has room, and gives what is left. Whoever is to lead comes first.
fn pass(
    planner: &mut Planner<'_>,
    told: Vec<Told>,
    make: &mut impl FnMut(&mut Planner<'_>, &Told),
) -> Vec<Told> {
    let (mut coming, mut left) = (BTreeSet::new(), Vec::new());
    for told in told {
        let heir_comes = matches!(told.change, Change::Leader { to, .. } if coming.contains(&to));
        if heir_comes || lacks(planner, &told).is_some() {
            if let Change::Seat { seat, .. } = told.change {
                coming.insert(seat);
            }
            left.push(told);
        } else {
            make(planner, &told);
        }
    }
    left
}

/// What the broker that a replica or leadership comes to has too little room of.
fn lacks(planner: &Planner<'_>, told: &Told) -> Option<Resource> {
    match told.change {
        Change::Seat { seat, to, .. } => planner.state.lacks(to, &planner.state.seats[seat].load()),
        Change::Leader { from, to } => planner.lacks_to_lead(from, to),
    }
}

/// A move that is made in two.
#[derive(Debug)]
struct Way {
    bytes: u64,
    /// Which of the moves it is.
    place: usize,
    seat: usize,
    from: usize,
    by: usize,
    to: usize,
}

/// The cheapest of the moves for whose place others wait, and by way of which broker it can be
/// made.
///
/// - `went_round`: partitions of which one was made in two before.
fn way_round(
    planner: &mut Planner<'_>,
    end: &State<'_>,
    told: &[Told],
    went_round: &BTreeSet<u32>,
) -> Option<Way> {
    let wanted = told.iter().filter_map(|it| match it.change {
        Change::Seat { to, .. } => Some(to),
        Change::Leader { .. } => None,
    });
    let wanted: BTreeSet<usize> = wanted.collect();
    let mut best: Option<Way> = None;
    for (place, one) in told.iter().enumerate() {
        let Change::Seat { seat, from, to } = one.change else { continue };
        let bytes = planner.state.seats[seat].load()[Resource::DiskBytes];
        let is_better = best.as_ref().is_none_or(|best| bytes < best.bytes);
        let has_gone = went_round.contains(&planner.state.seats[seat].partition());
        if !is_better || has_gone || !wanted.contains(&from) {
            continue;
        }
        if let Some(by) = stop(planner, end, seat) {
            best = Some(Way { bytes, place, seat, from, by, to });
        }
    }
    best
}

/// The broker that may have a seat meanwhile, and has nothing else to do with its partition; in a
/// rack that has room for it now and in the end.
fn stop(planner: &mut Planner<'_>, end: &State<'_>, seat: usize) -> Option<usize> {
    let load = planner.state.seats[seat].load();
    let mut able = Vec::new();
    planner.state.hosts(seat, |_, broker| able.push(broker));
    let (began, ends, racks) = (&planner.state.seats, &end.seats, end.racks);
    let partition = end.beside(seat);
    let limit = racks.limit(partition.len());
    let in_the_end = |broker: usize| {
        let others = partition.clone().filter(|it| ends[*it].broker() != ends[seat].broker());
        others.filter(|it| racks.of[ends[*it].broker()] == racks.of[broker]).count()
    };
    able.retain(|broker| {
        in_the_end(*broker) < limit
            && !partition
                .clone()
                .any(|it| began[it].origin() == *broker || ends[it].broker() == *broker)
    });
    able.into_iter().min_by_key(|broker| (planner.cost_with(*broker, &load), *broker))
}
