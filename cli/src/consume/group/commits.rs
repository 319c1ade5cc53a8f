//! The commits of a member, one at a time, beside what it reads: one that isn't answered holds
//! nothing up.
//!
//! **Invariant:** what stands as committed is what the group has confirmed.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use logboom_consumer::{ConsumerControl, ConsumerError};

use super::ledger::{Account, Offsets};

/// Between commits, while records come.
const INTERVAL: Duration = Duration::from_millis(500);

pub(super) struct Commits {
    account: Account,
    last: Instant,
    under_way: Option<Commit>,
}

/// One that isn't answered.
struct Commit {
    offsets: Offsets,
    result: Pin<Box<dyn Future<Output = Result<(), ConsumerError>> + Send>>,
}

impl Commits {
    pub(super) fn new(account: Account) -> Self {
        Self { account, last: Instant::now(), under_way: None }
    }

    /// Begins one, if it is time and none is under way.
    pub(super) fn begin_if_due(&mut self, consumer: &ConsumerControl) {
        if self.under_way.is_none() && self.last.elapsed() >= INTERVAL {
            self.begin(consumer);
        }
    }

    /// Begins one of all that was written, unless the group knows it.
    fn begin(&mut self, consumer: &ConsumerControl) {
        self.last = Instant::now();
        let offsets = self.account.uncommitted();
        if !offsets.is_empty() {
            let result = consumer.commit_offsets_async(offsets.clone()).into_future();
            self.under_way = Some(Commit { offsets, result });
        }
    }

    /// Waits for the one that is under way, for ever where there is none. Cancel-safe.
    pub(super) async fn answered(&mut self) -> Result<(), ConsumerError> {
        match &mut self.under_way {
            Some(Commit { offsets, result }) => {
                let result = result.as_mut().await;
                if result.is_ok() {
                    self.account.ledger().commit(offsets);
                }
                self.under_way = None;
                result
            }
            None => std::future::pending().await,
        }
    }

    /// Waits for the one that is under way, and commits the rest.
    pub(super) async fn finish(&mut self, consumer: &ConsumerControl) -> Result<(), ConsumerError> {
        if self.under_way.is_some() {
            // What it hasn't committed is the rest.
            self.answered().await.ok();
        }
        self.begin(consumer);
        match self.under_way {
            Some(_) => self.answered().await,
            None => Ok(()),
        }
    }
}
