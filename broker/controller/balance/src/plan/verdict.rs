//! What a plan says.

use alloc::vec::Vec;
use core::fmt;

use crate::resource::Resource;

/// Why something moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// An operator asked for it.
    Manual,
    /// Its broker is lost.
    LostBroker,
    /// Too many replicas of a partition share a rack.
    Rack,
    /// A broker has more than its capacity.
    Capacity,
    /// Its broker is drained.
    Drain,
    /// A disk is nearly full, and fuller than those of others.
    DiskPressure,
    /// A broker has next to nothing yet.
    NewBroker,
    /// A broker has more or less than its share.
    Skew,
    /// A broker leads more or fewer partitions than its share.
    LeaderSkew,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Manual,
        Self::LostBroker,
        Self::Rack,
        Self::Capacity,
        Self::Drain,
        Self::DiskPressure,
        Self::NewBroker,
        Self::Skew,
        Self::LeaderSkew,
    ];

    /// Its name in configurations and text forms.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::LostBroker => "lost-broker",
            Self::Rack => "rack",
            Self::Capacity => "capacity",
            Self::Drain => "drain",
            Self::DiskPressure => "disk-pressure",
            Self::NewBroker => "new-broker",
            Self::Skew => "skew",
            Self::LeaderSkew => "leader-skew",
        }
    }

    /// The rule of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }
}

/// For people: its name without hyphens.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, word) in self.name().split('-').enumerate() {
            f.write_str(if place == 0 { "" } else { " " })?;
            f.write_str(word)?;
        }
        Ok(())
    }
}

/// What a broker has most of, compared with what it is sized for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worst {
    /// The resource.
    pub resource: Resource,
    /// Its weighted utilisation in millionths. Where capacities aren't known it is a share: as
    /// full as the fullest resource of which they are is who has its fair part.
    pub ppm: u64,
}

/// What moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveKind {
    /// A replica is made on another broker and then given up on this one.
    Replica {
        /// Whether the partition's leader moves with it.
        leads: bool,
    },
    /// Leadership goes to another replica.
    Leader,
}

/// A move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The partition, as a place in the snapshot's.
    pub partition: usize,
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
    /// The broker that it leaves, before and after.
    pub from_worst: [Worst; 2],
    /// The broker that it comes to, before and after.
    pub to_worst: [Worst; 2],
    /// The same of what it is about, where it is about a resource: of the broker that it leaves,
    /// and of the one that it comes to.
    pub about: Option<[[Worst; 2]; 2]>,
    /// How the cost of the cluster changes: below 0 it gets better.
    pub cost: i64,
    /// The best other broker that may take it.
    pub alternative: Option<Alternative>,
}

/// A broker that was turned down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alternative {
    /// Its id.
    pub to: i32,
    /// How the cost of the cluster would change.
    pub cost: i64,
    /// Why it was.
    pub why: TurnedDown,
}

/// Why a broker was turned down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnedDown {
    /// It costs no less.
    Cost,
    /// It would have more of this than a move may bring it to.
    Beyond(Resource),
    /// It costs less by itself; this was decided together with other moves.
    Together,
}

impl fmt::Display for TurnedDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cost => f.write_str("it costs no less"),
            Self::Beyond(resource) => write!(f, "it would have too much of {resource}"),
            Self::Together => f.write_str("cheaper by itself, not with the other moves"),
        }
    }
}

/// Why no broker may take a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Nobody leads the partition, so that nobody can copy it.
    NoLeader,
    /// Every active broker has a replica of the partition.
    NoOtherBroker,
    /// Others are in racks that have as many replicas as they may.
    Racks,
    /// Those in other racks have no capacity for it.
    Capacity(Resource),
    /// It would change places with others, and nobody has room for any of them meanwhile.
    Exchange(Resource),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeader => f.write_str("it has no leader, so that nobody can copy it"),
            Self::NoOtherBroker => f.write_str("every active broker has a replica of it"),
            Self::Racks => f.write_str("racks: only racks that have a replica have other brokers"),
            Self::Capacity(resource) => write!(f, "capacity: nobody has room for its {resource}"),
            Self::Exchange(resource) => write!(
                f,
                "capacity: it would change places with others, and nobody has room for its \
                 {resource} meanwhile"
            ),
        }
    }
}

/// A replica that should move and can't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unmet {
    /// The partition, as a place in the snapshot's.
    pub partition: usize,
    /// The broker that it should leave.
    pub from: i32,
    /// Why it should.
    pub rule: Rule,
    /// Why it can't.
    pub obstacle: Obstacle,
}

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManualMove {
    /// The partition, as a place in the snapshot's.
    pub partition: usize,
    /// The id of the broker that has the replica.
    pub from: i32,
    /// The id of the broker that is to have it.
    pub to: i32,
}

/// Why a move can't be made that an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The snapshot has no such partition.
    UnknownPartition,
    /// The snapshot has no such broker.
    UnknownBroker(i32),
    /// The partition has no replica where it is to come from.
    NoReplica,
    /// The broker that it is to come to is drained or lost.
    NotActive,
    /// The broker that it is to come to has one.
    HasReplica,
    /// The rack of that broker has as many replicas as it may.
    Racks,
    /// That broker has no capacity for it.
    Capacity(Resource),
    /// Nobody leads the partition, so that nobody can copy it.
    NoLeader,
}

/// A move that can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManualError {
    /// What was asked for.
    pub wanted: ManualMove,
    /// What is in the way.
    pub refusal: Refusal,
}

impl fmt::Display for ManualError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ManualMove { from, to, .. } = self.wanted;
        match self.refusal {
            Refusal::UnknownPartition => f.write_str("there is no such partition"),
            Refusal::UnknownBroker(id) => write!(f, "there is no broker {id}"),
            Refusal::NoReplica => write!(f, "broker {from} has no replica of it"),
            Refusal::NoLeader => f.write_str("it has no leader, so that nobody can copy it"),
            Refusal::NotActive => write!(f, "broker {to} is drained or lost"),
            Refusal::HasReplica => write!(f, "broker {to} has a replica of it"),
            Refusal::Racks => write!(f, "the rack of broker {to} has as many replicas as it may"),
            Refusal::Capacity(resource) => {
                write!(f, "broker {to} has no capacity for its {resource}")
            }
        }
    }
}

impl core::error::Error for ManualError {}

/// What is to move, the most urgent first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they relieve the most.
    pub moves: Vec<Move>,
    /// What should move and can't.
    pub unmet: Vec<Unmet>,
    /// The worst of the active brokers now and when all is done, with its id.
    pub worst: [Option<(i32, Worst)>; 2],
    /// What is copied in all.
    pub bytes: u64,
}
