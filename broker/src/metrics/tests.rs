//! The table, its text, and what operators read of it.

use std::collections::BTreeSet;

use super::*;

#[test]
fn names_say_kind_and_unit_and_stand_in_the_handbook() {
    let names: BTreeSet<&str> = TABLE.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), TABLE.len());
    let handbook = include_str!("../../../docs/operations.md");
    let rows = TABLE.iter().map(|metric| {
        let labels = metric.labels.join(", ");
        let (name, kind, unit, help) = (metric.name, metric.kind.name(), metric.unit, metric.help);
        format!("| `logboom_{name}` | {kind} | {unit} | {labels} | {help} |")
    });
    let rows: Vec<String> = rows.collect();
    let written: Vec<&str> =
        handbook.lines().filter(|line| line.starts_with("| `logboom_")).collect();
    assert_eq!(written, rows, "the table should be:\n{}", rows.join("\n"));
    for metric in &TABLE {
        let is_counter = metric.kind == Kind::Counter;
        assert_eq!(metric.name.ends_with("_total"), is_counter, "{}", metric.name);
    }
}

#[test]
fn a_histogram_counts_upwards_and_includes_its_bounds() {
    let histogram = Histogram::default();
    for us in [0, 50, 51, 1_000_000, 40_000_000] {
        histogram.observe(Duration::from_micros(us));
    }
    let (counts, sum) = histogram.read();
    assert_eq!((counts[0], counts[1], counts[13], counts[15], counts[16]), (2, 3, 4, 4, 5));
    assert_eq!(sum, 41_000_101);
    let mut exposition = Exposition::default();
    exposition.begin("flush_seconds").histogram(&[], &histogram);
    let text = exposition.finish();
    for line in [
        "# TYPE logboom_flush_seconds histogram",
        "logboom_flush_seconds_bucket{le=\"0.00005\"} 2",
        "logboom_flush_seconds_bucket{le=\"30\"} 4",
        "logboom_flush_seconds_bucket{le=\"+Inf\"} 5",
        "logboom_flush_seconds_sum 41.000101",
        "logboom_flush_seconds_count 5",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
    }
}

#[test]
fn labels_cannot_break_the_text() {
    let mut exposition = Exposition::default();
    exposition.begin("build_info").value(&["a\"b\\c\nd"], 1);
    assert!(exposition.finish().ends_with("logboom_build_info{version=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

#[test]
fn errors_are_told_by_their_code() {
    let errors = Errors::default();
    for code in [ErrorCode::NONE, ErrorCode(-1), ErrorCode(7), ErrorCode(7), ErrorCode(32_767)] {
        errors.count(code);
    }
    let found: Vec<_> = errors.read().collect();
    assert_eq!(found.len(), 3);
    assert_eq!(found[1], (ErrorCode::REQUEST_TIMED_OUT, 2));
}
