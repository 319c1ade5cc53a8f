//! Producing, at a rate or as fast as goes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rdkafka::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode;
use serde::Serialize;

use logboom_compare::pause;

use crate::payload::Payloads;
use crate::spec::Spec;
use crate::window::{Spent, Window};

/// How often the main thread looks whether enough bytes have come.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long a producer waits where its queue is full.
const QUEUE_WAIT: Duration = Duration::from_millis(1);
/// How long what is under way may take in the end. What takes longer counts as late by that.
const FLUSH_MAX: Duration = Duration::from_secs(10);
/// How long a producer may take to give up what was asked back.
const PURGE_MAX: Duration = Duration::from_secs(5);
/// How long filling a topic may take.
const FILL_MAX: Duration = Duration::from_secs(900);
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
    /// Due within the window and given up in the end: their latencies are longer than is told.
    undelivered_records: u64,
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
    undelivered_records: AtomicU64,
    failure: Mutex<Option<KafkaError>>,
}

/// Where acknowledgements of one producer arrive.
struct Acknowledged {
    shared: Arc<Shared>,
    latency: Mutex<Histogram<u64>>,
    is_at_rate: bool,
}

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, due: usize) {
        let shared = &self.shared;
        let due = due as u64;
        let from = shared.window_from.load(Ordering::Relaxed);
        let is_measured = (from..shared.window_to.load(Ordering::Relaxed)).contains(&due);
        match result {
            Ok(message) => {
                shared.delivered_records.fetch_add(1, Ordering::Relaxed);
                let bytes = message.payload_len() as u64;
                shared.delivered_bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            Err((error, _)) if is_given_up(error) => {
                // Flat out there is always more in the queue than can be sent.
                if !self.is_at_rate {
                    return;
                }
                let count = u64::from(is_measured);
                shared.undelivered_records.fetch_add(count, Ordering::Relaxed);
            }
            Err((error, _)) => shared.fail(error.clone()),
        }
        if is_measured {
            let late = shared.now().saturating_sub(due) / 1_000;
            self.latency.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(late);
        }
    }
}

/// Whether we ourselves took the record back.
fn is_given_up(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(code, Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight))
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
            undelivered_records: AtomicU64::new(0),
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

    /// Notes the first failure, and ends the run.
    fn fail(&self, error: KafkaError) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// The first failure, if there was one.
    fn checked(&self) -> Result<(), String> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map_or(Ok(()), |error| Err(format!("produce: {error}")))
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
    while opened.window.since.elapsed() < end
        && !enough(running.shared.delivered().1)
        && !running.shared.is_stopping()
    {
        pause(LOOK_EVERY);
    }
    running.finish(opened)
}

/// Produces `spec.bytes_max` bytes and waits until all are acknowledged; returns the records.
///
/// # Errors
/// What the client says, or that it takes too long.
pub(crate) fn fill(spec: &Spec) -> Result<u64, String> {
    let count = spec.bytes_max / spec.record_bytes.max(1) as u64;
    let shared = Arc::new(Shared::new());
    let mut sender = Sender::new(spec, &shared, 0)?;
    for _ in 0..count {
        sender.send_flat_out();
        if shared.is_stopping() || shared.origin.elapsed() > FILL_MAX {
            break;
        }
    }
    sender.producer.flush(FILL_MAX.saturating_sub(shared.origin.elapsed())).ok();
    shared.checked()?;
    let (records, _) = shared.delivered();
    if records == count { Ok(count) } else { Err(format!("{records} of {count} in {FILL_MAX:?}")) }
}

/// Starts the producers.
///
/// # Errors
/// What the client says of its configuration.
pub(crate) fn start(spec: &Spec) -> Result<Running, String> {
    let shared = Arc::new(Shared::new());
    let (mut producers, mut threads) = (Vec::new(), Vec::new());
    for number in 0..spec.producers {
        let mut sender = Sender::new(spec, &shared, number)?;
        producers.push(Arc::clone(&sender.producer));
        if let Some(rate) = spec.rate {
            threads.push(poller(&sender.producer, &shared));
            let each = rate / f64::from(u32::try_from(spec.producers).unwrap_or(u32::MAX));
            threads.push(thread::spawn(move || sender.at_rate(each)));
        } else {
            threads.push(thread::spawn(move || sender.flat_out()));
        }
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
            settle(producer, self.spec.rate.is_some())?;
            let context = producer.client().context();
            let own = context.latency.lock().unwrap_or_else(PoisonError::into_inner);
            latency.add(&*own).map_err(|error| error.to_string())?;
        }
        self.shared.checked()?;
        let within = (delivered.0 - opened.delivered.0, delivered.1 - opened.delivered.1);
        Ok(produced(within, &self.shared, spent, &latency))
    }
}

/// Waits for what is under way. Flat out, what was not sent yet is given up; at a rate, what takes
/// too long.
fn settle(producer: &BaseProducer<Acknowledged>, is_at_rate: bool) -> Result<(), String> {
    if !is_at_rate {
        producer.purge(PurgeConfig::default().queue());
    }
    if producer.flush(FLUSH_MAX).is_ok() {
        return Ok(());
    }
    producer.purge(PurgeConfig::default().queue().inflight());
    producer.flush(PURGE_MAX).map_err(|error| format!("flush: {error}"))
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
fn produced(
    (records, bytes): (u64, u64),
    shared: &Shared,
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
        delivered_records: shared.delivered().0,
        undelivered_records: shared.undelivered_records.load(Ordering::Relaxed),
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
    sent: u64,
}

impl Sender {
    fn new(spec: &Spec, shared: &Arc<Shared>, number: usize) -> Result<Self, String> {
        let latency = Histogram::new_with_max(LATENCY_US_MAX, LATENCY_DIGITS);
        let latency = Mutex::new(latency.map_err(|error| error.to_string())?);
        let is_at_rate = spec.rate.is_some();
        let context = Acknowledged { shared: Arc::clone(shared), latency, is_at_rate };
        let producer = spec.producer()?.create_with_context(context);
        let producer: BaseProducer<_> = producer.map_err(|error| error.to_string())?;
        Ok(Self {
            producer: Arc::new(producer),
            shared: Arc::clone(shared),
            topic: spec.topic.clone(),
            payloads: Payloads::new(spec.record_bytes, spec.entropy, number as u64 + 1),
            partitions: spec.partitions,
            partition: i32::try_from(number).unwrap_or(0) % spec.partitions,
            sent: 0,
        })
    }

    fn flat_out(&mut self) {
        while !self.shared.is_stopping() {
            self.send_flat_out();
        }
    }

    fn send_flat_out(&mut self) {
        self.send(self.shared.now(), true);
        self.sent += 1;
        if self.sent.is_multiple_of(POLL_EVERY) {
            self.producer.poll(Duration::ZERO);
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
                self.shared.fail(error);
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
