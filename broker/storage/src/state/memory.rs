//! What the store knows, durable or about to be, and what waits for a round.
//!
//! Must always hold: what was submitted is in the groups and in the queue, or in neither.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;

use bytes::Bytes;

use logboom_protocol::units::Uuid;

use super::completions::Done;
use super::error::{Result, StateError};
use super::frame::PAYLOAD_BYTES_MAX;
use super::group::{ControlEntry, GroupState, Misfit};
use super::record::{GroupKey, OpenMark, RECORD_BYTES_MAX, StateRecord};

/// What is known, durable or about to be.
pub(super) struct Memory {
    /// Boxed, so that the empty places of the table cost little.
    pub(super) groups: HashMap<GroupKey, Box<GroupState>>,
    /// Payloads of control entries, each held once however many groups have it.
    pub(super) payloads: HashSet<Bytes>,
    pub(super) opened: Option<OpenMark>,
    /// How often the directory was opened.
    pub(super) run: u64,
    /// The cluster that the directory belongs to.
    ///
    /// Invariant: once it is known it is never another one.
    pub(super) cluster: Option<Uuid>,
    queue: VecDeque<Submission>,
    /// Steps in the queue that somebody waits for.
    urgent: usize,
    /// The number of the last step that was queued; the first is 1.
    last_queued: u64,
    /// The number of the last step whose round is over.
    last_over: u64,
    pub(super) closing: bool,
}

/// A step that waits for its round.
pub(super) struct Submission {
    pub(super) payload: Vec<u8>,
    pub(super) done: Done,
    /// Whether somebody waits for it.
    pub(super) urgent: bool,
}

/// A step that was not taken.
pub(super) struct Refused {
    pub(super) done: Done,
    pub(super) error: StateError,
}

impl Refused {
    pub(super) fn panic(self) -> ! {
        panic!("{}", self.error)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} groups, {} queued)", self.groups.len(), self.queue.len())
    }
}

/// Bytes after which a snapshot goes on in another frame; a single record is far smaller than the
/// rest of [`PAYLOAD_BYTES_MAX`].
const SNAPSHOT_PAYLOAD_BYTES: usize = 1 << 20;

/// The most payloads that are kept to be shared with groups that come later.
pub(super) const PAYLOADS_MAX: usize = 1_000;

const UNKNOWN: Misfit = Misfit("an unknown group");

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            groups: HashMap::new(),
            payloads: HashSet::new(),
            opened: None,
            run: 0,
            cluster: None,
            queue: VecDeque::new(),
            urgent: 0,
            last_queued: 0,
            last_over: 0,
            closing: false,
        }
    }

    /// Whether nothing was ever written down, not even that the directory was opened.
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.opened.is_none()
    }

    /// Changes what is known as `record` says, or changes nothing.
    pub(super) fn apply(
        &mut self,
        key: &GroupKey,
        record: &StateRecord,
    ) -> std::result::Result<(), Misfit> {
        match record {
            StateRecord::Opened(mark) => {
                if self.opened.replace(*mark).is_some() {
                    // The life before was killed, and may have written behind any log's end.
                    let groups = self.groups.values_mut();
                    groups.filter_map(|g| g.checkpoint.as_mut()).for_each(|it| it.closed = false);
                }
            }
            StateRecord::Run(run) => self.run = *run,
            StateRecord::Cluster(id) => {
                if self.cluster.is_some_and(|known| known != *id) {
                    return Err(Misfit("another cluster"));
                }
                self.cluster = Some(*id);
            }
            StateRecord::Closed => self.opened = None,
            StateRecord::Created { life, creation_offset } => {
                if self.groups.get(key).is_some_and(|group| !group.removed || group.life >= *life) {
                    return Err(Misfit("created twice"));
                }
                self.groups.insert(*key, Box::new(GroupState::new(*life, *creation_offset)));
            }
            StateRecord::Forgotten => {
                self.groups.remove(key).ok_or(UNKNOWN)?;
            }
            StateRecord::Control(entry) => {
                let payload = self.shared(&entry.payload);
                let group = self.groups.get_mut(key).ok_or(UNKNOWN)?;
                group.append_control(ControlEntry { payload, ..*entry })?;
            }
            _ => self.groups.get_mut(key).ok_or(UNKNOWN)?.apply(record)?,
        }
        Ok(())
    }

    /// A payload as others have it: thousands of groups have few sets of voters.
    fn shared(&mut self, payload: &Bytes) -> Bytes {
        if payload.is_empty() {
            return Bytes::new();
        }
        if let Some(known) = self.payloads.get(payload) {
            return known.clone();
        }
        if self.payloads.len() == PAYLOADS_MAX {
            self.payloads.clear();
        }
        self.payloads.insert(payload.clone());
        payload.clone()
    }

    /// Changes what is known as all of `records` say; where one doesn't fit, changes nothing and
    /// returns its number and why.
    pub(super) fn apply_all(
        &mut self,
        records: &[(GroupKey, StateRecord)],
    ) -> std::result::Result<(), (usize, Misfit)> {
        if let [(key, record)] = records {
            return self.apply(key, record).map_err(|misfit| (0, misfit));
        }
        let (opened, run, cluster) = (self.opened, self.run, self.cluster);
        let mut before: HashMap<GroupKey, Option<Box<GroupState>>> = HashMap::new();
        for (i, (key, record)) in records.iter().enumerate() {
            before.entry(*key).or_insert_with(|| self.groups.get(key).cloned());
            if let Err(misfit) = self.apply(key, record) {
                (self.opened, self.run, self.cluster) = (opened, run, cluster);
                for (key, group) in before {
                    match group {
                        Some(group) => self.groups.insert(key, group),
                        None => self.groups.remove(&key),
                    };
                }
                return Err((i, misfit));
            }
        }
        Ok(())
    }

    /// Queues a step; returns its number.
    pub(super) fn push(&mut self, submission: Submission) -> u64 {
        self.urgent += usize::from(submission.urgent);
        self.queue.push_back(submission);
        self.last_queued += 1;
        self.last_queued
    }

    /// How many steps are queued.
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether something is queued that somebody waits for.
    pub(super) fn is_waited_for(&self) -> bool {
        self.urgent > 0
    }

    /// So many steps, the first of those that were taken, have had their round.
    pub(super) fn settle(&mut self, steps: usize) {
        self.last_over += steps as u64;
    }

    /// Whether the round of the step with that number is over.
    pub(super) fn is_over(&self, number: u64) -> bool {
        self.last_over >= number
    }

    /// Takes from the queue what fits into one frame.
    pub(super) fn take_round(&mut self) -> Vec<Submission> {
        let mut bytes = 0;
        let fit = self.queue.iter().take_while(|submission| {
            bytes += submission.payload.len();
            bytes <= PAYLOAD_BYTES_MAX
        });
        let count = fit.count();
        assert!(count > 0 || self.queue.is_empty(), "a step is larger than a frame");
        self.take(count)
    }

    /// Takes the first `count` from the queue.
    pub(super) fn take(&mut self, count: usize) -> Vec<Submission> {
        let taken: Vec<_> = self.queue.drain(..count).collect();
        self.urgent -= taken.iter().filter(|submission| submission.urgent).count();
        taken
    }

    /// Everything that is known, as the payloads of frames.
    pub(super) fn snapshot(&self) -> Vec<Vec<u8>> {
        let mut payloads = vec![Vec::new()];
        let mut add = |key: &GroupKey, record: &StateRecord| {
            if payloads.last().is_none_or(|last| last.len() > SNAPSHOT_PAYLOAD_BYTES) {
                payloads.push(Vec::new());
            }
            if let Some(last) = payloads.last_mut() {
                record.encode(key, last);
            }
        };
        if let Some(mark) = self.opened {
            add(&GroupKey::DIRECTORY, &StateRecord::Opened(mark));
        }
        if self.run > 0 {
            add(&GroupKey::DIRECTORY, &StateRecord::Run(self.run));
        }
        if let Some(cluster) = self.cluster {
            add(&GroupKey::DIRECTORY, &StateRecord::Cluster(cluster));
        }
        for (key, group) in &self.groups {
            group.records().iter().for_each(|record| add(key, record));
        }
        payloads
    }
}

/// The bytes of a step; refused where they or one of the records are too large.
pub(super) fn encode(records: &[(GroupKey, StateRecord)]) -> Result<Vec<u8>> {
    let mut payload = Vec::with_capacity(records.len() * 64);
    for (key, record) in records {
        let start = payload.len();
        record.encode(key, &mut payload);
        check_size(payload.len() - start, RECORD_BYTES_MAX)?;
    }
    check_size(payload.len(), PAYLOAD_BYTES_MAX)?;
    Ok(payload)
}

fn check_size(bytes: usize, bytes_max: usize) -> Result<()> {
    if bytes > bytes_max { Err(StateError::TooLarge { bytes, bytes_max }) } else { Ok(()) }
}
