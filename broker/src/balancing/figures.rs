//! What metrics say of balancing, where this broker decides.

use logboom_balance::status::{DrainStatus, Growth};
use logboom_balance::{Capacity, Options, Plan, bound, capacity, one_more};

use super::picture::Picture;

/// What there is to say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Figures {
    /// How all loads grow, once that is known.
    pub(crate) growth: Option<Growth>,
    pub(crate) drains: Vec<DrainStatus>,
    /// Partitions whose new replicas never catch up.
    pub(crate) endless: usize,
    pub(crate) prospects: Prospects,
}

/// How brokers stand, as of the last plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Prospects {
    /// The worst utilisation now, and the one that no plan betters, in millionths.
    pub(crate) worst_ppm: Option<u64>,
    pub(crate) bound_ppm: Option<u64>,
    /// How much room brokers have, for how long, and what one more or less would change.
    pub(crate) capacity: Option<Capacity>,
}

impl Prospects {
    /// - `made`: the plan of this picture.
    pub(super) fn new(picture: &Picture, made: &Plan, growth: Option<&Growth>) -> Self {
        let (snapshot, options) = (&picture.snapshot, Options::default());
        let per_day = growth.map(|growth| growth.per_day).unwrap_or_default();
        let capacity = capacity(snapshot, &per_day, &one_more(snapshot), &options);
        let worst_ppm = made.worst[0].map(|(_, worst)| worst.ppm);
        let bound_ppm = worst_ppm.map(|_| bound(snapshot, &options).worst.ppm);
        Self { worst_ppm, bound_ppm, capacity: Some(capacity) }
    }
}
