//! Why two runs may differ for another reason than what was to be compared: other loads, machines
//! and clusters, or a machine that was slower meanwhile.

use std::collections::BTreeMap;

use serde_json::Value;

use super::change;
use crate::run::{Ceiling, Run, Settings, TOO_SHORT};
use crate::student;

/// As much may a ceiling differ between the runs without a doubt.
const CEILING_DRIFT_MAX: f64 = 0.1;
type OfCeiling = fn(&Ceiling) -> Option<f64>;

/// Settings that name things, or follow from others.
const NAMING: [&str; 5] =
    ["topic", "seed", "compressed_share", "record_bytes_mean", "properties bootstrap.servers"];

/// The ceilings that a flow of records meets.
const CEILINGS: [(&str, OfCeiling); 3] = [
    ("loopback", |ceiling| ceiling.loopback),
    ("writing", |ceiling| ceiling.write),
    ("writing with flushes", |ceiling| ceiling.write_flushed),
];

/// What may be the reason of a difference but what was to be compared.
///
/// - `confidence`: of an interval, 0 to 1.
pub(super) fn of(before: &Run, after: &Run, confidence: f64) -> Vec<String> {
    let mut doubts = Vec::new();
    for (name, one, other) in differing(&before.settings, &after.settings) {
        doubts.push(format!("the loads differ: {name} was {one}, then {other}"));
    }
    let machine = |run: &Run| {
        let machine = &run.machine;
        format!("{}, {} × {}", machine.host, machine.processors, machine.processor)
    };
    if machine(before) != machine(after) {
        doubts.push(format!("the machines differ: {}; then {}", machine(before), machine(after)));
    }
    let (one, other) = (&before.cluster, &after.cluster);
    if one.brokers != other.brokers {
        let (one, other) = (one.brokers, other.brokers);
        doubts.push(format!("the clusters differ: brokers were {one}, then {other}"));
    }
    let are_known = !one.versions.is_empty() && !other.versions.is_empty();
    if are_known && one.versions != other.versions {
        let (one, other) = (one.versions.join(", "), other.versions.join(", "));
        doubts.push(format!("the brokers' versions differ: {one}; then {other}"));
    }
    doubts.extend(
        CEILINGS.into_iter().filter_map(|ceiling| drift(ceiling, before, after, confidence)),
    );
    for (run, which) in [(before, "first"), (after, "second")] {
        if run.interrupted {
            let is_less = run.whole().len() < run.repetitions.len();
            let less = if is_less { "; its last repetition doesn't count" } else { "" };
            doubts.push(format!("the {which} run was ended before its time{less}"));
        }
        let read = run.repetitions.iter().map(|one| one.brokers.len()).min().unwrap_or(0);
        let all = run.cluster.brokers;
        if read > 0 && read != all {
            let were = if read == 1 { "was" } else { "were" };
            let part = format!("of the {which} run {read} of {all} brokers {were} read");
            doubts.push(format!("the brokers' CPU isn't compared: {part}"));
        }
        if run.is_too_short() {
            doubts.push(format!("the {which} run: {TOO_SHORT}"));
        }
    }
    doubts
}

/// By how much a ceiling differs, where that is shown to be more than it may: one that swings as
/// much from repetition to repetition shows nothing.
fn drift(
    (name, of): (&str, OfCeiling),
    before: &Run,
    after: &Run,
    confidence: f64,
) -> Option<String> {
    let all = |run: &Run| -> Vec<f64> {
        run.whole().iter().filter_map(|one| of(one.ceiling.as_ref()?)).collect()
    };
    let interval = student::factor(&all(before), &all(after), confidence)?;
    let is_beyond =
        interval.least > 1.0 + CEILING_DRIFT_MAX || interval.most < 1.0 - CEILING_DRIFT_MAX;
    is_beyond.then(|| {
        let [least, middle, most] = [interval.least, interval.middle, interval.most].map(change);
        format!("the machine's own ceiling of {name} differs by {middle} ({least} to {most})")
    })
}

/// The settings that aren't the same, but for those that name things.
fn differing(before: &Settings, after: &Settings) -> Vec<(String, Value, Value)> {
    let object = |settings: &Settings| match serde_json::to_value(settings) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (mut before, mut after) = (object(before), object(after));
    // Older versions haven't kept them.
    for name in ["topic_config", "fill_bytes"] {
        if [&before, &after].iter().any(|side| side.get(name).is_none_or(Value::is_null)) {
            before.remove(name);
            after.remove(name);
        }
    }
    let (before, mut after) = (settings_by_name(before), settings_by_name(after));
    let mut differing = Vec::new();
    for (name, one) in before {
        let other = after.remove(&name).unwrap_or_default();
        if one != other {
            differing.push((name, one, other));
        }
    }
    differing.extend(after.into_iter().map(|(name, other)| (name, Value::Null, other)));
    differing
}

/// Each setting by itself, those of a list of pairs, too, but for those that name things.
fn settings_by_name(fields: serde_json::Map<String, Value>) -> BTreeMap<String, Value> {
    let mut settings = BTreeMap::new();
    for (name, value) in fields {
        match value {
            Value::Array(pairs) => {
                let pairs = pairs.into_iter().filter_map(|pair| {
                    Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.clone()))
                });
                settings.extend(pairs.map(|(key, value)| (format!("{name} {key}"), value)));
            }
            value => drop(settings.insert(name, value)),
        }
    }
    settings.retain(|name, value| !NAMING.contains(&name.as_str()) && !value.is_null());
    settings
}
