//! The throttle; cleaning itself is tested where the log is, and with real clients.

use std::time::{Duration, Instant};

use super::pace::Throttle;

#[test]
fn all_threads_together_move_no_more_than_their_rate() {
    let mut throttle = Throttle::default();
    let begun = Instant::now();
    let wait = |throttle: &mut Throttle, bytes, after_ms| {
        let now = begun + Duration::from_millis(after_ms);
        throttle.moved(bytes, 1e6, now).as_millis()
    };
    assert_eq!(wait(&mut throttle, 500_000, 0), 500);
    assert_eq!(wait(&mut throttle, 500_000, 100), 900, "another thread waits behind it");
    assert_eq!(wait(&mut throttle, 250_000, 1000), 250);
    assert_eq!(wait(&mut throttle, 1_000, 60_000), 1, "an idle time isn't saved up");
    assert_eq!(wait(&mut throttle, usize::MAX, 60_001), 10_000, "no wait is longer");
}

#[test]
fn without_a_limit_nobody_waits() {
    let wait = Throttle::default().moved(1 << 30, f64::MAX, Instant::now());
    assert_eq!(wait, Duration::ZERO);
}
