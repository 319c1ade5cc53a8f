//! Producers at work.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::sleep;

use logboom_client::Remedy;
use logboom_producer::{Delivery, Header, ProduceError, Producer, Record};

use super::Mark;
use super::shared::{Phase, Shared};
use crate::latency::Latencies;
use crate::pace::{Arrivals, Clock as _, Pace, drive};
use crate::timeline::{Sample, Tally};
use crate::workload::{Stream, Workload};

/// Records of a partition that were sent and whose end wasn't heard yet.
const LANE_RECORDS_MAX: usize = 16 << 10;
/// Acknowledgements that are heard in one go.
const HEARD_AT_ONCE: usize = 256;
/// A sender's stack: it calls nothing that is deep.
const STACK_BYTES: usize = 512 << 10;

/// Why a record wasn't sent that was due.
const NO_ROOM: &str = "it was due, and there was no room for it until the end";

/// What all senders are told.
#[derive(Debug, Clone)]
pub(crate) struct SenderSettings {
    pub(crate) topic: String,
    pub(crate) workload: Workload,
    /// Records a second of all, and how they are spread; `None`: as many as go.
    pub(crate) rate: Option<(f64, Arrivals)>,
    /// Whether records are marked, for who reads them.
    pub(crate) is_marked: bool,
}

/// Producers that run.
#[derive(Debug)]
pub(crate) struct Producing {
    producers: Vec<Producer>,
    tallies: Vec<Arc<Mutex<Tally>>>,
    threads: Vec<JoinHandle<Latencies>>,
    /// Closes when every record has ended.
    settled: mpsc::Receiver<()>,
}

impl Producing {
    /// Starts to send.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub(crate) fn start(
        producers: Vec<Producer>,
        settings: &SenderSettings,
        shared: &Arc<Shared>,
    ) -> Result<Self, String> {
        let (unsettled, settled) = mpsc::channel(1);
        let count = producers.len() as u64;
        let (mut tallies, mut threads) = (Vec::new(), Vec::new());
        // Where all counts from the beginning, records are due from the beginning.
        let start = shared.opened().unwrap_or_else(|| shared.now());
        for (number, producer) in (0..).zip(&producers) {
            let tally = Arc::new(Mutex::new(Tally::default()));
            tallies.push(Arc::clone(&tally));
            let SenderSettings { workload, .. } = settings;
            let pace = settings.rate.map(|(rate, arrivals)| {
                Pace::new(start, rate, (number, count), arrivals, workload.seed)
            });
            let sender = Sender {
                producer: producer.clone(),
                topic: settings.topic.clone(),
                stream: workload.stream(number),
                is_marked: settings.is_marked,
                is_paced: pace.is_some(),
                lanes: Vec::new(),
                shared: Arc::clone(shared),
                tally,
                unsettled: unsettled.clone(),
                runtime: Handle::current(),
                handed_over: Latencies::default(),
            };
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            let thread = thread.name(format!("sender-{number}")).spawn(|| sender.run(pace));
            threads.push(thread.map_err(|error| format!("start a sender: {error}"))?);
        }
        Ok(Self { producers, tallies, threads, settled })
    }

    pub(crate) fn tallies(&self) -> &[Arc<Mutex<Tally>>] {
        &self.tallies
    }

    /// Waits until every record has ended, after the senders. Cancel-safe.
    pub(crate) async fn settled(&mut self) {
        // Nobody ever sends: it is closed when the last one has gone.
        while self.settled.recv().await.is_some() {}
    }

    /// Waits for what was due and what is under way, and gives up what takes longer than `limit`,
    /// or is left when nothing is to be sent any more. Returns how late records were given to the
    /// producers.
    pub(crate) async fn finish(mut self, limit: Duration, shared: &Shared) -> Latencies {
        // What hasn't ended by then is given up.
        tokio::select! {
            () = self.settled() => {}
            () = sleep(limit) => {}
            () = shared.reached(Phase::Sent) => {}
        }
        shared.end(Phase::Sent);
        let close = |one: Producer| tokio::spawn(one.close(Duration::ZERO));
        let closing: Vec<_> = self.producers.drain(..).map(close).collect();
        for one in closing {
            // A producer that has panicked has told so already.
            drop(one.await);
        }
        self.settled().await;
        let mut handed_over = Latencies::default();
        for thread in self.threads {
            if let Ok(late) = thread.join() {
                handed_over.add(&late);
            }
        }
        handed_over
    }
}

/// A record that was sent.
struct Sent {
    due: u64,
    bytes: u32,
    delivery: Delivery,
}

/// Sends the records of one producer.
struct Sender {
    producer: Producer,
    topic: String,
    stream: Stream,
    is_marked: bool,
    /// Whether records are due, which has to be kept.
    is_paced: bool,
    /// By partition, where records have gone there.
    lanes: Vec<Option<mpsc::Sender<Sent>>>,
    shared: Arc<Shared>,
    tally: Arc<Mutex<Tally>>,
    unsettled: mpsc::Sender<()>,
    runtime: Handle,
    handed_over: Latencies,
}

impl Sender {
    /// Sends until the load ends. Returns how late records were handed over.
    fn run(mut self, pace: Option<Pace>) -> Latencies {
        let (shared, runtime) = (Arc::clone(&self.shared), self.runtime.clone());
        match pace {
            None => runtime.block_on(async {
                while shared.phase() == Phase::Running && self.send(shared.now()).await {}
            }),
            Some(mut pace) => {
                let has_more = Cell::new(true);
                let is_over = |due| !has_more.get() || shared.is_over(due);
                let send = |due| has_more.set(runtime.block_on(self.send(due)));
                drive(&mut pace, &*shared, is_over, send);
                self.lose(pace.count_within(shared.window()));
            }
        }
        // What lingers goes now.
        let producer = &self.producer;
        runtime.block_on(async {
            tokio::select! {
                () = producer.flush() => {}
                () = shared.reached(Phase::Sent) => {}
            }
        });
        self.handed_over
    }

    /// Counts records that were due and aren't sent any more.
    fn lose(&mut self, records: u64) {
        if self.shared.has_given_up() {
            return;
        }
        let records = self.shared.take(records);
        if records > 0 {
            self.shared.count_all_failed(records, || NO_ROOM.to_owned());
            locked(&self.tally).lose(records);
            self.handed_over.lose(records);
        }
    }

    /// Sends a record. Returns whether there may be more.
    async fn send(&mut self, due: u64) -> bool {
        if !self.shared.take_one() {
            return false;
        }
        let late = self.shared.sample(due, self.shared.now(), None);
        if let Some(late) = late.latency {
            self.handed_over.record(late);
        }
        let (key, value) = self.stream.next();
        let bytes = key.map_or(0, <[u8]>::len) + value.len();
        let mark = Mark { load: self.shared.id(), due }.to_bytes();
        let header = [Header { key: Mark::KEY, value: Some(&mark) }];
        let mut record = Record::to(&self.topic).value(value);
        if let Some(key) = key {
            record = record.key(key);
        }
        if self.is_marked {
            record = record.headers(&header);
        }
        let (producer, shared) = (&self.producer, &self.shared);
        let end = if self.is_paced { Phase::Sent } else { Phase::Due };
        let sent = tokio::select! {
            biased;
            sent = producer.send(record) => Some(sent),
            () = shared.reached(end) => None,
        };
        match sent {
            // The load has ended while there was no room for it. Flat out it was due at no time.
            None => {
                let lost = shared.lost(due);
                if self.is_paced && lost.latency.is_some() {
                    shared.count_failed(|| NO_ROOM.to_owned());
                    locked(&self.tally).take(&[lost]);
                }
                false
            }
            Some(Ok(delivery)) => {
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                self.hear(Sent { due, bytes, delivery }).await
            }
            Some(Err(error)) => {
                locked(&self.tally).take(&[fail(shared, due, &error)]);
                true
            }
        }
    }

    /// Has the end of a record heard by its partition's lane.
    async fn hear(&mut self, sent: Sent) -> bool {
        let partition = usize::try_from(sent.delivery.partition()).unwrap_or_default();
        if self.lanes.len() <= partition {
            self.lanes.resize_with(partition + 1, || None);
        }
        let lane = self.lanes[partition].get_or_insert_with(|| {
            let (lane, heard) = mpsc::channel(LANE_RECORDS_MAX);
            let settling = Settling {
                shared: Arc::clone(&self.shared),
                tally: Arc::clone(&self.tally),
                samples: Vec::new(),
                acknowledged: 0,
                _unsettled: self.unsettled.clone(),
            };
            self.runtime.spawn(settling.run(heard));
            lane
        });
        match lane.try_send(sent) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(sent)) => lane.send(sent).await.is_ok(),
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }
}

/// Hears the ends of one partition's records.
struct Settling {
    shared: Arc<Shared>,
    tally: Arc<Mutex<Tally>>,
    samples: Vec<Sample>,
    acknowledged: u64,
    /// Dropped when all of them have ended.
    _unsettled: mpsc::Sender<()>,
}

impl Settling {
    async fn run(mut self, mut sent: mpsc::Receiver<Sent>) {
        // It grows as far as it is needed: there are as many of it as lanes.
        let mut open = Vec::new();
        while sent.recv_many(&mut open, HEARD_AT_ONCE).await > 0 {
            for Sent { due, bytes, mut delivery } in open.drain(..) {
                let at_once = poll_fn(|cx| Poll::Ready(Pin::new(&mut delivery).poll(cx))).await;
                let result = match at_once {
                    Poll::Ready(result) => result,
                    Poll::Pending => {
                        // What has ended is counted before it is waited.
                        self.count();
                        delivery.await
                    }
                };
                let sample = match result {
                    Ok(_) => {
                        self.acknowledged += 1;
                        self.shared.sample(due, self.shared.now(), Some(bytes))
                    }
                    Err(error) => fail(&self.shared, due, &error),
                };
                self.samples.push(sample);
            }
            self.count();
        }
    }

    fn count(&mut self) {
        if !self.samples.is_empty() {
            locked(&self.tally).take(&self.samples);
            self.samples.clear();
        }
        self.shared.count_acknowledged(std::mem::take(&mut self.acknowledged));
    }
}

/// Counts a record that has failed. Others may succeed, unless the call itself is wrong.
fn fail(shared: &Shared, due: u64, error: &ProduceError) -> Sample {
    shared.count_failed(|| match error {
        ProduceError::Closed => "it wasn't acknowledged when the run ended".to_owned(),
        error => error.to_string(),
    });
    if error.remedy() != Remedy::Retry && !matches!(error, ProduceError::Closed) {
        shared.give_up(error.to_string());
    }
    shared.lost(due)
}

/// The counts of a client; every change of them is whole, so a panic elsewhere leaves them sound.
pub(crate) fn locked(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Values;

    fn settings(rate: Option<(f64, Arrivals)>) -> SenderSettings {
        let values = Values::new(&"10".parse().unwrap(), 1.0, 1).unwrap();
        let workload = Workload { keys: "none".parse().unwrap(), values: values.into(), seed: 1 };
        SenderSettings { topic: "t".to_owned(), workload, rate, is_marked: false }
    }

    /// Ends a load of ten seconds whose producer finds no broker, once a record waits for it.
    /// Returns what failed, what never came of those that count, and of how many it is known how
    /// late they were sent.
    async fn ended(rate: Option<(f64, Arrivals)>) -> (u64, u64, u64) {
        let producer = Producer::builder().bootstrap_servers("127.0.0.1:1").build().unwrap();
        let settings = settings(rate);
        let most = 1_000_000;
        let shared = Arc::new(Shared::new(Some(most), Some(Duration::from_secs(10)), 1, 0));
        shared.open(shared.now());
        let producing = Producing::start(vec![producer], &settings, &shared).unwrap();
        let tally = Arc::clone(&producing.tallies()[0]);
        while shared.left() == most {
            tokio::task::yield_now().await;
        }
        shared.end(Phase::Due);
        let late = producing.finish(Duration::ZERO, &shared).await;
        let mut timeline = crate::timeline::Timeline::new(1);
        timeline.drain(&mut locked(&tally));
        timeline.close(1);
        assert_eq!(timeline.latencies().summary(), None, "none came");
        (shared.failures().0, timeline.latencies().count(), late.count())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_due_and_not_sent_is_lost() {
        let (failed, lost, handed_over) = ended(Some((1_000.0, Arrivals::Constant))).await;
        assert!((9_999..=10_001).contains(&lost), "{lost} of 10000");
        assert_eq!((failed, handed_over), (lost, lost));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_under_way_is_given_up_once_the_load_is_over() {
        let producer = Producer::builder().bootstrap_servers("127.0.0.1:1").build().unwrap();
        let shared = Arc::new(Shared::new(None, None, 1, 0));
        shared.open(shared.now());
        let settings = settings(Some((1_000.0, Arrivals::Constant)));
        let producing = Producing::start(vec![producer], &settings, &shared).unwrap();
        let finishing = producing.finish(Duration::from_secs(3_600), &shared);
        let over = async { shared.end(Phase::Over) };
        let both = async { tokio::join!(finishing, over) };
        assert!(tokio::time::timeout(Duration::from_secs(60), both).await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn flat_out_nothing_was_due() {
        let (failed, lost, _) = ended(None).await;
        assert_eq!((failed, lost), (0, 0));
    }
}
