//! ElectLeaders: leaders go home.

use core::fmt;

use logboom_protocol::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
    TopicPartitions,
};
use logboom_protocol::units::Uuid;
use logboom_protocol::{CompactString, ErrorCode};

use crate::MetadataImage;
use crate::decision::{Decision, Draft, message};
use crate::record::{MetadataRecord, Partition};

/// Numbers of the kinds of election.
const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// Wishes the preferred replicas to lead, where they can: they are in contact and have caught up.
/// The present leader hands over as soon as it sees the wish; who waits for that watches the image.
///
/// An unclean election is never held: it would lose what was acknowledged. Where a majority of the
/// replicas is lost for good, `logboom partition recover` says what would be lost, and asks.
///
/// Source: KIP-460, KIP-183.
#[must_use]
pub fn elect_leaders(
    image: &MetadataImage,
    request: &ElectLeadersRequest,
) -> Decision<ElectLeadersResponse> {
    let mut draft = Draft::new(image);
    let mut response = ElectLeadersResponse::default();
    let kind = request.election_type;
    if kind != PREFERRED && kind != UNCLEAN {
        response.error_code = ErrorCode::INVALID_REQUEST;
        return Decision { records: draft.into_records(), response };
    }
    response.replica_election_results = match &request.topic_partitions {
        Some(topics) => topics.iter().map(|topic| elect(&mut draft, topic, kind)).collect(),
        None => image.topics().map(|topic| elect_all(&mut draft, topic.name(), kind)).collect(),
    };
    Decision { records: draft.into_records(), response }
}

fn elect(draft: &mut Draft, topic: &TopicPartitions, kind: i8) -> ReplicaElectionResult {
    let results = topic.partitions.iter();
    let results = results.map(|&index| result(index, hold(draft, &topic.topic, index, kind)));
    ReplicaElectionResult { topic: topic.topic.clone(), partition_result: results.collect() }
}

/// All partitions of a topic; those that need nothing aren't named, as in the reference.
fn elect_all(draft: &mut Draft, name: &str, kind: i8) -> ReplicaElectionResult {
    let count = draft.image().topic_named(name).map_or(0, |topic| topic.partition_count());
    let results = (0..i32::try_from(count).unwrap_or(i32::MAX))
        .map(|index| (index, hold(draft, name, index, kind)))
        .filter(|(_, code)| *code != Err(ElectionError::NotNeeded))
        .map(|(index, code)| result(index, code));
    ReplicaElectionResult { topic: name.into(), partition_result: results.collect() }
}

/// Why nobody is wished to lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ElectionError {
    UnknownTopic(CompactString),
    UnknownPartition(CompactString, i32),
    NotNeeded,
    PreferredNotAvailable,
    NobodyEligible,
}

impl ElectionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownTopic(_) | Self::UnknownPartition(..) => {
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            }
            Self::NotNeeded => ErrorCode::ELECTION_NOT_NEEDED,
            Self::PreferredNotAvailable => ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE,
            Self::NobodyEligible => ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE,
        }
    }
}

/// As the reference says it, but for the last.
impl fmt::Display for ElectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTopic(topic) => write!(f, "No such topic as {topic}"),
            Self::UnknownPartition(topic, index) => {
                write!(f, "No such partition as {topic}-{index}")
            }
            Self::NotNeeded => f.write_str("Leader election not needed for topic partition."),
            Self::PreferredNotAvailable => f.write_str("The preferred leader was not available."),
            Self::NobodyEligible => f.write_str(
                "a majority of the replicas is needed; `logboom partition recover` says what would \
                 be lost without",
            ),
        }
    }
}

fn result(partition_id: i32, outcome: Result<(), ElectionError>) -> PartitionResult {
    let error = outcome.err();
    PartitionResult {
        partition_id,
        error_code: error.as_ref().map_or(ErrorCode::NONE, ElectionError::code),
        error_message: error.as_ref().and_then(message),
    }
}

fn hold(draft: &mut Draft, name: &str, index: i32, kind: i8) -> Result<(), ElectionError> {
    if kind == PREFERRED {
        return elect_one(draft, name, index);
    }
    let partition = find(draft.image(), name, index)?.1;
    match draft.image().leader_of(partition) {
        Some(_) => Err(ElectionError::NotNeeded),
        None => Err(ElectionError::NobodyEligible),
    }
}

fn find<'a>(
    image: &'a MetadataImage,
    name: &str,
    index: i32,
) -> Result<(Uuid, &'a Partition), ElectionError> {
    let topic = image.topic_named(name).ok_or_else(|| ElectionError::UnknownTopic(name.into()))?;
    let unknown = || ElectionError::UnknownPartition(name.into(), index);
    Ok((topic.id(), topic.partition(index).ok_or_else(unknown)?))
}

/// Wishes the preferred replica of a partition to lead.
pub(super) fn elect_one(draft: &mut Draft, name: &str, index: i32) -> Result<(), ElectionError> {
    let image = draft.image();
    let (topic_id, partition) = find(image, name, index)?;
    let preferred = partition.preferred_leader();
    if image.leader_of(partition) == Some(preferred) {
        return Err(ElectionError::NotNeeded);
    }
    if !image.is_in_contact(preferred) || !partition.isr.contains(&preferred) {
        return Err(ElectionError::PreferredNotAvailable);
    }
    if partition.wished_leader != preferred {
        let partition = Partition { wished_leader: preferred, ..partition.clone() };
        draft.push(MetadataRecord::Partition { topic_id, index, partition });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::samples::{broker, id, partition, report, topic_of};

    /// Partitions 0 to 3 of `t` on brokers 1 and 2: led by the preferred one; by the other one; by
    /// the other one, the preferred one being behind; by a broker that is out of contact. In
    /// partition 4 the preferred one is out of contact.
    fn image() -> MetadataImage {
        let brokers = [1, 2, 3].map(|id| MetadataRecord::Broker(broker(id, None)));
        let on = |replicas: &[i32], leader: i32, isr: &[i32]| Partition {
            leader,
            isr: isr.to_vec(),
            ..partition(replicas)
        };
        let partitions = [
            on(&[1, 2], 1, &[1, 2]),
            on(&[1, 2], 2, &[1, 2]),
            on(&[1, 2], 2, &[2]),
            on(&[1, 3], 3, &[1, 3]),
            on(&[3, 2], 2, &[3, 2]),
        ];
        let image = MetadataImage::load(brokers).unwrap();
        let image = image.with(&topic_of(1, "t", partitions)).unwrap();
        image.with([&MetadataRecord::BrokerFenced { id: 3, fenced: true }]).unwrap()
    }

    fn asked(kind: i8, topics: Option<Vec<(&str, Vec<i32>)>>) -> ElectLeadersRequest {
        let topics = topics.map(|topics| {
            let topics = topics.into_iter();
            let named = topics
                .map(|(topic, partitions)| TopicPartitions { topic: topic.into(), partitions });
            named.collect()
        });
        ElectLeadersRequest {
            election_type: kind,
            topic_partitions: topics,
            ..ElectLeadersRequest::default()
        }
    }

    fn codes(response: &ElectLeadersResponse) -> Vec<(i32, ErrorCode)> {
        let topics = response.replica_election_results.iter();
        let partitions = topics.flat_map(|topic| &topic.partition_result);
        partitions.map(|one| (one.partition_id, one.error_code)).collect()
    }

    #[test]
    fn the_preferred_replica_is_wished_to_lead_where_it_can_and_does_not() {
        let image = image();
        let decision = elect_leaders(&image, &asked(0, Some(vec![("t", vec![0, 1, 2, 3, 4, 1])])));
        assert_eq!(
            codes(&decision.response),
            [
                (0, ErrorCode::ELECTION_NOT_NEEDED),
                (1, ErrorCode::NONE),
                (2, ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE),
                (3, ErrorCode::NONE),
                (4, ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE),
                (1, ErrorCode::NONE),
            ]
        );
        let after = image.with(&decision.records).unwrap();
        let wished = |index| after.partition(id(1), index).unwrap().wished_leader;
        assert_eq!([0, 1, 2, 3, 4].map(wished), [-1, 1, -1, 1, -1]);
        assert_eq!(decision.records.len(), 2, "one that is wished for is wished for once");
    }

    #[test]
    fn the_wish_holds_until_the_next_election() {
        let image = image();
        let decision = elect_leaders(&image, &asked(0, Some(vec![("t", vec![1])])));
        let image = image.with(&decision.records).unwrap();
        let told = |of: &MetadataImage, leader, at| {
            let report = MetadataRecord::Leaders(vec![report(1, 1, leader, at, &[1, 2])]);
            let after = of.with([&report]).unwrap();
            let wished = after.partition(id(1), 1).unwrap().wished_leader;
            (after, wished)
        };
        // Partition 1 was never reported on, so this tells of its first election.
        assert_eq!(told(&image, 2, (0, 0)).1, -1);
        let (known, _) = told(&image, 2, (0, 0));
        let decision = elect_leaders(&known, &asked(0, Some(vec![("t", vec![1])])));
        let wished = known.with(&decision.records).unwrap();
        assert_eq!(told(&wished, 2, (0, 1)).1, 1, "the same leader");
        assert_eq!(told(&wished, -1, (0, 0)).1, 1, "it gives its office up");
        assert_eq!(told(&wished, 1, (1, 0)).1, -1, "fulfilled");
        assert_eq!(told(&wished, 2, (1, 0)).1, -1, "it has come to nothing");
    }

    #[test]
    fn of_all_partitions_those_that_need_nothing_are_not_named() {
        let decision = elect_leaders(&image(), &asked(0, None));
        let named: Vec<i32> = codes(&decision.response).into_iter().map(|one| one.0).collect();
        assert_eq!(named, [1, 2, 3, 4]);
        assert_eq!(decision.response.replica_election_results[0].topic, "t");
    }

    #[test]
    fn an_unclean_election_is_not_held() {
        let decision = elect_leaders(&image(), &asked(1, Some(vec![("t", vec![0, 1, 3])])));
        assert_eq!(
            codes(&decision.response),
            [
                (0, ErrorCode::ELECTION_NOT_NEEDED),
                (1, ErrorCode::ELECTION_NOT_NEEDED),
                (3, ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE),
            ]
        );
        assert_eq!(decision.records, []);
    }

    #[test]
    fn what_does_not_exist_is_named() {
        let topics = vec![("u", vec![0]), ("t", vec![5, -1])];
        let decision = elect_leaders(&image(), &asked(0, Some(topics)));
        let topics = &decision.response.replica_election_results;
        let texts: Vec<_> = topics.iter().flat_map(|topic| &topic.partition_result).collect();
        let texts: Vec<_> = texts.iter().map(|one| one.error_message.as_deref().unwrap()).collect();
        let expected =
            ["No such topic as u", "No such partition as t-5", "No such partition as t--1"];
        assert_eq!(texts, expected);
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert!(codes(&decision.response).iter().all(|(_, code)| *code == unknown));
    }

    #[test]
    fn an_unknown_kind_of_election_is_refused() {
        for kind in [-1, 2] {
            let decision = elect_leaders(&image(), &asked(kind, None));
            assert_eq!(decision.response.error_code, ErrorCode::INVALID_REQUEST);
            assert_eq!((decision.records.len(), codes(&decision.response).len()), (0, 0));
        }
    }
}
