//! What readers hold of requests that have no room yet.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};

use futures_util::FutureExt as _;
use tokio::runtime;
use tokio::task::yield_now;

use super::super::doors::Limits;
use super::*;
use crate::metrics::Metrics;

/// Bytes of a request, and how many requests are sent together.
const REQUEST_BYTES: usize = 1_000;
const REQUESTS: usize = 10;

fn doors(queued_bytes: usize) -> Arc<Doors> {
    let limits = Limits { request_bytes: 64 << 10, queued_bytes };
    Doors::new(limits, Arc::new(Metrics::default()))
}

/// A client that has sent requests, and who reads them.
fn sent(listener: &TcpListener, doors: &Arc<Doors>) -> (TcpStream, FrameReader) {
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let accepted = listener.accept().unwrap().0;
    accepted.set_nonblocking(true).unwrap();
    let (read, _) = tokio::net::TcpStream::from_std(accepted).unwrap().into_split();
    for number in 0..REQUESTS {
        let mut request = vec![u8::try_from(number).unwrap(); REQUEST_BYTES];
        let length = i32::try_from(REQUEST_BYTES - PREFIX_BYTES).unwrap();
        request[..PREFIX_BYTES].copy_from_slice(&length.to_be_bytes());
        // ApiVersions.
        request[PREFIX_BYTES..HEAD_BYTES].copy_from_slice(&18_i16.to_be_bytes());
        client.write_all(&request).unwrap();
    }
    (client, FrameReader::new(read, Arc::clone(doors)))
}

/// Reads until a request waits for its room.
async fn read_until_it_waits(reader: &mut FrameReader) {
    while reader.buffer.is_empty() {
        assert!(reader.next().now_or_never().is_none());
        yield_now().await;
    }
    assert!(reader.next().now_or_never().is_none());
}

async fn takes_all(mut reader: FrameReader) {
    for number in 0..REQUESTS {
        let frame = reader.next().await.unwrap();
        assert_eq!(frame.bytes.len(), REQUEST_BYTES - PREFIX_BYTES);
        assert_eq!(usize::from(*frame.bytes.last().unwrap()), number);
    }
}

fn block_on(test: impl Future<Output = ()>) {
    runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn requests_that_wait_for_room_stay_in_their_sockets() {
    block_on(async {
        // One buffer may land.
        let doors = doors(64 << 10);
        let queued_bytes = || doors.metrics.queued_bytes.get();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut held = Vec::new();
        while let Some(permit) = doors.try_make_room(1, true) {
            held.push(permit);
        }
        let full = queued_bytes();
        let mut clients: Vec<_> = (0..10).map(|_| sent(&listener, &doors)).collect();
        for (_, reader) in &mut clients {
            read_until_it_waits(reader).await;
        }
        let buffered = clients.iter().map(|(_, reader)| reader.buffer.len()).sum::<usize>();
        assert!(buffered <= WHOLE_BYTES_MAX + 9 * HEAD_BYTES, "{buffered} bytes");
        assert_eq!(queued_bytes(), full + (16 << 10));
        drop(held);
        for (_client, reader) in clients {
            takes_all(reader).await;
        }
        assert_eq!(queued_bytes(), 0);
    });
}

#[test]
fn requests_behind_one_that_is_not_answered_are_counted() {
    block_on(async {
        let doors = doors(64 << 10);
        let queued_bytes = || doors.metrics.queued_bytes.get();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut clients: Vec<_> = (0..10).map(|_| sent(&listener, &doors)).collect();
        let mut first = Vec::new();
        for (_, reader) in &mut clients {
            first.push(reader.next().await.unwrap());
        }
        let buffered = clients.iter().map(|(_, reader)| reader.buffer.len()).sum::<usize>();
        assert_eq!(buffered, REQUEST_BYTES * (REQUESTS - 1), "of the first client");
        assert_eq!(queued_bytes(), (10 * 4 + 16) << 10);
        // Who comes to its last request gives it back.
        let (_client, mut reader) = clients.swap_remove(0);
        for _ in 1..REQUESTS {
            reader.next().await.unwrap();
        }
        assert_eq!(queued_bytes(), 40 << 10);
        drop(first);
        assert_eq!(queued_bytes(), 0);
    });
}
