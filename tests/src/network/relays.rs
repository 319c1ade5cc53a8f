//! Loopback addresses, and a relay in front of each broker, by which all others reach it: its
//! clients by one port, other brokers by another one. Who comes there says so in its hello.
//!
//! A relay carries streams, not packets: a connection is made to the relay, whatever becomes of
//! its bytes. What is cut waits, with those who want to connect and the news that a connection has
//! ended, until all is healed. A loss is what TCP makes of one: the stream stalls, for longer where
//! what is sent again is lost, too. What is too much for a rate waits with its sender.
//!
//! Must always hold: bytes of a stream keep their order, and none is left out before its end.

mod stream;

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener as StdListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::Instant;

use self::stream::{Ends, relay, sender_of};
use super::{Network, Ways, Whom};
use crate::broker::{Door, Doors, Site, free_port};
use crate::random::Random;

/// Where clients are, this process among them.
const OUTSIDE: usize = 0;
/// After so long TCP sends again what was lost, and after twice as long what is lost again.
const RESEND_AFTER: Duration = Duration::from_millis(200);
/// A packet isn't lost more often.
const LOSSES_MAX: u32 = 3;

/// Hosts that are numbered from 1.
#[derive(Debug)]
pub struct Relays {
    doors: Vec<Doors>,
    conditions: Conditions,
    /// What carries bytes, and ends with the value.
    _runtime: Runtime,
}

type Conditions = watch::Sender<Vec<Host>>;

/// What is done to a host.
#[derive(Debug, Clone, Default)]
struct Host {
    deaf_to: Option<Whom>,
    mute_to: Option<Whom>,
    lost_percent: u32,
    rate: Option<Arc<Rate>>,
    late: Duration,
}

/// What a host may send.
#[derive(Debug)]
struct Rate {
    bytes_per_second: u32,
    /// When everything has left that was let go.
    free: Mutex<Instant>,
}

impl Relays {
    /// So many hosts.
    ///
    /// # Errors
    /// Why that can't be.
    pub fn build(count: usize) -> Result<Self, String> {
        let said = |error: std::io::Error| error.to_string();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(said)?;
        let conditions = watch::channel(vec![Host::default(); count + 1]).0;
        let mut doors = Vec::new();
        for host in 1..=count {
            let open = |is_for_peers| {
                let front = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(said)?;
                front.set_nonblocking(true).map_err(said)?;
                let door = Door { port: free_port(), front: front.local_addr().map_err(said)? };
                let target = SocketAddrV4::new(address_of(host), door.port);
                let conditions = conditions.clone();
                runtime.spawn(serve(front, host, target, is_for_peers, conditions));
                Ok::<_, String>(door)
            };
            doors.push(Doors { clients: open(false)?, peers: open(true)? });
        }
        Ok(Self { doors, conditions, _runtime: runtime })
    }

    fn change(&self, host: usize, step: impl FnOnce(&mut Host)) {
        self.conditions.send_modify(|hosts| step(&mut hosts[host]));
    }
}

impl Network for Relays {
    fn site(&self, host: usize) -> Site {
        let doors = Some(self.doors[host - 1]);
        Site { host: address_of(host), doors, ..Site::default() }
    }

    fn cut(&mut self, host: usize, ways: Ways, whom: &Whom) -> Result<(), String> {
        let cut = |is_cut: bool| is_cut.then(|| whom.clone());
        self.change(host, |it| {
            it.deaf_to = cut(ways != Ways::Out);
            it.mute_to = cut(ways != Ways::In);
        });
        Ok(())
    }

    fn lose(&mut self, host: usize, percent: u32) -> Result<(), String> {
        self.change(host, |it| it.lost_percent = percent);
        Ok(())
    }

    fn limit(&mut self, host: usize, kilobits: u32) -> Result<(), String> {
        let bytes_per_second = kilobits * 1_000 / 8;
        let rate = Rate { bytes_per_second, free: Mutex::new(Instant::now()) };
        self.change(host, |it| it.rate = Some(Arc::new(rate)));
        Ok(())
    }

    fn delay(&mut self, host: usize, least: Duration, _: u64) -> Result<(), String> {
        self.change(host, |it| it.late = least);
        Ok(())
    }

    fn heal(&mut self, host: usize) {
        self.change(host, |it| *it = Host::default());
    }
}

/// Hosts have addresses of their own, and relays have that of everybody.
fn address_of(host: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, u8::try_from(host + 1).expect("a few hosts"))
}

/// Relays all connections to a host.
async fn serve(
    front: StdListener,
    host: usize,
    target: SocketAddrV4,
    is_for_peers: bool,
    conditions: Conditions,
) {
    let front = TcpListener::from_std(front).expect("it doesn't block");
    loop {
        // Where there is no handle left, who connects waits for one.
        let Ok((near, _)) = front.accept().await else { continue };
        let conditions = conditions.subscribe();
        tokio::spawn(async move {
            let ends = Ends { from: OUTSIDE, to: host };
            connect(near, target, ends, is_for_peers, &conditions).await
        });
    }
}

async fn connect(
    mut near: TcpStream,
    target: SocketAddrV4,
    mut ends: Ends,
    is_for_peers: bool,
    conditions: &watch::Receiver<Vec<Host>>,
) -> Option<()> {
    let mut head = None;
    if is_for_peers {
        (ends.from, head) = sender_of(&mut near).await?;
    }
    ends.wait_for_a_way(conditions).await?;
    // Who has gone meanwhile was never heard.
    let now = near.ready(Interest::READABLE | Interest::WRITABLE).await.ok()?;
    if now.is_read_closed() {
        return None;
    }
    let far = TcpStream::connect(target).await.ok()?;
    relay(near, far, head, ends, conditions).await;
    Some(())
}

/// Whether bytes go from one to the other.
fn is_open(hosts: &[Host], from: usize, to: usize) -> bool {
    let names = |whom: &Option<Whom>, other: usize| match whom {
        None => false,
        Some(Whom::All) => true,
        Some(Whom::Hosts(hosts)) => hosts.contains(&other),
    };
    let is_known = from.max(to) < hosts.len();
    is_known && !names(&hosts[from].mute_to, to) && !names(&hosts[to].deaf_to, from)
}

/// How long something waits on its way.
fn wait(hosts: &[Host], from: usize, to: usize, random: &mut Random) -> Duration {
    let late = hosts[from].late + hosts[to].late;
    let more = u32::try_from(random.below(1_000)).expect("a small number");
    let mut wait = late + late * more / 1_000;
    let percent = usize::try_from(hosts[to].lost_percent).expect("a small number");
    for losses in 0..LOSSES_MAX {
        if random.below(100) >= percent {
            break;
        }
        wait += RESEND_AFTER * 2_u32.pow(losses);
    }
    wait
}

impl Rate {
    /// When so many bytes have left, if they may go now.
    fn let_go(&self, bytes: usize) -> Instant {
        let bytes = u32::try_from(bytes).expect("a few");
        let takes = Duration::from_secs(1) * bytes / self.bytes_per_second;
        let mut free = self.free.lock().expect("nobody panics with it");
        *free = Instant::now().max(*free) + takes;
        *free
    }
}

#[cfg(test)]
mod tests;
