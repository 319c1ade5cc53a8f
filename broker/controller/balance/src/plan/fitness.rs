//! Whether a move helps: what it relieves has to outweigh what it does to everything else.
//!
//! The *strain* of a broker is the sum of squares of how far each level is beyond an inner edge.
//! What is too much counts more than what is too little, and leaders count little, because how many
//! partitions a broker leads matters only where nothing else does. Inside the band nothing counts.

use alloc::vec;
use alloc::vec::Vec;

use super::Planner;
use super::verdict::Rule;
use crate::levels::LEVEL;
use crate::resource::{Amounts, PerResource, Resource};

/// How much more an excess counts than a lack.
const EXCESS_WEIGHT: i64 = 16;
/// How much less leaders count than anything else.
const LEADERS_DIVISOR: i64 = 64;
/// The inverse of the part of what is gained that has to be left after all harm.
const LEFT: i64 = 4;

/// The inverse of the part of what is wrong that has to be put right to be worth anything.
const WORTH: i128 = 8;

/// What a move is for: it has to be worth it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purpose {
    pub(super) broker: usize,
    pub(super) wanted: Resource,
    /// How far the broker is from its aim.
    distance: i64,
}

/// The strain of all brokers.
#[derive(Debug, Default)]
pub(super) struct Strain {
    all: i128,
    /// What of it is that somebody has too much.
    excess: i128,
    brokers: Vec<i128>,
    /// From where on a single broker's strain matters: that of one that is just outside its band.
    least: i128,
}

impl Strain {
    /// Whether it is so much less than before that moves are worth it: all of it, or what is too
    /// much, or half of a broker's. Others may be strained by what can't be helped.
    pub(super) fn is_much_less(&self, before: &Self) -> bool {
        let is_less = |after: i128, before: i128| after < before - before / WORTH;
        let is_half = |(after, before): (&i128, &i128)| *before > self.least && after * 2 < *before;
        is_less(self.all, before.all)
            || self.all < before.all
                && (is_less(self.excess, before.excess)
                    || self.brokers.iter().zip(&before.brokers).any(is_half))
    }
}

impl Planner<'_> {
    pub(super) fn purpose(&self, broker: usize, wanted: Resource) -> Purpose {
        Purpose { broker, wanted, distance: self.distance(broker, wanted).abs() }
    }

    /// The strain of all brokers, as far as a rule that is wanted is about it.
    pub(super) fn strain(&self) -> Strain {
        let mut strain = Strain { brokers: vec![0; self.strains.len()], ..Strain::default() };
        let options = &self.ground.options;
        let width = options.band_permille.saturating_sub(options.settle_permille);
        let beyond = i128::from(LEVEL) * i128::from(width) / 1000;
        strain.least = beyond * beyond;
        for broker in self.state.active() {
            for resource in Resource::ALL {
                if !self.is_about(broker, resource) {
                    continue;
                }
                let own = i128::from(self.strains[broker][resource]);
                let load = self.state.load[broker][resource];
                strain.all += own;
                strain.brokers[broker] += own;
                if resource != Resource::Leaders && load > self.aims.of[broker].high.inner[resource]
                {
                    strain.excess += own;
                }
            }
        }
        strain
    }

    /// Whether any rule that is wanted is about what a broker has too much or too little of.
    fn is_about(&self, broker: usize, resource: Resource) -> bool {
        if resource == Resource::Leaders {
            return self.wants(Rule::LeaderSkew);
        }
        self.wants(Rule::Skew)
            || self.wants(Rule::NewBroker)
            || self.wants(Rule::DiskPressure) && self.is_pressed(broker, resource)
    }

    /// Works out anew what is known of a broker that has another load.
    pub(super) fn refresh(&mut self, broker: usize) {
        let load = &self.state.load[broker];
        let strain = Resource::ALL.map(|it| self.strain_of(broker, it, load[it]));
        let squares = Resource::ALL.map(|it| self.square_of(broker, it, load[it]));
        self.strains[broker] = PerResource(strain);
        self.squares[broker] = PerResource(squares);
        self.changed.push(broker);
    }

    /// The strain of one resource.
    fn strain_of(&self, broker: usize, resource: Resource, load: u64) -> i64 {
        let (aim, scale) = (&self.aims.of[broker], self.ground.levels.scale(broker, resource));
        let strain = if load > aim.high.inner[resource] {
            let beyond = scale.level(load) - aim.high.inner_level[resource];
            beyond * beyond * EXCESS_WEIGHT
        } else if load < aim.low.inner[resource] {
            let beyond = aim.low.inner_level[resource] - scale.level(load);
            beyond * beyond
        } else {
            return 0;
        };
        if resource == Resource::Leaders { strain / LEADERS_DIVISOR } else { strain }
    }

    /// By how much the strain of a broker grows when it has another load.
    pub(super) fn strained(&self, broker: usize, after: &Amounts) -> i64 {
        let before = &self.state.load[broker];
        let grown = |it: Resource| {
            let (before, after) = (before[it], after[it]);
            if before == after {
                return 0;
            }
            self.strain_of(broker, it, after) - self.strains[broker][it]
        };
        Resource::ALL.into_iter().map(grown).sum()
    }

    /// Whether a move is worth it that brings two brokers to these loads.
    pub(super) fn is_worth(&self, purpose: Purpose, ends: [(usize, &Amounts); 2]) -> bool {
        let own = ends.iter().find(|(end, _)| *end == purpose.broker);
        let gain = own.map_or(0, |(_, after)| self.gain(purpose, after));
        let strained = || ends.iter().map(|(end, after)| self.strained(*end, after)).sum();
        gain > 0 && outweighs(gain, strained())
    }

    /// By how much the strain falls that a move is for.
    fn gain(&self, purpose: Purpose, after: &Amounts) -> i64 {
        let Purpose { broker, wanted, .. } = purpose;
        self.strains[broker][wanted] - self.strain_of(broker, wanted, after[wanted])
    }

    /// Whether a broker stays below what it is about with such a load, in all that it exceeds.
    pub(super) fn stays_below(&self, purpose: Purpose, broker: usize, after: &Amounts) -> bool {
        let (before, aim) = (&self.state.load[broker], &self.aims.of[broker]);
        Resource::MEASURED.into_iter().all(|it| {
            let most = if it == purpose.wanted { aim.high.inner[it] } else { aim.high.outer[it] };
            let off = || {
                let level = self.ground.levels.level(broker, it, after[it]);
                level - aim.level[it]
            };
            after[it] <= before[it].max(most) || it != purpose.wanted && off() <= purpose.distance
        })
    }

    /// Whether a disk is so full that its band isn't waited for.
    pub(super) fn is_pressed(&self, broker: usize, resource: Resource) -> bool {
        if resource != Resource::DiskBytes {
            return false;
        }
        let (load, capacity) = (self.state.load[broker][resource], self.state.capacity[broker]);
        let part = u128::from(self.ground.options.disk_pressure_permille);
        capacity[resource] != u64::MAX
            && u128::from(load) * 1000 > u128::from(capacity[resource]) * part
    }

    /// The most of a resource that any other broker takes.
    pub(super) fn room(&self, from: usize, resource: Resource) -> u64 {
        let others = self.state.active().filter(|broker| *broker != from);
        let room = others.map(|broker| {
            let most = self.aims.of[broker].high.inner[resource];
            most.saturating_sub(self.state.load[broker][resource])
        });
        room.max().unwrap_or(0)
    }

    /// Whether a broker may give away so much for a purpose.
    pub(super) fn spares(&self, broker: usize, less: &Amounts, wanted: Resource) -> bool {
        let low = self.aims.of[broker].low.inner[wanted];
        less[wanted] > 0 && self.state.load[broker][wanted] - less[wanted] >= low
    }

    /// Whether a replica may go from one broker to another for a purpose.
    pub(super) fn suits(&self, purpose: Purpose, load: &Amounts, from: usize, to: usize) -> bool {
        let (mut left, mut more) = (self.state.load[from], self.state.load[to]);
        left.remove(load);
        more.add(load);
        self.stays_below(purpose, to, &more) && self.is_worth(purpose, [(from, &left), (to, &more)])
    }

    /// What it costs a broker to have a replica more.
    pub(super) fn cost_with(&self, broker: usize, more: &Amounts) -> i64 {
        let mut after = self.state.load[broker];
        after.add(more);
        self.cost(broker, &after)
    }

    /// What it costs a broker to have a replica less.
    pub(super) fn cost_without(&self, broker: usize, less: &Amounts) -> i64 {
        let mut after = self.state.load[broker];
        after.remove(less);
        self.cost(broker, &after)
    }

    /// The broker that takes a replica at the lowest cost, if that is worth it to who has it.
    ///
    /// - `may`: whether a broker may be asked.
    pub(super) fn best_receiver(
        &mut self,
        seat: usize,
        purpose: Purpose,
        may: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let (from, load) = (self.state.seats[seat].broker(), self.state.seats[seat].load());
        let mut left = self.state.load[from];
        left.remove(&load);
        let (gain, relief) = (self.gain(purpose, &left), self.strained(from, &left));
        if gain <= 0 {
            return None;
        }
        self.best_host(seat, |planner, to| {
            let mut more = planner.state.load[to];
            more.add(&load);
            let suits = may(to)
                && planner.stays_below(purpose, to, &more)
                && outweighs(gain, relief + planner.strained(to, &more));
            suits.then(|| planner.cost(to, &more))
        })
    }

    /// Of the brokers that may take a seat by all hard rules the one at the lowest cost.
    ///
    /// - `cost`: what it costs a broker to take it; `None` where it isn't to.
    pub(super) fn best_host(
        &mut self,
        seat: usize,
        cost: impl Fn(&Self, usize) -> Option<i64>,
    ) -> Option<usize> {
        let mut hosts = core::mem::take(&mut self.hosts);
        hosts.clear();
        self.state.hosts(seat, |_, broker| hosts.push(broker));
        let able = hosts.iter().filter_map(|broker| Some((cost(self, *broker)?, *broker)));
        let best = able.min();
        self.hosts = hosts;
        best.map(|(_, broker)| broker)
    }
}

/// Whether a gain is worth how the strain of all grows with it.
fn outweighs(gain: i64, strained: i64) -> bool {
    strained <= -(gain / LEFT) && strained < 0
}
