//! What the driver and the rig both need: processor time and memory of processes, and waiting.

use std::fs;
use std::time::Duration;

/// Ticks a second of `/proc/PID/stat`, which Linux fixes for programs.
const TICKS_PER_SECOND: f64 = 100.0;
/// Where the processor times stand behind the name of the program, counted from 0.
const USER_TICKS_FIELD: usize = 11;

/// Processor seconds of a process, all of its threads; 0 where there is none.
pub fn cpu_seconds(pid: Option<u32>) -> f64 {
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

/// A size in `/proc/PID/status` (`VmRSS`, `RssAnon`), in KiB; `None` where there is none.
pub fn status_kib(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Sleeps; whoever waits for something has a deadline.
#[expect(clippy::disallowed_methods, reason = "a load has its times, and looks have deadlines")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::{status_kib, ticks};

    #[test]
    fn user_and_system_time_are_added() {
        let stat = "17 (a) b) S 1 17 17 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 1 0";
        assert_eq!(ticks(stat), Some(300.0));
        assert_eq!(ticks("17"), None);
    }

    #[test]
    fn a_process_has_memory_and_a_missing_one_has_none() {
        assert!(status_kib(std::process::id(), "VmRSS").unwrap() > 100);
        assert_eq!(status_kib(std::process::id(), "Vm"), None);
    }
}
