//! What was asked for and what was answered, each with the number of calls that the disk had seen.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use logboom_protocol::units::Uuid;
use logboom_storage::sim::SimDisk;
use logboom_storage::state::GroupKey;

use super::check::{NUMBER_MIN, Observed};
use super::workload::base_time_ms;

/// From a request to its answer, in calls of the disk.
///
/// An answer can promise only what was on the disk when it arrived, and a request can have done
/// nothing before it was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// Calls before the request was sent; `None` if that was before the trace began.
    begun: Option<usize>,
    /// Calls when the answer was there.
    acked: Option<usize>,
}

impl Span {
    /// It was there when the trace began.
    const OF_OLD: Self = Self { begun: None, acked: Some(0) };

    /// Whether a disk of the first `at` calls may show it.
    pub(super) fn may_show(self, at: usize) -> bool {
        self.begun.is_none_or(|begun| begun < at)
    }

    /// Whether a disk of the first `at` calls must show it.
    pub(super) fn must_show(self, at: usize) -> bool {
        self.acked.is_some_and(|acked| acked <= at)
    }

    /// As a trace sees it that begins where another ended after `at` calls; `None` if it began
    /// later than that.
    fn after(self, at: usize) -> Option<Self> {
        let acked = self.must_show(at).then_some(0);
        self.may_show(at).then_some(Self { begun: None, acked })
    }
}

/// A topic that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicState {
    /// `None` until the answer tells it.
    pub(super) id: Option<Uuid>,
    pub(super) partitions: i32,
    pub(super) configs: BTreeMap<String, String>,
}

/// A change of a topic, and what it is from then on; `None` is absent.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) span: Span,
    pub(super) state: Option<TopicState>,
}

/// A batch that was sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) span: Span,
    pub(super) key: GroupKey,
    /// Whose; a client's batches of one partition are in order.
    pub(super) client: usize,
    /// The numbers of its records, half-open; no other record has them.
    pub(super) first: u64,
    pub(super) end: u64,
    /// As answered.
    pub(super) base_offset: Option<i64>,
    /// Whether an acknowledgement means that it is durable.
    pub(super) promised: bool,
    /// The batch, where it has its producer's numbers.
    pub(super) numbered: Option<Bytes>,
}

impl Sent {
    /// How many records it has.
    pub(super) fn count(&self) -> i64 {
        i64::try_from(self.end - self.first).unwrap()
    }
}

/// A log start that was to move.
#[derive(Debug, Clone)]
pub(super) struct Deletion {
    pub(super) span: Span,
    pub(super) key: GroupKey,
    pub(super) offset: i64,
}

/// All of it. The changes of one topic are asked for one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    pub(super) topics: BTreeMap<String, Vec<Step>>,
    pub(super) sent: Vec<Sent>,
    pub(super) deletions: Vec<Deletion>,
    pub(super) producer_ids: Vec<(Span, i64)>,
    /// The clusters that brokers said they belong to.
    pub(super) clusters: Vec<(Span, Uuid)>,
    /// How many there were.
    clients: usize,
}

impl History {
    /// The number of a client that hasn't sent anything yet.
    pub(super) fn new_client(&mut self) -> usize {
        self.clients += 1;
        self.clients
    }

    /// What a topic is, and how often it has changed, if no change is under way.
    pub(super) fn settled(&self, name: &str) -> Option<(&TopicState, usize)> {
        let steps = self.topics.get(name)?;
        let last = steps.last()?;
        last.span.acked?;
        Some((last.state.as_ref()?, steps.len()))
    }

    /// The states in which a disk of the first `at` calls may show a topic.
    pub(super) fn allowed(&self, name: &str, at: usize) -> Vec<Option<TopicState>> {
        let steps = self.topics.get(name).map_or(&[][..], Vec::as_slice);
        let done = steps.iter().rposition(|step| step.span.must_show(at));
        let under_way = steps.get(done.map_or(0, |done| done + 1));
        let mut allowed = vec![done.and_then(|done| steps[done].state.clone())];
        allowed
            .extend(under_way.filter(|step| step.span.may_show(at)).map(|step| step.state.clone()));
        allowed
    }

    /// The offset behind the last record of a partition that is acknowledged.
    pub(super) fn acked_end(&self, key: &GroupKey) -> i64 {
        let acked = self.sent.iter().filter(|sent| sent.key == *key && sent.span.acked.is_some());
        acked.filter_map(|sent| Some(sent.base_offset? + sent.count())).max().unwrap_or(0)
    }

    /// How many acknowledgements there are of what was sent.
    pub(super) fn acks(&self) -> usize {
        self.sent.iter().filter(|sent| sent.span.acked.is_some()).count()
    }

    /// The numbers of calls at which something was acknowledged, each once, in order.
    pub(super) fn acked_at(&self) -> Vec<usize> {
        let steps = self.topics.values().flatten().map(|step| step.span);
        let sent = self.sent.iter().map(|sent| sent.span);
        let deletions = self.deletions.iter().map(|deletion| deletion.span);
        let rest = self.producer_ids.iter().map(|(span, _)| *span);
        let spans = steps.chain(sent).chain(deletions).chain(rest);
        let mut at: Vec<usize> = spans.filter_map(|span| span.acked).collect();
        at.sort_unstable();
        at.dedup();
        at
    }

    /// What is known where a process or the machine ended after `at` calls, for the next trace.
    pub(super) fn after(&self, at: usize) -> Self {
        let mut history = self.clone();
        for steps in history.topics.values_mut() {
            steps.retain_mut(|step| keep(&mut step.span, at));
        }
        history.sent.retain_mut(|sent| keep(&mut sent.span, at));
        history.deletions.retain_mut(|deletion| keep(&mut deletion.span, at));
        history.producer_ids.retain_mut(|(span, _)| keep(span, at));
        history.clusters.retain_mut(|(span, _)| keep(span, at));
        history
    }

    /// Takes what a broker has shown for promised, and what it hasn't for undone.
    pub(super) fn adopt(&mut self, observed: Observed) {
        let span = Span { begun: None, acked: Some(observed.at) };
        for (name, steps) in &mut self.topics {
            let state = observed.topics.get(name).cloned();
            *steps = vec![Step { span, state }];
        }
        let logs = &observed.logs;
        self.sent.retain_mut(|sent| {
            let Some(log) = logs.get(&sent.key) else { return false };
            let found =
                log.records.iter().find(|(_, number)| (sent.first..sent.end).contains(number));
            let Some((offset, number)) = found else {
                return sent.base_offset.is_some_and(|base| base + sent.count() <= log.start);
            };
            sent.base_offset = Some(offset - i64::try_from(number - sent.first).unwrap());
            sent.span = span;
            true
        });
        self.deletions.retain_mut(|deletion| {
            deletion.span = span;
            logs.get(&deletion.key).is_some_and(|log| deletion.offset <= log.start)
        });
        self.sent.extend(observed.sent.into_iter().map(|sent| Sent { span, ..sent }));
    }
}

/// Moves a span to the next trace; whether it belongs there.
fn keep(span: &mut Span, at: usize) -> bool {
    span.after(at).map(|moved| *span = moved).is_some()
}

/// Where clients of one disk write down what they ask for and what they are answered.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) disk: Arc<SimDisk>,
    history: Mutex<History>,
    /// Of the next record.
    number: AtomicU64,
    time_ms: i64,
}

impl Recorder {
    pub(super) fn new(disk: Arc<SimDisk>, history: History) -> Self {
        let known = history.sent.iter().map(|sent| sent.end);
        let known = known.filter(|end| *end < NUMBER_MIN).max().unwrap_or(0);
        let (history, number) = (Mutex::new(history), AtomicU64::new(known));
        Self { disk, history, number, time_ms: base_time_ms() }
    }

    /// The time that records count from, in milliseconds since the Unix epoch.
    pub(super) fn time_ms(&self) -> i64 {
        self.time_ms
    }

    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is about to be asked for.
    pub(super) fn begin(&self) -> Span {
        Span { begun: Some(self.disk.trace_len()), acked: None }
    }

    /// An answer is there.
    pub(super) fn acked(&self, span: &mut Span) {
        span.acked = Some(self.disk.trace_len());
    }

    /// Numbers for so many records.
    pub(super) fn numbers(&self, count: u64) -> std::ops::Range<u64> {
        let first = self.number.fetch_add(count, Ordering::Relaxed);
        first..first + count
    }

    /// Changes a topic by way of `ask`, which returns the topic's id.
    ///
    /// - `state`: what it is then.
    pub(super) fn change(
        &self,
        name: &str,
        state: Option<TopicState>,
        ask: impl FnOnce() -> Option<Uuid>,
    ) {
        let mut step = Step { span: self.begin(), state };
        self.history().topics.entry(name.to_owned()).or_default().push(step.clone());
        let id = ask();
        self.acked(&mut step.span);
        if let (Some(state), Some(id)) = (&mut step.state, id) {
            state.id = Some(id);
        }
        let mut history = self.history();
        let steps = history.topics.get_mut(name).expect("it was begun");
        *steps.last_mut().expect("it was begun") = step;
    }
}

impl Sent {
    /// What a check has written itself.
    pub(super) fn by_check(key: GroupKey, number: u64, base_offset: i64, promised: bool) -> Self {
        Self {
            span: Span::OF_OLD,
            key,
            client: usize::MAX,
            first: number,
            end: number + 1,
            base_offset: Some(base_offset),
            promised,
            numbered: None,
        }
    }
}
