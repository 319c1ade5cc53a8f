//! Who reads what: the four ways of sharing that Kafka's consumers have, as pure functions.
//!
//! ```text
//!   Subscriber: what a member wants, and what it had ─┐
//!   partition counts of the topics ───────────────────┴─▶ Assignor ─▶ an Assignment each
//! ```
//!
//! The member that leads its group runs one of them for all; the bytes by which members tell what
//! they want and had are in `subscription`.
//!
//! **Invariant:** every member has an assignment, if an empty one; no partition has two readers;
//! every partition that somebody wants has one, but for those that [`Assignor::CooperativeSticky`]
//! holds back until their reader has let go.

mod claims;
mod cooperative;
mod level;
mod range;
mod round_robin;
mod sticky;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::subscription::{Assignment, Subscription};

/// How many partitions a topic has; 0 for one that doesn't exist.
pub(super) type Counts = BTreeMap<String, usize>;
/// What each member gets.
pub(super) type Shares = BTreeMap<String, Assignment>;

/// A way of sharing partitions among the members of a group (`partition.assignment.strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Assignor {
    /// Of each topic consecutive partitions (`range`).
    Range,
    /// All partitions in turn (`roundrobin`).
    RoundRobin,
    /// Evenly, and with as few changes as that allows; all is given up first (`sticky`).
    Sticky,
    /// As `Sticky`, but only what changes its reader is given up (`cooperative-sticky`, KIP-429).
    CooperativeSticky,
}

impl Assignor {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Range, Self::RoundRobin, Self::Sticky, Self::CooperativeSticky];

    /// What it is called on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Sticky => "sticky",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The class that a Java client's `partition.assignment.strategy` names.
    const fn class(self) -> &'static str {
        match self {
            Self::Range => "org.apache.kafka.clients.consumer.RangeAssignor",
            Self::RoundRobin => "org.apache.kafka.clients.consumer.RoundRobinAssignor",
            Self::Sticky => "org.apache.kafka.clients.consumer.StickyAssignor",
            Self::CooperativeSticky => {
                "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
            }
        }
    }

    /// Whether its members keep what they have while the group shares anew.
    #[must_use]
    pub const fn is_cooperative(self) -> bool {
        matches!(self, Self::CooperativeSticky)
    }

    /// Shares the partitions of topics among members.
    pub(super) fn assign(self, members: &[Subscriber], counts: &Counts) -> Shares {
        match self {
            Self::Range => range::assign(members, counts),
            Self::RoundRobin => round_robin::assign(members, counts),
            Self::Sticky => sticky::assign(members, counts),
            Self::CooperativeSticky => cooperative::assign(members, counts),
        }
    }
}

impl fmt::Display for Assignor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Assignor {
    type Err = UnknownAssignor;

    /// The name on the wire, or the name of Kafka's class.
    fn from_str(text: &str) -> Result<Self, UnknownAssignor> {
        let is_meant = |one: &Self| one.name() == text || one.class() == text;
        let found = Self::ALL.into_iter().find(is_meant);
        found.ok_or_else(|| UnknownAssignor { name: text.to_owned() })
    }
}

/// No assignor has that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownAssignor {
    /// As given.
    pub name: String,
}

impl fmt::Display for UnknownAssignor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no assignor; there are", self.name)?;
        Assignor::ALL.iter().try_for_each(|one| write!(f, " {one}"))
    }
}

impl std::error::Error for UnknownAssignor {}

/// A member and what it wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Subscriber {
    pub(super) member_id: String,
    pub(super) instance_id: Option<String>,
    pub(super) topics: BTreeSet<String>,
    /// What it reads now, or read until now.
    pub(super) had: Assignment,
    /// The generation in which it was given that; −1 where it doesn't say.
    pub(super) generation: i32,
}

impl Subscriber {
    /// What a member says of itself; nothing wanted where that can't be read.
    pub(super) fn new(
        assignor: Assignor,
        member_id: &str,
        instance_id: Option<&str>,
        subscription: Option<Subscription>,
    ) -> Self {
        let subscription = subscription.unwrap_or_default();
        let (had, generation) = match assignor {
            Assignor::Range | Assignor::RoundRobin => (Assignment::new(), -1),
            Assignor::Sticky => subscription.remembered(),
            Assignor::CooperativeSticky => subscription.owned(),
        };
        Self {
            member_id: member_id.to_owned(),
            instance_id: instance_id.map(str::to_owned),
            topics: subscription.topics.into_iter().collect(),
            had,
            generation,
        }
    }

    /// The reference's order: names that members keep come before those that they are given.
    fn rank(&self) -> (bool, &str) {
        (self.instance_id.is_none(), self.instance_id.as_deref().unwrap_or(&self.member_id))
    }
}

/// The members in the reference's order.
fn ranked(members: &[Subscriber]) -> Vec<&Subscriber> {
    let mut ranked: Vec<&Subscriber> = members.iter().collect();
    ranked.sort_by_key(|member| member.rank());
    ranked
}

/// Nothing for everybody.
fn nothing(members: &[Subscriber]) -> Shares {
    members.iter().map(|member| (member.member_id.clone(), Assignment::new())).collect()
}

/// The partitions of a topic.
fn partitions(count: usize) -> impl Iterator<Item = i32> {
    (0..).take(count)
}
