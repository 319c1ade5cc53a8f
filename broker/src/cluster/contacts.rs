//! Which brokers are out of contact, as the one that decides sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a broker may be silent. Its groups have other leaders long before; but it is named to
/// clients and given replicas until then.
const SILENT_MAX: Duration = Duration::from_secs(2);

/// When each broker was last in contact.
#[derive(Debug)]
pub(super) struct Contacts {
    last: BTreeMap<i32, Instant>,
    next_look: Instant,
}

impl Default for Contacts {
    fn default() -> Self {
        Self { last: BTreeMap::new(), next_look: Instant::now() }
    }
}

impl Contacts {
    /// Waits until it is time to look.
    pub(super) async fn due(&self) {
        sleep_until(self.next_look).await;
    }

    /// Looks at all other brokers; gives those that are out of contact, and those that are not.
    /// Who wasn't known has just been in contact.
    pub(super) fn look(&mut self, all: Vec<i32>, there: &[i32]) -> (Vec<i32>, Vec<i32>) {
        let now = Instant::now();
        self.next_look = now + LOOK_EVERY;
        self.last.retain(|id, _| all.contains(id));
        for id in &all {
            let last = self.last.entry(*id).or_insert(now);
            if there.contains(id) {
                *last = now;
            }
        }
        let is_silent = |id: &i32| self.last.get(id).is_some_and(|it| now > *it + SILENT_MAX);
        let gone = all.into_iter().filter(is_silent).collect();
        (gone, there.to_vec())
    }
}
