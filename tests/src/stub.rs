//! A broker of one topic in memory: enough for one producer, or one consumer that is assigned its
//! partitions by hand.
//!
//! It keeps what is produced as the bytes that came, and serves batches that it is given. Nothing
//! is checked, so that a test can look at exactly what a client sends; what the stub cannot answer
//! is an entry of [`Stub::complaints`] and the end of the connection.

mod answers;
mod fetch;

use std::io::{self, Read as _, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};

use logboom_protocol::frame::{self, Split};
use logboom_protocol::messages::fetch::AbortedTransaction;
use logboom_protocol::records::RawBatches;

/// The name of the only topic.
pub const TOPIC: &str = "logboom";
/// The epoch in which the stub leads all partitions.
pub const LEADER_EPOCH: i32 = 5;

const FRAME_BYTES_MAX: usize = 16 << 20;
const READ_BYTES: usize = 64 << 10;

/// What the stub serves, and keeps, of one partition.
#[derive(Debug, Clone, Default)]
pub struct Partition {
    /// The offset of the first record, inclusive.
    pub start_offset: i64,
    /// The batches to serve, with their offsets stamped, from the start offset on without gaps.
    pub batches: Vec<Bytes>,
    /// The aborted transactions among them.
    pub aborted: Vec<AbortedTransaction>,
    /// What producers sent, a run of bytes a request.
    pub produced: Vec<Bytes>,
}

/// A running stub; it ends when it is dropped.
#[derive(Debug)]
pub struct Stub {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    state: Mutex<State>,
    /// Notified when the stub stops, for fetches that wait.
    stopping: Condvar,
}

#[derive(Debug)]
struct State {
    partitions: Vec<Partition>,
    complaints: Vec<String>,
    connections: Vec<(TcpStream, JoinHandle<()>)>,
    stopped: bool,
}

impl Stub {
    /// Starts a stub on a free port of the loopback interface.
    ///
    /// # Errors
    /// A socket that cannot be had.
    pub fn start(partitions: Vec<Partition>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state =
            State { partitions, complaints: Vec::new(), connections: Vec::new(), stopped: false };
        let shared =
            Arc::new(Shared { address, state: Mutex::new(state), stopping: Condvar::new() });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// What clients take as `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        self.address.to_string()
    }

    /// What was produced so far, a list of batches for each partition.
    ///
    /// # Panics
    /// If what a client sent is not a run of batches.
    pub fn produced(&self) -> Vec<Vec<Bytes>> {
        let batches = |bytes: &Bytes| -> Vec<Bytes> {
            let split = RawBatches::new(bytes).map(|batch| bytes.slice_ref(batch.unwrap().bytes()));
            split.collect()
        };
        let state = self.shared.lock();
        let all = state.partitions.iter().map(|one| one.produced.iter().flat_map(batches));
        all.map(Iterator::collect).collect()
    }

    /// What clients sent that the stub could not answer.
    pub fn complaints(&self) -> Vec<String> {
        self.shared.lock().complaints.clone()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.stopping.notify_all();
        // The acceptor looks at `stopped` after each connection, so give it one.
        let woken = TcpStream::connect(self.address).is_ok();
        if let (true, Some(acceptor)) = (woken, self.acceptor.take()) {
            acceptor.join().expect("the acceptor does not panic");
        }
        let connections = std::mem::take(&mut self.shared.lock().connections);
        for (stream, thread) in connections {
            // The client may have closed it already.
            let _closed = stream.shutdown(Shutdown::Both);
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "a connection of the stub panicked");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A connection that panicked fails the test when the stub is dropped.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the stub stops, but not longer than a client wants to wait for records.
    fn wait(&self, timeout: Duration) {
        let running = |state: &mut State| !state.stopped;
        drop(self.stopping.wait_timeout_while(self.lock(), timeout, running));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let mut state = shared.lock();
        if state.stopped {
            return;
        }
        let Ok((stream, ours)) = stream.and_then(|one| Ok((one.try_clone()?, one))) else {
            state.complaints.push("a connection could not be accepted".to_owned());
            continue;
        };
        let thread = thread::spawn({
            let shared = Arc::clone(shared);
            move || serve(stream, &shared)
        });
        state.connections.push((ours, thread));
    }
}

/// Answers the requests of one connection in order until the client or the stub closes it.
fn serve(mut stream: TcpStream, shared: &Shared) {
    let mut buffer = BytesMut::new();
    let mut chunk = vec![0; READ_BYTES];
    loop {
        match frame::split(&mut buffer, FRAME_BYTES_MAX) {
            Ok(Split::Frame(request)) => match answers::answer(&request, shared) {
                Ok(Some(response)) => {
                    if write(&mut stream, response).is_err() {
                        return;
                    }
                }
                Ok(None) => {}
                Err(complaint) => return complain(&stream, shared, complaint),
            },
            Ok(Split::Incomplete { .. }) => match stream.read(&mut chunk) {
                Ok(0) | Err(_) => return,
                Ok(count) => buffer.extend_from_slice(&chunk[..count]),
            },
            Err(error) => return complain(&stream, shared, error.to_string()),
        }
    }
}

fn complain(stream: &TcpStream, shared: &Shared, complaint: String) {
    shared.lock().complaints.push(complaint);
    let _closed = stream.shutdown(Shutdown::Both);
}

fn write(stream: &mut TcpStream, mut response: answers::Response) -> io::Result<()> {
    while response.has_remaining() {
        let count = stream.write(response.chunk())?;
        response.advance(count);
    }
    Ok(())
}
