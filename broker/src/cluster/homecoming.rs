//! When it is looked for leaders that could go home.

use logboom_controller::config::Effective;

/// The time of the next look, in milliseconds of the machine's clock.
#[derive(Debug)]
pub(super) struct Homecoming {
    next: u64,
}

impl Homecoming {
    /// The first look is as far away as the others: after a start brokers are still on their way.
    pub(super) fn new(config: &Effective<'_>, now: u64) -> Self {
        Self { next: now + interval_ms(config) }
    }

    /// There is more to be wished for than one decision does.
    pub(super) fn is_due_again(&mut self, now: u64) {
        self.next = now;
    }

    /// How much may be led elsewhere, in a hundred, if it is time to look.
    pub(super) fn due(&mut self, config: &Effective<'_>, now: u64) -> Option<i64> {
        if now < self.next {
            return None;
        }
        self.next = now + interval_ms(config);
        let is_wanted = config.broker_boolean("auto.leader.rebalance.enable");
        is_wanted.then(|| config.broker_integer("leader.imbalance.per.broker.percentage"))
    }
}

fn interval_ms(config: &Effective<'_>) -> u64 {
    let seconds = config.broker_integer("leader.imbalance.check.interval.seconds");
    // Sums of times have an end.
    1_000 * u64::try_from(seconds).unwrap_or(0).min(u32::MAX.into())
}
