//! The callers' end of a connection, before versions are known.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

use logboom_protocol::hot::Rope;
use logboom_protocol::{ApiKey, EncodeError, Request, frame};

use super::driver::{self, Outgoing, Pending, Written};
use super::throttle::Silence;
use crate::{BrokerAddress, ClientConfig, ClientError, Disconnect};

/// The longest time-out; a clock can't be asked for much more.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A connection that sends a request in a given version and returns the body of its answer.
#[derive(Debug, Clone)]
pub(super) struct Line {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    address: BrokerAddress,
    client_id: String,
    correlation_id: AtomicI32,
    /// How long the connection waits for an answer, however soon its caller doesn't any more.
    request_timeout: Duration,
    /// A place for each request in flight.
    places: Arc<Semaphore>,
    in_flight_max: usize,
    heard: Arc<Heard>,
    /// Invariant: as long as the places, so that it is never full.
    queue: mpsc::Sender<Outgoing>,
    silence: Silence,
    ending: Arc<Ending>,
}

/// When the broker last gave a sign of life, or was first asked for one.
#[derive(Debug)]
pub(super) struct Heard {
    began: Instant,
    /// Milliseconds since it began.
    at_ms: AtomicU64,
}

impl Heard {
    fn new() -> Self {
        Self { began: Instant::now(), at_ms: AtomicU64::new(0) }
    }

    pub(super) fn now(&self) {
        let at_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at_ms.store(at_ms, Ordering::Relaxed);
    }

    fn elapsed(&self) -> Duration {
        let at = Duration::from_millis(self.at_ms.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(at)
    }
}

/// How a connection ends: who wants it says why, and it is remembered.
#[derive(Debug, Default)]
pub(super) struct Ending {
    reason: OnceLock<Disconnect>,
    asked: Notify,
}

impl Ending {
    /// Keeps the first reason.
    pub(super) fn set(&self, reason: Disconnect) {
        self.reason.get_or_init(|| reason);
    }

    /// The first reason, if there is one.
    pub(super) fn reason(&self) -> Option<&Disconnect> {
        self.reason.get()
    }

    /// Waits until a caller wants the end.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }
}

impl Line {
    /// Begins to write to and to read from `stream`.
    pub(super) fn over<S>(stream: S, address: &BrokerAddress, config: &ClientConfig) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let in_flight_max = config.in_flight_max.clamp(1, Semaphore::MAX_PERMITS);
        let (queue, outgoing) = mpsc::channel(in_flight_max);
        let ending = Arc::new(Ending::default());
        let limits =
            driver::Limits { in_flight_max, response_bytes_max: config.response_bytes_max };
        let heard = Arc::new(Heard::new());
        let ends = driver::Ends {
            address: address.clone(),
            ending: Arc::clone(&ending),
            heard: Arc::clone(&heard),
        };
        tokio::spawn(driver::run(stream, outgoing, ends, limits));
        let shared = Shared {
            address: address.clone(),
            client_id: config.client_id.clone(),
            correlation_id: AtomicI32::new(0),
            request_timeout: config.request_timeout,
            places: Arc::new(Semaphore::new(in_flight_max)),
            in_flight_max,
            heard,
            queue,
            silence: Silence::new(config.request_timeout),
            ending,
        };
        Self { shared: Arc::new(shared) }
    }

    pub(super) fn address(&self) -> &BrokerAddress {
        &self.shared.address
    }

    pub(super) fn closed(&self) -> Option<&Disconnect> {
        self.shared.ending.reason()
    }

    /// How long the broker has owed an answer without a sign of life, or wants to hear nothing, in
    /// whole seconds, and how many answers it owes.
    pub(super) fn owed(&self) -> (u64, usize) {
        let count = self.shared.in_flight_max - self.shared.places.available_permits();
        let late = if count == 0 { Duration::ZERO } else { self.shared.heard.elapsed() };
        // Nor is anything answered that isn't sent yet.
        let silent = self.silence().until().map(|until| until - Instant::now());
        (late.max(silent.unwrap_or_default()).as_secs(), count)
    }

    /// For how long the broker wants to hear nothing.
    pub(super) fn silence(&self) -> &Silence {
        &self.shared.silence
    }

    /// Closes the connection for everybody.
    pub(super) fn close(&self, reason: Disconnect) {
        self.shared.ending.set(reason);
        self.shared.ending.asked.notify_one();
    }

    pub(super) fn error(&self, reason: Disconnect) -> ClientError {
        ClientError::Connection { address: self.shared.address.clone(), reason }
    }

    /// Sends a request; returns the body of its answer.
    pub(super) async fn call<R: Request>(
        &self,
        request: &R,
        version: i16,
        timeout: Duration,
    ) -> Result<Bytes, ClientError> {
        let encode = |id: i32, client: &str| {
            frame::encode_request(request, version, id, Some(client)).map(Rope::from)
        };
        self.post(R::API, version, timeout, encode).await?.body().await
    }

    /// Gives a request its place behind those that were given theirs before.
    ///
    /// - `encode`: makes the frame, of a correlation id and a client id.
    pub(super) async fn post(
        &self,
        api: ApiKey,
        version: i16,
        timeout: Duration,
        encode: impl FnOnce(i32, &str) -> Result<Rope, EncodeError>,
    ) -> Result<Posted, ClientError> {
        let mut clock = self.clock(api, timeout);
        let (correlation_id, frame) = self.encode(encode)?;
        let place = self.place(&mut clock).await?;
        let (reply, answer) = oneshot::channel();
        // It has all the time that an answer may take, whatever was waited for before.
        let timeout = timeout.max(self.shared.request_timeout);
        let timeout = timeout.saturating_add(clock.began.elapsed());
        let deadline = clock.began + timeout.min(TIMEOUT_MAX);
        let pending =
            Pending { api, version, correlation_id, deadline, timeout, reply, _place: place };
        self.queue(Outgoing::Answered { frame, pending })?;
        Ok(Posted { line: self.clone(), clock, answer })
    }

    /// Sends a request that has no answer; returns when the system has taken it.
    ///
    /// - `encode`: as in [`Self::post`].
    pub(super) async fn tell(
        &self,
        api: ApiKey,
        timeout: Duration,
        encode: impl FnOnce(i32, &str) -> Result<Rope, EncodeError>,
    ) -> Result<(), ClientError> {
        let mut clock = self.clock(api, timeout);
        let (_, frame) = self.encode(encode)?;
        let place = self.place(&mut clock).await?;
        let (reply, taken) = oneshot::channel();
        self.queue(Outgoing::Unanswered { frame, written: Written { reply, _place: place } })?;
        self.wait(&clock, taken).await
    }

    fn encode(
        &self,
        encode: impl FnOnce(i32, &str) -> Result<Rope, EncodeError>,
    ) -> Result<(i32, Rope), ClientError> {
        let id = self.shared.correlation_id.fetch_add(1, Ordering::Relaxed);
        Ok((id, encode(id, &self.shared.client_id)?))
    }

    fn clock(&self, api: ApiKey, timeout: Duration) -> Clock {
        Clock { api, timeout, began: Instant::now(), ends: timeout >= self.shared.request_timeout }
    }

    /// Waits for what the socket's end hands over; that it doesn't in time ends the connection,
    /// unless the time was less than an answer may take.
    async fn wait<T>(&self, clock: &Clock, handed: oneshot::Receiver<T>) -> Result<T, ClientError> {
        match timeout_at(clock.deadline(), handed).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) => Err(self.ended()),
            Err(_) => {
                if clock.ends {
                    self.close(clock.over());
                }
                Err(self.error(clock.over()))
            }
        }
    }

    /// Waits for a free place, and until the broker wants to hear something. That this isn't in
    /// time says nothing about the connection; nor does it when what is left behind it is less than
    /// an answer may take.
    async fn place(&self, clock: &mut Clock) -> Result<OwnedSemaphorePermit, ClientError> {
        if let Some(reason) = self.closed() {
            return Err(self.error(reason.clone()));
        }
        let place = async {
            let place = Arc::clone(&self.shared.places).acquire_owned().await;
            let mut was_silent = false;
            // The answer that has made the place free may have asked for silence.
            while let Some(until) = self.silence().until() {
                was_silent = true;
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = self.shared.queue.closed() => break,
                }
            }
            (place.expect("the places are never closed"), was_silent)
        };
        let place = timeout_at(clock.deadline(), place).await;
        let (place, was_silent) = place.map_err(|_| self.error(clock.over()))?;
        let left = clock.timeout.saturating_sub(clock.began.elapsed());
        clock.ends &= !was_silent || left >= self.shared.request_timeout;
        // Who owed nothing until now, or was to hear nothing, isn't late yet.
        if was_silent || self.shared.places.available_permits() + 1 == self.shared.in_flight_max {
            self.shared.heard.now();
        }
        Ok(place)
    }

    fn queue(&self, outgoing: Outgoing) -> Result<(), ClientError> {
        self.shared.queue.try_send(outgoing).map_err(|error| match error {
            mpsc::error::TrySendError::Closed(_) => self.ended(),
            mpsc::error::TrySendError::Full(_) => unreachable!("as long as there are places"),
        })
    }

    /// The error of a request that can't be answered any more.
    fn ended(&self) -> ClientError {
        self.error(self.closed().cloned().unwrap_or(Disconnect::Dropped))
    }
}

/// A request that has its place.
#[derive(Debug)]
pub(super) struct Posted {
    line: Line,
    clock: Clock,
    answer: oneshot::Receiver<Bytes>,
}

impl Posted {
    /// Waits for the body of the answer.
    pub(super) async fn body(self) -> Result<Bytes, ClientError> {
        self.line.wait(&self.clock, self.answer).await
    }
}

/// The time that the caller of a request has.
#[derive(Debug)]
struct Clock {
    api: ApiKey,
    timeout: Duration,
    began: Instant,
    /// Whether a broker that hasn't answered by then is taken for dead.
    ends: bool,
}

impl Clock {
    fn deadline(&self) -> Instant {
        self.began + self.timeout.min(TIMEOUT_MAX)
    }

    fn over(&self) -> Disconnect {
        Disconnect::RequestTimeout { api: self.api, after: self.timeout }
    }
}
