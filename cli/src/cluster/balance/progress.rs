//! What is being carried out, and how far it is, as people and programs read it.

use std::io::{self, Write};
use std::sync::Once;

use serde_json::{Map, Value, json};

use logboom_balance::status::{
    DrainStatus, EndlessStatus, Growth, MoveStatus, OtherStatus, PassedOver, PlanStatus, Status,
    UnmetStatus,
};
use logboom_balance::{Resource, Rule, Stage, Wait};

use super::super::figures;
use super::report::{what, write_more, write_unmet_rows};
use crate::admin::AdminArguments;
use crate::client::Failure;
use crate::complain;
use crate::output::{Output, write_rows};

/// What the controller tells.
const PATH: &str = "/balance/status";
/// The most moves that people are shown.
const ROWS_MAX: usize = 1_000;

/// Asks how far it is.
pub(in crate::cluster) async fn fetch(admin: &AdminArguments) -> Result<Status, Failure> {
    let text = admin.get(PATH).await?;
    let read = Status::parse_known(&text);
    let (status, passed_over) =
        read.map_err(|error| Failure::failed(format_args!("{admin}: {PATH}: {error}")))?;
    if let Some(passed_over) = passed_over {
        SAID.call_once(|| complain(&said(admin, &passed_over)));
    }
    Ok(status)
}

/// Whether it was said that a status says more than is known here.
static SAID: Once = Once::new();

fn said(admin: &AdminArguments, passed_over: &PassedOver) -> String {
    format!(
        "logboom cluster: {admin}: {PATH}: {passed_over}; that is left out here: the brokers are \
         of a later version than this command"
    )
}

/// Writes it.
pub(super) fn write(status: &Status, output: Output, out: &mut impl Write) -> io::Result<()> {
    match output {
        Output::Json => write_lines(status, out),
        Output::Table => write_text(status, out),
    }
}

fn write_lines(status: &Status, out: &mut impl Write) -> io::Result<()> {
    let none = PlanStatus::default();
    let PlanStatus { moves, unmet, .. } = status.plan.as_ref().unwrap_or(&none);
    let moves = moves.iter().map(move_row);
    let unmet = unmet.iter().map(unmet_row);
    let drains = status.drains.iter().map(drain_row);
    let endless = status.endless.iter().map(endless_row);
    let others = status.others.iter().map(other_row);
    let mut rows = moves.chain(unmet).chain(drains).chain(endless).chain(others);
    rows.try_for_each(|row| writeln!(out, "{row}"))?;
    writeln!(out, "{}", summary(status))
}

fn move_row(one: &MoveStatus) -> Value {
    let (stage, lacks) = stage(one.stage);
    json!({
        "kind": "move", "partition": format!("{}-{}", one.topic, one.index),
        "topic": one.topic, "index": one.index, "what": what(one.kind), "from": one.from,
        "to": one.to, "rule": one.rule.name(),
        "resource": one.resource.map(Resource::word), "bytes": one.bytes, "stage": stage,
        "lacks": lacks.map(Resource::word),
    })
}

/// What a stage is called, and what its broker has no room for.
fn stage(stage: Stage) -> (&'static str, Option<Resource>) {
    match stage {
        Stage::Done => ("done", None),
        Stage::UnderWay => ("under-way", None),
        Stage::Now => ("next", None),
        Stage::Waits(Wait::Partition) => ("waits-for-partition", None),
        Stage::Waits(Wait::Leader) => ("waits-for-leader", None),
        Stage::Waits(Wait::Limit) => ("waits-for-turn", None),
        Stage::Waits(Wait::Contact) => ("waits-for-contact", None),
        Stage::Waits(Wait::InSync) => ("waits-for-sync", None),
        Stage::Waits(Wait::Capacity(resource)) => ("waits-for-room", Some(resource)),
        Stage::Void => ("void", None),
    }
}

fn unmet_row(one: &UnmetStatus) -> Value {
    json!({
        "kind": "unmet", "partition": format!("{}-{}", one.topic, one.index),
        "topic": one.topic, "index": one.index, "from": one.from, "rule": one.rule.name(),
        "why": one.obstacle.to_string(),
    })
}

fn drain_row(one: &DrainStatus) -> Value {
    let DrainStatus { broker, replicas, leaders, moving } = one;
    json!({
        "kind": "drain", "broker": broker, "replicas": replicas, "leaders": leaders,
        "moving": moving,
    })
}

fn endless_row(one: &EndlessStatus) -> Value {
    json!({
        "kind": "endless", "partition": format!("{}-{}", one.topic, one.index),
        "topic": one.topic, "index": one.index, "leader": one.leader, "in": one.bytes_in,
        "all": one.all_bytes_in, "rate": one.bytes_per_second,
    })
}

fn other_row(one: &OtherStatus) -> Value {
    json!({
        "kind": "other", "partition": format!("{}-{}", one.topic, one.index),
        "topic": one.topic, "index": one.index, "from": one.from, "to": one.to,
        "bytes": one.bytes,
    })
}

/// What others have begun.
fn write_others(others: &[OtherStatus], out: &mut impl Write) -> io::Result<()> {
    if others.is_empty() {
        return Ok(());
    }
    let count = figures::count(others.len(), "partition is", "partitions are");
    writeln!(out, "\n{count} on the way to other brokers beside a plan")?;
    let shown = &others[..others.len().min(ROWS_MAX)];
    let ids = |ids: &[i32]| match ids {
        [] => Value::Null,
        ids => ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",").into(),
    };
    let row = |one: &OtherStatus| {
        let mut row = other_row(one);
        row["bytes"] = figures::bytes(one.bytes).into();
        (row["from"], row["to"]) = (ids(&one.from), ids(&one.to));
        row
    };
    let rows: Vec<Value> = shown.iter().map(row).collect();
    write_rows(out, Output::Table, &["partition", "from", "to", "bytes"], &rows)?;
    write_more(out, others.len() - shown.len())
}

/// What never ends, and what helps.
fn write_endless(endless: &[EndlessStatus], out: &mut impl Write) -> io::Result<()> {
    if endless.is_empty() {
        return Ok(());
    }
    let count = figures::count(endless.len(), "partition", "partitions");
    writeln!(
        out,
        "\nnew replicas of {count} never catch up: what arrives for them (IN), with what else\n\
         their leader copies (ALL), is no less than what it sends (RATE)"
    )?;
    let shown = &endless[..endless.len().min(ROWS_MAX)];
    let row = |one: &EndlessStatus| {
        let mut row = endless_row(one);
        for key in ["in", "all", "rate"] {
            let bytes = row[key].as_u64().unwrap_or_default();
            row[key] = format!("{}/s", figures::bytes(bytes)).into();
        }
        row
    };
    let rows: Vec<Value> = shown.iter().map(row).collect();
    write_rows(out, Output::Table, &["partition", "leader", "in", "all", "rate"], &rows)?;
    write_more(out, endless.len() - shown.len())?;
    writeln!(
        out,
        "raise balance.move.bytes.per.second, or take the moves back: `logboom cluster balance \
         --cancel`"
    )
}

fn summary(status: &Status) -> Value {
    let plan = status.plan.as_ref().map(|plan| {
        let PlanStatus { age_seconds, bytes, bytes_left, seconds_left, moves, unmet } = plan;
        let [done, under_way, waiting, void] = counts(moves);
        json!({
            "age_seconds": age_seconds, "bytes": bytes, "bytes_left": bytes_left,
            "seconds_left": seconds_left, "moves": moves.len(), "done": done,
            "under_way": under_way, "waiting": waiting, "void": void,
            "unmet": unmet.len(),
        })
    });
    json!({
        "kind": "summary", "controller": status.controller, "once": status.once,
        "triggers": names(&status.triggers), "plan": plan, "others": status.others.len(),
        "growth": status.growth.as_ref().map(growth_value),
    })
}

/// How loads grow, for programs.
pub(in crate::cluster) fn growth_value(growth: &Growth) -> Value {
    let amount =
        |resource: Resource| (resource.word().to_owned(), Value::from(growth.per_day[resource]));
    let per_day: Map<String, Value> = Resource::ALL.into_iter().map(amount).collect();
    json!({ "over_seconds": growth.over_seconds, "per_day": per_day })
}

/// How loads grow, for people.
pub(in crate::cluster) fn growth_text(growth: &Growth) -> String {
    let amounts = Resource::ALL.map(|resource| {
        let amount = figures::amount(resource, growth.per_day[resource]);
        match resource {
            Resource::Partitions | Resource::Leaders => format!("{amount} {resource}"),
            _ => format!("{amount} {}", resource.word()),
        }
    });
    format!("{}, measured over {}", amounts.join(", "), figures::seconds(growth.over_seconds))
}

/// How many moves are done, under way, wait, and are void.
fn counts(moves: &[MoveStatus]) -> [usize; 4] {
    let count = |is: fn(Stage) -> bool| moves.iter().filter(|one| is(one.stage)).count();
    [
        count(|it| it == Stage::Done),
        count(|it| it == Stage::UnderWay),
        count(|it| matches!(it, Stage::Now | Stage::Waits(_))),
        count(|it| it == Stage::Void),
    ]
}

fn names(rules: &[Rule]) -> Vec<&'static str> {
    rules.iter().copied().map(Rule::name).collect()
}

fn write_text(status: &Status, out: &mut impl Write) -> io::Result<()> {
    let triggers = names(&status.triggers).join(", ");
    let triggers = if triggers.is_empty() { "none" } else { &triggers };
    writeln!(out, "controller: broker {}", status.controller)?;
    writeln!(out, "rules that are followed without being asked: {triggers}")?;
    let asked = if status.once { "asked for" } else { "not asked for" };
    writeln!(out, "a plan of all rules: {asked}")?;
    let growth = status.growth.as_ref().map_or_else(|| "not known yet".to_owned(), growth_text);
    writeln!(out, "growth a day: {growth}")?;
    if !status.drains.is_empty() {
        writeln!(out, "\ndrained brokers")?;
        let rows: Vec<Value> = status.drains.iter().map(drain_row).collect();
        write_rows(out, Output::Table, &["broker", "replicas", "leaders", "moving"], &rows)?;
    }
    write_endless(&status.endless, out)?;
    write_others(&status.others, out)?;
    match &status.plan {
        None if !status.others.is_empty() => writeln!(out, "\nno plan is being carried out"),
        None => writeln!(out, "\nnothing is being moved"),
        Some(plan) => write_plan(plan, out),
    }
}

fn write_plan(plan: &PlanStatus, out: &mut impl Write) -> io::Result<()> {
    let PlanStatus { age_seconds, bytes, bytes_left, seconds_left, moves, unmet } = plan;
    let [done, under_way, waiting, void] = counts(moves);
    let (age, left) = (figures::seconds(*age_seconds), figures::seconds(*seconds_left));
    let moved = figures::count(moves.len(), "move", "moves");
    write!(out, "\nplan, {age} old: {moved}, {done} done, {under_way} under way, ")?;
    writeln!(out, "{waiting} waiting, {void} void")?;
    let [bytes, bytes_left] = [*bytes, *bytes_left].map(figures::bytes);
    writeln!(out, "{bytes_left} of {bytes} are left to copy, {left} at least")?;
    let shown = &moves[..moves.len().min(ROWS_MAX)];
    if !shown.is_empty() {
        let rows: Vec<Value> = shown.iter().map(table_row).collect();
        let columns = ["partition", "what", "from", "to", "rule", "resource", "bytes", "stage"];
        write_rows(out, Output::Table, &columns, &rows)?;
    }
    write_more(out, moves.len() - shown.len())?;
    let shown = &unmet[..unmet.len().min(ROWS_MAX)];
    if !shown.is_empty() {
        let count = figures::count(unmet.len(), "replica", "replicas");
        writeln!(out, "\n{count} should move and can't")?;
        let rows: Vec<Value> = shown.iter().map(unmet_row).collect();
        write_unmet_rows(out, rows)?;
    }
    write_more(out, unmet.len() - shown.len())
}

/// A row with figures for people.
fn table_row(one: &MoveStatus) -> Value {
    let mut row = move_row(one);
    row["bytes"] = figures::bytes(one.bytes).into();
    for key in ["what", "rule", "stage"] {
        row[key] = figures::words(&row[key]);
    }
    if let (_, Some(resource)) = stage(one.stage) {
        row["stage"] = format!("waits for room: {resource}").into();
    }
    row
}

#[cfg(test)]
mod tests;
