//! A replica of a group of several, as a host sees it: what the others say to it, what it says to
//! them, and the records that go along.
//!
//! Must always hold: records are sent as they stand in the log, and appended as they were sent.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use logboom_controller::record::{LeaderReport, NO_BROKER};
use logboom_protocol::records::{BatchError, CheckedBatch, RawBatches, StampedBatch};
use logboom_protocol::units::{LeaderEpoch, Offset, Uuid};
use logboom_raft::{Append, Body, Content, Message, Position, ReplicaId, Role, Voters, Write};
use logboom_storage::StorageError;
use logboom_storage::producers::{Producers, ProducersOptions};
use logboom_storage::state::GroupKey;

use super::command::Electorate;
use super::feed::{Feeds, Read, Tail, gap};
use super::hands::Hands;
use super::lanes::Handovers;
use super::pursuit::Pursuit;
use super::replica::{Replica, is_final, size};

/// Where a group sleeps that is led elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asleep {
    /// The leader's broker.
    pub(super) under: i32,
    pub(super) epoch: i32,
    pub(super) end: Position,
}

/// Where a group that is led here rests, at the brokers at which it sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) epoch: i32,
    pub(super) end: Position,
    pub(super) log_start: i64,
}

/// What the voters are to be, and which of them is to lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) voters: Arc<[ReplicaId]>,
    /// Grows with each wish.
    pub(crate) generation: i64,
    /// The broker that is preferred as the leader.
    pub(crate) leader: i32,
    /// Whether it is to lead as soon as it can, whoever leads now.
    pub(crate) is_wished: bool,
}

impl Wish {
    /// The voters from before a change that is under way.
    pub(super) fn back_to(voters: &Voters) -> Self {
        let (before, generation) = (Arc::clone(&voters.outgoing), voters.generation);
        Self { voters: before, generation, leader: NO_BROKER, is_wished: false }
    }
}

/// What the host of a replica knows of the others. Times are milliseconds of
/// [`boot_ms`](crate::clock::boot_ms).
#[derive(Debug, Default)]
pub(super) struct Member {
    /// What the group wants to say.
    pub(super) outgoing: Vec<Message>,
    /// What it knows as a leader; nothing where it sleeps under another one.
    pub(super) office: Option<Box<Office>>,
    /// Whether the replica was created in this start of the broker.
    pub(super) is_new: bool,
    /// When its leader was last heard.
    pub(super) heard: Option<u64>,
    /// When its patience with a silent leader ends.
    pub(super) deadline: u64,
    /// When that is looked at next, if it is.
    pub(super) next_look: Option<u64>,
    /// When it campaigned, until it has found a leader and sleeps, or has records to take.
    pub(super) campaigns_since: Option<u64>,
    /// Where it sleeps, and then it has no patience that could end.
    pub(super) asleep: Option<Asleep>,
    /// Whether its leader is to ask how it stands: it hasn't been told yet whether it only votes.
    pub(super) is_to_be_asked: bool,
    /// Since when it waits, damaged, for anybody to lead.
    pub(super) leaderless: Option<u64>,
    pub(super) wish: Option<Wish>,
    /// Who is to have the log without a vote.
    pub(super) observers: Arc<[ReplicaId]>,
    /// Replicas that have said in which life they are, which nobody else knows of those that come
    /// back.
    pub(super) lives: Vec<ReplicaId>,
    /// To whom it was handed over, and what came of it.
    pub(super) handovers: Handovers,
    /// What was appended lately.
    pub(super) tail: Tail,
}

/// What the host of a leader knows, apart because most replicas follow. Times are those of
/// [`Member`].
#[derive(Debug, Default)]
pub(super) struct Office {
    /// In which epoch it was last seen to lead, and since when.
    pub(super) led: Option<(i32, u64)>,
    /// Where its log ended then.
    pub(super) led_from: i64,
    /// The brokers whose replicas are in sync, this one's included; nothing until the first entry
    /// of its epoch is committed.
    pub(super) in_sync: Vec<i32>,
    /// The brokers whose replicas only vote, as they said. They count for what is acknowledged and
    /// as in sync, because they have what they have flushed; but they aren't to lead.
    pub(super) held_back: Vec<i32>,
    /// How far the others are.
    pub(super) pursuit: Box<Pursuit>,
    /// Where it rests, if it sleeps at some broker.
    pub(super) rest: Option<Rest>,
    /// The first beat to each broker that counts for its lease.
    pub(super) since: Vec<(i32, u64)>,
    /// The generation of the wish that its group was told.
    pub(super) told: Option<i64>,
    /// Whether its group was told who is to have the log without a vote.
    pub(super) is_told_observers: bool,
    /// What was last reported: epoch, control sequence of the voters, and who is in sync.
    reported: Option<(i32, i64, Vec<i32>)>,
    /// What the others were told at once to be committed.
    told_commit: Option<Position>,
    /// Since when it takes no records.
    pub(super) refuses_since: Option<u64>,
    /// What is read for followers.
    pub(super) feeds: Feeds,
}

impl Member {
    /// What it knows as a leader, from now on if it didn't.
    pub(super) fn in_office(&mut self) -> &mut Office {
        self.office.get_or_insert_default()
    }

    /// While it leads: the brokers whose replicas are in sync, as far as they are known.
    pub(super) fn in_sync(&self) -> &[i32] {
        self.office.as_ref().map_or(&[], |office| &office.in_sync)
    }

    /// The first beat to a broker that counts.
    pub(super) fn since(&self, broker: i32) -> Option<u64> {
        self.office.as_ref().and_then(|office| since(&office.since, broker))
    }

    /// The beat with this number is the first that counts, if none was before.
    pub(super) fn count_from(&mut self, broker: i32, beat: u64) {
        let counted = &mut self.in_office().since;
        if since(counted, broker).is_none() {
            counted.push((broker, beat));
        }
    }

    /// A replica has said in which life it is; returns whether that is news.
    pub(super) fn learn_life(&mut self, id: ReplicaId) -> bool {
        let known = self.lives.iter().position(|known| is_same_place(known, &id));
        match known {
            Some(at) if self.lives[at].life >= id.life => return false,
            Some(at) => self.lives[at] = id,
            None => self.lives.push(id),
        }
        // What is wanted is told anew.
        self.tell_anew();
        true
    }

    /// What is wanted is told to the group once more.
    pub(super) fn tell_anew(&mut self) {
        if let Some(office) = &mut self.office {
            (office.told, office.is_told_observers) = (None, false);
        }
    }

    /// Whether it is wanted that a replica has the log.
    pub(super) fn wants(&self, id: &ReplicaId) -> bool {
        let wished = self.wish.iter().flat_map(|wish| wish.voters.iter());
        wished.chain(self.observers.iter()).any(|wanted| is_same_place(wanted, id))
    }

    /// The brokers whose replicas are in sync and may lead, and this one, which does.
    pub(super) fn fit(&self) -> impl Iterator<Item = i32> {
        let office = self.office.iter();
        office.flat_map(|it| it.in_sync.iter().filter(|id| !it.held_back.contains(id)).copied())
    }

    /// As of when a broker's replica was last known to have all that was committed.
    pub(super) fn last_caught_up(&self, broker: i32) -> Option<u64> {
        self.office.as_ref().and_then(|office| office.pursuit.as_of(broker))
    }

    /// No beat to a broker counts any more.
    pub(super) fn discount(&mut self, broker: i32) {
        self.office.iter_mut().for_each(|it| it.since.retain(|(id, _)| *id != broker));
    }
}

/// What is noted of a broker.
fn since(all: &[(i32, u64)], broker: i32) -> Option<u64> {
    all.iter().find(|(id, _)| *id == broker).map(|(_, since)| *since)
}

/// Whether two are replicas of one group on the same broker, in the same directory.
pub(super) fn is_same_place(a: &ReplicaId, b: &ReplicaId) -> bool {
    (a.broker, a.directory) == (b.broker, b.directory)
}

/// Why records that came aren't appended.
#[derive(Debug)]
enum Unfit {
    Batch(BatchError),
    /// They aren't where the message says.
    Place {
        expected: i64,
        found: i64,
    },
    Epoch {
        expected: i32,
        found: i32,
    },
    Storage(StorageError),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch(error) => error.fmt(f),
            Self::Place { expected, found } => write!(f, "offset {found} in place of {expected}"),
            Self::Epoch { expected, found } => write!(f, "epoch {found} in place of {expected}"),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl Replica {
    /// A message has arrived, with its records.
    ///
    /// - `heard`: as for [`Group::step`](logboom_raft::Group::step).
    pub(super) fn hear(&mut self, message: &Message, records: &Bytes, heard: bool, hands: &Hands) {
        if let Body::Reset(_) = message.body {
            let options = ProducersOptions::default();
            match Producers::load(records, &self.partition.key, options) {
                Ok(producers) => self.tasks.set_producers(producers),
                Err(error) => return self.refuse(message, &error),
            }
        }
        let mut effects = self.effects();
        self.group.step(message, heard, &mut effects);
        if let Some(write) = effects.write.take() {
            // What the step asks for comes first, and is no barrier where there is a write.
            match self.append_as_sent(write, records, hands) {
                Ok(()) => {
                    self.say_what_counts();
                    self.group.written(write.until, &mut effects);
                }
                Err(Unfit::Storage(StorageError::NoSpace { .. })) => {}
                Err(Unfit::Storage(error)) if is_final(&error) => {
                    self.follow(&mut effects, hands);
                    return self.on_failed(&error, hands);
                }
                Err(error) => self.refuse(message, &error),
            }
        }
        self.follow(&mut effects, hands);
    }

    fn refuse(&self, message: &Message, why: &dyn fmt::Display) {
        let (partition, from) = (self.partition.key, message.from);
        tracing::warn!(%partition, %from, %why, "records of the leader are not taken");
    }

    /// Appends the records that follow the end of the log.
    fn append_as_sent(
        &mut self,
        write: Write,
        records: &Bytes,
        hands: &Hands,
    ) -> Result<(), Unfit> {
        let Write { from, until, .. } = write;
        let (mut next, mut batches) = (from, Vec::new());
        for batch in RawBatches::new(records) {
            let batch = batch.map_err(Unfit::Batch)?;
            let header = batch.header();
            let end = header.base_offset + i64::from(header.last_offset_delta) + 1;
            if end <= from {
                // It is here already.
                continue;
            }
            if header.base_offset < from && header.record_count == 0 {
                let part = gap(from, end, header.leader_epoch);
                batches.push(self.stamped(part, from)?);
                next = end;
                continue;
            }
            if header.base_offset != next {
                return Err(Unfit::Place { expected: next, found: header.base_offset });
            }
            if header.leader_epoch != self.log.epoch() {
                let (expected, found) = (self.log.epoch(), header.leader_epoch);
                return Err(Unfit::Epoch { expected, found });
            }
            let batch = self.stamped(records.slice_ref(batch.bytes()), next)?;
            next = batch.end_offset();
            batches.push(batch);
            if next >= until {
                break;
            }
        }
        if next != until {
            return Err(Unfit::Place { expected: until, found: next });
        }
        self.log.append(&batches).map_err(Unfit::Storage)?;
        self.partition.traffic.taken.add(size(&batches));
        self.note_tail(&batches, &hands.catch_up);
        Ok(())
    }

    /// A batch that is to stand at an offset, where it says that it stands.
    fn stamped(&self, batch: Bytes, offset: i64) -> Result<StampedBatch, Unfit> {
        let offset = Offset::from_wire(offset).expect("an end is an offset");
        let epoch = LeaderEpoch::from_wire(self.log.epoch()).expect("a log has an epoch");
        let batch = CheckedBatch::check(batch).map_err(Unfit::Batch)?;
        Ok(StampedBatch::by_broker(&batch, offset, epoch))
    }

    /// Tells the others what has been committed, as soon as it is.
    pub(super) fn tell_commit(&mut self, hands: &Hands) {
        let commit = Some(self.group.commit());
        if let Some(member) = &mut self.member
            && commit > std::mem::replace(&mut member.in_office().told_commit, commit)
        {
            self.step(hands, |group, effects| group.tell_commit(effects));
        }
    }

    /// Sends what there is to send to followers, as far as windows allow, and takes what the group
    /// wants to say, each with its records.
    ///
    /// - `crowded`: brokers to which much is on its way.
    pub(super) fn take_outgoing(
        &mut self,
        crowded: &[i32],
        hands: &Hands,
    ) -> Vec<(Message, Bytes)> {
        let mut read: Vec<Read> = Vec::new();
        if self.group.role() == Role::Leader && !self.has_failed {
            read = self.ship(crowded, hands);
        }
        let Some(member) = &mut self.member else { return Vec::new() };
        let messages = std::mem::take(&mut member.outgoing);
        if member.is_to_be_asked {
            let held_back = self.group.is_held_back();
            let mut said = messages.iter().filter_map(|message| match &message.body {
                Body::AppendReply(reply) => Some(reply.held_back),
                _ => None,
            });
            member.is_to_be_asked = !said.any(|said| said == held_back);
        }
        let with_records = |message: Message| {
            let records = match &message.body {
                Body::Append(Append { prev, content: Content::Data { until, .. }, .. }) => {
                    let is_it = |(from, batches, _): &&Read| {
                        *from == prev.offset && batches.until == *until
                    };
                    let found = read.iter().find(is_it);
                    found.map(|(_, _, bytes)| bytes.clone()).expect("what is shipped was read")
                }
                Body::Reset(_) => self.log.producers().snapshot(&self.partition.key).into(),
                _ => Bytes::new(),
            };
            (message, records)
        };
        messages.into_iter().map(with_records).collect()
    }

    /// Who votes in the group.
    pub(super) fn electorate(&self) -> Electorate {
        let (voters, named_at) = self.group.history().voters();
        let (epoch, commit) = (self.group.epoch(), self.group.commit());
        Electorate {
            voters: Arc::clone(voters),
            is_settled: !voters.is_joint() && commit >= named_at,
            leads: self.group.role() == Role::Leader && commit.epoch == epoch,
        }
    }

    /// What is to be reported of the group, if it is led here and something is new.
    pub(super) fn report(&mut self) -> Option<LeaderReport> {
        let Self { group, member: Some(member), .. } = self else { return None };
        let (voters, named_at) = group.history().voters();
        let is_established = group.role() == Role::Leader && group.commit().epoch == group.epoch();
        // Who isn't among the voters any more leads until one of them does, and stays as long as
        // nobody hears that it may go.
        let is_final = !voters.is_joint() && group.commit() >= named_at;
        if !is_established || !is_final || !voters.contains(group.id()) {
            return None;
        }
        let mut isr = member.in_sync().to_vec();
        if isr.is_empty() {
            return None;
        }
        isr.sort_unstable();
        let now = (group.epoch(), named_at.control, isr);
        let reported = &mut member.in_office().reported;
        if reported.as_ref() == Some(&now) {
            return None;
        }
        let (leader_epoch, control_sequence, isr) = now.clone();
        *reported = Some(now);
        let GroupKey { topic_id, partition: index } = self.partition.key;
        Some(LeaderReport {
            topic_id,
            index,
            leader: group.id().broker,
            leader_epoch,
            control_sequence,
            voters: voters.all().map(|id| id.broker).collect(),
            voter_directories: voters.all().map(|id| Uuid(id.directory)).collect(),
            isr,
        })
    }
}
