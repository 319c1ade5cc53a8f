//! The time of the machine.

use std::time::SystemTime;

/// Milliseconds since the Unix epoch; before it, 0.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds of a clock that never goes back, nor stands still while the machine is suspended.
pub(crate) fn boot_ms() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanoseconds) = (now.tv_sec.max(0).cast_unsigned(), now.tv_nsec.max(0));
    seconds * 1_000 + nanoseconds.cast_unsigned() / 1_000_000
}
