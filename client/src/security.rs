//! How a connection is protected: what its bytes travel in, and who the client says that it is.
//!
//! Both are hooks: a [`Transport`] makes a protected stream of a TCP connection, a
//! [`SaslMechanism`] answers a broker's challenges. PLAIN is here; SCRAM and TLS come with the
//! features `scram` and `tls`; others are a trait away.
//!
//! Must always hold: no request but those that protect the connection is sent over it before it is
//! protected as was asked for; what is secret is in no error and no `Debug`.

mod plain;
mod properties;
mod sasl;
#[cfg(feature = "scram")]
mod scram;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::BrokerAddress;

pub use self::plain::Plain;
pub(crate) use self::sasl::authenticate;
#[cfg(feature = "scram")]
pub use self::scram::{Scram, ScramHash};
#[cfg(feature = "tls")]
use self::tls::TlsPart;
#[cfg(feature = "tls")]
pub use self::tls::{Tls, TlsError};

/// How connections are protected. By default they aren't.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// What bytes travel in; nothing else than TCP, if there is none.
    pub transport: Option<Arc<dyn Transport>>,
    /// Who the client says that it is; nobody, if there is none.
    pub sasl: Option<Arc<dyn SaslMechanism>>,
}

/// Whether what a [`Transport`] failed by says that the two sides don't believe each other.
pub(crate) fn is_disbelief(error: &io::Error) -> bool {
    let is_of_kind = matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied
    );
    #[cfg(feature = "tls")]
    let is_of_kind = is_of_kind && !tls::may_pass(error);
    is_of_kind
}

/// A stream of bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What [`Transport::protect`] becomes.
pub type Protecting<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send + 'a>>;

/// Protects what travels over TCP.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Makes a protected stream.
    ///
    /// An error of the kind `InvalidData`, `InvalidInput` or `PermissionDenied` says that the two
    /// sides don't believe each other, which is told at once; any other that the connection is
    /// lost, and it is tried again.
    ///
    /// - `address`: the broker's, whose name is to be proven.
    fn protect<'a>(&'a self, stream: TcpStream, address: &'a BrokerAddress) -> Protecting<'a>;
}

/// A way to say who one is, by its name in the registry of SASL mechanisms.
pub trait SaslMechanism: fmt::Debug + Send + Sync {
    /// As in `sasl.mechanism`.
    fn name(&self) -> &str;

    /// Begins for a connection.
    fn begin(&self, address: &BrokerAddress) -> Box<dyn SaslExchange>;
}

/// One authentication.
pub trait SaslExchange: Send {
    /// What is said next.
    ///
    /// - `challenge`: what the broker has said; nothing in the beginning.
    ///
    /// # Errors
    /// Why the broker can't be trusted, or the mechanism can't go on. It contains nothing secret.
    fn step(&mut self, challenge: Option<&[u8]>) -> Result<SaslStep, String>;
}

/// What an exchange says next.
#[derive(Clone, PartialEq, Eq)]
pub enum SaslStep {
    /// These bytes.
    Say(Vec<u8>),
    /// Nothing: it is over, and each side knows the other.
    Done,
}

impl fmt::Debug for SaslStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Say(_) => "Say(..)",
            Self::Done => "Done",
        })
    }
}
