//! What the metrics say of how far a consumer is behind.

use metrics::Label;

use logboom_client::testing::Meters;

use super::*;

/// What is to come of a partition.
fn lag(meters: &Meters, partition: i32) -> f64 {
    let label = Label::new("partition", partition.to_string());
    meters.gauge("logboom_consumer_lag_records", &label).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_gauge_follows_what_is_handed_out_and_what_is_written() {
    let meters = Meters::default();
    let _recorder = metrics::set_default_local_recorder(&meters);
    let mut life = Life::assigned(earliest(), Start::Offset(96));
    life.fetches();
    life.answer(vec![data(0, batch(96, 4, 3)), data(1, Vec::new())]);
    assert_eq!((lag(&meters, 0), lag(&meters, 1)), (4.0, 4.0), "to come, up to offset 100");
    assert!(life.taken().is_some());
    assert_eq!(lag(&meters, 0), 0.0, "no answer is needed to know that");
    life.fetches();
    life.answer(vec![PartitionData { high_watermark: 103, ..data(0, Vec::new()) }]);
    assert_eq!(lag(&meters, 0), 3.0);
    life.state.seek(&place(0), Start::Offset(90));
    assert_eq!(lag(&meters, 0), 13.0);
}

#[tokio::test(start_paused = true)]
async fn what_is_read_no_more_has_nothing_to_come() {
    let meters = Meters::default();
    let _recorder = metrics::set_default_local_recorder(&meters);
    let mut life = Life::assigned(earliest(), Start::Offset(96));
    life.fetches();
    life.answer(vec![data(0, Vec::new()), data(1, Vec::new())]);
    life.state.remove(&[place(0)]);
    assert_eq!((lag(&meters, 0), lag(&meters, 1)), (0.0, 4.0));
    life.state.close();
    assert_eq!(lag(&meters, 1), 0.0);
}

#[tokio::test(start_paused = true)]
async fn of_transactions_that_are_open_nothing_is_to_come() {
    let meters = Meters::default();
    let _recorder = metrics::set_default_local_recorder(&meters);
    let isolation = logboom_client::IsolationLevel::ReadCommitted;
    let mut life = Life::assigned(ConsumerConfig { isolation, ..earliest() }, Start::Offset(85));
    life.fetches();
    life.answer(vec![data(0, Vec::new())]);
    assert_eq!(lag(&meters, 0), 5.0, "up to the last stable offset, 90");
}
