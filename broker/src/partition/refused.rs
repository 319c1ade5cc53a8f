//! Producers whose batch was refused for now, and who have sent others behind it meanwhile.
//!
//! Those don't fit while the first is missing, and are refused as it was. librdkafka takes "out of
//! order" for a lost batch: it raises its epoch, and sends anew under other numbers what it isn't
//! sure of, also what stands in the logs of other partitions. And of a producer that isn't known
//! yet any batch is the first: one behind a refused one would be taken in its place.

use std::collections::BTreeMap;

use logboom_storage::producers::{BatchFacts, ProducerError, Verdict};

use super::replica::{Append, AppendError, Replica};

/// Batches that an idempotent producer may have in flight behind one
/// (`max.in.flight.requests.per.connection` is 5 at the most).
const BEHIND_MAX: u8 = 4;
/// Producers that are remembered: what they cost is bounded, whoever makes up their ids.
const PRODUCERS_MAX: usize = 64;

/// The first batch of a producer that is refused.
struct First {
    epoch: i16,
    sequence: i32,
    why: AppendError,
    /// How many more may be behind it.
    left: u8,
}

/// The first refused batch of each producer, by the producer's id.
#[derive(Default)]
pub(super) struct Refused(BTreeMap<i64, First>);

impl Refused {
    /// Remembers that a batch is refused which its producer will send again.
    pub(super) fn note(&mut self, batch: &BatchFacts, why: &AppendError) {
        let &BatchFacts { producer_id, producer_epoch: epoch, base_sequence: sequence, .. } = batch;
        if producer_id < 0 || sequence < 0 {
            return;
        }
        let known = self.0.get(&producer_id);
        let stays = |it: &First| it.epoch > epoch || it.epoch == epoch && it.sequence < sequence;
        if known.is_some_and(stays) {
            return;
        }
        if known.is_none() && self.0.len() == PRODUCERS_MAX {
            self.0.pop_first();
        }
        let first = First { epoch, sequence, why: why.clone(), left: BEHIND_MAX };
        self.0.insert(producer_id, first);
    }

    /// Why a batch that doesn't fit is refused, if one was refused that it was sent behind.
    fn behind(&mut self, batch: &BatchFacts) -> Option<AppendError> {
        let first = self.0.get_mut(&batch.producer_id)?;
        let is_behind = first.epoch == batch.producer_epoch && first.sequence < batch.base_sequence;
        if !is_behind || first.left == 0 {
            return None;
        }
        first.left -= 1;
        Some(first.why.clone())
    }

    /// A batch of a producer is taken.
    pub(super) fn forget(&mut self, producer_id: i64) {
        self.0.remove(&producer_id);
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
        let verdict = producers.check(batch);
        let does_fit = match verdict {
            Err(ProducerError::OutOfOrderSequence { .. }) => false,
            Ok(Verdict::New) => {
                self.refused.0.is_empty() || producers.entry(batch.producer_id).is_some()
            }
            _ => true,
        };
        let why = if does_fit { None } else { self.refused.behind(batch) };
        why.map_or(verdict.map_err(AppendError::Producer), Err)
    }
}
