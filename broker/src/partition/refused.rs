//! Producers whose batch was refused for now, and who have sent others behind it meanwhile.
//!
//! Those don't fit while the first is missing, and are refused as it was. librdkafka takes "out of
//! order" for a lost batch: it raises its epoch, and sends anew under other numbers what it isn't
//! sure of, also what stands in the logs of other partitions. And of a producer that isn't known
//! yet any batch is the first: one behind a refused one would be taken in its place.

use logboom_storage::producers::{BatchFacts, ProducerError, Verdict};

use super::replica::{Append, AppendError, Replica};

/// Batches that an idempotent producer may have in flight behind one
/// (`max.in.flight.requests.per.connection` is 5 at the most).
const BEHIND_MAX: u8 = 4;
/// Producers that are remembered.
const PRODUCERS_MAX: usize = 16;

struct First {
    producer: (i64, i16),
    sequence: i32,
    why: AppendError,
    /// How many more may be behind it.
    left: u8,
}

/// The first refused batch of some producers, the oldest refusal first.
#[derive(Default)]
pub(super) struct Refused(Vec<First>);

impl Refused {
    /// Remembers that a batch is refused which its producer will send again.
    pub(super) fn note(&mut self, batch: &BatchFacts, why: &AppendError) {
        let sequence = batch.base_sequence;
        if batch.producer_id < 0 || sequence < 0 {
            return;
        }
        let producer = (batch.producer_id, batch.producer_epoch);
        let known = self.0.iter_mut().find(|it| it.producer == producer);
        if let Some(first) = known {
            if first.sequence.wrapping_sub(sequence) >= 0 {
                let why = why.clone();
                *first = First { producer, sequence, why, left: BEHIND_MAX };
            }
            return;
        }
        if self.0.len() == PRODUCERS_MAX {
            self.0.remove(0);
        }
        self.0.push(First { producer, sequence, why: why.clone(), left: BEHIND_MAX });
    }

    /// Why a batch that doesn't fit is refused, if one was refused that it was sent behind.
    pub(super) fn behind(&mut self, batch: &BatchFacts) -> Option<AppendError> {
        let producer = (batch.producer_id, batch.producer_epoch);
        let first = self.0.iter_mut().find(|it| it.producer == producer)?;
        let is_behind = batch.base_sequence.wrapping_sub(first.sequence) > 0;
        if !is_behind || first.left == 0 {
            return None;
        }
        first.left -= 1;
        Some(first.why.clone())
    }

    /// A batch of a producer is taken.
    pub(super) fn forget(&mut self, producer_id: i64) {
        if !self.0.is_empty() {
            self.0.retain(|it| it.producer.0 != producer_id);
        }
    }
}

impl Replica {
    /// Refuses a batch that its producer will send again, here or elsewhere.
    pub(super) fn put_off(&mut self, append: Append, why: AppendError) {
        self.refused.note(&BatchFacts::new(append.batch.header(), None), &why);
        // Whoever has gone away needs no answer.
        drop(append.reply.send(Err(why)));
    }

    /// What a batch is to its producer's others.
    pub(super) fn judge(&mut self, batch: &BatchFacts) -> Result<Verdict, AppendError> {
        let producers = self.log.producers();
        let is_first = producers.entry(batch.producer_id).is_none();
        match producers.check(batch) {
            Err(error @ ProducerError::OutOfOrderSequence { .. }) => {
                Err(self.refused.behind(batch).unwrap_or(AppendError::Producer(error)))
            }
            Err(error) => Err(AppendError::Producer(error)),
            Ok(verdict) if is_first => self.refused.behind(batch).map_or(Ok(verdict), Err),
            Ok(verdict) => Ok(verdict),
        }
    }
}
