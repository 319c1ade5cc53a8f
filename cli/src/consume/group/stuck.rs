//! What holds the member up and may pass: it is said soon, and waited for as long as the caller is
//! patient. Who reads on for ever, and hasn't said for how long it waits, waits: of other
//! partitions there is more to come.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use logboom_client::{ClientError, Cluster};
use logboom_consumer::{Stuck, TopicPartition};

use logboom_protocol::ErrorCode;

use super::ledger::Account;
use crate::client::Failure;

/// What lasts for less isn't worth a word: a leader that is killed has a successor by then. Nor is
/// anything said sooner again: what holds up many partitions doesn't do so in the same moment.
const SAID_AFTER: Duration = Duration::from_secs(2);
/// How many partitions are named of those that are waited for.
const NAMED_MAX: usize = 3;
/// Between looks whether the topic is there of which the group gives nothing.
const TOPIC_INTERVAL: Duration = Duration::from_secs(1);

/// For how long is waited, and what of it was said.
#[derive(Debug)]
pub(super) struct Patience {
    /// `None`: for ever.
    limit: Option<Duration>,
    said: BTreeSet<TopicPartition>,
    said_at: Option<Instant>,
}

impl Patience {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, said: BTreeSet::new(), said_at: None }
    }

    /// Says what is waited for, once each time, all partitions on one line.
    ///
    /// # Errors
    /// It was waited for long enough.
    pub(super) fn heed(&mut self, group: &str, stuck: &[Stuck]) -> Result<(), Failure> {
        let is_over = |one: &&Stuck| self.limit.is_some_and(|limit| one.lasting >= limit);
        if let Some(one) = stuck.iter().filter(is_over).max_by_key(|one| one.lasting) {
            let (place, seconds) = (&one.partition, one.lasting.as_secs());
            let why = Failure::from(one.error.clone()).to_string();
            // Errors about it name it, too.
            let why = why.trim_start_matches(&format!("partition {place}: "));
            return Err(Failure::Failed(format!(
                "partition {place}: nothing can be read for {seconds} s: {why}"
            )));
        }
        let stuck: Vec<_> = stuck.iter().map(Waiting::of).collect();
        if let Some(waited_for) = self.news(&stuck, Instant::now()) {
            crate::complain(&format!("logboom consume: group {group}: waits for {waited_for}"));
        }
        Ok(())
    }

    /// What is to be said of partitions of which nothing was said since they are stuck.
    fn news(&mut self, stuck: &[Waiting<'_>], now: Instant) -> Option<String> {
        let places: BTreeSet<_> = stuck.iter().map(|one| one.place).collect();
        self.said.retain(|place| places.contains(place));
        let new = || stuck.iter().filter(|one| !self.said.contains(one.place));
        let longest = new().max_by_key(|one| one.lasting)?;
        let is_early = self.said_at.is_some_and(|at| now.duration_since(at) < SAID_AFTER);
        if is_early || longest.lasting < SAID_AFTER {
            return None;
        }
        let places: BTreeSet<_> = new().map(|one| one.place.clone()).collect();
        let text = described(&places, longest.place, &longest.why.to_string());
        self.said.extend(places);
        self.said_at = Some(now);
        Some(text)
    }
}

/// A partition that is waited for.
struct Waiting<'a> {
    place: &'a TopicPartition,
    lasting: Duration,
    why: &'a dyn fmt::Display,
}

impl<'a> Waiting<'a> {
    fn of(stuck: &'a Stuck) -> Self {
        Self { place: &stuck.partition, lasting: stuck.lasting, why: &stuck.error }
    }
}

/// "partition t-0: why", or "4 partitions, t-0, t-1, t-2 and others; partition t-0: why".
///
/// - `whose`: the one that `why` is about.
fn described(places: &BTreeSet<TopicPartition>, whose: &TopicPartition, why: &str) -> String {
    let whose = format!("partition {whose}: ");
    let reason = format!("{whose}{}", why.trim_start_matches(&whose));
    if places.len() == 1 {
        return reason;
    }
    let named: Vec<_> = places.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    let others = if places.len() > NAMED_MAX { " and others" } else { "" };
    format!("{} partitions, {}{others}; {reason}", places.len(), named.join(", "))
}

/// Ends when the group has given nothing for as long as the caller is patient, because the topic
/// isn't there. Where others have all partitions, or brokers can't be asked, it waits on: joins and
/// heartbeats count that.
pub(super) async fn topic_gone(cluster: Cluster, topic: String, account: Account) -> Failure {
    let mut since = None;
    loop {
        sleep(TOPIC_INTERVAL).await;
        if !account.ledger().has_nothing() {
            since = None;
            continue;
        }
        let Ok(image) = cluster.image(Some(&[&topic])).await else { continue };
        if image.refused.get(&topic) != Some(&ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) {
            since = None;
        } else if since.get_or_insert_with(Instant::now).elapsed() >= cluster.config().api_timeout {
            return ClientError::UnknownTopic { topic }.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_many_partitions_up_is_one_line_and_said_once() {
        let places: Vec<_> = (0..201).map(|number| TopicPartition::new("t", number)).collect();
        let waiting = |range: std::ops::Range<usize>, seconds| {
            let lasting = Duration::from_secs(seconds);
            let one = move |place| Waiting { place, lasting, why: &"it has no leader" };
            places[range].iter().map(one)
        };
        let (mut patience, begin) = (Patience::new(None), Instant::now());
        let mut news = |stuck: &[Waiting<'_>], now| patience.news(stuck, now);
        let early: Vec<_> = waiting(0..200, 1).collect();
        assert_eq!(news(&early, begin), None, "it may be over soon");
        // They weren't asked for in the same moment.
        let mut all: Vec<_> = waiting(1..100, 2).chain(waiting(100..200, 1)).collect();
        let said = news(&all, begin).unwrap();
        let named = "199 partitions, t-1, t-2, t-3 and others; partition t-";
        assert!(said.starts_with(named) && said.ends_with(": it has no leader"), "{said}");
        all.extend(waiting(200..201, 2));
        assert_eq!(news(&all, begin + SAID_AFTER / 2), None, "too soon");
        let (later, again) = (begin + SAID_AFTER, begin + 2 * SAID_AFTER);
        assert_eq!(news(&all, later).unwrap(), "partition t-200: it has no leader");
        assert_eq!(news(&all, again), None, "it was said");
        assert_eq!(news(&[], again), None);
        let both: Vec<_> = waiting(0..2, 3).collect();
        let said = news(&both, again).unwrap();
        assert!(said.starts_with("2 partitions, t-0, t-1; partition t-"), "{said}");
    }
}
