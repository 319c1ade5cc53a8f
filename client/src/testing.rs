//! The other side of a connection, scripted by a test. It is there with the feature `testing`.
//!
//! It answers or panics: what it is sent is what a test expects.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test is to fail")]

mod log;
mod meters;
mod relay;

use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpListener;

use logboom_protocol::frame::{self, Split};
use logboom_protocol::header::RequestHeader;
use logboom_protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use logboom_protocol::{ApiKey, Message, VersionRange};

use crate::{BrokerAddress, ClientConfig, Cluster};

pub use self::log::Log;
pub use self::meters::Meters;
pub use self::relay::{Fault, Passed, Relay, Towards, Trouble};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Of what kind it is.
    pub api: ApiKey,
    /// In which version it was sent.
    pub version: i16,
    /// What the answer is found by.
    pub correlation_id: i32,
    /// What is behind its header.
    pub body: Bytes,
}

impl Arrived {
    /// The request as a message.
    pub fn decode<M: Message>(&self) -> M {
        M::decode(&self.body, self.version).unwrap()
    }

    /// The frame that answers it.
    pub fn answer<M: Message>(&self, response: &M) -> Bytes {
        frame::encode_response(response, self.version, self.correlation_id).unwrap()
    }

    /// The frame that names all versions of this crate, but no version of `api` above `max`.
    pub fn versions(&self, api: ApiKey, max: i16) -> Bytes {
        self.versions_up_to(&[(api, max)])
    }

    /// The frame that names all versions of this crate, but none of these APIs above its limit.
    pub fn versions_up_to(&self, limits: &[(ApiKey, i16)]) -> Bytes {
        let listed = |one: &ApiKey| {
            let VersionRange { min, max: newest } = one.versions();
            let limit = limits.iter().find(|(api, _)| api == one);
            let max_version = limit.map_or(newest, |(_, max)| *max);
            ApiVersion { api_key: one.to_wire(), min_version: min, max_version }
        };
        let api_keys = ApiKey::ALL.iter().map(listed).collect();
        self.answer(&ApiVersionsResponse { api_keys, ..ApiVersionsResponse::default() })
    }
}

/// The broker's end of a stream.
#[derive(Debug)]
pub struct Peer<S> {
    /// It reads and writes here.
    pub stream: S,
    buffer: BytesMut,
}

/// A stream for a connection, and its other end.
pub fn stream() -> (DuplexStream, Peer<DuplexStream>) {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    (ours, Peer { stream: theirs, buffer: BytesMut::new() })
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// The next request; `None` when the client has gone.
    pub async fn request(&mut self) -> Option<Arrived> {
        loop {
            if let Split::Frame(frame) = frame::split(&mut self.buffer, 1 << 20).unwrap() {
                let serves = |api: ApiKey| Some(api.versions());
                let (header, body) = RequestHeader::decode(&frame, serves).unwrap();
                let RequestHeader { api, version, correlation_id, .. } = header;
                return Some(Arrived { api, version, correlation_id, body });
            }
            let read = self.stream.read_buf(&mut self.buffer).await;
            if read.is_err() || read.unwrap() == 0 {
                return None;
            }
        }
    }

    /// Writes bytes, whatever they are.
    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Answers the question for the versions with all that this crate speaks.
    pub async fn greet(&mut self) {
        let asked = self.request().await.unwrap();
        assert_eq!(asked.api, ApiKey::ApiVersions);
        self.write(&asked.versions(ApiKey::ApiVersions, 4)).await;
    }
}

/// What a scripted broker does about a request: a frame to answer with, or the end of the
/// connection.
pub type Script = dyn FnMut(&Arrived) -> Option<Bytes> + Send;

/// A broker on loopback. It names the versions by itself, of Produce up to `produce_max`.
#[derive(Debug)]
pub struct ScriptedBroker {
    /// Where it listens.
    pub address: BrokerAddress,
    listener: TcpListener,
}

impl ScriptedBroker {
    /// Takes a port.
    pub async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { address: BrokerAddress { host: "127.0.0.1".to_owned(), port }, listener }
    }

    /// Answers by the script until the test ends.
    pub fn run(self, script: impl FnMut(&Arrived) -> Option<Bytes> + Send + 'static) {
        self.run_with(&[], script);
    }

    /// The same, with APIs that it speaks up to a version only.
    pub fn run_with(
        self,
        limits: &[(ApiKey, i16)],
        script: impl FnMut(&Arrived) -> Option<Bytes> + Send + 'static,
    ) {
        let limits: Arc<[(ApiKey, i16)]> = limits.into();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = self.listener.accept().await {
                let peer = Peer { stream, buffer: BytesMut::new() };
                tokio::spawn(serve(peer, Arc::clone(&limits), Arc::clone(&script)));
            }
        });
    }
}

/// Answers the question for the versions over a stream that stands already, and waits for its end.
pub async fn serve_versions<S: AsyncRead + AsyncWrite + Unpin>(stream: S) {
    let mut peer = Peer { stream, buffer: BytesMut::new() };
    peer.greet().await;
    assert!(peer.request().await.is_none(), "nothing else is asked");
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut peer: Peer<S>,
    limits: Arc<[(ApiKey, i16)]>,
    script: Arc<Mutex<Script>>,
) {
    while let Some(asked) = peer.request().await {
        let answer = match asked.api {
            ApiKey::ApiVersions => Some(asked.versions_up_to(&limits)),
            _ => script.lock().unwrap()(&asked),
        };
        let Some(answer) = answer else { return };
        if peer.stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// A cluster that pauses only shortly between repetitions.
pub fn cluster(bootstrap: Vec<BrokerAddress>) -> Cluster {
    let millisecond = std::time::Duration::from_millis(1);
    let config = ClientConfig {
        retry_backoff: millisecond,
        retry_backoff_max: millisecond,
        topic_propagation_max: 20 * millisecond,
        ..ClientConfig::default()
    };
    Cluster::new(bootstrap, config)
}
