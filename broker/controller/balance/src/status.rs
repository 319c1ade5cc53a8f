//! How it stands with balancing: what a controller tells operators.
//!
//! Its text form is a line each:
//!
//! ```text
//! status 1
//! controller ID
//! triggers RULE …
//! once
//! rate N [broker ID]
//! growth SECONDS partitions N disk N in N out N leaders N
//! drain ID replicas N leaders N [moving N]
//! endless TOPIC INDEX leader ID in N all N rate N
//! other TOPIC INDEX from IDS to IDS bytes N
//! plan age SECONDS bytes N left N seconds N
//! move TOPIC INDEX KIND from ID to ID rule RULE [resource WORD] bytes N stage STAGE
//! unmet TOPIC INDEX from ID rule RULE obstacle OBSTACLE
//! ```
//!
//! A KIND is `replica`, `leading-replica` or `leader`. A STAGE is `done`, `under-way`, `now`,
//! `void`, `waits partition`, `waits limit`, `waits leader`, `waits contact`, `waits in-sync` or
//! `waits capacity WORD`; an OBSTACLE is `no-leader`, `no-other-broker`, `racks`, `capacity WORD`
//! or `exchange WORD`. IDS are ids with commas between them, or `-` for none. Lines that say
//! nothing are left out; moves, and what is unmet, follow their plan. Names are written as in
//! snapshots. Later versions add lines, and words behind those of a line.
//!
//! Must always hold: what was written is read back as it was, if it is within the limits here and
//! names no rule and no drained broker twice; whatever is read takes memory in proportion to the
//! text; an error names the line.

mod read;

pub use read::PassedOver;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::next::{Rates, Stage, Wait};
use crate::plan::{MoveKind, Obstacle, Rule};
use crate::resource::{Amounts, Resource};
use crate::snapshot::{BROKERS_MAX, PARTITIONS_MAX};
use crate::text::Escaped;

/// The first line: what this is, and the version of the form.
const HEADER: &str = "status 1";
/// The most moves of a plan, and the most that is unmet.
pub const MOVES_MAX: usize = PARTITIONS_MAX;
/// The most brokers that are drained.
pub const DRAINS_MAX: usize = BROKERS_MAX;

/// How it stands with balancing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// The id of the broker that decides.
    pub controller: i32,
    /// The rules that are followed without being asked.
    pub triggers: Vec<Rule>,
    /// Whether an operator has asked for a plan of all rules.
    pub once: bool,
    /// What is being carried out.
    pub plan: Option<PlanStatus>,
    /// How all loads grow, if that is known yet.
    pub growth: Option<Growth>,
    /// How fast brokers may copy.
    pub rates: Rates,
    /// The brokers that are drained.
    pub drains: Vec<DrainStatus>,
    /// What is under way and never ends, unless something changes.
    pub endless: Vec<EndlessStatus>,
    /// What is under way and isn't the plan's.
    pub others: Vec<OtherStatus>,
}

/// A plan that is being carried out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlanStatus {
    /// The seconds since it was made.
    pub age_seconds: u64,
    /// What it copies in all.
    pub bytes: u64,
    /// What of it is left to copy.
    pub bytes_left: u64,
    /// How long that takes at least.
    pub seconds_left: u64,
    /// The most urgent first.
    pub moves: Vec<MoveStatus>,
    /// What should move and can't.
    pub unmet: Vec<UnmetStatus>,
}

/// A move of a plan, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveStatus {
    /// The partition's topic.
    pub topic: String,
    /// The partition's number.
    pub index: i32,
    /// What moves.
    pub kind: MoveKind,
    /// The id of the broker that it leaves.
    pub from: i32,
    /// The id of the broker that it comes to.
    pub to: i32,
    /// Why.
    pub rule: Rule,
    /// What there is too much or too little of, where the rule is about that.
    pub resource: Option<Resource>,
    /// What is copied.
    pub bytes: u64,
    /// How it stands with it.
    pub stage: Stage,
}

/// A replica that should move and can't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmetStatus {
    /// The partition's topic.
    pub topic: String,
    /// The partition's number.
    pub index: i32,
    /// The id of the broker that it should leave.
    pub from: i32,
    /// Why it should.
    pub rule: Rule,
    /// Why it can't.
    pub obstacle: Obstacle,
}

/// How the loads of all brokers together grow, as measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// For how long it was measured.
    pub over_seconds: u64,
    /// By how much they grow in a day.
    pub per_day: Amounts,
}

/// A broker that is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainStatus {
    /// Its id.
    pub broker: i32,
    /// The replicas that it still has.
    pub replicas: u64,
    /// The partitions that it still leads.
    pub leaders: u64,
    /// Of the replicas, those that are on their way to other brokers, whoever has begun that.
    pub moving: u64,
}

/// A partition whose new replicas never catch up, as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndlessStatus {
    /// The partition's topic.
    pub topic: String,
    /// The partition's number.
    pub index: i32,
    /// The id of the broker that leads it, and sends them what they lack.
    pub leader: i32,
    /// What it takes in, in bytes a second, for all its new replicas together.
    pub bytes_in: u64,
    /// What all partitions take in of which that broker sends new replicas something.
    pub all_bytes_in: u64,
    /// What that broker sends new replicas, in bytes a second.
    pub bytes_per_second: u64,
}

/// A partition that is on its way to other brokers, as somebody else has asked for: an operator, or
/// who decided before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherStatus {
    /// The partition's topic.
    pub topic: String,
    /// The partition's number.
    pub index: i32,
    /// The ids of the brokers that replicas leave.
    pub from: Vec<i32>,
    /// The ids of the brokers that they come to.
    pub to: Vec<i32>,
    /// What is copied in all.
    pub bytes: u64,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\ncontroller {}", self.controller)?;
        if !self.triggers.is_empty() {
            f.write_str("triggers")?;
            self.triggers.iter().try_for_each(|rule| write!(f, " {}", rule.name()))?;
            writeln!(f)?;
        }
        if self.once {
            writeln!(f, "once")?;
        }
        self.write_rates(f)?;
        if let Some(growth) = &self.growth {
            write!(f, "growth {}", growth.over_seconds)?;
            for resource in Resource::ALL {
                write!(f, " {} {}", resource.word(), growth.per_day[resource])?;
            }
            writeln!(f)?;
        }
        for DrainStatus { broker, replicas, leaders, moving } in &self.drains {
            write!(f, "drain {broker} replicas {replicas} leaders {leaders}")?;
            if *moving > 0 {
                write!(f, " moving {moving}")?;
            }
            writeln!(f)?;
        }
        self.endless.iter().try_for_each(|one| write_endless(f, one))?;
        for OtherStatus { topic, index, from, to, bytes } in &self.others {
            write!(f, "other {} {index} from {} ", Escaped(topic), Ids(from))?;
            writeln!(f, "to {} bytes {bytes}", Ids(to))?;
        }
        self.plan.as_ref().map_or(Ok(()), |plan| write_plan(f, plan))
    }
}

impl Status {
    /// What is usual says nothing.
    fn write_rates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rates { usual, others } = &self.rates;
        if *usual != Rates::default().usual {
            writeln!(f, "rate {usual}")?;
        }
        others.iter().try_for_each(|(broker, rate)| writeln!(f, "rate {rate} broker {broker}"))
    }
}

fn write_endless(f: &mut fmt::Formatter<'_>, one: &EndlessStatus) -> fmt::Result {
    let EndlessStatus { topic, index, leader, bytes_in, all_bytes_in, bytes_per_second } = one;
    write!(f, "endless {} {index} leader {leader} in {bytes_in} ", Escaped(topic))?;
    writeln!(f, "all {all_bytes_in} rate {bytes_per_second}")
}

/// Ids as one word.
struct Ids<'a>(&'a [i32]);

impl fmt::Display for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_first() else { return f.write_str("-") };
        write!(f, "{first}")?;
        rest.iter().try_for_each(|id| write!(f, ",{id}"))
    }
}

fn write_plan(f: &mut fmt::Formatter<'_>, plan: &PlanStatus) -> fmt::Result {
    let PlanStatus { age_seconds, bytes, bytes_left, seconds_left, moves, unmet } = plan;
    write!(f, "plan age {age_seconds} bytes {bytes} left {bytes_left} ")?;
    writeln!(f, "seconds {seconds_left}")?;
    moves.iter().try_for_each(|one| write_move(f, one))?;
    for UnmetStatus { topic, index, from, rule, obstacle } in unmet {
        write!(f, "unmet {} {index} from {from} rule {} obstacle", Escaped(topic), rule.name())?;
        match obstacle {
            Obstacle::NoLeader => writeln!(f, " no-leader")?,
            Obstacle::NoOtherBroker => writeln!(f, " no-other-broker")?,
            Obstacle::Racks => writeln!(f, " racks")?,
            Obstacle::Capacity(resource) => writeln!(f, " capacity {}", resource.word())?,
            Obstacle::Exchange(resource) => writeln!(f, " exchange {}", resource.word())?,
        }
    }
    Ok(())
}

fn write_move(f: &mut fmt::Formatter<'_>, one: &MoveStatus) -> fmt::Result {
    let MoveStatus { topic, index, from, to, rule, bytes, .. } = one;
    let kind = match one.kind {
        MoveKind::Replica { leads: false } => "replica",
        MoveKind::Replica { leads: true } => "leading-replica",
        MoveKind::Leader => "leader",
    };
    write!(f, "move {} {index} {kind} from {from} to {to}", Escaped(topic))?;
    write!(f, " rule {}", rule.name())?;
    if let Some(resource) = one.resource {
        write!(f, " resource {}", resource.word())?;
    }
    write!(f, " bytes {bytes} stage ")?;
    match one.stage {
        Stage::Done => writeln!(f, "done"),
        Stage::UnderWay => writeln!(f, "under-way"),
        Stage::Now => writeln!(f, "now"),
        Stage::Void => writeln!(f, "void"),
        Stage::Waits(Wait::Partition) => writeln!(f, "waits partition"),
        Stage::Waits(Wait::Leader) => writeln!(f, "waits leader"),
        Stage::Waits(Wait::Limit) => writeln!(f, "waits limit"),
        Stage::Waits(Wait::Contact) => writeln!(f, "waits contact"),
        Stage::Waits(Wait::InSync) => writeln!(f, "waits in-sync"),
        Stage::Waits(Wait::Capacity(resource)) => writeln!(f, "waits capacity {}", resource.word()),
    }
}
