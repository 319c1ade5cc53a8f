//! What brokers ask each other: to be let in, to have a client's request decided, to be heard.
//!
//! | byte | request | what follows |
//! | ---: | --- | --- |
//! | 0 | register | cluster id 16 (zero: none), a broker's metadata record |
//! | 1 | forward | length 2 and name of the listener, a client's frame without its length |
//! | 2 | report | a metadata record of leaders |
//! | 3 | producer ids | |
//! | 4 | batches of a replica | topic id 16, partition 4, offset 8, end 8, compacted up to 8 |
//! | 5 | how a replica stands | topic id 16, partition 4 |
//! | 6 | lead with those who are left | topic id 16, partition 4, epoch 4, replicas 24 each |
//! | 7 | how far a replica is compacted | topic id 16, partition 4 |
//! | 8 | loads, as earlier versions say them | `balancing/report.rs` |
//! | 9 | how it stands with balancing | 1: 0 snapshot, 1 status; nothing, or `balancing/pages.rs` |
//! | 10 | loads | `balancing/report.rs` |
//!
//! | byte | answer | what follows |
//! | ---: | --- | --- |
//! | 0 | done | what was asked for |
//! | 1 | not the controller, or not yet | nothing, or who is: node id 4, port 2, host |
//! | 2 | refused | why, in words |
//!
//! Asked for are, in the order of the requests: the cluster id, 16; the answer's frame; nothing;
//! the first id, 8, and the one behind the last, 8; whole batches; `partition/condition.rs`;
//! nothing; `cluster/compacted.rs`; `balancing/report.rs`; text, or a page of it;
//! as for 8. What isn't known is refused, so that later versions may ask for more.
//!
//! Must always hold: whatever arrives is a request, an answer, or an error; nothing is allocated
//! beyond its length.

use std::ops::Range;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use logboom_controller::MetadataRecord;
use logboom_controller::record::{BrokerRegistration, LeaderReport};
use logboom_protocol::units::Uuid;
use logboom_raft::ReplicaId;
use logboom_storage::state::GroupKey;

use crate::balancing::{Form, LoadReport, PageOf, Question};
use crate::partition::{REPLICA_BYTES, get_replica, put_replica};

use crate::config::QuorumVoter;

/// Something that a broker asks of the controller's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request {
    /// To be a broker of the cluster.
    Register { cluster_id: Option<Uuid>, registration: BrokerRegistration },
    /// To answer a client's request.
    Forward { listener: String, frame: Bytes },
    /// To note who leads partitions.
    Report(Vec<LeaderReport>),
    /// For a block of producer ids.
    ProducerIds,
    /// For batches that are damaged in the log of the one who asks.
    Batches(AskedBatches),
    /// How a replica stands.
    Condition(GroupKey),
    /// To lead a group with the voters that are left, for an operator.
    Recover { key: GroupKey, left: Vec<ReplicaId>, epoch: i32 },
    /// How far a replica is compacted.
    Compacted(GroupKey),
    /// To note what replicas take.
    Loads(LoadReport, Form),
    /// How it stands with balancing, for an operator.
    Balance(Question),
    /// The same, page by page: it may be larger than an answer.
    BalancePage(Question, PageOf),
}

/// Batches that are committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AskedBatches {
    pub(crate) key: GroupKey,
    /// What the first of them holds, inclusive.
    pub(crate) offset: i64,
    /// Where they end, exclusive.
    pub(crate) until: i64,
    /// How far who has them is compacted, at least; exclusive.
    pub(crate) compacted_to: i64,
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Response {
    Done(Bytes),
    /// Somebody else decides, who may be known.
    NotController(Option<QuorumVoter>),
    Refused(String),
}

/// Bytes that are none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strange;

const REGISTER: u8 = 0;
const FORWARD: u8 = 1;
const REPORT: u8 = 2;
const PRODUCER_IDS: u8 = 3;
const BATCHES: u8 = 4;
const CONDITION: u8 = 5;
const RECOVER: u8 = 6;
const COMPACTED: u8 = 7;
const LOADS: u8 = 8;
const BALANCE: u8 = 9;
const COUNTED_LOADS: u8 = 10;

const KEY_BYTES: usize = 16 + 4;

/// The most bytes of a host's name.
const HOST_BYTES_MAX: usize = 255;

const DONE: u8 = 0;
const NOT_CONTROLLER: u8 = 1;
const REFUSED: u8 = 2;

impl Request {
    /// Its bytes; `None` where a record can't be written.
    pub(crate) fn encode(&self) -> Option<Bytes> {
        let mut out = BytesMut::new();
        match self {
            Self::Register { cluster_id, registration } => {
                out.put_u8(REGISTER);
                out.put_slice(&cluster_id.unwrap_or(Uuid::ZERO).0);
                let record = MetadataRecord::Broker(registration.clone());
                out.put_slice(&record.encode().ok()?);
            }
            Self::Forward { listener, frame } => {
                out.put_u8(FORWARD);
                out.put_u16(u16::try_from(listener.len()).ok()?);
                out.put_slice(listener.as_bytes());
                out.put_slice(frame);
            }
            Self::Report(reports) => {
                out.put_u8(REPORT);
                out.put_slice(&MetadataRecord::Leaders(reports.clone()).encode().ok()?);
            }
            Self::ProducerIds => out.put_u8(PRODUCER_IDS),
            Self::Condition(key) => {
                out.put_u8(CONDITION);
                put_key(&mut out, key);
            }
            Self::Compacted(key) => {
                out.put_u8(COMPACTED);
                put_key(&mut out, key);
            }
            Self::Loads(report, form) => {
                out.put_u8(if *form == Form::Counted { COUNTED_LOADS } else { LOADS });
                report.encode(&mut out, *form);
            }
            Self::Balance(question) => out.put_slice(&[BALANCE, *question as u8]),
            Self::BalancePage(question, of) => {
                out.put_slice(&[BALANCE, *question as u8]);
                [of.number, of.offset].into_iter().for_each(|it| out.put_u64(it));
            }
            Self::Recover { key, left, epoch } => {
                out.put_u8(RECOVER);
                put_key(&mut out, key);
                out.put_i32(*epoch);
                left.iter().for_each(|id| put_replica(&mut out, id));
            }
            Self::Batches(AskedBatches { key, offset, until, compacted_to }) => {
                out.put_u8(BATCHES);
                put_key(&mut out, key);
                [offset, until, compacted_to].into_iter().for_each(|it| out.put_i64(*it));
            }
        }
        Some(out.freeze())
    }

    pub(crate) fn decode(mut bytes: Bytes) -> Result<Self, Strange> {
        match bytes.try_get_u8().map_err(|_| Strange)? {
            CONDITION if bytes.len() == KEY_BYTES => Ok(Self::Condition(get_key(&mut bytes))),
            COMPACTED if bytes.len() == KEY_BYTES => Ok(Self::Compacted(get_key(&mut bytes))),
            RECOVER
                if bytes.len() >= KEY_BYTES + 4
                    && (bytes.len() - KEY_BYTES - 4).is_multiple_of(REPLICA_BYTES) =>
            {
                let (key, epoch) = (get_key(&mut bytes), bytes.get_i32());
                let count = bytes.len() / REPLICA_BYTES;
                let left = (0..count).map(|_| get_replica(&mut bytes)).collect();
                Ok(Self::Recover { key, left, epoch })
            }
            REGISTER => {
                let mut id = [0; 16];
                bytes.try_copy_to_slice(&mut id).map_err(|_| Strange)?;
                let cluster_id = Some(Uuid(id)).filter(|id| !id.is_zero());
                match MetadataRecord::decode(&bytes) {
                    Ok(MetadataRecord::Broker(registration)) => {
                        Ok(Self::Register { cluster_id, registration })
                    }
                    _ => Err(Strange),
                }
            }
            FORWARD => {
                let length = bytes.try_get_u16().map_err(|_| Strange)?;
                if bytes.len() < usize::from(length) {
                    return Err(Strange);
                }
                let listener = bytes.split_to(usize::from(length));
                let listener = str::from_utf8(&listener).map_err(|_| Strange)?.to_owned();
                Ok(Self::Forward { listener, frame: bytes })
            }
            REPORT => match MetadataRecord::decode(&bytes) {
                Ok(MetadataRecord::Leaders(reports)) => Ok(Self::Report(reports)),
                _ => Err(Strange),
            },
            PRODUCER_IDS if bytes.is_empty() => Ok(Self::ProducerIds),
            LOADS => loads(bytes.clone(), Form::without_count(bytes.len()).ok_or(Strange)?),
            COUNTED_LOADS => loads(bytes, Form::Counted),
            BALANCE if bytes.len() == 1 => Question::of(bytes[0]).map(Self::Balance).ok_or(Strange),
            BALANCE if bytes.len() == 1 + 2 * 8 => {
                let question = Question::of(bytes.get_u8()).ok_or(Strange)?;
                let [number, offset] = std::array::from_fn(|_| bytes.get_u64());
                Ok(Self::BalancePage(question, PageOf { number, offset }))
            }
            BATCHES if bytes.len() == KEY_BYTES + 3 * 8 => {
                let key = get_key(&mut bytes);
                let [offset, until, compacted_to] = std::array::from_fn(|_| bytes.get_i64());
                Ok(Self::Batches(AskedBatches { key, offset, until, compacted_to }))
            }
            _ => Err(Strange),
        }
    }
}

fn loads(bytes: Bytes, form: Form) -> Result<Request, Strange> {
    let report = LoadReport::decode(bytes, form).ok_or(Strange)?;
    Ok(Request::Loads(report, form))
}

fn put_key(out: &mut BytesMut, key: &GroupKey) {
    out.put_slice(&key.topic_id.0);
    out.put_i32(key.partition);
}

/// - `bytes`: at least [`KEY_BYTES`].
fn get_key(bytes: &mut Bytes) -> GroupKey {
    let mut topic_id = [0; 16];
    bytes.copy_to_slice(&mut topic_id);
    GroupKey { topic_id: Uuid(topic_id), partition: bytes.get_i32() }
}

/// A block of producer ids as an answer.
pub(crate) fn encode_block(block: &Range<i64>) -> Bytes {
    [block.start.to_be_bytes(), block.end.to_be_bytes()].concat().into()
}

/// The block that an answer has.
pub(crate) fn decode_block(mut bytes: Bytes) -> Result<Range<i64>, Strange> {
    let mut number = || bytes.try_get_i64().map_err(|_| Strange);
    Ok(number()?..number()?)
}

fn decode_node(mut bytes: Bytes) -> Result<QuorumVoter, Strange> {
    let node = bytes.try_get_i32().map_err(|_| Strange)?;
    let port = bytes.try_get_u16().map_err(|_| Strange)?;
    let host = str::from_utf8(&bytes).map_err(|_| Strange)?.to_owned();
    let is_sound = node >= 0 && port > 0 && (1..=HOST_BYTES_MAX).contains(&host.len());
    if is_sound { Ok(QuorumVoter { node, host, port }) } else { Err(Strange) }
}

impl Response {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        match self {
            Self::Done(bytes) => {
                out.put_u8(DONE);
                out.put_slice(bytes);
            }
            Self::NotController(known) => {
                out.put_u8(NOT_CONTROLLER);
                if let Some(QuorumVoter { node, host, port }) = known {
                    out.put_i32(*node);
                    out.put_u16(*port);
                    out.put_slice(host.as_bytes());
                }
            }
            Self::Refused(why) => {
                out.put_u8(REFUSED);
                out.put_slice(why.as_bytes());
            }
        }
        out.freeze()
    }

    pub(crate) fn decode(mut bytes: Bytes) -> Result<Self, Strange> {
        match bytes.try_get_u8().map_err(|_| Strange)? {
            DONE => Ok(Self::Done(bytes)),
            NOT_CONTROLLER if bytes.is_empty() => Ok(Self::NotController(None)),
            NOT_CONTROLLER => Ok(Self::NotController(Some(decode_node(bytes)?))),
            REFUSED => Ok(Self::Refused(String::from_utf8_lossy(&bytes).into_owned())),
            _ => Err(Strange),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancing::Means;

    const KEY: GroupKey = GroupKey { topic_id: Uuid([5; 16]), partition: 7 };

    fn report(office: Option<u64>) -> LoadReport {
        let means = Means { weight: 1, capacity: [None; 4] };
        LoadReport { means, growth: None, loads: Vec::new(), office, is_last: true }
    }

    #[test]
    fn what_is_asked_and_answered_is_read_as_the_same() {
        let registration = BrokerRegistration {
            id: 3,
            directory_id: Uuid([1; 16]),
            incarnation: Uuid([2; 16]),
            rack: Some("r".into()),
            endpoints: Vec::new(),
            peer: None,
        };
        let frame = Bytes::from_static(b"frame");
        for request in [
            Request::Register { cluster_id: None, registration: registration.clone() },
            Request::Register { cluster_id: Some(Uuid([7; 16])), registration },
            Request::Forward { listener: "PLAINTEXT".to_owned(), frame: frame.clone() },
            Request::Report(Vec::new()),
            Request::ProducerIds,
            Request::Batches(AskedBatches {
                key: KEY,
                offset: 1,
                until: i64::MAX,
                compacted_to: -1,
            }),
            Request::Condition(KEY),
            Request::Compacted(KEY),
            Request::Recover { key: KEY, left: vec![ReplicaId::of(3)], epoch: 9 },
            Request::Loads(report(None), Form::Bare),
            Request::Loads(report(Some(0)), Form::InParts),
            Request::Loads(report(Some(7)), Form::Counted),
            Request::Balance(Question::Status),
            Request::BalancePage(Question::Snapshot, PageOf { number: u64::MAX, offset: 7 }),
        ] {
            assert_eq!(Request::decode(request.encode().unwrap()), Ok(request));
        }
        let known = QuorumVoter { node: 3, host: "b-3".to_owned(), port: 7 };
        for response in [
            Response::Done(frame),
            Response::NotController(None),
            Response::NotController(Some(known)),
            Response::Refused("no".to_owned()),
        ] {
            assert_eq!(Response::decode(response.encode()), Ok(response));
        }
        assert_eq!(decode_block(encode_block(&(3..9))), Ok(3..9));
    }

    #[test]
    fn bytes_that_are_none_are_refused() {
        for bytes in [
            &b""[..],
            b"\x08",
            b"\x09",
            b"\x09\x02",
            b"\x0a",
            b"\x0b",
            b"\x00",
            b"\x00short",
            b"\x01\x00",
            b"\x01\x00\x05abc",
            &[4; 44],
            &[5; 22],
            &[7; 20],
            &[6; 26],
        ] {
            assert_eq!(Request::decode(Bytes::from_static(bytes)), Err(Strange), "{bytes:?}");
        }
        for bytes in [&b""[..], b"\x01x", b"\x01\0\0\0\x03\0\x07", b"\x03"] {
            assert_eq!(Response::decode(Bytes::from_static(bytes)), Err(Strange), "{bytes:?}");
        }
    }
}
