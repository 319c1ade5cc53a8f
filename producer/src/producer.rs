//! The handle of a producer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use logboom_client::Cluster;

use crate::accumulator::{Accumulator, TopicQueues};
use crate::delivery::{Delivered, Delivery, Settled};
use crate::sender::Sender;
use crate::settings::{ProducerBuilder, Settings};
use crate::{ProduceError, Record};

/// Sends records to a cluster that speaks the Kafka protocol. Clones are the same producer; many
/// tasks may send at once.
///
/// Records that one task sends to a partition one after the other stand there in that order,
/// whatever is tried again. When the last clone is dropped, what was taken is still sent in the
/// background, as long as the runtime runs; [`Self::close`] waits for it.
#[derive(Debug, Clone)]
pub struct Producer {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    cluster: Cluster,
    accumulator: Arc<Accumulator>,
    /// Closes when the sender has ended.
    running: watch::Receiver<()>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.accumulator.close();
    }
}

impl Producer {
    /// Settings to begin with.
    pub fn builder() -> ProducerBuilder {
        ProducerBuilder::default()
    }

    pub(crate) fn start(cluster: Cluster, settings: Settings) -> Self {
        let accumulator = Arc::new(Accumulator::new(settings));
        let sender = Sender::new(cluster.clone(), Arc::clone(&accumulator));
        let (runs, running) = watch::channel(());
        tokio::spawn(async move {
            sender.run().await;
            drop(runs);
        });
        Self { handle: Arc::new(Handle { cluster, accumulator, running }) }
    }

    /// Takes a record to be sent; waits while `buffer.memory` is full, and where the topic or the
    /// partition isn't known yet. That it was sent, its [`Delivery`] tells.
    ///
    /// Cancel-safe: when the future is dropped before it is ready, the record isn't sent.
    ///
    /// # Errors
    /// There is no such topic or partition, neither what there is to know of it nor room within
    /// `max.block.ms`, the record is too large, or the producer was closed. Nothing is sent then.
    pub async fn send(&self, record: Record<'_>) -> Result<Delivery, ProduceError> {
        // So that who sends without a pause leaves the sender its turn.
        tokio::task::coop::consume_budget().await;
        let Handle { accumulator, .. } = &*self.handle;
        let known = accumulator.topic(record.topic).filter(|topic| topic.has(record.partition));
        let max_block = accumulator.settings.max_block;
        let (topic, limit) = match known {
            Some(topic) => (topic, max_block),
            None => {
                let began = Instant::now();
                let topic = self.learn(&record).await?;
                (topic, max_block.saturating_sub(began.elapsed()))
            }
        };
        let room = accumulator.take_room(record.bytes_max(), limit).await?;
        accumulator.append(&topic, &record, room)
    }

    /// Sends a record and waits until it is acknowledged.
    ///
    /// Not cancel-safe: when the future is dropped, the record may be sent all the same.
    ///
    /// # Errors
    /// As [`Self::send`], or why it wasn't acknowledged.
    pub async fn publish(&self, record: Record<'_>) -> Result<Delivered, ProduceError> {
        self.send(record).await?.await
    }

    /// Waits until all that was taken before has been acknowledged or has failed, which each
    /// record's delivery tells; nothing waits for `linger.ms` any more. Cancel-safe.
    pub async fn flush(&self) {
        for outcome in self.handle.accumulator.flush() {
            Settled::new(outcome).await;
        }
    }

    /// Takes no more records, and waits until all that were taken are acknowledged or have failed.
    /// What isn't within `limit` fails with [`ProduceError::Closed`]; that which is under way may
    /// be appended all the same. Clones are closed, too.
    pub async fn close(self, limit: Duration) {
        let Handle { accumulator, running, .. } = &*self.handle;
        accumulator.close();
        let mut running = running.clone();
        if tokio::time::timeout(limit, running.changed()).await.is_err() {
            accumulator.end(&ProduceError::Closed);
        }
    }

    /// The cluster that it sends to.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.handle.cluster
    }

    async fn learn(&self, record: &Record<'_>) -> Result<Arc<TopicQueues>, ProduceError> {
        let Handle { cluster, accumulator, .. } = &*self.handle;
        if accumulator.is_closed() {
            return Err(accumulator.ended().unwrap_or(ProduceError::Closed));
        }
        let limit = accumulator.settings.max_block;
        let topic = cluster.topic_within(record.topic, record.partition, limit).await?;
        accumulator.learn(&topic)
    }
}
