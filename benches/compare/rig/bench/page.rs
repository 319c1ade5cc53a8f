//! The page about the runs of `logboom bench`.

use serde_json::Value;

use super::REPETITIONS;
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
const COLUMNS: [&str; 11] = [
    "nodes",
    "scenario",
    "flushed before acknowledgements",
    "figure",
    "Kafka",
    "ours",
    "ours / Kafka's",
    "shown",
    "brokers' CPU s/GB: Kafka",
    "ours",
    "ours / Kafka's",
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
    pub(super) ours: System,
    /// What `logboom bench compare` says.
    pub(super) compared: Value,
}

/// The whole page.
pub(super) fn render(
    facts: &Value,
    options: &Options,
    tools: &[Tools<'_>],
    rows: &[Row<'_>],
) -> String {
    let mut page = TITLE.to_owned() + &report::head(facts, options) + TOOLS;
    tools.iter().for_each(|one| page += &one.line());
    page += &format!(
        "\nOurs and Kafka: {REPETITIONS} repetitions of each, whose medians are shown; *ours / \
         Kafka's* is the ratio\nof geometric means with the interval that holds it in 95 of 100 \
         cases, as `logboom bench compare` tells\nit. Clusters of three have three copies of each \
         partition, and `min.insync.replicas=2`.\n\n"
    );
    page += &format!("| {} |\n{}|\n", COLUMNS.join(" | "), "| --- ".repeat(COLUMNS.len()));
    rows.iter().for_each(|row| page += &row.line());
    page
}

impl Tools<'_> {
    fn line(&self) -> String {
        let name = &self.scenario.name;
        let [rate, cpu] = self.librdkafka.map(readable);
        let [bench_rate, bench_cpu] = self.bench.map(readable);
        format!("| {name} | {rate} | {bench_rate} | {cpu} | {bench_cpu} |\n")
    }
}

impl Row<'_> {
    fn line(&self) -> String {
        let figures = self.compared["figures"].as_array().map(Vec::as_slice).unwrap_or_default();
        let cells = |figure: Option<&Value>| match figure {
            Some(figure) => [median(&figure["before"]), median(&figure["after"]), interval(figure)],
            None => ["–", "–", "–"].map(String::from),
        };
        let main = figures.iter().find(|figure| figure["main"] == true);
        let cpu = figures.iter().find(|figure| figure["name"] == "brokers' CPU");
        let [kafka, ours, ratio] = cells(main);
        let [kafka_cpu, our_cpu, cpu_ratio] = cells(cpu);
        let name = main.and_then(|figure| figure["name"].as_str()).unwrap_or("–");
        let shown = self.compared["verdict"].as_str().unwrap_or("–");
        let flushed = if self.ours == System::Ours { "yes" } else { "no" };
        let (nodes, scenario) = (self.nodes, &self.scenario.name);
        format!(
            "| {nodes} | {scenario} | {flushed} | {name} | {kafka} | {ours} | {ratio} | {shown} | \
             {kafka_cpu} | {our_cpu} | {cpu_ratio} |\n"
        )
    }
}

fn median(repetitions: &Value) -> String {
    let numbers = repetitions.as_array().into_iter().flatten().filter_map(Value::as_f64);
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).map_or_else(|| "–".to_owned(), |number| readable(*number))
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
        (Some(factor), Some(least), Some(most)) => format!("{factor} ({least}–{most})"),
        (Some(factor), ..) => factor,
        _ => "–".to_owned(),
    }
}
