//! Replicas beside each other, when all brokers have stopped: they are the same, byte by byte.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use logboom_protocol::messages::metadata::MetadataRequest;
use logboom_protocol::records::{RawBatch, RawBatches};
use logboom_protocol::units::Uuid;
use logboom_storage::state::GroupKey;
use logboom_storage::{DirectoryOptions, Found, LogOptions, LogView, ReadUntil};
use logboom_tests::cluster::Cluster;
use logboom_tests::load::open;

use super::BROKERS;

const READ_BYTES: u32 = 1 << 20;

/// A replica's log.
#[derive(PartialEq, Eq)]
struct Copy {
    start: i64,
    end: i64,
    bytes: Vec<u8>,
}

/// Stops all brokers and compares what they have; how many records that is.
///
/// - `topics`: not the metadata and the groups, which have new records until the last moment.
pub(super) fn compare(cluster: &mut Cluster, topics: &[&str]) -> i64 {
    let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let told = cluster.any().call(12, &all).topics;
    let named = told
        .iter()
        .filter(|it| it.name.as_ref().is_some_and(|name| topics.contains(&name.as_str())));
    let ids: Vec<Uuid> = named.map(|topic| topic.topic_id).collect();
    assert_eq!(ids.len(), topics.len(), "{told:?}");
    let dirs: Vec<_> =
        (1..=BROKERS).map(|id| cluster.broker(i32::try_from(id).unwrap()).data_dir()).collect();
    (1..=BROKERS).for_each(|id| cluster.stop(i32::try_from(id).unwrap()));
    let mut copies: BTreeMap<String, Vec<(usize, Copy)>> = BTreeMap::new();
    for (dir, id) in dirs.iter().zip(1..) {
        for (key, copy) in copies_in(dir, &ids) {
            copies.entry(key.to_string()).or_default().push((id, copy));
        }
    }
    let mut count = 0;
    for (key, copies) in &copies {
        let (first, one) = &copies[0];
        for (id, other) in &copies[1..] {
            let ends = ((one.start, one.end), (other.start, other.end));
            assert!(one == other, "{key} differs between brokers {first} and {id}: {ends:?}");
        }
        count += one.end - one.start;
    }
    count
}

fn copies_in(dir: &Path, topics: &[Uuid]) -> Vec<(GroupKey, Copy)> {
    let directory = open(dir, DirectoryOptions::default()).unwrap();
    let mut keys = directory.state().living();
    keys.retain(|key| topics.contains(&key.topic_id));
    let copied = |key| {
        let (log, findings) = directory.open_log(key, LogOptions::default()).unwrap();
        assert!(findings.is_empty(), "{}: {findings:?}", dir.display());
        (key, copy(log.view()))
    };
    keys.into_iter().map(copied).collect()
}

fn copy(view: &Arc<LogView>) -> Copy {
    let (start, end) = (view.log_start_offset(), view.end_offset());
    let (mut bytes, mut next) = (Vec::new(), start);
    while next < end {
        let found = match view.read(next, READ_BYTES, ReadUntil::End).unwrap() {
            Found::Batches(found) => found,
            Found::Cold(cold) => cold.run().unwrap(),
            Found::Nothing => panic!("nothing at {next} before {end}"),
        };
        for batch in RawBatches::new(&found) {
            next = end_offset(&batch.unwrap());
        }
        bytes.extend_from_slice(&found);
    }
    Copy { start, end, bytes }
}

fn end_offset(batch: &RawBatch<'_>) -> i64 {
    batch.header().base_offset + i64::from(batch.header().last_offset_delta) + 1
}
