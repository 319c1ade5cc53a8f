//! A partition: what the controller wishes it to be, and what its group last said that it is.
//!
//! ```text
//!                 decisions                               reports of its leader
//!                     │ generation + 1                        │ (epoch, control sequence)
//!                     ▼                                       ▼
//!   wish: replicas, or the target of a move ──────▶ leader, voters, in-sync replicas
//!                     ▲                                       │
//!                     └── the replicas, when the voters are ──┘
//!                         the target: the move is done
//! ```
//!
//! The voters in the group's own log are the truth about who votes. There are no commands: a
//! leader compares the newest wish that it knows with its log, takes the next step, and reports.
//!
//! Must always hold: what was reported never goes back in (epoch, control sequence), and an epoch
//! has one leader; each change of the wish has a greater generation.

use alloc::vec::Vec;

use logboom_protocol::units::Uuid;

/// The place of a broker where there is none.
pub const NO_BROKER: i32 = -1;

/// The control sequence of a partition of which nothing was reported.
const NOT_REPORTED: i64 = -1;

/// A partition.
///
/// Invariant: each list of directories is as long as the list of brokers that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The brokers that have a copy, the preferred leader first. While a move is under way: those
    /// that had one before it.
    pub replicas: Vec<i32>,
    /// The data directory of each of them.
    pub directories: Vec<Uuid>,
    /// The brokers that are to have a copy when a move is done; empty while none is under way.
    pub target_replicas: Vec<i32>,
    /// The data directory of each of them.
    pub target_directories: Vec<Uuid>,
    /// The version of the wish, 0 at first. A leader never acts on an older one than it acted on.
    pub generation: i64,
    /// Whether the replicas are those that the partition was created with, and the group has had no
    /// other voters. Only then may one of them that has no record of the group begin as a voter;
    /// everybody else, and everybody later, begins as a learner. A wish alone doesn't end it: a
    /// group whose founders have yet to begin needs them to elect a leader at all.
    pub is_founding: bool,
    /// Who is to lead as soon as it can; −1 for nobody. Holds until the next election.
    pub wished_leader: i32,
    /// The leader as last reported, −1 if it has resigned since; before the first report, who is
    /// expected to be elected.
    pub leader: i32,
    /// The epoch of the leader.
    pub leader_epoch: i32,
    /// The control sequence of the voters as last reported; −1 while nothing was.
    pub control_sequence: i64,
    /// The voters as last reported; empty where they are the replicas.
    pub voters: Vec<i32>,
    /// The data directory of each of them.
    pub voter_directories: Vec<Uuid>,
    /// The replicas that have caught up, as last reported.
    pub isr: Vec<i32>,
}

/// What the leader of a partition says of its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderReport {
    /// The topic.
    pub topic_id: Uuid,
    /// The partition's number.
    pub index: i32,
    /// Who leads in the epoch; −1 where the leader of that epoch has resigned. A leader reports
    /// from when the marker of its epoch is committed, so that it knows which voters are.
    pub leader: i32,
    /// The epoch, at least 0.
    pub leader_epoch: i32,
    /// The control sequence of the entry that named the voters; 0 for those of the creation.
    pub control_sequence: i64,
    /// The voters of the last committed set that isn't joint, each once.
    pub voters: Vec<i32>,
    /// The data directory of each of them.
    pub voter_directories: Vec<Uuid>,
    /// The replicas that have caught up, each once.
    pub isr: Vec<i32>,
}

/// Brokers and the data directory of each.
type Replicas<'a> = (&'a [i32], &'a [Uuid]);

impl Partition {
    /// A new partition, the first of whose replicas is expected to lead.
    ///
    /// # Panics
    /// If there are none, or not as many directories.
    #[must_use]
    pub fn new(replicas: Vec<i32>, directories: Vec<Uuid>) -> Self {
        assert_eq!(replicas.len(), directories.len(), "a directory for each replica");
        let (leader, isr) = (replicas[0], replicas.clone());
        Self { leader, isr, replicas, directories, ..Self::unknown() }
    }

    /// Nothing is wished for, and nothing was reported.
    pub(super) const fn unknown() -> Self {
        Self {
            replicas: Vec::new(),
            directories: Vec::new(),
            target_replicas: Vec::new(),
            target_directories: Vec::new(),
            generation: 0,
            is_founding: true,
            wished_leader: NO_BROKER,
            leader: NO_BROKER,
            leader_epoch: 0,
            control_sequence: NOT_REPORTED,
            voters: Vec::new(),
            voter_directories: Vec::new(),
            isr: Vec::new(),
        }
    }

    /// The brokers that are to have a copy in the end, and the data directory of each.
    #[must_use]
    pub fn wish(&self) -> (&[i32], &[Uuid]) {
        if self.is_moving() {
            (&self.target_replicas, &self.target_directories)
        } else {
            (&self.replicas, &self.directories)
        }
    }

    /// Whether the same is wished for as of another one.
    #[must_use]
    pub fn has_same_wish(&self, other: &Self) -> bool {
        let is_led_by_same = self.wished_leader == other.wished_leader;
        is_led_by_same && self.generation == other.generation && self.wish() == other.wish()
    }

    /// Whether other replicas are wished for than there are.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        !self.target_replicas.is_empty()
    }

    /// Whether its group has said anything yet.
    #[must_use]
    pub fn is_reported(&self) -> bool {
        self.control_sequence != NOT_REPORTED
    }

    /// Who votes, as last reported, and the data directory of each.
    #[must_use]
    pub fn voters(&self) -> (&[i32], &[Uuid]) {
        if self.voters.is_empty() {
            (&self.replicas, &self.directories)
        } else {
            (&self.voters, &self.voter_directories)
        }
    }

    /// Who leads if it can: the first replica that is wished for.
    #[must_use]
    pub fn preferred_leader(&self) -> i32 {
        self.wish().0.first().copied().unwrap_or(NO_BROKER)
    }

    /// Who has, has had or will have a copy: what is wished for, in its order, then the others.
    #[must_use]
    pub fn all_replicas(&self) -> Vec<i32> {
        let mut all = self.wish().0.to_vec();
        for id in self.replicas.iter().chain(&self.voters) {
            if !all.contains(id) {
                all.push(*id);
            }
        }
        all
    }

    /// Whether a broker has, has had or will have a copy.
    #[must_use]
    pub fn names(&self, id: i32) -> bool {
        let mut lists = [&self.replicas, &self.target_replicas, &self.voters].into_iter();
        lists.any(|ids| ids.contains(&id))
    }

    /// Who is wished for and has no vote yet.
    pub fn adding(&self) -> impl Iterator<Item = i32> + '_ {
        let (voters, _) = self.voters();
        self.wish().0.iter().copied().filter(|id| !voters.contains(id))
    }

    /// Who isn't wished for and has a vote still.
    pub fn removing(&self) -> impl Iterator<Item = i32> + '_ {
        let (wish, _) = self.wish();
        self.voters().0.iter().copied().filter(|id| !wish.contains(id))
    }

    /// The partition after a report, `None` where it says nothing new.
    ///
    /// - `report`: is [sound](LeaderReport::is_sound).
    #[must_use]
    pub fn with_report(&self, report: &LeaderReport) -> Option<Self> {
        if !self.is_followed_by(report) {
            return None;
        }
        let mut next = self.clone();
        let is_elected = report.leader_epoch > self.leader_epoch || !self.is_reported();
        if is_elected || report.leader == self.wished_leader {
            next.wished_leader = NO_BROKER;
        }
        next.leader = report.leader;
        next.leader_epoch = report.leader_epoch;
        next.control_sequence = report.control_sequence;
        next.isr.clone_from(&report.isr);
        next.settle(report.voters.clone(), report.voter_directories.clone());
        (next != *self).then_some(next)
    }

    /// Whether a report isn't older than what is known.
    fn is_followed_by(&self, report: &LeaderReport) -> bool {
        let known = (self.leader_epoch, self.control_sequence);
        // Who has resigned doesn't lead again in the same epoch, and nobody else does.
        let is_of_known_leader = !self.is_reported()
            || report.leader_epoch != self.leader_epoch
            || [self.leader, NO_BROKER].contains(&report.leader);
        is_of_known_leader && (report.leader_epoch, report.control_sequence) >= known
    }

    /// The partition once these replicas are wished for, `None` where they are.
    #[must_use]
    pub(crate) fn with_wish(&self, replicas: Vec<i32>, directories: Vec<Uuid>) -> Option<Self> {
        if self.wish() == (&*replicas, &*directories) {
            return None;
        }
        let mut next = self.clone();
        next.generation = self.generation.saturating_add(1);
        if !replicas.contains(&self.wished_leader) {
            next.wished_leader = NO_BROKER;
        }
        if are_same((&replicas, &directories), (&self.replicas, &self.directories)) {
            // Another order, or the way back.
            (next.replicas, next.directories) = (replicas, directories);
            next.target_replicas.clear();
            next.target_directories.clear();
        } else {
            (next.target_replicas, next.target_directories) = (replicas, directories);
        }
        let (voters, voter_directories) = self.voters();
        next.settle(voters.to_vec(), voter_directories.to_vec());
        Some(next)
    }

    /// Takes the voters, and ends the move if they are its target.
    fn settle(&mut self, voters: Vec<i32>, directories: Vec<Uuid>) {
        let target: Replicas<'_> = (&self.target_replicas, &self.target_directories);
        if self.is_moving() && are_same((&voters, &directories), target) {
            self.replicas = core::mem::take(&mut self.target_replicas);
            self.directories = core::mem::take(&mut self.target_directories);
            self.is_founding = false;
        }
        let is_usual = are_same((&voters, &directories), (&self.replicas, &self.directories));
        self.is_founding &= is_usual;
        (self.voters, self.voter_directories) =
            if is_usual { (Vec::new(), Vec::new()) } else { (voters, directories) };
    }

    /// Whether this may stand where another was: another wish is a newer one.
    pub(crate) fn may_follow(&self, before: &Self) -> bool {
        self.generation > before.generation
            || self.generation == before.generation && self.wish() == before.wish()
    }

    /// Whether each list has the length that it must have.
    pub(crate) fn has_all_directories(&self) -> bool {
        !self.replicas.is_empty()
            && self.replicas.len() == self.directories.len()
            && self.target_replicas.len() == self.target_directories.len()
            && self.voters.len() == self.voter_directories.len()
    }
}

impl LeaderReport {
    /// Whether a leader can have said this.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self.voters.is_empty()
            && self.voters.len() == self.voter_directories.len()
            && is_set(&self.voters)
            && is_set(&self.isr)
            && self.leader >= NO_BROKER
            && self.leader_epoch >= 0
            && self.control_sequence >= 0
    }
}

/// Whether two lists, each of distinct brokers, are the same but for their order.
fn are_same(one: Replicas<'_>, other: Replicas<'_>) -> bool {
    let others = other.0.iter().zip(other.1);
    let is_in_other = |replica| others.clone().any(|one| one == replica);
    one.0.len() == other.0.len() && one.0.iter().zip(one.1).all(is_in_other)
}

/// Whether nothing is there twice; the lists are short.
fn is_set(ids: &[i32]) -> bool {
    (1..ids.len()).all(|place| !ids[..place].contains(&ids[place]))
}
