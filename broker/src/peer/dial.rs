//! Dialling: from a broker's id to a connection on which both sides have said hello.
//!
//! Must always hold: attempts have pauses between them that grow up to a second; each asks anew
//! where the broker listens. What goes wrong is said once, and again when it is something else.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use logboom_protocol::peer::VERSIONS;

use super::Peers;
use super::codec::Ends;
use super::hello::{self, FIRST_BYTES, First, Hello, Reason, Reply};
use super::roster::{Identity, Kind};
use super::socket::{self, Ended};
use crate::node::random_bytes;

/// How long an address may take to answer.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// How long the first words may take, each way.
pub(super) const HELLO_MAX: Duration = Duration::from_secs(5);
/// The first pause between attempts, and the longest; each is twice the last.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// The most addresses that one attempt tries.
const ADDRESSES_MAX: usize = 8;
/// The most names that are looked up at once, each by a thread that waits for it.
const LOOKUPS_MAX: usize = 2;

/// What those who dial have in common.
#[derive(Debug)]
pub(super) struct Dialling {
    lookups: Semaphore,
    peers: Mutex<HashMap<i32, Dialled>>,
}

/// A broker that is dialled.
#[derive(Debug, Default)]
struct Dialled {
    /// Told when it has dialled this one: it is there.
    seen: Arc<Notify>,
    /// What was said last of why it can't be reached.
    said: Option<String>,
}

impl Dialling {
    pub(super) fn new() -> Self {
        Self { lookups: Semaphore::new(LOOKUPS_MAX), peers: Mutex::default() }
    }

    /// A broker has dialled this one.
    pub(super) fn saw(&self, node: i32) {
        if let Some(dialled) = self.lock().get(&node) {
            dialled.seen.notify_waiters();
        }
    }

    fn seen(&self, node: i32) -> Arc<Notify> {
        Arc::clone(&self.lock().entry(node).or_default().seen)
    }

    /// Takes notice of what keeps a broker from being reached, or `None` if nothing does; returns
    /// whether that is something else than before.
    fn note(&self, node: i32, what: Option<String>) -> bool {
        let mut peers = self.lock();
        let said = &mut peers.entry(node).or_default().said;
        let is_other = *said != what;
        *said = what;
        is_other
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Dialled>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Dials one broker for one connection, again and again.
pub(super) struct Dialler {
    peers: Arc<Peers>,
    node: i32,
    kind: Kind,
    /// Which shard, of how many.
    index: usize,
    count: usize,
    seen: Arc<Notify>,
    pause: Pause,
}

/// A connection that stands.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) peer: Identity,
    /// This broker, and the other one.
    pub(super) ends: Ends,
    /// The most bytes of a frame that the other one takes.
    pub(super) frame_bytes_max: usize,
}

impl Dialler {
    pub(super) fn new(peers: Arc<Peers>, node: i32, kind: Kind, shard: usize) -> Self {
        let (index, count) = match kind {
            Kind::Beats | Kind::Groups => (shard, peers.shards()),
            Kind::Calls => (0, 1),
        };
        let seen = peers.dialling.seen(node);
        Self { peers, node, kind, index, count, seen, pause: Pause::default() }
    }

    pub(super) fn peers(&self) -> &Arc<Peers> {
        &self.peers
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Dials until a connection stands. To be cancelled where the connection isn't wanted any more.
    pub(super) async fn connect(&mut self) -> Connection {
        loop {
            if let Some(pause) = self.pause.next(Instant::now()) {
                tokio::select! {
                    () = sleep(pause) => {}
                    () = self.seen.notified() => {}
                }
            }
            match self.attempt().await {
                Ok(connection) => {
                    self.pause.connected(Instant::now());
                    let peer = connection.peer.id;
                    if self.peers.dialling.note(self.node, None) {
                        tracing::info!(%peer, "connected to another broker again");
                    }
                    tracing::debug!(%peer, kind = %self.kind, shard = self.index, "connected");
                    return connection;
                }
                Err(reason) => self.note(&reason, "not connected to another broker"),
            }
        }
    }

    /// A connection has ended.
    pub(super) fn ended(&self, reason: &Ended) {
        self.note(reason, "a connection to another broker has ended");
    }

    fn note(&self, reason: &Ended, what: &'static str) {
        let Self { node, kind, index, .. } = self;
        let reason = reason.to_string();
        if self.peers.dialling.note(*node, Some(reason.clone())) {
            tracing::warn!(broker = node, %kind, %reason, "{what}");
        } else {
            tracing::debug!(broker = node, %kind, shard = index, %reason, "{what}");
        }
    }

    /// Tries each address of the broker once.
    pub(super) async fn attempt(&self) -> Result<Connection, Ended> {
        let mut failure = Ended::NoAddress;
        for address in self.addresses().await? {
            let stream = timeout(CONNECT_MAX, TcpStream::connect(address)).await;
            let greeted = match stream {
                Err(_) => Err(Ended::Stalled),
                Ok(Err(error)) => Err(error.into()),
                Ok(Ok(stream)) => {
                    timeout(HELLO_MAX, self.greet(stream)).await.unwrap_or(Err(Ended::Stalled))
                }
            };
            match greeted {
                Ok(connection) => return Ok(connection),
                Err(reason) => failure = reason,
            }
        }
        Err(failure)
    }

    /// All that the names stand for; why there is none, where no name stands for any.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, Ended> {
        let (mut found, mut failure) = (Vec::new(), Ended::NoAddress);
        for (host, port) in self.peers.roster.addresses(self.node) {
            match self.resolve(&host, port).await {
                Ok(addresses) => found.extend(addresses),
                Err(reason) => failure = reason,
            }
        }
        if found.is_empty() { Err(failure) } else { Ok(found) }
    }

    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Ended> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let _permit = self.peers.dialling.lookups.acquire().await;
        // Not given up before it ends: the thread that waits for it wouldn't be free.
        Ok(lookup_host((host, port)).await?.take(ADDRESSES_MAX).collect())
    }

    async fn greet(&self, mut stream: TcpStream) -> Result<Connection, Ended> {
        socket::prepare(&stream)?;
        let this = self.peers.roster.this();
        let [index, count] =
            [self.index, self.count].map(|number| u16::try_from(number).unwrap_or(u16::MAX));
        let hello =
            Hello { versions: VERSIONS, identity: this.clone(), kind: self.kind, index, count };
        stream.write_all(&hello.encode()).await?;
        let (first, body) = read_words(&mut stream).await?;
        let Reply { versions, answer } = Reply::decode(&first, body)?;
        let welcome = answer?;
        let peer = welcome.identity;
        if peer.id.node != self.node {
            let sentence = format!("broker {} answers in its place", peer.id.node);
            return Err(Reason::Node.because(sentence).into());
        }
        let membership = self.peers.roster.membership(self.node);
        let version = hello::check(&this, &peer, versions, self.kind, membership)?;
        let end = |it: &Identity| (it.id.node, it.id.directory);
        let ends = Ends { from: end(&this), to: end(&peer), version };
        let frame_bytes_max = usize::try_from(welcome.frame_bytes_max).unwrap_or(usize::MAX);
        Ok(Connection { stream, peer, ends, frame_bytes_max })
    }
}

/// Reads a hello or a reply, as its first bytes and its body.
pub(super) async fn read_words(
    stream: &mut TcpStream,
) -> Result<([u8; FIRST_BYTES], Bytes), Ended> {
    let mut first = [0; FIRST_BYTES];
    stream.read_exact(&mut first).await?;
    let First { body_bytes, .. } = First::read(first)?;
    // Below its limit, which is small.
    let mut body = vec![0; body_bytes];
    stream.read_exact(&mut body).await?;
    Ok((first, body.into()))
}

/// Pauses between attempts.
#[derive(Debug, Default)]
struct Pause {
    /// The last one; zero before the first attempt.
    last: Duration,
    begun: bool,
    connected: Option<Instant>,
}

impl Pause {
    /// How long to wait before the next attempt; `None` before the first.
    fn next(&mut self, now: Instant) -> Option<Duration> {
        if !std::mem::replace(&mut self.begun, true) {
            return None;
        }
        // A connection that ends at once is as good as none.
        if self.connected.take().is_some_and(|since| now - since >= PAUSE_MAX) {
            self.last = Duration::ZERO;
        }
        self.last = (self.last * 2).clamp(PAUSE_MIN, PAUSE_MAX);
        // Between half of it and all: brokers that lost one another don't knock together.
        let [random] = random_bytes();
        Some(self.last.mul_f64(0.5 + f64::from(random) / 512.0))
    }

    fn connected(&mut self, now: Instant) {
        self.connected = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_begin_anew_after_a_connection_that_lasted() {
        let now = Instant::now();
        let mut pause = Pause::default();
        assert_eq!(pause.next(now), None, "the first attempt is made at once");
        for most in [50, 100, 200, 400, 800, 1_000, 1_000] {
            let most = Duration::from_millis(most);
            let next = pause.next(now).unwrap();
            assert!((most / 2..=most).contains(&next), "{next:?} of {most:?}");
        }
        pause.connected(now);
        assert!(pause.next(now).unwrap() >= PAUSE_MAX / 2, "it ended at once");
        pause.connected(now);
        assert!(pause.next(now + PAUSE_MAX).unwrap() <= PAUSE_MIN);
    }

    #[test]
    fn what_goes_wrong_is_said_when_it_is_something_else() {
        let dialling = Dialling::new();
        let note = |node, what: Option<&str>| dialling.note(node, what.map(str::to_owned));
        assert!(note(1, Some("refused")) && note(2, Some("refused")));
        assert!(!note(1, Some("refused")) && note(1, Some("no address")));
        assert!(note(1, None) && !note(1, None) && note(1, Some("no address")));
    }
}
