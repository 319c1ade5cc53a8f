//! The tables against the reference, and which value wins.

use alloc::collections::BTreeSet;
use alloc::string::ToString as _;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::MetadataImage;
use crate::record::{ConfigResource, MetadataRecord, ResourceKind};
use crate::samples::id;

/// Each topic configuration of Kafka 4.1: key, default, broker's names, a value that is refused.
const REFERENCE: [(&str, &str, &[&str], &str); 34] = [
    ("cleanup.policy", "delete", &["log.cleanup.policy"], "compress"),
    ("compression.gzip.level", "-1", &["compression.gzip.level"], "0"),
    ("compression.lz4.level", "9", &["compression.lz4.level"], "18"),
    ("compression.type", "producer", &["compression.type"], "lz4,gzip"),
    ("compression.zstd.level", "3", &["compression.zstd.level"], "23"),
    ("delete.retention.ms", "86400000", &["log.cleaner.delete.retention.ms"], "-1"),
    ("file.delete.delay.ms", "60000", &["log.segment.delete.delay.ms"], "-1"),
    ("flush.messages", "9223372036854775807", &["log.flush.interval.messages"], "0"),
    (
        "flush.ms",
        "9223372036854775807",
        &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        "-1",
    ),
    ("follower.replication.throttled.replicas", "", &[], "1:x"),
    ("index.interval.bytes", "4096", &["log.index.interval.bytes"], "-1"),
    ("leader.replication.throttled.replicas", "", &[], "1"),
    ("local.retention.bytes", "-2", &["log.local.retention.bytes"], "-3"),
    ("local.retention.ms", "-2", &["log.local.retention.ms"], "-3"),
    ("max.compaction.lag.ms", "9223372036854775807", &["log.cleaner.max.compaction.lag.ms"], "0"),
    ("max.message.bytes", "1048588", &["message.max.bytes"], "-1"),
    ("message.downconversion.enable", "true", &[], "yes"),
    ("message.timestamp.after.max.ms", "3600000", &["log.message.timestamp.after.max.ms"], "-1"),
    (
        "message.timestamp.before.max.ms",
        "9223372036854775807",
        &["log.message.timestamp.before.max.ms"],
        "-1",
    ),
    ("message.timestamp.type", "CreateTime", &["log.message.timestamp.type"], "AppendTime"),
    ("min.cleanable.dirty.ratio", "0.5", &["log.cleaner.min.cleanable.ratio"], "1.1"),
    ("min.compaction.lag.ms", "0", &["log.cleaner.min.compaction.lag.ms"], "-1"),
    ("min.insync.replicas", "1", &["min.insync.replicas"], "0"),
    ("preallocate", "false", &["log.preallocate"], "1"),
    ("remote.log.copy.disable", "false", &[], ""),
    ("remote.log.delete.on.disable", "false", &[], "0"),
    ("remote.storage.enable", "false", &[], "true"),
    ("retention.bytes", "-1", &["log.retention.bytes"], "9223372036854775808"),
    (
        "retention.ms",
        "604800000",
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
        "-2",
    ),
    ("segment.bytes", "1073741824", &["log.segment.bytes"], "1048575"),
    ("segment.index.bytes", "10485760", &["log.index.size.max.bytes"], "3"),
    ("segment.jitter.ms", "0", &["log.roll.jitter.ms", "log.roll.jitter.hours"], "-1"),
    ("segment.ms", "604800000", &["log.roll.ms", "log.roll.hours"], "0"),
    ("unclean.leader.election.enable", "false", &["unclean.leader.election.enable"], "falsch"),
];

#[test]
fn the_topics_table_is_the_reference_and_what_is_ours() {
    let names: BTreeSet<_> = topic::TABLE.iter().map(|row| row.definition.name).collect();
    let mut expected: BTreeSet<_> = REFERENCE.iter().map(|(name, ..)| *name).collect();
    assert!(["write.caching", "placement.strategy"].into_iter().all(|own| expected.insert(own)));
    assert_eq!(names, expected);
    assert_eq!(topic::TABLE.len(), expected.len(), "a name twice");
    assert_eq!(topic::find("write.caching").unwrap().definition.default, Some("false"));
    for (name, default, synonyms, refused) in REFERENCE {
        let row = topic::find(name).unwrap();
        assert_eq!(row.definition.default, Some(default), "{name}");
        let names: Vec<_> = row.synonyms.iter().map(|synonym| synonym.name).collect();
        assert_eq!(names, synonyms, "{name}");
        assert!(row.definition.check(refused).is_err(), "{name}={refused}");
    }
}

#[test]
fn every_default_keeps_its_own_rule_and_no_broker_key_is_there_twice() {
    let brokers: Vec<_> = broker::all().map(|broker| broker.definition).collect();
    let names: BTreeSet<_> = brokers.iter().map(|definition| definition.name).collect();
    assert_eq!(names.len(), brokers.len());
    let topics = topic::TABLE.iter().chain(&group::TABLE).map(|row| row.definition);
    let metrics = client_metrics::TABLE.iter().copied();
    for definition in brokers.into_iter().chain(topics).chain(metrics) {
        assert!(!definition.documentation.is_empty(), "{}", definition.name);
        if let Some(default) = definition.default {
            assert_eq!(definition.check(default), Ok(()));
        }
    }
    for row in topic::TABLE.iter().chain(&group::TABLE) {
        for synonym in row.synonyms {
            let broker = broker::find(synonym.name).map(|broker| broker.definition);
            assert!(broker.is_some(), "{}", synonym.name);
        }
    }
}

#[test]
fn a_broker_has_what_it_sets_for_its_topics_with_the_same_rule() {
    for (name, default, refused) in [
        ("num.partitions", Some("1"), "0"),
        ("default.replication.factor", Some("1"), "0"),
        ("log.cleanup.policy", Some("delete"), "x"),
        ("compression.type", Some("producer"), "x"),
        ("message.max.bytes", Some("1048588"), "-1"),
        ("auto.create.topics.enable", Some("true"), "x"),
        ("log.segment.bytes", Some("1073741824"), "14"),
        ("log.retention.ms", None, "-2"),
        ("log.retention.hours", Some("168"), "x"),
        ("group.consumer.session.timeout.ms", Some("45000"), "0"),
    ] {
        let definition = broker::find(name).unwrap().definition;
        assert_eq!(definition.default, default, "{name}");
        assert!(definition.check(refused).is_err(), "{name}={refused}");
    }
    assert!(broker::find("segment.bytes").is_none());
}

#[test]
fn values_keep_type_and_rule_and_the_error_says_which() {
    let topic = |name| topic::find(name).unwrap().definition;
    for (name, value) in [
        ("cleanup.policy", "compact, delete"),
        ("cleanup.policy", ""),
        ("min.cleanable.dirty.ratio", "1e-1"),
        ("leader.replication.throttled.replicas", "*"),
        ("leader.replication.throttled.replicas", "0:1,1:2"),
        ("preallocate", "TRUE"),
        ("segment.bytes", " 1048576 "),
        ("compression.zstd.level", "-131072"),
    ] {
        assert_eq!(topic(name).check(value), Ok(()), "{name}={value}");
    }
    for (name, value, message) in [
        ("segment.bytes", "5", "segment.bytes=5: must be at least 1048576"),
        ("segment.bytes", "x", "segment.bytes=x: must be an integer of 32 bits"),
        ("min.cleanable.dirty.ratio", "NaN", "min.cleanable.dirty.ratio=NaN: must be 0 to 1"),
        ("compression.gzip.level", "10", "compression.gzip.level=10: must be 1 to 9, or -1"),
        ("cleanup.policy", "x", "cleanup.policy=x: must be a list of compact, delete"),
    ] {
        assert_eq!(topic(name).check(value).unwrap_err().to_string(), message);
    }
    let matches = client_metrics::find("match").unwrap();
    assert_eq!(matches.check("client_id=a.*,client_software_name=x"), Ok(()));
    for value in ["client_id", "client_id=", "name=x"] {
        assert!(matches.check(value).is_err(), "{value}");
    }
}

#[test]
fn a_static_configuration_is_checked_as_a_whole() {
    let checked = StaticConfig::new([("node.id", " 7"), ("log.retention.hours", "1")]).unwrap();
    assert_eq!((checked.broker_id(), checked.get("log.retention.hours")), (7, Some("1")));
    assert_eq!(StaticConfig::default().broker_id(), 1);
    for (name, value, message) in [
        ("retention.ms", "1", "unknown configuration retention.ms"),
        ("node.id", "-1", "node.id=-1: must be at least 0"),
        ("num.partitions", "many", "num.partitions=many: must be an integer of 32 bits"),
    ] {
        let error = StaticConfig::new([(name, value)]).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

fn image(settings: &[(ConfigResource, &str, &str)]) -> MetadataImage {
    let topic = [MetadataRecord::Topic { id: id(1), name: "t".into() }];
    let settings = settings.iter().map(|(resource, name, value)| MetadataRecord::Config {
        resource: resource.clone(),
        name: (*name).into(),
        value: Some((*value).into()),
    });
    MetadataImage::load(topic.into_iter().chain(settings)).unwrap()
}

fn found(entry: &Entry) -> Vec<(&str, &str, i8)> {
    let one = |one: &EntrySynonym| (one.name, one.source.to_wire());
    let names = entry.synonyms.iter().map(one);
    let values = entry.synonyms.iter().map(|one| one.value.as_str());
    names.zip(values).map(|((name, source), value)| (name, value, source)).collect()
}

#[test]
fn the_nearest_source_wins_and_the_others_are_synonyms() {
    let mut settings = vec![];
    let broker = StaticConfig::new([("log.segment.bytes", "4000000")]).unwrap();
    let mut expected =
        vec![("log.segment.bytes", "4000000", 4), ("log.segment.bytes", "1073741824", 5)];
    for (resource, name, value, source) in [
        (ConfigResource::all_brokers(), "log.segment.bytes", "3000000", 3),
        (ConfigResource::broker(1), "log.segment.bytes", "2000000", 2),
        (ConfigResource::topic("t"), "segment.bytes", "1500000", 1),
    ] {
        settings.push((resource, name, value));
        expected.insert(0, (name, value, source));
        let image = image(&settings);
        let layered = topic::find("segment.bytes").unwrap();
        let entry = Effective::new(&image, &broker).topic("t", layered);
        assert_eq!(found(&entry), expected);
        assert_eq!(entry.value.as_deref(), Some(value));
        assert_eq!((entry.source.to_wire(), entry.read_only), (source, false));
    }
    // Another broker's own setting is none of this one's.
    let image = image(&[(ConfigResource::broker(2), "log.segment.bytes", "2000000")]);
    let broker = StaticConfig::default();
    let entry = Effective::new(&image, &broker).topic("t", topic::find("segment.bytes").unwrap());
    assert_eq!(found(&entry), [("log.segment.bytes", "1073741824", 5)]);
}

#[test]
fn hours_of_the_broker_are_milliseconds_of_the_topic() {
    let layered = topic::find("retention.ms").unwrap();
    let value = |settings: &[(&str, &str)]| {
        let broker = StaticConfig::new(settings.iter().copied()).unwrap();
        let image = image(&[]);
        Effective::new(&image, &broker).topic("t", layered).value.unwrap()
    };
    assert_eq!(value(&[]), "604800000");
    assert_eq!(value(&[("log.retention.hours", "2")]), "7200000");
    assert_eq!(value(&[("log.retention.hours", "-1")]), "-1");
    let both = [("log.retention.hours", "2"), ("log.retention.minutes", "3")];
    assert_eq!(value(&both), "180000");
}

#[test]
fn a_key_of_the_broker_lists_the_names_that_come_behind_it() {
    let image = image(&[(ConfigResource::all_brokers(), "log.retention.ms", "5")]);
    let broker = StaticConfig::default();
    let effective = Effective::new(&image, &broker);
    let entry = |name| effective.broker(&broker::find(name).unwrap());
    assert_eq!(
        found(&entry("log.retention.ms")),
        [("log.retention.ms", "5", 3), ("log.retention.hours", "168", 5)]
    );
    let hours = entry("log.retention.hours");
    assert_eq!(found(&hours), [("log.retention.hours", "168", 5)]);
    assert_eq!((hours.read_only, entry("log.retention.ms").read_only), (true, false));
    let minutes = entry("log.retention.minutes");
    assert_eq!((minutes.value, minutes.source), (None, ConfigSource::Default));
}

#[test]
fn a_group_has_its_own_value_or_the_brokers() {
    let group = ConfigResource { kind: ResourceKind::Group, name: "g".into() };
    let image = image(&[(group, "consumer.session.timeout.ms", "50000")]);
    let broker = StaticConfig::default();
    let layered = group::find("consumer.session.timeout.ms").unwrap();
    let effective = Effective::new(&image, &broker);
    let (own, other) = (effective.group("g", layered), effective.group("h", layered));
    assert_eq!((own.value.as_deref(), own.source.to_wire()), (Some("50000"), 8));
    assert_eq!((other.value.as_deref(), other.source.to_wire()), (Some("45000"), 5));
}
