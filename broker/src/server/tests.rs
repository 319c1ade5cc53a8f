//! Peers that mean harm, or none, against a broker in this process. Sizes are small; what is
//! waited for has a deadline.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use logboom_controller::config::StaticConfig;
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::api_versions::ApiVersionsRequest;
use logboom_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use logboom_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};

use crate::testing::TestBroker;
use crate::{Broker, Config};

mod pipelined;

/// How long anything may take before a test fails.
const DEADLINE: Duration = Duration::from_secs(60);
const API_VERSIONS: i16 = 18;
const METADATA: i16 = 3;
const PRODUCE: i16 = 0;

struct Started {
    broker: Broker,
    _dir: tempfile::TempDir,
}

impl Started {
    fn with(settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let mut config = Config::local(dir.path().to_owned(), any).unwrap();
        config.settings = StaticConfig::new(settings.iter().copied()).unwrap();
        config.shards = 2;
        Self { broker: Broker::start(&config).unwrap(), _dir: dir }
    }

    fn address(&self) -> SocketAddr {
        self.broker.addresses()[0]
    }

    /// Connections that ask and ask, and read no answer.
    fn connect_without_reading(&self, count: usize) -> Vec<Silent> {
        (0..count).map(|_| Silent::new(self.connect())).collect()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream
    }
}

/// A connection on which questions are asked until neither side takes any more.
struct Silent {
    stream: TcpStream,
    asks: Option<JoinHandle<()>>,
}

impl Silent {
    fn new(stream: TcpStream) -> Self {
        let mut asking = stream.try_clone().unwrap();
        let question = metadata(1, 200, 200);
        let asks = move || while asking.write_all(&question).is_ok() {};
        Self { stream, asks: Some(thread::spawn(asks)) }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // The broker may have closed it.
        drop(self.stream.shutdown(Shutdown::Both));
        self.asks.take().into_iter().for_each(|thread| thread.join().unwrap());
    }
}

fn request(api: i16, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(10 + body.len()).unwrap();
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(api.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend(correlation_id.to_be_bytes());
    // No client id.
    bytes.extend((-1_i16).to_be_bytes());
    bytes.extend(body);
    bytes
}

/// Metadata of topics that aren't there, without making them.
fn metadata(correlation_id: i32, topics: i32, name_bytes: u8) -> Vec<u8> {
    let mut body = topics.to_be_bytes().to_vec();
    for topic in 0..topics {
        let name = format!("{topic:0>width$}", width = usize::from(name_bytes));
        body.extend(i16::from(name_bytes).to_be_bytes());
        body.extend(name.as_bytes());
    }
    body.push(0);
    request(METADATA, 4, correlation_id, &body)
}

/// The correlation id of the next answer.
fn answer(stream: &mut TcpStream) -> i32 {
    let mut head = [0; 8];
    stream.read_exact(&mut head).unwrap();
    let length = u32::from_be_bytes(head[..4].try_into().unwrap());
    let mut rest = vec![0; length as usize - 4];
    stream.read_exact(&mut rest).unwrap();
    i32::from_be_bytes(head[4..].try_into().unwrap())
}

fn is_served(stream: &mut TcpStream, correlation_id: i32) {
    stream.write_all(&request(API_VERSIONS, 0, correlation_id, &[])).unwrap();
    assert_eq!(answer(stream), correlation_id);
}

/// Waits until something holds.
fn eventually(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never holds");
        thread::yield_now();
    }
}

/// Waits until the broker has closed a connection, on which it said nothing.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 16]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn wire_11_12_13_what_is_no_request_closes_its_own_connection() {
    let started = Started::with(&[]);
    let mut other = started.connect();
    let mut huge = request(PRODUCE, 9, 1, &[]);
    huge[..4].copy_from_slice(&(100_i32 << 20).wrapping_add(1).to_be_bytes());
    let mut large = request(METADATA, 4, 1, &[]);
    large[..4].copy_from_slice(&(17_i32 << 20).to_be_bytes());
    for (what, bytes) in [
        ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("a negative length", (-1_i32).to_be_bytes().to_vec()),
        ("the least length", i32::MIN.to_be_bytes().to_vec()),
        ("more than a request may have", huge),
        ("more than a request without records may have", large),
        ("no byte", vec![0; 4]),
        ("half a header", b"\0\0\0\x03\0\x12\0".to_vec()),
        ("an unknown API", request(9_999, 0, 1, &[])),
        ("an unknown version", request(METADATA, 99, 1, &[])),
        ("a negative count", request(METADATA, 4, 1, b"\xff\xff\xff\xfb\0")),
        ("a count beyond the end", request(METADATA, 4, 1, b"\x7f\xff\xff\xff\0")),
        ("no produce request", request(PRODUCE, 9, 1, &[0xff; 40])),
    ] {
        let mut stream = started.connect();
        stream.write_all(&bytes).unwrap();
        assert!(is_closed(&mut stream), "{what} is answered");
        is_served(&mut other, 5);
    }
    started.broker.stop();
}

#[test]
fn wire_14_15_pipelined_requests_are_answered_in_order_with_their_own_ids() {
    let started = Started::with(&[]);
    let mut stream = started.connect();
    let ids: Vec<i32> = (0..75).flat_map(|n| [n, -n, i32::MIN, 7]).collect();
    let requests = ids.iter().enumerate().map(|(index, id)| match index % 3 {
        0 => metadata(*id, 20, 50),
        _ => request(API_VERSIONS, 0, *id, &[]),
    });
    stream.write_all(&requests.flatten().collect::<Vec<u8>>()).unwrap();
    let answered: Vec<i32> = ids.iter().map(|_| answer(&mut stream)).collect();
    assert_eq!(answered, ids);
    // Byte by byte it is the same.
    for byte in metadata(11, 1, 9) {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(answer(&mut stream), 11);
    started.broker.stop();
}

#[test]
fn wire_16_connections_that_say_nothing_are_closed() {
    let started = Started::with(&[("connections.max.idle.ms", "100")]);
    let mut silent = started.connect();
    assert!(is_closed(&mut silent));
    let mut half = started.connect();
    half.write_all(&[0, 0]).unwrap();
    assert!(is_closed(&mut half));
    started.broker.stop();
}

#[test]
fn idle_connections_take_no_room_of_requests() {
    let started = Started::with(&[("queued.max.request.bytes", "65536")]);
    let mut idle: Vec<TcpStream> = (0..300).map(|_| started.connect()).collect();
    for (stream, id) in idle.iter_mut().zip(0..) {
        is_served(stream, id);
    }
    let metrics = &started.broker.node().metrics;
    assert_eq!(metrics.connections_open.get(), 300);
    assert_eq!(metrics.queued_bytes.get(), 0);
    drop(idle);
    started.broker.stop();
}

#[test]
fn half_requests_are_closed_when_others_need_their_room() {
    let limits = [("queued.max.request.bytes", "1048576"), ("socket.request.max.bytes", "65536")];
    let started = Started::with(&limits);
    let mut half = request(PRODUCE, 9, 1, &[0; 60_000]);
    half.truncate(30_000);
    let mut stalled: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = started.connect();
            stream.write_all(&half).unwrap();
            stream
        })
        .collect();
    // Who has sent all of a small request doesn't wait.
    let mut small = started.connect();
    is_served(&mut small, 1);
    // Who sends a larger one waits until those who don't go on are closed.
    let mut large = started.connect();
    large.write_all(&metadata(2, 290, 200)).unwrap();
    assert_eq!(answer(&mut large), 2);
    let metrics = &started.broker.node().metrics;
    assert!(metrics.connections_expelled.get() > 0);
    assert!(metrics.queued_bytes.get() <= 1_200_000);
    let is_gone = |stream: &mut TcpStream| {
        stream.set_nonblocking(true).unwrap();
        matches!(stream.read(&mut [0; 1]), Ok(0))
    };
    assert!(stalled.iter_mut().any(is_gone));
    started.broker.stop();
}

#[test]
fn who_does_not_read_its_answers_holds_nobody_up() {
    let started = Started::with(&[]);
    let slow = started.connect_without_reading(4);
    let mut other = started.connect();
    for id in 0..20 {
        is_served(&mut other, id);
    }
    drop(slow);
    started.broker.stop();
}

#[test]
fn who_reads_too_slowly_is_closed_when_others_need_the_memory() {
    let started = Started::with(&[("queued.max.response.bytes", "65536")]);
    let metrics = Arc::clone(&started.broker.node().metrics);
    let slow = started.connect_without_reading(3);
    let mut other = started.connect();
    let (deadline, mut id) = (Instant::now() + DEADLINE, 0);
    // Until one of them has more answers than its socket takes, there is nothing to close.
    while metrics.connections_expelled.get() == 0 {
        assert!(Instant::now() < deadline, "nobody is closed");
        id += 1;
        other.write_all(&metadata(id, 200, 200)).unwrap();
        assert_eq!(answer(&mut other), id);
    }
    drop(slow);
    started.broker.stop();
}

#[test]
fn a_stop_waits_for_those_who_do_not_read_no_longer_than_it_says() {
    let started = Started::with(&[]);
    let metrics = Arc::clone(&started.broker.node().metrics);
    // Its answer is more than the sockets of both sides take.
    let mut slow = started.connect();
    slow.write_all(&metadata(1, 75_000, 200)).unwrap();
    eventually(|| metrics.queued_response_bytes.get() > 10 << 20);
    let (stopped, has_stopped) = mpsc::channel();
    thread::spawn(move || {
        started.broker.stop();
        stopped.send(()).unwrap();
    });
    has_stopped.recv_timeout(DEADLINE).expect("the broker stops");
    assert_eq!(metrics.queued_response_bytes.get(), 0);
    assert_eq!(metrics.connections_open.get(), 0);
    // Until now nobody has given up.
    drop(slow);
}

#[test]
fn connections_beyond_the_limit_are_closed_and_counted() {
    let started = Started::with(&[("max.connections", "3"), ("max.connections.per.ip", "2")]);
    let (mut first, mut second) = (started.connect(), started.connect());
    is_served(&mut first, 1);
    is_served(&mut second, 2);
    assert!(is_closed(&mut started.connect()));
    assert_eq!(started.broker.node().metrics.connections_refused.get(), 1);
    is_served(&mut first, 3);
    started.broker.stop();
}

#[test]
fn wire_14_what_follows_a_fetch_that_waits_is_answered_after_it() {
    let broker = TestBroker::start();
    let name = Some("topic".into());
    let topics = Some(vec![MetadataRequestTopic { name, ..MetadataRequestTopic::default() }]);
    let metadata =
        MetadataRequest { topics, allow_auto_topic_creation: true, ..MetadataRequest::default() };
    broker.request(&metadata, 8);
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topic =
        FetchTopic { topic: "topic".into(), partitions: vec![partition], ..FetchTopic::default() };
    let waits = FetchRequest {
        max_wait_ms: 200,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    let mut client = broker.client();
    client.send(&waits, 11);
    client.send(&ApiVersionsRequest::default(), 0);
    // The client compares the correlation ids.
    let fetched = client.response::<FetchRequest>(11);
    assert_eq!(fetched.responses[0].partitions[0].error_code, ErrorCode::NONE);
    client.response::<ApiVersionsRequest>(0);
}
