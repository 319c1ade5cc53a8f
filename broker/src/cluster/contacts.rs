//! Which brokers are out of contact, as the one that decides sees it.

use std::collections::BTreeMap;

/// Milliseconds between two looks.
const LOOK_EVERY_MS: u64 = 250;
/// Milliseconds that a broker may be silent. Its groups have other leaders long before; but it is
/// named to clients and given replicas until then.
const SILENT_MAX_MS: u64 = 2_000;

/// When each broker was last in contact, in milliseconds of the machine's clock.
#[derive(Debug)]
pub(super) struct Contacts {
    last: BTreeMap<i32, u64>,
    next_look: u64,
}

impl Contacts {
    /// The first look is at once.
    pub(super) fn new(now: u64) -> Self {
        Self { last: BTreeMap::new(), next_look: now }
    }

    /// When it is time to look.
    pub(super) fn due(&self) -> u64 {
        self.next_look
    }

    /// Looks at all other brokers; gives those that are out of contact, and those that are not.
    /// Who wasn't known has just been in contact.
    pub(super) fn look(&mut self, all: Vec<i32>, there: &[i32], now: u64) -> (Vec<i32>, Vec<i32>) {
        self.next_look = now + LOOK_EVERY_MS;
        self.last.retain(|id, _| all.contains(id));
        for id in &all {
            let last = self.last.entry(*id).or_insert(now);
            if there.contains(id) {
                *last = now;
            }
        }
        let is_silent = |id: &i32| self.last.get(id).is_some_and(|it| now > *it + SILENT_MAX_MS);
        let gone = all.into_iter().filter(is_silent).collect();
        (gone, there.to_vec())
    }
}
