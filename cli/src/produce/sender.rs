//! Lines are handed to a producer; what becomes of each is told by line.
//!
//! Must always hold: every line that was read is counted once, as sent or as failed.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncBufRead;

use logboom_client::{ClientError, Remedy};
use logboom_producer::{Delivered, Delivery, ProduceError, Producer, Record};

use super::lines::{LineNumbers, Lines};
use super::{ProduceArguments, split};
use crate::client::Failure;
use crate::output::Output;
use crate::progress::Progress;

/// Lines that were handed over and of which nothing was heard, at which no more are read.
const UNHEARD_MAX: usize = 1 << 20;

/// Sends the lines of one input.
pub(super) struct Sender<'a> {
    producer: Producer,
    arguments: &'a ProduceArguments,
    /// The lines of which nothing was heard, in their order.
    unheard: VecDeque<(u64, Delivery)>,
    /// Lines that failed one after the other for the same reason, which isn't told yet.
    complaint: Option<(LineNumbers, String)>,
    sent: u64,
    failed: u64,
    /// Whether an error shows that what follows would fail as well.
    is_hopeless: bool,
    progress: Progress,
}

impl<'a> Sender<'a> {
    /// Looks up the topic.
    pub(super) async fn new(
        arguments: &'a ProduceArguments,
        progress: Progress,
    ) -> Result<Self, Failure> {
        let producer = arguments.producer()?.build()?;
        let topic = producer.cluster().topic(&arguments.topic).await?;
        if let Some(partition) = arguments.partition {
            topic.partition(partition)?;
        }
        Ok(Self {
            producer,
            arguments,
            unheard: VecDeque::new(),
            complaint: None,
            sent: 0,
            failed: 0,
            is_hopeless: false,
            progress,
        })
    }

    /// Sends all lines and waits for them.
    pub(super) async fn run<R: AsyncBufRead + Unpin>(
        mut self,
        mut lines: Lines<R>,
    ) -> Result<(), Failure> {
        let input = self.send_lines(&mut lines).await;
        if self.is_hopeless {
            self.producer.clone().close(Duration::ZERO).await;
        }
        // What was read is sent, also where the input broke off.
        self.producer.flush().await;
        while let Some((number, delivery)) = self.unheard.pop_front() {
            let result = delivery.await;
            self.hear(number, result);
        }
        self.complain();
        drop(self.progress);
        input?;
        if self.arguments.client.output == Output::Json {
            let topic = &self.arguments.topic;
            let summary = json!({ "topic": topic, "sent": self.sent, "failed": self.failed });
            writeln!(io::stdout(), "{summary}")?;
        }
        if self.failed > 0 { Err(Failure::Told) } else { Ok(()) }
    }

    /// Reads to the end of the input, or until there is no hope.
    async fn send_lines<R: AsyncBufRead + Unpin>(
        &mut self,
        lines: &mut Lines<R>,
    ) -> Result<(), Failure> {
        loop {
            let has_room = self.unheard.len() < UNHEARD_MAX;
            let oldest = self
                .unheard
                .front_mut()
                .map(|(number, delivery)| async { (*number, delivery.await) });
            tokio::select! {
                biased;
                Some((number, result)) = maybe(oldest) => {
                    self.unheard.pop_front();
                    self.hear(number, result);
                }
                more = lines.next(), if has_room => {
                    if !more.map_err(|error| Failure::failed(format!("read: {error}")))? {
                        return Ok(());
                    }
                    let (number, line) = lines.take();
                    self.send(number, &line).await;
                }
            }
            if self.is_hopeless {
                let next = lines.next_number();
                return Err(Failure::failed(format!("lines from {next} on were not read")));
            }
        }
    }

    /// Hands a line over.
    async fn send(&mut self, number: u64, line: &[u8]) {
        let (key, value) = split(line, self.arguments.key_delimiter.as_deref());
        let mut record = Record::to(&self.arguments.topic).value(value);
        if let Some(key) = key {
            record = record.key(key);
        }
        if let Some(partition) = self.arguments.partition {
            record = record.partition(partition);
        }
        match self.producer.send(record).await {
            Ok(delivery) => self.unheard.push_back((number, delivery)),
            Err(error) => self.hear(number, Err(error)),
        }
    }

    /// Counts a line of which something was heard.
    fn hear(&mut self, number: u64, result: Result<Delivered, ProduceError>) {
        let Err(error) = result else {
            self.sent += 1;
            return self.progress.show(|| format!("{} records sent", self.sent));
        };
        self.failed += 1;
        let reason = match &error {
            ProduceError::Closed => "not sent, after what failed before".to_owned(),
            _ => {
                // Who isn't believed isn't with the next line either.
                let is_of_all = matches!(
                    error,
                    ProduceError::Cluster(
                        ClientError::Connection { .. } | ClientError::NoBroker { .. }
                    )
                );
                let is_of_one = error.remedy() == Remedy::FixCall
                    || matches!(error, ProduceError::OtherRefused { .. });
                self.is_hopeless |= is_of_all || !is_of_one;
                Failure::from(error).to_string()
            }
        };
        if self.complaint.as_ref().is_some_and(|(_, told)| *told != reason) {
            self.complain();
        }
        let (lines, _) = self.complaint.get_or_insert_with(|| (LineNumbers::default(), reason));
        lines.push(number);
    }

    /// Says which lines were not sent.
    fn complain(&mut self) {
        if let Some((lines, why)) = self.complaint.take() {
            crate::complain(&format!("logboom produce: {lines}: {why}"));
        }
    }
}

/// What becomes of a future, if there is one.
async fn maybe<F: Future>(future: Option<F>) -> Option<F::Output> {
    match future {
        Some(future) => Some(future.await),
        None => None,
    }
}
