//! Moves that help only together: one broker's replica goes to a second, one of the second's to a
//! third or back, and so on; leadership likewise.
//!
//! It is a search in depth, of the most promising changes only, and takes a bounded number of steps
//! in a plan, so that it is thorough in small clusters and brief in large ones.
//!
//! Must always hold: a chain that was found leaves no broker that it touches as high as the first
//! one was; one that wasn't leaves all as it was.

use alloc::vec::Vec;

use super::verdict::Rule;
use super::{Planner, Step};
use crate::resource::{Amounts, Resource};
use crate::state::Change;

/// The most changes of a chain.
const LENGTH_MAX: usize = 4;
/// The most replicas of a broker that are tried in one place of a chain: those that take about as
/// much as is too much, and the largest.
const SEATS_NEAREST: usize = 32;
const SEATS_LARGEST: usize = 16;
/// The most changes that are followed in one place of a chain.
const BRANCHES_MAX: usize = 12;
/// Which parts of an excess are tried to be taken away: a whole, a half, an eighth.
const PARTS: [i64; 3] = [1, 2, 8];
/// The part of all steps that one attempt may take.
const ATTEMPT_SHARE: u64 = 16;

/// A change that is tried, with the worst level of the two brokers behind it.
type Scored = (i64, u64, Change);

/// Makes a chain of changes that relieves a broker. Answers which brokers it touches, if there is
/// one.
///
/// - `barred`: by broker, whether no replica may come to it.
pub(super) fn find(
    planner: &mut Planner<'_>,
    (broker, resource): (usize, Resource),
    rule: Rule,
    barred: &[bool],
) -> Option<Vec<usize>> {
    let levels = &planner.ground.levels;
    let level = levels.level(broker, resource, planner.state.load[broker][resource]);
    let edge = planner.aims.of[broker].high.inner[resource];
    let excess = level - levels.level(broker, resource, edge);
    for length in 1..=LENGTH_MAX {
        for part in PARTS {
            let limit = level - excess / part;
            let allowed =
                planner.search_steps.min(planner.ground.options.search_steps / ATTEMPT_SHARE);
            let mut search = Search {
                limit: limit.min(level - 1),
                allowed,
                touched: Vec::from([broker]),
                made: Vec::new(),
                begun: (broker, resource),
                barred,
            };
            let is_found = search.follow(planner, length);
            planner.search_steps -= allowed - search.allowed;
            if is_found {
                let steps = search.made.into_iter().enumerate().map(|(place, change)| {
                    let (resource, is_more) = (Some(resource), place > 0);
                    Step { change, rule, resource, is_more }
                });
                planner.steps.extend(steps);
                return Some(search.touched);
            }
        }
    }
    None
}

struct Search<'a> {
    /// The level that all that are touched have to get below, unless they are within their bands.
    limit: i64,
    /// Steps that may still be taken.
    allowed: u64,
    touched: Vec<usize>,
    made: Vec<Change>,
    /// The case that it is about.
    begun: (usize, Resource),
    barred: &'a [bool],
}

impl Search<'_> {
    /// Brings everybody that was touched below the limit with at most so many changes.
    fn follow(&mut self, planner: &mut Planner<'_>, length: usize) -> bool {
        let Some((broker, resource)) = self.worst(planner) else { return true };
        if length == 0 || self.allowed == 0 {
            return false;
        }
        for (_, _, change) in self.changes(planner, (broker, resource), length) {
            let other = receiver(planner, change);
            planner.change(change);
            self.touched.push(other);
            self.made.push(change);
            if self.follow(planner, length - 1) {
                return true;
            }
            self.made.pop();
            self.touched.pop();
            planner.change(change.back());
        }
        false
    }

    /// Who of those that were touched is above the limit and the highest, and in what.
    fn worst(&self, planner: &Planner<'_>) -> Option<(usize, Resource)> {
        let levels = self.touched.iter().flat_map(|broker| {
            let load = &planner.state.load[*broker];
            Resource::MEASURED.map(|it| (planner.level_above(*broker, it, load[it]), *broker, it))
        });
        let begun = |broker: usize, resource: Resource| (broker, resource) == self.begun;
        levels
            .filter(|(level, _, _)| *level > self.limit)
            .max_by_key(|(level, broker, resource)| (*level, begun(*broker, *resource)))
            .map(|(_, broker, resource)| (broker, resource))
    }

    /// The most promising changes that take enough of a resource from a broker, if it takes so many
    /// to bring it below the limit.
    fn changes(
        &mut self,
        planner: &mut Planner<'_>,
        (broker, resource): (usize, Resource),
        length: usize,
    ) -> Vec<Scored> {
        let scale = planner.ground.levels.scale(broker, resource);
        let load = planner.state.load[broker][resource];
        let enough = (scale.level(load) - self.limit) / i64::try_from(length).unwrap_or(1);
        let mut scored = Vec::new();
        for seat in promising(planner, broker, resource, enough) {
            self.moves(planner, seat, &mut scored);
            if resource.goes_with_leadership() && planner.state.seats[seat].leads() {
                self.transfers(planner, seat, resource, &mut scored);
            }
        }
        scored.sort_by_key(|(level, bytes, _)| (*level, *bytes));
        scored.truncate(BRANCHES_MAX);
        scored
    }

    fn moves(&mut self, planner: &mut Planner<'_>, seat: usize, scored: &mut Vec<Scored>) {
        let Planner { state, aims, ground, .. } = planner;
        let (from, load) = (state.seats[seat].broker(), state.seats[seat].load());
        let bytes = state.seats[seat].bytes();
        let mut left = state.load[from];
        left.remove(&load);
        let view = View { aims, ground };
        let left = view.highest(from, &left);
        let (allowed, barred) = (&mut self.allowed, self.barred);
        state.hosts(seat, |state, to| {
            if barred[to] {
                return;
            }
            *allowed = allowed.saturating_sub(1);
            let mut after = state.load[to];
            after.add(&load);
            let level = left.max(view.highest(to, &after));
            scored.push((level, bytes, Change::Seat { seat, from, to }));
        });
    }

    fn transfers(
        &mut self,
        planner: &Planner<'_>,
        leader: usize,
        resource: Resource,
        scored: &mut Vec<Scored>,
    ) {
        let view = View { aims: &planner.aims, ground: planner.ground };
        for heir in planner.state.beside(leader).filter(|seat| *seat != leader) {
            let Some(transfer) = planner.transfer(leader, heir) else { continue };
            if transfer.takes(planner, resource) {
                self.allowed = self.allowed.saturating_sub(1);
                let [from, to] = transfer.after();
                let level = view.highest(from.0, from.1).max(view.highest(to.0, to.1));
                scored.push((level, 0, Change::Leader { from: leader, to: heir }));
            }
        }
    }
}

/// Which broker has more after a change that isn't made yet.
fn receiver(planner: &Planner<'_>, change: Change) -> usize {
    match change {
        Change::Seat { to, .. } => to,
        Change::Leader { to, .. } => planner.state.seats[to].broker(),
    }
}

/// The replicas of a broker that are worth a try.
///
/// - `enough`: the level that they have to take at least.
fn promising(planner: &Planner<'_>, broker: usize, resource: Resource, enough: i64) -> Vec<usize> {
    let scale = planner.ground.levels.scale(broker, resource);
    let (state, aim) = (&planner.state, &planner.aims.of[broker]);
    let excess = state.load[broker][resource].saturating_sub(aim.load[resource]);
    let mut seats: Vec<(u64, usize)> = state
        .on(broker)
        .map(|seat| (state.seats[seat].load()[resource], seat))
        .filter(|(load, _)| *load > 0 && scale.level(*load) >= enough)
        .collect();
    let by_load = |one: &(u64, usize), other: &(u64, usize)| other.cmp(one);
    if seats.len() > SEATS_LARGEST {
        seats.select_nth_unstable_by(SEATS_LARGEST, by_load);
        let others = &mut seats[SEATS_LARGEST..];
        if others.len() > SEATS_NEAREST {
            others.select_nth_unstable_by_key(SEATS_NEAREST, |(load, seat)| {
                (load.abs_diff(excess), *seat)
            });
            seats.truncate(SEATS_LARGEST + SEATS_NEAREST);
        }
    }
    seats.sort_unstable_by(by_load);
    seats.into_iter().map(|(_, seat)| seat).collect()
}

/// What levels are looked up in.
#[derive(Clone, Copy)]
struct View<'a> {
    aims: &'a crate::aims::Aims,
    ground: &'a super::Ground<'a>,
}

impl View<'_> {
    /// A level, 0 where it is within the band.
    fn above(self, broker: usize, resource: Resource, load: u64) -> i64 {
        if load <= self.aims.of[broker].high.inner[resource] {
            return 0;
        }
        self.ground.levels.level(broker, resource, load)
    }

    /// The highest level outside the band.
    fn highest(self, broker: usize, load: &Amounts) -> i64 {
        let levels = Resource::MEASURED.map(|it| self.above(broker, it, load[it]));
        levels.into_iter().max().unwrap_or(0)
    }
}

impl Planner<'_> {
    fn level_above(&self, broker: usize, resource: Resource, load: u64) -> i64 {
        View { aims: &self.aims, ground: self.ground }.above(broker, resource, load)
    }
}
