//! The replicas of a broker in the order in which they are tried.
//!
//! They are sorted once for each resource, those that carry the most of it for each byte copied
//! first, as far as somebody asks for them, and gone through in small windows, of which the best is
//! taken; what was passed over has another turn only if something was taken since. So a move costs
//! no more than the next few replicas, however many there are.

use alloc::vec::Vec;

use super::Planner;
use crate::resource::Resource;
use crate::state::small;

/// How many replicas are compared before one of them is taken.
const WINDOW: usize = 8;

/// How many are sorted when the first is asked for.
const SORTED_FIRST: usize = 64;

/// The replicas, each behind what they are sorted by.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    keyed: Vec<(u64, u64, u32)>,
    /// How many are sorted; none of the others belongs before one of them.
    sorted: usize,
}

/// How far candidates were gone through.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cursor {
    next: u32,
    /// Whether one was taken since the beginning.
    pub(super) has_given: bool,
    /// Whether there is nothing left to look at.
    pub(super) is_over: bool,
}

/// A replica that could be taken, and what that costs for each byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Offer {
    cost_per_byte: i128,
    pub(super) seat: usize,
}

impl Offer {
    fn new(seat: usize, (cost, bytes): (i64, u64)) -> Self {
        Self { cost_per_byte: (i128::from(cost) << 50) / (i128::from(bytes) + 1), seat }
    }
}

impl Candidates {
    /// The replicas on a broker that have any of a resource: those that move anyway, then those
    /// that have the most of it for each byte that is copied, then the largest.
    pub(super) fn of(planner: &Planner<'_>, broker: usize, resource: Resource) -> Self {
        let state = &planner.state;
        let keyed = state.on(broker).filter_map(|seat| {
            let (load, bytes) = (state.seats[seat].load()[resource], state.seats[seat].bytes());
            let ratio = match (resource, bytes) {
                (_, 0) => u64::MAX,
                (Resource::DiskBytes, _) => 0,
                _ => {
                    let ratio = (u128::from(load) << 48) / u128::from(bytes);
                    u64::try_from(ratio).unwrap_or(u64::MAX)
                }
            };
            (load > 0).then_some((u64::MAX - ratio, u64::MAX - load, small(seat)))
        });
        Self { keyed: keyed.collect(), sorted: 0 }
    }

    /// The replicas on a broker that lead, or those that follow: for leaders themselves those that
    /// carry the least else first, otherwise those that carry the most.
    pub(super) fn for_transfers(
        planner: &Planner<'_>,
        broker: usize,
        resource: Resource,
        lead: bool,
    ) -> Self {
        let state = &planner.state;
        let carried = |seat: usize| {
            let own = Some(seat).filter(|_| lead);
            let leader = own.or_else(|| state.leader_of(state.seats[seat].partition()));
            let load = |resource| leader.map_or(0, |leader| state.seats[leader].load()[resource]);
            match resource {
                Resource::Leaders => load(Resource::BytesOut),
                _ => u64::MAX - load(resource),
            }
        };
        let wanted = state.on(broker).filter(|seat| state.seats[*seat].leads() == lead);
        let keyed = wanted.map(|seat| (carried(seat), 0, small(seat)));
        Self { keyed: keyed.collect(), sorted: 0 }
    }

    /// The next one.
    pub(super) fn next(&mut self, cursor: &mut Cursor) -> Option<usize> {
        let next = cursor.next as usize;
        if next >= self.sorted {
            self.sort_more();
        }
        let (_, _, seat) = self.keyed.get(next)?;
        cursor.next += 1;
        Some(*seat as usize)
    }

    /// Sorts as many again as are sorted.
    fn sort_more(&mut self) {
        let rest = &mut self.keyed[self.sorted..];
        let more = self.sorted.max(SORTED_FIRST).min(rest.len());
        if more < rest.len() {
            rest.select_nth_unstable(more);
        }
        rest[..more].sort_unstable();
        self.sorted += more;
    }

    /// The next ones that can be taken, the cheapest first; none where there are none left.
    ///
    /// - `looks`: how many more may be looked at.
    /// - `cost`: of a replica, with its bytes; `None` if it can't be taken.
    pub(super) fn window(
        &mut self,
        cursor: &mut Cursor,
        looks: &mut usize,
        window: &mut Vec<Offer>,
        cost: impl Fn(usize) -> Option<(i64, u64)>,
    ) {
        window.clear();
        while window.len() < WINDOW && *looks > 0 {
            *looks -= 1;
            if let Some(seat) = self.next(cursor) {
                window.extend(cost(seat).map(|cost| Offer::new(seat, cost)));
            } else if window.is_empty() && cursor.has_given {
                *cursor = Cursor::default();
            } else {
                cursor.is_over = window.is_empty();
                break;
            }
        }
        window.sort_unstable();
    }
}
