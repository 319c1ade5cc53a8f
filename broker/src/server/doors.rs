//! How much comes in: connections in all and per address, bytes of requests that are not answered.
//!
//! ```text
//!   request         may take room in
//!   whole, ≤ 16 KiB       whole ▶ middle ▶ any
//!   ≤ 1 MiB               middle ▶ any
//!   greater               any
//! ```
//!
//! A request takes all its room at once, when its length is known and before its bytes are there,
//! so that no two wait for each other. What arrives slowly would keep others out, hence the shares:
//! who has sent all of a small request never stands behind those who haven't. And hence the rule of
//! [`BytesPermit::keeps_others_out`]: whoever holds room that others wait for must go on sending.
//!
//! The first bytes of requests land before their length is known, up to 16 KiB of them. Those
//! that stay while their request waits for room, or stands behind another, are [`Landed`]: a
//! sixteenth of all room is theirs, and nobody waits for it. Where it is taken, no more is read of
//! a request than says how long it is.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::Metrics;

/// Limits of connections, which may change while they are open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// The most connections (`max.connections`).
    pub(crate) all: usize,
    /// The most connections of one address (`max.connections.per.ip`).
    pub(crate) per_ip: usize,
}

/// Limits of requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The most bytes of a request (`socket.request.max.bytes`).
    pub(crate) request_bytes: usize,
    /// The most bytes of requests that are being read or are not answered
    /// (`queued.max.request.bytes`).
    pub(crate) queued_bytes: usize,
}

/// Bytes for which one permit stands.
const UNIT_BYTES: usize = 4096;
/// The most bytes of a request that arrives whole, at once.
pub(super) const WHOLE_BYTES_MAX: usize = 16 << 10;
/// The most bytes of a request of the second share.
const MIDDLE_BYTES_MAX: usize = 1 << 20;
/// The second share, and half of it the first, are one part in so many of all room.
const MIDDLE_PART: usize = 8;

/// The doors of a broker.
#[derive(Debug)]
pub(crate) struct Doors {
    limits: Limits,
    pub(super) metrics: Arc<Metrics>,
    connections: Mutex<Connections>,
    /// For requests that are there, for middling ones, and for any, in this order.
    shares: [Share; 3],
    /// Buffers that are [`Landed`], and about how many may be.
    landed: AtomicUsize,
    landed_max: usize,
}

#[derive(Debug, Default)]
struct Connections {
    all: usize,
    of_address: HashMap<IpAddr, usize>,
}

/// A part of the room.
#[derive(Debug)]
struct Share {
    units: Arc<Semaphore>,
    /// How many wait for it.
    waiting: AtomicUsize,
}

/// A connection that was let in; given back with the value.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    doors: Arc<Doors>,
    address: IpAddr,
}

/// A buffer of first bytes that have no room of a request's; counted until the value is dropped.
#[derive(Debug)]
pub(super) struct Landed {
    doors: Arc<Doors>,
}

/// Room for the bytes of a request; given back with the value.
#[derive(Debug)]
pub(crate) struct BytesPermit {
    permit: OwnedSemaphorePermit,
    doors: Arc<Doors>,
    share: usize,
}

impl Share {
    fn new(bytes: usize) -> Self {
        let units = bytes.div_ceil(UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(units)), waiting: AtomicUsize::new(0) }
    }
}

/// Counts one that waits, for as long as it does.
pub(super) struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    pub(super) fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Doors {
    pub(crate) fn new(limits: Limits, metrics: Arc<Metrics>) -> Arc<Self> {
        let Limits { queued_bytes, request_bytes } = limits;
        // A request of the greatest size of each share must fit.
        let whole = (queued_bytes / MIDDLE_PART / 2).max(WHOLE_BYTES_MAX);
        let middle = (queued_bytes / MIDDLE_PART).max(MIDDLE_BYTES_MAX.min(request_bytes));
        let (landing, landed) = (whole, AtomicUsize::new(0));
        let any = queued_bytes.saturating_sub(whole + middle + landing).max(request_bytes);
        let prefix = UNIT_BYTES;
        let shares = [whole, middle, any].map(|bytes| Share::new(bytes.saturating_add(prefix)));
        let (connections, landed_max) = (Mutex::default(), landing / WHOLE_BYTES_MAX);
        Arc::new(Self { limits, metrics, connections, shares, landed, landed_max })
    }

    /// The most bytes of a request.
    pub(crate) fn request_bytes_max(&self) -> usize {
        self.limits.request_bytes
    }

    /// Lets a connection in, if there is room for it.
    pub(crate) fn connect(
        self: &Arc<Self>,
        address: IpAddr,
        limits: ConnectionLimits,
    ) -> Option<ConnectionPermit> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = connections.of_address.get(&address).copied().unwrap_or(0);
        if connections.all >= limits.all || of_address >= limits.per_ip {
            self.metrics.connections_refused.add(1);
            return None;
        }
        connections.all += 1;
        connections.of_address.insert(address, of_address + 1);
        self.metrics.connections_accepted.add(1);
        self.metrics.connections_open.move_by(1);
        Some(ConnectionPermit { doors: Arc::clone(self), address })
    }

    /// Whether first bytes of a request may be read that then may have to stay.
    pub(super) fn may_land(&self) -> bool {
        self.landed.load(Ordering::Relaxed) < self.landed_max
    }

    /// Counts a buffer of such bytes; those that other threads read at the same time may be beyond
    /// the limit.
    pub(super) fn land(self: &Arc<Self>) -> Landed {
        self.landed.fetch_add(1, Ordering::Relaxed);
        self.metrics.queued_bytes.move_by(Landed::bytes());
        Landed { doors: Arc::clone(self) }
    }

    /// Room for a request, if there is some at once.
    ///
    /// - `bytes`: of the whole frame, the limit of requests at the most.
    /// - `is_whole`: whether all of them are there.
    pub(crate) fn try_make_room(
        self: &Arc<Self>,
        bytes: usize,
        is_whole: bool,
    ) -> Option<BytesPermit> {
        let shares = self.shares.iter().enumerate().skip(first_share(bytes, is_whole));
        let found = shares.map(|(share, Share { units: free, .. })| {
            let permit = Arc::clone(free).try_acquire_many_owned(units(bytes));
            permit.ok().map(|permit| self.let_in(permit, share))
        });
        found.flatten().next()
    }

    /// Waits for room for a request, as for [`Self::try_make_room`]. Cancel-safe: whoever is
    /// cancelled holds nothing.
    pub(crate) async fn make_room(self: &Arc<Self>, bytes: usize, is_whole: bool) -> BytesPermit {
        if let Some(permit) = self.try_make_room(bytes, is_whole) {
            return permit;
        }
        let first = first_share(bytes, is_whole);
        let _waits = Waits::new(&self.shares[first].waiting);
        let acquire =
            |share: usize| Arc::clone(&self.shares[share].units).acquire_many_owned(units(bytes));
        let (permit, share) = tokio::select! {
            biased;
            permit = acquire(0), if first == 0 => (permit, 0),
            permit = acquire(1), if first <= 1 => (permit, 1),
            permit = acquire(2) => (permit, 2),
        };
        self.let_in(permit.expect("nobody closes a share"), share)
    }

    fn let_in(self: &Arc<Self>, permit: OwnedSemaphorePermit, share: usize) -> BytesPermit {
        let permit = BytesPermit { permit, doors: Arc::clone(self), share };
        self.metrics.queued_bytes.move_by(permit.bytes());
        permit
    }
}

/// The first share in which such a request may take room.
fn first_share(bytes: usize, is_whole: bool) -> usize {
    match bytes {
        ..=WHOLE_BYTES_MAX if is_whole => 0,
        ..=MIDDLE_BYTES_MAX => 1,
        _ => 2,
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

impl Landed {
    fn bytes() -> i64 {
        i64::try_from(WHOLE_BYTES_MAX).unwrap_or(i64::MAX)
    }
}

impl Drop for Landed {
    fn drop(&mut self) {
        self.doors.landed.fetch_sub(1, Ordering::Relaxed);
        self.doors.metrics.queued_bytes.move_by(-Self::bytes());
    }
}

impl BytesPermit {
    /// Whether somebody waits for the room that this takes.
    pub(crate) fn keeps_others_out(&self) -> bool {
        // Who waits for a share would take room in those behind it as well.
        let before = &self.doors.shares[..=self.share];
        before.iter().any(|share| share.waiting.load(Ordering::Relaxed) > 0)
    }

    fn bytes(&self) -> i64 {
        i64::try_from(self.permit.num_permits() * UNIT_BYTES).unwrap_or(i64::MAX)
    }
}

impl Drop for BytesPermit {
    fn drop(&mut self) {
        self.doors.metrics.queued_bytes.move_by(-self.bytes());
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut connections = self.doors.connections.lock().unwrap_or_else(PoisonError::into_inner);
        self.doors.metrics.connections_open.move_by(-1);
        connections.all -= 1;
        if let Some(count) = connections.of_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                connections.of_address.remove(&self.address);
            }
        }
    }
}
