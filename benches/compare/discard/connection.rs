//! One connection: frames in, answers out.

use std::io;
use std::net::TcpStream as StdStream;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use logboom_protocol::frame::{self, Split};

use crate::answers::{Answer, Discard};

/// The most bytes of a request, as brokers have it.
const REQUEST_BYTES_MAX: usize = 100 << 20;
/// Bytes of the buffer, which is used again for each read.
const BUFFER_BYTES: usize = 256 << 10;

/// Answers requests in their order until the peer goes.
///
/// # Errors
/// A socket that fails, or a request that can't be understood.
pub(crate) async fn serve(stream: StdStream, discard: Arc<Discard>) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let mut stream = TcpStream::from_std(stream)?;
    let mut buffer = BytesMut::with_capacity(BUFFER_BYTES);
    loop {
        let split = frame::split(&mut buffer, REQUEST_BYTES_MAX).map_err(io::Error::other)?;
        match split {
            // The frame is dropped with its answer, which gives the buffer's memory back.
            Split::Frame(request) => {
                let answer = discard.answer(&request).await.map_err(io::Error::other)?;
                drop(request);
                match answer {
                    Answer::Nothing => {}
                    Answer::Frame(mut bytes) => stream.write_all_buf(&mut bytes).await?,
                    Answer::Rope(mut rope) => stream.write_all_buf(&mut rope).await?,
                }
            }
            Split::Incomplete { missing } => {
                if buffer.capacity() - buffer.len() < missing {
                    buffer.reserve(missing.max(BUFFER_BYTES - buffer.len().min(BUFFER_BYTES)));
                }
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Ok(());
                }
            }
        }
    }
}
