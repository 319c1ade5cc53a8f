//! The time that is measured, and the processor time that was spent in it.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};

/// Ticks a second of `/proc/PID/stat`, which Linux fixes for programs.
const TICKS_PER_SECOND: f64 = 100.0;
/// Where the processor times stand behind the name of the program, counted from 0.
const USER_TICKS_FIELD: usize = 11;

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
        let (client_cpu, broker_cpu) = (own_cpu(), cpu(broker_pid));
        Self { since: Instant::now(), client_cpu, broker_cpu, broker_pid }
    }

    /// What was spent until now.
    pub(crate) fn spent(&self) -> Spent {
        Spent {
            seconds: self.since.elapsed().as_secs_f64(),
            client_cpu_seconds: own_cpu() - self.client_cpu,
            broker_cpu_seconds: cpu(self.broker_pid) - self.broker_cpu,
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

/// Processor seconds of another process, all of its threads; 0 where there is none.
fn cpu(pid: Option<u32>) -> f64 {
    let stat = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok());
    let ticks = stat.as_deref().and_then(ticks).unwrap_or_default();
    ticks / TICKS_PER_SECOND
}

fn ticks(stat: &str) -> Option<f64> {
    // The name may hold spaces and brackets.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(USER_TICKS_FIELD);
    Some(times.next()?.parse::<f64>().ok()? + times.next()?.parse::<f64>().ok()?)
}

/// Sleeps; what is waited for has a deadline.
#[expect(clippy::disallowed_methods, reason = "a load has its times, and looks have deadlines")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn user_and_system_time_are_added() {
        let stat = "17 (a) b) S 1 17 17 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 1 0";
        assert_eq!(ticks(stat), Some(300.0));
        assert_eq!(ticks("17"), None);
    }
}
