//! A plan as people and programs read it.
//!
//! Must always hold: of a table no more than [`ROWS_MAX`] rows are written.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::{Value, json};

use logboom_balance::{
    Alternative, Bound, Limits, Move, MoveKind, Options, Plan, Rates, Resource, Snapshot,
    TurnedDown, Unmet, Worst, bound, next, seconds,
};

use super::super::figures;
use crate::output::{Output, write_rows};

/// The most moves that people are shown.
const ROWS_MAX: usize = 1_000;

/// A plan and what is said about it.
pub(super) struct Report<'a> {
    snapshot: &'a Snapshot,
    plan: Plan,
    bound: Bound,
    rates: Rates,
    /// How long each move takes at least.
    each: Vec<u64>,
    /// How long all of it takes at least.
    seconds: u64,
}

impl<'a> Report<'a> {
    /// - `plan`: of this snapshot.
    /// - `rates`: what brokers send new replicas.
    pub(super) fn new(snapshot: &'a Snapshot, plan: Plan, rates: Rates) -> Self {
        let bound = bound(snapshot, &Options::default());
        let each = seconds(snapshot, &plan.moves, &rates);
        let limits = Limits { rates: rates.clone(), ..Limits::default() };
        let seconds = next(snapshot, &plan.moves, &BTreeSet::new(), &limits).seconds_left;
        Self { snapshot, plan, bound, rates, each, seconds }
    }

    pub(super) fn has_no_moves(&self) -> bool {
        self.plan.moves.is_empty()
    }

    /// Writes all of it.
    ///
    /// - `explain`: people are told more of each move; programs always are.
    pub(super) fn write(
        &self,
        explain: bool,
        output: Output,
        out: &mut impl Write,
    ) -> io::Result<()> {
        match output {
            Output::Json => {
                let moves = (0..self.plan.moves.len()).map(|place| self.move_row(place));
                let unmet = self.plan.unmet.iter().map(|one| self.unmet_row(one));
                moves.chain(unmet).try_for_each(|row| writeln!(out, "{row}"))?;
                writeln!(out, "{}", self.summary())
            }
            Output::Table => self.write_text(explain, out),
        }
    }

    /// A partition's topic, and its number.
    fn partition(&self, place: usize) -> (&str, i32) {
        let partition = &self.snapshot.partitions()[place];
        (&self.snapshot.topics()[partition.topic as usize], partition.index)
    }

    /// - `place`: of the move in the plan.
    fn move_row(&self, place: usize) -> Value {
        let one = &self.plan.moves[place];
        let both = |worst: &[Worst; 2]| worst.each_ref().map(figures::worst_value);
        let (topic, index) = self.partition(one.partition);
        let alternative = one
            .alternative
            .map(|it| json!({ "to": it.to, "cost": it.cost, "why": it.why.to_string() }));
        let about = |end: usize| one.about.as_ref().map(|ends| both(&ends[end]));
        json!({
            "kind": "move", "partition": format!("{topic}-{index}"), "topic": topic,
            "index": index, "what": what(one.kind), "from": one.from, "to": one.to,
            "rule": one.rule.name(),
            "resource": one.resource.map(Resource::word),
            "bytes": one.bytes, "seconds": self.each[place], "cost": one.cost,
            "from_worst": both(&one.from_worst), "to_worst": both(&one.to_worst),
            "from_about": about(0), "to_about": about(1),
            "alternative": alternative,
        })
    }

    fn unmet_row(&self, one: &Unmet) -> Value {
        let (topic, index) = self.partition(one.partition);
        json!({
            "kind": "unmet", "partition": format!("{topic}-{index}"), "topic": topic,
            "index": index, "from": one.from, "rule": one.rule.name(),
            "why": one.obstacle.to_string(),
        })
    }

    fn summary(&self) -> Value {
        let worst = self.plan.worst.map(|worst| {
            worst.map(|(broker, Worst { resource, ppm })| {
                json!({ "broker": broker, "resource": resource.word(), "ppm": ppm })
            })
        });
        let [before, after] = worst;
        let Bound { worst: Worst { resource, ppm }, bytes } = self.bound;
        json!({
            "kind": "summary", "moves": self.plan.moves.len(), "unmet": self.plan.unmet.len(),
            "bytes": self.plan.bytes, "seconds": self.seconds,
            "worst_before": before, "worst_after": after,
            "bound": { "resource": resource.word(), "ppm": ppm, "bytes": bytes },
        })
    }

    fn write_text(&self, explain: bool, out: &mut impl Write) -> io::Result<()> {
        let moves = &self.plan.moves;
        let shown = &moves[..moves.len().min(ROWS_MAX)];
        if explain {
            (0..shown.len()).try_for_each(|place| self.explain(place, out))?;
        } else if !shown.is_empty() {
            write_rows(out, Output::Table, &COLUMNS, &self.table(shown.len()))?;
        }
        write_more(out, moves.len() - shown.len())?;
        if !shown.is_empty() {
            writeln!(out)?;
        }
        self.write_summary(out)?;
        self.write_unmet(out)
    }

    /// Rows with figures for people.
    fn table(&self, count: usize) -> Vec<Value> {
        let row = |place: usize| {
            let mut row = self.move_row(place);
            row["bytes"] = figures::bytes(self.plan.moves[place].bytes).into();
            for key in ["what", "rule"] {
                row[key] = figures::words(&row[key]);
            }
            row
        };
        (0..count).map(row).collect()
    }

    fn explain(&self, place: usize, out: &mut impl Write) -> io::Result<()> {
        let (number, one) = (place + 1, &self.plan.moves[place]);
        let Move { from, to, from_worst, to_worst, .. } = one;
        let (topic, index) = self.partition(one.partition);
        let what = what(one.kind).replace('-', " ");
        write!(out, "{number}. {topic}-{index}: {what} from {from} to {to}, for {}", one.rule)?;
        match one.resource {
            Some(resource) => writeln!(out, " of {resource}")?,
            None => writeln!(out)?,
        }
        let ends = [(from, from_worst), (to, to_worst)];
        for (end, (broker, [before, after])) in ends.into_iter().enumerate() {
            write!(
                out,
                "   broker {broker}: {}, then {}",
                figures::worst(before),
                figures::worst(after)
            )?;
            // What it is about may not be what the broker has most of.
            match one.about.map(|ends| ends[end]).filter(|about| about != &[*before, *after]) {
                Some([before, after]) => {
                    let [before, after] = [&before, &after].map(figures::worst);
                    writeln!(out, "; {before}, then {after}")?;
                }
                None => writeln!(out)?,
            }
        }
        match one.bytes {
            0 => write!(out, "   copies nothing")?,
            bytes => {
                let (bytes, time) = (figures::bytes(bytes), figures::seconds(self.each[place]));
                write!(out, "   copies {bytes} in {time}")?;
            }
        }
        write!(out, "; cost {}", signed(one.cost))?;
        match one.alternative {
            Some(Alternative { to, cost, why }) => {
                write!(out, "; to {to} it would be {}", signed(cost))?;
                // That it costs more is seen.
                match why {
                    TurnedDown::Cost => writeln!(out),
                    why => writeln!(out, ", but {why}"),
                }
            }
            None => writeln!(out, "; no other broker may take it"),
        }
    }

    fn write_summary(&self, out: &mut impl Write) -> io::Result<()> {
        if self.has_no_moves() {
            writeln!(out, "nothing is to be moved")?;
        } else {
            let moves = figures::count(self.plan.moves.len(), "move", "moves");
            let (bytes, rate) = (figures::bytes(self.plan.bytes), figures::bytes(self.rates.usual));
            let time = figures::seconds(self.seconds);
            let some = if self.rates.others.is_empty() { "" } else { " but for some brokers" };
            writeln!(out, "{moves}, {bytes} to copy in {time} at least, at {rate} a second{some}")?;
        }
        let [Some((first, before)), Some((last, after))] = self.plan.worst else {
            return writeln!(out, "no broker is active");
        };
        let [before, after, least] =
            [before, after, self.bound.worst].map(|it| figures::worst(&it));
        writeln!(out, "worst utilisation now:   {before}, broker {first}")?;
        writeln!(out, "worst utilisation then:  {after}, broker {last}")?;
        writeln!(out, "no plan with all replicas on active brokers does better than {least}")
    }

    fn write_unmet(&self, out: &mut impl Write) -> io::Result<()> {
        let unmet = &self.plan.unmet;
        if unmet.is_empty() {
            return Ok(());
        }
        let shown = &unmet[..unmet.len().min(ROWS_MAX)];
        writeln!(
            out,
            "\n{} should move and can't",
            figures::count(unmet.len(), "replica", "replicas")
        )?;
        let rows: Vec<Value> = shown.iter().map(|one| self.unmet_row(one)).collect();
        write_unmet_rows(out, rows)?;
        write_more(out, unmet.len() - shown.len())
    }
}

/// The columns of moves.
const COLUMNS: [&str; 7] = ["partition", "what", "from", "to", "rule", "resource", "bytes"];

/// A table of what should move and can't, of rows for programs.
pub(super) fn write_unmet_rows(out: &mut impl Write, mut rows: Vec<Value>) -> io::Result<()> {
    rows.iter_mut().for_each(|row| row["rule"] = figures::words(&row["rule"]));
    write_rows(out, Output::Table, &["partition", "from", "rule", "why"], &rows)
}

/// A change.
fn signed(change: i64) -> String {
    if change > 0 { format!("+{change}") } else { change.to_string() }
}

/// Says how many more there are.
pub(super) fn write_more(out: &mut impl Write, more: usize) -> io::Result<()> {
    match more {
        0 => Ok(()),
        more => writeln!(out, "… and {more} more; --output json names all of them"),
    }
}

/// What moves.
pub(super) fn what(kind: MoveKind) -> &'static str {
    match kind {
        MoveKind::Replica { leads: false } => "replica",
        MoveKind::Replica { leads: true } => "leading-replica",
        MoveKind::Leader => "leader",
    }
}

#[cfg(test)]
mod tests;
