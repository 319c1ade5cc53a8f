//! When it is looked for leaders that could go home.

use std::time::Duration;

use tokio::time::Instant;

use logboom_controller::config::Effective;

/// The time of the next look.
#[derive(Debug)]
pub(super) struct Homecoming {
    next: Instant,
}

impl Homecoming {
    /// The first look is as far away as the others: after a start brokers are still on their way.
    pub(super) fn new(config: &Effective<'_>) -> Self {
        Self { next: Instant::now() + interval(config) }
    }

    /// There is more to be wished for than one decision does.
    pub(super) fn is_due_again(&mut self) {
        self.next = Instant::now();
    }

    /// How much may be led elsewhere, in a hundred, if it is time to look.
    pub(super) fn due(&mut self, config: &Effective<'_>) -> Option<i64> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        self.next = now + interval(config);
        let is_wanted = config.broker_boolean("auto.leader.rebalance.enable");
        is_wanted.then(|| config.broker_integer("leader.imbalance.per.broker.percentage"))
    }
}

fn interval(config: &Effective<'_>) -> Duration {
    let seconds = config.broker_integer("leader.imbalance.check.interval.seconds");
    // Sums of times have an end.
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(u32::MAX.into()))
}
