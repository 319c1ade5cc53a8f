//! The front: what the application holds, and asks for records.
//!
//! ```text
//!   next, next_batch ─▶ held haul ── empty, or attention moved ──▶ State: steps, errors, next haul
//!        │                                                             │ nothing
//!        └── a load and a few stores a call, no lock                   └── waits
//! ```
//!
//! **Invariant:** whoever holds a haul looks at the attention before each hand-out, and at the
//! state when it has moved.
//!
//! **Invariant:** what is handed out is told to be done with at the next call, never before: by a
//! store, that whoever asks the state for it reads there.

use std::fmt;
use std::future::poll_fn;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use logboom_protocol::records::{BatchError, Inflater};

use crate::listener::Silence;
use crate::state::{Life, State, Step, StepKind, Subscription, Taken};
use crate::topics::Topics;
use crate::{
    BoxFuture, ConsumerBuilder, ConsumerControl, ConsumerError, PendingCommit, RebalanceListener,
    Record, RecordBatch, Start, TopicPartition,
};

/// Inflated bytes with which a [`RecordBatch`] ends.
const BATCH_BYTES: usize = 1 << 20;
/// How long the end of the membership is waited for when a consumer is closed.
const LEAVE_MAX: Duration = Duration::from_secs(10);

/// The tasks of a consumer, which end with it.
#[derive(Debug)]
pub(crate) struct Tasks {
    pub(crate) driver: JoinHandle<()>,
    pub(crate) committing: JoinHandle<()>,
    /// It ends by itself, when it has left the group.
    pub(crate) membership: Option<JoinHandle<()>>,
}

/// Reads records of partitions that it was assigned, or that its group gives it.
///
/// All that can be done to it from elsewhere, as [`pause`](ConsumerControl::pause) and
/// [`seek`](ConsumerControl::seek), is at its [`ConsumerControl`], to which it dereferences. What
/// has other names there takes less for processed: not what was handed out last.
///
/// Dropped without [`close`](Self::close), it leaves its group in the background and commits
/// nothing.
pub struct Consumer {
    control: ConsumerControl,
    held: Option<Taken>,
    /// The attention at the last look at the state.
    seen: u64,
    polls: u64,
    inflater: Inflater,
    /// `None` while it hears something.
    listener: Option<Box<dyn RebalanceListener>>,
    hearing: Option<BoxFuture<'static, Box<dyn RebalanceListener>>>,
    tasks: Tasks,
}

/// What the front is to do.
enum Next {
    Hear(Step),
    Tell(ConsumerError),
    HandOut,
    Wait,
}

impl Consumer {
    /// Settings by Kafka's names.
    pub fn builder() -> ConsumerBuilder {
        ConsumerBuilder::default()
    }

    pub(crate) fn new(
        control: ConsumerControl,
        listener: Option<Box<dyn RebalanceListener>>,
        tasks: Tasks,
    ) -> Self {
        let inflater = Inflater::new(control.config.inflated_bytes_max);
        Self {
            control,
            held: None,
            seen: 0,
            polls: 0,
            inflater,
            listener: Some(listener.unwrap_or_else(|| Box::new(Silence))),
            hearing: None,
            tasks,
        }
    }

    /// A handle for elsewhere.
    #[must_use]
    pub fn control(&self) -> ConsumerControl {
        self.control.clone()
    }

    /// Has the group give partitions of these topics, and of no others. A topic that isn't there is
    /// waited for.
    ///
    /// What begins with `^` is a regular expression, and stands for all topics that match, also
    /// those that come: they are looked for every `metadata.max.age.ms`. It passes over the
    /// cluster's own, unless `exclude.internal.topics` is false.
    ///
    /// # Errors
    /// [`ConsumerError::NoGroup`]; a pattern is none; or partitions were assigned, which
    /// [`unsubscribe`](Self::unsubscribe) ends.
    pub fn subscribe<T: AsRef<str>>(
        &mut self,
        topics: impl IntoIterator<Item = T>,
    ) -> Result<(), ConsumerError> {
        if self.control.config.group_id.is_none() {
            return Err(ConsumerError::NoGroup);
        }
        let topics = Topics::new(topics)?;
        self.control.shared.update(|state| {
            if state.subscription == Subscription::Manual {
                return Err(ConsumerError::config("subscribe", "partitions are assigned"));
            }
            state.subscribe(topics);
            Ok(())
        })
    }

    /// Reads these partitions, and no others; without a group, or beside one. Those that are new
    /// begin where the group has committed, or where `auto.offset.reset` says.
    ///
    /// With automatic commits what was read of those that go is committed, in the background: who
    /// assigns one again at once, as A behind A and then B, may read records twice.
    ///
    /// # Errors
    /// Topics are subscribed to, which [`unsubscribe`](Self::unsubscribe) ends.
    pub fn assign(
        &mut self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<(), ConsumerError> {
        self.assign_all(partitions.into_iter().map(|place| (place, None)).collect())
    }

    /// As [`Self::assign`], and all of them begin where it is said.
    ///
    /// # Errors
    /// As [`Self::assign`]; or an offset is negative.
    pub fn assign_from(
        &mut self,
        partitions: impl IntoIterator<Item = (TopicPartition, Start)>,
    ) -> Result<(), ConsumerError> {
        let wanted = partitions.into_iter().map(|(place, start)| (place, Some(start)));
        self.assign_all(wanted.collect())
    }

    fn assign_all(
        &mut self,
        wanted: Vec<(TopicPartition, Option<Start>)>,
    ) -> Result<(), ConsumerError> {
        let mut starts = wanted.iter().filter_map(|(_, start)| *start);
        starts.try_for_each(|start| start.check("assign"))?;
        self.settle();
        self.control.shared.update(|state| {
            if matches!(state.subscription, Subscription::Topics(_)) {
                return Err(ConsumerError::config("assign", "topics are subscribed to"));
            }
            state.assign(wanted);
            Ok(())
        })
    }

    /// Reads nothing any more: commits, if that is automatic, has the listener hear that the
    /// partitions are revoked, and leaves the group in the background; but with a
    /// `group.instance.id` it stays a member until its session is over, to come back as the same.
    ///
    /// Dropped, it may be called again.
    pub async fn unsubscribe(&mut self) {
        self.settle();
        let shared = Arc::clone(&self.control.shared);
        self.hear_of_losses().await;
        let places = shared.update(|state| state.heard_places());
        self.hear(Step { id: 0, kind: StepKind::Revoke, places });
        poll_fn(|cx| self.poll_hearing(cx)).await;
        shared.update(State::unsubscribe);
    }

    /// Waits for the next record. What was handed out before counts as processed.
    ///
    /// Cancel-safe: when the future is dropped, no record is lost.
    ///
    /// # Errors
    /// [`ConsumerError::Config`] where nothing is subscribed to or assigned; and else
    /// [`ConsumerError::remedy`] says what to do; the consumer itself stays usable, and goes on at
    /// the next call.
    pub async fn next(&mut self) -> Result<Record, ConsumerError> {
        poll_fn(|cx| self.poll_record(cx)).await
    }

    /// Waits for records of one partition: batches as they were written, until they have
    /// `max.poll.records`. What was handed out before counts as processed.
    ///
    /// Cancel-safe as [`Self::next`].
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn next_batch(&mut self) -> Result<RecordBatch, ConsumerError> {
        poll_fn(|cx| self.poll_batch(cx)).await
    }

    /// [`Self::next`], for who writes futures by hand.
    pub fn poll_record(&mut self, cx: &mut Context<'_>) -> Poll<Result<Record, ConsumerError>> {
        self.count_poll();
        loop {
            ready!(self.poll_held(cx))?;
            let Some(taken) = &mut self.held else { continue };
            match taken.haul.next_record(&mut self.inflater) {
                Ok(Some((lent, part))) => {
                    return Poll::Ready(Ok(Record::new(&taken.place, &lent, part)));
                }
                Ok(None) => self.let_go(),
                Err(error) => self.refuse(error)?,
            }
        }
    }

    /// [`Self::next_batch`], for who writes futures by hand.
    pub fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<RecordBatch, ConsumerError>> {
        self.count_poll();
        loop {
            ready!(self.poll_held(cx))?;
            match self.gather() {
                Ok(Some(batch)) => return Poll::Ready(Ok(batch)),
                Ok(None) => self.let_go(),
                Err(error) => self.refuse(error)?,
            }
        }
    }

    /// Commits all that was handed out, the last records included.
    ///
    /// Cancel-safe: the commit goes on when this is dropped.
    ///
    /// # Errors
    /// As [`ConsumerControl::commit_processed`].
    pub async fn commit(&mut self) -> Result<(), ConsumerError> {
        self.commit_async().await
    }

    /// Begins to commit all that was handed out, the last records included.
    pub fn commit_async(&mut self) -> PendingCommit {
        self.settle();
        self.control.commit_processed_async()
    }

    /// The offset behind what was handed out of a partition; `None` while it isn't known where the
    /// partition begins.
    ///
    /// # Errors
    /// [`ConsumerError::NotAssigned`].
    pub fn position(&mut self, partition: &TopicPartition) -> Result<Option<i64>, ConsumerError> {
        self.settle();
        self.control.processed(partition)
    }

    /// Ends: commits all that was handed out, if commits are automatic, has the listener hear that
    /// the partitions are revoked, waits for commits that were begun, and leaves the group; but
    /// with a `group.instance.id` it stays a member until its session is over, to come back as the
    /// same.
    ///
    /// Not cancel-safe: when the future is dropped the consumer is, as if it hadn't been called.
    ///
    /// # Errors
    /// One of these commits has failed: records may come again.
    pub async fn close(mut self) -> Result<(), ConsumerError> {
        self.settle();
        self.hear_of_losses().await;
        let result = match self.is_auto_commit() {
            true => self.control.commit_owed().await,
            false => Ok(()),
        };
        // The group may have gone on meanwhile.
        self.hear_of_losses().await;
        let places = self.control.shared.update(|state| state.heard_places());
        if !places.is_empty()
            && let Some(listener) = &mut self.listener
        {
            listener.on_revoked(&self.control, &places).await;
        }
        let result = result.and(self.control.finish_commits().await);
        self.control.shared.update(State::close);
        if let Some(membership) = self.tasks.membership.take() {
            // It goes on in the background if the coordinator takes its time.
            drop(timeout(LEAVE_MAX, membership).await);
        }
        result
    }

    #[inline]
    fn count_poll(&mut self) {
        self.settle();
        self.polls += 1;
        self.control.shared.polled(self.polls);
    }

    /// Ready when a haul is held that may be handed out.
    #[inline]
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConsumerError>> {
        let is_calm = self.control.shared.attention() == self.seen && self.hearing.is_none();
        if is_calm && self.held.is_some() {
            return Poll::Ready(Ok(()));
        }
        self.poll_anew(cx)
    }

    fn poll_anew(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConsumerError>> {
        loop {
            ready!(self.poll_hearing(cx));
            self.seen = self.control.shared.attention();
            let held = &mut self.held;
            match self.control.shared.update(|state| state.advance(held, cx)) {
                Next::Hear(step) => self.hear(step),
                Next::Tell(error) => return Poll::Ready(Err(error)),
                Next::HandOut => return Poll::Ready(Ok(())),
                Next::Wait => return Poll::Pending,
            }
        }
    }

    /// Has the listener hear of all that was lost, before it hears of nothing more.
    async fn hear_of_losses(&mut self) {
        poll_fn(|cx| self.poll_hearing(cx)).await;
        let places = self.control.shared.update(State::take_unheard_losses);
        self.hear(Step { id: 0, kind: StepKind::Lose, places });
        poll_fn(|cx| self.poll_hearing(cx)).await;
    }

    /// Ready when the listener hears nothing.
    fn poll_hearing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(hearing) = &mut self.hearing {
            self.listener = Some(ready!(hearing.as_mut().poll(cx)));
            self.hearing = None;
        }
        Poll::Ready(())
    }

    /// Has the listener hear a step. It owns what it needs, so it goes on when a call is dropped.
    fn hear(&mut self, step: Step) {
        let control = self.control.clone();
        let commits = self.is_auto_commit() && step.kind == StepKind::Revoke;
        let mut listener = self.listener.take().unwrap_or_else(|| Box::new(Silence));
        self.hearing = Some(Box::pin(async move {
            if commits {
                commit_before_revocation(&control).await;
            }
            let places = &step.places;
            match step.kind {
                // Who had nothing of a group's has nothing to give up or lose.
                StepKind::Revoke | StepKind::Lose if places.is_empty() => {}
                StepKind::Assign => listener.on_assigned(&control, places).await,
                StepKind::Revoke => listener.on_revoked(&control, places).await,
                StepKind::Lose => listener.on_lost(&control, places).await,
            }
            control.shared.update(|state| state.end_step(step.id));
            listener
        }));
    }

    /// The next batches of the held haul.
    fn gather(&mut self) -> Result<Option<RecordBatch>, BatchError> {
        let Some(taken) = &mut self.held else { return Ok(None) };
        let (mut parts, mut count, mut bytes) = (Vec::new(), 0, 0);
        while count < self.control.config.poll_records_max && bytes < BATCH_BYTES {
            match taken.haul.next_part(&mut self.inflater) {
                Ok(Some(part)) => {
                    count += crate::record::count(&part.records);
                    bytes += part.records.bytes().len();
                    parts.push(part);
                }
                // What is before the damage is handed out first.
                Err(_) if !parts.is_empty() => break,
                Ok(None) => break,
                Err(error) => return Err(error),
            }
        }
        let place = &taken.place;
        Ok((!parts.is_empty()).then(|| RecordBatch::new(place.clone(), parts)))
    }

    /// The held haul is over.
    fn let_go(&mut self) {
        if let Some(mut taken) = self.held.take() {
            taken.haul.end();
            self.control.shared.update(|state| state.settle(&taken));
        }
    }

    /// The held haul can't be read on; an error where the leader's copy is damaged.
    #[cold]
    fn refuse(&mut self, error: BatchError) -> Result<(), ConsumerError> {
        let Some(taken) = self.held.take() else { return Ok(()) };
        let (partition, offset) = (taken.place.clone(), taken.haul.next());
        let next = taken.haul.behind();
        metrics::counter!("logboom_consumer_damaged_total").increment(1);
        match self.control.shared.update(|state| state.refetch(taken)) {
            true => Err(ConsumerError::Damaged { partition, offset, next, error }),
            false => Ok(()),
        }
    }

    /// All that was handed out is done with.
    #[inline]
    fn settle(&self) {
        if let Some(taken) = &self.held {
            self.control.shared.progress.tell(&taken.haul);
        }
    }

    fn is_auto_commit(&self) -> bool {
        self.control.config.auto_commit && self.control.config.group_id.is_some()
    }
}

/// Commits what is processed, but not for so long that the group goes on without this member.
async fn commit_before_revocation(control: &ConsumerControl) {
    let limit = control.config.last_commit_max();
    match timeout(limit, control.commit_owed()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "records may come again: the last commit failed"),
        Err(_) => tracing::warn!(?limit, "records may come again: the last commit takes too long"),
    }
}

impl State {
    /// What the front is to do next, who holds a haul or not.
    fn advance(&mut self, held: &mut Option<Taken>, cx: &Context<'_>) -> Next {
        self.catch_up();
        if held.as_ref().is_some_and(|taken| !self.is_valid(taken))
            && let Some(taken) = held.take()
        {
            self.give_back(taken);
        }
        if self.life == Life::Closing {
            return Next::Tell(self.end());
        }
        if let Some(step) = self.next_step() {
            return Next::Hear(step);
        }
        if let Some(error) = self.next_error() {
            return Next::Tell(error);
        }
        if held.is_none() {
            *held = self.take();
        }
        if held.is_some() {
            return Next::HandOut;
        }
        if self.reads_nothing() {
            let rule = "topics have to be subscribed to, or partitions assigned, before";
            return Next::Tell(ConsumerError::config("next", rule));
        }
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
        Next::Wait
    }
}

impl Deref for Consumer {
    type Target = ConsumerControl;

    fn deref(&self) -> &ConsumerControl {
        &self.control
    }
}

impl Stream for Consumer {
    type Item = Result<Record, ConsumerError>;

    /// As [`Consumer::next`]. It doesn't end: after an error the next item is asked for as before.
    ///
    /// What is asked for counts as processed when the next item is: behind an adaptor that reads
    /// ahead, as `peekable`, `ready_chunks` or `buffered`, before the program has seen it. Whoever
    /// uses one commits by hand what it has processed.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_record(cx).map(Some)
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("control", &self.control).finish_non_exhaustive()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.control.shared.update(State::close);
        self.tasks.driver.abort();
        self.tasks.committing.abort();
    }
}

#[cfg(test)]
mod tests;
