//! A broker whose flushes hang hands over what it leads.
//!
//! Others have what it can't write down, and commit it without this broker; but what waits for its
//! own copy waits for the device.
//!
//! Must always hold: a broker that nobody relieves leads on, and campaigns where nobody else does:
//! slow is better than not at all, and all brokers may be slow at once.

use super::{Lanes, Table};
use crate::partition::member::Member;

/// How long flushes may make no progress. A device pauses for some hundred milliseconds when it
/// tidies up, and for a second or so when a path to it fails over; what takes longer is broken,
/// or hopelessly overloaded.
const HANG_MAX_MS: u64 = 2_000;
/// Who hasn't looked for so long stood still himself, and can't say that flushes hang.
const STOOD_STILL_MS: u64 = 500;
/// For how long after that it takes no office that somebody else would take.
const RECOVERY_MS: u64 = 30_000;
/// How much later than others it campaigns meanwhile: they have had their turns, all of them.
const LATER_MS: u64 = 1_000;

/// What is known of flushes that hang.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slow {
    /// When they were seen to.
    since: u64,
    /// When it is over, if none hangs until then.
    until: u64,
}

impl Slow {
    /// When the flush that hangs made its last progress.
    pub(super) fn began(self) -> u64 {
        self.since.saturating_sub(HANG_MAX_MS)
    }

    /// Whether a group is handed over: one that was led before flushes hung. Who is given it
    /// afterwards keeps it, so that slow brokers don't pass it on and on.
    pub(super) fn relieves(self, member: &Member) -> bool {
        let led = member.office.as_ref().and_then(|office| office.led);
        led.is_some_and(|(_, since)| since <= self.since)
    }
}

impl Lanes {
    /// Looks at the flushes of this shard.
    ///
    /// - `moved`: when the last of them was over, or the first was asked for; `None` while none is
    ///   under way.
    pub(in crate::partition) fn look_at_flushes(
        &mut self,
        table: &mut Table,
        moved: Option<u64>,
        now: u64,
    ) {
        if now > self.looked + STOOD_STILL_MS {
            self.looks_since = now;
        }
        self.looked = now;
        let stall = moved.map_or(0, |moved| now.saturating_sub(moved.max(self.looks_since)));
        self.stalls.note(stall, now);
        let hangs = stall > HANG_MAX_MS;
        match self.slow {
            None if hangs => {
                tracing::warn!("flushes take longer than {HANG_MAX_MS} ms: others are to lead");
                self.slow = Some(Slow { since: now, until: now + RECOVERY_MS });
                for replica in table.values_mut() {
                    replica.hold_back(true);
                    self.touch(replica, now);
                }
            }
            Some(slow) if hangs => self.slow = Some(Slow { until: now + RECOVERY_MS, ..slow }),
            Some(slow) if now >= slow.until => {
                tracing::info!("flushes are as fast again as they should be");
                self.slow = None;
                let holds_back = self.retiring.is_some();
                for replica in table.values_mut() {
                    replica.hold_back(holds_back || replica.is_damaged);
                    self.touch(replica, now);
                }
            }
            _ => {}
        }
    }

    /// Milliseconds without a leader after which a replica campaigns.
    pub(super) fn patience(&mut self) -> u64 {
        self.chance.patience() + self.delay()
    }

    /// How much later than others this broker campaigns.
    pub(super) fn delay(&self) -> u64 {
        if self.slow.is_some() { LATER_MS } else { 0 }
    }
}
