//! Tells a plan: what is different in the end, in the order in which it was decided, each move with
//! what it changes and what else could have been done. The figures are those of the told moves,
//! made one after the other.

use alloc::vec::Vec;

use super::difference::Told;
use super::order::Stuck;
use super::verdict::{Alternative, Move, MoveKind, Obstacle, Plan, Unmet, Worst};
use super::{Ground, Planner, Step, difference, order};
use crate::levels::LEVEL;
use crate::resource::{Amounts, Resource};
use crate::state::{Change, State};

/// A cost is told as squares of thousandths of a level.
const COST_UNIT: i64 = 1000;

/// The plan of the steps that led from a snapshot to `end`. Where replicas would change places for
/// which nobody has room meanwhile, it ends before those steps, and says so.
pub(super) fn tell<'a>(
    ground: &'a Ground<'_>,
    mut end: State<'a>,
    mut steps: &[Step],
    mut unmet: Vec<Unmet>,
) -> Plan {
    let begun = worst_of_all(ground, &State::new(ground.snapshot, &ground.racks));
    while !steps.is_empty() {
        let (mut planner, mut moves) = (Planner::new(ground), Vec::new());
        let told = difference::changes(&planner.state, &end, steps);
        let stuck = order::follow(&mut planner, &end, told, |planner, told| {
            moves.push(make_one(planner, told));
        });
        let Some(first) = stuck.iter().map(|it| it.told.turn).min() else {
            let bytes = moves.iter().map(|it| it.bytes).sum();
            return Plan {
                moves,
                unmet,
                worst: [begun, worst_of_all(ground, &planner.state)],
                bytes,
            };
        };
        unmet.extend(stuck.iter().map(|it| unmet_of(&planner, it)));
        steps = &steps[..beginning(steps, first)];
        end = state_after(ground, steps);
    }
    Plan { moves: Vec::new(), unmet, worst: [begun; 2], bytes: 0 }
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
    let (Change::Seat { seat, .. } | Change::Leader { from: seat, .. }) = stuck.told.change;
    let seat = &planner.state.seats[seat];
    let from = planner.ground.snapshot.brokers()[seat.origin()].id;
    let (rule, obstacle) = (stuck.told.rule, Obstacle::Exchange(stuck.lacks));
    Unmet { partition: seat.partition() as usize, from, rule, obstacle }
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
    let load = planner.state.seats[seat].load();
    planner.best_host(seat, |planner, to| (to != but).then(|| planner.cost_with(to, &load)))
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
    use crate::plan::Rule;

    #[test]
    fn what_is_worth_it_only_together_is_cut_together() {
        let change = Change::Seat { seat: 0, from: 0, to: 1 };
        let step = |is_more| Step { change, rule: Rule::Skew, resource: None, is_more };
        let steps = [false, false, true, true, false].map(step);
        let cuts: Vec<usize> = (0..=steps.len()).map(|it| beginning(&steps, it)).collect();
        assert_eq!(cuts, [0, 1, 1, 1, 4, 4]);
    }
}
