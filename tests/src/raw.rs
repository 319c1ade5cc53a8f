//! A client without manners: one connection, frames as they are, any version, no retries.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;

use logboom_protocol::header::decode_response_header;
use logboom_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use logboom_protocol::records::{CheckedBatch, Inflater, RawBatches};
use logboom_protocol::{ErrorCode, Message, Request, frame};

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most bytes of an answer that a test expects.
const RESPONSE_BYTES_MAX: usize = 64 << 20;

/// A connection.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    correlation_id: i32,
    /// Whether an answer that doesn't come is like a connection that was closed.
    gives_up: bool,
}

impl Raw {
    /// Connects.
    ///
    /// # Panics
    /// If nobody listens.
    pub fn connect(address: &str) -> Self {
        Self::try_connect(address).unwrap_or_else(|error| panic!("{address}: {error}"))
    }

    /// Connects, where somebody listens.
    ///
    /// # Errors
    /// Nobody does.
    pub fn try_connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, correlation_id: 0, gives_up: false })
    }

    /// Connects to somebody who may not be there, and waits no longer for anything: what doesn't
    /// come in time is taken for a connection that was closed.
    ///
    /// # Errors
    /// Nobody listens, or nothing is heard.
    ///
    /// # Panics
    /// If the address is none.
    pub fn brief(address: &str, patience: Duration) -> io::Result<Self> {
        let address = address.parse().expect("an address");
        let stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self { stream, correlation_id: 0, gives_up: true })
    }

    /// The same connection, for another thread: one asks, one takes the answers.
    ///
    /// # Errors
    /// The process has too many.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { stream: self.stream.try_clone()?, ..*self })
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The connection was closed.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next frame without its length; `None` where the connection was closed in front of it.
    ///
    /// # Panics
    /// If nothing comes, or half a frame.
    pub fn receive(&mut self) -> Option<Bytes> {
        let mut prefix = [0; 4];
        if let Err(error) = self.stream.read_exact(&mut prefix) {
            let waited = matches!(error.kind(), io::ErrorKind::WouldBlock);
            assert!(!waited || self.gives_up, "nothing comes, and the connection isn't closed");
            return None;
        }
        let length = usize::try_from(i32::from_be_bytes(prefix)).expect("a length");
        assert!(length <= RESPONSE_BYTES_MAX, "{length} bytes");
        let mut frame = vec![0; length];
        self.stream.read_exact(&mut frame).ok()?;
        Some(frame.into())
    }

    /// Sends a request of `version`; returns its correlation id.
    ///
    /// # Panics
    /// If the version can't carry it, or the connection was closed.
    pub fn ask<R: Message>(&mut self, version: i16, request: &R) -> i32 {
        self.try_ask(version, request).expect("the connection is open")
    }

    /// Sends a request of `version`; returns its correlation id.
    ///
    /// # Errors
    /// The connection was closed.
    ///
    /// # Panics
    /// If the version can't carry it.
    pub fn try_ask<R: Message>(&mut self, version: i16, request: &R) -> io::Result<i32> {
        self.correlation_id += 1;
        let id = self.correlation_id;
        let frame = frame::encode_request(request, version, id, Some("raw")).expect("it fits");
        self.send(&frame)?;
        Ok(id)
    }

    /// Where a partition ends.
    ///
    /// # Panics
    /// If that can't be learned.
    pub fn end_offset(&mut self, topic: &str, partition: i32) -> i64 {
        offset(self, topic, partition, -1).unwrap_or_else(|code| panic!("{topic}: {code:?}"))
    }

    /// Where a partition ends, if the broker can say so now.
    pub fn try_end_offset(&mut self, topic: &str, partition_index: i32) -> Option<i64> {
        let partition = ListOffsetsPartition {
            partition_index,
            timestamp: -1,
            ..ListOffsetsPartition::default()
        };
        let topic = ListOffsetsTopic { name: topic.into(), partitions: vec![partition] };
        let request =
            ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        let id = self.try_ask(2, &request).ok()?;
        let answer: ListOffsetsResponse = self.answer(2, id)?;
        let told = &answer.topics[0].partitions[0];
        (told.error_code == ErrorCode::NONE).then_some(told.offset)
    }

    /// The answer to the request of `version` with that correlation id, which is the next frame;
    /// `None` where the connection was closed instead.
    ///
    /// # Panics
    /// If it isn't one.
    pub fn answer<M: Message>(&mut self, version: i16, correlation_id: i32) -> Option<M> {
        let frame = self.receive()?;
        let (id, body) = decode_response_header(M::API, version, &frame).expect("a header");
        assert_eq!(id, correlation_id, "answers come in the order of their requests");
        Some(M::decode(&body, version).unwrap_or_else(|error| panic!("{error}: {body:?}")))
    }

    /// Asks and waits for the answer; `None` where the connection was closed instead.
    pub fn try_call<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        let id = self.try_ask(version, request).ok()?;
        self.answer(version, id)
    }

    /// Asks and waits for the answer.
    ///
    /// # Panics
    /// If the connection is closed instead.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let answer = self.try_call(version, request);
        answer.unwrap_or_else(|| panic!("{} version {version}: closed", R::API))
    }

    /// Whether the other end closes the connection without another frame.
    pub fn is_closed(&mut self) -> bool {
        self.receive().is_none()
    }
}

/// A whole frame with any header and body.
///
/// # Panics
/// If it has no length.
pub fn framed(key: i16, version: i16, correlation_id: i32, rest: &[u8]) -> Vec<u8> {
    let length = i32::try_from(8 + rest.len()).expect("small");
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(key.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend(correlation_id.to_be_bytes());
    bytes.extend(rest);
    bytes
}

/// A name for a topic that no other test uses, however often this one runs.
pub fn topic_name(test: &str) -> String {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{test}-{}", time.expect("after 1970").as_nanos())
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Where it stands.
    pub offset: i64,
    /// Empty for null.
    pub key: Vec<u8>,
    /// Empty for null.
    pub value: Vec<u8>,
}

/// All records of a partition from its start on, up to the end that it has now.
///
/// # Panics
/// If it can't be read.
pub fn read_all(raw: &mut Raw, topic: &str, partition: i32) -> Vec<Read> {
    try_read_all(raw, topic, partition).unwrap_or_else(|code| panic!("{topic}: {code:?}"))
}

/// The same, or the error that is answered.
///
/// # Errors
/// The first error code.
///
/// # Panics
/// If what is read isn't what a broker may send.
pub fn try_read_all(raw: &mut Raw, topic: &str, partition: i32) -> Result<Vec<Read>, ErrorCode> {
    let mut next = offset(raw, topic, partition, -2)?;
    let end = offset(raw, topic, partition, -1)?;
    let mut records = Vec::new();
    while next < end {
        let bytes = fetch(raw, topic, partition, next)?;
        assert!(!bytes.is_empty(), "{topic}-{partition}: nothing at {next} before {end}");
        for batch in RawBatches::new(&bytes) {
            let bytes = bytes.slice_ref(batch.expect("whole batches").bytes());
            let batch = CheckedBatch::check(bytes).expect("a good batch");
            let read = batch.records(&mut Inflater::default()).expect("records");
            for record in read.iter().map(|record| record.expect("a record")) {
                if record.offset < next {
                    // Of a batch that is asked for from its middle on, as clients do.
                    continue;
                }
                let bytes = |bytes: Option<&[u8]>| bytes.unwrap_or_default().to_vec();
                let (key, value) = (bytes(record.key), bytes(record.value));
                records.push(Read { offset: record.offset, key, value });
                next = record.offset + 1;
            }
        }
    }
    Ok(records)
}

/// The offset for a timestamp, or for −1 (end) and −2 (start).
fn offset(
    raw: &mut Raw,
    topic: &str,
    partition_index: i32,
    timestamp: i64,
) -> Result<i64, ErrorCode> {
    let partition =
        ListOffsetsPartition { partition_index, timestamp, ..ListOffsetsPartition::default() };
    let topic = ListOffsetsTopic { name: topic.into(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let answer = &raw.call(2, &request).topics[0].partitions[0];
    if answer.error_code == ErrorCode::NONE { Ok(answer.offset) } else { Err(answer.error_code) }
}

/// What one fetch from an offset brings.
fn fetch(
    raw: &mut Raw,
    topic: &str,
    partition: i32,
    fetch_offset: i64,
) -> Result<Bytes, ErrorCode> {
    let partition = FetchPartition {
        partition,
        fetch_offset,
        partition_max_bytes: 4 << 20,
        current_leader_epoch: -1,
        ..Default::default()
    };
    let topic =
        FetchTopic { topic: topic.into(), partitions: vec![partition], ..Default::default() };
    let request = FetchRequest {
        max_wait_ms: 10_000,
        min_bytes: 1,
        max_bytes: 4 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    let answer = raw.call(11, &request).responses.remove(0).partitions.remove(0);
    match answer.error_code {
        ErrorCode::NONE => Ok(answer.records.unwrap_or_default()),
        code => Err(code),
    }
}
