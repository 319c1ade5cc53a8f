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

/// Why batches have no answers.
#[derive(Debug)]
struct Failed {
    error: ClientError,
    /// Whether they may have left the client.
    is_sent: bool,
}

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
        for (at, (queue, mut batch)) in sent.into_iter().enumerate() {
            let answer = match &answers {
                Ok(answers) => answers[at].clone(),
                Err(Failed { error, is_sent }) => {
                    batch.is_sent = *is_sent;
                    Err(error.clone())
                }
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
    ) -> Result<Vec<Result<Produced, ClientError>>, Failed> {
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
        // What is answered has its place before it is sent; what isn't, when it was sent.
        let is_sent = acks == Acks::None;
        let posted = posted.map_err(|error| Failed { error, is_sent })?;
        posted.answers().await.map_err(|error| Failed { error, is_sent: true })
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
    use crate::accumulator::Accumulator;
    use crate::delivery::Outcome;
    use crate::memory::{Memory, Room};
    use crate::{Producer, Record};
    use logboom_client::Partition;
    use logboom_client::testing::{ScriptedBroker, cluster};
    use logboom_protocol::messages::metadata::{MetadataResponse, MetadataResponseBroker};
    use logboom_protocol::records::{Codec, ProducerState};
    use logboom_protocol::units::Uuid;
    use tokio::time::Instant;

    #[tokio::test]
    async fn what_finds_no_connection_never_left_the_client() {
        let (broker, gone) = (ScriptedBroker::bind().await, ScriptedBroker::bind().await.address);
        let cluster = cluster(vec![broker.address.clone()]);
        let brokers = vec![MetadataResponseBroker {
            node_id: 7,
            host: gone.host.as_str().into(),
            port: gone.port.into(),
            ..MetadataResponseBroker::default()
        }];
        let known = MetadataResponse { brokers, ..MetadataResponse::default() };
        broker.run(move |asked| Some(asked.answer(&known)));
        let settings = Producer::builder().settings().unwrap();
        let limits = settings.queue.clone();
        let accumulator = Accumulator::new(settings);
        let partitions = vec![Partition { leader: Some(7), ..Partition::default() }];
        let topic = Topic { name: "t".into(), id: Uuid::ZERO, is_internal: false, partitions };
        let topic = Arc::new(topic);
        let queues = accumulator.learn(&topic).unwrap();
        let mut left = Vec::new();
        for acks in [Acks::All, Acks::None] {
            let record = Record::to("t").value("a");
            let room = accumulator.take_room(record.bytes_max(), Duration::ZERO).await.unwrap();
            drop(accumulator.append(&queues, &record, room).unwrap());
            accumulator.flush();
            let queue = accumulator.queues().remove(0);
            let batch = queue.lock().take(Instant::now(), None, Uuid::ZERO, &limits).unwrap();
            assert!(batch.is_sent, "nobody has said otherwise");
            let request = Request {
                cluster: cluster.clone(),
                broker_id: 7,
                acks,
                timeout: Duration::from_secs(60),
                retries: 0,
                before: None,
                placed: oneshot::channel().0,
            };
            let topic = Arc::clone(&topic);
            let settled = request.send(vec![Entry { queue, topic, batch }]).await;
            let Ok([(queue, batch, verdict)]) = <[Settled; 1]>::try_from(settled) else {
                panic!("one was sent");
            };
            assert!(matches!(verdict.error(), Some(ClientError::Connection { .. })), "{verdict:?}");
            left.push(batch.is_sent);
            queue.lock().settle(batch, verdict, Instant::now());
        }
        assert_eq!(left, [false, true], "of what has no answer nobody knows");
    }

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
