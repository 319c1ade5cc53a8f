//! Tells a plan: what is different in the end, in the order in which it was decided, each move with
//! what it changes and what else could have been done. The figures are those of the told moves,
//! made one after the other.

use alloc::vec::Vec;

use super::difference::Told;
use super::order::Stuck;
use super::verdict::{Alternative, Move, MoveKind, Obstacle, Plan, TurnedDown, Unmet, Worst};
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
    let ends = planner.state.ends(told.change);
    let before = ends.map(|broker| figures(planner, told, broker));
    let one = tell_one(planner, told);
    planner.change(told.change);
    let after = ends.map(|broker| figures(planner, told, broker));
    let [from_worst, to_worst] = [0, 1].map(|end| [before[end].0, after[end].0]);
    let about = |end: usize| Some([before[end].1?, after[end].1?]);
    let about = about(0).zip(about(1)).map(|(from, to)| [from, to]);
    Move { from_worst, to_worst, about, ..one }
}

/// What a broker has most of, and what it has of that which a move is about.
fn figures(planner: &Planner<'_>, told: &Told, broker: usize) -> (Worst, Option<Worst>) {
    let load = &planner.state.load[broker];
    let ppm = |resource| planner.ground.levels.ppm(broker, resource, load[resource]);
    let about = told.resource.map(|resource| Worst { resource, ppm: ppm(resource) });
    (worst_of(planner.ground, broker, load), about)
}

/// A move without what it makes of brokers.
fn tell_one(planner: &mut Planner<'_>, told: &Told) -> Move {
    let Told { change, rule, resource, .. } = *told;
    let id = |place: usize| planner.ground.snapshot.brokers()[place].id;
    let [from, to] = planner.state.ends(change).map(id);
    let (Change::Seat { seat, .. } | Change::Leader { from: seat, .. }) = change;
    let own = planner.state.seats[seat];
    let (kind, bytes, (cost, alternative)) = match change {
        Change::Seat { from, to, .. } => {
            let bytes = own.load()[Resource::DiskBytes];
            let kind = MoveKind::Replica { leads: own.leads() };
            (kind, bytes, costs_of_replica(planner, told, seat, (from, to)))
        }
        Change::Leader { from, to } => {
            (MoveKind::Leader, 0, costs_of_leader(planner, told, (from, to)))
        }
    };
    let nothing = [Worst { resource: Resource::Partitions, ppm: 0 }; 2];
    let (from_worst, to_worst, about) = (nothing, nothing, None);
    let partition = own.partition() as usize;
    Move {
        partition,
        kind,
        from,
        to,
        rule,
        resource,
        bytes,
        from_worst,
        to_worst,
        about,
        cost,
        alternative,
    }
}

/// What it costs to move a replica, and the best other broker.
fn costs_of_replica(
    planner: &mut Planner<'_>,
    told: &Told,
    seat: usize,
    (from, to): (usize, usize),
) -> (i64, Option<Alternative>) {
    let load = planner.state.seats[seat].load();
    let relief = planner.cost_without(from, &load);
    let cost_at = |planner: &Planner<'_>, to| in_units(relief + planner.cost_with(to, &load));
    let other =
        planner.best_host(seat, |planner, it| (it != to).then(|| planner.cost_with(it, &load)));
    let choice = |planner: &Planner<'_>, broker: usize| {
        let mut after = planner.state.load[broker];
        after.add(&load);
        Choice { broker, after, cost: cost_at(planner, broker) }
    };
    let chosen = choice(planner, to);
    let alternative =
        other.map(|other| turned_down(planner, told, &chosen, &choice(planner, other)));
    (chosen.cost, alternative)
}

/// What it costs to hand over leadership, and the best other replica's broker.
fn costs_of_leader(
    planner: &Planner<'_>,
    told: &Told,
    (old, new): (usize, usize),
) -> (i64, Option<Alternative>) {
    let choice = |heir: usize| {
        let (cost, transfer) = planner.cost_of_heir(old, heir)?;
        let (broker, after) = transfer.after()[1];
        Some(Choice { broker, after: *after, cost: in_units(cost) })
    };
    let Some(chosen) = choice(new) else { return (0, None) };
    let others = planner.state.beside(old).filter(|seat| *seat != old && *seat != new);
    let best = others.filter_map(choice).min_by_key(|other| (other.cost, other.broker));
    (chosen.cost, best.map(|other| turned_down(planner, told, &chosen, &other)))
}

/// A broker that something may go to.
struct Choice {
    broker: usize,
    /// What it would have.
    after: Amounts,
    cost: i64,
}

/// A broker that was turned down, and why.
fn turned_down(planner: &Planner<'_>, told: &Told, chosen: &Choice, other: &Choice) -> Alternative {
    let beyond = |choice: &Choice| {
        let (before, high) =
            (&planner.state.load[choice.broker], &planner.aims.of[choice.broker].high);
        Resource::MEASURED.into_iter().find(|it| {
            let edge = if told.resource == Some(*it) { &high.inner } else { &high.outer };
            choice.after[*it] > before[*it].max(edge[*it])
        })
    };
    let why = match (beyond(chosen), beyond(other)) {
        _ if other.cost >= chosen.cost => TurnedDown::Cost,
        (None, Some(resource)) => TurnedDown::Beyond(resource),
        _ => TurnedDown::Together,
    };
    let to = planner.ground.snapshot.brokers()[other.broker].id;
    Alternative { to, cost: other.cost, why }
}

/// A cost in squares of thousandths.
fn in_units(cost: i64) -> i64 {
    let unit = i128::from(COST_UNIT);
    let one = i128::from(LEVEL) * i128::from(LEVEL);
    let cost = (i128::from(cost) * unit * unit + one / 2).div_euclid(one);
    i64::try_from(cost).unwrap_or(i64::MAX)
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
