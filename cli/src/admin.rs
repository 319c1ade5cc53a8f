//! Asking a broker by its admin listener: one request by HTTP/1.1.
//!
//! Must always hold: an answer takes at most [`BODY_BYTES_MAX`] bytes, and one that ends too early
//! is an error.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use clap::Args;

use crate::client::Failure;

/// Which broker is asked.
#[derive(Debug, Clone, Args)]
pub(crate) struct AdminArguments {
    /// The admin listener of a broker that runs.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9644")]
    admin: String,
}

/// Longer than a broker waits for the others, between two parts of an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The status of what is done.
pub(crate) const OK: u16 = 200;
/// The most bytes of an answer's head.
const HEAD_BYTES_MAX: u64 = 64 << 10;
/// The most bytes of what an answer brings: a snapshot of the largest cluster.
pub(crate) const BODY_BYTES_MAX: u64 = 256 << 20;
/// The most bytes of a line that says how long a part of a body is.
const CHUNK_LINE_BYTES_MAX: u64 = 1 << 10;

impl AdminArguments {
    /// What a broker says, where it says it.
    ///
    /// # Errors
    /// It can't be asked, or has no such thing to say at the moment; then its own words.
    pub(crate) async fn get(&self, path: &'static str) -> Result<String, Failure> {
        let admin = self.clone();
        let asked = tokio::task::spawn_blocking(move || admin.ask("GET", path, "")).await;
        match asked.map_err(io::Error::other).flatten() {
            Ok((OK, body)) => Ok(body),
            Ok((status, body)) => {
                let why = body.lines().next().unwrap_or_default();
                Err(Failure::failed(format_args!("{self}: {path}: {status}: {why}")))
            }
            Err(error) => {
                let way_out = "a broker's admin.listener is named by --admin";
                Err(Failure::failed(format_args!("{self}: {error}; {way_out}")))
            }
        }
    }

    /// One request: the status, and the body of the answer.
    ///
    /// # Errors
    /// There is no connection, or no whole answer.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
        let address = self.admin.to_socket_addrs()?.next();
        let address = address.ok_or_else(|| io::Error::other("the name has no address"))?;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let rest = format!("Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {self}\r\n{rest}");
        stream.write_all(request.as_bytes())?;
        read_answer(&mut BufReader::new(stream), BODY_BYTES_MAX)
    }
}

impl fmt::Display for AdminArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.admin)
    }
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Bytes(u64),
    Chunks,
    /// As long as the connection lasts.
    Open,
}

/// - `bytes_max`: of the body.
fn read_answer(from: &mut impl BufRead, bytes_max: u64) -> io::Result<(u16, String)> {
    let (status, length) = read_head(&mut from.take(HEAD_BYTES_MAX))?;
    let mut body = Body { bytes: Vec::new(), bytes_max };
    match length {
        Length::Bytes(bytes) => body.read(from, bytes)?,
        Length::Chunks => body.read_chunks(from)?,
        Length::Open => {
            from.take(bytes_max + 1).read_to_end(&mut body.bytes)?;
            body.has_room_for(0)?;
        }
    }
    let text =
        String::from_utf8(body.bytes).map_err(|_| io::Error::other("the answer isn't text"))?;
    Ok((status, text))
}

/// The status, and how long the body is.
fn read_head(from: &mut impl BufRead) -> io::Result<(u16, Length)> {
    let no_http = || io::Error::other("the answer isn't HTTP");
    let first = read_line(from)?;
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or_else(no_http)?;
    let mut length = Length::Open;
    loop {
        let line = read_line(from)?;
        if line.is_empty() {
            return Ok((status, length));
        }
        let (name, value) = line.split_once(':').ok_or_else(no_http)?;
        if name.eq_ignore_ascii_case("content-length") {
            length = Length::Bytes(value.trim().parse().map_err(|_| no_http())?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            length = Length::Chunks;
        }
    }
}

/// A line without its end.
fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line.strip_suffix('\n').ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(line.trim_end_matches('\r').to_owned())
}

/// What was read so far.
struct Body {
    bytes: Vec<u8>,
    bytes_max: u64,
}

impl Body {
    /// Adds so many bytes; memory is taken as they come.
    fn read(&mut self, from: &mut impl BufRead, bytes: u64) -> io::Result<()> {
        self.has_room_for(bytes)?;
        let read = from.take(bytes).read_to_end(&mut self.bytes)?;
        if read as u64 == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn read_chunks(&mut self, from: &mut impl BufRead) -> io::Result<()> {
        loop {
            let line = read_line(&mut from.take(CHUNK_LINE_BYTES_MAX))?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let bytes = u64::from_str_radix(digits, 16);
            let bytes = bytes.map_err(|_| io::Error::other("the answer isn't HTTP"))?;
            if bytes == 0 {
                return Ok(());
            }
            self.read(from, bytes)?;
            read_line(&mut from.take(CHUNK_LINE_BYTES_MAX))?;
        }
    }

    fn has_room_for(&self, bytes: u64) -> io::Result<()> {
        if bytes.saturating_add(self.bytes.len() as u64) <= self.bytes_max {
            return Ok(());
        }
        Err(io::Error::other(format!("the answer has more than {} bytes", self.bytes_max)))
    }
}

/// The other side, scripted by a test.
#[cfg(test)]
pub(crate) mod testing {
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;

    impl AdminArguments {
        /// Where a listener of the test is.
        pub(crate) fn of(listener: &TcpListener) -> Self {
            Self { admin: listener.local_addr().unwrap().to_string() }
        }
    }

    /// The admin listener of a broker that answers as often as there are answers, each a status and
    /// a body; and what it was asked.
    pub(crate) fn listener(
        answers: Vec<(u16, String)>,
    ) -> (AdminArguments, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = AdminArguments::of(&listener);
        let answer = move |(status, body): (u16, String)| {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(&stream);
            let first = read_line(&mut reader).unwrap();
            while !read_line(&mut reader).unwrap().is_empty() {}
            let head = format!("HTTP/1.1 {status} \r\ncontent-length: {}\r\n\r\n", body.len());
            (&stream).write_all(format!("{head}{body}").as_bytes()).unwrap();
            first
        };
        let served = std::thread::spawn(move || answers.into_iter().map(answer).collect());
        (admin, served)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::listener;
    use super::*;

    fn answer(text: &str) -> io::Result<(u16, String)> {
        read_answer(&mut text.as_bytes(), 16)
    }

    #[test]
    fn an_answer_has_a_status_and_a_body_however_it_says_its_length() {
        for (head, sent, body) in [
            ("content-length: 3\r\n", "no\n", "no\n"),
            ("Content-Length: 2\r\nServer: x\r\n", "no and more", "no"),
            ("", "all\nthat comes", "all\nthat comes"),
            (
                "transfer-encoding: chunked\r\n",
                "3\r\nabc\r\nA;x\r\n0123456789\r\n0\r\n\r\n",
                "abc0123456789",
            ),
        ] {
            let text = format!("HTTP/1.1 409 Conflict\r\n{head}\r\n{sent}");
            assert_eq!(answer(&text).unwrap(), (409, body.to_owned()), "{text}");
        }
    }

    #[test]
    fn an_answer_that_is_cut_short_or_no_http_is_an_error() {
        for bad in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nno",
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nno",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\nab",
            "HTTP/1.1 2\r\n\r\n",
            "SSH-2.0\r\n\r\n",
        ] {
            assert!(answer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn more_than_the_bound_is_refused() {
        let chunked = "transfer-encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n";
        for (rest, fits) in [
            ("content-length: 17\r\n\r\n0123456789abcdefg".to_owned(), false),
            ("content-length: 18446744073709551615\r\n\r\n".to_owned(), false),
            ("content-length: 16\r\n\r\n0123456789abcdef".to_owned(), true),
            ("\r\n0123456789abcdefg".to_owned(), false),
            ("\r\n0123456789abcdef".to_owned(), true),
            (format!("{chunked}1\r\ng\r\n0\r\n\r\n"), false),
            (format!("{chunked}ffffffffffffffff\r\n"), false),
            (format!("{chunked}0\r\n\r\n"), true),
        ] {
            let read = answer(&format!("HTTP/1.1 200 OK\r\n{rest}"));
            assert_eq!(read.is_ok(), fits, "{rest}");
            if let Err(error) = read {
                assert_eq!(error.to_string(), "the answer has more than 16 bytes", "{rest}");
            }
        }
        let endless = b"HTTP/1.1 200 OK\r\n".chain(io::repeat(b'x'));
        assert!(read_answer(&mut BufReader::new(endless), 16).is_err());
    }

    #[tokio::test]
    async fn a_broker_that_has_nothing_to_say_is_quoted() {
        let answers = vec![(200, "yes\n".to_owned()), (503, "nobody decides\n".to_owned())];
        let (admin, served) = listener(answers);
        assert_eq!(admin.get("/balance/status").await.unwrap(), "yes\n");
        let why = admin.get("/balance/snapshot").await.unwrap_err().to_string();
        assert_eq!(why, format!("{admin}: /balance/snapshot: 503: nobody decides"));
        let asked = ["GET /balance/status HTTP/1.1", "GET /balance/snapshot HTTP/1.1"];
        assert_eq!(served.join().unwrap(), asked);
        // Nobody listens there any more.
        let why = admin.get("/balance/snapshot").await.unwrap_err().to_string();
        assert!(why.ends_with("; a broker's admin.listener is named by --admin"), "{why}");
    }
}
