//! A broker: its replicas, its state store, its disk, its clock, and what a small honest host does
//! for each replica.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::chance::Chance;
use super::mirror::{Mirror, Places};
use super::network::BROKERS;
use super::plan::{PROMISE, TIMEOUT};
use crate::group::{Options, Role};
use crate::mutant::Mutant;
use crate::tests::node::{Node, Packet};
use crate::tests::world::Violation;
use crate::{Body, ReplicaId, Voters};

/// The id of the broker with an index.
pub(crate) fn name(at: usize) -> i32 {
    i32::try_from(at).unwrap() + 1
}

/// The index of the broker that has a replica.
pub(crate) fn place(id: ReplicaId) -> usize {
    usize::try_from(id.broker - 1).unwrap()
}

/// A message between brokers, with what its host adds.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) packet: Packet,
    /// When it was sent, by the sender's clock.
    pub(crate) sent: u64,
    /// Of an answer: when the leader sent what was last heard of it, by the leader's clock.
    pub(crate) answers: Option<u64>,
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
    /// When which leader sent what was last heard of it, by that leader's clock.
    pub(crate) leader_sent: Option<(ReplicaId, u64)>,
    /// When it sent the last that each broker has answered, since it leads.
    pub(crate) round_trips: [u64; BROKERS],
    /// In which epoch it was last seen to lead, and since when.
    pub(crate) led_in: i32,
    pub(crate) led_since: u64,
    /// In which epoch it last told somebody to take its office.
    pub(crate) handed_over_in: i32,
    /// Until when it may answer as the leader, in virtual time.
    pub(crate) lease_until: u64,
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
            leader_sent: None,
            round_trips: [0; BROKERS],
            led_in: -1,
            led_since: 0,
            handed_over_in: -1,
            lease_until: 0,
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
            message_bytes: 4,
            window_bytes: 8,
            window_messages: 4,
            patience_beats: 4,
        };
        self.node.begin(options, self.checkpoint, mutant);
        (self.heard, self.leader_sent, self.refuses_since) = (None, None, None);
        (self.led_in, self.told, self.lease_until) = (-1, 0, 0);
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

    /// Whether the leader was heard so lately that nobody else may be elected.
    pub(crate) fn hears(&self, now: u64) -> bool {
        self.heard.is_some_and(|heard| now < heard + TIMEOUT.0)
    }

    /// Whether it votes alone and has promised nothing yet.
    pub(crate) fn is_its_own_master(&self) -> bool {
        let group = self.node.group.as_ref();
        group.is_some_and(|it| it.epoch() < 0 && it.voters().all().eq([it.id()]))
    }

    /// Notes what a frame that has arrived says about the time.
    pub(crate) fn note(&mut self, frame: &Frame, now: u64, chance: &mut Chance) {
        let Some(group) = &self.node.group else { return };
        let message = &frame.packet.message;
        let is_current = message.to == group.id() && message.epoch == group.epoch();
        let role = group.role();
        match &message.body {
            Body::Append(_) | Body::Beat { .. } | Body::Reset(_)
                if is_current && role == Role::Follower(Some(message.from)) =>
            {
                self.heard = Some(now);
                self.leader_sent = Some((message.from, frame.sent));
                self.be_patient(now, chance);
            }
            Body::Vote(vote) if is_current && !vote.pre && group.vote == Some(message.from) => {
                self.be_patient(now, chance);
            }
            Body::Resigned if is_current && role == Role::Follower(None) => {
                self.heard = None;
                self.deadline = now + chance.below(TIMEOUT.0 / 4);
            }
            Body::AppendReply(_)
                if is_current && role == Role::Leader && group.voters().contains(message.from) =>
            {
                let trip = &mut self.round_trips[place(message.from)];
                *trip = frame.answers.unwrap_or(0).max(*trip);
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

    /// Whether a promise from before its start may still hold.
    pub(crate) fn is_new(&self, now: u64) -> bool {
        self.clock(now) < self.booted + PROMISE
    }

    /// The process has ended.
    pub(crate) fn end(&mut self) {
        self.boot += 1;
        self.is_up = false;
        self.frames.clear();
        self.dirty.clear();
        (self.storing, self.flushing, self.fails) = (0, false, false);
    }
}
