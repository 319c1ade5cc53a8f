//! Brokers that are out of contact, and back in contact.

use alloc::vec::Vec;

use crate::MetadataImage;
use crate::decision::Decision;
use crate::record::MetadataRecord;

/// Notes that brokers are out of contact; answers with those that weren't yet. Who isn't registered
/// is passed over.
///
/// What they led stays theirs in the image, until the others of each group have elected somebody
/// and say so; clients are told of no leader meanwhile.
#[must_use]
pub fn fence_brokers(
    image: &MetadataImage,
    ids: impl IntoIterator<Item = i32>,
) -> Decision<Vec<i32>> {
    change(ids, true, |id| image.is_in_contact(id))
}

/// Notes that brokers are in contact again, in the same life of their process; answers with those
/// that weren't. A broker that starts [registers](super::register_broker) and needs no more.
#[must_use]
pub fn unfence_brokers(
    image: &MetadataImage,
    ids: impl IntoIterator<Item = i32>,
) -> Decision<Vec<i32>> {
    change(ids, false, |id| image.is_fenced(id))
}

fn change(
    ids: impl IntoIterator<Item = i32>,
    fenced: bool,
    is_changed: impl Fn(i32) -> bool,
) -> Decision<Vec<i32>> {
    let mut changed: Vec<i32> = ids.into_iter().filter(|id| is_changed(*id)).collect();
    changed.sort_unstable();
    changed.dedup();
    let record = |&id: &i32| MetadataRecord::BrokerFenced { id, fenced };
    Decision { records: changed.iter().map(record).collect(), response: changed }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::samples::{broker, partition, report, topic_of};

    fn two_brokers() -> MetadataImage {
        MetadataImage::load([1, 2].map(|id| MetadataRecord::Broker(broker(id, None)))).unwrap()
    }

    #[test]
    fn only_what_changes_is_written_down() {
        let image = two_brokers();
        let decision = fence_brokers(&image, [2, 7, 2]);
        assert_eq!(decision.response, [2]);
        assert_eq!(decision.records, [MetadataRecord::BrokerFenced { id: 2, fenced: true }]);
        let fenced = image.with(&decision.records).unwrap();
        assert_eq!(fence_brokers(&fenced, [2, 7]).records, []);
        assert_eq!(unfence_brokers(&fenced, [1]).records, []);
        let back = unfence_brokers(&fenced, [2, 1]);
        assert_eq!(back.response, [2]);
        assert_eq!(fenced.with(&back.records).unwrap(), image);
    }

    #[test]
    fn a_leader_out_of_contact_is_none_until_the_group_has_another() {
        let image = two_brokers().with(&topic_of(1, "t", [partition(&[2, 1])])).unwrap();
        let fenced = image.with(&fence_brokers(&image, [2]).records).unwrap();
        let known = fenced.partition(crate::samples::id(1), 0).unwrap();
        assert_eq!(image.leader_of(known), Some(2));
        assert_eq!(fenced.leader_of(known), None);
        assert_eq!(fenced.in_sync_replicas(known), [1]);
        assert_eq!(fenced.offline_replicas(known), [2]);
        let elected = MetadataRecord::Leaders(vec![report(1, 0, 1, (1, 0), &[2, 1])]);
        let elected = fenced.with([&elected]).unwrap();
        assert_eq!(
            elected.leader_of(elected.partition(crate::samples::id(1), 0).unwrap()),
            Some(1)
        );
    }

    #[test]
    fn nobody_is_expected_to_lead_where_most_voters_are_out_of_contact() {
        let brokers = [1, 2, 3].map(|id| MetadataRecord::Broker(broker(id, None)));
        let image = MetadataImage::load(brokers).unwrap();
        let image = image.with(&topic_of(1, "t", [partition(&[2, 1, 3])])).unwrap();
        let leader = |image: &MetadataImage| {
            image.leader_of(image.partition(crate::samples::id(1), 0).unwrap())
        };
        let without = |gone: &[i32]| {
            image.with(&fence_brokers(&image, gone.iter().copied()).records).unwrap()
        };
        assert_eq!(leader(&without(&[1])), Some(2), "two can elect it");
        assert_eq!(leader(&without(&[1, 3])), None);
        let reported = MetadataRecord::Leaders(vec![report(1, 0, 2, (1, 0), &[2, 1, 3])]);
        let reported = without(&[1, 3]).with([&reported]).unwrap();
        assert_eq!(leader(&reported), Some(2), "it leads until it says that it doesn't");
    }

    #[test]
    fn where_nobody_is_in_contact_those_that_had_caught_up_are_named() {
        let image = two_brokers().with(&topic_of(1, "t", [partition(&[2, 1])])).unwrap();
        let fenced = image.with(&fence_brokers(&image, [2, 1]).records).unwrap();
        let known = fenced.partition(crate::samples::id(1), 0).unwrap();
        assert_eq!(fenced.in_sync_replicas(known), [2, 1]);
        assert_eq!(fenced.offline_replicas(known), [2, 1]);
    }
}
