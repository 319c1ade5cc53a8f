//! Putting a fetch response together.

use logboom_protocol::hot::{FetchResponseHead, FetchResponseWriter, PartitionHead, Rope};
use logboom_protocol::messages::fetch::{LeaderIdAndEpoch, NodeEndpoint};
use logboom_protocol::messages::metadata::MetadataResponseBroker;
use logboom_protocol::{EncodeError, ErrorCode};

use super::super::RequestContext;
use super::super::leader::Leaders;
use super::read::Answer;
use super::wanted::Wanted;

/// From this version on a response has an error of its own, and the session's id.
const SESSIONS_FROM: i16 = 7;
/// From this version on it can tell where leaders are reached (KIP-951).
const ENDPOINTS_FROM: i16 = 16;
/// From this version on it can tell diverging epochs, and who leads.
const DIVERGING_FROM: i16 = 12;
/// `isolation_level` of consumers that want what transactions have committed.
const READ_COMMITTED: i8 = 1;

/// Stands for no other replica at which the client had better read.
const NO_REPLICA: i32 = -1;

/// What the whole response says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) error_code: ErrorCode,
    /// 0 for none.
    pub(super) session_id: i32,
    pub(super) isolation_level: i8,
}

/// Writes a response with the answers, in their order.
pub(super) fn write(
    context: &RequestContext,
    head: Head,
    answers: &[(Wanted, Answer)],
) -> Result<Rope, EncodeError> {
    let version = context.version;
    let session_id = if version < SESSIONS_FROM { 0 } else { head.session_id };
    let response =
        FetchResponseHead { throttle_time_ms: 0, error_code: head.error_code, session_id };
    let is_same = |a: &(Wanted, Answer), b: &(Wanted, Answer)| a.0.topic == b.0.topic;
    let topics = answers.chunk_by(is_same).count();
    let mut out = FetchResponseWriter::new(version, context.correlation_id, &response, topics)?;
    let image = context.node.image();
    let mut leaders = Leaders::new(&context.node, &image);
    for topic in answers.chunk_by(is_same) {
        out.topic(topic[0].0.topic.to_ref(), topic.len())?;
        for (wanted, answer) in topic {
            context.node.metrics.fetch_errors.count(answer.error_code);
            let mut said = partition_head(version, head.isolation_level, wanted.partition, answer);
            let is_elsewhere = answer.error_code == ErrorCode::NOT_LEADER_OR_FOLLOWER
                || answer.error_code == ErrorCode::FENCED_LEADER_EPOCH;
            if is_elsewhere && version >= DIVERGING_FROM {
                let found = leaders.look_up(wanted.topic.to_ref(), wanted.partition);
                said.current_leader = found
                    .map(|(leader_id, leader_epoch)| LeaderIdAndEpoch { leader_id, leader_epoch });
            }
            out.partition(&said, [answer.records.clone()])?;
        }
    }
    let endpoint = |broker: MetadataResponseBroker| {
        let MetadataResponseBroker { node_id, host, port, rack } = broker;
        NodeEndpoint { node_id, host, port, rack }
    };
    let endpoints = leaders.endpoints(&context.client.listener).map(endpoint);
    let endpoints: Vec<_> = endpoints.filter(|_| version >= ENDPOINTS_FROM).collect();
    out.finish(&endpoints)
}

fn partition_head(
    version: i16,
    isolation_level: i8,
    partition: i32,
    answer: &Answer,
) -> PartitionHead<'static> {
    let lists_aborted = isolation_level == READ_COMMITTED && answer.error_code == ErrorCode::NONE;
    PartitionHead {
        partition,
        error_code: answer.error_code,
        high_watermark: answer.high_watermark,
        last_stable_offset: answer.high_watermark,
        log_start_offset: answer.log_start_offset,
        diverging_epoch: answer.diverging.clone().filter(|_| version >= DIVERGING_FROM),
        current_leader: None,
        aborted_transactions: lists_aborted.then_some(&[]),
        preferred_read_replica: answer.nearest.unwrap_or(NO_REPLICA),
    }
}
