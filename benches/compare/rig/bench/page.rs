//! The page about the runs of `logboom bench`.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::{FILL_BYTES, REHEARSAL_SECONDS, SECONDS, TOUCH_GIB, WARMING_SECONDS};
use crate::options::Options;
use crate::report;
use crate::scenario::Scenario;
use crate::systems::System;

const TITLE: &str = "# `logboom bench` beside Apache Kafka\n\n";
const TOOLS: &str = "\
The discard broker, which stores nothing, loaded in turn by a driver on librdkafka and by
`logboom bench produce`:

| scenario | records/s: librdkafka | `bench` | client CPU s a million: librdkafka | `bench` |
| --- | ---: | ---: | ---: | ---: |
";
const METHOD: &str = "\
Medians, and the ratio of geometric means with its interval of 95 % (Welch), as `logboom bench
compare` tells them of the repetitions; no interval holds what changes over a day. More is better of
records a second, less of latencies and processor time. Clusters of three have three copies of each
partition and `min.insync.replicas=2`: for acks=all ours waits for a majority, Kafka for all that
are in sync; with `flush.messages=1` Kafka's three flush. The client is ours, for both sides, and
shares the processors with them; of what is caught up with, the figure is the reader's. Where no
difference is shown, neither is a ratio, only where it may lie.
";
const COLUMNS: [&str; 13] = [
    "nodes",
    "scenario",
    "`logboom bench`",
    "flushed before acknowledgements",
    "figure",
    "Kafka",
    "ours",
    "ours / Kafka's",
    "shown",
    "brokers' CPU: Kafka",
    "ours",
    "ours / Kafka's",
    "doubts",
];

/// How fast the discard broker was loaded by who: records a second, and client CPU seconds a
/// million records.
pub(super) struct Tools<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) librdkafka: [f64; 2],
    pub(super) bench: [f64; 2],
}

/// A scenario on clusters of so many nodes, with and without flushes.
pub(super) struct Row<'a> {
    pub(super) nodes: usize,
    pub(super) scenario: &'a Scenario,
    /// How `logboom bench` ran it.
    pub(super) kind: &'static str,
    pub(super) ours: System,
    /// What `logboom bench compare` says, or why it wasn't measured.
    pub(super) compared: Result<Value, String>,
}

/// The whole page.
pub(super) struct Page<'a> {
    pub(super) path: PathBuf,
    pub(super) facts: Value,
    pub(super) options: &'a Options,
    pub(super) tools: Vec<Tools<'a>>,
    pub(super) rows: Vec<Row<'a>>,
}

impl Page<'_> {
    /// Writes it anew with what there is.
    ///
    /// # Errors
    /// If it can't be written.
    pub(super) fn write(&self) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.path.display());
        fs::write(&self.path, self.render()).map_err(failed)
    }

    fn render(&self) -> String {
        let mut page = TITLE.to_owned() + &report::head(&self.facts, self.options) + TOOLS;
        self.tools.iter().for_each(|one| page += &one.line());
        let touched = if self.options.touch_gib > 0 { TOUCH_GIB } else { 0 };
        page += &format!(
            "\nOurs and Kafka, {} repetitions of {SECONDS} s each in turn, the other one first \
             each time. What is read\nis filled once, up to {} GB, and read from its start in each \
             repetition. Clusters are started once for all\nscenarios, and loaded for \
             {WARMING_SECONDS} s first; before each scenario {touched} GiB of the page cache are \
             touched,\nand both sides rehearse it for {REHEARSAL_SECONDS} s.\n\n{METHOD}\n",
            self.options.repetitions,
            FILL_BYTES / 1_000_000_000,
        );
        page += &format!("| {} |\n{}|\n", COLUMNS.join(" | "), "| --- ".repeat(COLUMNS.len()));
        self.rows.iter().for_each(|row| page += &row.line());
        page
    }
}

impl Tools<'_> {
    fn line(&self) -> String {
        let name = &self.scenario.name;
        let [rate, cpu] = self.librdkafka.map(readable);
        let [bench_rate, bench_cpu] = self.bench.map(readable);
        format!("| {name} | {rate} | {bench_rate} | {cpu} | {bench_cpu} |\n")
    }
}

/// What is to differ: how each side is told to flush before it acknowledges, or not to.
const MEANT: [&str; 2] = [
    r#"the loads differ: topic_config flush.messages was "1", then null"#,
    r#"the loads differ: topic_config write.caching was null, then "true""#,
];

impl Row<'_> {
    fn line(&self) -> String {
        let flushed = if self.ours == System::Ours { "yes" } else { "no" };
        let (name, kind) = (&self.scenario.name, self.kind);
        let begin = format!("| {} | {name} | {kind} | {flushed} |", self.nodes);
        let compared = match &self.compared {
            Ok(compared) => compared,
            Err(why) => {
                let why = why.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "/");
                return format!("{begin} not measured: {why} | | | | | | | | |\n");
            }
        };
        let figures = compared["figures"].as_array().map(Vec::as_slice).unwrap_or_default();
        let main = figures.iter().find(|figure| figure["main"] == true);
        let cpu = figures.iter().find(|figure| figure["name"] == "brokers' CPU");
        let [kafka, ours, ratio] = cells(main);
        let [kafka_cpu, our_cpu, cpu_ratio] = cells(cpu);
        let name = main.and_then(|figure| figure["name"].as_str()).unwrap_or("–");
        let shown = compared["verdict"].as_str().unwrap_or("–");
        let doubts = compared["doubts"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let doubts: Vec<&str> = doubts.filter(|doubt| !MEANT.contains(doubt)).collect();
        let doubts = doubts.join("; ").replace('|', "/");
        let doubts = doubts.replace("the first run", "Kafka").replace("the second run", "ours");
        format!(
            "{begin} {name} | {kafka} | {ours} | {ratio} | {shown} | {kafka_cpu} | {our_cpu} | \
             {cpu_ratio} | {doubts} |\n"
        )
    }
}

/// Both medians and the ratio of a figure.
fn cells(figure: Option<&Value>) -> [String; 3] {
    let Some(figure) = figure else { return ["–", "–", "–"].map(String::from) };
    let median = |side: usize| figure["medians"][side].as_str().unwrap_or("–").to_owned();
    [median(0), median(1), interval(figure)]
}

/// Three digits are enough.
fn readable(number: f64) -> String {
    match number {
        number if number >= 100.0 => format!("{number:.0}"),
        number if number >= 10.0 => format!("{number:.1}"),
        number => format!("{number:.2}"),
    }
}

fn interval(figure: &Value) -> String {
    let number = |pointer: &str| figure.pointer(pointer).and_then(Value::as_f64).map(readable);
    let all = (number("/factor"), number("/factor_interval/0"), number("/factor_interval/1"));
    match all {
        (Some(_), Some(least), Some(most)) if spans_one(figure) => format!("{least}–{most}"),
        (Some(factor), Some(least), Some(most)) => format!("{factor} ({least}–{most})"),
        (Some(factor), ..) => factor,
        _ => "–".to_owned(),
    }
}

/// Whether an interval has both less and more.
fn spans_one(figure: &Value) -> bool {
    let end = |pointer: &str| figure.pointer(pointer).and_then(Value::as_f64);
    end("/factor_interval/0").is_some_and(|least| least < 1.0)
        && end("/factor_interval/1").is_some_and(|most| most > 1.0)
}
