//! What has to be done whatever it costs: emptying brokers that are lost or drained, and mending
//! what breaks a hard rule.
//!
//! Must always hold: what can't be done is told with the rule that is in the way.

use alloc::vec::Vec;

use super::Planner;
use super::verdict::{ManualError, ManualMove, Refusal, Rule, Unmet};
use crate::resource::Resource;
use crate::snapshot::Standing;
use crate::state::{Change, small};

/// Does all that hard rules demand, as far as they are wanted.
pub(super) fn fulfil(planner: &mut Planner<'_>) {
    empty(planner, Standing::Absent, Rule::LostBroker);
    part_racks(planner);
    keep_capacities(planner);
    hand_over(planner);
    empty(planner, Standing::Draining, Rule::Drain);
}

/// Makes a move that an operator asks for.
pub(super) fn obey(planner: &mut Planner<'_>, wanted: &ManualMove) -> Result<(), ManualError> {
    let refused = |refusal| ManualError { wanted: *wanted, refusal };
    let snapshot = planner.ground.snapshot;
    let place = |id| snapshot.place_of(id).ok_or(refused(Refusal::UnknownBroker(id)));
    let (from, to) = (place(wanted.from)?, place(wanted.to)?);
    if wanted.partition >= snapshot.partitions().len() {
        return Err(refused(Refusal::UnknownPartition));
    }
    let seats = planner.state.of(small(wanted.partition));
    let seat = seats.clone().find(|seat| planner.state.seats[*seat].broker() == from);
    let seat = seat.ok_or(refused(Refusal::NoReplica))?;
    if snapshot.partitions()[wanted.partition].is_leaderless {
        return Err(refused(Refusal::NoLeader));
    }
    if !planner.state.is_active[to] {
        return Err(refused(Refusal::NotActive));
    }
    if seats.clone().any(|seat| planner.state.seats[seat].broker() == to) {
        return Err(refused(Refusal::HasReplica));
    }
    if let Some(resource) = planner.state.lacks(to, &planner.state.seats[seat].load()) {
        return Err(refused(Refusal::Capacity(resource)));
    }
    if !planner.state.is_host(seat, to) {
        return Err(refused(Refusal::Racks));
    }
    planner.make(Change::Seat { seat, from, to }, Rule::Manual, None);
    Ok(())
}

/// Empties the brokers that stand so, the largest replicas first.
fn empty(planner: &mut Planner<'_>, standing: Standing, rule: Rule) {
    if !planner.wants(rule) {
        return;
    }
    let brokers = planner.ground.snapshot.brokers();
    for place in (0..brokers.len()).filter(|place| brokers[*place].standing == standing) {
        for seat in by_size(planner, place) {
            let to = cheapest(planner, seat);
            move_or_tell(planner, seat, to, rule, None);
        }
    }
}

/// The seats of a broker, those that take the greatest part of anything first.
fn by_size(planner: &Planner<'_>, broker: usize) -> Vec<usize> {
    let (state, total) = (&planner.state, planner.ground.snapshot.total());
    let size = |seat: usize| {
        let load = &state.seats[seat].load();
        let part = |resource: Resource| {
            (u128::from(load[resource]) << 32) / u128::from(total[resource].max(1))
        };
        Resource::ALL.into_iter().map(part).max().unwrap_or(0)
    };
    let mut seats: Vec<(u128, usize)> = state.on(broker).map(|seat| (size(seat), seat)).collect();
    seats.sort_unstable_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    seats.into_iter().map(|(_, seat)| seat).collect()
}

/// The broker that may take a seat at the lowest cost.
pub(super) fn cheapest(planner: &mut Planner<'_>, seat: usize) -> Option<usize> {
    let load = planner.state.seats[seat].load();
    planner.best_host(seat, |planner, to| Some(planner.cost_with(to, &load)))
}

fn move_or_tell(
    planner: &mut Planner<'_>,
    seat: usize,
    to: Option<usize>,
    rule: Rule,
    resource: Option<Resource>,
) {
    let from = planner.state.seats[seat].broker();
    if let Some(to) = to {
        planner.make(Change::Seat { seat, from, to }, rule, resource);
        return;
    }
    let obstacle = planner.state.obstacle(seat);
    let partition = planner.state.seats[seat].partition() as usize;
    let from = planner.ground.snapshot.brokers()[from].id;
    planner.unmet.push(Unmet { partition, from, rule, obstacle });
}

/// Moves replicas that share racks more than must be, of each partition the cheapest to move.
fn part_racks(planner: &mut Planner<'_>) {
    if planner.ground.racks.active.len() == 1 || !planner.wants(Rule::Rack) {
        return;
    }
    for partition in 0..small(planner.ground.snapshot.partitions().len()) {
        while let Some(crowded) = crowded(planner, partition) {
            let seat = crowded.into_iter().find_map(|seat| Some((seat, cheapest(planner, seat)?)));
            if let Some((seat, to)) = seat {
                move_or_tell(planner, seat, Some(to), Rule::Rack, None);
            } else {
                break;
            }
        }
    }
}

/// The replicas of a partition in a rack that has too many, the smallest first.
fn crowded(planner: &Planner<'_>, partition: u32) -> Option<Vec<usize>> {
    let (state, racks) = (&planner.state, &planner.ground.racks);
    let seats = state.of(partition);
    let limit = racks.limit(seats.len());
    let rack = |seat: usize| {
        let broker = state.seats[seat].broker();
        state.is_active[broker].then(|| racks.of[broker])
    };
    let beside = |own: usize| seats.clone().filter(move |seat| rack(*seat) == Some(own));
    let first = seats.clone().filter_map(rack).find(|own| beside(*own).count() > limit)?;
    let mut crowded: Vec<usize> = beside(first).collect();
    crowded.sort_by_key(|seat| (state.seats[*seat].bytes(), *seat));
    Some(crowded)
}

/// Relieves brokers that exceed a capacity.
fn keep_capacities(planner: &mut Planner<'_>) {
    if !planner.wants(Rule::Capacity) {
        return;
    }
    for broker in 0..planner.state.load.len() {
        for resource in Resource::MEASURED {
            relieve(planner, broker, resource);
        }
    }
}

/// Moves from a broker what it can't hold, the smallest replicas that suffice alone first, then the
/// largest.
fn relieve(planner: &mut Planner<'_>, broker: usize, resource: Resource) {
    let excess = |planner: &Planner<'_>| {
        let (load, capacity) = (&planner.state.load[broker], &planner.state.capacity[broker]);
        load[resource].saturating_sub(capacity[resource])
    };
    if !planner.state.is_active[broker] || excess(planner) == 0 {
        return;
    }
    let mut seats: Vec<usize> = planner.state.on(broker).collect();
    let over = excess(planner);
    seats.sort_unstable_by_key(|seat| {
        let load = planner.state.seats[*seat].load()[resource];
        (load < over, load.abs_diff(over), *seat)
    });
    let mut last_stuck = None;
    for seat in seats {
        if excess(planner) == 0 {
            return;
        }
        if planner.state.seats[seat].load()[resource] == 0 {
            continue;
        }
        match cheapest(planner, seat) {
            Some(to) => move_or_tell(planner, seat, Some(to), Rule::Capacity, Some(resource)),
            None => last_stuck = Some(seat),
        }
    }
    if let Some(seat) = last_stuck.filter(|_| excess(planner) > 0) {
        move_or_tell(planner, seat, None, Rule::Capacity, Some(resource));
    }
}

/// Takes leadership from brokers that are drained, which takes no time, before their replicas.
fn hand_over(planner: &mut Planner<'_>) {
    let brokers = planner.ground.snapshot.brokers();
    for place in (0..brokers.len()).filter(|it| brokers[*it].standing == Standing::Draining) {
        let led: Vec<usize> =
            planner.state.on(place).filter(|seat| planner.state.seats[*seat].leads()).collect();
        for from in led {
            if let Some(to) = cheapest_heir(planner, from) {
                planner.make(Change::Leader { from, to }, Rule::Drain, None);
            }
        }
    }
}

/// The replica that can lead instead of another one at the lowest cost.
fn cheapest_heir(planner: &Planner<'_>, leader: usize) -> Option<usize> {
    let heirs = planner.state.beside(leader).filter(|seat| *seat != leader);
    let costs = heirs.filter_map(|heir| Some((planner.cost_of_heir(leader, heir)?.0, heir)));
    costs.min().map(|(_, heir)| heir)
}
