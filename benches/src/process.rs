//! A broker in a process of its own, whose start, memory and end are measured.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use logboom_protocol::messages::api_versions::ApiVersionsRequest;
use logboom_tests::raw::Raw;

/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A broker on the loopback interface; killed with the value.
#[derive(Debug)]
pub struct Broker {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From the creation of its process until it had answered a request.
    pub ready_after: Duration,
}

impl Broker {
    /// Starts `binary` with its data in `dir`.
    ///
    /// # Errors
    /// It can't be started, or ends before it answers.
    pub fn start(binary: &str, dir: &str, options: &[&str]) -> io::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(binary);
        command.args(["broker", "--data-dir", dir, "--listen", &address.to_string()]);
        command.args(["--admin-listen", ""]).args(options).stderr(Stdio::null());
        let since = Instant::now();
        let mut broker = Self { child: command.spawn()?, address, ready_after: Duration::ZERO };
        // It listens before it answers.
        let mut raw = loop {
            if let Ok(raw) = Raw::try_connect(&address.to_string()) {
                break raw;
            }
            if since.elapsed() > PATIENCE || broker.child.try_wait()?.is_some() {
                return Err(io::Error::other("the broker doesn't start"));
            }
            look_again();
        };
        let answer = raw.try_call(0, &ApiVersionsRequest::default());
        answer.ok_or_else(|| io::Error::other("the broker ended before it answered"))?;
        broker.ready_after = since.elapsed();
        Ok(broker)
    }

    /// A field of the process' status, in KiB or as it is.
    ///
    /// # Errors
    /// There is no such field, or no such process.
    pub fn status(&self, field: &str) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| io::Error::other("no such field"))
    }

    /// Bytes that it read from a device since it was started.
    ///
    /// # Errors
    /// No such process.
    pub fn bytes_read(&self) -> io::Result<u64> {
        let counts = std::fs::read_to_string(format!("/proc/{}/io", self.child.id()))?;
        let count = counts.lines().find_map(|line| line.strip_prefix("read_bytes: "));
        count.and_then(|it| it.parse().ok()).ok_or_else(|| io::Error::other("no read_bytes"))
    }

    /// Ends it with SIGTERM; returns how long it took.
    ///
    /// # Errors
    /// It doesn't end, or not well.
    pub fn stop(mut self) -> io::Result<Duration> {
        let since = Instant::now();
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        while since.elapsed() < PATIENCE {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(since.elapsed()),
                Some(status) => return Err(io::Error::other(format!("it ended with {status}"))),
                None => look_again(),
            }
        }
        Err(io::Error::other("it doesn't end"))
    }

    /// Ends it with SIGKILL.
    pub fn kill(self) {}
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits for the next look at a process.
#[expect(clippy::disallowed_methods, reason = "each look is within a deadline")]
fn look_again() {
    thread::sleep(Duration::from_micros(200));
}
