//! The text form of snapshots.

use alloc::string::{String, ToString as _};
use std::format;

use proptest::prelude::*;

use crate::sim;
use crate::snapshot::{Broker, Partition, Replica, Snapshot};

const SMALL: &str = "\
snapshot 1
broker 1 rack a weight 100 partitions 10 disk 1000 in 100 out 200
broker 2 rack b weight 50 draining
broker 3 weight 100 absent
topic t
partition 0 leader 1 replicas 1:10:2:3 2:10:2:0
partition 7 leader none replicas 3:0:0:0
topic u
";

fn what(text: &str) -> String {
    Snapshot::parse(text).unwrap_err().to_string()
}

#[test]
fn what_is_written_is_read_back() {
    let snapshot = Snapshot::parse(SMALL).unwrap();
    assert_eq!(snapshot.to_string(), SMALL);
    assert_eq!((snapshot.brokers().len(), snapshot.partitions().len()), (3, 2));
    for rack in ["", " ", "a b", "%", "é", "=\n"] {
        let broker = Broker { rack: Some(rack.into()), ..Broker::new(1) };
        let snapshot =
            Snapshot::new([broker].into(), [rack.to_string()].into(), [].into()).unwrap();
        assert_eq!(Snapshot::parse(&snapshot.to_string()).unwrap(), snapshot, "{rack:?}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let with = |line: &str| format!("{SMALL}{line}\n");
    for (text, said) in [
        (String::new(), "line 1: a snapshot begins with `snapshot 1`"),
        ("snapshot 2\n".into(), "line 1: a snapshot begins with `snapshot 1`"),
        (with("broker 4"), "line 9: brokers come before topics"),
        (with("topic t"), "line 9: topic t is named twice"),
        (with("topic"), "line 9: topic is missing"),
        (with("topic a b"), "line 9: `b` is no end of the line"),
        (with("topic %zz"), "line 9: `%zz` is no topic"),
        (with("part"), "line 9: `part` is no broker, topic or partition"),
        (
            with("partition 0 leader 1 replicas"),
            "line 9: partition 0: 0 replicas are not between 1 and 64",
        ),
        (
            with("partition 0 leader 2 replicas 1:1:1:1"),
            "line 9: partition 0: its leader 2 has no replica",
        ),
        (with("partition 0 leader 1 replicas 1:1:1"), "line 9: amount is missing"),
        (
            with("partition 0 leader 1 replicas 1:1:1:1:1"),
            "line 9: `1:1:1:1:1` is no replica (ID:DISK:IN:OUT)",
        ),
        (
            with("partition 0 leader 9 replicas 9:1:1:1"),
            "line 9: partition 0: there is no broker 9",
        ),
        (
            with("partition 0 leader 1 replicas 1:1:1:1 1:1:1:1"),
            "line 9: partition 0: two replicas on broker 1",
        ),
        (with("partition 0 leader 1 replicas 1:-1:1:1"), "line 9: `-1` is no amount"),
        (with("partition 0 leader 1 replicas 1:+1:1:1"), "line 9: `+1` is no amount"),
        (
            with("partition 0 leader 1 replicas 1:99999999999999999:1:1"),
            "line 9: partition 0: its disk bytes are more than 1125899906842624, or all together \
             more than 72057594037927936",
        ),
        (
            "snapshot 1\npartition 0 leader 1 replicas 1:1:1:1".into(),
            "line 2: a partition comes after its topic",
        ),
        (
            "snapshot 1\nbroker 1 weight 0".into(),
            "line 2: broker 1: weight 0 is not between 1 and 10000",
        ),
        (
            "snapshot 1\nbroker 1 disk 0".into(),
            "line 2: broker 1: its disk bytes are not between 1 and 1125899906842624",
        ),
        ("snapshot 1\nbroker 1 leaders 5".into(), "line 2: `leaders` is no key of a broker"),
        ("snapshot 1\nbroker -1".into(), "line 2: broker -1: ids are 0 or more"),
        ("snapshot 1\nbroker 1\n\n# x\nbroker 1".into(), "line 5: broker 1 is named twice"),
        (
            with(
                "partition 3 leader none replicas 1:0:0:0\n\
                 partition 3 leader none replicas 1:0:0:0",
            ),
            "line 10: partitions of a topic come in order, each once",
        ),
    ] {
        assert_eq!(what(&text), said, "{text}");
    }
}

#[test]
fn a_long_word_is_not_repeated_whole() {
    let said = what(&format!("snapshot 1\n{}", "x".repeat(1 << 20)));
    assert!(said.len() < 120, "{said}");
}

#[test]
fn partitions_may_come_in_any_order_but_not_twice() {
    let one = |index| Partition {
        topic: 0,
        index,
        leader: None,
        is_leaderless: false,
        replicas: [Replica { broker: 1, load: crate::snapshot::Load::default() }].into(),
    };
    let new = |partitions: &[i32]| {
        let partitions = partitions.iter().map(|index| one(*index)).collect();
        Snapshot::new([Broker::new(1)].into(), ["t".into()].into(), partitions)
    };
    assert_eq!(new(&[2, 0]).unwrap(), new(&[0, 2]).unwrap());
    let twice = new(&[2, 0, 2]).unwrap_err().to_string();
    assert_eq!(twice, "partition 2 of the topic at place 0 is named twice");
}

proptest! {
    #[test]
    fn any_cluster_is_read_back(seed in any::<u64>()) {
        let snapshot = sim::small(seed);
        prop_assert_eq!(Snapshot::parse(&snapshot.to_string()).unwrap(), snapshot);
    }

    #[test]
    fn no_text_breaks_the_reader(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = SMALL.as_bytes().to_vec();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        // Whatever it says, a snapshot that is read is written as one that is read.
        if let Ok(read) = Snapshot::parse(&String::from_utf8_lossy(&bytes)) {
            prop_assert_eq!(Snapshot::parse(&read.to_string()).unwrap(), read);
        }
    }
}
