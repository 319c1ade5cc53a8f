//! What the system says of a process.

use std::fs;

/// What a process has used until now.
pub(crate) struct Used {
    /// Of all processors, in seconds.
    pub(crate) cpu_seconds: f64,
    /// Memory that no file stands behind.
    pub(crate) anonymous_bytes: u64,
    pub(crate) maps: usize,
    pub(crate) handles: usize,
}

/// Ticks of a second, as `/proc` counts them on Linux.
const TICKS: f64 = 100.0;

impl Used {
    /// Of a process that runs.
    pub(crate) fn by(pid: u32) -> Self {
        let read = |name| fs::read_to_string(format!("/proc/{pid}/{name}")).expect("it runs");
        let stat = read("stat");
        // What stands before may have spaces.
        let (_, fields) = stat.rsplit_once(')').expect("it has a name");
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|field| field.parse::<u64>().expect("a number")).sum();
        let status = read("status");
        let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kibibytes = anonymous.and_then(|it| it.split_whitespace().next()?.parse::<u64>().ok());
        let handles = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
        Self {
            cpu_seconds: ticks as f64 / TICKS,
            anonymous_bytes: kibibytes.expect("a number") << 10,
            maps: read("maps").lines().count(),
            handles: handles.count(),
        }
    }
}
