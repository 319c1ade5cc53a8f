//! A broker in this process, and a client that speaks to it one request at a time.

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tempfile::TempDir;

use logboom_controller::config::StaticConfig;
use logboom_protocol::header::decode_response_header;
use logboom_protocol::{Message as _, Request, frame};

use crate::{Broker, Config};

/// A broker on a temporary directory; stopped with the value.
pub(crate) struct TestBroker {
    config: Config,
    broker: Option<Broker>,
    /// What [`Self::request`] uses.
    client: RefCell<Option<TestClient>>,
    /// Removed after the broker has stopped.
    _dir: TempDir,
}

/// A connection to a broker.
pub(crate) struct TestClient {
    stream: TcpStream,
    /// Of the last request.
    correlation_id: i32,
    /// Of the last answer.
    answered: i32,
}

/// A broker that says nothing for so long never will.
const ANSWER_MAX: Duration = Duration::from_secs(60);

impl TestBroker {
    /// A broker that does nothing by itself.
    pub(crate) fn start() -> Self {
        Self::with([])
    }

    /// A broker that is configured so.
    pub(crate) fn with<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bind = "127.0.0.1:0".parse().unwrap();
        let mut config = Config::local(dir.path().to_owned(), bind).unwrap();
        // Records of the tests may be of any time, and a machine may be slow.
        let quiet = [("log.initial.task.delay.ms", "86400000")];
        config.settings = StaticConfig::new(quiet.into_iter().chain(settings)).unwrap();
        config.shards = 2;
        let broker = Broker::start(&config).unwrap();
        Self { config, broker: Some(broker), client: RefCell::default(), _dir: dir }
    }

    /// The broker.
    pub(crate) fn broker(&self) -> &Broker {
        self.broker.as_ref().unwrap()
    }

    /// Its configuration.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Stops it and starts it again, on another port.
    pub(crate) fn restart(&mut self) {
        self.restart_after(|_| {});
    }

    /// The same, with some work on its data directory in between.
    pub(crate) fn restart_after(&mut self, work: impl FnOnce(&Path)) {
        self.client.take();
        self.broker.take().unwrap().stop();
        work(&self.config.data_dir);
        self.broker = Some(Broker::start(&self.config).unwrap());
    }

    /// A new connection.
    pub(crate) fn client(&self) -> TestClient {
        TestClient::connect(self.broker().addresses()[0])
    }

    /// Sends a request over a connection that stays, and waits for the answer.
    pub(crate) fn request<R: Request>(&self, request: &R, version: i16) -> R::Response {
        let mut client = self.client.borrow_mut();
        client.get_or_insert_with(|| self.client()).request(request, version)
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        self.client.take();
        if let Some(broker) = self.broker.take() {
            broker.stop();
        }
    }
}

impl TestClient {
    /// A new connection.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
        Self { stream, correlation_id: 0, answered: 0 }
    }

    /// Sends a request and waits for the answer.
    pub(crate) fn request<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.send(request, version);
        self.response::<R>(version)
    }

    /// The answer to the request that was sent longest ago.
    pub(crate) fn response<R: Request>(&mut self, version: i16) -> R::Response {
        let frame = self.receive().unwrap();
        let (correlation_id, body) = decode_response_header(R::API, version, &frame).unwrap();
        self.answered += 1;
        assert_eq!(correlation_id, self.answered);
        R::Response::decode(&body, version).unwrap()
    }

    /// Sends a request.
    pub(crate) fn send<R: Request>(&mut self, request: &R, version: i16) {
        self.correlation_id += 1;
        let client_id = Some("test");
        let bytes = frame::encode_request(request, version, self.correlation_id, client_id);
        self.stream.write_all(&bytes.unwrap()).unwrap();
    }

    /// The next frame, without its length; an error where the broker has closed the connection.
    pub(crate) fn receive(&mut self) -> std::io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = BytesMut::zeroed(usize::try_from(i32::from_be_bytes(length)).unwrap());
        self.stream.read_exact(&mut frame)?;
        Ok(frame.freeze())
    }
}
