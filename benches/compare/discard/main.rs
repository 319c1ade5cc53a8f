//! The discard broker: it speaks the protocol, acknowledges and stores nothing.
//!
//! `discard --listen HOST:PORT` serves until it is killed. What a client reaches against it is the
//! ceiling of that client on that machine. The largest batch that was produced to a partition is
//! kept and served over and over with the right offsets, so that a consumer meets the same records
//! here as at the brokers beside which this one is run.
//!
//! A thread a processor, connections spread over them in turn, as in our broker.

mod answers;
mod connection;
mod topics;

use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use answers::Discard;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [flag, address] = &arguments[..] else { return usage() };
    if flag != "--listen" {
        return usage();
    }
    let Err(error) = serve(address);
    drop(writeln!(io::stderr(), "discard: {address}: {error}"));
    ExitCode::FAILURE
}

fn usage() -> ExitCode {
    drop(writeln!(io::stderr(), "usage: discard --listen HOST:PORT"));
    ExitCode::from(2)
}

/// Accepts for as long as the process lives.
fn serve(address: &str) -> io::Result<std::convert::Infallible> {
    let listener = TcpListener::bind(address)?;
    let discard = Arc::new(Discard::new(listener.local_addr()?));
    let count = thread::available_parallelism()?.get();
    let workers =
        (0..count).map(|_| worker(Arc::clone(&discard))).collect::<io::Result<Vec<_>>>()?;
    let mut turns = workers.iter().cycle();
    loop {
        let (stream, _) = listener.accept()?;
        if let Some(worker) = turns.next() {
            worker.send(stream).map_err(|_| io::Error::other("a worker has ended"))?;
        }
    }
}

/// Starts a thread that serves the streams that it is sent.
fn worker(discard: Arc<Discard>) -> io::Result<mpsc::UnboundedSender<TcpStream>> {
    let (sender, mut streams) = mpsc::unbounded_channel::<TcpStream>();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("discard".into()).spawn(move || {
        let local = LocalSet::new();
        local.block_on(&runtime, async move {
            while let Some(stream) = streams.recv().await {
                // A connection that fails is one that has gone.
                let connection = connection::serve(stream, Arc::clone(&discard));
                tokio::task::spawn_local(async move { drop(connection.await) });
            }
        });
    })?;
    Ok(sender)
}
