//! What a partition lacks, and why.

use serde_json::{Value, json};

use logboom_client::Partition;

use super::{Facts, listed};

/// A row about a partition without a leader, or with a replica that isn't in sync.
pub(super) fn judge(topic: &str, partition: &Partition, facts: &Facts) -> Option<Value> {
    let Partition { index, leader, replicas, in_sync, .. } = partition;
    let is_unusable = |id: &i32| facts.why_unusable(*id).is_some();
    let leader = leader.filter(|id| !is_unusable(id));
    let is_missing = |id: &&i32| !in_sync.contains(id) || is_unusable(id);
    let missing: Vec<i32> = replicas.iter().filter(is_missing).copied().collect();
    let name = (topic.to_owned(), *index);
    let adding = facts.moves.get(&name).map(Vec::as_slice);
    if leader.is_some() && missing.is_empty() {
        return None;
    }
    let reason = |id: &i32| match facts.why_unusable(*id) {
        Some(why) => why,
        None if adding.is_some_and(|adding| adding.contains(id)) => "being moved here".to_owned(),
        None => facts.why_lacking(topic, *index, *id),
    };
    let unusable = replicas.iter().filter(|id| is_unusable(id));
    let told: Vec<i32> = if leader.is_none() { unusable.copied().collect() } else { missing };
    let mut whys: Vec<String> = Vec::new();
    if leader.is_none() {
        whys.push(why_leaderless(partition, &told));
    }
    whys.extend(told.iter().map(|id| format!("{id}: {}", reason(id))));
    if adding.is_some_and(<[i32]>::is_empty) {
        whys.push("being moved".to_owned());
    }
    let missing = told.iter().map(|id| json!({ "broker": id, "why": reason(id) }));
    Some(json!({
        "kind": "partition", "partition": format!("{topic}-{index}"), "topic": topic,
        "index": index, "leader": leader, "replicas": replicas, "in_sync": in_sync,
        "missing": missing.collect::<Vec<_>>(), "why": whys.join("; "),
    }))
}

/// - `unusable`: replicas that can't lead or vote.
fn why_leaderless(partition: &Partition, unusable: &[i32]) -> String {
    let Partition { replicas, in_sync, .. } = partition;
    let is_usable = |id: &&i32| !unusable.contains(id);
    let usable = replicas.iter().filter(is_usable).count();
    if !in_sync.iter().any(|id| is_usable(&id)) {
        let ids = listed(in_sync.iter()).unwrap_or_else(|| "none is".to_owned());
        return format!("no replica in sync can lead (in sync: {ids})");
    }
    if usable * 2 <= replicas.len() {
        return format!("no majority: {usable} of {} replicas can vote", replicas.len());
    }
    "an election is due".to_owned()
}
