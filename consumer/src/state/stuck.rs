//! What holds partitions up: since when nothing could be read of one, and why. What may pass is
//! tried again by itself, so nobody would hear of it.
//!
//! **Invariant:** a partition of which nothing is queued stands as stuck from the first attempt
//! that failed until one has succeeded, it is sought, or it is paused: then nobody tries.

use std::time::Duration;

use tokio::time::Instant;

use logboom_client::ClientError;

use super::State;
use super::slot::Slot;
use crate::{Stuck, TopicPartition};

/// For how long a partition is stuck before that is worth a warning: a leader that is killed has a
/// successor by then.
const WARNS_AFTER: Duration = Duration::from_secs(5);

/// What holds a partition up.
#[derive(Debug)]
pub(crate) struct Hindrance {
    /// When the first attempt failed.
    since: Instant,
    /// Why the last one did.
    error: ClientError,
    was_warned_of: bool,
}

impl Slot {
    /// An attempt has failed. What is queued can be read meanwhile.
    pub(super) fn hinder(&mut self, place: &TopicPartition, now: Instant, error: ClientError) {
        if self.is_paused || !self.queue.is_empty() {
            return;
        }
        let (since, was_warned_of) =
            self.hindrance.take().map_or((now, false), |one| (one.since, one.was_warned_of));
        let warns = now.duration_since(since) >= WARNS_AFTER;
        if warns && !was_warned_of {
            let seconds = now.duration_since(since).as_secs();
            tracing::warn!(%place, seconds, %error, "nothing can be read of a partition");
        }
        self.hindrance = Some(Hindrance { since, error, was_warned_of: was_warned_of || warns });
    }

    /// An attempt has succeeded.
    pub(super) fn free(&mut self, place: &TopicPartition) {
        if self.hindrance.take().is_some_and(|one| one.was_warned_of) {
            tracing::info!(%place, "a partition can be read again");
        }
    }
}

impl State {
    /// The partitions of which nothing can be read now, with since when and why.
    pub(crate) fn stuck(&self, now: Instant) -> Vec<Stuck> {
        let one = |(place, slot): (&TopicPartition, &Slot)| {
            let Hindrance { since, error, .. } = slot.hindrance.as_ref()?;
            let (partition, lasting) = (place.clone(), now.duration_since(*since));
            Some(Stuck { partition, lasting, error: error.clone().into() })
        };
        self.slots.iter().filter_map(one).collect()
    }

    /// A broker has answered, and said nothing of these that it was asked for: with them all is
    /// well, and there is no news.
    pub(super) fn free_unmentioned(
        &mut self,
        broker: i32,
        mentioned: &[TopicPartition],
        now: Instant,
    ) {
        let Some(state) = self.brokers.get(&broker) else { return };
        let stuck = self.slots.iter_mut().filter(|(_, slot)| slot.hindrance.is_some());
        for (place, slot) in stuck.filter(|(place, _)| !mentioned.contains(place)) {
            let asked = state.session.asked().get(place);
            if asked.is_some_and(|asked| slot.expects(broker, *asked, now)) {
                slot.free(place);
            }
        }
    }
}
