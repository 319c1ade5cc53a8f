//! A plan that is carried out: how far it is, and what it waits for.

use std::collections::{BTreeSet, HashMap, HashSet};

use logboom_balance::status::{MoveStatus, PlanStatus};
use logboom_balance::{Beside, Move, MoveKind, Progress, Snapshot, Stage, Wait};
use logboom_controller::MetadataImage;
use logboom_storage::state::GroupKey;

use super::name;

/// A plan that is carried out.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) moves: Vec<(GroupKey, Move)>,
    pub(super) bytes: u64,
    pub(super) since: u64,
    /// The moves that were seen under way, and those of them that somebody has taken back since.
    begun: BTreeSet<usize>,
    taken_back: BTreeSet<usize>,
    /// How it stood when it was looked at last.
    pub(super) progress: Option<Progress>,
}

/// What a plan waits for of which nothing may go now; of several things the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hold {
    /// Nothing: it is over. What nobody leads holds it up no longer, and goes on by itself once
    /// somebody does; what finds no room is left to another plan.
    Nothing,
    /// Replicas that are to lead, and aren't in sync.
    InSync,
    /// A broker that is out of contact.
    Contact,
    /// What copies, or a turn behind that. What others have begun, who decided before first of all,
    /// may take hours as well.
    Others,
}

impl Hold {
    pub(super) fn of(
        snapshot: &Snapshot,
        moves: &[Move],
        stages: &[Stage],
        beside: &Beside,
    ) -> Self {
        let is_copied = |partition: usize| {
            snapshot.partitions().get(partition).is_some_and(|it| !it.is_leaderless)
        };
        let begun: HashSet<usize> = beside.others.iter().map(|other| other.partition).collect();
        let of = |(one, stage): (&Move, &Stage)| match stage {
            Stage::UnderWay if beside.behind.contains(&(one.partition, one.to)) => Self::InSync,
            Stage::UnderWay if is_copied(one.partition) => Self::Others,
            Stage::Waits(Wait::Limit) => Self::Others,
            Stage::Waits(Wait::Partition)
                if begun.contains(&one.partition) && is_copied(one.partition) =>
            {
                Self::Others
            }
            Stage::Waits(Wait::Contact) => Self::Contact,
            Stage::Waits(Wait::InSync) => Self::InSync,
            _ => Self::Nothing,
        };
        moves.iter().zip(stages).map(of).max().unwrap_or(Self::Nothing)
    }
}

impl Carried {
    /// Nothing of it has begun.
    pub(super) fn new(moves: Vec<(GroupKey, Move)>, bytes: u64, since: u64) -> Self {
        let (begun, taken_back) = (BTreeSet::new(), BTreeSet::new());
        Self { moves, bytes, since, begun, taken_back, progress: None }
    }

    /// Finds its partitions in a snapshot, where those that are gone, or whose move somebody has
    /// taken back, are at no place; says which moves are under way.
    pub(super) fn find(
        &mut self,
        places: &HashMap<GroupKey, usize>,
        image: &MetadataImage,
    ) -> BTreeSet<usize> {
        let numbers = 0..self.moves.len();
        let under_way = numbers.filter(|it| is_under_way(image, &self.moves[*it]));
        let under_way: BTreeSet<usize> = under_way.collect();
        self.begun.extend(&under_way);
        let is_back = |number: &&usize| is_taken_back(image, &self.moves[**number]);
        self.taken_back.extend(self.begun.iter().filter(is_back));
        for (number, (key, one)) in self.moves.iter_mut().enumerate() {
            let place = places.get(key).filter(|_| !self.taken_back.contains(&number));
            one.partition = place.copied().unwrap_or(usize::MAX);
        }
        under_way
    }

    /// The replicas that are to lead and aren't in sync.
    pub(super) fn behind(&self, image: &MetadataImage) -> BTreeSet<(usize, i32)> {
        let leaders = self.moves.iter().filter(|(_, one)| one.kind == MoveKind::Leader);
        let is_behind = |(key, one): &&(GroupKey, Move)| {
            let partition = image.partition(key.topic_id, key.partition);
            partition.is_some_and(|it| !it.isr.contains(&one.to))
        };
        leaders.filter(is_behind).map(|(_, one)| (one.partition, one.to)).collect()
    }

    /// The moves that aren't over, the bytes that are to be copied for them, and the seconds that
    /// this takes at least.
    pub(super) fn left(&self) -> (usize, u64, u64) {
        let Some(progress) = &self.progress else { return (self.moves.len(), self.bytes, 0) };
        let is_left = |stage: &&Stage| !matches!(stage, Stage::Done | Stage::Void);
        let moves = progress.stages.iter().filter(is_left).count();
        (moves, progress.bytes_left, progress.seconds_left)
    }

    pub(super) fn status(&self, image: &MetadataImage, now: u64) -> PlanStatus {
        let stage = |place: usize| match &self.progress {
            Some(progress) => progress.stages[place],
            None => Stage::Now,
        };
        let moves = self.moves.iter().enumerate().filter_map(|(place, (key, one))| {
            let Move { kind, from, to, rule, resource, bytes, .. } = *one;
            let (topic, index) = (name(image, key)?, key.partition);
            let stage = stage(place);
            Some(MoveStatus { topic, index, kind, from, to, rule, resource, bytes, stage })
        });
        let left = self.progress.as_ref().map(|it| (it.bytes_left, it.seconds_left));
        let (bytes_left, seconds_left) = left.unwrap_or((self.bytes, 0));
        PlanStatus {
            age_seconds: now.saturating_sub(self.since) / 1_000,
            bytes: self.bytes,
            bytes_left,
            seconds_left,
            moves: moves.collect(),
            unmet: Vec::new(),
        }
    }
}

/// Whether a move has begun and isn't over.
pub(super) fn is_under_way(image: &MetadataImage, (key, one): &(GroupKey, Move)) -> bool {
    let Some(partition) = image.partition(key.topic_id, key.partition) else { return false };
    match one.kind {
        MoveKind::Leader => partition.wished_leader == one.to && partition.leader != one.to,
        MoveKind::Replica { .. } => {
            let wish = partition.wish().0;
            partition.is_moving() && wish.contains(&one.to) && !wish.contains(&one.from)
        }
    }
}

/// Whether a replica that was on its way is wished for where it was again.
fn is_taken_back(image: &MetadataImage, (key, one): &(GroupKey, Move)) -> bool {
    let is_replica = matches!(one.kind, MoveKind::Replica { .. });
    let partition = image.partition(key.topic_id, key.partition).filter(|_| is_replica);
    partition.is_some_and(|it| it.wish().0.contains(&one.from))
}
