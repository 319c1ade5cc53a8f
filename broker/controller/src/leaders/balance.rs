//! Leaders that go home by themselves.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use logboom_protocol::CompactString;

use super::elect::elect_one;
use crate::MetadataImage;
use crate::decision::{Decision, Draft};
use crate::record::Partition;

/// The most wishes of one decision. What is left over has its turn with the next.
pub const WISHES_MAX: usize = 1_000;

/// How much of what a broker is preferred for others lead.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    all: usize,
    elsewhere: usize,
}

impl Share {
    fn is_above(self, percentage: i64) -> bool {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        count(self.elsewhere).saturating_mul(100) > count(self.all).saturating_mul(percentage)
    }
}

/// Wishes brokers to lead again what they are preferred for, where others lead more than
/// `percentage` in a hundred of it. Answers with how many wishes that makes; where they are
/// [`WISHES_MAX`] there may be more.
///
/// Passed over are partitions that are on their way to other brokers, those whose preferred replica
/// isn't in contact or isn't in sync, and those for which that is wished already.
///
/// Source: `leader.imbalance.per.broker.percentage` of the reference.
#[must_use]
pub fn balance_leaders(image: &MetadataImage, percentage: i64) -> Decision<usize> {
    let shares = shares(image);
    let is_above = |broker: i32| shares.get(&broker).is_some_and(|it| it.is_above(percentage));
    let away = image.topics().flat_map(|topic| {
        let name = CompactString::from(topic.name());
        let partitions = (0_i32..).zip(topic.partitions());
        let away = partitions.filter(|(_, partition)| {
            let is_wished = partition.wished_leader == partition.preferred_leader();
            is_elsewhere(image, partition) && !is_wished
        });
        away.map(move |(index, partition)| (name.clone(), index, partition.preferred_leader()))
    });
    let away: Vec<_> = away.filter(|(_, _, preferred)| is_above(*preferred)).collect();
    let mut draft = Draft::new(image);
    let mut wished = 0;
    for (name, index, _) in away {
        wished += usize::from(elect_one(&mut draft, &name, index).is_ok());
        if wished == WISHES_MAX {
            break;
        }
    }
    Decision { records: draft.into_records(), response: wished }
}

fn shares(image: &MetadataImage) -> BTreeMap<i32, Share> {
    let mut shares: BTreeMap<i32, Share> = BTreeMap::new();
    for partition in image.topics().flat_map(|topic| topic.partitions()) {
        let share = shares.entry(partition.preferred_leader()).or_default();
        share.all += 1;
        share.elsewhere += usize::from(is_elsewhere(image, partition));
    }
    shares
}

/// Whether a partition that stays where it is has another leader than the preferred one, and that
/// one isn't to be emptied.
fn is_elsewhere(image: &MetadataImage, partition: &Partition) -> bool {
    let (leader, home) = (image.leader_of(partition), partition.preferred_leader());
    let may_go_home = !partition.is_moving() && !image.is_drained(home);
    may_go_home && leader.is_some_and(|leader| leader != home)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::MetadataRecord;
    use crate::samples::{broker, id, partition, topic_of};

    /// Brokers 1 to 3, all in contact, and a topic of these partitions.
    fn image(partitions: impl IntoIterator<Item = Partition>) -> MetadataImage {
        let brokers = [1, 2, 3].map(|id| MetadataRecord::Broker(broker(id, None)));
        let image = MetadataImage::load(brokers).unwrap();
        image.with(&topic_of(1, "t", partitions)).unwrap()
    }

    /// On 1 and 2, preferably led by 1.
    fn led_by(leader: i32) -> Partition {
        Partition { leader, ..partition(&[1, 2]) }
    }

    /// The partitions for which a leader is wished, after `records`.
    fn wished(image: &MetadataImage, percentage: i64) -> Vec<i32> {
        let decision = balance_leaders(image, percentage);
        let after = image.with(&decision.records).unwrap();
        let topic = after.topic(id(1)).unwrap();
        let wished = (0..).zip(topic.partitions()).filter(|(_, it)| it.wished_leader == 1);
        let wished: Vec<i32> = wished.map(|(index, _)| index).collect();
        assert_eq!(decision.response, wished.len());
        wished
    }

    #[test]
    fn leaders_go_home_where_more_than_the_share_is_elsewhere() {
        let ten = |away: usize| image((0..10).map(|i| led_by(if i < away { 2 } else { 1 })));
        assert_eq!(wished(&ten(0), 10), []);
        assert_eq!(wished(&ten(1), 10), [], "exactly the share is allowed");
        assert_eq!(wished(&ten(2), 10), [0, 1]);
        assert_eq!(wished(&ten(1), 0), [0]);
        assert_eq!(wished(&ten(10), 100), []);
    }

    #[test]
    fn a_broker_is_judged_by_what_it_is_preferred_for() {
        // Of 1's one in two is elsewhere; that 3 leads all of its own makes no difference.
        let own = (0..20).map(|_| partition(&[3, 2]));
        assert_eq!(wished(&image([led_by(2), led_by(1)].into_iter().chain(own)), 10), [0]);
    }

    #[test]
    fn who_cannot_lead_is_not_wished_for() {
        let behind = Partition { isr: [2].into(), ..led_by(2) };
        let moving = Partition {
            target_replicas: [3, 2].into(),
            target_directories: [logboom_protocol::units::Uuid::ZERO; 2].into(),
            ..led_by(2)
        };
        let leaderless = led_by(-1);
        let image = image([behind, moving, leaderless, led_by(2)]);
        assert_eq!(wished(&image, 10), [3]);
        let gone = image.with([&MetadataRecord::BrokerFenced { id: 1, fenced: true }]).unwrap();
        assert_eq!(wished(&gone, 10), []);
    }

    #[test]
    fn a_wish_is_not_made_twice_and_no_decision_makes_too_many() {
        let count = i32::try_from(WISHES_MAX).unwrap() + 1;
        let image = image((0..count).map(|_| led_by(2)));
        let first = balance_leaders(&image, 10);
        assert_eq!((first.records.len(), first.response), (WISHES_MAX, WISHES_MAX));
        let again = balance_leaders(&image.with(&first.records).unwrap(), 10);
        assert_eq!((again.records.len(), again.response), (1, 1), "the first are on their way");
    }
}
