//! Statement 60: what consumers see of a log from which compaction has taken records.

use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_protocol::records::{BatchBuilder, BatchHeader, Codec, RawBatches};
use logboom_tests::broker::{Broker, pause, shared};
use logboom_tests::foreign::{Client, or_skip, printed};
use logboom_tests::raw::Raw;

use super::fetch::{BY_NAME, answers, fetch_now, records, wanted};
use super::{new_topic_with, now_ms, offset_of};

/// Longer than a compaction takes to begin, in the reference as well.
const PATIENCE: Duration = Duration::from_secs(120);
/// Records of about so many bytes fill segments.
const LARGE_BYTES: usize = 200_000;
const SEGMENT_BYTES: usize = 1 << 20;
/// What is written first, a batch each; the rest is large records of one key.
const BATCHES: [&[&str]; 8] = [
    &["a", "once", "b"],
    &["a", "b"],
    &["a", "b"],
    &["kept"],
    &[LARGE],
    &[LARGE],
    &[LARGE],
    &["a", "b"],
];
const LARGE: &str = "large";
const LARGE_BEHIND: usize = 13;
/// What is kept of the batches above.
const KEPT: [(i64, &str); 4] = [(1, "once"), (7, "kept"), (11, "a"), (12, "b")];

/// Writes a topic of which a part is to be compacted; returns its name and where it ends.
fn write(raw: &mut Raw) -> (String, i64) {
    let segment_bytes = SEGMENT_BYTES.to_string();
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", &segment_bytes),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    let topic = new_topic_with(raw, "compacted", 1, &configs);
    let mut end = 0;
    for keys in BATCHES.into_iter().chain([&[LARGE][..]; LARGE_BEHIND]) {
        let mut builder = BatchBuilder::new(Codec::None);
        for key in keys {
            let large = if *key == LARGE { LARGE_BYTES } else { 0 };
            let value = format!("{key}{}", "x".repeat(large));
            builder.append(now_ms(), Some(key.as_bytes()), Some(value.as_bytes()), &[]).unwrap();
        }
        assert_eq!(offset_of(raw, &topic, builder.build().unwrap()), end);
        end += i64::try_from(keys.len()).unwrap();
    }
    (topic, end)
}

/// What a consumer is given at an offset: never nothing, and never what lies in front of it.
fn fetched(raw: &mut Raw, topic: &str, offset: i64) -> (Vec<BatchHeader>, Vec<(i64, String)>) {
    let response = raw.call(BY_NAME, &fetch_now(topic, vec![wanted(0, offset)]));
    let answer = answers(&response)[0];
    assert_eq!(answer.error_code, ErrorCode::NONE, "at {offset}");
    let bytes = answer.records.clone().unwrap_or_default();
    let headers = RawBatches::new(&bytes).map(|batch| *batch.unwrap().header());
    let headers: Vec<_> = headers.collect();
    let first = headers.first().unwrap_or_else(|| panic!("a consumer stalls at {offset}"));
    assert!(end_of(first) > offset, "{first:?} lies in front of {offset}");
    (headers, records(answer))
}

fn end_of(batch: &BatchHeader) -> i64 {
    batch.base_offset + i64::from(batch.last_offset_delta) + 1
}

/// Everything, read as a consumer does: on behind the last batch.
fn read(raw: &mut Raw, topic: &str, end: i64) -> (Vec<BatchHeader>, Vec<(i64, String)>) {
    let (mut batches, mut found, mut next) = (Vec::new(), Vec::new(), 0);
    while next < end {
        let (headers, records) = fetched(raw, topic, next);
        next = end_of(headers.last().unwrap());
        batches.extend(headers);
        found.extend(records);
    }
    assert_eq!(next, end);
    (batches, found)
}

/// Whether all segments are compacted but the one that is appended to.
fn is_compacted(found: &[(i64, String)]) -> bool {
    let kept = found.iter().map(|(offset, value)| (*offset, value.as_str())).take(KEPT.len());
    kept.eq(KEPT) && found.len() - KEPT.len() <= SEGMENT_BYTES / LARGE_BYTES
}

#[test]
fn wire_60_what_compaction_takes_leaves_offsets_as_they_were_and_stalls_no_consumer() {
    // The reference waits for 15 s between two looks.
    let own = std::env::var_os("LOGBOOM_REFERENCE").is_none();
    let own = own.then(|| Broker::start_with("gaps", &["--set", "log.cleaner.backoff.ms=50"]));
    let address = own.as_ref().map_or_else(|| shared().bootstrap(), Broker::bootstrap);
    let mut raw = Raw::connect(&address);
    let (topic, end) = write(&mut raw);
    let deadline = Instant::now() + PATIENCE;
    let (batches, found) = loop {
        let (batches, found) = read(&mut raw, &topic, end);
        if is_compacted(&found) {
            break (batches, found);
        }
        assert!(Instant::now() < deadline, "it is not compacted");
        pause();
    };
    let first = &batches[0];
    assert_eq!((first.base_offset, first.last_offset_delta, first.record_count), (0, 2, 1));
    for offset in 0..end {
        let next = |found: &[(i64, String)]| found.iter().map(|one| one.0).find(|at| *at >= offset);
        let (batches, mut here) = fetched(&mut raw, &topic, offset);
        let mut at = end_of(batches.last().unwrap());
        // Batches without records lead to those that have some.
        while next(&here).is_none() && at < end {
            let (batches, behind) = fetched(&mut raw, &topic, at);
            at = end_of(batches.last().unwrap());
            here = behind;
        }
        assert_eq!(next(&here), next(&found), "at {offset}");
    }
    if own.is_some() {
        // The reference has gaps here; ours has batches that stand for what is gone.
        let ends: Vec<_> = batches.iter().map(end_of).collect();
        let bases: Vec<_> = batches.iter().map(|batch| batch.base_offset).collect();
        assert_eq!(ends[..ends.len() - 1], bases[1..]);
    }
    for client in Client::ALL {
        let what = format!("{} on a compacted log", client.name());
        let Some(mut command) = or_skip(&what, client.consumer()) else { continue };
        command.args([&address, &topic, "read_committed", &format!("0:{}", end - 1)]);
        let lines = printed(&mut command);
        let word = |line: &str| line.split(' ').nth(1).unwrap().parse::<i64>().unwrap();
        let offsets: Vec<_> = lines.lines().map(word).collect();
        let expected: Vec<_> = found.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets, expected, "{}", client.name());
    }
}
