//! Connections between brokers as sockets: how they are set up, written to, and how they end.
//!
//! Must always hold: a peer that takes nothing ends its connection after [`PROGRESS_MAX`], so that
//! what waits for it is given up and its owner hears of it.

use std::fmt;
use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::Buf as _;
use rustix::net::sockopt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::frame::Strange;
use super::hello::{BadHello, Refusal};
use super::outbox::Rope;

/// How long a write may make no progress.
const PROGRESS_MAX: Duration = Duration::from_secs(5);
/// The most slices of one write.
const SLICES_MAX: usize = 64;

/// Why there is no connection, or no longer one.
#[derive(Debug)]
pub(super) enum Ended {
    /// The other side has closed it.
    Closed,
    /// The socket failed.
    Io(io::Error),
    /// Nothing more came of what had begun, or nothing was taken.
    Stalled,
    /// Nobody says where the broker listens.
    NoAddress,
    /// What came is no hello.
    Hello(BadHello),
    /// One side doesn't speak to the other.
    Refused(Refusal),
    /// What came is no frame that belongs here.
    Strange(Strange),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed by the other side"),
            Self::Io(error) => error.fmt(f),
            Self::Stalled => f.write_str("no progress"),
            Self::NoAddress => f.write_str("no address is known"),
            Self::Hello(error) => error.fmt(f),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Strange(strange) => strange.fmt(f),
        }
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

impl From<Strange> for Ended {
    fn from(strange: Strange) -> Self {
        Self::Strange(strange)
    }
}

impl From<BadHello> for Ended {
    fn from(error: BadHello) -> Self {
        Self::Hello(error)
    }
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Sets a new connection up: small frames leave at once, and what isn't acknowledged in time, as by
/// a machine that is gone, ends it.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let millis = u32::try_from(PROGRESS_MAX.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, millis)?;
    Ok(())
}

/// Writes all of a rope in as few calls as possible. Not to be cancelled but with the connection.
pub(super) async fn write(stream: &TcpStream, rope: Rope) -> Result<(), Ended> {
    write_with(stream, rope, PROGRESS_MAX).await
}

async fn write_with(
    stream: &TcpStream,
    mut rope: Rope,
    progress_max: Duration,
) -> Result<(), Ended> {
    while !rope.is_empty() {
        match write_some(stream, &rope) {
            Ok(0) => return Err(Ended::Io(io::ErrorKind::WriteZero.into())),
            Ok(count) => advance(&mut rope, count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let writable = timeout(progress_max, stream.writable()).await;
                writable.map_err(|_| Ended::Stalled)??;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn write_some(stream: &TcpStream, rope: &Rope) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    slices.iter_mut().zip(rope).for_each(|(slice, bytes)| *slice = IoSlice::new(bytes));
    stream.try_write_vectored(&slices[..rope.len().min(SLICES_MAX)])
}

/// Takes so many bytes from the front.
fn advance(rope: &mut Rope, mut count: usize) {
    while let Some(first) = rope.front_mut() {
        if first.len() > count {
            first.advance(count);
            return;
        }
        count -= first.len();
        rope.pop_front();
    }
}

/// Waits until the other side of a connection on which it says nothing closes it. Cancel-safe.
pub(super) async fn closed(stream: &TcpStream) -> Ended {
    loop {
        if let Err(error) = stream.readable().await {
            return error.into();
        }
        match stream.try_read(&mut [0]) {
            Ok(0) => return Ended::Closed,
            Ok(_) => return Strange::Unasked.into(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::peer::tests::run;

    #[test]
    fn a_rope_advances_over_its_slices() {
        for (count, rest) in [(0, "abcdef"), (2, "cdef"), (3, "def"), (4, "ef"), (5, "f"), (6, "")]
        {
            let mut rope = Rope::from(["abc", "d", "ef"].map(Bytes::from));
            advance(&mut rope, count);
            assert_eq!(rope.iter().flatten().copied().collect::<Vec<_>>(), rest.as_bytes());
            assert!(rope.iter().all(|slice| !slice.is_empty()));
        }
    }

    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        prepare(&stream).unwrap();
        (stream, listener.accept().await.unwrap().0)
    }

    #[test]
    fn a_rope_of_many_slices_arrives_whole() {
        run(async {
            let (stream, mut other) = connected().await;
            let slices =
                (0..1_000usize).map(|at| Bytes::from(vec![at.to_le_bytes()[0]; at * 7 + 1]));
            let rope: Rope = slices.collect();
            let whole: Vec<u8> = rope.iter().flatten().copied().collect();
            let mut read = BytesMut::new();
            let reading = async {
                while read.len() < whole.len() {
                    assert_ne!(other.read_buf(&mut read).await.unwrap(), 0);
                }
            };
            let (written, ()) = tokio::join!(write(&stream, rope), reading);
            written.unwrap();
            assert!(read == whole);
        });
    }

    #[test]
    fn who_takes_nothing_is_given_up() {
        run(async {
            let (stream, _other) = connected().await;
            let rope = || Rope::from([Bytes::from(vec![0; 1 << 20])]);
            // Whatever the system has room for.
            for _ in 0..1_000 {
                match write_with(&stream, rope(), Duration::from_millis(50)).await {
                    Ok(()) => {}
                    Err(Ended::Stalled) => return,
                    Err(other) => panic!("{other}"),
                }
            }
            panic!("a gigabyte was taken");
        });
    }

    #[test]
    fn the_end_of_a_connection_is_seen_by_who_only_writes() {
        run(async {
            let (stream, other) = connected().await;
            drop(other);
            assert!(matches!(closed(&stream).await, Ended::Closed));
            let (stream, other) = connected().await;
            other.writable().await.unwrap();
            other.try_write(b"x").unwrap();
            assert!(matches!(closed(&stream).await, Ended::Strange(Strange::Unasked)));
        });
    }
}
