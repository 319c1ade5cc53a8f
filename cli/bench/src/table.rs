//! Results as people read them on a terminal.

use std::io::{self, Write};

use crate::compare::{Comparison, Figure, METHOD, Verdict};
use crate::latency::{self, Latency};
use crate::numbers::{real, whole};
use crate::quantity::{binary, grouped, micros, three};
use crate::run::{
    BrokerUse, Ceiling, Flow, Repetition, Run, Scenario, Settings, TOO_SHORT, median_of,
};

/// Writes a run.
///
/// # Errors
/// Of the writer.
pub(crate) fn write_run(out: &mut impl Write, run: &Run) -> io::Result<()> {
    writeln!(out, "{}: {}", run.scenario.name(), described(run))?;
    match &run.failure {
        Some(why) => writeln!(out, "ended before its time: {why}")?,
        None if run.interrupted => writeln!(out, "ended before its time")?,
        None => {}
    }
    writeln!(out)?;
    for (number, repetition) in (1..).zip(&run.repetitions) {
        if run.repetitions.len() > 1 {
            writeln!(out, "repetition {number}")?;
        }
        write_rows(out, &rows(run, repetition))?;
        writeln!(out)?;
    }
    if run.repetitions.len() > 1 {
        writeln!(out, "medians of {}", counted(run.whole().len(), "repetition"))?;
        write_rows(out, &medians(run))?;
        writeln!(out)?;
    }
    for note in remarks(run) {
        writeln!(out, "- {note}")?;
    }
    Ok(())
}

/// What was done, in a sentence.
pub(crate) fn described(run: &Run) -> String {
    let Settings { topic, partitions, replication_factor, .. } = &run.settings;
    let settings = &run.settings;
    let mut parts = Vec::new();
    if settings.producers > 0 {
        parts.push(counted(settings.producers, "producer"));
        parts.push(match settings.rate {
            Some(rate) => format!("{} records a second due", grouped(rate)),
            None => "as many records as go".to_owned(),
        });
    }
    if settings.consumers > 0 {
        parts.push(counted(settings.consumers, "consumer"));
    }
    parts.push(format!(
        "values {} B (mean {} B), keys {}",
        settings.record_bytes,
        grouped(settings.record_bytes_mean),
        settings.keys
    ));
    for (name, value) in [("acks", &settings.acks), ("compression", &settings.compression)] {
        parts.extend(value.iter().map(|value| format!("{name} {value}")));
    }
    let copies = counted(*replication_factor, "copy").replace("copys", "copies");
    parts.push(format!("topic {topic}, {}, {copies}", counted(*partitions, "partition")));
    parts.join("; ")
}

pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What a reader of the figures has to know, the run's own notes included.
pub(crate) fn remarks(run: &Run) -> Vec<String> {
    let settings = &run.settings;
    let mut remarks = vec![format!(
        "{} leaves {} % of a batch of these records",
        settings.compressed_by,
        three(settings.compressed_share * 100.0)
    )];
    if settings.producers > 0 && settings.rate.is_none() {
        remarks.push(
            "flat out, a latency is mostly the time in the producer's own queue; --rate measures \
             the cluster's"
                .to_owned(),
        );
    }
    if settings.acks.as_deref() == Some("0") {
        remarks.push("with acks 0 a record counts when it was written to the socket".to_owned());
    }
    if run.is_too_short() {
        remarks.push(TOO_SHORT.to_owned());
    }
    if run.whole().len() < run.repetitions.len() {
        remarks
            .push("the last repetition was ended before its time, and is in no median".to_owned());
    }
    let asked = settings.duration_seconds.filter(|_| run.scenario == Scenario::Mixed);
    let mut main_flows = run.repetitions.iter().filter_map(|one| run.main_flow(one));
    let shorter = asked.and_then(|asked| main_flows.find(|flow| flow.seconds < 0.98 * asked));
    if let (Some(flow), false) = (shorter, run.interrupted) {
        let seconds = three(flow.seconds);
        remarks.push(format!(
            "all that was there was read after {seconds} s, and measuring ended then; a greater \
             --fill lasts longer"
        ));
    }
    if let (Some(rate), Some(_), false) = (settings.rate, run.short_of_rate(), run.interrupted) {
        let rate = grouped(rate);
        remarks.push(format!("fewer than the {rate} records a second that were due came through"));
    }
    let failed = run.repetitions.iter().flat_map(|one| [&one.produced, &one.consumed]);
    for flow in failed.flatten().filter(|flow| flow.failed > 0) {
        let why = flow.first_failure.as_deref().unwrap_or("no reason is known");
        remarks.push(format!("{} records failed; the first: {why}", flow.failed));
    }
    if let Some(pieces) = run.repetitions.iter().filter_map(|one| one.ceiling.as_ref()).next() {
        let dir = match &pieces.dir {
            Some(dir) => format!("files in {dir}"),
            None => "no file (--ceiling-dir)".to_owned(),
        };
        let bytes = binary(pieces.piece_bytes);
        remarks.push(format!("the machine's own figures are of pieces of {bytes}, {dir}"));
    }
    remarks.extend(run.notes.iter().cloned());
    remarks
}

type Row = (String, String);

fn write_rows(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().try_for_each(|(name, value)| writeln!(out, "  {name:width$}  {value}"))
}

/// The figures of a repetition.
pub(crate) fn rows(run: &Run, repetition: &Repetition) -> Vec<Row> {
    let mut rows = Vec::new();
    for (verb, what, flow) in [
        ("sent", "until acknowledged", &repetition.produced),
        ("read", "until read", &repetition.consumed),
    ] {
        let Some(flow) = flow else { continue };
        rows.push((verb.to_owned(), throughput(flow)));
        if let Some(latency) = &flow.latency {
            rows.push((what.to_owned(), percentiles(latency)));
        }
        if let (Some(late), Some(_)) = (&flow.handed_over, run.settings.rate) {
            rows.push(("sent late by".to_owned(), percentiles(late)));
        }
        if let (Some(first), Scenario::Consume) = (flow.first_record_ms, run.scenario) {
            rows.push(("first record after".to_owned(), micros(whole(first * 1e3))));
        }
    }
    let client = &repetition.client;
    let rss = client
        .rss_bytes_max
        .map_or(String::new(), |bytes| format!(", at most {} resident", binary(bytes)));
    let cpu = share(client.cpu_seconds, client.seconds);
    rows.push(("client".to_owned(), format!("{cpu} of a processor{rss}")));
    for broker in &repetition.brokers {
        let process = broker.process.iter().map(|process| format!(" ({process})"));
        let name = format!("broker {}{}", broker.broker, process.collect::<String>());
        rows.push((name, broker_figures(broker)));
    }
    let main = run.main_flow(repetition);
    if let (Some(ceiling), Some(flow)) = (&repetition.ceiling, main) {
        rows.push(("machine without a broker".to_owned(), ceiling_figures(ceiling, flow)));
    }
    rows
}

fn throughput(flow: &Flow) -> String {
    format!(
        "{} records/s, {} MB/s ({} records in {} s)",
        grouped(flow.records_per_second),
        three(flow.bytes_per_second / 1e6),
        grouped(real(flow.records)),
        three(flow.seconds)
    )
}

fn percentiles(latency: &Latency) -> String {
    let told = latency.percentiles.iter();
    let told = told.map(|one| format!("{} {}", latency::name(one.percent), micros(one.us)));
    let max = format!("max {}", micros(latency.max_us));
    let lost = (latency.lost > 0).then(|| format!("{} never", grouped(real(latency.lost))));
    told.chain([max]).chain(lost).collect::<Vec<_>>().join(", ")
}

fn share(part: f64, whole: f64) -> String {
    if whole > 0.0 { format!("{} %", three(part / whole * 100.0)) } else { "-".to_owned() }
}

fn broker_figures(broker: &BrokerUse) -> String {
    let mut figures = Vec::new();
    if let Some(cpu) = broker.cpu_seconds {
        figures.push(format!("{} of a processor", share(cpu, broker.seconds)));
    }
    match (broker.rss_bytes, broker.anonymous_bytes) {
        (Some(rss), Some(own)) => {
            figures.push(format!("{} resident, {} without files", binary(rss), binary(own)));
        }
        (Some(rss), None) => figures.push(format!("{} resident", binary(rss))),
        _ => {}
    }
    if let Some(flushes) = broker.flushes {
        let rate = grouped(real(flushes) / broker.seconds.max(1e-9));
        let mean = broker
            .flush_us_mean
            .map_or(String::new(), |us| format!(" of {} each", micros(whole(us))));
        figures.push(format!("{rate} flushes a second{mean}"));
    }
    figures.join("; ")
}

/// What the machine does by itself, and how near the flow came to it.
fn ceiling_figures(ceiling: &Ceiling, flow: &Flow) -> String {
    let figures = ceiling_rates(ceiling).into_iter().map(|(name, rate)| {
        let part = share(flow.bytes_per_second, rate);
        format!("{name} {} MB/s ({part} of it)", grouped(rate / 1e6))
    });
    figures.collect::<Vec<_>>().join(", ")
}

/// The ceilings that were measured, by name.
pub(crate) fn ceiling_rates(ceiling: &Ceiling) -> Vec<(&'static str, f64)> {
    let all = [
        ("memory copied", ceiling.memory_copy),
        ("loopback", ceiling.loopback),
        ("written", ceiling.write),
        ("written and flushed", ceiling.write_flushed),
    ];
    all.into_iter().filter_map(|(name, rate)| Some((name, rate?))).collect()
}

/// The medians over all repetitions, with the least and the greatest, and of how many they are
/// where some don't have the figure.
pub(crate) fn medians(run: &Run) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add =
        |name: String, of: &dyn Fn(&Repetition) -> Option<f64>, told: &dyn Fn(f64) -> String| {
            let figures: Vec<f64> = run.whole().iter().filter_map(of).collect();
            if let Some(median) = median_of(&figures, |figure| Some(*figure)) {
                let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
                let most = figures.iter().copied().fold(0.0, f64::max);
                let range = format!("{} ({} to {})", told(median), told(least), told(most));
                rows.push((name, range + &of_how_many(figures.len(), run)));
            }
        };
    type Side = fn(&Repetition) -> Option<&Flow>;
    let sides: [(&str, Side); 2] =
        [("sent", |one| one.produced.as_ref()), ("read", |one| one.consumed.as_ref())];
    for (verb, side) in sides {
        let records = |one: &Repetition| Some(side(one)?.records_per_second);
        add(format!("{verb}, records/s"), &records, &grouped);
        let bytes = |one: &Repetition| Some(side(one)?.bytes_per_second / 1e6);
        add(format!("{verb}, MB/s"), &bytes, &three);
        for percent in [50.0, 99.0, 99.9] {
            let of = |one: &Repetition| side(one)?.latency.as_ref()?.percentile(percent).map(real);
            add(format!("{verb}, {}", latency::name(percent)), &of, &|us| micros(whole(us)));
        }
    }
    rows
}

/// ", 2 of 3" where a figure isn't of all repetitions that it could be of.
pub(crate) fn of_how_many(with: usize, run: &Run) -> String {
    let all = run.whole().len();
    if with < all { format!(", {with} of {all}") } else { String::new() }
}

/// Writes what two runs show.
///
/// # Errors
/// Of the writer.
pub(crate) fn write_comparison(out: &mut impl Write, compared: &Comparison) -> io::Result<()> {
    let percent = format!("{} % INTERVAL", compared.confidence * 100.0);
    let titles = ["", "BEFORE", "AFTER", "CHANGE", percent.as_str(), "SHOWN"];
    let mut lines = vec![titles.map(str::to_owned)];
    lines.extend(compared_cells(compared));
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    for line in &lines {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    writeln!(out, "\n{}", compared.sentence())?;
    for doubt in &compared.doubts {
        writeln!(out, "- {doubt}")?;
    }
    writeln!(out, "- {}", scruples(compared.confidence))
}

/// A line a figure: its name, both medians, the change, its interval, what is shown.
pub(crate) fn compared_cells(compared: &Comparison) -> Vec<[String; 6]> {
    let cells = |figure: &Figure| {
        let (change, range) = figure.told_change();
        let side = |figures: &[f64]| format!("{} (n={})", figure.told(figures), figures.len());
        let verdict = match figure.verdict {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            other => other.name(),
        };
        let (before, after) = (side(&figure.before), side(&figure.after));
        [figure.name.clone(), before, after, change, range, verdict.to_owned()]
    };
    compared.figures.iter().map(cells).collect()
}

/// What the intervals don't cover.
pub(crate) fn scruples(confidence: f64) -> String {
    let chance = three((1.0 - confidence) * 100.0);
    format!(
        "{METHOD}. The sentence goes by one figure; of the others, each shows a difference by \
         chance in {chance} % of cases. What has changed on the machine between the two runs is in \
         no interval"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::testing::run;

    fn written(run: &Run) -> String {
        let mut out = Vec::new();
        write_run(&mut out, run).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_run_is_told_with_its_figures_and_what_to_know_of_them() {
        let text = written(&run(&[1_000], &[5_000]));
        for part in [
            "produce: 1 producer; 5,000 records a second due; values 1000 B (mean 1,000 B)",
            "sent                          1,000 records/s, 1.00 MB/s (10,000 records in",
            "until acknowledged            p50 500 µs, p90 500 µs, p99 5.00 ms, max 5.00 ms",
            "client                        50.0 % of a processor, at most 1.00 MiB resident",
            "broker 127.0.0.1:9092 (java)  25.0 % of a processor; 10.0 MiB resident; 100 flushes a",
            "loopback 2,000 MB/s (0.050 % of it)",
            "- lz4 leaves 100 % of a batch of these records",
            "- fewer than the 5,000 records a second that were due came through",
            "- a note",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("p99.9"), "ten samples are beyond it\n{text}");
        assert!(!text.contains("medians"), "{text}");
    }

    #[test]
    fn repetitions_have_medians_and_their_range() {
        let text = written(&run(&[1_000, 3_000, 2_000], &[5_000; 3]));
        assert!(text.contains("medians of 3 repetitions"), "{text}");
        assert!(text.contains("sent, records/s  2,000 (1,000 to 3,000)"), "{text}");
    }

    #[test]
    fn a_median_says_of_how_many_repetitions_it_is() {
        let mut run = run(&[1_000; 4], &[5_000; 4]);
        run.repetitions[3].is_cut_short = true;
        let latency = run.repetitions[1].produced.as_mut().unwrap().latency.as_mut().unwrap();
        latency.percentiles.retain(|one| one.percent < 99.0);
        let text = written(&run);
        assert!(text.contains("medians of 3 repetitions"), "{text}");
        assert!(text.contains("sent, p99        5.00 ms (5.00 ms to 5.00 ms), 2 of 3\n"), "{text}");
        assert!(text.contains("sent, p50        500 µs (500 µs to 500 µs)\n"), "{text}");
        assert!(text.contains("- the last repetition was ended before its time"), "{text}");
    }

    #[test]
    fn failures_are_told_and_an_interruption() {
        let mut run = run(&[6_000], &[5_000]);
        run.interrupted = true;
        run.settings.rate = None;
        let produced = run.repetitions[0].produced.as_mut().unwrap();
        (produced.failed, produced.first_failure) = (3, Some("no room".to_owned()));
        let text = written(&run);
        assert!(text.contains("ended before its time"), "{text}");
        assert!(text.contains("- 3 records failed; the first: no room"), "{text}");
        assert!(text.contains("- flat out, a latency is mostly"), "{text}");
    }

    #[test]
    fn who_reads_all_that_is_there_before_the_time_is_told_so() {
        let mut run = run(&[1_000], &[5_000]);
        run.scenario = Scenario::Mixed;
        run.repetitions[0].consumed = run.repetitions[0].produced.clone();
        run.settings.duration_seconds = Some(10.0);
        assert!(!written(&run).contains("--fill"));
        run.settings.duration_seconds = Some(20.0);
        assert!(written(&run).contains("- all that was there was read after 10.0 s, and"));
    }

    #[test]
    fn a_comparison_is_a_table_a_sentence_and_its_scruples() {
        let mut before = run(&[1_000; 3], &[5_000, 5_100, 4_900]);
        let mut after = run(&[1_000; 3], &[9_000, 9_100, 8_900]);
        (before.settings.rate, after.settings.rate) = (Some(1_000.0), Some(1_000.0));
        let compared = Comparison::new(&before, &after, 0.95).unwrap();
        let mut out = Vec::new();
        write_comparison(&mut out, &compared).unwrap();
        let text = String::from_utf8(out).unwrap();
        let p99 = text.lines().find(|line| line.starts_with("latency p99 ")).unwrap();
        assert!(p99.contains("5.00 ms (n=3)") && p99.ends_with("worse"), "{p99}");
        let records = text.lines().find(|line| line.starts_with("records/s")).unwrap();
        assert!(records.ends_with("can't tell"), "{records}");
        assert!(text.contains("\nslower: latency p99 +"), "{text}");
        assert!(text.contains("Welch"), "{text}");
    }
}
