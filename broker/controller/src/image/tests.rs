//! Images as folds of records.

use alloc::vec;
use alloc::vec::Vec;

use proptest::collection::vec as list;
use proptest::prelude::*;

use super::*;
use crate::record::MetadataRecord;
use crate::samples::{broker, id, partition, plausible_record, report};

fn topic(number: u128, name: &str) -> MetadataRecord {
    MetadataRecord::Topic { id: id(number), name: name.into() }
}

fn partition_of(number: u128, index: i32) -> MetadataRecord {
    MetadataRecord::Partition { topic_id: id(number), index, partition: partition(&[1]) }
}

fn setting(resource: ConfigResource, value: Option<&str>) -> MetadataRecord {
    let value = value.map(CompactString::from);
    MetadataRecord::Config { resource, name: "k".into(), value }
}

#[test]
fn a_record_that_contradicts_the_image_changes_nothing() {
    let birth = [
        MetadataRecord::ClusterId(id(9)),
        topic(1, "a.b"),
        partition_of(1, 0),
        MetadataRecord::ProducerIdBlock { next_producer_id: 1_000 },
    ];
    let image = MetadataImage::load(birth).unwrap();
    let name = CompactString::from("a_b");
    for (record, error) in [
        (MetadataRecord::ClusterId(id(8)), ApplyError::ClusterId { known: id(9), found: id(8) }),
        (MetadataRecord::Broker(broker(-1, None)), ApplyError::BrokerId(-1)),
        (topic(2, "a_b"), ApplyError::TopicExists { id: id(2), name: name.clone() }),
        (topic(1, "z"), ApplyError::TopicExists { id: id(1), name: "z".into() }),
        (MetadataRecord::BrokerFenced { id: 7, fenced: false }, ApplyError::UnknownBroker(7)),
        (MetadataRecord::BrokerRemoved { id: 7 }, ApplyError::UnknownBroker(7)),
        (partition_of(2, 0), ApplyError::UnknownTopicId(id(2))),
        (
            partition_of(1, 2),
            ApplyError::PartitionIndex { topic_id: id(1), index: 2, partitions: 1 },
        ),
        (
            partition_of(1, -1),
            ApplyError::PartitionIndex { topic_id: id(1), index: -1, partitions: 1 },
        ),
        (
            MetadataRecord::Partition {
                topic_id: id(1),
                index: 1,
                partition: Partition { directories: Vec::new(), ..partition(&[1]) },
            },
            ApplyError::Replicas { topic_id: id(1), index: 1 },
        ),
        (
            MetadataRecord::Partition {
                topic_id: id(1),
                index: 0,
                partition: Partition { target_replicas: vec![2], ..partition(&[1]) },
            },
            ApplyError::Replicas { topic_id: id(1), index: 0 },
        ),
        (
            MetadataRecord::Partition { topic_id: id(1), index: 0, partition: partition(&[2]) },
            ApplyError::Generation { topic_id: id(1), index: 0 },
        ),
        (
            MetadataRecord::Leaders(vec![
                report(1, 0, 1, (1, 0), &[1]),
                report(1, 0, 1, (1, 0), &[]),
            ]),
            ApplyError::Report { topic_id: id(1), index: 0 },
        ),
        (MetadataRecord::TopicDeleted { id: id(2) }, ApplyError::UnknownTopicId(id(2))),
        (setting(ConfigResource::topic("a_b"), Some("v")), ApplyError::UnknownTopic(name)),
        (
            MetadataRecord::ProducerIdBlock { next_producer_id: 999 },
            ApplyError::ProducerId { known: 1_000, found: 999 },
        ),
        (
            MetadataRecord::FeatureLevel { name: "f".into(), level: -1 },
            ApplyError::FeatureLevel(-1),
        ),
    ] {
        let mut changed = image.clone();
        assert_eq!(changed.apply(&record), Err(error), "{record:?}");
        assert_eq!(changed, image, "{record:?}");
    }
}

#[test]
fn a_batch_is_applied_as_a_whole_or_not_at_all() {
    let image = MetadataImage::default();
    let batch = [topic(1, "a"), partition_of(1, 1)];
    assert!(image.with(&batch).is_err());
    let batch = [topic(1, "a"), partition_of(1, 0)];
    let next = image.with(&batch).unwrap();
    assert_eq!((image.topics().len(), next.topics().len()), (0, 1));
}

#[test]
fn an_image_that_a_request_holds_stays_as_it_is() {
    let first = MetadataImage::load([topic(1, "a"), partition_of(1, 0)]).unwrap();
    let changed = MetadataRecord::Partition {
        topic_id: id(1),
        index: 0,
        partition: Partition { generation: 1, leader: 2, ..partition(&[1, 2]) },
    };
    let second = first.with([&changed, &partition_of(1, 1)]).unwrap();
    let leaders = |image: &MetadataImage| -> Vec<i32> {
        image.topic_named("a").unwrap().partitions().map(|partition| partition.leader).collect()
    };
    assert_eq!((leaders(&first), leaders(&second)), (Vec::from([1]), Vec::from([2, 1])));
}

#[test]
fn a_deleted_topic_takes_its_configuration_with_it_and_leaves_its_name() {
    let config = ConfigResource::topic("a.b");
    let mut image = MetadataImage::load([
        topic(1, "a.b"),
        partition_of(1, 0),
        setting(config.clone(), Some("v")),
    ])
    .unwrap();
    assert_eq!(image.config_value(&config, "k"), Some("v"));
    assert!(image.topic_named("a_b").is_none(), "another name that collides");
    image.apply(&MetadataRecord::TopicDeleted { id: id(1) }).unwrap();
    assert_eq!(image, MetadataImage::default());
    image.apply(&topic(2, "a_b")).unwrap();
    assert_eq!(image.topic_named("a_b").unwrap().id(), id(2));
}

#[test]
fn a_resource_without_settings_is_forgotten() {
    let all = ConfigResource::all_brokers();
    let mut image = MetadataImage::load([setting(all.clone(), Some("v"))]).unwrap();
    assert_eq!(image.config_resources().count(), 1);
    image.apply(&setting(all, None)).unwrap();
    assert_eq!(image.config_resources().count(), 0);
}

#[test]
fn a_broker_is_out_of_contact_until_it_says_otherwise_or_registers_anew() {
    let fenced = |fenced| MetadataRecord::BrokerFenced { id: 1, fenced };
    let registered = || MetadataRecord::Broker(broker(1, None));
    for (records, in_contact) in [
        (vec![registered()], true),
        (vec![registered(), fenced(true)], false),
        (vec![registered(), fenced(true), fenced(false)], true),
        (vec![registered(), fenced(true), registered()], true),
        (vec![registered(), MetadataRecord::BrokerRemoved { id: 1 }], false),
        (
            vec![registered(), fenced(true), MetadataRecord::BrokerRemoved { id: 1 }, registered()],
            true,
        ),
    ] {
        let image = MetadataImage::load(records.clone()).unwrap();
        assert_eq!(image.is_in_contact(1), in_contact, "{records:?}");
        assert_eq!(image.brokers_in_contact().count() == 1, in_contact);
        assert!(!image.is_in_contact(2) && !image.is_fenced(2));
    }
}

#[test]
fn a_report_about_what_does_not_exist_is_passed_over() {
    let image = MetadataImage::load([topic(1, "a"), partition_of(1, 0)]).unwrap();
    let of = |topic, index| report(topic, index, 1, (3, 0), &[1]);
    let reports = vec![of(2, 0), of(1, 1), of(1, -1), of(1, 0)];
    let after = image.with([&MetadataRecord::Leaders(reports)]).unwrap();
    let told = MetadataRecord::Leaders(vec![of(1, 0)]);
    assert_eq!(after, image.with([&told]).unwrap());
    assert_ne!(after, image);
}

proptest! {
    #[test]
    fn an_image_is_the_fold_of_its_records_and_what_its_checkpoint_loads(
        records in list(plausible_record(), 0..120),
    ) {
        let mut image = MetadataImage::default();
        let mut taken = Vec::new();
        for record in records {
            let before = image.clone();
            match image.apply(&record) {
                Ok(()) => taken.push(record),
                Err(_) => prop_assert_eq!(&image, &before),
            }
        }
        prop_assert_eq!(&MetadataImage::load(taken).unwrap(), &image);
        let checkpoint: Vec<_> = image.records().map(|record| record.encode().unwrap()).collect();
        let read = checkpoint.iter().map(|bytes| MetadataRecord::decode(bytes).unwrap());
        prop_assert_eq!(&MetadataImage::load(read).unwrap(), &image);
        for topic in image.topics() {
            let named = image.topic_named(topic.name()).map(Topic::id);
            prop_assert_eq!(named, Some(topic.id()));
        }
    }
}
