//! Figures from cells: spreads over the repetitions, and ratios within the same repetition.

use serde_json::{Value, json};

use crate::systems::System;

/// A figure over the repetitions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// The spread of some numbers; `None` if there are none.
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> =
            numbers.into_iter().filter(|number| number.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            sorted[middle - 1].midpoint(sorted[middle])
        } else {
            sorted[middle]
        };
        Some(Self { min, median, max })
    }

    /// For the report's JSON.
    pub(crate) fn json(self) -> Value {
        json!({ "min": self.min, "median": self.median, "max": self.max })
    }
}

/// What is measured of a load, and where a cell has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    Produce,
    Consume,
}

impl Load {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Produce => "produce",
            Self::Consume => "consume",
        }
    }
}

/// A system's figures for one load of a scenario.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) load: Load,
    pub(crate) system: System,
    pub(crate) bytes_per_second: Option<Spread>,
    pub(crate) records_per_second: Option<Spread>,
    /// Payload bytes for each second of the broker's processors.
    pub(crate) bytes_per_broker_second: Option<Spread>,
    pub(crate) p50_us: Option<Spread>,
    pub(crate) p99_us: Option<Spread>,
    pub(crate) p999_us: Option<Spread>,
    pub(crate) rss_kib: Option<Spread>,
    pub(crate) anonymous_kib: Option<Spread>,
    /// Throughput by the discard broker's of the same repetition.
    pub(crate) of_ceiling: Option<Spread>,
    /// Throughput by that of Kafka with the same promise.
    pub(crate) of_rival: Option<Spread>,
    /// Bytes per broker second by Kafka's.
    pub(crate) efficiency_of_rival: Option<Spread>,
    /// How far the 99th percentile lies above the discard broker's, by the same of Kafka.
    pub(crate) p99_above_of_rival: Option<Spread>,
}

impl Row {
    pub(crate) fn json(&self) -> Value {
        let json = |spread: Option<Spread>| spread.map(Spread::json);
        json!({
            "load": self.load.name(),
            "system": self.system,
            "bytes_per_second": json(self.bytes_per_second),
            "records_per_second": json(self.records_per_second),
            "bytes_per_broker_cpu_second": json(self.bytes_per_broker_second),
            "p50_us": json(self.p50_us),
            "p99_us": json(self.p99_us),
            "p999_us": json(self.p999_us),
            "rss_kib": json(self.rss_kib),
            "rss_anon_kib": json(self.anonymous_kib),
            "throughput_of_ceiling": json(self.of_ceiling),
            "throughput_of_kafka": json(self.of_rival),
            "bytes_per_broker_cpu_second_of_kafka": json(self.efficiency_of_rival),
            "p99_above_ceiling_of_kafka": json(self.p99_above_of_rival),
        })
    }
}

/// The results of each system, a value a repetition.
type Results = [(System, Vec<Value>)];

/// The rows of a scenario.
pub(crate) fn rows(results: &Results) -> Vec<Row> {
    let loads = [Load::Produce, Load::Consume].into_iter();
    let pairs = loads.flat_map(|load| results.iter().map(move |(system, _)| (load, *system)));
    pairs.filter_map(|(load, system)| row(results, load, system)).collect()
}

fn row(results: &Results, load: Load, system: System) -> Option<Row> {
    let of = |system: System| {
        results.iter().find(|(other, _)| *other == system).map_or(&[][..], |(_, all)| &all[..])
    };
    let own = of(system);
    let figure = |name: &str| spread(own, |cell| at(cell, load, name));
    let bytes_per_second = figure("bytes_per_second")?;
    let rival = system.rival().map_or(&[][..], of);
    let ceiling = if system == System::Discard { &[][..] } else { of(System::Discard) };
    let throughput = |cell: &Value| at(cell, load, "bytes_per_second");
    let efficient = |cell: &Value| efficiency(cell, load);
    let p99 = |cell: &Value| at(cell, load, "latency_us/p99");
    let above =
        own.iter().zip(rival).zip(of(System::Discard)).filter_map(|((own, rival), least)| {
            let (own, rival, least) = (p99(own)?, p99(rival)?, p99(least)?);
            // Where Kafka is as fast as the ceiling nothing is to be said.
            (rival > least).then(|| (own - least).max(0.0) / (rival - least))
        });
    Some(Row {
        load,
        system,
        bytes_per_second: Some(bytes_per_second),
        records_per_second: figure("records_per_second"),
        bytes_per_broker_second: spread(own, efficient),
        p50_us: figure("latency_us/p50"),
        p99_us: figure("latency_us/p99"),
        p999_us: figure("latency_us/p999"),
        rss_kib: spread(own, |cell| cell.get("rss_kib")?.as_f64()),
        anonymous_kib: spread(own, |cell| cell.get("rss_anon_kib")?.as_f64()),
        of_ceiling: ratio(own, ceiling, throughput),
        of_rival: ratio(own, rival, throughput),
        efficiency_of_rival: ratio(own, rival, efficient),
        p99_above_of_rival: Spread::of(above),
    })
}

/// A number of a cell.
fn at(cell: &Value, load: Load, name: &str) -> Option<f64> {
    cell.pointer(&format!("/{}/{name}", load.name()))?.as_f64()
}

/// Payload bytes for each second of the broker's processors. Where both loads run at once, the
/// broker's seconds are those of the longer one, and there is no such figure for each.
fn efficiency(cell: &Value, load: Load) -> Option<f64> {
    let is_alone = cell.get("produce").is_none() || cell.get("consume").is_none();
    let seconds = at(cell, load, "broker_cpu_seconds").filter(|seconds| *seconds > 0.0)?;
    let bytes = at(cell, load, "bytes_per_second")? * at(cell, load, "seconds")?;
    is_alone.then_some(bytes / seconds)
}

fn spread(cells: &[Value], figure: impl Fn(&Value) -> Option<f64>) -> Option<Spread> {
    Spread::of(cells.iter().filter_map(figure))
}

/// The ratios of two systems, each within the same repetition.
fn ratio(
    own: &[Value],
    others: &[Value],
    figure: impl Fn(&Value) -> Option<f64>,
) -> Option<Spread> {
    let pairs = own.iter().zip(others);
    Spread::of(pairs.filter_map(|(own, other)| Some(figure(own)? / figure(other)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(bytes: f64, cpu: f64, p99: f64) -> Value {
        json!({ "rss_kib": 1, "produce": {
            "bytes_per_second": bytes, "seconds": 1.0, "broker_cpu_seconds": cpu,
            "latency_us": { "p99": p99 },
        }})
    }

    #[test]
    fn a_spread_has_the_middle_of_its_numbers() {
        assert_eq!(Spread::of([]), None);
        let three = Spread { min: 1.0, median: 2.0, max: 9.0 };
        assert_eq!(Spread::of([9.0, f64::NAN, 1.0, 2.0]), Some(three));
        assert_eq!(Spread::of([1.0, 2.0]).map(|spread| spread.median), Some(1.5));
    }

    #[test]
    fn ratios_are_those_of_the_same_repetition() {
        let results = [
            (System::Discard, vec![cell(200.0, 1.0, 10.0), cell(400.0, 1.0, 10.0)]),
            (System::Ours, vec![cell(100.0, 1.0, 20.0), cell(300.0, 1.0, 20.0)]),
            (System::KafkaFlush, vec![cell(50.0, 2.0, 50.0), cell(300.0, 1.0, 50.0)]),
        ];
        let rows = rows(&results);
        let ours = rows.iter().find(|row| row.system == System::Ours).unwrap();
        let spread = |min, max| Spread::of([min, max]);
        assert_eq!(ours.of_ceiling, spread(0.5, 0.75));
        assert_eq!(ours.of_rival, spread(2.0, 1.0));
        assert_eq!(ours.efficiency_of_rival, spread(4.0, 1.0));
        assert_eq!(ours.p99_above_of_rival, spread(0.25, 0.25));
        assert_eq!(rows[0].of_ceiling, None, "the ceiling is no share of itself");
    }
}
