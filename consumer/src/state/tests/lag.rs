//! What the metrics say of how far a consumer is behind.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::*;

/// Remembers gauges by the partition that they are about.
#[derive(Debug, Default)]
struct Gauges(Mutex<HashMap<String, Arc<AtomicU64>>>);

impl Gauges {
    fn of(&self, partition: i32) -> f64 {
        let gauges = self.0.lock().unwrap();
        f64::from_bits(gauges[&partition.to_string()].load(Ordering::Relaxed))
    }
}

impl Recorder for Gauges {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        assert_eq!(key.name(), "logboom_consumer_lag_records");
        let partition = key.labels().find(|label| label.key() == "partition").unwrap();
        let mut gauges = self.0.lock().unwrap();
        Gauge::from_arc(Arc::clone(gauges.entry(partition.value().to_owned()).or_default()))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test(start_paused = true)]
async fn the_gauge_follows_what_is_handed_out_and_what_is_written() {
    let gauges = Gauges::default();
    let _recorder = metrics::set_default_local_recorder(&gauges);
    let mut life = Life::assigned(earliest(), Start::Offset(96));
    life.fetches();
    life.answer(vec![data(0, batch(96, 4, 3)), data(1, Vec::new())]);
    assert_eq!((gauges.of(0), gauges.of(1)), (4.0, 4.0), "to come, up to offset 100");
    assert!(life.taken().is_some());
    assert_eq!(gauges.of(0), 0.0, "no answer is needed to know that");
    life.fetches();
    life.answer(vec![PartitionData { high_watermark: 103, ..data(0, Vec::new()) }]);
    assert_eq!(gauges.of(0), 3.0);
    life.state.seek(&place(0), Start::Offset(90));
    assert_eq!(gauges.of(0), 13.0);
}

#[tokio::test(start_paused = true)]
async fn what_is_read_no_more_has_nothing_to_come() {
    let gauges = Gauges::default();
    let _recorder = metrics::set_default_local_recorder(&gauges);
    let mut life = Life::assigned(earliest(), Start::Offset(96));
    life.fetches();
    life.answer(vec![data(0, Vec::new()), data(1, Vec::new())]);
    life.state.remove(&[place(0)]);
    assert_eq!((gauges.of(0), gauges.of(1)), (0.0, 4.0));
    life.state.close();
    assert_eq!(gauges.of(1), 0.0);
}

#[tokio::test(start_paused = true)]
async fn of_transactions_that_are_open_nothing_is_to_come() {
    let gauges = Gauges::default();
    let _recorder = metrics::set_default_local_recorder(&gauges);
    let isolation = logboom_client::IsolationLevel::ReadCommitted;
    let mut life = Life::assigned(ConsumerConfig { isolation, ..earliest() }, Start::Offset(85));
    life.fetches();
    life.answer(vec![data(0, Vec::new())]);
    assert_eq!(gauges.of(0), 5.0, "up to the last stable offset, 90");
}
