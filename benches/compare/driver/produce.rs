//! Producing, at a rate or as fast as goes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rdkafka::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use serde::Serialize;

use crate::payload::Payloads;
use crate::spec::Spec;
use crate::window::{Spent, Window, pause};

/// How often the main thread looks whether enough bytes have come.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long a producer waits where its queue is full.
const QUEUE_WAIT: Duration = Duration::from_millis(1);
/// How long what is under way may take in the end.
const FLUSH_MAX: Duration = Duration::from_secs(60);
/// Records after which a producer that sends flat out takes its acknowledgements.
const POLL_EVERY: u64 = 64;
/// How long a thread waits for acknowledgements before it looks whether it is to end.
const POLL: Duration = Duration::from_millis(20);
/// The greatest latency that can be told, an hour; and how exactly, in digits.
const LATENCY_US_MAX: u64 = 3_600_000_000;
const LATENCY_DIGITS: u8 = 3;

/// What was produced within the window; latencies are of all records that were due in it.
#[derive(Debug, Serialize)]
pub(crate) struct Produced {
    records: u64,
    bytes: u64,
    seconds: f64,
    records_per_second: f64,
    bytes_per_second: f64,
    client_cpu_seconds: f64,
    broker_cpu_seconds: f64,
    latency_us: Latency,
    /// Acknowledged in all, outside of the window too.
    delivered_records: u64,
    failed_records: u64,
}

/// Microseconds from when a record was due until it was acknowledged.
#[derive(Debug, Serialize)]
struct Latency {
    count: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

/// What the producers share.
#[derive(Debug)]
struct Shared {
    /// Due times are nanoseconds since then.
    origin: Instant,
    is_stopping: AtomicBool,
    /// The window, in nanoseconds since the origin, exclusive at its end.
    window_from: AtomicU64,
    window_to: AtomicU64,
    delivered_records: AtomicU64,
    delivered_bytes: AtomicU64,
    failed_records: AtomicU64,
    failure: Mutex<Option<KafkaError>>,
}

/// Where acknowledgements of one producer arrive.
struct Acknowledged {
    shared: Arc<Shared>,
    latency: Mutex<Histogram<u64>>,
}

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, due: usize) {
        let shared = &self.shared;
        match result {
            Ok(message) => {
                shared.delivered_records.fetch_add(1, Ordering::Relaxed);
                let bytes = message.payload_len() as u64;
                shared.delivered_bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            Err((error, _)) => {
                shared.failed_records.fetch_add(1, Ordering::Relaxed);
                let mut failure = shared.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert_with(|| error.clone());
            }
        }
        let due = due as u64;
        let from = shared.window_from.load(Ordering::Relaxed);
        if (from..shared.window_to.load(Ordering::Relaxed)).contains(&due) {
            let late = shared.now().saturating_sub(due) / 1_000;
            self.latency.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(late);
        }
    }
}

impl Shared {
    fn new() -> Self {
        Self {
            origin: Instant::now(),
            is_stopping: AtomicBool::new(false),
            window_from: AtomicU64::new(u64::MAX),
            window_to: AtomicU64::new(u64::MAX),
            delivered_records: AtomicU64::new(0),
            delivered_bytes: AtomicU64::new(0),
            failed_records: AtomicU64::new(0),
            failure: Mutex::new(None),
        }
    }

    /// Nanoseconds since the origin.
    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    fn delivered(&self) -> (u64, u64) {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (load(&self.delivered_records), load(&self.delivered_bytes))
    }
}

/// Producers that run.
pub(crate) struct Running {
    spec: Spec,
    shared: Arc<Shared>,
    producers: Vec<Arc<BaseProducer<Acknowledged>>>,
    threads: Vec<JoinHandle<()>>,
}

/// A window with what had been delivered when it was opened.
pub(crate) struct Opened {
    window: Window,
    delivered: (u64, u64),
}

/// Warms up, measures, and waits for what is under way.
///
/// # Errors
/// What the client says, or that records failed.
pub(crate) fn run(spec: &Spec) -> Result<Produced, String> {
    let running = start(spec)?;
    running.warm_up();
    let opened = running.open_window();
    let end = Duration::from_secs_f64(spec.seconds);
    let enough = |bytes: u64| bytes - opened.delivered.1 >= spec.bytes_max;
    while opened.window.since.elapsed() < end && !enough(running.shared.delivered().1) {
        pause(LOOK_EVERY);
    }
    running.finish(opened)
}

/// Starts the producers.
///
/// # Errors
/// What the client says of its configuration.
pub(crate) fn start(spec: &Spec) -> Result<Running, String> {
    let shared = Arc::new(Shared::new());
    let (mut producers, mut threads) = (Vec::new(), Vec::new());
    for number in 0..spec.producers {
        let latency = Histogram::new_with_max(LATENCY_US_MAX, LATENCY_DIGITS);
        let latency = Mutex::new(latency.map_err(|error| error.to_string())?);
        let context = Acknowledged { shared: Arc::clone(&shared), latency };
        let producer = spec.producer()?.create_with_context(context);
        let producer: BaseProducer<_> = producer.map_err(|error| error.to_string())?;
        let producer = Arc::new(producer);
        let payloads = Payloads::new(spec.record_bytes, spec.entropy, number as u64 + 1);
        let mut sender = Sender {
            producer: Arc::clone(&producer),
            shared: Arc::clone(&shared),
            topic: spec.topic.clone(),
            payloads,
            partitions: spec.partitions,
            partition: i32::try_from(number).unwrap_or(0) % spec.partitions,
        };
        if let Some(rate) = spec.rate {
            threads.push(poller(&producer, &shared));
            let each = rate / f64::from(u32::try_from(spec.producers).unwrap_or(u32::MAX));
            threads.push(thread::spawn(move || sender.at_rate(each)));
        } else {
            threads.push(thread::spawn(move || sender.flat_out()));
        }
        producers.push(producer);
    }
    Ok(Running { spec: spec.clone(), shared, producers, threads })
}

/// A thread that takes acknowledgements as they come.
fn poller(producer: &Arc<BaseProducer<Acknowledged>>, shared: &Arc<Shared>) -> JoinHandle<()> {
    let (producer, shared) = (Arc::clone(producer), Arc::clone(shared));
    thread::spawn(move || {
        while !shared.is_stopping() {
            producer.poll(POLL);
        }
    })
}

impl Running {
    pub(crate) fn warm_up(&self) {
        pause(Duration::from_secs_f64(self.spec.warmup_seconds));
    }

    /// Begins to measure.
    pub(crate) fn open_window(&self) -> Opened {
        let delivered = self.shared.delivered();
        let window = Window::open(self.spec.broker_pid);
        self.shared.window_from.store(self.shared.now(), Ordering::Relaxed);
        Opened { window, delivered }
    }

    /// Ends measuring and producing, and waits for what is under way.
    ///
    /// # Errors
    /// Records that failed or didn't come back.
    pub(crate) fn finish(self, opened: Opened) -> Result<Produced, String> {
        let delivered = self.shared.delivered();
        let spent = opened.window.spent();
        self.shared.window_to.store(self.shared.now(), Ordering::Relaxed);
        self.shared.is_stopping.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| "a producer has panicked")?;
        }
        let mut latency = Histogram::new_with_max(LATENCY_US_MAX, LATENCY_DIGITS)
            .map_err(|error| error.to_string())?;
        for producer in &self.producers {
            producer.flush(FLUSH_MAX).map_err(|error| format!("flush: {error}"))?;
            let context = producer.client().context();
            let own = context.latency.lock().unwrap_or_else(PoisonError::into_inner);
            latency.add(&*own).map_err(|error| error.to_string())?;
        }
        let failure = self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(error) = failure {
            let failed = self.shared.failed_records.load(Ordering::Relaxed);
            return Err(format!("{failed} records failed, the first with: {error}"));
        }
        let within = (delivered.0 - opened.delivered.0, delivered.1 - opened.delivered.1);
        Ok(produced(within, self.shared.delivered().0, spent, &latency))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
fn produced(
    (records, bytes): (u64, u64),
    delivered_records: u64,
    spent: Spent,
    latency: &Histogram<u64>,
) -> Produced {
    Produced {
        records,
        bytes,
        seconds: spent.seconds,
        records_per_second: records as f64 / spent.seconds,
        bytes_per_second: bytes as f64 / spent.seconds,
        client_cpu_seconds: spent.client_cpu_seconds,
        broker_cpu_seconds: spent.broker_cpu_seconds,
        latency_us: Latency {
            count: latency.len(),
            p50: latency.value_at_quantile(0.5),
            p90: latency.value_at_quantile(0.9),
            p99: latency.value_at_quantile(0.99),
            p999: latency.value_at_quantile(0.999),
            max: latency.max(),
        },
        delivered_records,
        failed_records: 0,
    }
}

/// Sends the records of one producer, to each partition in turn.
struct Sender {
    producer: Arc<BaseProducer<Acknowledged>>,
    shared: Arc<Shared>,
    topic: String,
    payloads: Payloads,
    partitions: i32,
    partition: i32,
}

impl Sender {
    fn flat_out(&mut self) {
        let mut sent = 0_u64;
        while !self.shared.is_stopping() {
            let due = self.shared.now();
            self.send(due, true);
            sent += 1;
            if sent.is_multiple_of(POLL_EVERY) {
                self.producer.poll(Duration::ZERO);
            }
        }
    }

    /// Sends each record when it is due, or as soon after as can be; never leaves one out.
    fn at_rate(&mut self, rate: f64) {
        let start = self.shared.now();
        let mut due = start;
        let mut sent = 0.0;
        while !self.shared.is_stopping() {
            let now = self.shared.now();
            if now < due {
                pause(Duration::from_nanos(due - now));
                continue;
            }
            self.send(due, false);
            sent += 1.0;
            let passed = Duration::from_secs_f64(sent / rate).as_nanos();
            due = start + u64::try_from(passed).unwrap_or(u64::MAX - start);
        }
    }

    /// Queues a record, once there is room.
    fn send(&mut self, due: u64, polls: bool) {
        let opaque = usize::try_from(due).unwrap_or(usize::MAX);
        let record: BaseRecord<'_, (), [u8], usize> =
            BaseRecord::with_opaque_to(&self.topic, opaque)
                .partition(self.partition)
                .payload(self.payloads.next());
        self.partition = (self.partition + 1) % self.partitions;
        let mut result = self.producer.send(record);
        while let Err((error, record)) = result {
            let is_full =
                matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            if !is_full {
                self.shared.failed_records.fetch_add(1, Ordering::Relaxed);
                let failure = &self.shared.failure;
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                self.shared.is_stopping.store(true, Ordering::Relaxed);
                return;
            }
            if self.shared.is_stopping() {
                return;
            }
            if polls {
                self.producer.poll(QUEUE_WAIT)
            } else {
                pause(QUEUE_WAIT)
            }
            result = self.producer.send(record);
        }
    }
}
