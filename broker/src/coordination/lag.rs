//! How far groups are behind.

use logboom_protocol::CompactString;
use logboom_protocol::records::RawBatch;
use logboom_storage::{Found, ReadUntil};

use super::handle::CoordinationError;
use crate::clock::now_ms;
use crate::node::Node;
use crate::partition::Partition;

/// A group's place in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupLag {
    pub(crate) group: CompactString,
    pub(crate) topic: CompactString,
    pub(crate) partition: i32,
    /// Records from there to the high watermark.
    pub(crate) records: i64,
    /// The age of the batch that it reads next in milliseconds, 0 where there is none; `None` where
    /// it isn't in memory.
    pub(crate) behind_ms: Option<i64>,
}

/// Bytes that are looked at for the age of a batch: its header.
const LOOK_BYTES: u32 = 1;

/// The lags of all groups that are coordinated here, for partitions whose leader is here, up to
/// `max` of them; and how many there are beyond.
///
/// # Errors
/// [`CoordinationError`]: they aren't known at this moment.
pub(crate) async fn lags(
    node: &Node,
    max: usize,
) -> Result<(Vec<GroupLag>, usize), CoordinationError> {
    let committed = node.coordination.ask_all(node, move |coordinator| {
        let mut all = coordinator.offsets();
        let told: Vec<_> = all
            .by_ref()
            .take(max)
            .map(|(group, topic, partition, value)| {
                (CompactString::from(group), CompactString::from(topic), partition, value.offset)
            })
            .collect();
        (told, all.count())
    });
    let (mut lags, mut omitted) = (Vec::new(), 0);
    let image = node.image();
    for (told, left_out) in committed.await? {
        omitted += left_out;
        for (group, topic, partition, offset) in told {
            let id = image.topic_named(&topic).map(logboom_controller::image::Topic::id);
            let Some(replica) = id.and_then(|id| node.registry.get(id, partition)) else {
                continue;
            };
            if lags.len() == max {
                omitted += 1;
                continue;
            }
            let (records, behind_ms) = behind(&replica, offset);
            lags.push(GroupLag { group, topic, partition, records, behind_ms });
        }
    }
    lags.sort_by(|a, b| (&a.group, &a.topic, a.partition).cmp(&(&b.group, &b.topic, b.partition)));
    Ok((lags, omitted))
}

fn behind(replica: &Partition, offset: i64) -> (i64, Option<i64>) {
    let end = replica.view.high_watermark();
    // What retention has dropped can't be read any more.
    let offset = offset.max(replica.view.log_start_offset());
    if offset >= end {
        return (0, Some(0));
    }
    let found = replica.view.read(offset, LOOK_BYTES, ReadUntil::HighWatermark);
    let age_ms = match found {
        // What has to come from the device isn't worth it.
        Ok(Found::Batches(bytes)) => RawBatch::split_first(&bytes)
            .ok()
            .map(|(batch, _)| now_ms().saturating_sub(batch.header().base_timestamp).max(0)),
        _ => None,
    };
    (end - offset, age_ms)
}
