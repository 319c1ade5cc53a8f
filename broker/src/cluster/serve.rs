//! What this broker answers to the calls of others.

use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::oneshot;

use logboom_controller::brokers::{RegisterBroker, register_broker};
use logboom_controller::leaders::report_leaders;
use logboom_controller::producer_ids::{ProducerIdsExhausted, allocate_producer_ids};
use logboom_controller::{Decision, MetadataImage};
use logboom_protocol::header::RequestHeader;
use logboom_protocol::records::RawBatches;
use logboom_protocol::units::Uuid;
use logboom_storage::{Found, ReadUntil};

use super::calls::{AskedBatches, Request, Response};
use super::compacted::Compacted;
use super::controller::{ControllerError, ControllerHandle};
use super::recovery::Replicas;
use crate::config::QuorumVoter;
use crate::handlers::{self, Reply, RequestContext};
use crate::node::{Node, random_id};
use crate::panics::for_one;
use crate::partition::Surroundings;
use crate::peer::{Answer, PeerId};
use crate::server::Client;

/// Where calls are answered.
pub(crate) struct Desk {
    pub(crate) controller: ControllerHandle,
    /// The broker, once it serves clients.
    pub(crate) node: Arc<OnceLock<Arc<Node>>>,
    /// The metadata that are in force.
    pub(crate) published: Arc<ArcSwap<MetadataImage>>,
    /// The replicas here, whether clients are served or not.
    pub(crate) replicas: Replicas,
    /// Threads that may wait.
    pub(crate) around: Arc<dyn Surroundings>,
}

/// An address in place of that of a client of another broker.
const ELSEWHERE: ([u8; 4], u16) = ([0, 0, 0, 0], 0);

impl Desk {
    pub(super) fn answer(&self, from: PeerId, request: Bytes) -> Answer {
        let (controller, node) = (self.controller.clone(), self.node.get().cloned());
        let (replicas, around) = (self.replicas.clone(), Arc::clone(&self.around));
        let is_known = is_known(&self.published.load(), from);
        let request = Request::decode(request);
        // Who is known hears of the leader itself, unless it has none of the metadata yet and asks
        // to be let in; brokers of earlier versions take no name.
        let is_lost = !is_known || matches!(request, Ok(Request::Register { .. }));
        let known = node.as_deref().filter(|_| is_lost).and_then(controller_of);
        Box::pin(async move {
            let response = match request {
                Ok(Request::Register { cluster_id, registration }) => {
                    let request = RegisterBroker { registration, cluster_id };
                    answered(register(&controller, request).await)
                }
                // It may ask to be let in, and nothing else. Who doesn't decide may not have heard
                // of it yet.
                Ok(_) if !is_known && controller.decides() => {
                    Response::Refused("the broker isn't known".to_owned())
                }
                Ok(_) if !is_known => Response::NotController(None),
                Ok(Request::Report(reports)) => {
                    let decide = move |image: &MetadataImage| report_leaders(image, reports);
                    match controller.decide(decide).await {
                        Ok(_) => Response::Done(Bytes::new()),
                        Err(error) => refused(error),
                    }
                }
                Ok(Request::ProducerIds) => match producer_ids(&controller).await {
                    Ok(block) => Response::Done(super::calls::encode_block(&block)),
                    Err(error) => refused(error),
                },
                Ok(Request::Loads(report, _)) => {
                    let note = |node: &Arc<Node>| node.balancing.note(from.node, report);
                    done_or_elsewhere(node.as_ref().and_then(note))
                }
                Ok(Request::Balance(question)) => done_or_elsewhere(match &node {
                    Some(node) => node.balancing.answer(question).await.map(Bytes::from),
                    None => None,
                }),
                Ok(Request::BalancePage(question, of)) => done_or_elsewhere(match &node {
                    Some(node) => node.balancing.page(question, of).await,
                    None => None,
                }),
                Ok(Request::Forward { listener, frame }) if controller.decides() => match node {
                    Some(node) => forwarded(node, from, &listener, frame).await,
                    None => Response::NotController(None),
                },
                Ok(Request::Forward { .. }) => Response::NotController(None),
                Ok(Request::Condition(key)) => {
                    let condition = replicas.condition(key).await;
                    condition.map_or_else(no_replica, |it| Response::Done(it.encode()))
                }
                Ok(Request::Recover { key, left, epoch }) => {
                    match replicas.recover(key, left, epoch).await {
                        Ok(()) => Response::Done(Bytes::new()),
                        Err(why) => Response::Refused(why),
                    }
                }
                Ok(request) => match &node {
                    Some(node) => of_replica(node, request, &*around).await,
                    None => Response::NotController(None),
                },
                Err(strange) => {
                    tracing::warn!(%from, ?strange, "a call that isn't one");
                    Response::Refused("the call isn't known".to_owned())
                }
            };
            match response {
                Response::NotController(_) => Response::NotController(known).encode(),
                response => response.encode(),
            }
        })
    }
}

/// The broker that decides, as far as is known here, and where others reach it.
fn controller_of(node: &Node) -> Option<QuorumVoter> {
    let id = node.others.as_ref()?.controller()?;
    let image = node.image();
    let peer = image.node(id)?.peer.as_ref()?;
    Some(QuorumVoter { node: id, host: peer.host.to_string(), port: peer.port })
}

fn refused(error: ControllerError) -> Response {
    match error {
        ControllerError::TooLarge => Response::Refused(error.to_string()),
        // Somebody decides again in a moment.
        _ => Response::NotController(None),
    }
}

fn answered(registered: Result<Result<Uuid, String>, ControllerError>) -> Response {
    match registered {
        Ok(Ok(Uuid(id))) => Response::Done(Bytes::copy_from_slice(&id)),
        Ok(Err(why)) => Response::Refused(why),
        Err(error) => refused(error),
    }
}

/// Producer ids that nobody has yet.
pub(crate) async fn producer_ids(
    controller: &ControllerHandle,
) -> Result<Range<i64>, ControllerError> {
    let decide = |image: &MetadataImage| match allocate_producer_ids(image) {
        Ok(Decision { records, response }) => Decision { records, response: Ok(response) },
        Err(error) => Decision { records: Vec::new(), response: Err(error) },
    };
    let allocated = controller.decide(decide).await?;
    allocated.map_err(|ProducerIdsExhausted| ControllerError::TooLarge)
}

/// Lets a broker into the cluster, which is born with the first.
pub(crate) async fn register(
    controller: &ControllerHandle,
    request: RegisterBroker,
) -> Result<Result<Uuid, String>, ControllerError> {
    let decide = move |image: &MetadataImage| match register_broker(image, &request, random_id()) {
        Ok(Decision { records, response }) => Decision { records, response: Ok(response) },
        Err(error) => Decision { records: Vec::new(), response: Err(error.to_string()) },
    };
    controller.decide(decide).await
}

/// What was asked of the broker that decides, or that another one does.
fn done_or_elsewhere(answer: Option<Bytes>) -> Response {
    answer.map_or(Response::NotController(None), Response::Done)
}

/// Whether a broker is one of the cluster.
fn is_known(image: &MetadataImage, from: PeerId) -> bool {
    image.node(from.node).is_some_and(|it| it.directory_id == from.directory)
}

fn no_replica() -> Response {
    Response::Refused("there is no replica".to_owned())
}

/// What is asked of a replica of a broker that serves clients.
async fn of_replica(node: &Node, request: Request, around: &dyn Surroundings) -> Response {
    match request {
        Request::Batches(asked) => batches(node, asked, around).await,
        Request::Compacted(key) => {
            let compacted = Compacted::here(node, key).await;
            compacted.map_or_else(no_replica, |it| Response::Done(it.encode()))
        }
        _ => Response::Refused("nobody asks that of a replica".to_owned()),
    }
}

/// The most bytes of batches in one answer; the first batch is whole whatever it takes.
const BATCHES_BYTES: u32 = 4 << 20;

/// Batches of a replica here, for one that is damaged.
async fn batches(node: &Node, asked: AskedBatches, around: &dyn Surroundings) -> Response {
    let refused = |why: &str| Response::Refused(why.to_owned());
    let AskedBatches { key, offset, until, compacted_to } = asked;
    let Some(partition) = node.registry.get(key.topic_id, key.partition) else {
        return refused("there is no replica");
    };
    let view = &partition.view;
    if until > view.high_watermark() {
        return refused("it isn't known to be committed");
    }
    if view.compacted_to() < compacted_to {
        return refused("the replica is compacted less far");
    }
    let bytes = match view.read(offset, BATCHES_BYTES, ReadUntil::End) {
        Ok(Found::Nothing) => return refused("there is nothing"),
        Ok(Found::Batches(bytes)) => Ok(bytes),
        Ok(Found::Cold(cold)) => {
            let (reply, answer) = oneshot::channel();
            around.spawn(Box::new(move || drop(reply.send(cold.run()))));
            match answer.await {
                Ok(read) => read,
                Err(_) => return refused("reading has failed"),
            }
        }
        Err(error) => Err(error),
    };
    match bytes {
        Ok(bytes) => Response::Done(below(&bytes, until)),
        Err(error) => Response::Refused(error.to_string()),
    }
}

/// The batches that begin below an offset.
fn below(bytes: &Bytes, until: i64) -> Bytes {
    let batches = RawBatches::new(bytes).map_while(Result::ok);
    let below = batches.take_while(|batch| batch.header().base_offset < until);
    let length: usize = below.map(|batch| batch.bytes().len()).sum();
    bytes.slice(..length)
}

/// Answers a request of another broker's client.
async fn forwarded(node: Arc<Node>, from: PeerId, listener: &str, frame: Bytes) -> Response {
    let Ok((header, body)) = RequestHeader::decode(&frame, handlers::forwarded) else {
        return Response::Refused("the request isn't one that is forwarded".to_owned());
    };
    let client = Client { address: SocketAddr::from(ELSEWHERE), listener: listener.into() };
    let context = RequestContext {
        node,
        client: Rc::new(client),
        asked: from.node,
        api: header.api,
        version: header.version,
        correlation_id: header.correlation_id,
        client_id: header.client_id.map(Into::into),
        permit: None,
    };
    match for_one(handlers::dispatch(context, body)).await {
        Reply::Frame(bytes) => Response::Done(bytes),
        Reply::Rope(..) | Reply::Nothing | Reply::Close => {
            Response::Refused("there is no answer".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use logboom_controller::record::BrokerRegistration;

    use super::*;
    use crate::testing::TestBroker;

    #[test]
    fn a_stranger_may_ask_to_be_let_in_and_for_nothing_else() {
        let broker = TestBroker::start();
        let node = broker.broker().node();
        let (controller, own) = (node.controller.clone(), OnceLock::from(Arc::clone(node)));
        let published = Arc::clone(&node.published);
        let replicas =
            Replicas { registry: Arc::clone(&node.registry), shards: Arc::clone(&node.shards) };
        let around = Arc::new(crate::partition::Process);
        let desk = Desk { controller, node: Arc::new(own), published, replicas, around };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ask = |from, request: &Request| {
            let answer = runtime.block_on(desk.answer(from, request.encode().unwrap()));
            Response::decode(answer).unwrap()
        };
        let image = node.image();
        let registered = image.nodes().next().unwrap();
        let known = PeerId { node: registered.id, directory: registered.directory_id, run: 1 };
        let impostor = PeerId { directory: Uuid([7; 16]), ..known };
        let stranger = PeerId { node: 77, ..impostor };
        for request in [Request::ProducerIds, Request::Report(Vec::new())] {
            assert!(matches!(ask(known, &request), Response::Done(_)), "{request:?}");
            for from in [impostor, stranger] {
                assert!(matches!(ask(from, &request), Response::Refused(_)), "{request:?}");
            }
        }
        let forward = Request::Forward { listener: String::new(), frame: Bytes::new() };
        let Response::Refused(why) = ask(stranger, &forward) else { panic!() };
        assert_eq!(why, "the broker isn't known");
        let registration = BrokerRegistration {
            id: stranger.node,
            directory_id: stranger.directory,
            incarnation: Uuid([1; 16]),
            ..registered.clone()
        };
        let register = Request::Register { cluster_id: None, registration };
        assert!(matches!(ask(stranger, &register), Response::Done(_)));
        assert!(matches!(ask(stranger, &Request::ProducerIds), Response::Done(_)), "it is in");
    }
}
