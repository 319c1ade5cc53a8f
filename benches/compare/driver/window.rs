//! The time that is measured, and the processor time that was spent in it.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};

use logboom_compare::cpu_seconds;

/// A time that has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) since: Instant,
    client_cpu: f64,
    broker_cpu: f64,
    broker_pid: Option<u32>,
}

/// What a window came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) seconds: f64,
    pub(crate) client_cpu_seconds: f64,
    pub(crate) broker_cpu_seconds: f64,
}

impl Window {
    /// Begins now.
    pub(crate) fn open(broker_pid: Option<u32>) -> Self {
        let (client_cpu, broker_cpu) = (own_cpu(), cpu_seconds(broker_pid));
        Self { since: Instant::now(), client_cpu, broker_cpu, broker_pid }
    }

    /// What was spent until now.
    pub(crate) fn spent(&self) -> Spent {
        Spent {
            seconds: self.since.elapsed().as_secs_f64(),
            client_cpu_seconds: own_cpu() - self.client_cpu,
            broker_cpu_seconds: cpu_seconds(self.broker_pid) - self.broker_cpu,
        }
    }
}

/// Processor seconds of this process.
fn own_cpu() -> f64 {
    let micros = |time: TimeVal| u64::try_from(time.num_microseconds()).unwrap_or_default();
    let seconds = |time: TimeVal| Duration::from_micros(micros(time)).as_secs_f64();
    getrusage(UsageWho::RUSAGE_SELF)
        .map_or(0.0, |usage| seconds(usage.user_time()) + seconds(usage.system_time()))
}
