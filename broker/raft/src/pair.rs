//! Two brokers, and all the groups that they share: beats, silence, sleep.
//!
//! Heartbeats are sent per pair of brokers, not per group. A beat names the groups that are awake;
//! the others sleep, and cost nothing: a broker that beats still leads all that sleeps under it.
//! Leader and follower hold the same set of sleeping groups, changed only by the leader, in order.
//! Each beat carries the sum of hashes over the set, so that a difference is seen at the next beat,
//! and then nobody is asleep until it is settled.
//!
//! **Invariant:** a group that a follower counts as sleeping has, at the leader, the same epoch and
//! end, all of it committed, unless the next beat that arrives says otherwise.
//!
//! **Invariant:** a broker that starts anew has another run, and all that it led has no leader.

mod sleep;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use self::sleep::{Followed, Led};
use crate::mutant::Mutant;
use crate::position::Position;

/// What names a group.
pub trait GroupKey: Copy + Ord {
    /// Words that differ from those of any other group.
    fn words(&self) -> [u64; 3];
}

impl GroupKey for logboom_units::GroupKey {
    fn words(&self) -> [u64; 3] {
        let (id, partition) = (u128::from_be_bytes(self.topic_id.0), self.partition);
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
        [half(id >> 64), half(id), u64::from(partition.cast_unsigned())]
    }
}

/// How long things take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From one beat to the next.
    pub beat_ms: u64,
    /// The shortest silence after which anybody campaigns.
    pub silence_ms: u64,
    /// How long a leader may rely on an answered beat, from when it was sent: less than the silence
    /// by what clocks may differ in that time.
    pub lease_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { beat_ms: 50, silence_ms: 250, lease_ms: 200 }
    }
}

/// What one broker tells another every so often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat<K> {
    /// Of this start of the sender; grows from start to start.
    pub run: u64,
    /// Its number in this run, from 1.
    pub sequence: u64,
    /// The last beat that was heard of the receiver: its run and number.
    pub heard: Option<(u64, u64)>,
    /// Groups that the sender leads, that are awake, and of which the receiver has a replica.
    pub named: Vec<Named<K>>,
    /// Of the set of groups that sleep under the sender: a new one begins empty.
    pub life: u32,
    /// Changes of that set which the receiver hasn't acknowledged, in order.
    pub changes: Vec<Change<K>>,
    /// The number of the last change, from 1.
    pub version: u64,
    /// Over the set as it is behind that change.
    pub sum: u128,
    /// The life of the receiver's set that is known here, and the last change that was taken over.
    pub applied: (u32, u64),
    /// Whether the set was found to be the same.
    pub agrees: bool,
    /// Groups of the receiver's set that don't sleep here, because something happened to them, and
    /// groups that the receiver named and that don't follow it here.
    pub left: Vec<K>,
}

/// A group that is awake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<K> {
    /// Which.
    pub key: K,
    /// Which life of the sender's replica leads it.
    pub leader_life: u32,
    /// Which life of the receiver's replica the leader means.
    pub follower_life: u32,
    /// The epoch in which the sender leads it.
    pub epoch: i32,
    /// Up to where it is committed.
    pub commit: Position,
    /// Where the leader's log begins, inclusive.
    pub log_start: i64,
}

/// A change of the set of sleeping groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<K> {
    /// The group sleeps, in this epoch, with a log that ends here and is committed.
    Enter(K, i32, Position),
    /// The group sleeps no more.
    Leave(K),
}

/// What a beat, or its absence, means for groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum News<K> {
    /// A group of the other broker sleeps here from now on.
    Slept(K),
    /// A group of the other broker sleeps here no more; its leader is there.
    Woken(K),
    /// A group that slept under the other broker has lost its leader.
    Orphaned(K),
    /// Something happened at the other broker to a group that this one leads. It is woken if it
    /// sleeps there, and only a beat from now on counts for its lease. What its follower is known
    /// to have is to be asked for anew ([`Group::disconnected`](crate::Group::disconnected)):
    /// otherwise the group would seem to rest there, and be put to sleep again in vain.
    Stirred(K),
    /// The other broker has started anew: what was on its way to it is lost, and it leads nothing
    /// of what it led.
    Restarted,
}

/// What a broker knows of the replicas that it has, when a beat arrives.
pub trait Replicas<K> {
    /// Whether the replica here of a group follows the sender of the beat in this epoch. What the
    /// beat says of the group has reached the replica before.
    fn follows(&mut self, key: K, epoch: i32) -> bool;

    /// The same, and whether its log ends here, durably, and all of it is committed.
    fn rests(&mut self, key: K, epoch: i32, end: Position) -> bool;
}

/// What one broker knows of another one.
#[derive(Debug, Clone)]
pub struct Pair<K> {
    timing: Timing,
    run: u64,
    /// The last beat that was sent.
    sequence: u64,
    /// When beats were sent that may still be answered, oldest first.
    sent: VecDeque<(u64, u64)>,
    /// When the last beat was sent of those that were answered.
    answered: Option<u64>,
    /// The last beat that was answered by somebody who held the same set: its number, and when it
    /// was sent.
    promised: Option<(u64, u64)>,
    /// The other one's run, and the last beat heard of it.
    theirs: Option<(u64, u64)>,
    heard_at: u64,
    /// Whether its silence was noticed.
    is_silent: bool,
    /// The groups that its last beat named, and that don't follow it here.
    refused: Vec<K>,
    led: Led<K>,
    followed: Followed<K>,
    #[cfg(test)]
    mutant: Option<Mutant>,
}

impl<K: GroupKey> Pair<K> {
    /// A broker of which nothing was heard yet.
    ///
    /// - `run`: of this start of this broker; greater than those of all starts before.
    #[must_use]
    pub fn new(run: u64, timing: Timing) -> Self {
        Self {
            timing,
            run,
            sequence: 0,
            sent: VecDeque::new(),
            answered: None,
            promised: None,
            theirs: None,
            heard_at: 0,
            is_silent: false,
            refused: Vec::new(),
            led: Led::new(1),
            followed: Followed::new(0),
            #[cfg(test)]
            mutant: None,
        }
    }

    /// A group that this broker leads sleeps at the other one, which has all of its log and knows
    /// that all of it is committed.
    pub fn put_to_sleep(&mut self, key: K, epoch: i32, end: Position) {
        self.led.enter(key, epoch, end);
    }

    /// A group that this broker led sleeps no more, for whatever reason.
    pub fn wake(&mut self, key: K) {
        self.led.leave(key);
    }

    /// Something happened here to a group that sleeps under the other broker. What was promised to
    /// its leader still holds, from [`Self::last_heard`] on.
    pub fn stir(&mut self, key: K) {
        if self.followed.set.has(key) {
            self.followed.left.insert(key);
        }
    }

    /// Whether a group sleeps at the other broker under this one.
    #[must_use]
    pub fn is_asleep_there(&self, key: K) -> bool {
        self.led.set.has(key)
    }

    /// Whether a group sleeps here under the other broker, which beats.
    #[must_use]
    pub fn is_asleep_here(&self, key: K, now: u64) -> bool {
        self.followed.is_asleep(key) && self.is_heard(now)
    }

    /// When the other broker was last heard of.
    #[must_use]
    pub fn last_heard(&self) -> Option<u64> {
        self.theirs.map(|_| self.heard_at)
    }

    /// Whether the other broker was heard of so lately that nobody campaigns against it.
    #[must_use]
    pub fn is_heard(&self, now: u64) -> bool {
        self.theirs.is_some() && now < self.heard_at + self.timing.silence_ms
    }

    /// Whether the other broker has answered a beat that was sent so lately that it promised to
    /// elect nobody else now, for a group that it names or that sleeps.
    ///
    /// - `since`: the number of the first beat that named the group, or that had it asleep, in its
    ///   present epoch, and behind the last [`News::Stirred`]; see [`Self::next_beat`].
    #[must_use]
    pub fn has_promised(&self, since: u64, now: u64) -> bool {
        let lease = match self.is(Mutant::LeaseIgnoresDrift) {
            true => self.timing.silence_ms,
            false => self.timing.lease_ms,
        };
        let is_fresh = |(number, sent)| number >= since && now < sent + lease;
        self.promised.is_some_and(is_fresh)
    }

    /// The number that the next beat has.
    #[must_use]
    pub fn next_beat(&self) -> u64 {
        self.sequence + 1
    }

    /// Whether the other broker has answered a beat that was sent within the timeout: it counts as
    /// being there.
    #[must_use]
    pub fn is_there(&self, now: u64) -> bool {
        self.answered.is_some_and(|sent| now < sent + self.timing.silence_ms)
    }

    /// What is to be sent now.
    ///
    /// - `now`: milliseconds of a clock that never stands still, not even in a suspended machine.
    /// - `named`: the groups that are awake.
    pub fn beat(&mut self, now: u64, named: Vec<Named<K>>) -> Beat<K> {
        self.sequence += 1;
        let oldest = now.saturating_sub(self.timing.silence_ms);
        while self.sent.front().is_some_and(|(_, at)| *at < oldest) {
            self.sent.pop_front();
        }
        self.sent.push_back((self.sequence, now));
        Beat {
            run: self.run,
            sequence: self.sequence,
            heard: self.theirs,
            named,
            life: self.led.life,
            changes: self.led.changes.iter().copied().collect(),
            version: self.led.version,
            sum: self.led.set.sum,
            applied: (self.followed.life, self.followed.version),
            agrees: self.followed.agrees,
            left: self.followed.left.iter().chain(&self.refused).copied().collect(),
        }
    }

    /// Whether nothing was heard that the other broker said after this beat.
    #[must_use]
    pub fn is_new(&self, beat: &Beat<K>) -> bool {
        let said = (beat.run, beat.sequence);
        match self.theirs {
            Some((_, last)) if self.is(Mutant::RunsNotCompared) => last < beat.sequence,
            last => last.is_none_or(|last| last < said),
        }
    }

    /// A beat has arrived. One that isn't new changes nothing; of one that is the host tells the
    /// replicas of the named groups before.
    ///
    /// - `news`: what it means is added here.
    pub fn hear(
        &mut self,
        now: u64,
        beat: &Beat<K>,
        replicas: &mut impl Replicas<K>,
        news: &mut Vec<News<K>>,
    ) {
        if !self.is_new(beat) {
            if self.is(Mutant::ChangesOutOfOrder) {
                self.followed.take_anything(beat, replicas);
            }
            return;
        }
        let is_other_run = self.theirs.is_some_and(|(run, _)| run != beat.run);
        if is_other_run && !self.is(Mutant::RunsNotCompared) {
            self.on_restart(news);
        }
        self.theirs = Some((beat.run, beat.sequence));
        (self.heard_at, self.is_silent) = (now, false);
        self.note_answer(now, beat);
        self.take_answer(beat, news);
        let named = beat.named.iter().filter(|named| !replicas.follows(named.key, named.epoch));
        self.refused = named.map(|named| named.key).collect();
        self.followed.apply(beat, replicas, news);
        if self.is(Mutant::SumNotCompared) {
            self.followed.agrees = true;
        }
    }

    /// What the other broker says of the groups that this one leads.
    fn take_answer(&mut self, beat: &Beat<K>, news: &mut Vec<News<K>>) {
        let knows_run = beat.heard.is_some_and(|(run, _)| run == self.run);
        if !knows_run {
            return;
        }
        news.extend(beat.left.iter().copied().map(News::Stirred));
        if beat.applied.0 != self.led.life {
            return;
        }
        let applied = beat.applied.1;
        let is_ahead_of_changes = applied < self.led.version - self.led.changes.len() as u64;
        let differs = applied == self.led.version && !beat.agrees;
        let keeps = self.is(Mutant::DifferentSetKept);
        if (is_ahead_of_changes || differs) && !keeps {
            return self.begin_set(news);
        }
        self.led.acknowledge(applied);
    }

    /// Time has passed: what slept under a broker that isn't heard any more has no leader, and
    /// nothing sleeps there.
    pub fn look(&mut self, now: u64, news: &mut Vec<News<K>>) {
        if self.theirs.is_some() && !self.is_heard(now) && !self.is_silent {
            self.is_silent = true;
            self.orphan(news);
            self.begin_set(news);
        }
    }

    fn note_answer(&mut self, now: u64, beat: &Beat<K>) {
        let Some((run, number)) = beat.heard else { return };
        if run != self.run && !self.is(Mutant::RunsNotCompared) {
            return;
        }
        while let Some((sent, at)) = self.sent.front().copied().filter(|(sent, _)| *sent <= number)
        {
            if sent == number {
                let at = if self.is(Mutant::PromiseFromReceipt) { now } else { at };
                self.answered = self.answered.max(Some(at));
                if beat.agrees && beat.applied.0 == self.led.life {
                    self.promised = self.promised.max(Some((number, at)));
                }
            }
            self.sent.pop_front();
        }
    }

    /// The other broker is another run: it leads nothing of what it led, and knows of no set.
    fn on_restart(&mut self, news: &mut Vec<News<K>>) {
        self.orphan(news);
        (self.followed, self.refused) = (Followed::new(0), Vec::new());
        (self.answered, self.promised) = (None, None);
        self.begin_set(news);
        news.push(News::Restarted);
    }

    /// Nothing sleeps at the other broker any more, and another set begins.
    fn begin_set(&mut self, news: &mut Vec<News<K>>) {
        let next = Led::new(self.led.life + 1);
        let last = core::mem::replace(&mut self.led, next);
        news.extend(last.set.hashes.into_keys().map(News::Stirred));
    }

    fn orphan(&mut self, news: &mut Vec<News<K>>) {
        news.extend(self.followed.asleep().map(News::Orphaned));
        self.followed.left.extend(self.followed.set.hashes.keys());
    }

    #[cfg(test)]
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "as in tests, where a fault can be built in")]
    const fn is(&self, _mutant: Mutant) -> bool {
        false
    }
}

#[cfg(test)]
pub(crate) mod tests;
