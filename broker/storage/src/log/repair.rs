//! Repair: a damaged segment is made anew of what is good in it and what other replicas have.
//!
//! ```text
//!   damaged   [ a b c ✗ ✗ f g ]          other replicas have [ d e ]
//!                    │ good batches copied, the others fetched and checked
//!                    ▼
//!   new file  [ a b c d e f g ] ─▶ flushed ─▶ one frame of the manifest ─▶ the old file goes
//! ```
//!
//! Only what is committed is fetched: of it there is one version. A replica that was compacted may
//! have fewer records, and a batch without any in the place of those that are gone; that is taken,
//! as a follower takes it. One that was compacted less far may have records that are gone for good
//! here, so it isn't asked ([`LogView::compacted_to`]).
//!
//! What was deleted is fetched from nobody: below the log start, of which others may have nothing
//! any more, an empty batch stands for the offsets that are missing.
//!
//! Must always hold: what is fetched has exactly the offsets that are missing, a right checksum,
//! and the epochs that belong there; nothing is written in place.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use logboom_protocol::records::{RawBatch, RawBatches, gap_batch};

use super::clean::rewrite::Output;
use super::scrub::end_of;
use super::{CleanError, Cleaned, Hole, LogView, Pace, Segment};
use crate::error::{Damage, StorageError};
use crate::scan::{Expected, Place, check_batch, scan};
use crate::segment::HEADER_BYTES;

/// Where what is missing is fetched.
pub trait OtherReplicas {
    /// Whole batches from the one that holds `offset` on, below `until`; `None` where nobody has
    /// them.
    ///
    /// - `compacted_to`: who has them is compacted at least up to there.
    fn fetch(&mut self, offset: i64, until: i64, compacted_to: i64) -> Option<Bytes>;

    /// What came last isn't what it should be: that replica isn't asked again.
    fn refuse(&mut self, why: &Damage);
}

/// Why nothing was repaired.
#[derive(Debug)]
pub enum RepairError {
    /// It was told to stop.
    Stopped,
    /// No other replica gave what is missing, from this offset on.
    Nobody(i64),
    /// The log can't be read, or the new file not be written. The log is as it was.
    Storage(StorageError),
}

impl fmt::Display for RepairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped"),
            Self::Nobody(offset) => write!(f, "no other replica gives offset {offset}"),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RepairError {}

impl From<StorageError> for RepairError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<CleanError> for RepairError {
    fn from(error: CleanError) -> Self {
        match error {
            CleanError::Stopped => Self::Stopped,
            CleanError::Storage(error) => Self::Storage(error),
        }
    }
}

impl LogView {
    /// Up to where the log is compacted, exclusive: below, what is gone is gone for good.
    #[must_use]
    pub fn compacted_to(&self) -> i64 {
        let state = &self.shared.state;
        state.group(&self.key, |group| group.map_or(0, |group| group.clean_offset))
    }

    /// Makes the first damaged segment anew, durable with its name, for the owner of the log to put
    /// in its place ([`super::Log::swap`]). `None` where nothing can be repaired at the moment:
    /// what isn't committed yet is left alone. Waits for the device, and for others.
    ///
    /// # Errors
    /// [`RepairError`]. A failed write or flush takes the directory out of service.
    pub fn repair(
        self: &Arc<Self>,
        others: &mut dyn OtherReplicas,
        pace: &mut (dyn Pace + Send),
    ) -> Result<Option<Cleaned>, RepairError> {
        let Some(segment) = self.settled().into_iter().find(|it| it.is_damaged()) else {
            return Ok(None);
        };
        let holes = self.look(&segment, pace)?;
        segment.fence(holes.clone());
        if holes.is_empty() {
            // It can be read again.
            return Ok(None);
        }
        let output = Output::create(self, &segment)?;
        let mut mending = Mending { view: self, segment: &segment, output };
        let mut at = Place { position: HEADER_BYTES, offset: segment.base_offset };
        for hole in holes {
            mending.copy(at, hole.position, pace)?;
            mending.fetch(&hole, others, pace)?;
            at = Place { position: hole.end_position, offset: hole.end_offset };
        }
        mending.copy(at, segment.log_bytes(), pace)?;
        let output = mending.output;
        let new = Some(output.finish(vec![Arc::clone(&segment)], pace)?);
        Ok(Some(Cleaned { new, clean_offset: None }))
    }
}

impl LogView {
    /// Looks closely at the first damaged segment: what can be read again is served again. Waits
    /// for the device.
    ///
    /// # Errors
    /// [`CleanError`]; damage is none.
    pub fn look_again(&self, pace: &mut (dyn Pace + Send)) -> Result<(), CleanError> {
        if let Some(segment) = self.sealed(i64::MAX).into_iter().find(|it| it.is_damaged()) {
            segment.fence(self.look(&segment, pace)?);
        }
        Ok(())
    }
}

/// A segment that is being made anew.
struct Mending<'a> {
    view: &'a LogView,
    segment: &'a Segment,
    output: Output,
}

impl Mending<'_> {
    /// Copies good batches up to a position.
    fn copy(&mut self, from: Place, until: u32, pace: &mut dyn Pace) -> Result<(), RepairError> {
        if from.position >= until {
            return Ok(());
        }
        let path = self.segment.path(&self.view.shared, &self.view.key);
        let file = self.view.open_apart(self.segment, &path)?;
        let file = file.map_err(|what| StorageError::corrupt(&path, 0, what))?;
        let epochs = self.view.epochs();
        let expected = Expected { epochs: &epochs, gaps: false };
        let mut spilled = Ok(());
        let mut take = |_, batch: &RawBatch<'_>| {
            if spilled.is_ok() {
                self.output.take(batch.bytes(), batch.header());
                spilled = self.output.spill(pace);
            }
        };
        let (end, why) = scan(&*file, &path, from, until, &expected, &mut take)?;
        spilled?;
        if end.position < until {
            // It was good a moment ago.
            let what = Damage::Unreadable(format!("{why:?}"));
            return Err(StorageError::corrupt(&path, end.position.into(), what).into());
        }
        Ok(())
    }

    /// Fetches what is missing.
    fn fetch(
        &mut self,
        hole: &Hole,
        others: &mut dyn OtherReplicas,
        pace: &mut dyn Pace,
    ) -> Result<(), RepairError> {
        let compacted_to = self.view.compacted_to();
        let compacted_to = if self.segment.base_offset < compacted_to { compacted_to } else { 0 };
        let (mut next, until) = (hole.offset, hole.end_offset);
        let start = self.view.log_start_offset();
        if start >= until {
            self.leave_out(next, until)?;
            return Ok(());
        }
        while next < until {
            let kept = next.max(start);
            let bytes = others.fetch(kept, until, compacted_to).ok_or(RepairError::Nobody(kept))?;
            if next < kept {
                // The log may start within a batch.
                let first = RawBatch::split_first(&bytes).ok();
                let base = first.map_or(kept, |(batch, _)| batch.header().base_offset);
                next = self.leave_out(next, base.clamp(next, kept))?;
            }
            let (reached, refused) = self.take(&bytes, next, until);
            if reached == next {
                others.refuse(&refused.unwrap_or(Damage::NotWritten));
            }
            next = reached;
            self.output.spill(pace)?;
        }
        Ok(())
    }

    /// Puts empty batches in the place of offsets that were deleted; returns their end, exclusive.
    fn leave_out(&mut self, from: i64, until: i64) -> Result<i64, RepairError> {
        let mut next = from;
        while next < until {
            let last_offset_delta = i32::try_from(until - next - 1).unwrap_or(i32::MAX);
            // Below the log start epochs are forgotten, and then any will do.
            let epoch = self.view.epoch_at(next).unwrap_or(0);
            let gap = gap_batch(next, last_offset_delta, epoch);
            let (gap, _) = RawBatch::split_first(&gap).expect("it was just made");
            self.output.take(gap.bytes(), gap.header());
            next = end_of(&gap);
        }
        Ok(next)
    }

    /// Takes the batches that continue the new file; returns up to where, and what stopped it.
    fn take(&mut self, bytes: &Bytes, from: i64, until: i64) -> (i64, Option<Damage>) {
        let mut next = from;
        for batch in RawBatches::new(bytes) {
            let taken = batch.map_err(Damage::Batch).and_then(|it| self.take_one(&it, next, until));
            match taken {
                Ok(reached) => next = reached,
                Err(damage) => return (next, Some(damage)),
            }
            if next >= until {
                break;
            }
        }
        (next, None)
    }

    /// Takes a batch that has the next offset, or of one without records the part that is missing.
    fn take_one(&mut self, batch: &RawBatch<'_>, next: i64, until: i64) -> Result<i64, Damage> {
        let epochs = self.view.epochs();
        let expected = Expected { epochs: &epochs, gaps: true };
        let header = batch.header();
        batch.check().map_err(Damage::Batch)?;
        let is_gap = header.record_count == 0 && header.producer_id < 0;
        let (base, end) = (header.base_offset, end_of(batch));
        if is_gap && base <= next && next < end && (base < next || end > until) {
            check_batch(batch, base, &expected)?;
            let end = end.min(until);
            let last_offset_delta = i32::try_from(end - next - 1).unwrap_or(i32::MAX);
            let part = gap_batch(next, last_offset_delta, header.leader_epoch);
            let (part, _) = RawBatch::split_first(&part).map_err(Damage::Batch)?;
            check_batch(&part, next, &expected)?;
            self.output.take(part.bytes(), part.header());
            return Ok(end);
        }
        check_batch(batch, next, &Expected { gaps: false, ..expected })?;
        if end > until {
            let (field, expected, found) = ("end of a batch", until, end);
            return Err(Damage::Relation { field, expected, found });
        }
        self.output.take(batch.bytes(), header);
        Ok(end)
    }
}
