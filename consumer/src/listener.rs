//! What an application hears of a rebalance.

use std::future::{Future, ready};
use std::pin::Pin;

use crate::{ConsumerControl, TopicPartition};

/// What a listener does, in a box, because listeners are of any type.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Hears which partitions the group gives and takes.
///
/// It is called within [`Consumer::next`](crate::Consumer::next) and its likes, and nothing is
/// handed out until it has returned. When such a call is dropped, the listener isn't: it goes on
/// within the next one. The group waits for it up to `max.poll.interval.ms`.
///
/// ```
/// use logboom_consumer::{BoxFuture, ConsumerControl, RebalanceListener, TopicPartition};
///
/// struct Stores;
///
/// impl RebalanceListener for Stores {
///     fn on_revoked<'a>(
///         &'a mut self,
///         consumer: &'a ConsumerControl,
///         partitions: &'a [TopicPartition],
///     ) -> BoxFuture<'a, ()> {
///         Box::pin(async move {
///             println!("stores what it knows of {partitions:?}");
///             if let Err(error) = consumer.commit_processed().await {
///                 println!("records may come again: {error}");
///             }
///         })
///     }
/// }
/// ```
pub trait RebalanceListener: Send {
    /// The partitions are the consumer's from now on; the listener may seek in them.
    fn on_assigned<'a>(
        &'a mut self,
        consumer: &'a ConsumerControl,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        let _ = (consumer, partitions);
        Box::pin(ready(()))
    }

    /// The partitions will be somebody else's. All that was handed out counts as processed, and can
    /// be committed; with `enable.auto.commit` it has been.
    fn on_revoked<'a>(
        &'a mut self,
        consumer: &'a ConsumerControl,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        let _ = (consumer, partitions);
        Box::pin(ready(()))
    }

    /// The partitions may be somebody else's already, and nothing of them can be committed. Where
    /// it isn't told otherwise, it is as if they were revoked.
    fn on_lost<'a>(
        &'a mut self,
        consumer: &'a ConsumerControl,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        self.on_revoked(consumer, partitions)
    }
}

/// Nobody listens.
pub(crate) struct Silence;

impl RebalanceListener for Silence {}
