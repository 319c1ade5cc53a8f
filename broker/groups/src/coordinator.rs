//! The coordinator of a partition's groups: finds the group, has it do its step, and keeps the
//! books.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use logboom_protocol::CompactString;

use crate::effects::{Effects, Now};
use crate::group::{Group, Turn};
use crate::offsets::PendingOffsets;
use crate::options::Options;
use crate::timers::Timers;

/// The groups of one partition of `__consumer_offsets`.
#[derive(Debug)]
pub struct Coordinator {
    options: Options,
    pub(crate) groups: BTreeMap<CompactString, Group>,
    /// Offsets of transactions that are open.
    pub(crate) pending: PendingOffsets,
    timers: Timers,
    /// Counts the records of offsets.
    pub(crate) order: u64,
    /// Invariant: the sum of what the groups take.
    bytes: usize,
}

impl Coordinator {
    /// A coordinator without groups.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let (groups, timers) = (BTreeMap::new(), Timers::default());
        Self { options, groups, pending: PendingOffsets::default(), timers, order: 0, bytes: 0 }
    }

    /// Its settings.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Groups.
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Bytes that they take, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// When [`Self::tick`] has something to do at the earliest (monotonic).
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.timers.next_ms()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Now, effects: &mut Effects) {
        while let Some(id) = self.timers.take_due(now.monotonic_ms) {
            if self.has_group(&id) {
                self.step(&id, now, effects, Group::on_time);
            }
        }
    }

    pub(crate) fn has_group(&self, id: &str) -> bool {
        self.groups.contains_key(id)
    }

    pub(crate) fn group_mut(&mut self, id: &str) -> Option<&mut Group> {
        self.groups.get_mut(id)
    }

    /// Whether there is no room for so many bytes more, or for another group.
    pub(crate) fn lacks_room(&self, is_new_group: bool, bytes: usize) -> bool {
        let has_too_many = is_new_group && self.groups.len() >= self.options.groups_max;
        has_too_many || self.bytes.saturating_add(bytes) > self.options.bytes_max
    }

    /// Bytes by which the groups may grow.
    pub(crate) fn room(&self) -> usize {
        self.options.bytes_max.saturating_sub(self.bytes)
    }

    /// Has a group do a step; it is made if there is none.
    pub(crate) fn step<R>(
        &mut self,
        id: &CompactString,
        now: Now,
        effects: &mut Effects,
        step: impl FnOnce(&mut Group, &mut Turn<'_>) -> R,
    ) -> R {
        let room = self.room();
        let group = self.groups.entry(id.clone()).or_insert_with(|| Group::new(id.clone()));
        let (options, order) = (&self.options, &mut self.order);
        let result = step(group, &mut Turn { options, now, effects, room, order });
        self.settle(id);
        result
    }

    /// Books what a step has changed.
    pub(crate) fn settle(&mut self, id: &CompactString) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let bytes = group.bytes();
        self.bytes = self.bytes - group.counted_bytes + bytes;
        group.counted_bytes = bytes;
        if group.wake_ms < i64::MAX {
            self.timers.arm(id, group.wake_ms);
        }
    }

    /// Forgets a group with all that it has.
    pub(crate) fn forget(&mut self, id: &CompactString) {
        if let Some(group) = self.groups.remove(id) {
            self.bytes -= group.counted_bytes;
            self.timers.remove(id);
        }
    }
}

impl Group {
    /// Does what is due, and finds out what is next.
    fn on_time(&mut self, turn: &mut Turn<'_>) {
        let now_ms = turn.now.monotonic_ms;
        self.drop_late_pending(now_ms, turn);
        self.expel_silent(now_ms, turn);
        if let Some(timer) = self.join_timer.filter(|timer| timer.deadline_ms <= now_ms) {
            self.join_timer = None;
            self.on_join_timeout(timer, turn);
        }
        if self.sync_deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms) {
            self.on_sync_timeout(turn);
        }
        self.wake_ms = self.next_deadline_ms();
    }

    fn drop_late_pending(&mut self, now_ms: i64, turn: &mut Turn<'_>) {
        let late = self.pending_joins.iter().filter(|(_, deadline_ms)| **deadline_ms <= now_ms);
        let late: Vec<CompactString> = late.map(|(id, _)| id.clone()).collect();
        for id in late {
            if self.pending_joins.contains_key(&id) {
                self.drop_pending(&id, turn);
            }
        }
    }

    fn expel_silent(&mut self, now_ms: i64, turn: &mut Turn<'_>) {
        let silent = self.members.values();
        let silent = silent.filter(|m| m.deadline_ms.is_some_and(|deadline| deadline <= now_ms));
        let silent: Vec<CompactString> = silent.map(|member| member.id.clone()).collect();
        for id in silent {
            let Some(member) = self.members.get_mut(&id) else { continue };
            if member.deadline_ms.is_none_or(|deadline_ms| deadline_ms > now_ms) {
                continue;
            }
            member.deadline_ms = None;
            if !member.is_waiting() {
                self.expel(&id, turn);
            }
        }
    }

    /// Members that were told of the generation and don't ask for their part of it are gone.
    fn on_sync_timeout(&mut self, turn: &mut Turn<'_>) {
        self.sync_deadline_ms = None;
        let silent = core::mem::take(&mut self.pending_syncs);
        for id in &silent {
            self.dismiss(id, turn);
        }
        if !silent.is_empty() {
            self.prepare_rebalance(turn);
        }
    }

    fn next_deadline_ms(&self) -> i64 {
        let members = self.members.values().filter_map(|member| member.deadline_ms);
        let pending = self.pending_joins.values().copied();
        let join = self.join_timer.map(|timer| timer.deadline_ms);
        let deadlines = members.chain(pending).chain(join).chain(self.sync_deadline_ms);
        deadlines.min().unwrap_or(i64::MAX)
    }
}
