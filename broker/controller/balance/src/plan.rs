//! What is to move, and why.
//!
//! ```text
//!  snapshot ─▶ aims ─▶ duties: lost, racks, capacity, drained ─▶ the worst broker first ─▶ chains
//!               ▲                                                                           │
//!               └──────────────────────────── while anything moves ─────────────────────────┘
//!           ─▶ what is different in the end ─▶ the same moves, told one after the other
//! ```
//!
//! Duties are done wherever a hard rule lets them. Beyond them something moves only for a broker
//! that is outside its band, and only where it brings no other outside. Of all moves that do, the
//! worst broker's is taken first, and of its replicas those that relieve it of the most for each
//! byte that is copied. What takes away less than an eighth of what is wrong isn't worth it.
//!
//! Must always hold: the same snapshot gives the same plan; no move breaks a hard rule in the end,
//! and none needs room that only a later one makes; every move is for a rule that is wanted; with
//! what the plan makes of a snapshot, there is nothing to plan.

mod candidates;
mod chain;
mod desk;
mod difference;
mod duty;
mod fitness;
mod leadership;
mod order;
mod story;
mod verdict;

pub use verdict::{
    Alternative, ManualError, ManualMove, Move, MoveKind, Obstacle, Plan, Refusal, Rule,
    TurnedDown, Unmet, Worst,
};

use alloc::vec;
use alloc::vec::Vec;

use crate::aims::Aims;
use crate::demand::Demand;
use crate::levels::Levels;
use crate::options::Options;
use crate::racks::Racks;
use crate::resource::{Amounts, PerResource, Resource};
use crate::snapshot::Snapshot;
use crate::state::{Change, State};

/// How often everything is looked at anew, until that isn't worth it any more: two or three rounds
/// are usual.
const ROUNDS_MAX: usize = 16;
/// What doesn't change while a plan is made.
pub(crate) struct Ground<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) demand: Demand,
    pub(crate) racks: Racks,
    pub(crate) levels: Levels,
    pub(crate) options: Options,
}

impl<'a> Ground<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, options: &Options) -> Self {
        let demand = Demand::of(snapshot, options.rules);
        let racks = Racks::new(snapshot.brokers());
        let total = demand.placeable(racks.active.iter().sum());
        let levels = Levels::new(snapshot.brokers(), &total);
        Self { snapshot, demand, racks, levels, options: *options }
    }

    /// Aims for brokers that keep their largest replicas.
    pub(crate) fn aims(&self, state: &State<'_>) -> Aims {
        let largest = |broker| {
            let mut largest = Amounts::default();
            for seat in state.on(broker) {
                for (most, own) in largest.0.iter_mut().zip(state.seats[seat].load().0) {
                    *most = own.max(*most);
                }
            }
            largest
        };
        let largest: Vec<Amounts> = (0..self.snapshot.brokers().len()).map(largest).collect();
        self.aims_with(Some(&largest))
    }

    pub(crate) fn aims_with(&self, largest: Option<&[Amounts]>) -> Aims {
        let brokers = self.snapshot.brokers();
        Aims::new(brokers, &self.demand, &self.racks, &self.levels, largest, &self.options)
    }
}

/// A change with its reason.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) change: Change,
    pub(crate) rule: Rule,
    pub(crate) resource: Option<Resource>,
    /// Whether it is worth it only together with the one before.
    pub(crate) is_more: bool,
}

/// A plan that is being made.
pub(crate) struct Planner<'a> {
    pub(crate) ground: &'a Ground<'a>,
    pub(crate) state: State<'a>,
    pub(crate) aims: Aims,
    pub(crate) steps: Vec<Step>,
    pub(crate) unmet: Vec<Unmet>,
    /// Steps of the search for chains that may still be taken.
    search_steps: u64,
    /// By broker, how far it is outside its band: see `fitness`.
    strains: Vec<PerResource<i64>>,
    /// By broker, the square of how far each level is from its aim.
    squares: Vec<PerResource<i64>>,
    /// Brokers that have another load than when somebody last asked.
    changed: Vec<usize>,
    /// Memory that is used again for the hosts of one replica.
    hosts: Vec<usize>,
}

impl<'a> Planner<'a> {
    fn new(ground: &'a Ground<'a>) -> Self {
        let state = State::new(ground.snapshot, &ground.racks);
        let aims = ground.aims(&state);
        let mut planner = Self {
            ground,
            strains: vec![PerResource::default(); state.load.len()],
            squares: vec![PerResource::default(); state.load.len()],
            state,
            aims,
            steps: Vec::new(),
            unmet: Vec::new(),
            search_steps: ground.options.search_steps,
            changed: Vec::new(),
            hosts: Vec::new(),
        };
        planner.refresh_all();
        planner
    }

    fn refresh_all(&mut self) {
        (0..self.strains.len()).for_each(|broker| self.refresh(broker));
    }

    /// Looks at everything as if the plan began here. Answers whether anything moved;
    /// what isn't worth it is taken back.
    fn round(&mut self) -> bool {
        let begun = self.steps.len();
        if begun > 0 {
            self.state.begin_here();
            self.aims = self.ground.aims(&self.state);
            self.refresh_all();
            self.search_steps = self.ground.options.search_steps;
            self.unmet.clear();
        }
        duty::fulfil(self);
        let (duties, strain) = (self.steps.len(), self.strain());
        desk::settle(self);
        if !self.strain().is_much_less(&strain) {
            for step in self.steps.split_off(duties).into_iter().rev() {
                self.change(step.change.back());
            }
        }
        self.steps.len() > begun
    }

    /// Whether anything may be moved for a rule.
    fn wants(&self, rule: Rule) -> bool {
        self.ground.options.rules.has(rule)
    }

    pub(crate) fn make(&mut self, change: Change, rule: Rule, resource: Option<Resource>) {
        self.change(change);
        self.steps.push(Step { change, rule, resource, is_more: false });
    }

    /// Makes a change without giving a reason.
    pub(crate) fn change(&mut self, change: Change) {
        self.state.make(change);
        for broker in self.state.ends(change) {
            self.refresh(broker);
        }
    }

    /// What it costs a broker to have another load: the growth of the sum of squares of how far
    /// each level is from its aim.
    pub(crate) fn cost(&self, broker: usize, after: &Amounts) -> i64 {
        let before = &self.state.load[broker];
        let grown = |it: Resource| {
            if before[it] == after[it] {
                return 0;
            }
            self.square_of(broker, it, after[it]) - self.squares[broker][it]
        };
        Resource::ALL.into_iter().map(grown).sum()
    }

    fn square_of(&self, broker: usize, resource: Resource, load: u64) -> i64 {
        let level = self.ground.levels.level(broker, resource, load);
        let distance = level - self.aims.of[broker].level[resource];
        distance * distance
    }

    /// How far above its aim a broker is; negative below it.
    pub(crate) fn distance(&self, broker: usize, resource: Resource) -> i64 {
        let load = self.state.load[broker][resource];
        self.ground.levels.level(broker, resource, load) - self.aims.of[broker].level[resource]
    }
}

/// What is to move in a cluster.
#[must_use]
pub fn plan(snapshot: &Snapshot, options: &Options) -> Plan {
    let ground = Ground::new(snapshot, options);
    let mut planner = Planner::new(&ground);
    for _ in 0..ROUNDS_MAX {
        if !planner.round() {
            break;
        }
    }
    let Planner { steps, unmet, state, .. } = planner;
    story::tell(&ground, state, &steps, unmet)
}

/// The plan of moves that an operator asks for, and of no others.
///
/// # Errors
/// The first that can't be made, and the rule that it would break.
pub fn plan_manual(
    snapshot: &Snapshot,
    moves: &[ManualMove],
    options: &Options,
) -> Result<Plan, ManualError> {
    let ground = Ground::new(snapshot, options);
    let mut planner = Planner::new(&ground);
    for wanted in moves {
        duty::obey(&mut planner, wanted)?;
    }
    let Planner { steps, state, .. } = planner;
    Ok(story::tell(&ground, state, &steps, Vec::new()))
}
