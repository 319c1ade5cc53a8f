//! Pauses before repetitions: they double up to a limit and differ from client to client
//! (KIP-580).

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use crate::{ClientConfig, ClientError};

/// How far a pause may differ from its length, in percent.
const JITTER_PERCENT: u32 = 20;

/// The pause before repetition number `attempt`, from 0.
///
/// - `random`: any number; it decides how far the pause differs from its length.
fn pause(initial: Duration, max: Duration, attempt: u32, random: u32) -> Duration {
    let doubled = initial.saturating_mul(2u32.saturating_pow(attempt)).min(max);
    let percent = 100 - JITTER_PERCENT + random % (2 * JITTER_PERCENT + 1);
    doubled.saturating_mul(percent) / 100
}

impl ClientConfig {
    /// The pause before repetition number `attempt`, from 0. It differs from call to call, so that
    /// clients that failed together don't come back together.
    #[must_use]
    pub fn backoff(&self, attempt: u32) -> Duration {
        let [random, ..] = RandomState::new().hash_one(attempt).to_be_bytes();
        pause(self.retry_backoff, self.retry_backoff_max, attempt, random.into())
    }
}

/// A call that may be tried again until its deadline.
#[derive(Debug)]
pub(crate) struct Retry<'a> {
    config: &'a ClientConfig,
    /// What is done, as "create topic t".
    doing: String,
    started: Instant,
    limit: Duration,
    attempt: u32,
    /// What the last attempt has failed by.
    last: Option<ClientError>,
}

impl<'a> Retry<'a> {
    pub(crate) fn new(config: &'a ClientConfig, limit: Duration, doing: String) -> Self {
        Self { config, doing, started: Instant::now(), limit, attempt: 0, last: None }
    }

    /// How long this attempt may take: the time-out of a request, or what is left if that is less.
    pub(crate) fn timeout(&self) -> Duration {
        self.config.request_timeout.min(self.left())
    }

    fn left(&self) -> Duration {
        self.limit.saturating_sub(self.started.elapsed())
    }

    /// What comes of an attempt, connecting included, within the call's time.
    ///
    /// # Errors
    /// The attempt's own. Where it hasn't ended in time, that of the one before it, or
    /// [`ClientError::NoAnswer`].
    pub(crate) async fn within<T>(
        &self,
        attempt: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let late = || Err(self.last.clone().unwrap_or(ClientError::NoAnswer));
        tokio::time::timeout(self.left(), attempt).await.unwrap_or_else(|_| late())
    }

    /// Whether no time is left: an attempt that ended just now may have been cut. It says no more
    /// for the broker than one that wasn't answered.
    pub(crate) fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// How long the call has taken so far.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// So much of the time that has passed doesn't count.
    pub(crate) fn excuse(&mut self, waited: Duration) {
        self.started += waited;
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// `error` itself where a repetition cannot help; [`ClientError::Deadline`] with `error` in it
    /// where there is no time for one.
    pub(crate) async fn pause(&mut self, error: ClientError) -> Result<(), ClientError> {
        if !error.is_retriable() {
            return Err(error);
        }
        self.pause_whatever(error).await
    }

    /// As [`Self::pause`], for who knows that a repetition helps.
    pub(crate) async fn pause_whatever(&mut self, error: ClientError) -> Result<(), ClientError> {
        let pause = self.config.backoff(self.attempt);
        if self.started.elapsed().saturating_add(pause) >= self.limit {
            let doing = std::mem::take(&mut self.doing);
            let (limit, last) = (self.limit, Box::new(error));
            return Err(ClientError::Deadline { doing, limit, last });
        }
        self.attempt = self.attempt.saturating_add(1);
        metrics::counter!("logboom_client_retries_total").increment(1);
        tracing::debug!(doing = self.doing, attempt = self.attempt, ?pause, %error, "tries again");
        self.last = Some(error);
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BrokerAddress, Disconnect};

    #[test]
    fn pauses_double_up_to_the_limit_and_differ_by_a_fifth() {
        let (initial, max) = (Duration::from_millis(100), Duration::from_secs(1));
        // 20 is the middle of the jitter.
        let middle = |attempt| pause(initial, max, attempt, 20).as_millis();
        assert_eq!([0, 1, 2, 3, 4, u32::MAX].map(middle), [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(pause(initial, max, 0, 0), Duration::from_millis(80));
        assert_eq!(pause(initial, max, 0, 40), Duration::from_millis(120));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_by_its_deadline_and_names_its_last_error() {
        let config = ClientConfig::default();
        let limit = Duration::from_secs(5);
        let mut retry = Retry::new(&config, limit, "ask".to_owned());
        let address = BrokerAddress { host: "b".to_owned(), port: 1 };
        let lost = ClientError::Connection { address: address.clone(), reason: Disconnect::ByPeer };
        let mut attempts = 0;
        let error = loop {
            attempts += 1;
            assert!(attempts < 100, "no end");
            if let Err(error) = retry.pause(lost.clone()).await {
                break error;
            }
        };
        assert!(retry.elapsed() < limit);
        assert!(attempts > 4);
        assert!(matches!(error, ClientError::Deadline { .. }), "{error}");
        assert!(error.to_string().contains("b:1"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_doesn_t_end_ends_with_its_call() {
        let config = ClientConfig::default();
        let limit = Duration::from_secs(5);
        let endless = || std::future::pending::<Result<(), ClientError>>();
        let retry = Retry::new(&config, limit, "ask".to_owned());
        let error = retry.within(endless()).await.unwrap_err();
        assert!(matches!(error, ClientError::NoAnswer), "{error}");
        assert_eq!((retry.elapsed(), retry.is_over()), (limit, true));
        let mut retry = Retry::new(&config, limit, "ask".to_owned());
        retry.pause(ClientError::UnknownBroker { broker_id: 7 }).await.unwrap();
        let error = retry.within(endless()).await.unwrap_err();
        assert!(matches!(error, ClientError::UnknownBroker { broker_id: 7 }), "{error}");
        let late = retry.pause(error).await.unwrap_err();
        assert_eq!(
            late.to_string(),
            "ask: not done within 5000 ms; broker 7: no such broker is alive"
        );
        assert_eq!(retry.elapsed(), limit);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_excused_is_no_time_of_the_call() {
        let config = ClientConfig::default();
        let mut retry = Retry::new(&config, Duration::from_secs(5), "join".to_owned());
        let address = BrokerAddress { host: "b".to_owned(), port: 1 };
        let lost = ClientError::Connection { address, reason: Disconnect::ByPeer };
        for _ in 0..3 {
            let waited = Duration::from_secs(100);
            tokio::time::advance(waited).await;
            retry.excuse(waited);
            retry.pause(lost.clone()).await.unwrap();
        }
        tokio::time::advance(Duration::from_secs(5)).await;
        let error = retry.pause(lost).await.unwrap_err();
        assert!(matches!(error, ClientError::Deadline { .. }), "{error}");
    }
}
