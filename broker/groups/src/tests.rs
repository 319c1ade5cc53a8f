//! Golden scripts, records, and a simulation. What all of them use is here: the state as a replay
//! gives it back.

mod records;
mod scripts;
mod sim;
mod unstable;

use std::collections::BTreeMap;
use std::vec::Vec;

use logboom_protocol::CompactString;

use crate::Coordinator;
use crate::group::GroupState;
use crate::options::Options;
use crate::record::{CommittedOffset, Decoded, EncodedRecord, GroupMetadata, GroupRecord};

/// What a group has that a restart keeps.
#[derive(Debug, PartialEq)]
struct Kept {
    /// Where it is known: a group that is between two generations comes back as it was before.
    metadata: Option<GroupMetadata>,
    offsets: Vec<(CompactString, i32, CommittedOffset)>,
}

/// What replaying would have to give.
fn kept(coordinator: &Coordinator) -> BTreeMap<CompactString, Kept> {
    let groups = coordinator.groups.values().filter(|group| group.is_kept || !group.is_bare());
    let groups = groups.map(|group| {
        let is_at_rest = matches!(group.state(), GroupState::Empty | GroupState::Stable);
        let offsets = group.offsets.iter();
        let offsets =
            offsets.map(|(topic, part, stored)| (topic.clone(), part, stored.value.clone()));
        let metadata = (is_at_rest && group.is_kept).then(|| group.kept());
        (group.id.clone(), Kept { metadata, offsets: offsets.collect() })
    });
    groups.collect()
}

/// A coordinator that has replayed records from their bytes.
fn replayed<'a>(
    options: Options,
    records: impl IntoIterator<Item = &'a EncodedRecord>,
) -> Coordinator {
    let mut coordinator = Coordinator::new(options);
    for EncodedRecord { key, value } in records {
        match GroupRecord::decode(key, value.as_ref()) {
            Ok(Decoded::Known(record)) => coordinator.replay(record),
            other => panic!("{other:?}"),
        }
    }
    coordinator
}

/// Checks that a replay gives what is there.
fn assert_replays<'a>(live: &Coordinator, records: impl IntoIterator<Item = &'a EncodedRecord>) {
    let replayed = kept(&replayed(*live.options(), records));
    let live = kept(live);
    assert_eq!(live.keys().collect::<Vec<_>>(), replayed.keys().collect::<Vec<_>>());
    for (id, live) in live {
        let replayed = &replayed[&id];
        assert_eq!(live.offsets, replayed.offsets, "{id}");
        if let Some(metadata) = live.metadata {
            assert_eq!(Some(metadata), replayed.metadata, "{id}");
        }
    }
}
