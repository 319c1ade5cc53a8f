//! Calls: requests to another broker, and their answers.
//!
//! A broker has one connection for them to each peer that it calls, with many calls under way. A
//! call is made once: where its connection ends before the answer is there, the caller is told that
//! it may have been done, and decides.
//!
//! Must always hold: every call ends at its deadline at the latest; the calls that wait, those
//! under way and their bytes have limits, on both sides.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use logboom_protocol::wire::Reader;

use super::codec::{at, read_code, write_bytes};
use super::dial::{Connection, Dialler};
use super::frame::{Accepts, Frame, FrameBuilder, FrameKind, Strange};
use super::outbox::Rope;
use super::receive::FrameReader;
use super::roster::{Kind, PeerId};
use super::socket::{self, Ended};
use super::{CALL_BYTES_MAX, Peers};

/// The most calls to a peer that wait to be sent.
const WAITING_MAX: usize = 256;
/// The most calls to a peer that are under way, on either side.
const UNDER_WAY_MAX: usize = 64;
/// The most bytes of requests that a connection has handed over and that are not answered.
const UNDER_WAY_BYTES_MAX: usize = 2 * CALL_BYTES_MAX;

/// How long a call waits to be sent: who is asked may be gone, and somebody else there.
const UNSENT_MAX: Duration = Duration::from_millis(500);

const NUMBER_BYTES: usize = 8;

// What an answer is.
const ANSWERED: u8 = 0;
const TOO_LARGE: u8 = 1;

/// Why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallError {
    /// Nothing was sent: there was no connection in time, or nobody made one.
    NotSent,
    /// Nothing was sent: too many calls to this broker wait.
    Busy,
    /// The deadline is over; it may be done, or be done yet.
    Unanswered,
    /// The connection ended; it may be done.
    Lost,
    /// The request, or the answer, has more than [`CALL_BYTES_MAX`] bytes.
    TooLarge,
}

impl CallError {
    /// Whether it is certain that the other broker has done nothing.
    pub(crate) fn is_undone(self) -> bool {
        matches!(self, Self::NotSent | Self::Busy)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent => "the broker couldn't be reached",
            Self::Busy => "too many calls to the broker wait",
            Self::Unanswered => "the broker doesn't answer",
            Self::Lost => "the connection to the broker ended before it answered",
            Self::TooLarge => "a request or an answer between brokers is too large",
        })
    }
}

impl std::error::Error for CallError {}

/// A call on its way.
#[derive(Debug)]
struct Call {
    request: Bytes,
    reply: oneshot::Sender<Result<Bytes, CallError>>,
    /// Whether a byte of it may have left.
    sent: Arc<AtomicBool>,
}

/// Where calls to each broker go.
#[derive(Debug, Default)]
pub(super) struct Routes {
    of: Mutex<HashMap<i32, mpsc::Sender<Call>>>,
}

impl Routes {
    fn lock(&self) -> MutexGuard<'_, HashMap<i32, mpsc::Sender<Call>>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls other brokers, from any thread.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(super) routes: Arc<Routes>,
}

/// The way to other brokers for calls.
pub(crate) trait Calls: Send + Sync {
    /// Calls a broker, and waits so long for the answer.
    ///
    /// # Errors
    /// [`CallError`].
    fn call(
        &self,
        node: i32,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>>;
}

impl Calls for Caller {
    fn call(
        &self,
        node: i32,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>> {
        Box::pin(self.call(node, request, Instant::now() + within))
    }
}

impl Caller {
    /// Calls a broker to which there is a [`CallLink`], and waits for the answer.
    ///
    /// # Errors
    /// [`CallError`].
    pub(crate) async fn call(
        &self,
        node: i32,
        request: Bytes,
        deadline: Instant,
    ) -> Result<Bytes, CallError> {
        if request.len() > CALL_BYTES_MAX {
            return Err(CallError::TooLarge);
        }
        let route = self.routes.lock().get(&node).cloned().ok_or(CallError::NotSent)?;
        let (reply, mut answer) = oneshot::channel();
        let sent = Arc::new(AtomicBool::new(false));
        let call = Call { request, reply, sent: Arc::clone(&sent) };
        route.try_send(call).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CallError::Busy,
            mpsc::error::TrySendError::Closed(_) => CallError::NotSent,
        })?;
        // The connection's task would keep it alive.
        drop(route);
        let sent_by = deadline.min(Instant::now() + UNSENT_MAX);
        let early = timeout_at(sent_by, &mut answer).await;
        if early.is_err() && !sent.load(Ordering::Acquire) {
            // Whoever has it still may not send it any more.
            answer.close();
        }
        let answered = match early {
            Ok(answered) => Ok(answered),
            Err(_) => timeout_at(deadline, answer).await,
        };
        let otherwise = match answered {
            Ok(Ok(answer)) => return answer,
            Ok(Err(_)) => CallError::Lost,
            Err(_) => CallError::Unanswered,
        };
        Err(if sent.load(Ordering::Acquire) { otherwise } else { CallError::NotSent })
    }
}

/// The connection for calls to one broker; it ends with the value.
#[derive(Debug)]
pub(crate) struct CallLink {
    node: i32,
    own: mpsc::Sender<Call>,
    routes: Arc<Routes>,
    task: JoinHandle<()>,
}

impl CallLink {
    /// Begins to dial; within a `LocalSet`. A link that there was before is not called any more.
    pub(super) fn new(peers: &Arc<Peers>, node: i32) -> Self {
        let (own, calls) = mpsc::channel(WAITING_MAX);
        let routes = Arc::clone(&peers.routes);
        routes.lock().insert(node, own.clone());
        let dialler = Dialler::new(Arc::clone(peers), node, Kind::Calls, 0);
        let task = tokio::task::spawn_local(run(dialler, calls));
        Self { node, own, routes, task }
    }
}

impl Drop for CallLink {
    fn drop(&mut self) {
        let mut routes = self.routes.lock();
        if routes.get(&self.node).is_some_and(|route| route.same_channel(&self.own)) {
            routes.remove(&self.node);
        }
        self.task.abort();
    }
}

/// Has a connection whenever that is possible.
async fn run(mut dialler: Dialler, mut calls: mpsc::Receiver<Call>) {
    let inbox = Arc::clone(&dialler.peers().inbox);
    loop {
        let Connection { stream, peer, .. } = dialler.connect().await;
        inbox.connected(0, Kind::Calls, &peer);
        let mut under_way = UnderWay::default();
        let reason = match under_way.run(stream, &mut calls).await {
            Err(reason) => reason,
            Ok(never) => match never {},
        };
        // Whoever waits for an answer hears that it is lost.
        drop(under_way);
        inbox.disconnected(0, Kind::Calls, peer.id);
        dialler.ended(&reason);
    }
}

/// Calls of one connection that are not answered.
#[derive(Debug, Default)]
struct UnderWay {
    /// The number of the last.
    last: u64,
    calls: HashMap<u64, oneshot::Sender<Result<Bytes, CallError>>>,
}

impl UnderWay {
    /// Sends calls and takes answers until the connection ends.
    async fn run(
        &mut self,
        stream: TcpStream,
        calls: &mut mpsc::Receiver<Call>,
    ) -> Result<Infallible, Ended> {
        let (read, write) = stream.into_split();
        let mut reader = FrameReader::new(read, Accepts::answers());
        let mut sending = Sending::new(write.as_ref());
        loop {
            let has_room = self.has_room() && sending.is_idle();
            tokio::select! {
                frame = reader.next() => self.on_answer(&frame?)?,
                sent = sending.progress() => sent?,
                Some(call) = calls.recv(), if has_room => {
                    sending.waiting.extend(self.begin(call));
                }
            }
        }
    }

    /// Whether another may be sent. Those that nobody waits for any more are given up for it.
    fn has_room(&mut self) -> bool {
        if self.calls.len() >= UNDER_WAY_MAX {
            self.calls.retain(|_, reply| !reply.is_closed());
        }
        self.calls.len() < UNDER_WAY_MAX
    }

    /// The frame of a call, unless its caller has given up.
    fn begin(&mut self, call: Call) -> Option<Bytes> {
        let Call { request, reply, sent } = call;
        // In this order: who gives up meanwhile takes it for sent.
        sent.store(true, Ordering::SeqCst);
        if reply.is_closed() {
            return None;
        }
        self.last += 1;
        self.calls.insert(self.last, reply);
        let mut builder = FrameBuilder::new(FrameKind::Call, NUMBER_BYTES + request.len());
        builder.head.i64(self.last.cast_signed());
        builder.head.raw(&request);
        Some(builder.finish(0))
    }

    fn on_answer(&mut self, frame: &Frame) -> Result<(), Strange> {
        let mut reader = Reader::new(&frame.head);
        let number = reader.i64().map_err(at("call"))?.cast_unsigned();
        let answer = match read_code(&mut reader)? {
            ANSWERED => Ok(frame.head.slice(reader.position()..)),
            TOO_LARGE => Err(CallError::TooLarge),
            code => return Err(Strange::Code { what: "an answer", code }),
        };
        if number > self.last {
            return Err(Strange::Range { what: "a call's number" });
        }
        if let Some(reply) = self.calls.remove(&number) {
            drop(reply.send(answer));
        }
        Ok(())
    }
}

/// Serves the calls of a peer until the connection ends; calls that are under way then are dropped.
pub(super) async fn serve(peers: &Peers, from: PeerId, stream: TcpStream) -> Ended {
    match serve_calls(peers, from, stream).await {
        Err(reason) => reason,
        Ok(never) => match never {},
    }
}

async fn serve_calls(peers: &Peers, from: PeerId, stream: TcpStream) -> Result<Infallible, Ended> {
    let (read, write) = stream.into_split();
    let mut reader = FrameReader::new(read, Accepts::of(Kind::Calls, 0));
    let mut sending = Sending::new(write.as_ref());
    let mut under_way: FuturesUnordered<LocalBoxFuture<'_, (Bytes, usize)>> =
        FuturesUnordered::new();
    let mut under_way_bytes = 0;
    loop {
        let is_full = under_way.len() >= UNDER_WAY_MAX || under_way_bytes >= UNDER_WAY_BYTES_MAX;
        tokio::select! {
            sent = sending.progress() => sent?,
            Some((answer, bytes)) = under_way.next() => {
                under_way_bytes -= bytes;
                sending.waiting.push_back(answer);
            }
            frame = reader.next(), if !is_full && sending.is_idle() => {
                let (number, request) = read_call(&frame?)?;
                let bytes = request.len();
                under_way_bytes += bytes;
                let answer = peers.inbox.call(from, request);
                let framed = async move { (answer_frame(number, &answer.await), bytes) };
                under_way.push(Box::pin(framed));
            }
        }
    }
}

fn read_call(frame: &Frame) -> Result<(u64, Bytes), Strange> {
    let mut reader = Reader::new(&frame.head);
    let number = reader.i64().map_err(at("call"))?.cast_unsigned();
    Ok((number, frame.head.slice(reader.position()..)))
}

fn answer_frame(number: u64, answer: &Bytes) -> Bytes {
    let fits = answer.len() <= CALL_BYTES_MAX;
    if !fits {
        tracing::error!(bytes = answer.len(), "an answer to another broker is too large");
    }
    let (code, answer) = if fits { (ANSWERED, &answer[..]) } else { (TOO_LARGE, &[][..]) };
    let mut builder = FrameBuilder::new(FrameKind::Answer, NUMBER_BYTES + 1 + answer.len());
    builder.head.i64(number.cast_signed());
    write_bytes(&mut builder.head, [code]);
    builder.head.raw(answer);
    builder.finish(0)
}

/// The writing side of a connection that is read from meanwhile: otherwise two who both write could
/// wait for each other.
struct Sending<'a> {
    stream: &'a TcpStream,
    waiting: Rope,
    writing: Option<LocalBoxFuture<'a, Result<(), Ended>>>,
}

impl<'a> Sending<'a> {
    fn new(stream: &'a TcpStream) -> Self {
        Self { stream, waiting: Rope::new(), writing: None }
    }

    /// Whether nothing waits but what is being written.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Writes; ends when what waited is written, and never where nothing waits. Cancel-safe.
    async fn progress(&mut self) -> Result<(), Ended> {
        if self.writing.is_none() && !self.waiting.is_empty() {
            let rope = std::mem::take(&mut self.waiting);
            self.writing = Some(Box::pin(socket::write(self.stream, rope)));
        }
        let Some(writing) = &mut self.writing else { return std::future::pending().await };
        let written = writing.await;
        self.writing = None;
        written
    }
}

#[cfg(test)]
mod tests;
