//! What goes wrong, with whom, and for how long: all of it follows from the seed.

use std::fmt;
use std::time::Duration;

use logboom_tests::random::Random;

use super::BROKERS;

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Kill,
    KillAll,
    Restart,
    Pause,
    CutOff,
    Deaf,
    Mute,
    Loss,
    Rate,
    Delay,
    FullDisk,
    SlowDisk,
    FailingDisk,
    FailingWrites,
    FailingReads,
    Clock,
    Move,
}

impl Fault {
    pub(super) const ALL: [Self; 17] = [
        Self::Kill,
        Self::KillAll,
        Self::Restart,
        Self::Pause,
        Self::CutOff,
        Self::Deaf,
        Self::Mute,
        Self::Loss,
        Self::Rate,
        Self::Delay,
        Self::FullDisk,
        Self::SlowDisk,
        Self::FailingDisk,
        Self::FailingWrites,
        Self::FailingReads,
        Self::Clock,
        Self::Move,
    ];

    /// Those of which processes and disks know nothing.
    pub(super) const OF_NETWORK: [Self; 6] =
        [Self::CutOff, Self::Deaf, Self::Mute, Self::Loss, Self::Rate, Self::Delay];

    /// Those that may happen to one broker while something else happens to another.
    const BESIDE: [Self; 9] = [
        Self::Kill,
        Self::Pause,
        Self::CutOff,
        Self::Deaf,
        Self::Mute,
        Self::Loss,
        Self::Rate,
        Self::SlowDisk,
        Self::Clock,
    ];
}

/// A fault of one broker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) fault: Fault,
    /// The broker's number.
    pub(super) victim: usize,
    /// Any number, from which it follows how bad it is.
    pub(super) strength: usize,
}

/// What happens at once, and for how long.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) hits: Vec<Hit>,
    pub(super) lasts: Duration,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Hit { fault, victim, strength } in &self.hits {
            write!(f, "{fault:?} of {victim} ({strength}), ")?;
        }
        write!(f, "{} ms", self.lasts.as_millis())
    }
}

/// One round: every fault that can be, in any order, and some beside another.
pub(super) fn steps(seed: u64, can: impl Fn(Fault) -> bool) -> Vec<Step> {
    let mut random = Random::new(seed);
    let mut left = Fault::ALL.to_vec();
    let mut steps = Vec::new();
    while !left.is_empty() {
        let fault = left.swap_remove(random.below(left.len()));
        let first = hit(&mut random, fault);
        let other = random.pick(&Fault::BESIDE);
        let beside = hit(&mut random, other);
        let is_double =
            random.one_in(3) && fault != Fault::KillAll && beside.victim != first.victim;
        let lasts = Duration::from_millis(1_000 + random.below(2_000) as u64);
        // What can't be here takes its numbers all the same: the rest is the same everywhere.
        let hits = [Some(first), Some(beside).filter(|_| is_double)];
        let hits: Vec<Hit> = hits.into_iter().flatten().filter(|hit| can(hit.fault)).collect();
        if !hits.is_empty() {
            steps.push(Step { hits, lasts });
        }
    }
    steps
}

/// A short round, of some faults alone, in which none begins two steps.
pub(super) fn each_once(seed: u64, faults: &[Fault]) -> Vec<Step> {
    let mut left = faults.to_vec();
    let mut steps = steps(seed, |fault| faults.contains(&fault));
    steps.retain(|step| {
        let count = left.len();
        left.retain(|fault| *fault != step.hits[0].fault);
        left.len() < count
    });
    steps
}

fn hit(random: &mut Random, fault: Fault) -> Hit {
    let victim = 1 + random.below(BROKERS);
    // Only the last has a file system of its own.
    let victim = if fault == Fault::FullDisk { BROKERS } else { victim };
    Hit { fault, victim, strength: random.below(1_000) }
}
