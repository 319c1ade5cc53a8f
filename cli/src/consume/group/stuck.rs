//! What holds the member up and may pass: it is said soon, and waited for as long as the caller is
//! patient. Who reads on for ever, and hasn't said for how long it waits, waits: of other
//! partitions there is more to come.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use logboom_client::{ClientError, Cluster};
use logboom_consumer::{Stuck, TopicPartition};

use logboom_protocol::ErrorCode;

use super::ledger::Account;
use crate::client::Failure;

/// What lasts for less isn't worth a word: a leader that is killed has a successor by then.
const SAID_AFTER: Duration = Duration::from_secs(2);
/// Between looks whether the topic is there of which the group gives nothing.
const TOPIC_INTERVAL: Duration = Duration::from_secs(1);

/// For how long is waited, and what of it was said.
#[derive(Debug)]
pub(super) struct Patience {
    /// `None`: for ever.
    limit: Option<Duration>,
    said: BTreeSet<TopicPartition>,
}

impl Patience {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, said: BTreeSet::new() }
    }

    /// Says what is waited for, once each time.
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
        for one in stuck.iter().filter(|one| one.lasting >= SAID_AFTER) {
            if self.said.insert(one.partition.clone()) {
                let why = one.error.to_string();
                let place = format!("partition {}: ", one.partition);
                let why = why.trim_start_matches(&place);
                crate::complain(&format!("logboom consume: group {group}: waits for {place}{why}"));
            }
        }
        self.said.retain(|place| stuck.iter().any(|one| one.partition == *place));
        Ok(())
    }
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
