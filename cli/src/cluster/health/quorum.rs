//! The quorum of the controllers: who votes, and who is missing.

use serde_json::{Value, json};

use logboom_client::{QuorumDescription, QuorumReplica};

use super::facts::{Facts, time};

/// How long a controller may be silent. It speaks several times a second, if nothing is wrong.
const SILENT_MAX_MS: i64 = 5_000;

/// What is said of the quorum, and a row for each of its voters.
pub(super) fn judge(facts: &Facts) -> (Value, Vec<Value>) {
    let quorum = match &facts.quorum {
        Some(Ok(quorum)) => quorum,
        Some(Err(why)) => return (json!({ "why": why }), Vec::new()),
        None => return (Value::Null, Vec::new()),
    };
    let rows: Vec<Value> = quorum.voters.iter().map(|voter| row(quorum, voter, facts)).collect();
    let there = rows.iter().filter(|row| row["why"].is_null()).count();
    let no_leader = quorum.leader_id.is_none().then_some("no controller leads");
    let said = json!({
        "leader": quorum.leader_id, "epoch": quorum.leader_epoch,
        "high_watermark": quorum.high_watermark, "voters": rows.len(), "in_contact": there,
        "observers": quorum.observers.len(), "why": no_leader,
    });
    (said, rows)
}

fn row(quorum: &QuorumDescription, voter: &QuorumReplica, facts: &Facts) -> Value {
    let leader = quorum.voters.iter().find(|it| Some(it.id) == quorum.leader_id);
    let lag = leader.and_then(|leader| Some((leader.end_offset? - voter.end_offset?).max(0)));
    json!({
        "kind": "controller", "controller": voter.id,
        "leader": quorum.leader_id == Some(voter.id), "end_offset": voter.end_offset, "lag": lag,
        "last_contact": voter.last_contact_ms.and_then(time),
        "caught_up": voter.last_caught_up_ms.and_then(time),
        "why": why_missing(leader, voter, facts),
    })
}

/// The leader's own time of contact is that of its answer.
fn why_missing(
    leader: Option<&QuorumReplica>,
    voter: &QuorumReplica,
    facts: &Facts,
) -> Option<String> {
    if facts.silent.contains_key(&voter.id) || facts.mute.contains(&voter.id) {
        return facts.why_unusable(voter.id);
    }
    let now = leader?.last_contact_ms?;
    match voter.last_contact_ms {
        Some(last) if now - last <= SILENT_MAX_MS => None,
        Some(last) => Some(format!("not in contact since {}", time(last).unwrap_or_default())),
        None => Some("was never in contact".to_owned()),
    }
}

/// The same for people.
pub(super) fn sentence(quorum: &Value) -> String {
    if quorum.is_null() {
        return "controllers: brokers tell of no quorum".to_owned();
    }
    match quorum["why"].as_str() {
        Some(why) => format!("controllers: {why}"),
        None => format!(
            "controllers: {} leads in epoch {}, {} of {} voters in contact, metadata up to {}",
            quorum["leader"],
            quorum["epoch"],
            quorum["in_contact"],
            quorum["voters"],
            quorum["high_watermark"],
        ),
    }
}
