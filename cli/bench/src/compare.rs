//! What can be said of two runs: by which factor each figure differs, within which interval, and
//! whether that shows anything.
//!
//! Must always hold: "faster" and "slower" are said only where the whole interval is on that side;
//! with one repetition of either nothing is said; a run in which records failed, or whose rate
//! wasn't reached, is never said to be the better one, for it has done less.

mod doubts;

use serde_json::{Value, json};

use crate::latency;
use crate::numbers::{real, whole};
use crate::quantity;
use crate::run::{Repetition, Run, Scenario};
use crate::student::{self, Interval};

/// A figure that two runs have.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) name: String,
    kind: Kind,
    /// Whether the verdict goes by it.
    pub(crate) is_main: bool,
    pub(crate) before: Vec<f64>,
    pub(crate) after: Vec<f64>,
    pub(crate) interval: Option<Interval>,
    pub(crate) verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Records,
    Megabytes,
    Micros,
    SecondsAGigabyte,
}

impl Kind {
    fn more_is_better(self) -> bool {
        matches!(self, Self::Records | Self::Megabytes)
    }
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Better,
    Worse,
    /// The interval holds both.
    NothingShown,
    /// There is no interval, or the run that it favours has left something undone.
    CannotTell,
}

/// Two runs, compared.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) figures: Vec<Figure>,
    /// What each run left undone: what looks better then may be the less that was done.
    faults: [Vec<Fault>; 2],
    /// Why the runs may differ for another reason than what was to be compared; the faults first.
    pub(crate) doubts: Vec<String>,
    pub(crate) confidence: f64,
}

/// What a run left undone.
#[derive(Debug, Clone)]
struct Fault {
    kind: FaultKind,
    told: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FaultKind {
    GaveUp,
    RecordsFailed,
    ShortOfRate,
}

impl Comparison {
    /// - `confidence`: of each interval by itself, 0 to 1.
    ///
    /// # Errors
    /// Runs of different scenarios.
    pub(crate) fn new(before: &Run, after: &Run, confidence: f64) -> Result<Self, String> {
        if before.scenario != after.scenario {
            let (before, after) = (before.scenario.name(), after.scenario.name());
            return Err(format!("{before} and {after}: two runs of one scenario are wanted"));
        }
        let faults = [faults(before, "first"), faults(after, "second")];
        let (mut compared, mut without) = (Vec::new(), Vec::new());
        for (name, kind, is_main, of) in figures(before) {
            let all = |run: &Run| -> Vec<f64> {
                run.whole().iter().filter_map(|one| of(run, one)).collect()
            };
            let sides = [all(before), all(after)];
            let is_shown = sides.iter().all(|figures| !figures.is_empty());
            if is_shown || is_main {
                without.extend(dropped(&name, [(before, sides[0].len()), (after, sides[1].len())]));
            }
            let figure = Figure::new((name, kind, is_main), sides, confidence);
            compared.extend(figure.map(|figure| figure.doubted(&faults)));
        }
        let told = faults.iter().flatten().map(|fault| fault.told.clone()).collect();
        let doubts = [told, without, doubts::of(before, after, confidence)].concat();
        Ok(Self { figures: compared, faults, doubts, confidence })
    }

    /// The verdict: that of the main figure.
    pub(crate) fn verdict(&self) -> Verdict {
        let main = self.figures.iter().find(|figure| figure.is_main);
        main.map_or(Verdict::CannotTell, |figure| figure.verdict)
    }

    /// Whether the second run is the worse one: it is shown to be slower, or has left something
    /// undone as the first hasn't, by which its figures may be missing or look better.
    pub(crate) fn is_worse(&self) -> bool {
        self.verdict() == Verdict::Worse || self.new_faults().next().is_some()
    }

    /// What the second run has left undone, of a kind that the first hasn't.
    fn new_faults(&self) -> impl Iterator<Item = &Fault> {
        let [before, after] = &self.faults;
        after.iter().filter(|fault| !before.iter().any(|other| other.kind == fault.kind))
    }

    /// The verdict in a sentence, with what was left undone.
    pub(crate) fn sentence(&self) -> String {
        let main = self.figures.iter().find(|figure| figure.is_main);
        let shown = main.map_or_else(
            || "no verdict: the runs have no main figure in common".to_owned(),
            |main| self.shown_by(main),
        );
        let doubted = main.filter(|main| main.verdict == Verdict::CannotTell);
        let favoured = doubted.and_then(Figure::favoured);
        let mut undone: Vec<&str> = self.new_faults().map(|fault| fault.told.as_str()).collect();
        if let Some(fault) = favoured.and_then(|side| self.faults[side].first())
            && !undone.contains(&fault.told.as_str())
        {
            undone.insert(0, &fault.told);
        }
        let word = if self.verdict() == Verdict::Worse { "and" } else { "but" };
        match undone.is_empty() {
            true => shown,
            false => format!("{shown}, {word} {}", undone.join(" and ")),
        }
    }

    /// What the main figure shows.
    fn shown_by(&self, main: &Figure) -> String {
        let (name, verdict) = (&main.name, main.verdict.name());
        match main.interval {
            Some(interval) => {
                let (least, most) = (change(interval.least), change(interval.most));
                let percent = self.confidence * 100.0;
                format!("{verdict}: {name} {least} to {most}, {percent} % confidence")
            }
            None if main.before.len().min(main.after.len()) < 2 => {
                format!("can't tell: {name} needs two repetitions of each run at least (--repeat)")
            }
            None => format!("can't tell: {name} is the same in all repetitions, or 0 in one"),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "verdict": self.verdict().name(),
            "sentence": self.sentence(),
            "new_faults": self.new_faults().map(|fault| &fault.told).collect::<Vec<_>>(),
            "confidence": self.confidence,
            "method": METHOD,
            "figures": self.figures.iter().map(Figure::to_json).collect::<Vec<_>>(),
            "doubts": self.doubts,
        })
    }
}

/// How the intervals are made.
pub(crate) const METHOD: &str =
    "Welch's interval for the ratio of geometric means over the repetitions";

impl Verdict {
    /// - `more_is_better`: whether a greater figure is the better one.
    fn of(interval: Option<Interval>, more_is_better: bool) -> Self {
        match interval {
            None => Self::CannotTell,
            Some(interval) if interval.least > 1.0 && more_is_better => Self::Better,
            Some(interval) if interval.least > 1.0 => Self::Worse,
            Some(interval) if interval.most < 1.0 && more_is_better => Self::Worse,
            Some(interval) if interval.most < 1.0 => Self::Better,
            Some(_) => Self::NothingShown,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Better => "faster",
            Self::Worse => "slower",
            Self::NothingShown => "no difference shown",
            Self::CannotTell => "can't tell",
        }
    }
}

impl Figure {
    /// `None` where a run hasn't measured it.
    fn new(
        (name, kind, is_main): (String, Kind, bool),
        [before, after]: [Vec<f64>; 2],
        confidence: f64,
    ) -> Option<Self> {
        if before.is_empty() || after.is_empty() {
            return None;
        }
        let interval = student::factor(&before, &after, confidence);
        let verdict = Verdict::of(interval, kind.more_is_better());
        Some(Self { name, kind, is_main, before, after, interval, verdict })
    }

    /// - `faults`: what each run has left undone.
    fn doubted(mut self, faults: &[Vec<Fault>; 2]) -> Self {
        if self.favoured().is_some_and(|side| !faults[side].is_empty()) {
            self.verdict = Verdict::CannotTell;
        }
        self
    }

    /// Which run the interval favours, 0 or 1, whatever it has left undone.
    fn favoured(&self) -> Option<usize> {
        match Verdict::of(self.interval, self.kind.more_is_better()) {
            Verdict::Better => Some(1),
            Verdict::Worse => Some(0),
            Verdict::NothingShown | Verdict::CannotTell => None,
        }
    }

    /// The median of a side, with its unit.
    pub(crate) fn told(&self, figures: &[f64]) -> String {
        let median = student::median(figures);
        match self.kind {
            Kind::Records => format!("{}/s", quantity::grouped(median)),
            Kind::Megabytes => format!("{} MB/s", quantity::three(median / 1e6)),
            Kind::Micros => quantity::micros(whole(median)),
            Kind::SecondsAGigabyte => format!("{} s/GB", quantity::three(median)),
        }
    }

    /// The change of the medians, and its interval, as people read them.
    pub(crate) fn told_change(&self) -> (String, String) {
        let Some(interval) = self.interval else {
            let (before, after) = (student::median(&self.before), student::median(&self.after));
            let change = if before > 0.0 { change(after / before) } else { "-".to_owned() };
            return (change, "-".to_owned());
        };
        let range = format!("{} to {}", change(interval.least), change(interval.most));
        (change(interval.middle), range)
    }

    fn to_json(&self) -> Value {
        let interval = self.interval.map(|interval| json!([interval.least, interval.most]));
        json!({
            "name": self.name,
            "main": self.is_main,
            "before": self.before,
            "after": self.after,
            "medians": [self.told(&self.before), self.told(&self.after)],
            "factor": self.interval.map(|interval| interval.middle),
            "factor_interval": interval,
            "verdict": self.verdict.name(),
        })
    }
}

/// "+12.0 %".
fn change(factor: f64) -> String {
    let percent = (factor - 1.0) * 100.0;
    match percent.abs() < 1_000.0 {
        true => format!("{percent:+.1} %"),
        false => format!("× {}", quantity::three(factor)),
    }
}

type Of = Box<dyn Fn(&Run, &Repetition) -> Option<f64>>;

/// The figures of a scenario, and whether the verdict goes by them: throughput where as much was
/// sent as goes, else the 99th percentile.
fn figures(run: &Run) -> Vec<(String, Kind, bool, Of)> {
    let is_at_rate = run.settings.rate.is_some() && run.scenario != Scenario::Mixed;
    let rate: Of = Box::new(|run, one| Some(run.main_flow(one)?.records_per_second));
    let bytes: Of = Box::new(|run, one| Some(run.main_flow(one)?.bytes_per_second));
    let mut figures = vec![
        ("records/s".to_owned(), Kind::Records, !is_at_rate, rate),
        ("MB/s".to_owned(), Kind::Megabytes, false, bytes),
    ];
    for percent in [50.0, 99.0, 99.9] {
        let of: Of = Box::new(move |run, one| {
            let flow = match run.scenario {
                // What was there before was due at no time.
                Scenario::Mixed => one.produced.as_ref(),
                _ => run.main_flow(one),
            };
            flow?.latency.as_ref()?.percentile(percent).map(real)
        });
        let is_main = is_at_rate && (percent - 99.0).abs() < 1e-9;
        figures.push((format!("latency {}", latency::name(percent)), Kind::Micros, is_main, of));
    }
    let client: Of = Box::new(|run, one| {
        let bytes = run.main_flow(one)?.bytes;
        (bytes > 0).then(|| one.client.cpu_seconds / (real(bytes) / 1e9))
    });
    figures.push(("client's CPU".to_owned(), Kind::SecondsAGigabyte, false, client));
    let brokers: Of = Box::new(|run, one| {
        // Some of them say nothing of all.
        if one.brokers.len() != run.cluster.brokers {
            return None;
        }
        let cpu: f64 = one.brokers.iter().map(|broker| broker.cpu_seconds).sum::<Option<f64>>()?;
        let bytes = run.main_flow(one)?.bytes;
        (bytes > 0 && cpu > 0.0).then(|| cpu / (real(bytes) / 1e9))
    });
    figures.push(("brokers' CPU".to_owned(), Kind::SecondsAGigabyte, false, brokers));
    figures
}

/// What a run left undone.
fn faults(run: &Run, which: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut add = |kind, told| faults.push(Fault { kind, told });
    if let Some(why) = &run.failure {
        add(FaultKind::GaveUp, format!("the {which} run failed: {why}"));
    }
    let failed = run.failed();
    if failed > 0 {
        let failed = quantity::grouped(real(failed));
        add(FaultKind::RecordsFailed, format!("{failed} records of the {which} run failed"));
    }
    if let (Some(reached), Some(rate)) = (run.short_of_rate(), run.settings.rate) {
        let (reached, rate) = (quantity::grouped(reached), quantity::grouped(rate));
        let told = format!("the {which} run reached {reached} of {rate} records/s");
        add(FaultKind::ShortOfRate, told);
    }
    faults
}

/// The repetitions of each run that don't have a figure.
///
/// - `sides`: each run, and how many of its repetitions have it.
fn dropped(name: &str, sides: [(&Run, usize); 2]) -> Vec<String> {
    let mut dropped = Vec::new();
    for ((run, with), which) in sides.into_iter().zip(["first", "second"]) {
        let all = run.whole().len();
        if with < all {
            let without = all - with;
            dropped
                .push(format!("{without} of {all} repetitions of the {which} run have no {name}"));
        }
    }
    dropped
}

#[cfg(test)]
mod tests;
