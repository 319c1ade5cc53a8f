//! Brings brokers back into their bands: the worst one first, by the move that fits.
//!
//! Every broker, resource and side of the band is a *case*. Cases outside the band are open; one
//! that is begun stays so until the broker is inside the inner edge. Bytes on disk come before what
//! else a broker has too much or too little of, because those bytes move anyway.
//!
//! Must always hold: a move brings its receiver beyond no inner edge, but for what is counted, and
//! its giver below no outer one, unless that is much the lesser evil. What is counted is put right
//! later, with replicas that have next to nothing else.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::candidates::{Candidates, Cursor, Offer};
use super::fitness::Purpose;
use super::verdict::Rule;
use super::{Planner, chain};
use crate::resource::{PerResource, Resource};
use crate::state::Change;

/// How many replicas are looked at with all brokers in one attempt.
const TRIES_MAX: usize = 32;
/// How many replicas are looked at at all to relieve a broker, and to fill one.
const RELIEF_LOOKS_MAX: usize = 1024;
const FILL_LOOKS_MAX: usize = 512;
/// How often everything is gone through from the beginning.
const SWEEPS_MAX: usize = 4;
/// The most chains of one round: behind each comes what it makes possible.
const CHAINS_MAX: usize = 32;
/// A broker with less than this part of its aim is new, in hundredths.
const NEW_PERCENT: u64 = 50;

/// A side of the band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    High,
    Low,
}

/// A broker that has too much or too little of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Case {
    broker: usize,
    resource: Resource,
    side: Side,
}

/// How it stands with one case.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    is_begun: bool,
    is_given_up: bool,
    has_searched: bool,
}

/// Replicas that can lead or can stop leading, when they were asked for, and how far they were gone
/// through.
type Transfers = Option<(Candidates, Cursor)>;

/// All cases, and how far the candidates were gone through.
struct Desk {
    progress: Vec<PerResource<[Progress; 2]>>,
    /// What a broker can give, sorted when it is first asked for.
    candidates: Vec<PerResource<Option<Candidates>>>,
    /// How far they were gone through for the broker itself.
    relief: Vec<PerResource<Cursor>>,
    /// For a broker that is being filled: by giver, how far its candidates were gone through.
    offers: Vec<PerResource<Vec<Cursor>>>,
    /// The leaders on a broker, and the followers on it, and how far they were gone through.
    transfers: Vec<PerResource<[Transfers; 2]>>,
    is_new: Vec<bool>,
    /// By broker, its open case that is the furthest from its aim, and how far.
    furthest: Vec<Option<(i64, Case)>>,
    /// Memory that is used again.
    window: Vec<Offer>,
}

/// Brings into their bands all that can be: by single moves as long as they help much, then by
/// chains.
pub(super) fn settle(planner: &mut Planner<'_>) {
    let mut desk = Desk::new(planner);
    planner.refresh_all();
    for _ in 0..SWEEPS_MAX {
        let begun = planner.strain();
        desk.sweep(planner);
        if !planner.strain().is_much_less(&begun) {
            break;
        }
        desk.begin_again();
        planner.refresh_all();
    }
    for _ in 0..CHAINS_MAX {
        if !desk.search(planner) {
            break;
        }
        desk.sweep(planner);
    }
}

impl Desk {
    fn new(planner: &Planner<'_>) -> Self {
        let brokers = planner.state.load.len();
        let is_new = |broker: usize| {
            let (load, aim) = (&planner.state.load[broker], &planner.aims.of[broker].load);
            Resource::MEASURED.into_iter().all(|it| load[it] * 100 <= aim[it] * NEW_PERCENT)
        };
        Self::of((0..brokers).map(is_new).collect())
    }

    fn of(is_new: Vec<bool>) -> Self {
        let brokers = is_new.len();
        Self {
            progress: vec![PerResource::default(); brokers],
            candidates: (0..brokers).map(|_| PerResource::default()).collect(),
            relief: vec![PerResource::default(); brokers],
            offers: vec![PerResource::default(); brokers],
            transfers: (0..brokers).map(|_| PerResource::default()).collect(),
            is_new,
            furthest: vec![None; brokers],
            window: Vec::new(),
        }
    }

    /// Serves all cases until they are closed or given up.
    fn sweep(&mut self, planner: &mut Planner<'_>) {
        while let Some(case) = self.worst(planner) {
            if !self.serve(planner, case) {
                self.progress_mut(case).is_given_up = true;
                planner.changed.push(case.broker);
            }
        }
    }

    /// Forgets what was given up; what was begun stays so.
    fn begin_again(&mut self) {
        let is_new = core::mem::take(&mut self.is_new);
        let mut progress = core::mem::take(&mut self.progress);
        for case in progress.iter_mut().flat_map(|it| it.0.iter_mut().flatten()) {
            *case = Progress { is_begun: case.is_begun, ..Progress::default() };
        }
        *self = Self { progress, ..Self::of(is_new) };
    }

    fn progress_mut(&mut self, case: Case) -> &mut Progress {
        &mut self.progress[case.broker][case.resource][case.side as usize]
    }

    /// The open case that is the furthest from its aim; if bytes on disk are open on the same side,
    /// they come first.
    fn worst(&mut self, planner: &mut Planner<'_>) -> Option<Case> {
        let worst = self.furthest(planner)?;
        let disk = Case { resource: Resource::DiskBytes, ..worst };
        Some(if self.is_open(planner, disk) { disk } else { worst })
    }

    fn furthest(&mut self, planner: &mut Planner<'_>) -> Option<Case> {
        while let Some(broker) = planner.changed.pop() {
            self.furthest[broker] = self.furthest_of(planner, broker);
        }
        let known = self.furthest.iter().flatten();
        let furthest = known.max_by_key(|(distance, case)| (*distance, Reverse(case.broker)));
        furthest.map(|(_, case)| *case)
    }

    fn furthest_of(&mut self, planner: &Planner<'_>, broker: usize) -> Option<(i64, Case)> {
        if !planner.state.is_active[broker] {
            return None;
        }
        let mut furthest: Option<(i64, Case)> = None;
        for resource in Resource::ALL {
            for side in [Side::High, Side::Low] {
                let case = Case { broker, resource, side };
                if self.is_open(planner, case) {
                    let distance = planner.distance(broker, resource).abs();
                    if furthest.is_none_or(|(most, _)| distance > most) {
                        furthest = Some((distance, case));
                    }
                }
            }
        }
        furthest
    }

    fn is_open(&mut self, planner: &Planner<'_>, case: Case) -> bool {
        if !self.is_wanted(planner, case) {
            return false;
        }
        let Case { broker, resource, side } = case;
        let (load, aim) = (planner.state.load[broker][resource], &planner.aims.of[broker]);
        let (is_out, is_in) = match side {
            Side::High => (load > aim.high.outer[resource], load <= aim.high.inner[resource]),
            Side::Low => (load < aim.low.outer[resource], load >= aim.low.inner[resource]),
        };
        let is_pressed = side == Side::High && planner.is_pressed(broker, resource);
        let progress = self.progress_mut(case);
        progress.is_begun = !is_in && (progress.is_begun || is_out || is_pressed);
        progress.is_begun && !progress.is_given_up
    }

    /// Whether there is a rule that something may be moved for.
    fn is_wanted(&self, planner: &Planner<'_>, case: Case) -> bool {
        let Case { broker, resource, side } = case;
        if resource == Resource::Leaders {
            return planner.wants(Rule::LeaderSkew);
        }
        let is_for_new = || match side {
            Side::High => self.is_new.contains(&true),
            Side::Low => self.is_new[broker],
        };
        let is_pressed = || side == Side::High && planner.is_pressed(broker, resource);
        planner.wants(Rule::Skew)
            || planner.wants(Rule::NewBroker) && is_for_new()
            || planner.wants(Rule::DiskPressure) && is_pressed()
    }

    /// Makes one move for a case. Answers whether there is one.
    fn serve(&mut self, planner: &mut Planner<'_>, case: Case) -> bool {
        let Case { broker, resource, side } = case;
        let may_lead = resource.goes_with_leadership() && planner.wants(rule_of_leaders(resource));
        if may_lead && self.serve_by_leader(planner, case) {
            return true;
        }
        if resource == Resource::Leaders {
            return false;
        }
        match side {
            Side::High => self.relieve(planner, broker, resource),
            Side::Low => self.fill(planner, broker, resource),
        }
    }

    /// Looks for chains of moves for the cases that were given up, the worst first. Answers whether
    /// one was found; then all cases of the brokers that it touches are open again.
    fn search(&mut self, planner: &mut Planner<'_>) -> bool {
        loop {
            let cases = planner.state.active().flat_map(|broker| {
                let cases = Resource::MEASURED.into_iter();
                cases.map(move |resource| Case { broker, resource, side: Side::High })
            });
            let stuck = cases.filter(|case| {
                let progress = &self.progress[case.broker][case.resource][Side::High as usize];
                progress.is_begun && progress.is_given_up && !progress.has_searched
            });
            let Some(case) =
                stuck.max_by_key(|it| (planner.distance(it.broker, it.resource), it.broker))
            else {
                return false;
            };
            let Case { broker, resource, .. } = case;
            let rule = rule(planner, &self.is_new, (broker, broker), resource);
            let found = rule.and_then(|rule| {
                let may_fill = planner.wants(Rule::NewBroker) || rule == Rule::DiskPressure;
                let barred: Vec<bool> = self.is_new.iter().map(|new| *new && !may_fill).collect();
                chain::find(planner, (broker, resource), rule, &barred)
            });
            if let Some(touched) = found {
                touched.iter().for_each(|broker| self.open_again(*broker));
                planner.changed.extend(touched);
                return true;
            }
            self.progress_mut(case).has_searched = true;
        }
    }

    fn open_again(&mut self, broker: usize) {
        for progress in self.progress[broker].0.iter_mut().flatten() {
            progress.is_given_up = false;
            progress.has_searched = false;
        }
        self.relief[broker] = PerResource::default();
        self.transfers[broker] = PerResource::default();
        self.offers[broker] = PerResource::default();
        let offers = self.offers.iter_mut().flat_map(|offers| &mut offers.0);
        offers.filter(|it| !it.is_empty()).for_each(|it| it[broker] = Cursor::default());
    }

    fn make(&mut self, planner: &mut Planner<'_>, seat: usize, to: usize, resource: Resource) {
        let from = planner.state.seats[seat].broker();
        let rule = rule(planner, &self.is_new, (from, to), resource);
        let rule = rule.expect("only brokers between which something may move were asked");
        planner.make(Change::Seat { seat, from, to }, rule, Some(resource));
    }

    /// Moves one replica away from a broker.
    fn relieve(&mut self, planner: &mut Planner<'_>, from: usize, resource: Resource) -> bool {
        let (room, purpose) = (planner.room(from, resource), planner.purpose(from, resource));
        let list = self.candidates[from][resource]
            .get_or_insert_with(|| Candidates::of(planner, from, resource));
        let cursor = &mut self.relief[from][resource];
        let (mut tries, mut looks) = (0, RELIEF_LOOKS_MAX);
        let is_new = &self.is_new;
        let [may_old, may_new] =
            [false, true].map(|to_new| rule_between(planner, to_new, from, resource).is_some());
        let may = |to: usize| if is_new[to] { may_new } else { may_old };
        while tries < TRIES_MAX {
            list.window(cursor, &mut looks, &mut self.window, |seat| {
                let own = &planner.state.seats[seat];
                let may_go = own.broker() == from
                    && own.load()[resource] <= room
                    && planner.spares(from, &own.load(), resource);
                may_go.then(|| (planner.cost_without(from, &own.load()), own.bytes()))
            });
            if self.window.is_empty() {
                return false;
            }
            for offer in &self.window {
                if let Some(to) = planner.best_receiver(offer.seat, purpose, may) {
                    cursor.has_given = true;
                    let seat = offer.seat;
                    self.make(planner, seat, to, resource);
                    return true;
                }
            }
            tries += self.window.len();
        }
        false
    }

    /// Moves one replica to a broker, from whoever has the most.
    fn fill(&mut self, planner: &mut Planner<'_>, to: usize, resource: Resource) -> bool {
        if self.offers[to][resource].is_empty() {
            self.offers[to][resource] = vec![Cursor::default(); planner.state.load.len()];
        }
        let mut looks = FILL_LOOKS_MAX;
        while looks > 0 {
            let Some(from) = self.giver(planner, to, resource) else { return false };
            if let Some(seat) = self.offered(planner, (from, to), resource, &mut looks) {
                self.make(planner, seat, to, resource);
                return true;
            }
        }
        false
    }

    /// The best of the next replicas that one broker can give to another.
    fn offered(
        &mut self,
        planner: &mut Planner<'_>,
        (from, to): (usize, usize),
        resource: Resource,
        looks: &mut usize,
    ) -> Option<usize> {
        let list = self.candidates[from][resource]
            .get_or_insert_with(|| Candidates::of(planner, from, resource));
        let cursor = &mut self.offers[to][resource][from];
        let purpose = planner.purpose(to, resource);
        list.window(cursor, looks, &mut self.window, |seat| {
            let own = &planner.state.seats[seat];
            let may_come = own.broker() == from
                && planner.spares(from, &own.load(), resource)
                && planner.suits(purpose, &own.load(), from, to);
            may_come.then(|| {
                let cost =
                    planner.cost_without(from, &own.load()) + planner.cost_with(to, &own.load());
                (cost, own.bytes())
            })
        });
        let found = self.window.iter().find(|offer| planner.state.is_host(offer.seat, to))?;
        cursor.has_given = true;
        Some(found.seat)
    }

    /// Who has the most of what another needs, and candidates left that weren't offered.
    fn giver(&self, planner: &Planner<'_>, to: usize, resource: Resource) -> Option<usize> {
        let offers = &self.offers[to][resource];
        let givers = planner.state.active().filter(|from| {
            let load = planner.state.load[*from][resource];
            let is_able = load > planner.aims.of[*from].low.inner[resource];
            let may = || rule(planner, &self.is_new, (*from, to), resource).is_some();
            *from != to && is_able && !offers[*from].is_over && may()
        });
        givers.max_by_key(|from| (planner.distance(*from, resource), Reverse(*from)))
    }

    /// Moves leadership from or to a broker.
    fn serve_by_leader(&mut self, planner: &mut Planner<'_>, case: Case) -> bool {
        let Case { broker, resource, side } = case;
        let purpose = planner.purpose(broker, resource);
        let (list, cursor) =
            self.transfers[broker][resource][side as usize].get_or_insert_with(|| {
                let list = Candidates::for_transfers(planner, broker, resource, side == Side::High);
                (list, Cursor::default())
            });
        for _ in 0..FILL_LOOKS_MAX {
            let Some(seat) = list.next(cursor) else { return false };
            let own = &planner.state.seats[seat];
            if own.broker() != broker || own.leads() != (side == Side::High) {
                continue;
            }
            let found = match side {
                Side::High => heir(planner, seat, purpose),
                Side::Low => predecessor(planner, seat, purpose),
            };
            let Some((from, to)) = found else { continue };
            planner.make(Change::Leader { from, to }, rule_of_leaders(resource), Some(resource));
            return true;
        }
        false
    }
}

/// Why a replica may move from one broker to another, or as a part of a chain from one broker to
/// itself; `None` where no rule is wanted that says so.
fn rule(
    planner: &Planner<'_>,
    is_new: &[bool],
    (from, to): (usize, usize),
    resource: Resource,
) -> Option<Rule> {
    rule_between(planner, from != to && is_new[to], from, resource)
}

fn rule_between(
    planner: &Planner<'_>,
    to_new: bool,
    from: usize,
    resource: Resource,
) -> Option<Rule> {
    if to_new && planner.wants(Rule::NewBroker) {
        return Some(Rule::NewBroker);
    }
    if planner.wants(Rule::DiskPressure) && planner.is_pressed(from, resource) {
        return Some(Rule::DiskPressure);
    }
    (!to_new && planner.wants(Rule::Skew)).then_some(Rule::Skew)
}

/// Why leadership moves alone.
fn rule_of_leaders(resource: Resource) -> Rule {
    if resource == Resource::Leaders { Rule::LeaderSkew } else { Rule::Skew }
}

/// Who takes over from a leader at the lowest cost, disturbing nobody.
fn heir(planner: &Planner<'_>, leader: usize, purpose: Purpose) -> Option<(usize, usize)> {
    let heirs = planner.state.beside(leader).filter(|seat| *seat != leader);
    let calm = heirs.filter_map(|heir| {
        let (cost, transfer) = planner.cost_of_heir(leader, heir)?;
        let is_good =
            planner.relieves(&transfer, purpose.wanted) && planner.is_calm(&transfer, purpose);
        is_good.then_some((cost, heir))
    });
    calm.min().map(|(_, heir)| (leader, heir))
}

/// From whom a follower takes over, if that disturbs nobody.
fn predecessor(planner: &Planner<'_>, heir: usize, purpose: Purpose) -> Option<(usize, usize)> {
    let leader = planner.state.leader_of(planner.state.seats[heir].partition())?;
    let transfer = planner.transfer(leader, heir)?;
    let is_good = planner.fills(&transfer, purpose.wanted) && planner.is_calm(&transfer, purpose);
    is_good.then_some((leader, heir))
}
