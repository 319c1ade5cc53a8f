//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write as _};

use super::{BOUNDS_US, Histogram, Kind, TABLE};

/// A text that grows metric by metric.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    text: String,
}

impl Exposition {
    /// Begins a metric of the table. Its series follow.
    ///
    /// # Panics
    /// If the table doesn't have it.
    pub(crate) fn begin(&mut self, name: &'static str) -> Series<'_> {
        let metric = TABLE.iter().find(|metric| metric.name == name);
        let metric = metric.unwrap_or_else(|| panic!("{name} is in the table"));
        let (kind, unit, help) = (metric.kind, metric.unit, metric.help);
        self.line(format_args!("# HELP logboom_{name} {help} Unit: {unit}."));
        self.line(format_args!("# TYPE logboom_{name} {}", kind.name()));
        Series { exposition: self, name, kind, labels: metric.labels }
    }

    /// The whole text.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("a string takes everything");
    }
}

/// The series of one metric.
pub(crate) struct Series<'a> {
    exposition: &'a mut Exposition,
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
}

impl Series<'_> {
    /// A series of a counter or gauge.
    ///
    /// - `labels`: values, in the order of the table.
    pub(crate) fn value(&mut self, labels: &[&str], value: impl Display) -> &mut Self {
        assert!(self.kind != Kind::Histogram, "{} is a histogram", self.name);
        let labels = self.labels(labels, None);
        self.exposition.line(format_args!("logboom_{}{labels} {value}", self.name));
        self
    }

    /// A series of a histogram.
    pub(crate) fn histogram(&mut self, labels: &[&str], histogram: &Histogram) -> &mut Self {
        assert!(self.kind == Kind::Histogram, "{} is no histogram", self.name);
        let name = self.name;
        let (counts, sum_us) = histogram.read();
        for (index, count) in counts.iter().enumerate() {
            let bound = BOUNDS_US.get(index).map_or("+Inf".to_owned(), |us| seconds(*us));
            let labels = self.labels(labels, Some(&bound));
            self.exposition.line(format_args!("logboom_{name}_bucket{labels} {count}"));
        }
        let (all, sum) = (counts[BOUNDS_US.len()], seconds(sum_us));
        let labels = self.labels(labels, None);
        self.exposition.line(format_args!("logboom_{name}_sum{labels} {sum}"));
        self.exposition.line(format_args!("logboom_{name}_count{labels} {all}"));
        self
    }

    fn labels(&self, values: &[&str], bound: Option<&str>) -> String {
        assert_eq!(self.labels.len(), values.len(), "labels of {}", self.name);
        let pairs = self.labels.iter().copied().zip(values.iter().copied());
        let pairs = pairs.chain(bound.map(|bound| ("le", bound)));
        let pairs: Vec<String> =
            pairs.map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
    }
}

/// Microseconds as seconds, without a fraction that binary can't hold.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
