//! The time of the machine.

use std::time::SystemTime;

/// Milliseconds since the Unix epoch; before it, 0.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
