//! Tells a plan: what is different in the end, in the order in which it was decided, each move with
//! what it changes and what else could have been done.
//!
//! A replica that the search moved twice moves once, from where it is to where it ends; what ends
//! where it began isn't told. The figures are those of the told moves, made one after the other.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::duty::cheapest;
use super::order::{self, Stuck};
use super::verdict::{Alternative, Move, MoveKind, Obstacle, Plan, Rule, Unmet, Worst};
use super::{Ground, Planner, Step};
use crate::levels::LEVEL;
use crate::resource::{Amounts, Resource};
use crate::state::{Change, State};

/// A cost is told as squares of thousandths of a level.
const COST_UNIT: i64 = 1000;

/// What is different of a partition in the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// When the last of it was decided.
    turn: usize,
    pub(super) change: Change,
    rule: Rule,
    resource: Option<Resource>,
}

impl Told {
    /// The same for another change.
    pub(super) fn with(self, change: Change) -> Self {
        Self { change, ..self }
    }
}

/// The plan of the steps that led from a snapshot to `end`. Where replicas would change places for
/// which nobody has room meanwhile, it ends before those steps, and says so.
pub(super) fn tell(
    ground: &Ground<'_>,
    end: &State<'_>,
    steps: &[Step],
    mut unmet: Vec<Unmet>,
) -> Plan {
    if steps.is_empty() {
        let worst = worst_of_all(ground, end);
        return Plan { moves: Vec::new(), unmet, worst: [worst; 2], bytes: 0 };
    }
    let mut planner = Planner::new(ground);
    let begun = worst_of_all(ground, &planner.state);
    let mut moves = Vec::new();
    let told = changes(&planner.state, end, steps);
    let stuck = order::follow(&mut planner, end, told, |planner, told| {
        moves.push(make_one(planner, told));
    });
    if let Some(first) = stuck.iter().map(|it| it.told.turn).min() {
        unmet.extend(stuck.iter().map(|it| unmet_of(&planner, it)));
        let steps = &steps[..beginning(steps, first)];
        return tell(ground, &state_after(ground, steps), steps, unmet);
    }
    let bytes = moves.iter().map(|it| it.bytes).sum();
    Plan { moves, unmet, worst: [begun, worst_of_all(ground, &planner.state)], bytes }
}

/// Where the steps begin that are worth it only together with this one.
fn beginning(steps: &[Step], place: usize) -> usize {
    let place = place.min(steps.len() - 1);
    steps[..=place].iter().rposition(|step| !step.is_more).unwrap_or(0)
}

fn state_after<'a>(ground: &'a Ground<'_>, steps: &[Step]) -> State<'a> {
    let mut state = State::new(ground.snapshot, &ground.racks);
    steps.iter().for_each(|step| state.make(step.change));
    state
}

fn unmet_of(planner: &Planner<'_>, stuck: &Stuck) -> Unmet {
    let seat = &planner.state.seats[stuck.seat];
    let from = planner.ground.snapshot.brokers()[seat.origin()].id;
    let (rule, obstacle) = (stuck.told.rule, Obstacle::Exchange(stuck.lacks));
    Unmet { partition: seat.partition() as usize, from, rule, obstacle }
}

/// The steps that touched a partition, with their places.
type Touched<'a> = Vec<(usize, &'a Step)>;

/// The changes from a beginning to an end, in the order of the steps that decided them.
fn changes(start: &State<'_>, end: &State<'_>, steps: &[Step]) -> Vec<Told> {
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
    let seats = start.of(partition);
    let began = |seat: usize| start.seats[seat].broker();
    let ends = |seat: usize| end.seats[seat].broker();
    let left = seats.clone().filter(|seat| !seats.clone().any(|it| ends(it) == began(*seat)));
    let new =
        seats.clone().map(ends).filter(|broker| !seats.clone().any(|it| began(it) == *broker));
    let (mut left, mut new): (Vec<usize>, Vec<usize>) = (left.collect(), new.collect());
    // A seat goes where it went, if both ends are among what is different.
    let mut pairs = Vec::new();
    left.retain(|seat| {
        let place = new.iter().position(|broker| *broker == ends(*seat));
        let Some(place) = place else { return true };
        pairs.push((*seat, new.remove(place)));
        false
    });
    pairs.extend(left.into_iter().zip(new));
    let turn = steps.last().map_or(0, |(turn, _)| *turn);
    let tell = |(seat, to): (usize, usize)| {
        let is_own =
            |step: &Step| matches!(step.change, Change::Seat { seat: it, .. } if it == seat);
        let own = steps.iter().find(|(_, step)| is_own(step)).or(steps.first());
        let &(_, &Step { rule, resource, .. }) = own.expect("it was touched by a step");
        Told { turn, change: Change::Seat { seat, from: began(seat), to }, rule, resource }
    };
    pairs.into_iter().map(tell).collect()
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
    let &(turn, &Step { rule, resource, .. }) = step.expect("it was touched by a step");
    let turn =
        if comes.is_some() { steps.last().map_or(turn, |(last, _)| *last + 1) } else { turn };
    let change = Change::Leader { from: old, to: heir };
    (heir != old).then_some(Told { turn, change, rule, resource })
}

/// Tells a move and makes it.
fn make_one(planner: &mut Planner<'_>, told: &Told) -> Move {
    let mut one = tell_one(planner, told);
    let ends = planner.state.ends(told.change);
    planner.change(told.change);
    [one.from_worst[1], one.to_worst[1]] = ends.map(|broker| worst(planner, broker));
    one
}

/// A move as it looks before it is made.
fn tell_one(planner: &mut Planner<'_>, told: &Told) -> Move {
    match told.change {
        Change::Seat { seat, from, to } => tell_replica(planner, told, seat, from, to),
        Change::Leader { from, to } => tell_leader(planner, told, from, to),
    }
}

fn tell_replica(
    planner: &mut Planner<'_>,
    told: &Told,
    seat: usize,
    from: usize,
    to: usize,
) -> Move {
    let load = planner.state.seats[seat].load();
    let mut left = planner.state.load[from];
    left.remove(&load);
    let relief = planner.cost(from, &left);
    let cost_at = |planner: &Planner<'_>, broker: usize| {
        let mut after = planner.state.load[broker];
        after.add(&load);
        in_units(relief + planner.cost(broker, &after))
    };
    let alternative = cheapest_but(planner, seat, to);
    let alternative = alternative.map(|broker| Alternative {
        to: planner.ground.snapshot.brokers()[broker].id,
        cost: cost_at(planner, broker),
    });
    let (cost, leads) = (cost_at(planner, to), planner.state.seats[seat].leads());
    let bytes = load[Resource::DiskBytes];
    Move {
        bytes,
        ..blank(planner, told, MoveKind::Replica { leads }, (seat, from, to), cost, alternative)
    }
}

fn tell_leader(planner: &Planner<'_>, told: &Told, old: usize, new: usize) -> Move {
    let (from, to) = (planner.state.seats[old].broker(), planner.state.seats[new].broker());
    let cost = |heir: usize| planner.cost_of_heir(old, heir).map(|(cost, _)| in_units(cost));
    let others = planner.state.beside(old).filter(|seat| *seat != old && *seat != new);
    let alternative = others
        .filter_map(|seat| Some((cost(seat)?, planner.state.seats[seat].broker())))
        .min()
        .map(|(cost, broker)| Alternative {
            to: planner.ground.snapshot.brokers()[broker].id,
            cost,
        });
    blank(planner, told, MoveKind::Leader, (old, from, to), cost(new).unwrap_or(0), alternative)
}

fn blank(
    planner: &Planner<'_>,
    told: &Told,
    kind: MoveKind,
    (seat, from, to): (usize, usize, usize),
    cost: i64,
    alternative: Option<Alternative>,
) -> Move {
    let id = |place: usize| planner.ground.snapshot.brokers()[place].id;
    Move {
        partition: planner.state.seats[seat].partition() as usize,
        kind,
        from: id(from),
        to: id(to),
        rule: told.rule,
        resource: told.resource,
        bytes: 0,
        from_worst: [worst(planner, from); 2],
        to_worst: [worst(planner, to); 2],
        cost,
        alternative,
    }
}

/// The cheapest host of a seat but one.
fn cheapest_but(planner: &mut Planner<'_>, seat: usize, but: usize) -> Option<usize> {
    let was = core::mem::replace(&mut planner.state.is_active[but], false);
    let found = cheapest(planner, seat);
    planner.state.is_active[but] = was;
    found
}

/// A cost in squares of thousandths.
fn in_units(cost: i64) -> i64 {
    let unit = i128::from(COST_UNIT);
    let one = i128::from(LEVEL) * i128::from(LEVEL);
    let cost = (i128::from(cost) * unit * unit + one / 2).div_euclid(one);
    i64::try_from(cost).unwrap_or(i64::MAX)
}

fn worst(planner: &Planner<'_>, broker: usize) -> Worst {
    worst_of(planner.ground, broker, &planner.state.load[broker])
}

/// What a broker has most of.
fn worst_of(ground: &Ground<'_>, broker: usize, load: &Amounts) -> Worst {
    let all = Resource::MEASURED.map(|resource| Worst {
        resource,
        ppm: ground.levels.ppm(broker, resource, load[resource]),
    });
    let mut worst = all[0];
    for other in all {
        if other.ppm > worst.ppm {
            worst = other;
        }
    }
    worst
}

fn worst_of_all(ground: &Ground<'_>, state: &State<'_>) -> Option<(i32, Worst)> {
    let mut most: Option<(usize, Worst)> = None;
    for broker in state.active() {
        let own = worst_of(ground, broker, &state.load[broker]);
        if most.is_none_or(|(_, worst)| own.ppm > worst.ppm) {
            most = Some((broker, own));
        }
    }
    most.map(|(broker, worst)| (ground.snapshot.brokers()[broker].id, worst))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worth_it_only_together_is_cut_together() {
        let change = Change::Seat { seat: 0, from: 0, to: 1 };
        let step = |is_more| Step { change, rule: Rule::Skew, resource: None, is_more };
        let steps = [false, false, true, true, false].map(step);
        let cuts: Vec<usize> = (0..=steps.len()).map(|it| beginning(&steps, it)).collect();
        assert_eq!(cuts, [0, 1, 1, 1, 4, 4]);
    }
}
