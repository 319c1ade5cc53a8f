//! Brokers that speak to each other over loopback, and some that only look like one.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

use logboom_protocol::VersionRange;
use logboom_protocol::peer::VERSIONS;
use logboom_protocol::units::Uuid;
use logboom_raft::{Beat, Message};
use logboom_storage::state::GroupKey;

use super::beats::{read_beats, write_beat};
use super::dial::{Dialler, read_words};
use super::frame::{Accepts, FrameBuilder, FrameKind, Split, split};
use super::hello::{Hello, Reason, Reply, Welcome};
use super::outbox::{GroupBox, Outbox as _};
use super::samples::{ENDS, data, empty_beat};
use super::socket::Ended;
use super::*;

mod strangers;

/// What doesn't happen within this time never will.
const NEVER: Duration = Duration::from_secs(60);

/// Runs a test on one thread, as a shard is run.
pub(super) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = LocalSet::new().block_on(&runtime, async { timeout(NEVER, test).await });
    done.expect("what the test waits for happens");
}

/// What all brokers of a test know.
#[derive(Debug, Default)]
pub(super) struct World {
    addresses: Mutex<HashMap<i32, (String, u16)>>,
    members: Mutex<HashMap<i32, Membership>>,
}

impl World {
    /// Brokers 1 to 3 are its members.
    pub(super) fn new() -> Arc<Self> {
        let world = Self::default();
        for node in 1..=3 {
            world.set_member(node, Membership::Member(identity(node, 1).id.directory));
        }
        Arc::new(world)
    }

    fn set_member(&self, node: i32, membership: Membership) {
        self.members.lock().unwrap().insert(node, membership);
    }

    fn set_port(&self, node: i32, port: u16) {
        self.set_address(node, "127.0.0.1", port);
    }

    fn set_address(&self, node: i32, host: &str, port: u16) {
        self.addresses.lock().unwrap().insert(node, (host.to_owned(), port));
    }
}

pub(super) fn identity(node: i32, run: u64) -> Identity {
    let directory = Uuid([u8::try_from(node).unwrap(); 16]);
    Identity {
        id: PeerId { node, directory, run },
        cluster: None,
        founding: None,
        named: Arc::default(),
        is_controller: true,
    }
}

struct TestRoster {
    this: Identity,
    world: Arc<World>,
}

impl Roster for TestRoster {
    fn this(&self) -> Identity {
        self.this.clone()
    }

    fn membership(&self, node: i32) -> Membership {
        let members = self.world.members.lock().unwrap();
        members.get(&node).copied().unwrap_or(Membership::Stranger)
    }

    fn addresses(&self, node: i32) -> Vec<(String, u16)> {
        self.world.addresses.lock().unwrap().get(&node).cloned().into_iter().collect()
    }
}

/// What a broker was told.
#[derive(Debug)]
pub(super) enum Told {
    Beats { shard: usize, from: PeerId, beats: Vec<(u8, Beat<GroupKey>)> },
    Groups { shard: usize, from: PeerId, messages: Vec<GroupMessage> },
    Connected { kind: Kind, peer: Identity },
    Disconnected { kind: Kind, peer: PeerId },
}

/// What answers calls.
pub(super) type Handler = Box<dyn Fn(PeerId, Bytes) -> Answer + Send + Sync>;

struct TestInbox {
    told: mpsc::UnboundedSender<Told>,
    handler: Handler,
}

impl TestInbox {
    fn tell(&self, told: Told) {
        drop(self.told.send(told));
    }
}

impl Inbox for TestInbox {
    fn beats(&self, shard: usize, from: PeerId, beats: Vec<(u8, Beat<GroupKey>)>, held: Held) {
        self.tell(Told::Beats { shard, from, beats });
        drop(held);
    }

    fn groups(&self, shard: usize, from: PeerId, messages: Vec<GroupMessage>, held: Held) {
        self.tell(Told::Groups { shard, from, messages });
        drop(held);
    }

    fn connected(&self, _shard: usize, kind: Kind, peer: &Identity) {
        self.tell(Told::Connected { kind, peer: peer.clone() });
    }

    fn disconnected(&self, _shard: usize, kind: Kind, peer: PeerId) {
        self.tell(Told::Disconnected { kind, peer });
    }

    fn call(&self, from: PeerId, request: Bytes) -> Answer {
        (self.handler)(from, request)
    }
}

/// A broker of a test; it stops with the value.
pub(super) struct Site {
    pub(super) peers: Arc<Peers>,
    port: u16,
    told: mpsc::UnboundedReceiver<Told>,
    running: JoinSet<()>,
    _stopping: watch::Sender<bool>,
}

impl Site {
    pub(super) fn start(world: &Arc<World>, this: Identity, shards: usize) -> Self {
        Self::start_with(world, this, shards, Box::new(|_, request| Box::pin(async { request })))
    }

    pub(super) fn start_with(
        world: &Arc<World>,
        this: Identity,
        shards: usize,
        handler: Handler,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        world.set_port(this.id.node, port);
        let (sender, told) = mpsc::unbounded_channel();
        let roster = Arc::new(TestRoster { this, world: Arc::clone(world) });
        let inbox = Arc::new(TestInbox { told: sender, handler });
        let limits = Limits { queued_bytes: 4 << 20, ..Limits::default() };
        let (peers, landings) = Peers::new(roster, inbox, shards, limits);
        let (stop, stopping) = watch::channel(false);
        let mut running = JoinSet::new();
        for landing in landings {
            running.spawn_local(Arc::clone(&peers).serve(landing, stopping.clone()));
        }
        let accepting = Arc::clone(&peers).accept(listener, stopping);
        running.spawn_local(async { accepting.await.unwrap() });
        Self { peers, port, told, running, _stopping: stop }
    }

    /// Ends all that it serves, but not its links.
    pub(super) async fn stop(mut self) {
        self.running.shutdown().await;
    }

    /// Waits for something that it is told; what else it is told is forgotten.
    pub(super) async fn until<T>(&mut self, mut is: impl FnMut(Told) -> Option<T>) -> T {
        loop {
            let told = self.told.recv().await.expect("it lives");
            if let Some(found) = is(told) {
                return found;
            }
        }
    }

    /// Waits until as many connections stand.
    pub(super) async fn connected(&mut self, count: usize) -> Vec<(Kind, Identity)> {
        let mut all = Vec::new();
        while all.len() < count {
            let connected = |told| match told {
                Told::Connected { kind, peer } => Some((kind, peer)),
                _ => None,
            };
            all.push(self.until(connected).await);
        }
        all
    }

    async fn disconnected(&mut self, count: usize) -> Vec<(Kind, PeerId)> {
        let mut all = Vec::new();
        while all.len() < count {
            let disconnected = |told| match told {
                Told::Disconnected { kind, peer } => Some((kind, peer)),
                _ => None,
            };
            all.push(self.until(disconnected).await);
        }
        all
    }

    /// Waits for messages of groups.
    async fn messages(&mut self) -> (usize, PeerId, Vec<GroupMessage>) {
        self.until(|told| match told {
            Told::Groups { shard, from, messages } => Some((shard, from, messages)),
            _ => None,
        })
        .await
    }
}

/// The hello of broker 1.
fn hello(kind: Kind) -> Hello {
    Hello { versions: VERSIONS, identity: identity(1, 1), kind, index: 0, count: 1 }
}

/// Says hello to a broker, and hears what it answers.
async fn greet(port: u16, hello: &Hello) -> (TcpStream, Reply) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(&hello.encode()).await.unwrap();
    let (first, body) = read_words(&mut stream).await.unwrap();
    (stream, Reply::decode(&first, body).unwrap())
}

/// The same, of one that is let in.
async fn join(port: u16, hello: &Hello) -> TcpStream {
    let (stream, reply) = greet(port, hello).await;
    assert!(reply.answer.is_ok(), "{reply:?}");
    stream
}

/// Waits until the other side has closed a connection.
async fn is_closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end as well.
    drop(stream.read_to_end(&mut rest).await);
    assert_eq!(rest, b"");
}

/// A frame with a message over [`ENDS`].
fn frame(number: u128) -> Bytes {
    let mut outbox = GroupBox::new(usize::MAX);
    outbox.open(ENDS, FRAME_BYTES_MIN);
    let (key, message) = data(number, 5);
    outbox.put(&key, &message, &[Bytes::from_static(b"records")]).unwrap();
    outbox.take().iter().flatten().copied().collect()
}

#[test]
fn what_is_offered_arrives_at_the_shards_of_its_lanes_in_order() {
    run(async {
        let world = World::new();
        let mut one = Site::start(&world, identity(1, 7), 1);
        let mut two = Site::start(&world, identity(2, 8), 3);
        let link = one.peers.link(0, 2);
        assert!(!link.beat(0, empty_beat(1)), "there is no connection yet");
        one.connected(2).await;
        let [by_groups, by_beats] = [Kind::Groups, Kind::Beats].map(|kind| link.peer(kind));
        assert_eq!((by_groups, by_beats), (Some(identity(2, 8).id), Some(identity(2, 8).id)));

        let records = [Bytes::from_static(b"abc"), Bytes::from_static(b"de")];
        for number in 0..200 {
            let (key, message) = data(number % 40, i64::try_from(number).unwrap());
            assert!(link.offer(&key, &message, &records));
        }
        (0..16).for_each(|lane| assert!(link.beat(lane, empty_beat(9))));

        let (mut messages, mut lanes) = (Vec::new(), HashSet::new());
        let from_one = identity(1, 7).id;
        while messages.len() < 200 || lanes.len() < 16 {
            match two.until(Some).await {
                Told::Groups { shard, from, messages: some } => {
                    assert_eq!(from, from_one);
                    assert!(some.iter().all(|it| shard_of(lane_of(&it.key), 3) == shard));
                    messages.extend(some);
                }
                Told::Beats { shard, from, beats } => {
                    assert_eq!(from, from_one);
                    assert!(beats.iter().all(|(lane, _)| shard_of(*lane, 3) == shard));
                    lanes.extend(beats.into_iter().map(|(lane, _)| lane));
                }
                other => panic!("{other:?}"),
            }
        }
        for number in 0..40 {
            let of_group = messages.iter().filter(|it| it.key == data(number, 0).0);
            let untils: Vec<Message> = of_group.map(|it| it.message.clone()).collect();
            let sent =
                (0..5).map(|turn| data(number, i64::try_from(number + turn * 40).unwrap()).1);
            assert_eq!(untils, sent.collect::<Vec<_>>());
        }
        assert!(messages.iter().all(|it| it.records == [Bytes::from_static(b"abcde")]));
    });
}

#[test]
fn both_sides_say_who_they_are() {
    run(async {
        let world = World::new();
        let voter = FoundingVoter { node: 2, directory: Uuid([2; 16]) };
        let (cluster, founding) = (Some(Uuid([5; 16])), Some(vec![voter].into()));
        let founder = Identity { cluster, founding, ..identity(2, 3) };
        let mut one = Site::start(&world, identity(1, 1), 1);
        let _two = Site::start(&world, founder.clone(), 1);
        let _link = one.peers.link(0, 2);
        let connected = one.connected(2).await;
        assert!(connected.iter().all(|(_, peer)| *peer == founder));
        let kinds: HashSet<_> = connected.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, HashSet::from([Kind::Beats, Kind::Groups]));
    });
}

#[test]
fn a_peer_that_restarts_is_seen_to_go_and_to_come_as_another() {
    run(async {
        let world = World::new();
        let mut one = Site::start(&world, identity(1, 1), 1);
        let two = Site::start(&world, identity(2, 1), 2);
        let link = one.peers.link(0, 2);
        one.connected(2).await;
        let (key, message) = data(1, 5);
        two.stop().await;
        let gone = one.disconnected(2).await;
        assert!(gone.iter().all(|(_, peer)| *peer == identity(2, 1).id));
        assert!(!link.offer(&key, &message, &[]) && !link.beat(0, empty_beat(1)));
        assert_eq!((link.room(), link.peer(Kind::Groups)), (0, None));

        let mut two = Site::start(&world, identity(2, 2), 1);
        let connected = one.connected(2).await;
        assert!(connected.iter().all(|(_, peer)| peer.id == identity(2, 2).id));
        assert!(link.offer(&key, &message, &[]));
        let (_, _, messages) = two.messages().await;
        assert_eq!(messages.len(), 1, "nothing of what was offered in between");
    });
}

#[test]
fn a_peer_that_comes_later_is_found() {
    run(async {
        let world = World::new();
        let mut one = Site::start(&world, identity(1, 1), 1);
        // Nobody says where it is, and then nobody listens there.
        let link = one.peers.link(0, 2);
        let closed = TcpListener::bind("127.0.0.1:0").unwrap();
        world.set_port(2, closed.local_addr().unwrap().port());
        drop(closed);
        let mut two = Site::start(&world, identity(2, 1), 1);
        one.connected(2).await;
        let (key, message) = data(1, 5);
        assert!(link.offer(&key, &message, &[]));
        two.messages().await;
    });
}

#[test]
fn a_name_is_looked_up() {
    run(async {
        let world = World::new();
        let mut one = Site::start(&world, identity(1, 1), 1);
        let two = Site::start(&world, identity(2, 1), 1);
        world.set_address(2, "localhost", two.port);
        let _link = one.peers.link(0, 2);
        one.connected(2).await;
    });
}

#[test]
fn a_link_that_is_dropped_ends_its_connections() {
    run(async {
        let world = World::new();
        let mut one = Site::start(&world, identity(1, 1), 1);
        let acceptor = TcpListener::bind("127.0.0.1:0").unwrap();
        acceptor.set_nonblocking(true).unwrap();
        world.set_port(2, acceptor.local_addr().unwrap().port());
        let acceptor = tokio::net::TcpListener::from_std(acceptor).unwrap();
        let link = one.peers.link(0, 2);
        let (_, first) = welcome(&acceptor, 2).await;
        let (_, second) = welcome(&acceptor, 2).await;
        one.connected(2).await;
        drop(link);
        is_closed(first).await;
        is_closed(second).await;
    });
}

/// Accepts a connection as the broker with this id, and lets it in.
async fn welcome(acceptor: &tokio::net::TcpListener, node: i32) -> (Hello, TcpStream) {
    let (mut stream, _) = acceptor.accept().await.unwrap();
    let (first, body) = read_words(&mut stream).await.unwrap();
    let hello = Hello::decode(&first, body).unwrap();
    let frame_bytes_max = u32::try_from(FRAME_BYTES_MIN).unwrap();
    let answer = Ok(Welcome { identity: identity(node, 1), frame_bytes_max });
    let reply = Reply { versions: VERSIONS, answer };
    stream.write_all(&reply.encode()).await.unwrap();
    (hello, stream)
}

/// Reads the beats of one frame.
async fn next_beats(stream: &mut TcpStream, buffer: &mut BytesMut) -> Vec<(u8, Beat<GroupKey>)> {
    let accepts = Accepts::of(Kind::Beats, 0);
    loop {
        match split(buffer, &accepts).unwrap() {
            Split::Frame(frame) => return read_beats(&frame).unwrap(),
            Split::Missing(_) => assert_ne!(stream.read_buf(buffer).await.unwrap(), 0),
        }
    }
}

#[test]
fn data_that_nobody_takes_does_not_hold_up_beats() {
    run(async {
        let world = World::new();
        let mut one = Site::start(&world, identity(1, 1), 1);
        let acceptor = TcpListener::bind("127.0.0.1:0").unwrap();
        acceptor.set_nonblocking(true).unwrap();
        world.set_port(2, acceptor.local_addr().unwrap().port());
        let acceptor = tokio::net::TcpListener::from_std(acceptor).unwrap();
        let link = one.peers.link(0, 2);
        let mut streams = HashMap::new();
        for _ in 0..2 {
            let (hello, stream) = welcome(&acceptor, 2).await;
            streams.insert(hello.kind, stream);
        }
        one.connected(2).await;
        let beats = streams.get_mut(&Kind::Beats).unwrap();
        let (key, message) = data(1, 5);
        let records = [Bytes::from(vec![0; 64 << 10])];
        let mut buffer = BytesMut::new();
        // Until nothing moves any more on the connection of groups, which isn't read from: neither
        // the link nor the system has room.
        let mut sequence = 0;
        for _ in 0..1_000 {
            sequence += 1;
            let mut taken = 0;
            while link.offer(&key, &message, &records) {
                taken += 1;
            }
            assert!(taken <= 65, "the queue has a bound");
            assert!(link.beat(0, empty_beat(sequence)));
            assert_eq!(next_beats(beats, &mut buffer).await, [(0, empty_beat(sequence))]);
            if taken == 0 {
                return;
            }
        }
        panic!("the system takes whatever is written");
    });
}

#[test]
fn a_newer_connection_takes_the_place_of_the_one_before_it() {
    run(async {
        let world = World::new();
        let mut two = Site::start(&world, identity(2, 1), 1);
        let of_run = |run| Hello { identity: identity(1, run), ..hello(Kind::Groups) };
        let first = join(two.port, &of_run(5)).await;
        let other_kind = join(two.port, &hello(Kind::Beats)).await;
        let mut second = join(two.port, &of_run(6)).await;
        is_closed(first).await;
        // One of an earlier start comes too late.
        is_closed(join(two.port, &of_run(5)).await).await;
        second.write_all(&frame(3)).await.unwrap();
        let (_, from, messages) = two.messages().await;
        assert_eq!((from.run, messages[0].key), (6, data(3, 5).0));
        drop(other_kind);
    });
}

#[test]
fn a_frame_may_arrive_in_pieces_and_many_at_once() {
    run(async {
        let world = World::new();
        let mut two = Site::start(&world, identity(2, 1), 1);
        let mut stream = join(two.port, &hello(Kind::Groups)).await;
        for byte in frame(1) {
            stream.write_all(&[byte]).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        let many: Vec<u8> = (2..300).flat_map(frame).collect();
        stream.write_all(&many).await.unwrap();
        let mut keys = Vec::new();
        while keys.len() < 299 {
            let (_, _, messages) = two.messages().await;
            keys.extend(messages.into_iter().map(|it| it.key));
        }
        let sent = (1..300).map(|number| data(number, 5).0);
        assert_eq!(keys, sent.collect::<Vec<_>>());
    });
}

#[test]
fn the_largest_batch_arrives() {
    run(async {
        let world = World::new();
        let mut one = Site::start(&world, identity(1, 1), 1);
        let mut two = Site::start(&world, identity(2, 1), 1);
        let link = one.peers.link(0, 2);
        one.connected(2).await;
        let (key, message) = data(1, 5);
        let batch = [Bytes::from(vec![5; FRAME_BYTES_MIN - 1_000])];
        assert!(link.room() < batch[0].len() && link.offer(&key, &message, &batch));
        let (_, _, messages) = two.messages().await;
        assert!(messages[0].records == batch);
        let larger = Bytes::from(vec![5; FRAME_BYTES_MIN]);
        assert!(!link.offer(&key, &message, &[larger]));
    });
}
