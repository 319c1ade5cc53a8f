//! The socket's end of a connection: writes what is queued, reads answers, hands them out.
//!
//! Must always hold: a request is in the list of the pending ones before its first byte is
//! written, so an answer that finds the list empty answers nothing.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use logboom_protocol::frame::Split;
use logboom_protocol::header::decode_response_header;
use logboom_protocol::hot::Rope;
use logboom_protocol::{ApiKey, DecodeError, FieldError, MessageKind};

use super::buffer::ReadBuffer;
use super::line::{Ending, Heard};
use super::told;
use crate::{BrokerAddress, Disconnect};

/// The limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Requests queued or unanswered.
    pub(super) in_flight_max: usize,
    /// Bytes of a response without its length.
    pub(super) response_bytes_max: usize,
}

/// What both ends of a connection know.
#[derive(Debug)]
pub(super) struct Ends {
    /// The broker's.
    pub(super) address: BrokerAddress,
    pub(super) ending: Arc<Ending>,
    pub(super) heard: Arc<Heard>,
}

/// However the socket's end ends, also with its runtime: the connection is over.
impl Drop for Ends {
    fn drop(&mut self) {
        self.ending.set(Disconnect::Dropped);
        if let Some(reason) = self.ending.reason() {
            told::disconnected(&self.address, reason);
        }
    }
}

/// A frame to write.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// It has an answer.
    Answered { frame: Rope, pending: Pending },
    /// It has none.
    Unanswered { frame: Rope, written: Written },
}

/// A request whose answer is to come.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) api: ApiKey,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
    pub(super) deadline: Instant,
    pub(super) timeout: Duration,
    /// For the body. Its caller may be gone.
    pub(super) reply: oneshot::Sender<Bytes>,
    pub(super) _place: OwnedSemaphorePermit,
}

/// Who waits until a frame is written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) reply: oneshot::Sender<()>,
    pub(super) _place: OwnedSemaphorePermit,
}

/// Writes and reads until the connection ends; says why before anybody hears of it.
pub(super) async fn run<S>(stream: S, queue: mpsc::Receiver<Outgoing>, ends: Ends, limits: Limits)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (source, sink) = tokio::io::split(stream);
    let (sent, pending) = mpsc::channel(limits.in_flight_max);
    // They own the callers' reply channels, and live until the reason is set.
    let writing = pin!(write_requests(sink, queue, sent));
    let heard = Arc::clone(&ends.heard);
    let reading = pin!(Responses::new(source, limits.response_bytes_max, heard).read_all(pending));
    let reason = tokio::select! {
        reason = writing => reason,
        reason = reading => reason,
        () = ends.ending.asked() => Disconnect::Dropped,
    };
    ends.ending.set(reason);
}

async fn write_requests<W: AsyncWrite + Unpin>(
    mut sink: W,
    mut queue: mpsc::Receiver<Outgoing>,
    sent: mpsc::Sender<Pending>,
) -> Disconnect {
    while let Some(outgoing) = queue.recv().await {
        let (mut frame, written) = match outgoing {
            Outgoing::Answered { frame, pending } => {
                sent.try_send(pending).expect("it has room for all that may be in flight");
                (frame, None)
            }
            Outgoing::Unanswered { frame, written } => (frame, Some(written)),
        };
        let result = match sink.write_all_buf(&mut frame).await {
            Ok(()) => sink.flush().await,
            error => error,
        };
        if let Err(error) = result {
            return Disconnect::io("write", error);
        }
        if let Some(Written { reply, .. }) = written {
            // Who sent it need not wait for it.
            reply.send(()).ok();
        }
    }
    Disconnect::Dropped
}

/// The responses of a socket.
struct Responses<R> {
    source: R,
    buffer: ReadBuffer,
    bytes_max: usize,
    heard: Arc<Heard>,
}

impl<R: AsyncRead + Unpin> Responses<R> {
    fn new(source: R, bytes_max: usize, heard: Arc<Heard>) -> Self {
        Self { source, buffer: ReadBuffer::default(), bytes_max, heard }
    }

    async fn read_all(mut self, mut pending: mpsc::Receiver<Pending>) -> Disconnect {
        loop {
            // A dead socket is noticed also when nothing is asked.
            let oldest = tokio::select! {
                biased;
                oldest = pending.recv() => oldest,
                response = self.next() => match response {
                    // A request that is being written may be faster than its listing here.
                    Ok(response) => match pending.try_recv() {
                        Ok(oldest) => match answer(oldest, &response) {
                            Ok(()) => continue,
                            Err(reason) => return reason,
                        },
                        Err(_) => return Disconnect::Unsolicited,
                    },
                    Err(reason) => return reason,
                },
            };
            let Some(oldest) = oldest else {
                return Disconnect::Dropped;
            };
            let (api, after) = (oldest.api, oldest.timeout);
            let result = match timeout_at(oldest.deadline, self.next()).await {
                Ok(response) => response.and_then(|response| answer(oldest, &response)),
                Err(_) => Err(Disconnect::RequestTimeout { api, after }),
            };
            if let Err(reason) = result {
                return reason;
            }
        }
    }

    /// The next response, without its length. Cancel-safe: what was read stays in the buffer.
    async fn next(&mut self) -> Result<Bytes, Disconnect> {
        loop {
            let split = self.buffer.split(self.bytes_max).map_err(|error| {
                Disconnect::ResponseBytes { length: error.length, limit: error.limit }
            })?;
            let missing = match split {
                Split::Frame(frame) => return Ok(frame),
                Split::Incomplete { missing } => missing,
            };
            let read = self.source.read_buf(self.buffer.room(missing)).await;
            if read.map_err(|e| Disconnect::io("read", e))? == 0 {
                return Err(Disconnect::ByPeer);
            }
            self.heard.now();
        }
    }
}

/// Hands a response to the request that has waited longest, if it is its answer.
fn answer(oldest: Pending, response: &Bytes) -> Result<(), Disconnect> {
    let Pending { api, version, correlation_id: expected, .. } = oldest;
    let (found, body) = decode_response_header(api, version, response).map_err(|error| {
        let FieldError { field, fault } = error;
        let kind = MessageKind::Response;
        Disconnect::Malformed(DecodeError { api, kind, version, field, fault, position: 0 })
    })?;
    if found != expected {
        return Err(Disconnect::CorrelationId { api, expected, found });
    }
    let left = oldest.deadline.saturating_duration_since(Instant::now());
    told::answered(api, oldest.timeout.saturating_sub(left));
    // Its caller may have stopped waiting.
    oldest.reply.send(body).ok();
    Ok(())
}
