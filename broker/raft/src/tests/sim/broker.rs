//! A broker: its replicas, its state store, its disk, its clock, and what a small honest host does
//! for each replica.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::chance::Chance;
use super::mirror::{Mirror, Places};
use super::network::BROKERS;
use super::plan::{MILLISECOND, PROMISE, RANK, TIMEOUT};
use crate::group::{Options, Role};
use crate::mutant::Mutant;
use crate::tests::node::Node;
use crate::tests::world::Violation;
use crate::{Body, Message, Named, Pair, Position, ReplicaId, Voters};

/// The id of the broker with an index.
pub(crate) fn name(at: usize) -> i32 {
    i32::try_from(at).unwrap() + 1
}

/// The index of the broker that has a replica.
pub(crate) fn place(id: ReplicaId) -> usize {
    usize::try_from(id.broker - 1).unwrap()
}

/// Where a group that is led here rests, at the brokers at which it sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rest {
    pub(crate) epoch: i32,
    pub(crate) end: Position,
    pub(crate) log_start: i64,
}

/// Where a group sleeps that is led elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asleep {
    /// The leader's broker.
    pub(crate) under: usize,
    pub(crate) epoch: i32,
    pub(crate) end: Position,
}

/// A replica, and what its host knows of it.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) node: Node,
    pub(crate) mirror: Mirror,
    /// How often its log was cut or reset: a flush from before doesn't count.
    pub(crate) cuts: u64,
    /// A high watermark that was written down.
    pub(crate) checkpoint: i64,
    /// When its leader was last heard, by the broker's clock.
    pub(crate) heard: Option<u64>,
    /// When its patience ends.
    pub(crate) deadline: u64,
    /// Where it sleeps, and then it has no patience that could end.
    pub(crate) asleep: Option<Asleep>,
    /// Where it rests, if it leads and sleeps at some broker.
    pub(crate) rest: Option<Rest>,
    /// The first beat to each broker that counts for its lease.
    pub(crate) since: [Option<u64>; BROKERS],
    /// In which epoch it was last seen to lead, and since when.
    pub(crate) led_in: i32,
    pub(crate) led_since: u64,
    /// The version of the wish that it was told.
    pub(crate) told: i64,
    /// Since when it leads and takes no records.
    pub(crate) refuses_since: Option<u64>,
}

impl Replica {
    pub(crate) fn new(id: ReplicaId, voters: Arc<Voters>) -> Self {
        Self {
            node: Node::new(id, voters),
            mirror: Mirror::new(),
            cuts: 0,
            checkpoint: 0,
            heard: None,
            deadline: 0,
            asleep: None,
            rest: None,
            since: [None; BROKERS],
            led_in: -1,
            led_since: 0,
            told: 0,
            refuses_since: None,
        }
    }

    /// A life of it after this one, without a memory of it.
    pub(crate) fn reborn(&self) -> Self {
        let id = ReplicaId { life: self.node.id.life + 1, ..self.node.id };
        Self::new(id, Arc::new(Voters::of([])))
    }

    pub(crate) fn start(
        &mut self,
        caching: bool,
        now: u64,
        chance: &mut Chance,
        mutant: Option<Mutant>,
    ) {
        let options = Options {
            caching,
            own_cached: caching,
            message_bytes: 4,
            window_bytes: 8,
            window_messages: 4,
            patience_beats: 4,
        };
        self.node.begin(options, self.checkpoint, mutant);
        (self.heard, self.asleep, self.rest) = (None, None, None);
        (self.led_in, self.told, self.refuses_since) = (-1, 0, None);
        self.be_patient(now, chance);
    }

    /// Its process or its machine is gone.
    ///
    /// - `loses`: what wasn't flushed is lost but for a part of it.
    pub(crate) fn crash(
        &mut self,
        loses: bool,
        caching: bool,
        chance: &mut Chance,
        places: &mut Places,
    ) -> Result<(), Violation> {
        self.node.group = None;
        self.node.frames.clear();
        self.cuts += 1;
        if loses {
            let end = self.node.end();
            let unflushed = (end - self.node.flushed).cast_unsigned();
            let kept = chance.below(unflushed + 1).cast_signed();
            self.node.tear(self.node.flushed + kept);
            self.node.state.lossy |= caching;
            self.checkpoint = self.checkpoint.min(self.node.end());
        }
        self.mirror.reset(self.node.state.start, places)?;
        self.mirror.follow(&self.node, places)
    }

    pub(crate) fn be_patient(&mut self, now: u64, chance: &mut Chance) {
        self.deadline = now + chance.between(TIMEOUT.0, TIMEOUT.1);
    }

    /// Its leader is gone: who campaigns first is agreed, the others come later.
    ///
    /// - `turn`: any number that differs from group to group.
    pub(crate) fn lose_leader(&mut self, now: u64, turn: usize, chance: &mut Chance) {
        let Some(group) = &self.node.group else { return };
        let voters = group.voters();
        let rank = voters.rank(group.id(), group.leader(), None, turn).unwrap_or(0) as u64;
        self.heard = None;
        self.deadline = now + rank * RANK + chance.below(MILLISECOND);
    }

    /// The broker whose replica it follows.
    pub(crate) fn follows(&self) -> Option<usize> {
        self.node.group.as_ref()?.leader().map(place)
    }

    /// Whether it votes alone and has promised nothing yet.
    pub(crate) fn is_its_own_master(&self) -> bool {
        let group = self.node.group.as_ref();
        group.is_some_and(|it| it.epoch() < 0 && it.voters().all().eq([it.id()]))
    }

    /// Notes what a message that has arrived says about the time.
    pub(crate) fn note(&mut self, message: &Message, now: u64, chance: &mut Chance) {
        let Some(group) = &self.node.group else { return };
        let is_current = message.to == group.id() && message.epoch == group.epoch();
        let role = group.role();
        match &message.body {
            Body::Append(_) | Body::Beat { .. } | Body::Reset(_)
                if is_current && role == Role::Follower(Some(message.from)) =>
            {
                self.heard = Some(now);
                self.be_patient(now, chance);
            }
            Body::Vote(vote) if is_current && !vote.pre && group.vote == Some(message.from) => {
                self.be_patient(now, chance);
            }
            Body::Resigned if is_current && role == Role::Follower(None) => {
                self.heard = None;
                self.deadline = now + chance.below(TIMEOUT.0 / 4);
            }
            _ => {}
        }
    }
}

/// A broker.
#[derive(Debug)]
pub(crate) struct Broker {
    /// Grows with each start, and with each end of a process.
    pub(crate) boot: u32,
    pub(crate) is_up: bool,
    pub(crate) booted: u64,
    /// Until when its machine stands still.
    pub(crate) stands_until: u64,
    /// How fast its clock runs, in thousandths.
    pub(crate) speed: u64,
    pub(crate) turns: u64,
    /// One for each group.
    pub(crate) replicas: Vec<Replica>,
    /// What this start of it knows of each broker; its own has no use.
    pub(crate) pairs: Vec<Pair<u32>>,
    /// Groups that are awake, for the next beat to each broker.
    pub(crate) named: [Vec<Named<u32>>; BROKERS],
    /// Which brokers were there at the last turn.
    pub(crate) there: [bool; BROKERS],
    /// Groups with a frame of the state store that isn't durable, in the order of the frames.
    pub(crate) frames: VecDeque<usize>,
    /// How many of them are being flushed.
    pub(crate) storing: usize,
    /// Groups with records to flush.
    pub(crate) dirty: Vec<usize>,
    pub(crate) flushing: bool,
    /// Until when flushes take a hundred times as long.
    pub(crate) slow_until: u64,
    /// Whether the next flush of records fails.
    pub(crate) fails: bool,
}

impl Broker {
    pub(crate) fn new(speed: u64) -> Self {
        Self {
            boot: 0,
            is_up: false,
            booted: 0,
            stands_until: 0,
            speed,
            turns: 0,
            replicas: vec![],
            pairs: vec![],
            named: Default::default(),
            there: [false; BROKERS],
            frames: VecDeque::new(),
            storing: 0,
            dirty: vec![],
            flushing: false,
            slow_until: 0,
            fails: false,
        }
    }

    /// What its clock shows.
    pub(crate) fn clock(&self, now: u64) -> u64 {
        now * self.speed / 1000
    }

    /// The same, as pairs of brokers measure it.
    pub(crate) fn milliseconds(&self, now: u64) -> u64 {
        self.clock(now) / MILLISECOND
    }

    /// Whether the leader of a group was heard so lately that nobody else may be elected.
    pub(crate) fn hears(&self, group: usize, now: u64) -> bool {
        let replica = &self.replicas[group];
        let sleeps = |asleep: Asleep| self.pairs[asleep.under].is_heard(self.milliseconds(now));
        let heard = |heard: u64| self.clock(now) < heard + TIMEOUT.0;
        replica.asleep.is_some_and(sleeps) || replica.heard.is_some_and(heard)
    }

    /// Whether a promise from before its start may still hold.
    pub(crate) fn is_new(&self, now: u64) -> bool {
        self.clock(now) < self.booted + PROMISE
    }

    /// The process has ended.
    pub(crate) fn end(&mut self) {
        self.boot += 1;
        self.is_up = false;
        self.named = Default::default();
        self.frames.clear();
        self.dirty.clear();
        (self.storing, self.flushing, self.fails) = (0, false, false);
    }
}
