//! What the leaders here say of their groups, on its way to the broker that decides.
//!
//! Must always hold: of each group the newest report arrives; one that is overtaken by another may
//! not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use logboom_controller::MetadataImage;
use logboom_controller::leaders::report_leaders;
use logboom_controller::record::LeaderReport;
use logboom_storage::state::GroupKey;

use super::calls::Request;
use super::controller::ControllerHandle;
use super::others::Others;
use crate::partition::Surroundings;

/// How long reports are gathered.
const GATHER: Duration = Duration::from_millis(5);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);
/// How long one delivery may take.
const DELIVERY_MAX: Duration = Duration::from_secs(2);
/// The most reports of one call.
const REPORTS_MAX: usize = 1_000;

/// Reports on their way.
pub(crate) struct Reports {
    pub(crate) from_shards: mpsc::UnboundedReceiver<LeaderReport>,
    pub(crate) controller: ControllerHandle,
    pub(crate) others: Arc<Others>,
    pub(crate) around: Arc<dyn Surroundings>,
}

impl Reports {
    /// Delivers reports until the shards have ended.
    pub(crate) async fn run(mut self) {
        let mut newest: BTreeMap<GroupKey, LeaderReport> = BTreeMap::new();
        loop {
            if newest.is_empty() {
                let Some(report) = self.from_shards.recv().await else { return };
                newest.insert(key(&report), report);
                self.around.pause(GATHER).await;
            }
            while let Ok(report) = self.from_shards.try_recv() {
                newest.insert(key(&report), report);
            }
            let some: Vec<LeaderReport> = newest.values().take(REPORTS_MAX).cloned().collect();
            if self.deliver(some.clone()).await {
                for report in &some {
                    newest.remove(&key(report));
                }
            } else {
                self.around.pause(PAUSE).await;
            }
        }
    }

    async fn deliver(&self, reports: Vec<LeaderReport>) -> bool {
        if self.controller.decides() {
            let decide = move |image: &MetadataImage| report_leaders(image, reports);
            return self.controller.decide(decide).await.is_ok();
        }
        self.others.ask(&Request::Report(reports), DELIVERY_MAX).await.is_ok()
    }
}

fn key(report: &LeaderReport) -> GroupKey {
    GroupKey { topic_id: report.topic_id, partition: report.index }
}
