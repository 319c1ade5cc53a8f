//! One connection to one broker: requests in flight, answers in the order of the requests.
//!
//! ```text
//!   Connection ── picks a version, decodes ──▶ Line ── queue ──▶ writing ──▶ socket
//!                                                                  │ pending, in order
//!                                              caller ◀── body ── reading ◀── socket
//! ```
//!
//! A task of its own writes and reads; the callers encode and decode. It ends with the connection,
//! and everybody who waits gets the reason.
//!
//! **Invariant:** at most `in_flight_max` requests are queued or unanswered. A caller who stops
//! waiting leaves its place taken until the answer is there.
//!
//! **Invariant:** when a caller has heard that the broker wants to hear nothing for a while, no
//! request is sent before that is over.
//!
//! **Invariant:** the reason is set before the first waiting caller hears of the end.

mod buffer;
mod driver;
mod line;
mod negotiate;
#[cfg(test)]
mod tests;
mod throttle;
mod told;
mod versions;

use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::Instant;

use logboom_protocol::hot::Rope;
use logboom_protocol::{ApiKey, EncodeError, Message, Request, VersionRange};

use self::line::Line;
use crate::race::race;
use crate::security::authenticate;
use crate::{BrokerAddress, ClientConfig, ClientError, Disconnect};

pub use self::versions::Versions;

/// A connection whose broker has said which versions it speaks. Clones are the same connection;
/// it closes when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Connection {
    line: Line,
    versions: Versions,
    /// From when on no more is sent over it: the broker is about to end it.
    valid_until: Option<Instant>,
}

impl Connection {
    /// Connects over TCP and asks for the versions. Where the host has several addresses, one that
    /// doesn't answer is waited for alone for a quarter of a second.
    ///
    /// # Errors
    /// [`ClientError::Connection`] with the address and the reason.
    pub async fn connect(
        address: &BrokerAddress,
        config: &ClientConfig,
    ) -> Result<Self, ClientError> {
        let connected = Self::connect_once(address, config).await;
        told::connected(address, &connected);
        connected
    }

    async fn connect_once(
        address: &BrokerAddress,
        config: &ClientConfig,
    ) -> Result<Self, ClientError> {
        let failed = |reason| ClientError::Connection { address: address.clone(), reason };
        let after = config.connect_timeout;
        let dialing =
            async { dial(lookup_host((address.host.as_str(), address.port)).await?).await };
        let stream = tokio::time::timeout(after, dialing)
            .await
            .map_err(|_| failed(Disconnect::ConnectTimeout { after }))?
            .map_err(|e| failed(Disconnect::io("connect", e)))?;
        // A request is written whole; waiting for more of them to fill a packet only delays it.
        stream.set_nodelay(true).map_err(|e| failed(Disconnect::io("connect", e)))?;
        let Some(transport) = &config.security.transport else {
            return Self::over(stream, address, config).await;
        };
        let stream = tokio::time::timeout(after, transport.protect(stream, address))
            .await
            .map_err(|_| failed(Disconnect::ConnectTimeout { after }))?
            .map_err(|e| failed(Disconnect::unprotected("protect", Arc::new(e))))?;
        Self::over(stream, address, config).await.map_err(|error| match error {
            // With TLS 1.3 a broker says behind the handshake what it doesn't believe.
            ClientError::Connection { reason: Disconnect::Io { doing, source }, .. } => {
                failed(Disconnect::unprotected(doing, source))
            }
            error => error,
        })
    }

    /// Asks for the versions over a stream that stands already, and says who the client is.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn over<S>(
        stream: S,
        address: &BrokerAddress,
        config: &ClientConfig,
    ) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let line = Line::over(stream, address, config);
        let timeout = config.request_timeout;
        let versions = negotiate::ask(&line, timeout).await?;
        let mut connection = Self { line, versions, valid_until: None };
        if let Some(mechanism) = &config.security.sasl {
            let until = authenticate(&connection, &**mechanism, timeout).await?;
            connection.valid_until = until;
        }
        Ok(connection)
    }

    /// Sends a request in the newest version that both sides speak, and waits for its answer.
    ///
    /// Cancel-safe: when the future is dropped, the request may or may not have been sent, and the
    /// connection stays usable.
    ///
    /// - `timeout`: from the call to the answer, waiting for a free place, or until the broker
    ///   wants to hear something again, included.
    ///
    /// # Errors
    /// [`ClientError::UnsupportedVersion`], [`ClientError::Encode`], or
    /// [`ClientError::Connection`], after which the connection is closed for everybody, unless
    /// it couldn't be sent in time, or `timeout` is less than `request.timeout.ms`: who has little
    /// time left says nothing about the broker.
    pub async fn send<R: Request>(
        &self,
        request: &R,
        timeout: Duration,
    ) -> Result<R::Response, ClientError> {
        self.send_within(request, R::API.versions(), timeout).await
    }

    /// As [`Self::send`], in a version that lies within `allowed` as well.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_within<R: Request>(
        &self,
        request: &R,
        allowed: VersionRange,
        timeout: Duration,
    ) -> Result<R::Response, ClientError> {
        let version = self.newest_common(R::API, allowed)?;
        let body = self.line.call(request, version, timeout).await?;
        self.decode(&body, version)
    }

    /// Gives a request that lends parts of itself its place behind those that were posted before.
    ///
    /// - `encode`: makes the frame, of the version, a correlation id and a client id.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(crate) async fn post<R: Request>(
        &self,
        allowed: VersionRange,
        timeout: Duration,
        encode: impl FnOnce(i16, i32, &str) -> Result<Rope, EncodeError>,
    ) -> Result<Posted<R>, ClientError> {
        let version = self.newest_common(R::API, allowed)?;
        let encode = |id: i32, client: &str| encode(version, id, client);
        let posted = self.line.post(R::API, version, timeout, encode).await?;
        Ok(Posted { connection: self.clone(), posted, version, request: PhantomData })
    }

    /// Sends such a request that is not answered, and waits until the system has taken it.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(crate) async fn tell<R: Request>(
        &self,
        allowed: VersionRange,
        timeout: Duration,
        encode: impl FnOnce(i16, i32, &str) -> Result<Rope, EncodeError>,
    ) -> Result<(), ClientError> {
        let version = self.newest_common(R::API, allowed)?;
        self.line.tell(R::API, timeout, |id, client| encode(version, id, client)).await
    }

    /// An answer that can't be understood ends the connection; one that asks for silence is heeded.
    fn decode<M: Message>(&self, body: &Bytes, version: i16) -> Result<M, ClientError> {
        let decoded = M::decode(body, version).map_err(|error| {
            let reason = Disconnect::Malformed(error);
            self.line.close(reason.clone());
            self.line.error(reason)
        })?;
        self.line.silence().begin(M::API, version, decoded.throttle_time_ms());
        Ok(decoded)
    }

    fn newest_common(&self, api: ApiKey, allowed: VersionRange) -> Result<i16, ClientError> {
        self.versions.newest_common(api, allowed).ok_or_else(|| {
            let (address, theirs) = (self.address().clone(), self.versions.of(api));
            ClientError::UnsupportedVersion { address, api, ours: allowed, theirs }
        })
    }

    /// Where the broker listens.
    #[must_use]
    pub fn address(&self) -> &BrokerAddress {
        self.line.address()
    }

    /// What the broker speaks.
    #[must_use]
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// Whether more may be sent over it.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let is_valid = self.valid_until.is_none_or(|until| Instant::now() < until);
        is_valid && self.closed().is_none()
    }

    /// How long the broker has owed an answer without a sign of life, in whole seconds, and how
    /// many it owes: the less, the sooner it may answer.
    pub(crate) fn owed(&self) -> (u64, usize) {
        self.line.owed()
    }

    /// Why the connection has ended, if it has.
    #[must_use]
    pub fn closed(&self) -> Option<&Disconnect> {
        self.line.closed()
    }
}

/// How long an address is waited for alone where the host has others (RFC 8305).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// A connection to one of the addresses of a host, whichever stands first.
async fn dial(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let attempts = addresses.map(TcpStream::connect::<SocketAddr>);
    race(attempts, NEXT_ADDRESS_AFTER).await.map_err(|failures| {
        let none = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        failures.into_iter().next().unwrap_or_else(none)
    })
}

/// A request that has its place in the order of its connection.
#[derive(Debug)]
pub(crate) struct Posted<R> {
    connection: Connection,
    posted: line::Posted,
    version: i16,
    request: PhantomData<R>,
}

impl<R: Request> Posted<R> {
    /// Waits for the answer.
    ///
    /// # Errors
    /// [`ClientError::Connection`].
    pub(crate) async fn answer(self) -> Result<R::Response, ClientError> {
        let Self { connection, posted, version, .. } = self;
        connection.decode(&posted.body().await?, version)
    }

    /// The broker that answers.
    pub(crate) fn address(&self) -> &BrokerAddress {
        self.connection.address()
    }
}
