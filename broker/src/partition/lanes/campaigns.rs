//! Who campaigns, and when.
//!
//! Must always hold: of the groups whose voters answer, those whose patience ended first come
//! first. Only the metadata wait for nobody, because all others wait for them.

use std::sync::Arc;

use tokio::sync::Semaphore;

use logboom_raft::{ReplicaId, Role};
use logboom_storage::state::GroupKey;

use super::rush::CAMPAIGN_MS;
use super::{Lanes, PROMISE_MS, TICK_MS, Table};
use crate::cluster::METADATA;
use crate::partition::hands::{Hands, LeaderNews};
use crate::partition::replica::Replica;
use crate::peer::lane_of;

/// How long a damaged replica waits for another to lead before it campaigns.
const DAMAGED_PATIENCE_MS: u64 = 30_000;
/// How long an election lasts that goes as it should, on a machine that has a lot to do.
const ELECTION_MS: u64 = 1_000;
/// Looks from one count of those without a leader to the next.
const COUNTED_EVERY: u64 = 8;

impl Lanes {
    /// Looks at the groups that wait for a leader: those whose patience has ended campaign, in
    /// their turn.
    pub(super) fn wait(&mut self, table: &mut Table, now: u64, seen: u64, hands: &Hands) {
        let member = |key: &GroupKey| table.get(key).and_then(|it| it.member.as_ref());
        self.rush.look(now, |key| member(key).and_then(|member| member.campaigns_since));
        if self.ticks.is_multiple_of(COUNTED_EVERY) {
            let waiting = self.lanes.values().flat_map(|lane| &lane.waiting);
            let waiting = waiting.filter_map(member);
            self.rush.count(waiting.filter(|it| it.heard.is_none() || it.deadline <= now).count());
        }
        let has_metadata = self.waits(&METADATA) && !self.is_new(now);
        if has_metadata && member(&METADATA).is_some_and(|it| it.deadline <= seen) {
            self.campaign(table, &METADATA, now, hands);
        }
        while let Some((at, key)) = self.due.next(seen) {
            let Some(replica) = table.get_mut(&key) else { continue };
            let may_campaign = !self.is_new(now) || is_unborn(replica);
            let Some(member) = replica.member.as_mut().filter(|it| it.next_look == Some(at)) else {
                continue;
            };
            member.next_look = None;
            if !self.waits(&key) {
                continue;
            }
            if seen < member.deadline {
                self.due.wait(key, member);
            } else if !may_campaign {
                // It may have promised something before this start.
                self.due.look(key, member, self.began + PROMISE_MS);
            } else if !self.campaign(table, &key, now, hands) {
                break;
            }
        }
    }

    /// Whether a group is here that isn't led here and doesn't sleep.
    fn waits(&self, key: &GroupKey) -> bool {
        self.lanes.get(&lane_of(key)).is_some_and(|lane| lane.waiting.contains(key))
    }

    /// Whether enough voters answer to elect a leader.
    fn reaches_majority(&self, replica: &Replica) -> bool {
        let own = replica.group.id().broker;
        let lane = self.lanes.get(&lane_of(&replica.partition.key));
        let is_there = |id: ReplicaId| {
            let other = lane.and_then(|lane| lane.others.get(&id.broker));
            id.broker == own || other.is_some_and(|other| other.is_there)
        };
        replica.group.voters().have_majority(is_there)
    }

    /// Campaigns for a group, or at the next look. Returns whether others are to be looked at.
    fn campaign(&mut self, table: &mut Table, key: &GroupKey, now: u64, hands: &Hands) -> bool {
        let Some(replica) = table.get_mut(key) else { return true };
        let can_win = self.reaches_majority(replica);
        // Who has no vote asks nobody, and takes nobody's turn.
        let has_vote = replica.group.has_vote();
        let is_admitted = *key == METADATA || !has_vote || self.rush.admits(*key, can_win);
        // A group that begins has nobody to wait for but those who don't know of it yet.
        let wait = if is_unborn(replica) { 2 * TICK_MS } else { self.patience() };
        let Some(member) = replica.member.as_mut() else { return true };
        if !is_admitted {
            // Where there is no room, it is the first of those that wait for some.
            let at = if can_win { member.deadline } else { now + self.rush.vain_pause_ms() };
            self.due.look(*key, member, at);
            return !can_win;
        }
        self.due.set(*key, member, now + wait);
        let since = member.campaigns_since.filter(|since| now < since + CAMPAIGN_MS);
        member.campaigns_since = (can_win && has_vote).then_some(since.unwrap_or(now));
        let since = *member.leaderless.get_or_insert(now);
        let lasts = !can_win || now >= since + ELECTION_MS;
        if self.retiring.is_none() {
            // Nobody else has taken the office of a leader that is gone; one that is damaged gives
            // others more time, if there are any.
            let own = replica.group.id();
            let has_others = replica.group.voters().all().any(|id| id != own);
            let gives_time = replica.is_damaged && has_others;
            replica.hold_back(gives_time && now < since + DAMAGED_PATIENCE_MS);
        }
        if lasts {
            tell_that_nobody_leads(replica, &self.untold, hands);
        }
        replica.step(hands, |group, effects| group.campaign(effects));
        self.touch(replica, now);
        true
    }
}

/// Where this broker is the last one that was known to lead, it does no more: where nobody else can
/// be elected, nobody else would say so. Said with each attempt, because who hears it may not know
/// yet that it led at all; but an election that goes as it should says it better.
///
/// - `room`: for what nobody has heard yet. Where there is none, it is said another time.
fn tell_that_nobody_leads(replica: &Replica, room: &Arc<Semaphore>, hands: &Hands) {
    let (key, group) = (replica.partition.key, &replica.group);
    if key == METADATA || group.role() == Role::Leader || group.leader().is_some() {
        return;
    }
    if let Ok(permit) = Arc::clone(room).try_acquire_owned() {
        drop(hands.reports.send(LeaderNews::HearsNobody(key, group.epoch(), permit)));
    }
}

/// Whether a group has had no leader yet, as far as a replica here knows that was just created.
fn is_unborn(replica: &Replica) -> bool {
    replica.member.as_ref().is_some_and(|it| it.is_new) && replica.group.epoch() <= 0
}
