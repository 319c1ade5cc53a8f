//! A relay between a client and a broker that makes trouble at a given byte.
//!
//! Bytes are counted over all connections, in each direction by itself, so that a test can try
//! every byte of an exchange. The trouble comes once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::BrokerAddress;

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Towards {
    /// What the client sends.
    Broker,
    /// What the broker answers.
    Client,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The connection ends behind the byte.
    Cut,
    /// The same, and the broker gets all that the client has sent over it a second time.
    CutAndRepeat,
    /// Nothing goes on for so long.
    Delay(Duration),
}

/// Where it goes wrong.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// In which direction.
    pub towards: Towards,
    /// Behind so many bytes.
    pub at: u64,
    /// What.
    pub trouble: Trouble,
}

/// A relay on loopback that runs until the test ends.
#[derive(Debug)]
pub struct Relay {
    /// Where it listens.
    pub address: BrokerAddress,
    listener: TcpListener,
}

/// What the connections of a relay share.
#[derive(Debug, Default)]
pub struct Passed {
    towards_broker: AtomicU64,
    towards_client: AtomicU64,
    is_over: AtomicBool,
}

impl Passed {
    /// Whether the trouble has come.
    #[must_use]
    pub fn has_come(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Bytes that have passed so far.
    #[must_use]
    pub fn bytes(&self, towards: Towards) -> u64 {
        self.counter(towards).load(Ordering::SeqCst)
    }

    fn counter(&self, towards: Towards) -> &AtomicU64 {
        match towards {
            Towards::Broker => &self.towards_broker,
            Towards::Client => &self.towards_client,
        }
    }
}

impl Relay {
    /// Takes a port.
    pub async fn bind() -> Self {
        Self::bind_at(0).await
    }

    /// Takes that port, which whoever relayed before it has left.
    pub async fn bind_at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { address: BrokerAddress { host: "127.0.0.1".to_owned(), port }, listener }
    }

    /// Relays to a broker; what it returns counts.
    pub fn run(self, broker: BrokerAddress, fault: Option<Fault>) -> Arc<Passed> {
        let passed = Arc::<Passed>::default();
        let shared = Arc::clone(&passed);
        tokio::spawn(async move {
            while let Ok((client, _)) = self.listener.accept().await {
                tokio::spawn(relay(client, broker.clone(), fault, Arc::clone(&shared)));
            }
        });
        passed
    }
}

/// What a connection has carried, for who sends it again.
type Sent = Arc<Mutex<Vec<u8>>>;

async fn relay(
    client: TcpStream,
    address: BrokerAddress,
    fault: Option<Fault>,
    passed: Arc<Passed>,
) {
    let connect = || TcpStream::connect((address.host.as_str(), address.port));
    let Ok(broker) = connect().await else { return };
    let (client_reads, client_writes) = client.into_split();
    let (broker_reads, broker_writes) = broker.into_split();
    let sent = Sent::default();
    let pump = |towards, from, to, sent| Pump { towards, from, to, fault, sent, passed: &passed };
    let there = pump(Towards::Broker, client_reads, broker_writes, Some(Arc::clone(&sent)));
    let back = pump(Towards::Client, broker_reads, client_writes, None);
    let repeats = tokio::select! {
        repeats = there.run() => repeats,
        repeats = back.run() => repeats,
    };
    if repeats && let Ok(mut again) = connect().await {
        let sent = sent.lock().unwrap().clone();
        // The broker may have enough of it, and may not.
        if again.write_all(&sent).await.is_ok() && again.shutdown().await.is_ok() {
            tokio::io::copy(&mut again, &mut tokio::io::sink()).await.ok();
        }
    }
}

struct Pump<'a> {
    towards: Towards,
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    fault: Option<Fault>,
    sent: Option<Sent>,
    passed: &'a Passed,
}

impl Pump<'_> {
    /// Relays until the connection ends; whether all of it is to be sent again.
    async fn run(mut self) -> bool {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let Ok(read) = self.from.read(&mut buffer).await else { return false };
            if read == 0 {
                return false;
            }
            let bytes = read as u64;
            let before = self.passed.counter(self.towards).fetch_add(bytes, Ordering::SeqCst);
            let here = |fault: &Fault| {
                fault.towards == self.towards && (before..before + bytes).contains(&fault.at)
            };
            let fault = self.fault.filter(here).filter(|_| {
                // Once.
                !self.passed.is_over.swap(true, Ordering::SeqCst)
            });
            let first = fault.map_or(read, |fault| usize::try_from(fault.at - before).unwrap() + 1);
            if !self.pass(&buffer[..first]).await {
                return false;
            }
            match fault.map(|fault| fault.trouble) {
                None => {}
                Some(Trouble::Cut) => return false,
                Some(Trouble::CutAndRepeat) => return true,
                Some(Trouble::Delay(time)) => {
                    tokio::time::sleep(time).await;
                    if !self.pass(&buffer[first..read]).await {
                        return false;
                    }
                }
            }
        }
    }

    async fn pass(&mut self, bytes: &[u8]) -> bool {
        if let Some(sent) = &self.sent {
            sent.lock().unwrap().extend_from_slice(bytes);
        }
        self.to.write_all(bytes).await.is_ok()
    }
}
