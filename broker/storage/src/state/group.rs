//! What the state store knows of one group, and how each record changes it.
//!
//! Must always hold: segments lie in the order of their base offsets, each but the last sealed;
//! epochs and control entries grow. A record that would break this is refused: it was not written
//! by a healthy broker.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use super::StateRecord;
use crate::segment::HEADER_BYTES;

/// A segment of a log, as the manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentEntry {
    /// The first offset that it can hold, inclusive.
    pub base_offset: i64,
    /// Tells files of the same base offset apart.
    pub generation: u32,
    /// What is known once it is sealed; `None` while it is appended to.
    pub sealed: Option<Sealed>,
}

/// A segment that is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Bytes that belong to the log, its header included.
    pub length: u32,
    /// The greatest timestamp of its batches, milliseconds; the least `i64` without batches.
    pub max_timestamp: i64,
}

/// A segment that compaction has made, and those in whose place it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanedSegments {
    /// Where it begins, and the first of those that it replaces, inclusive.
    pub base_offset: i64,
    /// Where the segment begins that follows, exclusive.
    pub end_offset: i64,
    /// Its generation, greater than theirs.
    pub generation: u32,
    /// Where it ends.
    pub sealed: Sealed,
}

/// Where an epoch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochStart {
    /// The epoch.
    pub epoch: i32,
    /// Its first offset, inclusive.
    pub start_offset: i64,
}

/// A Raft entry without records: the marker of an epoch, or a set of voters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlEntry {
    /// Counts the control entries of the group, from 1.
    pub sequence: u64,
    /// The epoch in which it was appended.
    pub epoch: i32,
    /// It stands before the record with this offset.
    pub offset: i64,
    /// What it says, for the Raft core.
    pub payload: Bytes,
}

/// Where a log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogStart {
    /// The first offset that is kept, inclusive.
    pub offset: i64,
    /// The epoch of what stands before it; −1 where nothing does.
    pub epoch: i32,
    /// The last control entry that stands before it; 0 where none does.
    pub control_sequence: u64,
}

impl LogStart {
    /// The beginning of a log that never moved.
    pub const ZERO: Self = Self { offset: 0, epoch: -1, control_sequence: 0 };
}

/// What recovery may rely on: everything below was flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Everything below is on stable storage, exclusive.
    pub flushed_offset: i64,
    /// The segment in which that offset lies, by its base offset.
    pub segment_base_offset: i64,
    /// Where in that segment's file the batch with that offset begins or will begin.
    pub position: u32,
    /// Everything below was committed, exclusive; a lower bound.
    pub high_watermark: i64,
    /// Whether it is the end of the log: the log was closed, and nothing was appended since.
    pub closed: bool,
}

/// What the producers of the log were at an offset, and where the batches behind it lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerSnapshot {
    /// It holds for everything below, exclusive.
    pub offset: i64,
    /// Its bytes, empty if there was nothing to remember; `None` where they lie in a file that is
    /// named for the offset, because they are many.
    pub bytes: Option<Bytes>,
    /// The segment from which on what follows is read, by its base offset.
    pub segment_base_offset: i64,
    /// Where in that segment's file a batch begins, at or before `offset`.
    pub position: u32,
    /// That batch's base offset.
    pub position_offset: i64,
}

/// The facts about one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupState {
    /// Which replica life this is, from 0.
    pub life: u32,
    /// The offset of the metadata record that created the topic.
    pub creation_offset: i64,
    /// Whether only the tombstone is left.
    pub removed: bool,
    /// Something was acknowledged that wasn't flushed.
    pub caching: bool,
    /// Something acknowledged may be lost.
    pub lossy: bool,
    /// The epoch that the replica is in.
    pub epoch: i32,
    /// Whom it voted for in that epoch; −1 for nobody.
    pub voted_for: i32,
    /// Where the log begins.
    pub log_start: LogStart,
    /// Every epoch that has offsets, oldest first; shared with the log.
    pub epochs: Arc<[EpochStart]>,
    /// Control entries behind the log start, oldest first; before them the one that names the
    /// voters there, if one does.
    pub controls: Vec<ControlEntry>,
    /// The manifest, oldest first.
    pub segments: Vec<SegmentEntry>,
    /// The last checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// The last snapshot of the producers.
    pub producers: Option<Box<ProducerSnapshot>>,
    /// Up to where compaction has come, exclusive; 0 before the first time.
    pub clean_offset: i64,
}

/// A record that doesn't fit what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Misfit(pub(crate) &'static str);

impl GroupState {
    /// A group without anything.
    pub(crate) fn new(life: u32, creation_offset: i64) -> Self {
        Self {
            life,
            creation_offset,
            removed: false,
            caching: false,
            lossy: false,
            epoch: 0,
            voted_for: -1,
            log_start: LogStart::ZERO,
            epochs: Arc::default(),
            controls: Vec::new(),
            segments: Vec::new(),
            checkpoint: None,
            producers: None,
            clean_offset: 0,
        }
    }

    /// The epoch of the batch with that offset, or `None` where no epoch has begun.
    #[must_use]
    pub fn epoch_at(&self, offset: i64) -> Option<i32> {
        let after = self.epochs.partition_point(|start| start.start_offset <= offset);
        Some(self.epochs.get(after.checked_sub(1)?)?.epoch)
    }

    /// A log start with all control entries up to it before it.
    #[must_use]
    pub fn start_at(&self, offset: i64) -> LogStart {
        let already_before = self.log_start.control_sequence;
        let is_passed = |e: &&ControlEntry| e.offset <= offset && e.sequence > already_before;
        match self.controls.iter().rfind(is_passed) {
            None => LogStart { offset, ..self.log_start },
            Some(&ControlEntry { epoch, sequence: control_sequence, .. }) => {
                LogStart { offset, epoch, control_sequence }
            }
        }
    }

    /// Changes the state as `record` says.
    pub(crate) fn apply(&mut self, record: &StateRecord) -> Result<(), Misfit> {
        match record {
            StateRecord::Removed => {
                *self = Self::new(self.life, self.creation_offset);
                self.removed = true;
            }
            StateRecord::Vote { epoch, voted_for } => self.vote(*epoch, *voted_for)?,
            StateRecord::Epoch(start) => self.begin_epoch(*start)?,
            StateRecord::Control(entry) => self.append_control(entry.clone())?,
            StateRecord::Cut { offset, epoch, control_sequence } => {
                self.cut(*offset, *epoch, *control_sequence);
            }
            StateRecord::Segment(segment) => self.add_segment(*segment)?,
            StateRecord::Sealed(sealed) => {
                let last = self.segments.last_mut().ok_or(Misfit("sealed without a segment"))?;
                last.sealed = Some(*sealed);
            }
            StateRecord::ControlsDropped { from } => {
                self.controls.retain(|entry| entry.sequence < *from);
            }
            StateRecord::LogStart(start) => self.move_start(*start)?,
            StateRecord::Checkpoint(checkpoint) => self.checkpoint = Some(*checkpoint),
            StateRecord::Flags { caching, lossy } => {
                (self.caching, self.lossy) = (*caching, *lossy);
            }
            StateRecord::Producers(snapshot) => {
                self.producers = Some(Box::new(snapshot.clone()));
            }
            StateRecord::Reset { offset } => self.reset(*offset),
            StateRecord::Cleaned(cleaned) => self.replace_cleaned(cleaned)?,
            StateRecord::CleanOffset { offset } => self.clean_offset = *offset,
            StateRecord::Opened(_)
            | StateRecord::Run(_)
            | StateRecord::Cluster(_)
            | StateRecord::Closed
            | StateRecord::Created { .. }
            | StateRecord::Forgotten => return Err(Misfit("not about the state of a group")),
        }
        Ok(())
    }

    fn vote(&mut self, epoch: i32, voted_for: i32) -> Result<(), Misfit> {
        if epoch < self.epoch {
            return Err(Misfit("an epoch goes back"));
        }
        if epoch == self.epoch && self.voted_for >= 0 && self.voted_for != voted_for {
            return Err(Misfit("a second vote in one epoch"));
        }
        (self.epoch, self.voted_for) = (epoch, voted_for);
        Ok(())
    }

    fn begin_epoch(&mut self, start: EpochStart) -> Result<(), Misfit> {
        let mut before = &self.epochs[..];
        if let Some((last, others)) = before.split_last() {
            if start.epoch <= last.epoch || start.start_offset < last.start_offset {
                return Err(Misfit("an epoch begins before the one before it"));
            }
            if start.start_offset == last.start_offset {
                // The one before has no offsets.
                before = others;
            }
        }
        self.epochs = shared_epochs(before.iter().copied().chain([start]));
        Ok(())
    }

    pub(super) fn append_control(&mut self, entry: ControlEntry) -> Result<(), Misfit> {
        if self.controls.last().is_some_and(|last| entry.sequence <= last.sequence) {
            return Err(Misfit("a control sequence goes back"));
        }
        // Elections are rare, and idle groups many.
        self.controls.reserve_exact(1);
        self.controls.push(entry);
        Ok(())
    }

    fn cut(&mut self, offset: i64, epoch: i32, control_sequence: u64) {
        self.clean_offset = self.clean_offset.min(offset);
        self.controls.retain(|entry| entry.sequence <= control_sequence);
        let survives = |start: &&EpochStart| start.epoch <= epoch && start.start_offset <= offset;
        self.epochs = shared_epochs(self.epochs.iter().filter(survives).copied());
        // The segment that holds the cut stays; it is sealed in the same step.
        while self.segments.len() > 1
            && self.segments.last().is_some_and(|last| last.base_offset >= offset)
        {
            self.segments.pop();
        }
        if let Some(checkpoint) = &mut self.checkpoint
            && checkpoint.flushed_offset > offset
        {
            self.checkpoint = None;
        }
    }

    fn add_segment(&mut self, segment: SegmentEntry) -> Result<(), Misfit> {
        if let Some(last) = self.segments.last() {
            if segment.base_offset < last.base_offset {
                return Err(Misfit("a segment begins before the one before it"));
            }
            if segment.base_offset == last.base_offset {
                // The one before holds nothing that survives.
                if segment.generation <= last.generation {
                    return Err(Misfit("a generation goes back"));
                }
                self.segments.pop();
            } else if last.sealed.is_none() {
                return Err(Misfit("a segment behind one that is not sealed"));
            }
        }
        push(&mut self.segments, segment);
        Ok(())
    }

    fn move_start(&mut self, start: LogStart) -> Result<(), Misfit> {
        let LogStart { offset, control_sequence, .. } = start;
        let before = self.log_start;
        if offset < before.offset || control_sequence < before.control_sequence {
            return Err(Misfit("the log start goes back"));
        }
        self.log_start = start;
        let is_before = |entry: &ControlEntry| entry.sequence <= control_sequence;
        let names_voters = |entry: &&ControlEntry| is_before(entry) && !entry.payload.is_empty();
        let voters = self.controls.iter().rfind(names_voters).map(|entry| entry.sequence);
        self.controls.retain(|entry| !is_before(entry) || Some(entry.sequence) == voters);
        // A segment is wholly below when the next one begins at or below the start.
        let below = self.segments.iter().skip(1).take_while(|s| s.base_offset <= offset).count();
        self.segments.drain(..below);
        let below = self.epochs.iter().skip(1).take_while(|e| e.start_offset <= offset).count();
        // The first epoch keeps its start: the segment that holds the log start begins before it.
        self.epochs = shared_epochs(self.epochs[below..].iter().copied());
        Ok(())
    }

    /// Puts a segment in the place of those that it was made from.
    fn replace_cleaned(&mut self, cleaned: &CleanedSegments) -> Result<(), Misfit> {
        let CleanedSegments { base_offset, end_offset, generation, sealed } = *cleaned;
        let find = |offset| self.segments.iter().position(|it| it.base_offset == offset);
        let (Some(first), Some(next)) = (find(base_offset), find(end_offset)) else {
            return Err(Misfit("no segments that were cleaned"));
        };
        let old = self.segments.get(first..next).unwrap_or_default();
        let is_older = |it: &SegmentEntry| it.sealed.is_some() && it.generation < generation;
        if old.is_empty() || !old.iter().all(is_older) {
            return Err(Misfit("a cleaned segment that doesn't follow those it replaces"));
        }
        let new = SegmentEntry { base_offset, generation, sealed: Some(sealed) };
        self.segments.splice(first..next, [new]);
        if let Some(snapshot) = &mut self.producers
            && (base_offset..end_offset).contains(&snapshot.segment_base_offset)
        {
            // Where it pointed to is another file's place.
            snapshot.segment_base_offset = base_offset;
            (snapshot.position, snapshot.position_offset) = (HEADER_BYTES, base_offset);
        }
        Ok(())
    }

    fn reset(&mut self, offset: i64) {
        self.clean_offset = offset;
        self.log_start = LogStart { offset, ..LogStart::ZERO };
        (self.epochs, self.controls, self.segments) = (Arc::default(), Vec::new(), Vec::new());
        (self.checkpoint, self.producers) = (None, None);
    }

    /// The records that make this state from nothing.
    pub(crate) fn records(&self) -> Vec<StateRecord> {
        let (life, creation_offset) = (self.life, self.creation_offset);
        let mut records = vec![StateRecord::Created { life, creation_offset }];
        if self.removed {
            records.push(StateRecord::Removed);
            return records;
        }
        if self.epoch != 0 || self.voted_for != -1 {
            records.push(StateRecord::Vote { epoch: self.epoch, voted_for: self.voted_for });
        }
        if self.log_start != LogStart::ZERO {
            records.push(StateRecord::LogStart(self.log_start));
        }
        records.extend(self.epochs.iter().copied().map(StateRecord::Epoch));
        records.extend(self.controls.iter().cloned().map(StateRecord::Control));
        records.extend(self.segments.iter().copied().map(StateRecord::Segment));
        records.extend(self.checkpoint.map(StateRecord::Checkpoint));
        records.extend(self.producers.as_deref().cloned().map(StateRecord::Producers));
        if self.clean_offset != 0 {
            records.push(StateRecord::CleanOffset { offset: self.clean_offset });
        }
        if self.caching || self.lossy {
            records.push(StateRecord::Flags { caching: self.caching, lossy: self.lossy });
        }
        records
    }
}

/// Pushes without room for more where it is the first: most lists of idle groups have one.
fn push<T>(list: &mut Vec<T>, item: T) {
    if list.capacity() == 0 {
        list.reserve_exact(1);
    }
    list.push(item);
}

/// Epochs that are shared where a group has no other: most groups are idle, and have had few.
const SHARED_EPOCHS: usize = 64;

/// The lists of groups that have had none but one epoch, from the beginning of their logs.
static FIRST_EPOCHS: LazyLock<[Arc<[EpochStart]>; SHARED_EPOCHS]> = LazyLock::new(|| {
    std::array::from_fn(|epoch| {
        let epoch = i32::try_from(epoch).expect("there are few");
        [EpochStart { epoch, start_offset: 0 }].into()
    })
});

/// A list of epochs, to be shared.
pub(crate) fn shared_epochs(epochs: impl Iterator<Item = EpochStart>) -> Arc<[EpochStart]> {
    let epochs: Vec<EpochStart> = epochs.collect();
    let known = match epochs[..] {
        [] => return Arc::default(),
        [EpochStart { epoch, start_offset: 0 }] => usize::try_from(epoch).ok(),
        _ => None,
    };
    known.and_then(|epoch| FIRST_EPOCHS.get(epoch).cloned()).unwrap_or_else(|| epochs.into())
}
