//! What answers change about where partitions go on: what the group has committed, what was found,
//! and whether what was read is still there.

use tokio::time::Instant;

use logboom_client::{ClientError, CommittedOffset, EpochEnd, FoundOffset};

use super::State;
use super::plan::Question;
use super::slot::{Place, Position};
use crate::{ConsumerError, Start, TopicPartition};

impl State {
    /// What the group has committed for partitions; nothing for who has no group.
    pub(crate) fn take_committed(
        &mut self,
        questions: &[Question],
        result: Result<Vec<CommittedOffset>, ClientError>,
        now: Instant,
    ) {
        let told = match result {
            Ok(told) => told,
            Err(error) => return self.fail(questions, &error, now),
        };
        for question in questions {
            let place = &question.place;
            let committed = told
                .iter()
                .find(|one| one.partition == place.partition && *one.topic == *place.topic);
            let Some(slot) = self.answered(question) else { continue };
            match committed {
                Some(one) => {
                    slot.committed = Some(one.offset);
                    // Who has read so far knew a newer leader than we may.
                    let is_old = slot.hear_of_epoch(one.leader_epoch);
                    slot.stand(Position { offset: one.offset, epoch: one.leader_epoch });
                    if is_old {
                        self.doubt(&place.topic);
                    }
                }
                None => self.reset(place, now, |partition| ConsumerError::NoOffset { partition }),
            }
        }
    }

    /// Where searches have led to.
    pub(crate) fn take_found(
        &mut self,
        questions: &[Question],
        results: Vec<Result<FoundOffset, ClientError>>,
        now: Instant,
    ) {
        let (initial, max) = self.pauses();
        for (question, result) in questions.iter().zip(results) {
            let found = match result {
                Ok(found) => found,
                Err(error) => {
                    self.fail(std::slice::from_ref(question), &error, now);
                    continue;
                }
            };
            let Some(slot) = self.answered(question) else { continue };
            let epoch = found.leader_epoch.unwrap_or(-1);
            let found = found.offset.map(|offset| Position { offset, epoch });
            match (slot.place, found) {
                (Place::EndFirst(millis), Some(end)) => slot.place = Place::Time { millis, end },
                (Place::Time { end, .. }, found) => slot.stand(found.unwrap_or(end)),
                (_, Some(at)) => slot.stand(at),
                // Every partition has a beginning and an end.
                (_, None) => slot.back_off(now, initial, max),
            }
        }
    }

    /// Whether what was read is still there.
    pub(crate) fn take_epochs(
        &mut self,
        questions: &[Question],
        result: Result<Vec<Result<EpochEnd, ClientError>>, ClientError>,
        now: Instant,
    ) {
        let ends = match result {
            Ok(ends) => ends,
            // A broker that can't tell is believed.
            Err(ClientError::UnsupportedVersion { .. }) => {
                questions.iter().for_each(|one| self.trust(one));
                return;
            }
            Err(error) => return self.fail(questions, &error, now),
        };
        for (question, end) in questions.iter().zip(ends) {
            match end {
                Ok(end) => self.compare(question, end, now),
                Err(error) => self.fail(std::slice::from_ref(question), &error, now),
            }
        }
    }

    fn trust(&mut self, question: &Question) {
        if let Some(slot) = self.answered(question) {
            slot.is_doubted = false;
        }
    }

    /// What was fetched ahead and is gone is fetched again. Only what was handed out and is gone is
    /// a loss.
    fn compare(&mut self, question: &Question, end: EpochEnd, now: Instant) {
        let Some(slot) = self.answered(question) else { return };
        let Some(at) = slot.position() else { return };
        if slot.leader_epoch() != question.leader_epoch {
            // There is a newer leader, who is asked next.
            return;
        }
        let diverging = end.epoch.zip(end.end_offset);
        if diverging.is_some_and(|(_, diverging)| diverging >= at.offset) {
            slot.is_doubted = false;
        } else if slot.is_ahead() {
            self.rewind(&question.place);
        } else {
            let diverging = diverging.map(|(epoch, offset)| Position { offset, epoch });
            self.lose_records(&question.place, at.offset, diverging, now);
        }
    }

    /// Records that were handed out are gone. As the reference: it goes on where the logs parted,
    /// and reads what is there now; without a reset it stays where it is until it is sought.
    fn lose_records(
        &mut self,
        place: &TopicPartition,
        offset: i64,
        diverging: Option<Position>,
        now: Instant,
    ) {
        let from = diverging.map(|at| at.offset);
        tracing::warn!(%place, offset, diverging = from, "records that were read are gone");
        metrics::counter!("logboom_consumer_truncations_total").increment(1);
        let resets = self.config.reset.spec().is_some();
        if resets && let Some(at) = diverging {
            self.seek(place, Start::Offset(at.offset));
            if let Some(slot) = self.slots.get_mut(place) {
                slot.stand(at);
                slot.is_doubted = false;
            }
        } else {
            let diverging = from;
            self.reset(place, now, |partition| ConsumerError::Truncated {
                partition,
                offset,
                diverging,
            });
        }
    }
}
