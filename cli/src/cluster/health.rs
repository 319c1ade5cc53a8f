//! `logboom cluster health`: what isn't replicated as it should be, and why.
//!
//! Everything is asked through the public protocol, of any cluster that speaks it; Logboom's own
//! brokers tell more in fields that others skip. What brokers don't tell isn't judged.
//!
//! Must always hold: partitions are looked at page by page, and of a table no more than
//! [`ROWS_MAX`] rows are held.

mod facts;
mod partition;
mod quorum;

use std::io::{self, Write};

use serde_json::{Value, json};

use logboom_client::Cluster;

use self::facts::Facts;
use super::status::listed;
use crate::client::Failure;
use crate::output::{Output, write_rows};

/// What stands below the options.
pub(super) const HELP: &str = "\
Exit status 0: every partition has a leader and all its replicas in sync and whole, every broker and
controller is in contact, hears the others, and its flushes don't hang. 1: something is wrong, or
nobody can be asked.

With --output json there is a line for each controller, each broker, each partition that lacks
something, and at last a summary; `kind` says which.

Examples:
  logboom cluster health
  logboom cluster health --output json | jq -r 'select(.kind == \"partition\") | .why'";

/// The most partitions of a table.
const ROWS_MAX: usize = 1_000;

/// Partitions that lack something.
#[derive(Debug, Default)]
struct Lacking {
    partitions: usize,
    leaderless: usize,
    under_replicated: usize,
    /// Those of the table.
    rows: Vec<Value>,
}

/// Looks at everything, and fails where something is wrong.
pub(super) async fn run(
    cluster: &Cluster,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut facts = Facts::gather(cluster).await?;
    let (quorum, voters) = quorum::judge(&facts);
    let brokers = brokers(&facts);
    if output == Output::Json {
        write_rows(out, output, &[], &voters)?;
        write_rows(out, output, &[], &brokers)?;
    }
    let lacking = look_at_partitions(cluster, &mut facts, output, out).await?;
    let is_well = |rows: &[Value]| rows.iter().all(|row| row["why"].is_null());
    let is_healthy = lacking.leaderless + lacking.under_replicated == 0
        && quorum["why"].is_null()
        && is_well(&voters)
        && is_well(&brokers);
    let summary = json!({
        "kind": "summary", "cluster_id": facts.cluster_id, "healthy": is_healthy,
        "quorum": quorum, "brokers": brokers.len(),
        "brokers_not_in_contact": facts.silent.keys().chain(&facts.mute).collect::<Vec<_>>(),
        "partitions": lacking.partitions, "leaderless": lacking.leaderless,
        "under_replicated": lacking.under_replicated,
    });
    match output {
        Output::Json => writeln!(out, "{summary}")?,
        Output::Table => write_text(out, &summary, &voters, &brokers, &lacking)?,
    }
    // What is wrong was said.
    if is_healthy { Ok(()) } else { Err(Failure::Told) }
}

/// A row a broker.
fn brokers(facts: &Facts) -> Vec<Value> {
    let row = |(broker, _): &(logboom_client::Broker, bool)| {
        json!({
            "kind": "broker", "broker": broker.id, "address": broker.address.to_string(),
            "rack": broker.rack, "controller": facts.controller_id == Some(broker.id),
            "why": facts.why_unwell(broker.id),
        })
    };
    facts.brokers.iter().map(row).collect()
}

async fn look_at_partitions(
    cluster: &Cluster,
    facts: &mut Facts,
    output: Output,
    out: &mut impl Write,
) -> Result<Lacking, Failure> {
    let mut lacking = Lacking::default();
    let mut page = cluster.partitions(None).await?;
    loop {
        let topics = page.topics.iter();
        let all = topics.flat_map(|topic| topic.partitions.iter().map(|one| (&*topic.name, one)));
        facts.ask_for_replicas(cluster, all.clone()).await;
        for (topic, one) in all {
            lacking.partitions += 1;
            let Some(row) = partition::judge(topic, one, facts) else { continue };
            let is_led = !row["leader"].is_null();
            lacking.leaderless += usize::from(!is_led);
            lacking.under_replicated += usize::from(is_led);
            match output {
                Output::Json => writeln!(out, "{row}")?,
                Output::Table if lacking.rows.len() < ROWS_MAX => lacking.rows.push(row),
                Output::Table => {}
            }
        }
        let Some(next) = &page.next else { return Ok(lacking) };
        page = cluster.partitions(Some(next)).await?;
    }
}

fn write_text(
    out: &mut impl Write,
    summary: &Value,
    voters: &[Value],
    brokers: &[Value],
    lacking: &Lacking,
) -> io::Result<()> {
    let id = summary["cluster_id"].as_str().unwrap_or("without an id");
    let verdict = if summary["healthy"] == true { "healthy" } else { "not healthy" };
    writeln!(out, "cluster {id}: {verdict}\n")?;
    writeln!(out, "{}", quorum::sentence(&summary["quorum"]))?;
    if !voters.is_empty() {
        let columns = ["controller", "leader", "lag", "last_contact", "caught_up", "why"];
        write_rows(out, Output::Table, &columns, voters)?;
    }
    writeln!(out)?;
    let columns = ["broker", "address", "rack", "controller", "why"];
    write_rows(out, Output::Table, &columns, brokers)?;
    let Lacking { partitions, leaderless, under_replicated, rows } = lacking;
    writeln!(
        out,
        "\n{partitions} partitions: {leaderless} without a leader, {under_replicated} not fully \
         replicated"
    )?;
    if !rows.is_empty() {
        let columns = ["partition", "leader", "replicas", "in_sync", "why"];
        write_rows(out, Output::Table, &columns, rows)?;
    }
    match leaderless + under_replicated - rows.len() {
        0 => Ok(()),
        more => writeln!(out, "… and {more} more; --output json names all of them"),
    }
}

#[cfg(test)]
mod tests;
