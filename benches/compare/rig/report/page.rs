//! The report as a page.

use serde_json::Value;

use super::Section;
use super::figures::{Load, Row, Spread};
use super::operations;
use crate::options::Options;
use crate::scenario::{Client, Kind, Scenario};

const MEGABYTE: f64 = 1e6;
const KIBIBYTES_PER_MIB: f64 = 1024.0;

const LEGEND: &str = "\
Medians over the repetitions, with the least and the greatest where there is room. Ratios are taken
within a repetition, and their median is shown. **discard** is the ceiling: it stores nothing.
**ours** and **kafka-flush** flush before they acknowledge; **ours-cached** (`write.caching`) and
**kafka** (as it comes) don't. Ours is compared with the Kafka of the same promise; a ratio in which
it loses is **bold**. Latencies count from when a record was due. Flat out, they are the time in the
client's queue, and left out.
";

/// The whole page.
pub(super) fn render(facts: &Value, options: &Options, sections: &[Section<'_>]) -> String {
    let mut page = String::from("# Beside Apache Kafka\n\n");
    page += &head(facts, options);
    page += LEGEND;
    for section in sections {
        page += &one(section);
    }
    page
}

/// What was run, where and when.
pub(crate) fn head(facts: &Value, options: &Options) -> String {
    let fact = |name: &str| match facts.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "?".into(),
        Some(other) => other.to_string(),
    };
    let command = ["cargo xtask compare"].into_iter();
    let words = command.chain(options.words.iter().map(String::as_str)).collect::<Vec<_>>();
    format!(
        "`{}`, {}, commit {}. {} processors ({}), {}, Linux {}, data on {}, TCP congestion control \
         {} for all, load at the start {}. Apache Kafka {}, {}.\n\n",
        words.join(" "),
        fact("date"),
        fact("commit"),
        fact("processors"),
        fact("processor"),
        fact("memory"),
        fact("kernel"),
        fact("file_system"),
        fact("congestion_control"),
        fact("load"),
        fact("kafka"),
        fact("java"),
    )
}

fn one(section: &Section<'_>) -> String {
    let scenario = section.scenario;
    let mut page = format!("\n## {}\n\n{}\n", scenario.title, settings(scenario));
    if let Some(aim) = &scenario.aim {
        page += &format!("\nAim: {aim}\n");
    }
    if let Some(note) = &scenario.note {
        page += &format!("\n{note}\n");
    }
    if scenario.kind == Kind::Operations {
        page += &operations::table(&section.results);
    }
    for load in [Load::Produce, Load::Consume] {
        let rows: Vec<&Row> = section.rows.iter().filter(|row| row.load == load).collect();
        if !rows.is_empty() {
            page += &table(scenario, load, &rows);
        }
    }
    for (system, reason) in &section.missing {
        let reason = reason.lines().next().unwrap_or_default();
        page += &format!("\nWithout {system}: {reason}\n");
    }
    page
}

fn settings(scenario: &Scenario) -> String {
    let Scenario { name, record_bytes, partitions, acks, linger_ms, batch_bytes, .. } = scenario;
    let client = match scenario.client {
        Client::Librdkafka => "librdkafka",
        Client::Java => "Kafka's own tools",
    };
    let mut text = format!(
        "`{name}`: {client}, records of {record_bytes} B, {partitions} partitions, {} producers, \
         acks {acks}, linger {linger_ms} ms, batches of {batch_bytes} B, codec {}, entropy {}",
        scenario.producers, scenario.codec, scenario.entropy,
    );
    match scenario.rate {
        Some(rate) => text += &format!(", {rate} records a second due."),
        None => text += ", flat out.",
    }
    text
}

/// The columns: a title, and what a row has there.
type Column = (&'static str, fn(&Row) -> String);

fn table(scenario: &Scenario, load: Load, rows: &[&Row]) -> String {
    let mut columns: Vec<Column> = vec![
        ("MB/s", |row| bytes(row.bytes_per_second)),
        ("records/s", |row| rounded(row.records_per_second)),
        ("of the ceiling", |row| percent(row.of_ceiling)),
        ("of Kafka's", |row| factor(row.of_rival, 1.0)),
        ("MB a broker CPU s", |row| bytes(row.bytes_per_broker_second)),
        ("of Kafka's", |row| factor(row.efficiency_of_rival, 1.0)),
    ];
    if scenario.rate.is_some() && load == Load::Produce {
        columns.push(("p50 µs", |row| spread(row.p50_us, 1.0)));
        columns.push(("p99 µs", |row| spread(row.p99_us, 1.0)));
        columns.push(("p99.9 µs", |row| spread(row.p999_us, 1.0)));
        columns.push(("p99 above the ceiling, of Kafka's", |row| less(row.p99_above_of_rival)));
    }
    columns.push(("RSS MiB", |row| median(row.rss_kib, KIBIBYTES_PER_MIB)));
    columns.push(("RssAnon MiB", |row| median(row.anonymous_kib, KIBIBYTES_PER_MIB)));
    let mut page = format!("\n| {} |", load.name());
    for (title, _) in &columns {
        page += &format!(" {title} |");
    }
    page += &format!("\n| --- |{}\n", " ---: |".repeat(columns.len()));
    for row in rows {
        let cells = columns.iter().map(|(_, cell)| cell(row)).collect::<Vec<_>>().join(" | ");
        page += &format!("| {} | {cells} |\n", row.system);
    }
    page
}

const NOTHING: &str = "–";

fn bytes(figure: Option<Spread>) -> String {
    spread(figure, MEGABYTE)
}

/// A median with its range, in some unit.
fn spread(figure: Option<Spread>, unit: f64) -> String {
    figure.map_or_else(
        || NOTHING.into(),
        |Spread { min, median, max }| {
            format!("{:.0} ({:.0}–{:.0})", median / unit, min / unit, max / unit)
        },
    )
}

fn rounded(figure: Option<Spread>) -> String {
    median(figure, 1.0)
}

fn median(figure: Option<Spread>, unit: f64) -> String {
    figure.map_or_else(|| NOTHING.into(), |spread| format!("{:.0}", spread.median / unit))
}

fn percent(figure: Option<Spread>) -> String {
    figure.map_or_else(|| NOTHING.into(), |spread| format!("{:.0} %", spread.median * 100.0))
}

/// A ratio where more is better: bold below `least`.
fn factor(figure: Option<Spread>, least: f64) -> String {
    figure.map_or_else(|| NOTHING.into(), |spread| marked(spread.median, spread.median < least))
}

/// A ratio where less is better: bold above 1.
fn less(figure: Option<Spread>) -> String {
    figure.map_or_else(|| NOTHING.into(), |spread| marked(spread.median, spread.median > 1.0))
}

fn marked(ratio: f64, is_lost: bool) -> String {
    if is_lost { format!("**{ratio:.2}**") } else { format!("{ratio:.2}") }
}
