//! Connections that other brokers make: their hello, and the shard on which each is served.
//!
//! Must always hold: there is at most one connection of a peer, a kind and one of its shards, and
//! a bounded number of those that have said nothing yet or are of strangers; the newest takes the
//! place of the one before it, which is likely dead.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use logboom_protocol::peer::VERSIONS;

use super::Peers;
use super::calls;
use super::codec::Ends;
use super::dial::{HELLO_MAX, read_words};
use super::hello::{self, Hello, Reason, Refusal, Reply, Welcome};
use super::receive::Receiver;
use super::roster::{Identity, Kind, Membership, PeerId};
use super::socket::{self, Ended};
use crate::server::Sparingly;

/// The most connections that haven't said hello.
pub(super) const GREETING_MAX: usize = 64;
/// The most connections of brokers that aren't known.
pub(super) const STRANGERS_MAX: usize = 16;
/// How long accepting rests where the process has no more file descriptors.
const REST: Duration = Duration::from_millis(100);

/// Refusals are told now and then: the other side tries again.
static REFUSED: Sparingly = Sparingly::new();
/// So are failures to accept, and what a peer ends its connection with.
static FAILED: Sparingly = Sparingly::new();
static ENDED: Sparingly = Sparingly::new();

/// A connection on its way to its shard.
#[derive(Debug)]
pub(crate) struct Incoming {
    stream: std::net::TcpStream,
    from: PeerId,
    ends: Ends,
    kind: Kind,
    /// Which of its shards has it.
    index: u16,
    /// Of one who isn't known.
    stranger: Option<OwnedSemaphorePermit>,
}

/// Where a shard finds the connections that are its own.
#[derive(Debug)]
pub(crate) struct Landing(pub(super) mpsc::UnboundedReceiver<Incoming>);

/// Accepts until the broker stops.
pub(super) async fn accept(
    peers: Arc<Peers>,
    listener: TcpListener,
    mut stopping: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(GREETING_MAX));
    // They end with it.
    let mut greetings = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = greetings.join_next() => continue,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        match accepted {
            Ok((stream, address)) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    say_refused(&address, &"too many connections that say nothing");
                    continue;
                };
                let peers = Arc::clone(&peers);
                greetings.spawn(async move {
                    let greeted = timeout(HELLO_MAX, greet(&peers, stream)).await;
                    if let Err(reason) = greeted.unwrap_or(Err(Ended::Stalled)) {
                        say_refused(&address, &reason);
                    }
                    drop(place);
                });
            }
            Err(error) => {
                if let Some(passed_over) = FAILED.allow() {
                    tracing::warn!(%error, passed_over, "accept another broker");
                }
                tokio::time::sleep(REST).await;
            }
        }
    }
}

fn say_refused(address: &std::net::SocketAddr, reason: &dyn std::fmt::Display) {
    if let Some(passed_over) = REFUSED.allow() {
        let what = "a connection on the listener for brokers is refused";
        tracing::warn!(%address, %reason, passed_over, "{what}");
    }
}

/// Hears a hello, answers it, and hands the connection to its shard.
async fn greet(peers: &Peers, mut stream: TcpStream) -> Result<(), Ended> {
    socket::prepare(&stream)?;
    let (first, body) = read_words(&mut stream).await?;
    let hello = Hello::decode(&first, body)?;
    let this = peers.roster.this();
    let judged = judge(peers, &this, &hello);
    let frame_bytes_max = u32::try_from(peers.limits.frame_bytes).unwrap_or(u32::MAX);
    let answer = match &judged {
        Ok(_) => Ok(Welcome { identity: this.clone(), frame_bytes_max }),
        Err(refusal) => Err(refusal.clone()),
    };
    stream.write_all(&Reply { versions: VERSIONS, answer }.encode()).await?;
    let (version, stranger) = judged?;
    let Hello { identity, kind, index, .. } = hello;
    let end = |id: PeerId| (id.node, id.directory);
    let ends = Ends { from: end(identity.id), to: end(this.id), version };
    peers.dialling.saw(identity.id.node);
    let stream = stream.into_std()?;
    let shard = usize::from(index) % peers.shards();
    let incoming = Incoming { stream, from: identity.id, ends, kind, index, stranger };
    // A shard that has ended drops it.
    drop(peers.landings[shard].send(incoming));
    Ok(())
}

/// Whether the one who says hello is let in, and in which version it is spoken to; a stranger gets
/// one of the places for such.
fn judge(
    peers: &Peers,
    this: &Identity,
    hello: &Hello,
) -> Result<(i16, Option<OwnedSemaphorePermit>), Refusal> {
    let Hello { versions, identity, kind, .. } = hello;
    let membership = peers.roster.membership(identity.id.node);
    let version = hello::check(this, identity, *versions, *kind, membership)?;
    if membership != Membership::Stranger {
        return Ok((version, None));
    }
    let place = Arc::clone(&peers.strangers).try_acquire_owned();
    let full = |_| Reason::Full.because("too many unknown brokers are connected".to_owned());
    place.map(|place| (version, Some(place))).map_err(full)
}

/// Which connection it is, of those that a broker may have here.
type Slot = (i32, Kind, u16);

/// Serves the connections that land on a shard until the broker stops; within a `LocalSet`.
pub(super) async fn serve_shard(
    peers: Arc<Peers>,
    mut landing: Landing,
    mut stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let mut slots: HashMap<Slot, (u64, AbortHandle)> = HashMap::new();
    loop {
        let incoming = tokio::select! {
            incoming = landing.0.recv() => incoming,
            Some(_) = connections.join_next() => continue,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        let Some(incoming) = incoming else { return };
        slots.retain(|_, (_, handle)| !handle.is_finished());
        let (slot, run) = ((incoming.from.node, incoming.kind, incoming.index), incoming.from.run);
        if slots.get(&slot).is_some_and(|(served, _)| *served > run) {
            // It is late: what is served is of a later start.
            continue;
        }
        let handle = connections.spawn_local(serve(Arc::clone(&peers), incoming));
        if let Some((_, last)) = slots.insert(slot, (run, handle)) {
            last.abort();
        }
    }
}

/// Serves a connection until it ends.
async fn serve(peers: Arc<Peers>, incoming: Incoming) {
    let Incoming { stream, from, ends, kind, stranger, .. } = incoming;
    let reason = match TcpStream::from_std(stream) {
        Err(error) => error.into(),
        Ok(stream) if kind == Kind::Calls => calls::serve(&peers, from, stream).await,
        Ok(stream) => Receiver { peers, from, ends, kind }.run(stream).await,
    };
    drop(stranger);
    match reason {
        Ended::Closed | Ended::Io(_) => tracing::debug!(peer = %from, %kind, %reason, "ended"),
        _ => {
            if let Some(passed_over) = ENDED.allow() {
                let what = "a connection of another broker is closed";
                tracing::warn!(peer = %from, %kind, %reason, passed_over, "{what}");
            }
        }
    }
}
