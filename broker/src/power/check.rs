//! A broker on what a power cut left, held against what was acknowledged before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::records::{BatchBuilder, CheckedBatch, Codec, Inflater, RawBatches};
use logboom_storage::sim::SimDisk;
use logboom_storage::state::GroupKey;

use super::history::{History, Sent, TopicState};
use super::workload::CACHING;
use super::{OTHER_BOOT, start};
use crate::Broker;
use crate::clock::now_ms;
use crate::testing::TestClient;

/// What a broker has shown.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// Calls that its disk had seen then.
    pub(super) at: usize,
    pub(super) topics: BTreeMap<String, TopicState>,
    pub(super) logs: BTreeMap<GroupKey, ObservedLog>,
    /// What the check has written itself.
    pub(super) sent: Vec<Sent>,
}

/// What a partition has shown.
#[derive(Debug)]
pub(super) struct ObservedLog {
    /// The first offset that it keeps, inclusive.
    pub(super) start: i64,
    /// The high watermark, exclusive.
    end: i64,
    /// Offsets with the numbers of their records, in order.
    pub(super) records: Vec<(i64, u64)>,
    /// Offsets that are refused as damaged.
    fenced: BTreeSet<i64>,
}

/// Starts a broker on an image of the first `at` calls, in another life of the machine, and looks
/// whether all that was acknowledged is there; what is wrong otherwise.
pub(super) fn check_image(
    image: &Arc<SimDisk>,
    history: &History,
    at: usize,
) -> Result<Observed, String> {
    let broker = start(image, OTHER_BOOT).map_err(|error| format!("no start: {error}"))?;
    let looked = check(&broker, image, history, at);
    broker.stop();
    looked
}

/// The same with a broker that runs.
///
/// - `at`: calls of the history's disk that the broker can know of.
pub(super) fn check(
    broker: &Broker,
    disk: &SimDisk,
    history: &History,
    at: usize,
) -> Result<Observed, String> {
    let mut client = TestClient::connect(broker.addresses()[0]);
    for (span, cluster) in &history.clusters {
        if span.must_show(at) && broker.cluster_id() != *cluster {
            return Err(format!("cluster {} was {cluster}", broker.cluster_id()));
        }
    }
    let topics = client.topics().map_err(|code| format!("topics: {code:?}"))?;
    check_topics(&topics, history, at)?;
    let mut observed = Observed { topics, ..Observed::default() };
    for (name, state) in &observed.topics {
        let bounds = client.bounds(name, state.partitions);
        let bounds = bounds.map_err(|code| format!("{name}: {code:?}"))?;
        for ((start, end), partition) in bounds.into_iter().zip(0..) {
            let key = GroupKey { topic_id: state.id.unwrap_or_default(), partition };
            let context = |what| format!("{name}-{partition} {start}..{end}: {what}");
            let log = read_log(&mut client, key, start, end).map_err(context)?;
            check_log(&key, &log, history, at).map_err(context)?;
            observed.logs.insert(key, log);
        }
    }
    check_repeats(&mut client, &observed, history, at)?;
    go_on(&mut client, &mut observed, history, at)?;
    observed.at = disk.trace_len();
    Ok(observed)
}

/// Topics are as acknowledged, or as what was under way makes them.
fn check_topics(
    topics: &BTreeMap<String, TopicState>,
    history: &History,
    at: usize,
) -> Result<(), String> {
    let names: BTreeSet<&String> = history.topics.keys().chain(topics.keys()).collect();
    for name in names {
        let found = topics.get(name);
        let allowed = history.allowed(name, at);
        let fits = |allowed: &Option<TopicState>| match (allowed, found) {
            (None, None) => true,
            (Some(allowed), Some(found)) => {
                let is_it = allowed.id.is_none() || allowed.id == found.id;
                is_it
                    && (allowed.partitions, &allowed.configs) == (found.partitions, &found.configs)
            }
            _ => false,
        };
        if !allowed.iter().any(fits) {
            return Err(format!("topic {name}: {found:?}, allowed are {allowed:?}"));
        }
    }
    Ok(())
}

/// Reads what a partition has from `start` to `end`.
fn read_log(
    client: &mut TestClient,
    key: GroupKey,
    start: i64,
    end: i64,
) -> Result<ObservedLog, String> {
    let mut log = ObservedLog { start, end, records: Vec::new(), fenced: BTreeSet::new() };
    let mut offset = start;
    while offset < end {
        let fetched = client.fetch(key.topic_id, key.partition, offset);
        match fetched.error_code {
            ErrorCode::NONE => {}
            // What was never promised may be damaged: a hole before a later batch that survived.
            ErrorCode::CORRUPT_MESSAGE => {
                log.fenced.insert(offset);
                offset += 1;
                continue;
            }
            code => return Err(format!("fetch {offset}: {code:?}")),
        }
        let records = decode(&fetched.records.unwrap_or_default())?;
        let records = records.into_iter().filter(|(at, _)| *at >= offset);
        let before = log.records.len();
        log.records.extend(records);
        if log.records.len() == before {
            return Err(format!("nothing at {offset}"));
        }
        offset = log.records.last().map_or(end, |(last, _)| last + 1);
    }
    Ok(log)
}

/// The offsets and numbers of the records in what a fetch gave.
fn decode(bytes: &Bytes) -> Result<Vec<(i64, u64)>, String> {
    let mut inflater = Inflater::default();
    let mut records = Vec::new();
    for batch in RawBatches::new(bytes) {
        let batch = batch.map_err(|error| error.to_string())?;
        let batch = CheckedBatch::check(bytes.slice_ref(batch.bytes()));
        let batch = batch.map_err(|error| error.to_string())?;
        for record in &batch.records(&mut inflater).map_err(|error| error.to_string())? {
            let record = record.map_err(|error| error.to_string())?;
            let number = record.value.and_then(|value| value.first_chunk());
            let number = number.ok_or("a record that nobody sent")?;
            records.push((record.offset, u64::from_be_bytes(*number)));
        }
    }
    Ok(records)
}

/// Records stand where it was answered, once and in order, without gaps, and only such as were
/// sent; the log start is where it was moved to.
fn check_log(
    key: &GroupKey,
    log: &ObservedLog,
    history: &History,
    at: usize,
) -> Result<(), String> {
    let deletions = history.deletions.iter().filter(|deletion| deletion.key == *key);
    let floor = deletions.clone().filter(|d| d.span.must_show(at)).map(|d| d.offset).max();
    let ceiling = deletions.filter(|d| d.span.may_show(at)).map(|d| d.offset).max();
    if !(floor.unwrap_or(0)..=ceiling.unwrap_or(0)).contains(&log.start) {
        return Err(format!("the log start was moved to {floor:?}, at most {ceiling:?}"));
    }
    let read = log.records.iter().map(|(offset, _)| *offset);
    let all: BTreeSet<i64> = read.chain(log.fenced.iter().copied()).collect();
    if all.len() != log.records.len() + log.fenced.len() || !all.into_iter().eq(log.start..log.end)
    {
        return Err(format!("gaps: {:?}, fenced {:?}", log.records, log.fenced));
    }
    check_records(key, log, history, at)
}

fn check_records(
    key: &GroupKey,
    log: &ObservedLog,
    history: &History,
    at: usize,
) -> Result<(), String> {
    let mut unexplained: BTreeMap<u64, i64> =
        log.records.iter().map(|(offset, number)| (*number, *offset)).collect();
    if unexplained.len() != log.records.len() {
        return Err(format!("a record stands there twice: {:?}", log.records));
    }
    // By client, behind the last of its records, and whether one is missing.
    let mut clients: BTreeMap<usize, (i64, bool)> = BTreeMap::new();
    for sent in history.sent.iter().filter(|sent| sent.key == *key) {
        let found: Vec<i64> =
            (sent.first..sent.end).filter_map(|number| unexplained.remove(&number)).collect();
        let kept = sent.base_offset.map(|base| base.max(log.start)..base + sent.count());
        let is_whole = kept.clone().is_some_and(|kept| kept.eq(found.iter().copied()));
        if sent.promised && sent.span.must_show(at) && !is_whole {
            return Err(format!("{sent:?} was acknowledged and is at {found:?}"));
        }
        let (Some(first), Some(last)) = (found.first(), found.last()) else {
            let is_deleted = kept.is_some_and(|kept| kept.is_empty());
            clients.entry(sent.client).or_default().1 |= !is_deleted;
            continue;
        };
        let (end, is_missing) = clients.entry(sent.client).or_default();
        let is_intact = kept.is_none_or(|_| is_whole) || !log.fenced.is_empty();
        if !sent.span.may_show(at) || !is_intact || first < end {
            return Err(format!("{sent:?} is at {found:?}"));
        }
        if *is_missing && log.fenced.is_empty() && *first > log.start {
            return Err(format!("{sent:?} is at {found:?}, and what was sent before it is not"));
        }
        *end = last + 1;
    }
    match unexplained.first_key_value() {
        None => Ok(()),
        Some((number, offset)) => Err(format!("record {number} at {offset} was never sent")),
    }
}

/// The last acknowledged batch of each idempotent producer is a duplicate, if it is sent again.
fn check_repeats(
    client: &mut TestClient,
    observed: &Observed,
    history: &History,
    at: usize,
) -> Result<(), String> {
    let mut last: BTreeMap<(usize, GroupKey), &Sent> = BTreeMap::new();
    for sent in &history.sent {
        let is_there = observed.logs.contains_key(&sent.key);
        if is_there && sent.promised && sent.numbered.is_some() && sent.span.must_show(at) {
            last.insert((sent.client, sent.key), sent);
        }
    }
    for ((_, key), sent) in last {
        let batch = sent.numbered.clone().unwrap_or_default();
        client.produce(key.topic_id, vec![(key.partition, batch)], -1);
        let answer = client.produced().remove(0);
        let repeated = (answer.error_code, Some(answer.base_offset));
        if repeated != (ErrorCode::NONE, sent.base_offset) {
            return Err(format!("sent again, {sent:?} is answered {answer:?}"));
        }
    }
    Ok(())
}

/// The broker takes what is new: a record for each partition, a producer, a topic.
fn go_on(
    client: &mut TestClient,
    observed: &mut Observed,
    history: &History,
    at: usize,
) -> Result<(), String> {
    let id = client.producer_id().map_err(|code| format!("a producer id: {code:?}"))?;
    if history.producer_ids.iter().any(|(span, known)| span.must_show(at) && *known == id) {
        return Err(format!("producer id {id} is given twice"));
    }
    let mut number = NUMBER_MIN + history.sent.len() as u64 * 1_000;
    for (key, log) in &observed.logs {
        number += 1;
        client.produce(key.topic_id, vec![(key.partition, batch(number))], -1);
        let answer = client.produced().remove(0);
        if (answer.error_code, answer.base_offset) != (ErrorCode::NONE, log.end) {
            return Err(format!("{key} ends at {}, a new record: {answer:?}", log.end));
        }
        let is_cached = is_caching(&observed.topics, key);
        observed.sent.push(Sent::by_check(*key, number, log.end, !is_cached));
    }
    let state = TopicState { id: None, partitions: 1, configs: BTreeMap::new() };
    let created = client.create_topic(NEW_TOPIC, &state);
    let deleted = created.and_then(|_| client.delete_topic(NEW_TOPIC));
    deleted.map_err(|code| format!("a new topic: {code:?}"))
}

/// Whether records of a partition count before they are flushed.
fn is_caching(topics: &BTreeMap<String, TopicState>, key: &GroupKey) -> bool {
    let mut topics = topics.values();
    let topic = topics.find(|topic| topic.id == Some(key.topic_id));
    topic.and_then(|topic| topic.configs.get(CACHING)).is_some_and(|value| value == "true")
}

/// Numbers of records that checks write begin here.
pub(super) const NUMBER_MIN: u64 = 1 << 40;
/// A topic that a check makes and deletes.
const NEW_TOPIC: &str = "new";

fn batch(number: u64) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(now_ms(), None, Some(&number.to_be_bytes()), &[]).unwrap();
    builder.build().unwrap()
}
