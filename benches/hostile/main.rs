//! Hostile clients against a broker in a process of its own: what they cost it, and its others.
//!
//! `cargo run --release -p logboom-benches --bin hostile -- target/release/logboom DIR` starts the
//! broker with its data in DIR, which must be empty; `--idle=N` and `--half=N` make it smaller.
//! Each step prints the broker's memory and the 50th and 99th percentile of another client's round
//! trips. The process needs a descriptor for each connection (`ulimit -n`).
//!
//! Must always hold: the broker that was started here is gone in the end.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Instant;

use logboom_benches::process::Broker;

/// Round trips of the other client, of each kind.
const ROUND_TRIPS: usize = 2_000;
/// Bytes that half a frame promises, and that it sends.
const PROMISED: i32 = 50 << 20;
const SENT: usize = 1 << 20;
const API_VERSIONS: i16 = 18;
const METADATA: i16 = 3;
const PRODUCE: i16 = 0;

fn main() -> ExitCode {
    let mut words = Vec::new();
    let (mut idle, mut half) = (10_000, 1_000);
    for argument in std::env::args().skip(1) {
        let number = |text: &str| text.parse::<usize>().unwrap_or(0);
        if let Some(text) = argument.strip_prefix("--idle=") {
            idle = number(text);
        } else if let Some(text) = argument.strip_prefix("--half=") {
            half = number(text);
        } else {
            words.push(argument);
        }
    }
    let [binary, dir] = &words[..] else {
        say("usage: hostile BINARY DIR [--idle=N] [--half=N]");
        return ExitCode::from(2);
    };
    match attack(binary, dir, idle, half) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("hostile: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn attack(binary: &str, dir: &str, idle: usize, half: usize) -> io::Result<()> {
    let broker = Broker::start(binary, dir, &[])?;
    say(&format!("answers after {:.1} ms", broker.ready_after.as_secs_f64() * 1e3));
    let mut other = TcpStream::connect(broker.address)?;
    other.set_nodelay(true)?;
    round_trip(&mut other, &metadata_of_one_topic())?;
    report(&broker, "with one topic", &mut other)?;
    let silent = connect(&broker, idle, &[])?;
    report(&broker, &format!("{idle} idle connections"), &mut other)?;
    let mut bytes = PROMISED.to_be_bytes().to_vec();
    bytes.extend(PRODUCE.to_be_bytes());
    bytes.resize(SENT, 0);
    let halves = connect(&broker, half, &bytes)?;
    report(&broker, &format!("and {half} half frames of 50 MiB"), &mut other)?;
    drop((silent, halves));
    report(&broker, "when they have gone", &mut other)
}

/// Opens connections, and sends what they take of `bytes` at once.
fn connect(broker: &Broker, count: usize, bytes: &[u8]) -> io::Result<Vec<TcpStream>> {
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = TcpStream::connect(broker.address)?;
        stream.set_nonblocking(true)?;
        let mut left = bytes;
        while let Ok(sent @ 1..) = stream.write(left) {
            left = &left[sent..];
        }
        streams.push(stream);
    }
    Ok(streams)
}

/// Says how much memory the broker has, and how long the other client waits.
fn report(broker: &Broker, what: &str, other: &mut TcpStream) -> io::Result<()> {
    let versions = percentiles(other, &request(API_VERSIONS, 0, &[]))?;
    let metadata = percentiles(other, &metadata_of_one_topic())?;
    let (rss, anonymous) = (broker.status("VmRSS")? >> 10, broker.status("RssAnon")? >> 10);
    let threads = broker.status("Threads")?;
    say(&format!(
        "{what}: RSS {rss} MiB, RssAnon {anonymous} MiB, {threads} threads; \
         p50/p99 ApiVersions {versions}, Metadata {metadata}"
    ));
    Ok(())
}

fn percentiles(stream: &mut TcpStream, request: &[u8]) -> io::Result<String> {
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let since = Instant::now();
        round_trip(stream, request)?;
        times.push(since.elapsed());
    }
    times.sort();
    let at = |percent: usize| times[ROUND_TRIPS * percent / 100].as_micros();
    Ok(format!("{}/{} µs", at(50), at(99)))
}

fn round_trip(stream: &mut TcpStream, request: &[u8]) -> io::Result<()> {
    stream.write_all(request)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer)
}

/// Metadata, version 4, of a topic that is created by it.
fn metadata_of_one_topic() -> Vec<u8> {
    request(METADATA, 4, b"\0\0\0\x01\0\x05topic\x01")
}

/// A request without a client id.
fn request(api: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let header_bytes = 10;
    let length = u32::try_from(header_bytes + body.len()).unwrap_or(u32::MAX);
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(api.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend(1_i32.to_be_bytes());
    bytes.extend((-1_i16).to_be_bytes());
    bytes.extend(body);
    bytes
}

fn say(line: &str) {
    // Nobody reads on.
    drop(writeln!(io::stdout(), "{line}"));
}
