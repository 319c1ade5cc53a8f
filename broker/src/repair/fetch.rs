//! What is damaged here, asked of one replica after the other.

use std::sync::Arc;

use bytes::Bytes;

use logboom_storage::state::GroupKey;
use logboom_storage::{Damage, OtherReplicas};

use super::rest::Rest;
use crate::cluster::{ANSWER_MAX, AskedBatches, Others, Request};
use crate::metrics::Metrics;

/// Fetches from the replicas of other brokers.
pub(super) struct Fetching<'a> {
    pub(super) rests: &'a dyn Rest,
    pub(super) others: Arc<Others>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) key: GroupKey,
    /// The brokers that may still be asked; the first is asked next.
    pub(super) replicas: Vec<i32>,
}

impl OtherReplicas for Fetching<'_> {
    fn fetch(&mut self, offset: i64, until: i64, compacted_to: i64) -> Option<Bytes> {
        let asked = AskedBatches { key: self.key, offset, until, compacted_to };
        while let Some(node) = self.replicas.first().copied() {
            let request = Request::Batches(asked);
            let call = self.others.ask_once(node, &request, ANSWER_MAX);
            match self.rests.wait_for(call)? {
                Ok(bytes) if bytes.is_empty() => self.leave_out("the answer is empty"),
                Ok(bytes) => {
                    self.metrics.repair_fetched_bytes.add(bytes.len());
                    return Some(bytes);
                }
                Err(why) => self.leave_out(&why),
            }
        }
        None
    }

    fn refuse(&mut self, why: &Damage) {
        self.leave_out(&format!("its answer isn't what was asked for: {why}"));
    }
}

impl Fetching<'_> {
    /// Asks the present broker no more.
    fn leave_out(&mut self, why: &str) {
        let node = self.replicas.remove(0);
        tracing::info!(partition = %self.key, node, why, "gives nothing to repair with");
    }
}
