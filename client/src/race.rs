//! Several attempts at the same, of which the first that succeeds counts: addresses of a host,
//! brokers of a cluster. Or attempts side by side that all count: leaders of partitions.
//!
//! It knows nothing of what is attempted. Must always hold: an attempt that is slow costs its
//! caller the patience, not the attempt's own time-out.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

/// Attempts under way, by their numbers.
struct Racing<F> {
    attempts: Vec<(usize, Pin<Box<F>>)>,
}

impl<F: Future> Racing<F> {
    /// What one of them has come to. Cancel-safe.
    async fn next(&mut self) -> (usize, F::Output) {
        poll_fn(|context| {
            for at in 0..self.attempts.len() {
                let (number, attempt) = &mut self.attempts[at];
                if let Poll::Ready(output) = attempt.as_mut().poll(context) {
                    let number = *number;
                    drop(self.attempts.remove(at));
                    return Poll::Ready((number, output));
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Begins one attempt after another, the next when one has failed or nothing has come of all
/// those before for `patience`. Returns what succeeds first, or why all failed, in their order.
/// Cancel-safe as far as the attempts are; those that lose are dropped.
pub(crate) async fn race<F, T, E>(
    attempts: impl IntoIterator<Item = F>,
    patience: Duration,
) -> Result<T, Vec<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut racing = Racing { attempts: Vec::new() };
    let mut failures = Vec::new();
    let mut starting = attempts.into_iter().enumerate();
    loop {
        let is_last = match starting.next() {
            Some((number, attempt)) => {
                racing.attempts.push((number, Box::pin(attempt)));
                false
            }
            None => true,
        };
        if racing.attempts.is_empty() {
            failures.sort_unstable_by_key(|(number, _)| *number);
            return Err(failures.into_iter().map(|(_, failure)| failure).collect());
        }
        let patience = if is_last { Duration::MAX } else { patience };
        match timeout(patience, racing.next()).await {
            Ok((_, Ok(value))) => return Ok(value),
            Ok((number, Err(failure))) => failures.push((number, failure)),
            Err(_) => {}
        }
    }
}

/// Makes attempts side by side; returns what comes of each, in the order in which they end.
/// Cancel-safe as far as the attempts are.
pub(crate) async fn all<F: Future>(attempts: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let attempts = attempts.into_iter().enumerate();
    let attempts = attempts.map(|(number, attempt)| (number, Box::pin(attempt))).collect();
    let mut racing = Racing { attempts };
    let mut outputs = Vec::new();
    while !racing.attempts.is_empty() {
        outputs.push(racing.next().await.1);
    }
    outputs
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Attempts that take so many seconds and succeed or not; what comes of them, and when.
    async fn run(attempts: &[(u32, bool)]) -> (Result<usize, Vec<usize>>, u64) {
        let began = Instant::now();
        let attempt = |(number, &(seconds, succeeds)): (usize, &(u32, bool))| async move {
            sleep(seconds * SECOND).await;
            if succeeds { Ok(number) } else { Err(number) }
        };
        let result = race(attempts.iter().enumerate().map(attempt), SECOND).await;
        (result, began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_that_succeeds_counts_and_a_slow_one_costs_the_patience() {
        assert_eq!(run(&[(0, true), (0, true)]).await, (Ok(0), 0));
        assert_eq!(run(&[(30, true), (0, true)]).await, (Ok(1), 1));
        assert_eq!(run(&[(30, true), (30, true), (0, true)]).await, (Ok(2), 2));
        assert_eq!(run(&[(3, true), (30, true)]).await, (Ok(0), 3), "who is slow still counts");
        assert_eq!(run(&[(0, false), (0, false), (5, true)]).await, (Ok(2), 5));
        assert_eq!(run(&[(2, false), (9, false), (0, false)]).await, (Err(vec![0, 1, 2]), 10));
        assert_eq!(run(&[]).await, (Err(vec![]), 0));
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_side_by_side_take_as_long_as_the_slowest() {
        let began = Instant::now();
        let attempt = |seconds: u32| async move {
            sleep(seconds * SECOND).await;
            seconds
        };
        assert_eq!(all([3, 0, 5, 1].map(attempt)).await, [0, 1, 3, 5]);
        assert_eq!(began.elapsed().as_secs(), 5);
    }
}
