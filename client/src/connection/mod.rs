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
//! **Invariant:** the reason is set before the first waiting caller hears of the end.

mod driver;
mod line;
mod negotiate;
#[cfg(test)]
mod tests;
mod versions;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use logboom_protocol::{Message as _, Request, VersionRange};

use self::line::Line;
use crate::{BrokerAddress, ClientConfig, ClientError, Disconnect};

pub use self::versions::Versions;

/// A connection whose broker has said which versions it speaks. Clones are the same connection;
/// it closes when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Connection {
    line: Line,
    versions: Versions,
}

impl Connection {
    /// Connects over TCP and asks for the versions.
    ///
    /// # Errors
    /// [`ClientError::Connection`] with the address and the reason.
    pub async fn connect(
        address: &BrokerAddress,
        config: &ClientConfig,
    ) -> Result<Self, ClientError> {
        let failed = |reason| ClientError::Connection { address: address.clone(), reason };
        let after = config.connect_timeout;
        let connecting = TcpStream::connect((address.host.as_str(), address.port));
        let stream = tokio::time::timeout(after, connecting)
            .await
            .map_err(|_| failed(Disconnect::ConnectTimeout { after }))?
            .map_err(|e| failed(Disconnect::io("connect", e)))?;
        // A request is written whole; waiting for more of them to fill a packet only delays it.
        stream.set_nodelay(true).map_err(|e| failed(Disconnect::io("connect", e)))?;
        Self::over(stream, address, config).await
    }

    /// Asks for the versions over a stream that stands already.
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
        let versions = negotiate::ask(&line, config.request_timeout).await?;
        Ok(Self { line, versions })
    }

    /// Sends a request in the newest version that both sides speak, and waits for its answer.
    ///
    /// Cancel-safe: when the future is dropped, the request may or may not have been sent, and the
    /// connection stays usable.
    ///
    /// - `timeout`: from the call to the answer, waiting for a free place included.
    ///
    /// # Errors
    /// [`ClientError::UnsupportedVersion`], [`ClientError::Encode`], or
    /// [`ClientError::Connection`], after which the connection is closed for everybody, unless
    /// there was no free place in time.
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
        let version = self.newest_common::<R>(allowed)?;
        let body = self.line.call(request, version, timeout).await?;
        R::Response::decode(&body, version).map_err(|error| {
            let reason = Disconnect::Malformed(error);
            self.line.close(reason.clone());
            self.line.error(reason)
        })
    }

    /// Sends a request that is not answered, and waits until the system has taken it. Cancel-safe
    /// as [`Self::send`].
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_unanswered<R: Request>(
        &self,
        request: &R,
        allowed: VersionRange,
        timeout: Duration,
    ) -> Result<(), ClientError> {
        let version = self.newest_common::<R>(allowed)?;
        self.line.tell(request, version, timeout).await
    }

    fn newest_common<R: Request>(&self, allowed: VersionRange) -> Result<i16, ClientError> {
        self.versions.newest_common(R::API, allowed).ok_or_else(|| {
            let (address, theirs) = (self.address().clone(), self.versions.of(R::API));
            ClientError::UnsupportedVersion { address, api: R::API, ours: allowed, theirs }
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

    /// Why the connection has ended, if it has.
    #[must_use]
    pub fn closed(&self) -> Option<&Disconnect> {
        self.line.closed()
    }
}
