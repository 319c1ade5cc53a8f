//! A broker's own figures, by its admin listener: one GET of `/metrics` by HTTP/1.1.
//!
//! Must always hold: an answer takes at most [`ANSWER_BYTES_MAX`] bytes, and [`PATIENCE`].

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a broker is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// The metrics of a broker with very many partitions.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// What a broker says of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Metrics {
    pub(crate) version: Option<String>,
    /// Flushes of logs since it was started, and the seconds that they took.
    pub(crate) flushes: Option<f64>,
    pub(crate) flush_seconds: Option<f64>,
    pub(crate) rss_bytes: Option<f64>,
    pub(crate) anonymous_bytes: Option<f64>,
    /// Of its processors; where it tells them.
    pub(crate) cpu_seconds: Option<f64>,
}

/// Asks a broker.
///
/// # Errors
/// There is no connection, or what answers is no admin listener of ours.
pub(crate) fn metrics(address: SocketAddr) -> io::Result<Metrics> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let rest = "Connection: close\r\n\r\n";
    stream.write_all(format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n{rest}").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let is_ok = answer.lines().next().is_some_and(|line| line.contains(" 200"));
    let metrics = parse(&answer);
    match is_ok && metrics != Metrics::default() {
        true => Ok(metrics),
        false => Err(io::Error::other("what answers there is no admin listener of a broker")),
    }
}

fn parse(text: &str) -> Metrics {
    let mut metrics = Metrics::default();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(' ') else { continue };
        if let Some(version) = version(name) {
            metrics.version = Some(version.to_owned());
        }
        let place = match name {
            "logboom_flush_seconds_count" => &mut metrics.flushes,
            "logboom_flush_seconds_sum" => &mut metrics.flush_seconds,
            "logboom_process_resident_bytes" => &mut metrics.rss_bytes,
            "logboom_process_anonymous_bytes" => &mut metrics.anonymous_bytes,
            "logboom_process_cpu_seconds_total" => &mut metrics.cpu_seconds,
            _ => continue,
        };
        *place = value.trim().parse().ok();
    }
    metrics
}

/// What `logboom_build_info{version="…"}` says.
fn version(name: &str) -> Option<&str> {
    name.strip_prefix("logboom_build_info{version=\"")?.strip_suffix("\"}")
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;

    use super::*;

    const TEXT: &str = "# HELP logboom_flush_seconds x\n\
        logboom_flush_seconds_bucket{le=\"0.1\"} 3\n\
        logboom_flush_seconds_sum 1.5\n\
        logboom_flush_seconds_count 12\n\
        logboom_build_info{version=\"0.2.0-dev\"} 1\n\
        logboom_process_resident_bytes 1048576\n";

    /// Answers once.
    fn answered(head: &'static str) -> io::Result<Metrics> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(&stream).lines();
            let first = lines.next().unwrap().unwrap();
            while !lines.next().unwrap().unwrap().is_empty() {}
            (&stream).write_all(format!("{head}\r\n\r\n{TEXT}").as_bytes()).unwrap();
            first
        });
        let found = metrics(address);
        assert_eq!(server.join().unwrap(), "GET /metrics HTTP/1.0");
        found
    }

    #[test]
    fn the_figures_of_a_broker_are_found_among_its_metrics() {
        let found = answered("HTTP/1.1 200 OK").unwrap();
        assert_eq!((found.flushes, found.flush_seconds), (Some(12.0), Some(1.5)));
        assert_eq!(found.version.as_deref(), Some("0.2.0-dev"));
        assert_eq!((found.rss_bytes, found.cpu_seconds), (Some(1_048_576.0), None));
    }

    #[test]
    fn who_answers_otherwise_is_no_broker() {
        assert!(answered("HTTP/1.1 404 Not Found").is_err());
        assert_eq!(parse("process_resident_bytes 5\nx"), Metrics::default());
    }
}
