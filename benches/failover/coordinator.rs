//! How long a member of a group waits for its commit where its coordinator is killed.

use std::time::{Duration, Instant};

use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::member::Member;

/// Commits before a kill: it comes in the middle of the group's life.
const COMMITS: i64 = 100;
/// The pause before a kill differs by up to this.
const CHANCE: Duration = Duration::from_millis(500);

/// From each kill to the first commit that is acknowledged after it, by a member that looks for the
/// coordinator at once and again and again.
pub(crate) fn kills(cluster: &mut Cluster, topic: &str, rounds: u32) -> Vec<Duration> {
    let mut member = Member::join(cluster, "failover", topic);
    let kill = |round| {
        (0..COMMITS).for_each(|offset| member.commit(cluster, offset));
        let next = Instant::now() + CHANCE * round / rounds.max(1);
        while Instant::now() < next {
            pause();
        }
        let before = member.coordinator();
        let killed = Instant::now();
        cluster.kill(before);
        member.commit(cluster, COMMITS);
        let took = killed.elapsed();
        assert_ne!(member.coordinator(), before);
        assert_eq!(member.committed(cluster), COMMITS);
        cluster.restart(before);
        for name in [topic, "__consumer_offsets"] {
            cluster.wait_until(name, "all are in sync", |it| it.isr_nodes.len() == 3);
        }
        took
    };
    (0..rounds).map(kill).collect()
}
