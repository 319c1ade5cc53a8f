//! A request with batches for partitions that a broker leads, on its way and back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use logboom_client::{Acks, ClientError, Cluster, PartitionBatch, Produced, Topic};
use logboom_protocol::ErrorCode;

use crate::ProduceError;
use crate::accumulator::PartitionQueue;
use crate::batch::Batch;
use crate::queue::Verdict;

/// A batch, where it comes from, and the topic as it is known.
pub(crate) struct Entry {
    pub(crate) queue: Arc<PartitionQueue>,
    pub(crate) topic: Arc<Topic>,
    pub(crate) batch: Batch,
}

/// A request before it is sent.
pub(crate) struct Request {
    pub(crate) cluster: Cluster,
    pub(crate) broker_id: i32,
    pub(crate) acks: Acks,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    /// Hears when the request before it has its place.
    pub(crate) before: Option<oneshot::Receiver<()>>,
    /// Is told, or dropped, when this one has.
    pub(crate) placed: oneshot::Sender<()>,
}

type Settled = (Arc<PartitionQueue>, Batch, Verdict);

impl Request {
    /// Sends the batches, and waits for what becomes of each.
    pub(crate) async fn send(self, mut entries: Vec<Entry>) -> Vec<Settled> {
        // Those of a topic stand together.
        entries.sort_by(|a, b| {
            (&a.queue.topic, a.queue.partition).cmp(&(&b.queue.topic, b.queue.partition))
        });
        let mut settled = Vec::with_capacity(entries.len());
        let (mut batches, mut sent) = (Vec::new(), Vec::new());
        for Entry { queue, topic, mut batch } in entries {
            match batch.encode() {
                Ok(bytes) => {
                    let partition = queue.partition;
                    batches.push(PartitionBatch { topic, partition, batch: bytes });
                    sent.push((queue, batch));
                }
                Err(error) => {
                    settled.push((queue, batch, Verdict::Refused(ProduceError::Record(error))));
                }
            }
        }
        let (cluster, broker_id, retries) = (self.cluster.clone(), self.broker_id, self.retries);
        let answers = self.post(batches).await;
        for (at, (queue, batch)) in sent.into_iter().enumerate() {
            let answer = match &answers {
                Ok(answers) => answers[at].clone(),
                Err(error) => Err(error.clone()),
            };
            let leader = cluster.known_topic(&queue.topic);
            let leader = leader.and_then(|topic| topic.leader(queue.partition).ok());
            let has_moved = leader.is_some_and(|leader| leader != broker_id);
            let pause =
                if has_moved { Duration::ZERO } else { cluster.config().backoff(batch.attempts) };
            let verdict = verdict(answer, &batch, pause, retries);
            settled.push((queue, batch, verdict));
        }
        settled
    }

    async fn post(
        self,
        batches: Vec<PartitionBatch>,
    ) -> Result<Vec<Result<Produced, ClientError>>, ClientError> {
        let Self { cluster, broker_id, acks, timeout, before, placed, .. } = self;
        if let Some(before) = before {
            // One that was dropped has its place, too: none.
            before.await.ok();
        }
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        let posted = cluster.post_batches(broker_id, acks, timeout, &batches).await;
        placed.send(()).ok();
        posted?.answers().await
    }
}

/// What an answer means for a batch.
fn verdict(
    answer: Result<Produced, ClientError>,
    batch: &Batch,
    pause: Duration,
    retries: u32,
) -> Verdict {
    let error = match answer {
        Ok(produced) => return Verdict::Appended(produced),
        Err(error) => error,
    };
    match error.code() {
        Some(
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
            | ErrorCode::UNKNOWN_PRODUCER_ID
            | ErrorCode::INVALID_PRODUCER_EPOCH,
        ) if batch.numbers.is_some() => {
            // However often that was: those behind it would be out of order as well.
            Verdict::OutOfOrder { error, pause }
        }
        Some(ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE) => {
            Verdict::TooLarge(error)
        }
        _ if error.is_retriable() && batch.attempts < retries => Verdict::Again { error, pause },
        _ => Verdict::Refused(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Outcome;
    use crate::memory::{Memory, Room};
    use logboom_protocol::records::{Codec, ProducerState};
    use tokio::time::Instant;

    #[test]
    fn a_batch_out_of_order_is_sent_again_however_often_it_was() {
        let room = Room::of(&Memory::new(1));
        let outcome = Outcome::new("t".into(), 0);
        let mut batch = Batch::new(0, Codec::None, outcome, room, 0, Instant::now());
        batch.attempts = 1;
        let refused = |code| {
            Err(ClientError::Refused { what: "partition t-0".to_owned(), code, message: None })
        };
        let out_of_order = || refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        let told = verdict(out_of_order(), &batch, Duration::ZERO, 1);
        assert!(matches!(told, Verdict::Refused(_)), "nobody has numbered it");
        batch.numbers =
            Some(ProducerState { id: 1, epoch: 0, base_sequence: 0, transactional: false });
        let told = verdict(out_of_order(), &batch, Duration::ZERO, 1);
        assert!(matches!(told, Verdict::OutOfOrder { .. }), "{told:?}");
        let told = verdict(refused(ErrorCode::NOT_LEADER_OR_FOLLOWER), &batch, Duration::ZERO, 1);
        assert!(matches!(told, Verdict::Refused(_)), "{told:?}");
    }
}
