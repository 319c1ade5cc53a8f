//! Members of two kinds that share a group: whatever happens, none of them passes over a record,
//! and what they have read is committed in the end.

use std::collections::BTreeSet;
use std::time::Instant;

use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::{or_skip, python};

use super::history::History;
use super::{PATIENCE, commits};
use crate::groups::command;
use crate::tour::groups::{Place, Reader, ours};

const GROUP: &str = "over-faults";

/// Those who are in it.
pub(super) struct Members {
    readers: Vec<Reader>,
    addresses: Vec<String>,
}

impl Members {
    /// Ours, and librdkafka where it can be had.
    pub(super) fn join(cluster: &Cluster, topic: &str) -> Self {
        let bootstrap = cluster.bootstrap();
        let mut members = vec![Reader::start(ours(&bootstrap, topic, GROUP))];
        if let Some(python) = or_skip("librdkafka in a group over faults", python()) {
            let mut command = python.command("librdkafka_group.py");
            command.args([&bootstrap, topic, GROUP, "0", "range", "read"]);
            members.push(Reader::start(command));
        }
        Self { readers: members, addresses: cluster.addresses() }
    }

    /// Waits until everything that was acknowledged was read and committed, and ends them; how much
    /// they have read, and what they never have.
    pub(super) fn leave(mut self, history: &History, topic: &str) -> (usize, Vec<Place>) {
        let partitions = || history.partitions.iter().filter(|it| it.topic == topic);
        let all =
            partitions().flat_map(|it| (0..it.acknowledged()).map(|offset| (it.index, offset)));
        let mut left: BTreeSet<Place> = all.collect();
        let deadline = Instant::now() + PATIENCE;
        while !left.is_empty() && Instant::now() < deadline {
            self.readers.iter_mut().for_each(|member| _ = member.look());
            for place in self.readers.iter().flat_map(|member| &member.seen) {
                left.remove(place);
            }
            pause();
        }
        let lacking = || commits::lacking(&self.addresses, GROUP, partitions());
        while left.is_empty() && !lacking().is_empty() && Instant::now() < deadline {
            pause();
        }
        let lacking = lacking();
        if !(left.is_empty() && lacking.is_empty()) {
            self.tell(left.len());
        }
        if left.is_empty() && !lacking.is_empty() {
            history.break_with(format!("a group hasn't committed what it has read: {lacking:?}"));
        }
        let read = self.readers.into_iter().map(|member| member.stop().len()).sum();
        (read, left.into_iter().collect())
    }

    /// Says how it stands, where members lack something.
    fn tell(&self, left: usize) {
        let read: Vec<usize> = self.readers.iter().map(|member| member.seen.len()).collect();
        println!("members have read {read:?}, and {left} records never");
        for words in [&["group", "describe", GROUP][..], &["cluster", "health"]] {
            let output = command(&self.addresses.join(","), words).output().unwrap();
            println!("{}", String::from_utf8_lossy(&output.stdout));
        }
    }
}
