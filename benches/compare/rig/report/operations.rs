//! The rows about starts, memory, recovery and disk.

use serde_json::Value;

use super::figures::Spread;

const KIBIBYTES_PER_MIB: f64 = 1024.0;

/// What is told, where a cell has it, and by what it is divided.
const LINES: [(&str, &str, f64); 12] = [
    ("start on an empty directory, to the first answer, ms", "/start_ms", 1.0),
    ("idle: RSS, MiB", "/idle_rss_kib", KIBIBYTES_PER_MIB),
    ("idle: RssAnon, MiB", "/idle_rss_anon_kib", KIBIBYTES_PER_MIB),
    ("idle: % of a processor", "/idle_cpu_percent", 1.0),
    ("payload written, MB", "/recovery/bytes", 1e6),
    ("then: RSS, MiB", "/recovery/loaded_rss_kib", KIBIBYTES_PER_MIB),
    ("then: RssAnon, MiB", "/recovery/loaded_rss_anon_kib", KIBIBYTES_PER_MIB),
    ("start after kill -9, until all partitions are served, ms", "/recovery/after_kill_ms", 1.0),
    ("start after a stop, until all partitions are served, ms", "/recovery/after_stop_ms", 1.0),
    ("disk, bytes a record, running", "/recovery/disk_bytes_per_record", 1.0),
    ("disk, bytes a record, stopped", "/recovery/disk_bytes_per_record_stopped", 1.0),
    ("records acknowledged before the kill, and all there after it", "/recovery/records", 1.0),
];

/// A line a figure, a column a system.
pub(super) fn table(results: &Value) -> String {
    let systems: Vec<(&String, Vec<Value>)> = results
        .as_object()
        .into_iter()
        .flatten()
        .map(|(system, all)| (system, all.as_array().cloned().unwrap_or_default()))
        .collect();
    let mut page = String::from("\n| |");
    for (system, _) in &systems {
        page += &format!(" {system} |");
    }
    page += &format!("\n| --- |{}\n", " ---: |".repeat(systems.len()));
    for (title, pointer, unit) in LINES {
        page += &format!("| {title} |");
        for (_, repetitions) in &systems {
            let figures = repetitions.iter().filter_map(|cell| cell.pointer(pointer)?.as_f64());
            page += &format!(" {} |", cell(Spread::of(figures), unit));
        }
        page += "\n";
    }
    page
}

fn cell(figure: Option<Spread>, unit: f64) -> String {
    let Some(Spread { min, median, max }) = figure else { return "–".into() };
    let digits = usize::from(median / unit < 10.0);
    let median = format!("{:.digits$}", median / unit);
    if min < max {
        format!("{median} ({:.digits$}–{:.digits$})", min / unit, max / unit)
    } else {
        median
    }
}
