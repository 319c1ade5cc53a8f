//! Hostile clients against a broker in a process of its own: what they cost it, and its others.
//!
//! `cargo run --release -p logboom-benches --bin hostile -- target/release/logboom DIR` starts the
//! broker, and a second one that is left alone, with their data in DIR, which must be empty;
//! `--idle=N` and `--half=N` make it smaller. Each step prints the broker's memory and the 50th and
//! 99th percentile of other clients' round trips, with both brokers in turn: a round trip takes 10
//! or 100 µs by where the system runs client and shard, so only what was measured within the same
//! moments can be compared. The process needs a descriptor for each connection (`ulimit -n`).
//!
//! Must always hold: the brokers that were started here are gone in the end.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use logboom_benches::process::Broker;

/// Turns that the two brokers have, and round trips of each kind in a turn, over all clients.
const TURNS: usize = 100;
const ROUND_TRIPS: usize = 400;
/// Other clients of each broker: some of each shard.
const CLIENTS: usize = 8;
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
    let alone = Others::of(Broker::start(binary, &format!("{dir}/alone"), &[])?)?;
    let attacked = Others::of(Broker::start(binary, &format!("{dir}/attacked"), &[])?)?;
    let ready = attacked.broker.ready_after.as_secs_f64() * 1e3;
    say(&format!("answers after {ready:.1} ms"));
    report(&alone, &attacked, "with one topic")?;
    let silent = connect(&attacked.broker, idle, &[])?;
    report(&alone, &attacked, &format!("{idle} idle connections"))?;
    let mut bytes = PROMISED.to_be_bytes().to_vec();
    bytes.extend(PRODUCE.to_be_bytes());
    bytes.resize(SENT, 0);
    let halves = connect(&attacked.broker, half, &bytes)?;
    report(&alone, &attacked, &format!("and {half} half frames of 50 MiB"))?;
    drop((silent, halves));
    report(&alone, &attacked, "when they have gone")
}

/// A broker, and its well-behaved clients.
struct Others {
    broker: Broker,
    clients: Vec<TcpStream>,
}

impl Others {
    fn of(broker: Broker) -> io::Result<Self> {
        let connect = |_| -> io::Result<TcpStream> {
            let client = TcpStream::connect(broker.address)?;
            client.set_nodelay(true)?;
            round_trip(&client, &metadata_of_one_topic())?;
            Ok(client)
        };
        let clients = (0..CLIENTS).map(connect).collect::<io::Result<_>>()?;
        Ok(Self { broker, clients })
    }

    /// One turn of round trips.
    fn measure(&self, request: &[u8], times: &mut Vec<Duration>) -> io::Result<()> {
        for client in self.clients.iter().cycle().take(ROUND_TRIPS) {
            let since = Instant::now();
            round_trip(client, request)?;
            times.push(since.elapsed());
        }
        Ok(())
    }
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

/// Says how much memory the attacked broker has, and how long other clients wait, beside those of
/// the broker that is left alone.
fn report(alone: &Others, attacked: &Others, what: &str) -> io::Result<()> {
    let versions = compare(alone, attacked, &request(API_VERSIONS, 0, &[]))?;
    let metadata = compare(alone, attacked, &metadata_of_one_topic())?;
    let broker = &attacked.broker;
    let (rss, anonymous) = (broker.status("VmRSS")? >> 10, broker.status("RssAnon")? >> 10);
    let threads = broker.status("Threads")?;
    say(&format!(
        "{what}: RSS {rss} MiB, RssAnon {anonymous} MiB, {threads} threads; \
         p50/p99 ApiVersions {versions}; Metadata {metadata}"
    ));
    Ok(())
}

/// Round trips with both brokers in turn.
fn compare(alone: &Others, attacked: &Others, request: &[u8]) -> io::Result<String> {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        alone.measure(request, &mut without)?;
        attacked.measure(request, &mut with)?;
    }
    Ok(format!("{} µs, left alone {} µs", percentiles(with), percentiles(without)))
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| times[times.len() * percent / 100].as_micros();
    format!("{}/{}", at(50), at(99))
}

fn round_trip(mut stream: &TcpStream, request: &[u8]) -> io::Result<()> {
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
