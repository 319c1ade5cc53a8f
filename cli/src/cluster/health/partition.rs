//! What a partition lacks, and why.

use serde_json::{Value, json};

use logboom_client::Partition;

use super::{Facts, listed};

/// A row about a partition without a leader, or with a replica that isn't in sync, or damaged.
pub(super) fn judge(topic: &str, partition: &Partition, facts: &Facts) -> Option<Value> {
    let Partition { index, leader, replicas, in_sync, .. } = partition;
    let is_unusable = |id: &i32| facts.why_unusable(*id).is_some();
    let leader = leader.filter(|id| !is_unusable(id));
    let is_missing = |id: &&i32| {
        !in_sync.contains(id) || is_unusable(id) || facts.damage(topic, *index, **id).is_some()
    };
    let missing: Vec<i32> = replicas.iter().filter(is_missing).copied().collect();
    let name = (topic.to_owned(), *index);
    let adding = facts.moves.get(&name).map(Vec::as_slice);
    if leader.is_some() && missing.is_empty() {
        return None;
    }
    let sources: &[i32] = leader.as_ref().map_or(replicas, std::slice::from_ref);
    let hindrances = |id: i32| facts.hindrances((topic, *index), id, sources);
    let is_absent = |id: i32| facts.absent.contains(&(topic.to_owned(), *index, id));
    let reason = |id: &i32| {
        if let Some(why) = facts.why_unusable(*id) {
            return why;
        }
        let how = match id {
            id if adding.is_some_and(|adding| adding.contains(id)) => Some("being moved here"),
            id if is_absent(*id) => Some("has no replica of it"),
            id if !in_sync.contains(id) => Some("behind"),
            _ => None,
        };
        let why = hindrances(*id).join(", ");
        how.into_iter().chain((!why.is_empty()).then_some(&*why)).collect::<Vec<_>>().join(": ")
    };
    let hinders = |id: &&i32| is_unusable(id) || !hindrances(**id).is_empty();
    let told: Vec<i32> =
        if leader.is_none() { replicas.iter().filter(hinders).copied().collect() } else { missing };
    let mut whys: Vec<String> = Vec::new();
    if leader.is_none() {
        let unusable: Vec<i32> = replicas.iter().filter(|id| is_unusable(id)).copied().collect();
        whys.push(why_leaderless(partition, &unusable));
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
