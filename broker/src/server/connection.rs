//! One connection: requests in, answers out in their order.

use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use logboom_protocol::ApiKey;
use logboom_protocol::header::{HeaderError, RequestHeader, unsupported_api_versions_response};
use logboom_protocol::hot::Rope;

use super::answers::Share;
use super::doors::{ConnectionPermit, Doors};
use super::pace::{LOOK_EVERY, Pace};
use super::reader::{Frame, FrameReader, ReadError};
use super::sparingly::Sparingly;
use crate::handlers::{self, AnswerSize, Pending, Reply, RequestContext};
use crate::metrics::Metrics;
use crate::node::Node;

/// Who is at the other end, as handlers see it.
pub(crate) struct Client {
    /// Where it comes from.
    pub(crate) address: SocketAddr,
    /// The listener to which it connected.
    pub(crate) listener: Arc<str>,
}

/// What a connection needs.
pub(super) struct Connection {
    pub(super) node: Arc<Node>,
    pub(super) doors: Arc<Doors>,
    pub(super) client: Rc<Client>,
    /// Given back when the connection ends.
    pub(super) permit: ConnectionPermit,
    /// True when the broker stops.
    pub(super) stopping: watch::Receiver<bool>,
    /// How long a connection may do nothing (`connections.max.idle.ms`).
    pub(super) idle_max: Duration,
}

/// Room for an answer of any size while it is made.
const ANSWER_BYTES: usize = 64 << 10;
/// Memory of an answer from which on others may wait for it.
const HELD_BYTES_MIN: usize = 16 << 10;
/// How long an answer is still sent when the broker stops.
const STOPPING_MAX: Duration = Duration::from_secs(10);

/// What peers do wrong is told now and then.
static EXPELLED: Sparingly = Sparingly::new();

/// Bytes of answers behind which no further one joins the same write.
const GATHERED_BYTES: usize = 64 << 10;

/// The most requests of a connection that are in flight.
const IN_FLIGHT_MAX: usize = 128;

/// A request that waits for those before it.
struct Waiting {
    context: RequestContext,
    body: Bytes,
}

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// The peer has gone, or was idle for too long.
    Quiet,
    /// It sent what can't be answered.
    Refused(String),
}

impl Connection {
    /// Serves requests until the peer goes, does nothing for too long, or the broker stops.
    pub(super) async fn serve(self, stream: TcpStream) {
        // Answers are whole frames; waiting for more only delays them. A socket without it works.
        drop(stream.set_nodelay(true));
        let (read, mut write) = stream.into_split();
        let mut reader = FrameReader::new(read, Arc::clone(&self.doors));
        match self.serve_requests(&mut reader, &mut write).await {
            End::Quiet => {}
            End::Refused(why) => {
                self.node.metrics.connections_expelled.add(1);
                if let Some(passed_over) = EXPELLED.allow() {
                    let client = self.client.address;
                    tracing::info!(%client, passed_over, "closed: {why}");
                }
            }
        }
        drop(self.permit);
    }

    async fn serve_requests(&self, reader: &mut FrameReader, write: &mut OwnedWriteHalf) -> End {
        let mut in_flight: FuturesOrdered<InFlight> = FuturesOrdered::new();
        let mut waiting: Option<Waiting> = None;
        let mut stopping = self.stopping.clone();
        loop {
            if in_flight.is_empty()
                && let Some(next) = waiting.take()
            {
                in_flight.push_back(self.start(next));
            }
            let is_stopping = *stopping.borrow();
            if is_stopping && in_flight.is_empty() && waiting.is_none() {
                return End::Quiet;
            }
            let may_read = waiting.is_none() && in_flight.len() < IN_FLIGHT_MAX && !is_stopping;
            let is_idle = in_flight.is_empty();
            tokio::select! {
                biased;
                Some(reply) = in_flight.next(), if !is_idle => {
                    if let Err(end) = self.answer(&mut in_flight, reply, write).await {
                        return end;
                    }
                }
                frame = timeout(self.idle_max, reader.next()), if may_read => match frame {
                    Ok(Ok(frame)) => match self.admit(frame) {
                        Ok(Admitted::Request(next)) => {
                            let runs_along = next.context.api == ApiKey::Produce;
                            if in_flight.is_empty() || runs_along {
                                in_flight.push_back(self.start(next));
                            } else {
                                waiting = Some(next);
                            }
                        }
                        Ok(Admitted::Answer(bytes)) => {
                            in_flight.push_back(InFlight::ready(Reply::Frame(bytes)));
                        }
                        Err(why) => {
                            self.finish(in_flight, write).await;
                            return End::Refused(why);
                        }
                    },
                    Ok(Err(ReadError::Closed)) => return End::Quiet,
                    Ok(Err(ReadError::Io(error))) => {
                        tracing::debug!(client = %self.client.address, %error, "read");
                        return End::Quiet;
                    }
                    Ok(Err(ReadError::Frame(error))) => {
                        self.finish(in_flight, write).await;
                        return End::Refused(error.to_string());
                    }
                    Ok(Err(ReadError::Stalled)) => return End::Refused("a stalled request".into()),
                    // An answer may be long in coming; half a frame may not.
                    Err(_) if is_idle || reader.is_within_frame() => return End::Quiet,
                    Err(_) => {}
                },
                _ = stopping.changed(), if !is_stopping => {}
            }
        }
    }

    /// Answers the good requests in front of a broken one.
    async fn finish(&self, mut in_flight: FuturesOrdered<InFlight>, write: &mut OwnedWriteHalf) {
        while let Some(reply) = in_flight.next().await {
            if self.answer(&mut in_flight, reply, write).await.is_err() {
                return;
            }
        }
    }

    /// Reads the header of a request.
    fn admit(&self, frame: Frame) -> Result<Admitted, String> {
        let Frame { bytes, permit } = frame;
        match RequestHeader::decode(&bytes, handlers::served) {
            Ok((header, body)) => {
                let context = RequestContext {
                    node: Arc::clone(&self.node),
                    client: Rc::clone(&self.client),
                    asked: self.node.config.broker_id(),
                    api: header.api,
                    version: header.version,
                    correlation_id: header.correlation_id,
                    client_id: header.client_id.map(|id| id.into_owned().into()),
                    permit: Some(Arc::new(permit)),
                };
                Ok(Admitted::Request(Waiting { context, body }))
            }
            Err(HeaderError::UnsupportedVersion {
                api: ApiKey::ApiVersions,
                served,
                correlation_id,
                ..
            }) => Ok(Admitted::Answer(unsupported_api_versions_response(served, correlation_id))),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Takes up a request. Of a produce request the records are on their way when this returns.
    fn start(&self, Waiting { context, body }: Waiting) -> InFlight {
        let (api, since) = (context.api, Instant::now());
        let timed = Some((Arc::clone(&self.node.metrics), api, since));
        let pending: Pending = match handlers::answer_size(api) {
            AnswerSize::Small => handlers::dispatch(context, body),
            AnswerSize::Any => {
                let door = Arc::clone(&self.node.answers);
                Box::pin(async move {
                    let _permit = door.take(Share::Any, ANSWER_BYTES).await;
                    handlers::dispatch(context, body).await
                })
            }
        };
        InFlight { pending, timed }
    }

    /// Writes an answer, and in the same call those behind it that are there as well; says why the
    /// connection ends instead.
    async fn answer(
        &self,
        in_flight: &mut FuturesOrdered<InFlight>,
        first: Reply,
        write: &mut OwnedWriteHalf,
    ) -> Result<(), End> {
        let (mut out, mut held_bytes) = (Rope::default(), 0);
        let mut next = Some(first);
        let mut is_closed = false;
        while let Some(reply) = next.take() {
            match reply {
                Reply::Nothing => {}
                Reply::Frame(bytes) => out.push_own(bytes),
                Reply::Rope(rope, held) => {
                    held_bytes += held;
                    out.append(rope);
                }
                Reply::Close => {
                    is_closed = true;
                    break;
                }
            }
            if out.remaining() < GATHERED_BYTES {
                next = in_flight.next().now_or_never().flatten();
            }
        }
        self.send(write, out, held_bytes).await?;
        if is_closed { Err(End::Quiet) } else { Ok(()) }
    }

    /// Writes `what`.
    ///
    /// - `held_bytes`: how many of its bytes have room at the door for answers already.
    async fn send(
        &self,
        write: &mut OwnedWriteHalf,
        mut what: Rope,
        held_bytes: usize,
    ) -> Result<(), End> {
        let (bytes, own_bytes) = (what.remaining(), what.own_bytes());
        // Most answers are gone at once.
        match write.write_all_buf(&mut what).now_or_never() {
            Some(Ok(())) => {}
            Some(Err(_)) => return Err(End::Quiet),
            None => {
                let _permit = self.node.answers.take_for(own_bytes);
                self.send_slowly(write, &mut what, own_bytes + held_bytes).await?;
            }
        }
        self.node.metrics.sent_bytes.add(bytes);
        Ok(())
    }

    /// Writes `what` as fast as the peer reads it, unless that has stopped, or is too slow for the
    /// memory that it takes.
    async fn send_slowly(
        &self,
        write: &mut OwnedWriteHalf,
        what: &mut Rope,
        memory_bytes: usize,
    ) -> Result<(), End> {
        let (whole, mut pace) = (what.remaining(), Pace::new(Instant::now()));
        let mut stopping_since = None;
        loop {
            match timeout(LOOK_EVERY, write.write_all_buf(what)).await {
                Ok(Ok(())) => return Ok(()),
                // Whoever doesn't read has gone, for all that it matters.
                Ok(Err(_)) => return Err(End::Quiet),
                Err(_) => {}
            }
            let now = Instant::now();
            pace.note(whole - what.remaining(), now);
            if *self.stopping.borrow() {
                stopping_since.get_or_insert(now);
            }
            let is_over = stopping_since.is_some_and(|since| now - since > STOPPING_MAX);
            if is_over || pace.rests(now) > self.idle_max {
                return Err(End::Quiet);
            }
            let is_in_the_way = memory_bytes >= HELD_BYTES_MIN && self.node.answers.is_to_hurry();
            if is_in_the_way && pace.is_slow(now) {
                return Err(End::Refused("an answer that is read too slowly".into()));
            }
        }
    }
}

enum Admitted {
    Request(Waiting),
    Answer(Bytes),
}

/// A request that is taken up.
struct InFlight {
    pending: Pending,
    /// Where the time of the answer counts, and since when.
    timed: Option<(Arc<Metrics>, ApiKey, Instant)>,
}

impl InFlight {
    fn ready(reply: Reply) -> Self {
        Self { pending: Box::pin(async move { reply }), timed: None }
    }
}

impl Future for InFlight {
    type Output = Reply;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> Poll<Self::Output> {
        let reply = std::task::ready!(self.pending.as_mut().poll(context));
        if let Some((metrics, api, since)) = self.timed.take() {
            let counted = metrics.api(api);
            counted.seconds.observe(since.elapsed());
            counted.closed.add(usize::from(matches!(reply, Reply::Close)));
        }
        Poll::Ready(reply)
    }
}
