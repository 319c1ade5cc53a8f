//! Finding leaders, by brokers of whom any may be away, and any may be wrong.

use std::time::Duration;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use logboom_tests::raw::Raw;

use super::history::Partition;

const METADATA: i16 = 12;
/// What a client waits for a connection or an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks one broker after the other.
pub(super) struct Seeker<'a> {
    addresses: &'a [String],
    next: usize,
}

impl<'a> Seeker<'a> {
    /// - `addresses`: those of all brokers, by their numbers from 1 on.
    pub(super) fn new(addresses: &'a [String], first: i32) -> Self {
        Self { addresses, next: usize::try_from(first).expect("a partition") }
    }

    /// A connection to the broker that leads, as the next one says; `None` where there is none.
    pub(super) fn leader(&mut self, partition: &Partition) -> Option<Raw> {
        self.next = (self.next + 1) % self.addresses.len();
        let mut raw = Raw::brief(&self.addresses[self.next], PATIENCE).ok()?;
        let name = Some(partition.topic.as_str().into());
        let asked = MetadataRequestTopic { name, ..Default::default() };
        let request = MetadataRequest { topics: Some(vec![asked]), ..Default::default() };
        let told = raw.try_call(METADATA, &request)?.topics.remove(0).partitions;
        let mut led = told.into_iter().filter(|it| it.error_code == ErrorCode::NONE);
        let leader = led.find(|it| it.partition_index == partition.index)?.leader_id;
        let address = self.addresses.get(usize::try_from(leader).ok()?.checked_sub(1)?)?;
        Raw::brief(address, PATIENCE).ok()
    }
}
