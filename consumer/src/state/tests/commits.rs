//! What is committed, and when.

use logboom_client::{ClientConfig, Cluster, Committer};

use super::*;

/// Partition 0 alone, of which 10 to 13 were handed out, read beside group `g`.
fn read() -> Life {
    let mut life = waiting(ConsumerConfig { group_id: Some("g".into()), ..earliest() });
    let address = "127.0.0.1:1".parse().unwrap();
    let cluster = Cluster::new(vec![address], ClientConfig::default());
    life.state.standalone = Some(Committer::standalone(cluster, "g"));
    assert!(life.taken().is_some());
    life
}

impl Life {
    /// The offsets that are committed next, by partition, which the coordinator takes.
    fn commits(&mut self) -> Option<Vec<(i32, i64)>> {
        let round = self.state.take_commit()?;
        self.state.committed(round.offsets.iter());
        Some(round.offsets.iter().map(|(place, one)| (place.partition, one.offset)).collect())
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_is_a_member_for_is_committed_again_each_time() {
    let mut life = read();
    for _ in 0..2 {
        life.state.auto_commit();
        assert_eq!(life.commits(), Some(vec![(0, 14)]));
    }
}

#[tokio::test(start_paused = true)]
async fn who_commits_by_hand_commits_what_is_committed_again() {
    let mut life = read();
    for _ in 0..2 {
        assert_eq!(life.state.all_processed()[&place(0)].offset, 14);
        life.state.auto_commit();
        life.commits();
    }
    assert!(life.state.uncommitted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_read_of_a_partition_is_committed_when_others_are_assigned() {
    let mut life = read();
    life.state.assign(vec![(place(1), Some(Start::Offset(10)))]);
    assert_eq!(life.commits(), Some(vec![(0, 14)]));
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_waits_outlives_the_assignment_and_not_what_the_group_has_taken() {
    let mut life = read();
    drop(life.state.queue_commit([(place(0), 12.into())]));
    life.state.unsubscribe();
    assert!(life.state.committer().is_some());
    assert_eq!(life.commits(), Some(vec![(0, 12)]));
    life.state.subscribe(Topics::new(["t"]).unwrap());
    life.state.put_step(StepKind::Assign, vec![place(0)]);
    drop(life.state.queue_commit([(place(0), 12.into())]));
    life.state.put_step(StepKind::Lose, vec![place(0)]);
    assert_eq!(life.commits(), Some(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn who_was_a_member_commits_as_nobody_else() {
    let mut life = read();
    life.state.subscribe(Topics::new(["t"]).unwrap());
    life.state.unsubscribe();
    assert!(life.state.committer().is_none(), "the group may have gone on without it");
    life.state.assign(vec![(place(0), None)]);
    assert!(life.state.committer().is_some());
}
