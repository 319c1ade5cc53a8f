//! Requests of our own, to see when a broker serves.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;

use logboom_protocol::header::decode_response_header;
use logboom_protocol::messages::api_versions::ApiVersionsRequest;
use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use logboom_protocol::messages::metadata::MetadataRequest;
use logboom_protocol::{ErrorCode, Message, Request, frame};

use logboom_compare::pause;

use crate::process::Server;

/// How often it is tried.
const TRY_EVERY: Duration = Duration::from_micros(500);
/// How long one answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// A version of each that all systems serve.
const API_VERSIONS_VERSION: i16 = 0;
const LIST_OFFSETS_VERSION: i16 = 4;
const METADATA_VERSION: i16 = 4;
/// The end of a partition, in ListOffsets.
const LATEST: i64 = -1;

/// Waits until a broker answers its first request; returns the time since `since`.
///
/// # Errors
/// If it ends, or takes longer than `most`.
pub(crate) fn first_answer(
    server: &mut Server,
    address: SocketAddr,
    since: Instant,
    most: Duration,
) -> Result<Duration, String> {
    let asked = || call(address, &ApiVersionsRequest::default(), API_VERSIONS_VERSION).map(drop);
    until(server, since, most, asked)
}

/// Waits until so many nodes of a cluster are in.
///
/// # Errors
/// If the process ends, or it takes longer than `most`.
pub(crate) fn all_nodes(
    server: &mut Server,
    address: SocketAddr,
    nodes: usize,
    since: Instant,
    most: Duration,
) -> Result<(), String> {
    let request = MetadataRequest { topics: Some(Vec::new()), ..MetadataRequest::default() };
    let attempt = || match call(address, &request, METADATA_VERSION)?.brokers.len() {
        there if there == nodes => Ok(()),
        there => Err(format!("{there} of {nodes} nodes are in")),
    };
    until(server, since, most, attempt).map(drop)
}

/// Waits until all partitions of a topic are served; returns the time since `since`.
///
/// # Errors
/// If the broker ends, or takes longer than `most`.
pub(crate) fn partitions_served(
    server: &mut Server,
    address: SocketAddr,
    (topic, partitions): (&str, i32),
    since: Instant,
    most: Duration,
) -> Result<Duration, String> {
    until(server, since, most, || offsets_end(address, topic, partitions).map(drop))
}

/// Waits until all partitions of a new topic are served: metadata may name leaders that are still
/// making their directories.
///
/// # Errors
/// If it takes longer than `most`.
pub(crate) fn topic_served(
    address: SocketAddr,
    topic: &str,
    partitions: i32,
    most: Duration,
) -> Result<(), String> {
    let since = Instant::now();
    while let Err(error) = offsets_end(address, topic, partitions) {
        if since.elapsed() > most {
            return Err(format!("{topic} isn't served after {most:?}: {error}"));
        }
        pause(TRY_EVERY);
    }
    Ok(())
}

/// The sum of the ends of all partitions.
///
/// # Errors
/// The first partition that isn't served.
pub(crate) fn offsets_end(
    address: SocketAddr,
    topic: &str,
    partitions: i32,
) -> Result<i64, String> {
    let count = usize::try_from(partitions).unwrap_or_default();
    let partitions = (0..partitions).map(|partition_index| ListOffsetsPartition {
        partition_index,
        current_leader_epoch: -1,
        timestamp: LATEST,
    });
    let topic = ListOffsetsTopic { name: topic.into(), partitions: partitions.collect() };
    let request =
        ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
    let response = call(address, &request, LIST_OFFSETS_VERSION)?;
    let told: Vec<_> = response.topics.iter().flat_map(|topic| &topic.partitions).collect();
    if told.len() != count {
        return Err(format!("{} of {count} partitions are answered for", told.len()));
    }
    let mut sum = 0;
    for partition in told {
        if partition.error_code != ErrorCode::NONE {
            return Err(format!(
                "partition {}: {}",
                partition.partition_index, partition.error_code
            ));
        }
        sum += partition.offset;
    }
    Ok(sum)
}

fn until(
    server: &mut Server,
    since: Instant,
    most: Duration,
    attempt: impl Fn() -> Result<(), String>,
) -> Result<Duration, String> {
    loop {
        let Err(error) = attempt() else { return Ok(since.elapsed()) };
        server.check()?;
        if since.elapsed() > most {
            return Err(server.explain(&format!("doesn't serve after {most:?}: {error}")));
        }
        pause(TRY_EVERY);
    }
}

/// One request on a connection of its own.
fn call<M: Request>(address: SocketAddr, request: &M, version: i16) -> Result<M::Response, String> {
    let said = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(address).map_err(said)?;
    stream.set_read_timeout(Some(ANSWER_MAX)).map_err(said)?;
    stream.set_nodelay(true).map_err(said)?;
    let bytes = frame::encode_request(request, version, 1, Some("probe"));
    stream.write_all(&bytes.map_err(|error| error.to_string())?).map_err(said)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).map_err(said)?;
    let length = usize::try_from(i32::from_be_bytes(length)).map_err(|e| e.to_string())?;
    let mut answer = Vec::new();
    stream.take(length as u64).read_to_end(&mut answer).map_err(said)?;
    let (_, body) = decode_response_header(M::API, version, &Bytes::from(answer))
        .map_err(|error| error.to_string())?;
    M::Response::decode(&body, version).map_err(|error| error.to_string())
}
