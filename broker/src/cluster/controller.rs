//! The controller's task: decisions in order, their records flushed together.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use logboom_controller::{Decision, MetadataImage, MetadataRecord};
use logboom_protocol::ErrorCode;
use logboom_storage::StorageError;

use super::metadata_log::{DECISION_BYTES_MAX, MetadataLog};
use super::reconcile::Reconciler;
use crate::metrics::Metrics;

/// Why a decision isn't in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ControllerError {
    /// Its records are too many for one step.
    TooLarge,
    /// The metadata log doesn't take it, or may have lost it.
    Storage,
    /// It took longer than the client waits.
    TimedOut,
    /// The broker stops.
    Stopped,
}

impl ControllerError {
    /// The protocol's code.
    pub(crate) fn code(self) -> ErrorCode {
        match self {
            Self::TooLarge => ErrorCode::POLICY_VIOLATION,
            Self::Storage => ErrorCode::KAFKA_STORAGE_ERROR,
            Self::TimedOut => ErrorCode::REQUEST_TIMED_OUT,
            Self::Stopped => ErrorCode::NOT_CONTROLLER,
        }
    }
}

impl fmt::Display for ControllerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the request changes more than one step of the metadata log holds",
            Self::Storage => "the metadata log can't be written",
            Self::TimedOut => "the change is not in force yet",
            Self::Stopped => "the controller has stopped",
        })
    }
}

/// What a decision changes, and how its answer is given.
struct Decided {
    records: Vec<MetadataRecord>,
    answer: Answer,
}

type Answer = Box<dyn FnOnce(Result<(), ControllerError>) + Send>;
type Job = Box<dyn FnOnce(&MetadataImage) -> Decided + Send>;

enum Message {
    Decide(Job),
    Close(oneshot::Sender<()>),
}

/// The most decisions that wait.
const QUEUE_MAX: usize = 256;

/// Where decisions are asked for.
#[derive(Debug, Clone)]
pub(crate) struct ControllerHandle {
    messages: mpsc::Sender<Message>,
}

impl ControllerHandle {
    /// Decides on the newest image; the response comes when what it says is in force.
    ///
    /// # Errors
    /// [`ControllerError`]; whether the change is in force is then not known.
    pub(crate) async fn decide<R: Send + 'static>(
        &self,
        decide: impl FnOnce(&MetadataImage) -> Decision<R> + Send + 'static,
    ) -> Result<R, ControllerError> {
        let (sender, receiver) = oneshot::channel();
        let job = move |image: &MetadataImage| {
            let Decision { records, response } = decide(image);
            let answer = move |result: Result<(), ControllerError>| {
                drop(sender.send(result.map(|()| response)));
            };
            Decided { records, answer: Box::new(answer) }
        };
        let sent = self.messages.send(Message::Decide(Box::new(job))).await;
        sent.map_err(|_| ControllerError::Stopped)?;
        receiver.await.unwrap_or(Err(ControllerError::Stopped))
    }

    /// The same, for a client that waits so many milliseconds; negative ones are none. Whoever
    /// doesn't wait has the change made nevertheless.
    ///
    /// # Errors
    /// As [`Self::decide`], and [`ControllerError::TimedOut`].
    pub(crate) async fn decide_within<R: Send + 'static>(
        &self,
        timeout_ms: i32,
        decide: impl FnOnce(&MetadataImage) -> Decision<R> + Send + 'static,
    ) -> Result<R, ControllerError> {
        let wait = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
        let decided = tokio::time::timeout(wait, self.decide(decide)).await;
        decided.unwrap_or(Err(ControllerError::TimedOut))
    }

    /// Closes the metadata log; no decision is taken any more. Waits, on a thread without tasks.
    pub(crate) fn close(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.messages.blocking_send(Message::Close(sender)).is_ok() {
            drop(receiver.blocking_recv());
        }
    }
}

/// The controller.
pub(crate) struct Controller {
    log: MetadataLog,
    /// With what was decided and isn't durable yet.
    ///
    /// Invariant: the fold of all records of the log, unless `has_failed`.
    image: MetadataImage,
    /// What that is.
    records: Vec<MetadataRecord>,
    /// The log, or the partitions that follow it, have failed: only a start makes both good.
    has_failed: bool,
    reconciler: Reconciler,
    metrics: Arc<Metrics>,
    messages: mpsc::Receiver<Message>,
}

impl Controller {
    /// A controller that goes on with `image`.
    pub(crate) fn new(
        log: MetadataLog,
        image: MetadataImage,
        reconciler: Reconciler,
        metrics: Arc<Metrics>,
    ) -> (Self, ControllerHandle) {
        let (sender, messages) = mpsc::channel(QUEUE_MAX);
        (
            Self {
                log,
                image,
                has_failed: false,
                records: Vec::new(),
                reconciler,
                metrics,
                messages,
            },
            ControllerHandle { messages: sender },
        )
    }

    /// Decides until it is closed.
    pub(crate) async fn run(mut self) {
        let mut turn = Vec::new();
        while self.messages.recv_many(&mut turn, QUEUE_MAX).await > 0 {
            let (mut answers, mut closing) = (Vec::new(), None);
            for message in turn.drain(..) {
                match message {
                    Message::Decide(job) => answers.extend(self.decide(job)),
                    Message::Close(done) => closing = Some(done),
                }
            }
            let result = self.put_in_force().await;
            answers.into_iter().for_each(|answer| answer(result));
            if let Some(done) = closing {
                if let Err(error) = self.log.close() {
                    tracing::error!(%error, "not closed");
                }
                _ = done.send(());
                return;
            }
        }
    }

    /// Decides, and writes down what changes; returns how to answer when it is durable.
    fn decide(&mut self, job: Job) -> Option<Answer> {
        let Decided { records, answer } = job(&self.image);
        if self.has_failed {
            answer(Err(ControllerError::Storage));
            return None;
        }
        if records.is_empty() {
            return Some(answer);
        }
        let bytes = records.iter().filter_map(|record| record.encode().ok());
        if bytes.map(|bytes| bytes.len()).sum::<usize>() > DECISION_BYTES_MAX {
            answer(Err(ControllerError::TooLarge));
            return None;
        }
        let image = self.image.with(&records).expect("the image that was decided on takes them");
        if let Err(error) = self.log.append(&records) {
            tracing::error!(%error, "a decision is not taken");
            answer(Err(ControllerError::Storage));
            return None;
        }
        self.image = image;
        self.metrics.controller_decisions.add(1);
        self.records.extend(records);
        Some(answer)
    }

    /// Makes the decisions durable, publishes the image, and has the partitions follow.
    async fn put_in_force(&mut self) -> Result<(), ControllerError> {
        let (sender, receiver) = oneshot::channel();
        let Some(offset) = self.log.flush(move |result| drop(sender.send(result))) else {
            return Ok(());
        };
        match receiver.await {
            Ok(Ok(())) => self.log.on_flushed(offset),
            Ok(Err(error)) => {
                self.log.on_flush_failed();
                return Err(self.fail("the metadata log is not flushed", &error));
            }
            // The threads that flush have ended.
            Err(_) => return Err(ControllerError::Stopped),
        }
        let records = std::mem::take(&mut self.records);
        if let Err(error) = self.reconciler.follow(&self.image, &records, offset).await {
            return Err(self.fail("partitions don't follow the metadata", &error));
        }
        if let Err(error) = self.log.checkpoint(&self.image) {
            tracing::warn!(%error, "no checkpoint");
        }
        Ok(())
    }

    /// Takes no decision any more.
    fn fail(&mut self, what: &str, error: &StorageError) -> ControllerError {
        tracing::error!(%error, "{what}; restart the broker");
        self.has_failed = true;
        ControllerError::Storage
    }
}

#[cfg(test)]
mod tests;
