//! What happens to a cluster.

use alloc::vec;
use alloc::vec::Vec;

use proptest::collection::vec as list;
use proptest::option;
use proptest::prelude::*;

/// Brokers that there may be.
pub(super) const BROKERS: i32 = 6;

/// Something that is asked of the controller. Topics and brokers are few, so that much of it fits.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A broker starts; with an empty directory or its old one.
    Register {
        id: i32,
        rack: Option<&'static str>,
        directory: u8,
    },
    Fence(Vec<i32>),
    Unfence(Vec<i32>),
    Unregister(i32),
    Create {
        topic: u8,
        partitions: i32,
        replicas: i16,
    },
    Grow {
        topic: u8,
        count: i32,
    },
    Delete {
        topic: u8,
    },
    /// Moves a partition, or takes its move back.
    Reassign {
        topic: u8,
        index: i32,
        replicas: Option<Vec<i32>>,
    },
    Elect {
        kind: i8,
    },
    Report {
        topic: u8,
        index: i32,
        news: News,
    },
}

/// What a leader tells, seen from what is known of its partition.
#[derive(Debug, Clone)]
pub(super) struct News {
    /// Added to the epoch.
    pub(super) epochs: i32,
    /// Added to the control sequence.
    pub(super) controls: i64,
    /// Which of the partition's brokers leads; `None` for nobody.
    pub(super) leader: Option<usize>,
    /// Whether the voters are those that are wished for, or others.
    pub(super) voters: Voters,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Voters {
    AsKnown,
    AsWished,
    Before,
}

pub(super) fn any_step() -> impl Strategy<Value = Step> {
    let broker = || 0..BROKERS;
    let topic = || 0..2u8;
    let rack = prop::sample::select(vec![None, Some("a"), Some("b"), Some("c")]);
    let voters = prop::sample::select(vec![
        Voters::AsKnown,
        Voters::AsWished,
        Voters::AsWished,
        Voters::Before,
    ]);
    let news = (-1..4i32, -1..3i64, option::weighted(0.8, 0..4usize), voters)
        .prop_map(|(epochs, controls, leader, voters)| News { epochs, controls, leader, voters });
    prop_oneof![
        8 => (broker(), rack, 0..2u8)
            .prop_map(|(id, rack, directory)| Step::Register { id, rack, directory }),
        2 => list(broker(), 0..3).prop_map(Step::Fence),
        2 => list(broker(), 0..4).prop_map(Step::Unfence),
        1 => broker().prop_map(Step::Unregister),
        4 => (topic(), 1..4i32, 1..5i16)
            .prop_map(|(topic, partitions, replicas)| Step::Create { topic, partitions, replicas }),
        1 => (topic(), 1..5i32).prop_map(|(topic, count)| Step::Grow { topic, count }),
        1 => topic().prop_map(|topic| Step::Delete { topic }),
        6 => (topic(), 0..3i32, option::weighted(0.8, list(broker(), 1..4)))
            .prop_map(|(topic, index, replicas)| Step::Reassign { topic, index, replicas }),
        2 => (-1..3i8).prop_map(|kind| Step::Elect { kind }),
        24 => (topic(), 0..3i32, news)
            .prop_map(|(topic, index, news)| Step::Report { topic, index, news }),
    ]
}
