//! A run as a page that a browser opens from a disk: one file, which loads nothing.
//!
//! Must always hold: there is no script and no address in it; whatever comes from elsewhere (names,
//! commands, errors) is escaped.

#[cfg(test)]
mod browser;
mod plot;

use crate::compare::Comparison;
use crate::latency::{Latency, name};
use crate::numbers::{per_second, real, whole};
use crate::quantity::{binary, grouped, micros, three};
use crate::run::{Flow, Machine, Run, median_of};
use crate::table;

use plot::{Axis, Line, Plot};

const STYLE: &str = include_str!("style.css");

/// The page of a run.
pub(crate) fn page(run: &Run) -> String {
    let title = format!("logboom bench {}", run.scenario.name());
    let parts = [
        head(run, &title),
        headline(run),
        plots(&drawn(run), run.repetitions.len() == 1),
        figures(run),
        facts(run),
        notes(run),
    ];
    framed(&format!("{title}, {}", run.started), &parts.concat())
}

/// The page of two runs that are compared.
pub(crate) fn comparison_page(before: &Run, after: &Run, compared: &Comparison) -> String {
    let title = format!("logboom bench compare: {}", before.scenario.name());
    let side = |name: &str, run: &Run| {
        format!(
            "<p class=\"quiet\">{name}: {} on {}, {}</p>\n<pre>{}</pre>\n",
            escaped(&run.started),
            escaped(&run.machine.host),
            escaped(&table::described(run)),
            escaped(&run.command)
        )
    };
    let doubts = compared.doubts.iter().cloned().chain([table::scruples(compared.confidence)]);
    let doubts = doubts.map(|doubt| format!("<li>{}</li>\n", escaped(&doubt)));
    let runs = [(0, "before", before), (1, "after", after)];
    let drawn: Vec<Drawn<'_>> = runs
        .into_iter()
        .flat_map(|(colour, name, run)| {
            let flows = run.repetitions.iter().filter_map(|one| run.main_flow(one));
            let drawn = |flow| Drawn { name: name.to_owned(), colour: Some(colour), flow };
            flows.map(drawn).collect::<Vec<_>>()
        })
        .collect();
    let parts = [
        format!("<h1>{}</h1>\n", escaped(&title)),
        side("before", before),
        side("after", after),
        format!("<p><strong>{}</strong></p>\n", escaped(&compared.sentence())),
        compared_rows(compared),
        format!("<ul>\n{}</ul>\n", doubts.collect::<String>()),
        plots(&drawn, false),
    ];
    framed(&title, &parts.concat())
}

fn compared_rows(compared: &Comparison) -> String {
    let confidence = compared.confidence * 100.0;
    let mut text = format!(
        "<table>\n<tr><th></th><th>before</th><th>after</th><th>change</th>\
         <th>{confidence} % interval</th><th>shown</th></tr>\n"
    );
    for cells in table::compared_cells(compared) {
        text.push_str("<tr>");
        cells.iter().for_each(|cell| text.push_str(&format!("<td>{}</td>", escaped(cell))));
        text.push_str("</tr>\n");
    }
    text + "</table>\n"
}

/// A page around what is in it.
fn framed(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         </body>\n</html>\n",
        escaped(title)
    )
}

/// Text as a page has it.
fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '"' => plain.push_str("&quot;"),
            '\'' => plain.push_str("&#39;"),
            c => plain.push(c),
        }
    }
    plain
}

fn head(run: &Run, title: &str) -> String {
    let early = match run.interrupted {
        true => "<p><strong>It was ended before its time.</strong></p>\n",
        false => "",
    };
    format!(
        "<h1>{}</h1>\n<p class=\"quiet\">{} on {}, logboom {}</p>\n{early}<p>{}</p>\n\
         <pre>{}</pre>\n",
        escaped(title),
        escaped(&run.started),
        escaped(&run.machine.host),
        escaped(&run.version),
        escaped(&table::described(run)),
        escaped(&run.command)
    )
}

/// The few figures that one looks for first.
fn headline(run: &Run) -> String {
    let mut figures = Vec::new();
    let median = |of: &dyn Fn(&Flow) -> Option<f64>| {
        let with: Vec<f64> = run.whole().iter().filter_map(|one| of(run.main_flow(one)?)).collect();
        Some((median_of(&with, |figure| Some(*figure))?, table::of_how_many(with.len(), run)))
    };
    let verb = if run.scenario.consumes() { "read" } else { "sent" };
    if let Some((rate, _)) = median(&|flow| Some(flow.bytes_per_second)) {
        figures.push((format!("{} MB/s", three(rate / 1e6)), verb.to_owned()));
    }
    if let Some((rate, _)) = median(&|flow| Some(flow.records_per_second)) {
        figures.push((grouped(rate), format!("records a second {verb}")));
    }
    for percent in [50.0, 99.0, 99.9] {
        let of = |flow: &Flow| flow.latency.as_ref()?.percentile(percent).map(real);
        if let Some((us, of)) = median(&of) {
            figures.push((micros(whole(us)), format!("{} latency{of}", name(percent))));
        }
    }
    let boxes = figures.into_iter().map(|(figure, what)| {
        format!("<div><b>{}</b><span>{}</span></div>\n", escaped(&figure), escaped(&what))
    });
    let of = match run.whole().len() {
        0 | 1 => String::new(),
        count => format!("<p class=\"quiet\">Medians of {count} repetitions.</p>\n"),
    };
    format!("<div class=\"figures\">\n{}</div>\n{of}", boxes.collect::<String>())
}

/// Something of a repetition that lines are drawn of.
struct Drawn<'a> {
    name: String,
    /// `None`: each line has its own.
    colour: Option<usize>,
    flow: &'a Flow,
}

/// What is drawn of a run by itself: both sides of each repetition.
fn drawn(run: &Run) -> Vec<Drawn<'_>> {
    let mut all = Vec::new();
    for (number, one) in (1..).zip(&run.repetitions) {
        for (verb, flow) in [("sent", &one.produced), ("read", &one.consumed)] {
            let Some(flow) = flow else { continue };
            let name = match run.repetitions.len() {
                1 => verb.to_owned(),
                _ => format!("{verb}, {number}"),
            };
            all.push(Drawn { name, colour: None, flow });
        }
    }
    all
}

/// The plots of some flows.
///
/// - `details`: whether more is shown over time than the 99th percentile.
fn plots(all: &[Drawn<'_>], details: bool) -> String {
    let (mut throughput, mut over_time, mut distribution) = (Vec::new(), Vec::new(), Vec::new());
    let add = |lines: &mut Vec<Line>, drawn: &Drawn<'_>, what: &str, points| {
        let colour = drawn.colour.unwrap_or(lines.len());
        lines.push(Line { name: format!("{}{what}", drawn.name), colour, points });
    };
    for one in all {
        add(&mut throughput, one, "", rates(one.flow));
        let Some(latency) = &one.flow.latency else { continue };
        add(&mut distribution, one, "", curve(latency));
        for (percentile, of) in percentiles(details) {
            let points = one.flow.timeline.iter().filter_map(|point| {
                Some((f64::midpoint(point.from, point.to), real(of(point)?) / 1e3))
            });
            add(&mut over_time, one, &format!(", {percentile}"), points.collect());
        }
    }
    let time = || Axis { name: "time, s".to_owned(), is_logarithmic: false, label: plain };
    let millis = || Axis { name: "latency, ms".to_owned(), is_logarithmic: true, label: plain };
    let plots = [
        Plot {
            title: "Throughput over time".to_owned(),
            x: time(),
            y: Axis { name: "MB/s".to_owned(), is_logarithmic: false, label: plain },
            lines: throughput,
        },
        Plot { title: "Latency over time".to_owned(), x: time(), y: millis(), lines: over_time },
        Plot {
            title: "Latency distribution".to_owned(),
            x: Axis { name: "percentile".to_owned(), is_logarithmic: true, label: percentile },
            y: millis(),
            lines: distribution,
        },
    ];
    let shown = plots.into_iter().filter(|plot| !plot.lines.is_empty());
    shown.map(|plot| format!("<h2>{}</h2>\n{}", plot.title, plot.svg())).collect()
}

type OfPoint = fn(&crate::timeline::Point) -> Option<u64>;

fn percentiles(all: bool) -> Vec<(&'static str, OfPoint)> {
    let p99: (&str, OfPoint) = ("p99", |point| point.p99_us);
    match all {
        true => vec![("p50", |point| point.p50_us), p99, ("max", |point| point.max_us)],
        false => vec![p99],
    }
}

/// Megabytes a second in the middle of each interval.
fn rates(flow: &Flow) -> Vec<(f64, f64)> {
    let rate = |point: &crate::timeline::Point| {
        let rate = per_second(point.bytes, point.to - point.from);
        (f64::midpoint(point.from, point.to), rate / 1e6)
    };
    flow.timeline.iter().map(rate).collect()
}

/// Latencies by the share of samples beyond them, one of so many.
fn curve(latency: &Latency) -> Vec<(f64, f64)> {
    let point =
        |one: &crate::latency::Percentile| (100.0 / (100.0 - one.percent), real(one.us) / 1e3);
    latency.curve.iter().map(point).collect()
}

/// A tick in the fewest digits.
fn plain(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => grouped(value),
        _ => {
            let text = format!("{value:.6}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// The percentile beyond which one of so many samples lies.
fn percentile(one_of: f64) -> String {
    let text = format!("{:.6}", 100.0 - 100.0 / one_of);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn rows(rows: &[(String, String)]) -> String {
    let row = |(name, value): &(String, String)| {
        format!("<tr><th>{}</th><td>{}</td></tr>\n", escaped(name), escaped(value))
    };
    format!("<table>\n{}</table>\n", rows.iter().map(row).collect::<String>())
}

fn figures(run: &Run) -> String {
    let mut text = String::from("<h2>Figures</h2>\n");
    if run.repetitions.len() > 1 {
        text.push_str("<p class=\"quiet\">Medians, with the least and the greatest</p>\n");
        text.push_str(&rows(&table::medians(run)));
    }
    for (number, one) in (1..).zip(&run.repetitions) {
        if run.repetitions.len() > 1 {
            text.push_str(&format!("<p class=\"quiet\">Repetition {number}</p>\n"));
        }
        text.push_str(&rows(&table::rows(run, one)));
    }
    text
}

fn facts(run: &Run) -> String {
    let Machine { processors, processor, memory_bytes, kernel, load, congestion_control, .. } =
        &run.machine;
    let cluster = &run.cluster;
    let named = |name: &str, value: String| (name.to_owned(), value);
    let machine = [
        named("processors", format!("{processors} ({processor})")),
        named("memory", binary(*memory_bytes)),
        named("kernel", kernel.clone()),
        named("load at the start", load.clone()),
        named("TCP congestion control", congestion_control.clone()),
        named(
            "cluster",
            format!(
                "{}, {}, by {}",
                cluster.id.as_deref().unwrap_or("without an id"),
                table::counted(cluster.brokers, "broker"),
                cluster.bootstrap
            ),
        ),
    ];
    let settings = match serde_json::to_value(&run.settings) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let told = settings.iter().filter(|(_, value)| !value.is_null());
    let told: Vec<(String, String)> = told
        .map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.replace('_', " "), value)
        })
        .collect();
    format!("<h2>Machine</h2>\n{}<h2>Settings</h2>\n{}", rows(&machine), rows(&told))
}

fn notes(run: &Run) -> String {
    let items = table::remarks(run);
    let items = items.iter().map(|note| format!("<li>{}</li>\n", escaped(note)));
    format!("<h2>To be known of the figures</h2>\n<ul>\n{}</ul>\n", items.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::testing::run;

    #[test]
    fn a_page_has_its_plots_its_figures_and_what_it_was_made_with() {
        let page = page(&run(&[1_000], &[5_000]));
        assert_eq!(page.matches("<svg").count(), 3);
        for part in [
            "<h2>Throughput over time</h2>",
            "<h2>Latency over time</h2>",
            "<h2>Latency distribution</h2>",
            ">MB/s<",
            ">time, s<",
            ">latency, ms<",
            ">percentile<",
            "sent, p99",
            "<b>1.00 MB/s</b>",
            "logboom bench produce --topic &lt;t&gt; &amp; more",
            "2026-11-29T20:00:00Z on h",
            "<li>a note</li>",
        ] {
            assert!(page.contains(part), "{part}");
        }
        // Polylines: one of throughput, three of latencies over time, one of the distribution.
        assert_eq!(page.matches("<polyline").count(), 5);
    }

    #[test]
    fn nothing_is_loaded_and_nothing_runs() {
        let page = page(&run(&[1_000, 2_000], &[5_000, 6_000]));
        for part in ["<script", "http:", "https:", "src=", "href=", "url(", "@import", "<t>"] {
            assert!(!page.contains(part), "{part}");
        }
        assert!(page.contains("Medians of 2 repetitions"), "two repetitions");
        assert!(page.contains("sent, 2"));
    }

    #[test]
    fn a_headline_says_of_how_many_repetitions_it_is() {
        let mut run = run(&[1_000, 2_000], &[5_000, 6_000]);
        let latency = run.repetitions[0].produced.as_mut().unwrap().latency.as_mut().unwrap();
        latency.percentiles.retain(|one| one.percent < 99.0);
        let page = page(&run);
        assert!(page.contains("<b>6.00 ms</b><span>p99 latency, 1 of 2</span>"), "{page}");
        assert!(page.contains("<span>p50 latency</span>"), "{page}");
    }

    #[test]
    fn a_comparison_shows_both_runs_and_says_what_they_show() {
        let mut before = run(&[1_000; 3], &[5_000, 5_100, 4_900]);
        let mut after = run(&[1_000; 3], &[9_000, 9_100, 8_900]);
        (before.settings.rate, after.settings.rate) = (Some(1_000.0), Some(1_000.0));
        let compared = Comparison::new(&before, &after, 0.95).unwrap();
        let page = comparison_page(&before, &after, &compared);
        assert!(page.contains("<strong>slower: latency p99 +"), "{page}");
        assert_eq!(page.matches("<svg").count(), 3);
        assert_eq!(page.matches("key c0\">before<").count(), 2);
        assert_eq!(page.matches("key c1\">after<").count(), 2);
        assert_eq!(page.matches("<polyline class=\"line c1\"").count(), 9);
        assert!(page.contains("<td>latency p99</td>") && page.contains("<td>worse</td>"));
    }

    #[test]
    fn ticks_have_the_fewest_digits() {
        assert_eq!(
            [plain(0.5), plain(20.0), plain(0.001), plain(20_000.0)],
            ["0.5", "20", "0.001", "20,000"]
        );
        assert_eq!([percentile(1.0), percentile(2.0), percentile(1_000.0)], ["0", "50", "99.9"]);
    }

    #[test]
    fn a_run_without_latencies_or_without_anything_is_a_page_too() {
        let mut bare = run(&[1_000], &[5_000]);
        let produced = bare.repetitions[0].produced.as_mut().unwrap();
        (produced.latency, produced.handed_over) = (None, None);
        assert_eq!(page(&bare).matches("<svg").count(), 1);
        bare.repetitions.clear();
        assert_eq!(page(&bare).matches("<svg").count(), 0);
    }
}
