//! What is different in the end of a plan: a replica that the search moved twice moves once, from
//! where it is to where it ends, and what ends where it began isn't told.
//!
//! Must always hold: whichever of these changes are made, in whatever order, no rack has more
//! replicas of a partition than it has at the beginning or in the end.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Step;
use super::verdict::Rule;
use crate::resource::Resource;
use crate::state::{Change, State};

/// What is different of a partition in the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// When it was decided.
    pub(super) turn: usize,
    pub(super) change: Change,
    pub(super) rule: Rule,
    pub(super) resource: Option<Resource>,
}

impl Told {
    fn new(turn: usize, step: &Step, change: Change) -> Self {
        Self { turn, change, rule: step.rule, resource: step.resource }
    }

    /// The same for another change.
    pub(super) fn with(self, change: Change) -> Self {
        Self { change, ..self }
    }
}

/// The steps that touched a partition, with their places.
type Touched<'a> = Vec<(usize, &'a Step)>;

/// The changes from a beginning to an end, in the order of the steps that decided them.
pub(super) fn changes(start: &State<'_>, end: &State<'_>, steps: &[Step]) -> Vec<Told> {
    let mut touched: BTreeMap<u32, Touched<'_>> = BTreeMap::new();
    for (turn, step) in steps.iter().enumerate() {
        let seat = match step.change {
            Change::Seat { seat, .. } => seat,
            Change::Leader { to, .. } => to,
        };
        touched.entry(start.seats[seat].partition()).or_default().push((turn, step));
    }
    let mut told = Vec::new();
    for (partition, steps) in touched {
        let moved = moved(start, end, partition, &steps);
        told.extend(handed_over(start, end, partition, &steps, &moved));
        told.extend(moved);
    }
    // Stable, so that what a partition does in one turn keeps its order.
    told.sort_by_key(|told| told.turn);
    told
}

/// The replicas of a partition that are elsewhere in the end.
fn moved(start: &State<'_>, end: &State<'_>, partition: u32, steps: &Touched<'_>) -> Vec<Told> {
    let tell = |(seat, to): (usize, usize)| {
        let is_own =
            |step: &Step| matches!(step.change, Change::Seat { seat: it, .. } if it == seat);
        let mut own = steps.iter().filter(|(_, step)| is_own(step));
        let first = own.clone().next().or(steps.first()).expect("it was touched by a step");
        let turn = own.next_back().unwrap_or(first).0;
        Told::new(turn, first.1, Change::Seat { seat, from: start.seats[seat].broker(), to })
    };
    paired(start, end, partition).into_iter().map(tell).collect()
}

/// The seats whose brokers a partition leaves, and the brokers that are new to it. Within a rack
/// first, and there those that count for it: then a rack either gives or takes, and never has more
/// in between. Otherwise a seat goes where the search brought it.
fn paired(start: &State<'_>, end: &State<'_>, partition: u32) -> Vec<(usize, usize)> {
    let seats = start.of(partition);
    let began = |seat: usize| start.seats[seat].broker();
    let ends = |seat: usize| end.seats[seat].broker();
    let left = seats.clone().filter(|seat| !seats.clone().any(|it| ends(it) == began(*seat)));
    let new =
        seats.clone().map(ends).filter(|broker| !seats.clone().any(|it| began(it) == *broker));
    let new: Vec<usize> = new.collect();
    let mut pairs: Vec<(usize, usize)> =
        left.flat_map(|seat| new.iter().map(move |broker| (seat, *broker))).collect();
    let rack = |broker: usize| start.racks.of[broker];
    pairs.sort_by_key(|(seat, to)| {
        let is_within = rack(began(*seat)) == rack(*to);
        (!is_within, is_within && !start.is_active[began(*seat)], ends(*seat) != *to)
    });
    let mut taken: Vec<(usize, usize)> = Vec::new();
    for pair in pairs {
        if taken.iter().all(|it| it.0 != pair.0 && it.1 != pair.1) {
            taken.push(pair);
        }
    }
    taken
}

/// The change of a partition's leader, if moves don't bring it about. Who has a replica already
/// takes over before any moves, which copies nothing.
fn handed_over(
    start: &State<'_>,
    end: &State<'_>,
    partition: u32,
    steps: &Touched<'_>,
    moved: &[Told],
) -> Option<Told> {
    let (old, new) = (start.leader_of(partition)?, end.leader_of(partition)?);
    let leader = end.seats[new].broker();
    let comes = moved.iter().find_map(|told| match told.change {
        Change::Seat { seat, to, .. } if to == leader => Some(seat),
        _ => None,
    });
    let stays = start.of(partition).find(|seat| start.seats[*seat].broker() == leader);
    let heir = comes.or(stays).expect("every broker of the end has a seat");
    let is_transfer = |step: &Step| matches!(step.change, Change::Leader { .. });
    let step = steps.iter().rev().find(|(_, step)| is_transfer(step)).or(steps.last());
    let &(decided, step) = step.expect("it was touched by a step");
    let turns = moved.iter().map(|told| told.turn);
    let turn = if comes.is_some() {
        turns.max().map_or(decided, |last| last + 1)
    } else {
        turns.min().map_or(decided, |first| first.min(decided))
    };
    (heir != old).then(|| Told::new(turn, step, Change::Leader { from: old, to: heir }))
}
