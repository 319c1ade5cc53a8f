//! `logboom cluster capacity`: how much room there is, for how long, and what one broker more or
//! less would change.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use logboom_balance::status::Growth;
use logboom_balance::{
    Amounts, BrokerCapacity, Capacity, Headroom, Options, Outlook, Resource, Snapshot, capacity,
    one_more,
};

use super::balance::{self, growth_text, growth_value};
use super::{figures, source};
use crate::admin::AdminArguments;
use crate::client::Failure;
use crate::output::{Output, write_rows};

/// What stands below the options.
pub(super) const HELP: &str = "\
A resource runs out on a day if all grows as it was measured, and each broker's part of it with its
load. Utilisations are weighted, as `logboom cluster balance` sees them; where no capacities are
known they are shares. One more broker is like the largest active one; one less is the one whose
loss costs the most.

With --output json there is a line for each broker and resource (kind: headroom), one for the
brokers as they are, with one more and with one less (kind: outlook), and one for the growth (kind:
growth; null: not known). Utilisations are in millionths (`ppm`).

Examples:
  logboom cluster capacity --admin broker-1:9644
  logboom cluster capacity --snapshot before.txt --output json";

/// The seconds of a hundredth of a day.
const DAY_PART_SECONDS: u64 = 864;
/// What is further away than a thousand years isn't told as a day.
const DAY_PARTS_MAX: u64 = 100 * 365_250;

/// The arguments of `logboom cluster capacity`.
#[derive(Debug, Args)]
pub(super) struct CapacityArguments {
    #[command(flatten)]
    admin: AdminArguments,
    /// Looks at what `logboom cluster balance --save` has written; no broker is asked, and how
    /// loads grow isn't known.
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
}

/// Shows it.
pub(super) async fn run(
    arguments: &CapacityArguments,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let CapacityArguments { admin, snapshot } = arguments;
    let (snapshot, growth) = match snapshot {
        Some(file) => (source::replay(file)?, None),
        None => {
            let snapshot = source::fetch(admin, None).await?;
            (snapshot, balance::fetch_status(admin).await?.growth)
        }
    };
    let report = Report::new(&snapshot, growth, Timestamp::now());
    Ok(report.write(output, out)?)
}

/// What is told.
struct Report {
    capacity: Capacity,
    growth: Option<Growth>,
    /// The day on which this was seen.
    now: Timestamp,
}

impl Report {
    fn new(snapshot: &Snapshot, growth: Option<Growth>, now: Timestamp) -> Self {
        let per_day = growth.map_or_else(Amounts::default, |growth| growth.per_day);
        let more = one_more(snapshot);
        let capacity = capacity(snapshot, &per_day, &more, &Options::default());
        Self { capacity, growth, now }
    }

    fn write(&self, output: Output, out: &mut impl Write) -> io::Result<()> {
        match output {
            Output::Json => {
                let headroom = self.capacity.brokers.iter().flat_map(|one| self.headroom_rows(one));
                let outlooks =
                    self.capacity.outlooks().map(|(which, one)| self.outlook_row(which, one));
                let growth = self.growth.as_ref().map(growth_value);
                let growth = json!({ "kind": "growth", "growth": growth });
                let mut rows = headroom.chain(outlooks).chain(std::iter::once(growth));
                rows.try_for_each(|row| writeln!(out, "{row}"))
            }
            Output::Table => self.write_text(out),
        }
    }

    fn headroom_rows(&self, broker: &BrokerCapacity) -> Vec<Value> {
        let row = |resource: Resource| {
            let Headroom { load, capacity, left, ppm, runs_out } = broker.headroom[resource];
            json!({
                "kind": "headroom", "broker": broker.id, "resource": resource.word(), "load": load,
                "capacity": capacity, "left": left, "ppm": ppm,
                "runs_out_days": runs_out.map(days), "runs_out": self.day(runs_out),
            })
        };
        Resource::ALL.into_iter().map(row).collect()
    }

    fn outlook_row(&self, which: &str, one: &Outlook) -> Value {
        let runs_out = one.runs_out.map(|(parts, _)| parts);
        json!({
            "kind": "outlook", "brokers": which, "broker": one.broker,
            "worst": figures::worst_value(&one.worst), "has_room": one.has_room,
            "runs_out_days": runs_out.map(days), "runs_out": self.day(runs_out),
            "runs_out_resource": one.runs_out.map(|(_, resource)| resource.word()),
        })
    }

    /// The day on which something has run out; `None` if that is in a thousand years or never.
    fn day(&self, runs_out: Option<u64>) -> Option<String> {
        let parts = runs_out.filter(|parts| *parts <= DAY_PARTS_MAX)?;
        let seconds = i64::try_from(parts * DAY_PART_SECONDS).ok()?;
        let day = self.now.checked_add(SignedDuration::from_secs(seconds)).ok()?;
        Some(day.strftime("%Y-%m-%d").to_string())
    }

    /// The day for people.
    fn day_text(&self, runs_out: Option<u64>) -> String {
        match (self.growth, runs_out) {
            (None, _) => "not known yet".to_owned(),
            (Some(_), None) => "never".to_owned(),
            _ => self.day(runs_out).unwrap_or_else(|| "in a thousand years".to_owned()),
        }
    }

    fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        let rows = self.capacity.brokers.iter().flat_map(|one| self.table_rows(one));
        let rows: Vec<Value> = rows.collect();
        let columns = ["broker", "resource", "load", "capacity", "left", "utilisation", "runs_out"];
        write_rows(out, Output::Table, &columns, &rows)?;
        let growth = self.growth.as_ref().map_or_else(|| "not known yet".to_owned(), growth_text);
        writeln!(out, "\ngrowth a day: {growth}\n")?;
        let rows: Vec<Value> =
            self.capacity.outlooks().map(|it| self.table_row(it.0, it.1)).collect();
        let columns = ["brokers", "broker", "worst_at_best", "has_room", "runs_out"];
        write_rows(out, Output::Table, &columns, &rows)
    }

    /// Rows with figures for people.
    fn table_rows(&self, broker: &BrokerCapacity) -> Vec<Value> {
        let row = |resource: Resource| {
            let Headroom { load, capacity, left, ppm, runs_out } = broker.headroom[resource];
            let text = |amount| figures::amount(resource, amount);
            let runs_out = capacity.map(|_| self.day_text(runs_out));
            json!({
                "broker": broker.id, "resource": resource.word(), "load": text(load),
                "capacity": capacity.map(text), "left": left.map(text),
                "utilisation": figures::percent(ppm), "runs_out": runs_out,
            })
        };
        Resource::ALL.into_iter().map(row).collect()
    }

    fn table_row(&self, which: &str, one: &Outlook) -> Value {
        let mut runs_out = self.day_text(one.runs_out.map(|(parts, _)| parts));
        if let Some((_, resource)) = one.runs_out {
            runs_out = format!("{runs_out} ({})", resource.word());
        }
        json!({
            "brokers": which.replace('-', " "), "broker": one.broker,
            "worst_at_best": figures::worst(&one.worst),
            "has_room": one.has_room, "runs_out": runs_out,
        })
    }
}

/// Days of hundredths of them.
fn days(parts: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "nobody needs more of so many days")]
    let parts = parts as f64;
    parts / 100.0
}

#[cfg(test)]
mod tests;
