//! What a group has committed, as the broker says that coordinates it.

use std::time::Duration;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic};
use logboom_tests::raw::Raw;

use super::history::Partition;

const OFFSET_FETCH: i16 = 5;
const PATIENCE: Duration = Duration::from_secs(2);

/// Of which of a topic's partitions something was acknowledged, and not committed by a group that
/// has read it, or that nobody says so.
pub(super) fn lacking<'a>(
    addresses: &[String],
    group: &str,
    partitions: impl Iterator<Item = &'a Partition>,
) -> Vec<String> {
    let partitions: Vec<&Partition> = partitions.collect();
    let told = addresses.iter().find_map(|address| committed(address, group, &partitions));
    let Some(told) = told else { return vec!["nobody says what is".to_owned()] };
    let lacks = partitions.iter().zip(told).filter(|(it, told)| *told < it.acknowledged());
    let lacks = lacks.map(|(it, told)| format!("{}: {told} of {}", it.name(), it.acknowledged()));
    lacks.collect()
}

/// As a broker says, if it coordinates the group.
fn committed(address: &str, group: &str, partitions: &[&Partition]) -> Option<Vec<i64>> {
    let topic = OffsetFetchRequestTopic {
        name: partitions.first()?.topic.as_str().into(),
        partition_indexes: partitions.iter().map(|it| it.index).collect(),
    };
    let request = OffsetFetchRequest {
        group_id: group.into(),
        topics: Some(vec![topic]),
        ..Default::default()
    };
    let mut raw = Raw::brief(address, PATIENCE).ok()?;
    let mut told = raw.try_call(OFFSET_FETCH, &request)?;
    if told.error_code != ErrorCode::NONE {
        return None;
    }
    let told = told.topics.pop()?.partitions;
    let of = |index| told.iter().find(|it| it.partition_index == index);
    partitions.iter().map(|it| of(it.index).map(|told| told.committed_offset)).collect()
}
