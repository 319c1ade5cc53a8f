//! What the leaders here say of their groups, on its way to the broker that decides.
//!
//! Where the metadata name this broker as the leader of a group of which it hears nobody, it says
//! that the office is given up, in the words of the last report: where most of the voters are gone,
//! nobody else can say so. That holds also where it has been started anew since.
//!
//! Must always hold: of each group the newest report arrives; one that is overtaken by another may
//! not. That an office is given up is said of the epoch in which it was held, and never of a later
//! one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use logboom_controller::MetadataImage;
use logboom_controller::leaders::report_leaders;
use logboom_controller::record::{LeaderReport, NO_BROKER};
use logboom_storage::state::GroupKey;

use super::calls::Request;
use super::controller::ControllerHandle;
use super::others::Others;
use crate::partition::{LeaderNews, Surroundings};

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
    /// This broker.
    pub(crate) node: i32,
    pub(crate) published: Arc<ArcSwap<MetadataImage>>,
    pub(crate) from_shards: mpsc::UnboundedReceiver<LeaderNews>,
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
                let Some(news) = self.from_shards.recv().await else { return };
                self.note(news, &mut newest);
                if newest.is_empty() {
                    continue;
                }
                self.around.pause(GATHER).await;
            }
            while let Ok(news) = self.from_shards.try_recv() {
                self.note(news, &mut newest);
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

    fn note(&self, news: LeaderNews, newest: &mut BTreeMap<GroupKey, LeaderReport>) {
        let report = match news {
            LeaderNews::Leads(report) => report,
            LeaderNews::HearsNobody(key, epoch, _room) => {
                // What waits is newer than what the metadata have.
                if newest.contains_key(&key) {
                    return;
                }
                let image = self.published.load();
                let Some(report) = given_up(&image, self.node, key, epoch) else { return };
                tracing::debug!(partition = %key, epoch = report.leader_epoch, "leads no more");
                report
            }
        };
        newest.insert(key(&report), report);
    }

    async fn deliver(&self, reports: Vec<LeaderReport>) -> bool {
        if self.controller.decides() {
            let decide = move |image: &MetadataImage| report_leaders(image, reports);
            return self.controller.decide(decide).await.is_ok();
        }
        self.others.ask(&Request::Report(reports), DELIVERY_MAX).await.is_ok()
    }
}

/// What is to be said of a group of which this broker hears nobody who leads it up to an epoch:
/// that it has given the office up, if it is the one that is known to have held it.
fn given_up(image: &MetadataImage, node: i32, key: GroupKey, epoch: i32) -> Option<LeaderReport> {
    let GroupKey { topic_id, partition: index } = key;
    let known = image.partition(topic_id, index)?;
    // Before the first report the one is named who is expected to be elected.
    let is_named = known.leader == node && known.leader_epoch <= epoch && known.is_reported();
    let (voters, directories) = known.voters();
    is_named.then(|| LeaderReport {
        topic_id,
        index,
        leader: NO_BROKER,
        leader_epoch: known.leader_epoch,
        control_sequence: known.control_sequence,
        voters: voters.to_vec(),
        voter_directories: directories.to_vec(),
        isr: known.isr.clone(),
    })
}

fn key(report: &LeaderReport) -> GroupKey {
    GroupKey { topic_id: report.topic_id, partition: report.index }
}

#[cfg(test)]
mod tests {
    use logboom_controller::record::{MetadataRecord, Partition};
    use logboom_protocol::units::Uuid;

    use super::*;

    const KEY: GroupKey = GroupKey { topic_id: Uuid([7; 16]), partition: 0 };

    /// A partition of three brokers, led by the second in epoch 4 if that is reported.
    fn image(is_reported: bool) -> MetadataImage {
        let topic_id = KEY.topic_id;
        let partition = Partition {
            leader: 2,
            leader_epoch: 4,
            control_sequence: if is_reported { 1 } else { -1 },
            isr: vec![2, 3],
            ..Partition::new(vec![1, 2, 3], vec![Uuid::ZERO; 3])
        };
        let topic = MetadataRecord::Topic { id: topic_id, name: "t".into() };
        let records = [topic, MetadataRecord::Partition { topic_id, index: 0, partition }];
        MetadataImage::load(records).unwrap()
    }

    #[test]
    fn who_is_named_and_hears_nobody_has_given_the_office_up_and_nothing_else_is_new() {
        let image = image(true);
        let report = given_up(&image, 2, KEY, 4).unwrap();
        let after = image.with(&report_leaders(&image, [report]).records).unwrap();
        let (before, known) = (image.partition(KEY.topic_id, 0), after.partition(KEY.topic_id, 0));
        let expected = Partition { leader: NO_BROKER, ..before.unwrap().clone() };
        assert_eq!(known, Some(&expected));
        assert_eq!(given_up(&after, 2, KEY, 9), None, "it is said once");
        assert!(given_up(&image, 2, KEY, 9).is_some(), "others have tried to be elected since");
    }

    #[test]
    fn nobody_gives_up_what_it_does_not_have() {
        for (node, epoch, is_reported) in [(1, 4, true), (2, 3, true), (2, 4, false)] {
            let found = given_up(&image(is_reported), node, KEY, epoch);
            assert_eq!(found, None, "{node} in {epoch}");
        }
        assert_eq!(given_up(&image(true), 2, GroupKey { partition: 1, ..KEY }, 4), None);
    }
}
