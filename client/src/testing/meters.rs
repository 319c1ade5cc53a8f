//! What is told by the `metrics` facade.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit,
};

/// Keeps what is counted, while it is the recorder of a thread. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Meters(Arc<Mutex<BTreeMap<Key, Arc<AtomicU64>>>>);

impl Meters {
    /// What there is, each with the names of its labels: `name{label,…}`.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let name = |key: &Key| {
            let labels = key.labels().map(Label::key).collect::<Vec<_>>().join(",");
            if labels.is_empty() {
                key.name().to_owned()
            } else {
                format!("{}{{{labels}}}", key.name())
            }
        };
        self.0.lock().unwrap().keys().map(name).collect()
    }

    /// What a counter without labels has come to.
    #[must_use]
    pub fn count(&self, name: &'static str) -> u64 {
        let counted = self.0.lock().unwrap();
        counted.get(&Key::from_static_name(name)).map_or(0, |one| one.load(Ordering::Relaxed))
    }

    /// The gauge that has this label among its own.
    #[must_use]
    pub fn gauge(&self, name: &str, label: &Label) -> Option<f64> {
        let is_it = |key: &&Key| key.name() == name && key.labels().any(|one| one == label);
        let gauges = self.0.lock().unwrap();
        let key = gauges.keys().find(is_it)?;
        Some(f64::from_bits(gauges[key].load(Ordering::Relaxed)))
    }

    fn of(&self, key: &Key) -> Arc<AtomicU64> {
        Arc::clone(self.0.lock().unwrap().entry(key.clone()).or_default())
    }
}

impl Recorder for Meters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.of(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.of(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.of(key);
        Histogram::noop()
    }
}
