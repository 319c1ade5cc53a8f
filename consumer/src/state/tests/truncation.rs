//! Whether what was read is still there (KIP-320).

use super::*;

#[tokio::test(start_paused = true)]
async fn a_new_leader_is_asked_whether_it_has_what_was_read() {
    let mut life = Life::assigned(no_reset(), Start::Offset(10));
    life.fetches();
    life.answer(vec![data(0, batch(10, 2, 3)), data(1, batch(10, 2, 3))]);
    let mut moved = refused(0, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    moved.current_leader = LeaderIdAndEpoch { leader_id: 2, leader_epoch: 4 };
    life.fetches();
    life.answer(vec![moved]);
    let (actions, _) = life.state.plan(life.now);
    let epochs = actions.into_iter().find_map(|action| match action {
        Action::Epochs { leader, questions, epochs } => Some((leader, questions, epochs)),
        _ => None,
    });
    let (leader, questions, epochs) = epochs.expect("the answer has named the leader");
    assert_eq!((leader, epochs[0].epoch, epochs[0].current_epoch), (2, 3, 4));
    life.state.take_epochs(&questions, ends(Some(12)), life.now);
    let fetch = life.fetches().remove(0);
    assert_eq!((fetch.broker, asked(&fetch)), (2, vec![(0, 12)]));
}

fn ends(end_offset: Option<i64>) -> Result<Vec<Result<EpochEnd, ClientError>>, ClientError> {
    let epoch = end_offset.map(|_| 3);
    Ok(vec![Ok(EpochEnd { epoch, end_offset })])
}

/// Broker 2 leads partition 0 now, in the next epoch.
fn lead_by_another(life: &mut Life) {
    (life.leader, life.epoch) = (2, life.epoch + 1);
    life.state.take_topic(&"t".into(), Ok(life.topic()), life.now);
}

/// What leaders are asked for about epochs: up to where the partition was read.
fn doubts(life: &mut Life) -> Vec<Question> {
    let (actions, _) = life.state.plan(life.now);
    let epochs = actions.into_iter().filter_map(|action| match action {
        Action::Epochs { questions, .. } => Some(questions),
        _ => None,
    });
    epochs.flatten().collect()
}

#[tokio::test(start_paused = true)]
async fn where_there_is_a_reset_a_truncated_partition_goes_on_where_the_logs_parted() {
    for (end_offset, goes_on) in [(11, 11), (14, 14), (40, 14)] {
        let mut life = waiting(earliest());
        assert!(life.taken().is_some());
        lead_by_another(&mut life);
        let questions = doubts(&mut life);
        life.state.take_epochs(&questions, ends(Some(end_offset)), life.now);
        let fetch = life.fetches().remove(0);
        assert_eq!((fetch.broker, asked(&fetch)[0]), (2, (0, goes_on)));
        let at = Position { offset: goes_on, epoch: 3 };
        assert_eq!(life.state.position(&place(0)).unwrap(), Some(at));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_reset_a_truncated_partition_stays_where_it_is_until_it_is_sought() {
    let mut life = waiting(no_reset());
    assert!(life.taken().is_some());
    lead_by_another(&mut life);
    for _ in 0..2 {
        let questions = doubts(&mut life);
        life.state.take_epochs(&questions, ends(Some(11)), life.now);
        let error = life.error();
        assert!(error.contains("t-0: it was read up to offset 14"), "{error}");
        assert!(error.contains("from offset 11 on"), "{error}");
        assert!(life.fetches().is_empty(), "10 to 13 are others now, and nobody has read them");
        life.now += Duration::from_secs(2);
    }
    life.state.seek(&place(0), Start::Offset(11));
    assert_eq!(asked(&life.fetches()[0]), [(0, 11)]);
}

#[tokio::test(start_paused = true)]
async fn what_no_leader_knows_begins_anew_or_is_an_error() {
    for (config, begins_anew) in [(earliest(), true), (no_reset(), false)] {
        let mut life = waiting(config);
        assert!(life.taken().is_some());
        lead_by_another(&mut life);
        let questions = doubts(&mut life);
        life.state.take_epochs(&questions, ends(None), life.now);
        let fetched = life.fetches().first().map(asked);
        assert_eq!(fetched, begins_anew.then(|| vec![(0, 10)]));
        assert_eq!(life.state.next_error().is_none(), begins_anew);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_only_fetched_ahead_and_is_gone_is_fetched_again_and_no_loss() {
    let mut life = waiting(no_reset());
    lead_by_another(&mut life);
    let questions = doubts(&mut life);
    life.state.take_epochs(&questions, ends(Some(11)), life.now);
    assert_eq!(life.taken(), None, "what waits isn't what is there now");
    assert!(life.state.next_error().is_none());
    assert_eq!(life.state.position(&place(0)).unwrap().unwrap().offset, 10);
    let fetch = life.fetches().remove(0);
    assert_eq!((fetch.broker, asked(&fetch)), (2, vec![(0, 10)]));
    life.answer_by(2, vec![data(0, [batch(10, 1, 3), batch(11, 2, 4)].concat())]);
    assert_eq!(life.taken(), Some((0, vec![10, 11, 12])));
}

#[tokio::test(start_paused = true)]
async fn what_the_front_hands_out_of_what_was_fetched_ahead_is_asked_about_before_it_goes_on() {
    let mut life = waiting(no_reset());
    let mut held = life.state.take().unwrap();
    let mut inflater = Inflater::new(1 << 20);
    lead_by_another(&mut life);
    let questions = doubts(&mut life);
    for _ in 0..2 {
        held.haul.next_record(&mut inflater).unwrap().unwrap();
    }
    life.state.take_epochs(&questions, ends(Some(12)), life.now);
    assert!(!life.state.is_valid(&held), "13 is gone, and 12 is another one");
    assert_eq!(asked(&life.fetches()[0]), [(0, 10)], "as far as the front has told");
    life.answer_by(2, vec![data(0, batch(10, 2, 3))]);
    life.state.give_back(held);
    assert_eq!(life.taken(), None, "10 and 11 were handed out");
    let questions = doubts(&mut life);
    life.state.take_epochs(&questions, ends(Some(12)), life.now);
    assert_eq!(asked(&life.fetches()[0]), [(0, 12)]);
    assert!(life.state.next_error().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_was_replaced_is_not_believed() {
    let mut life = waiting(earliest());
    lead_by_another(&mut life);
    let questions = doubts(&mut life);
    lead_by_another(&mut life);
    life.state.take_epochs(&questions, ends(Some(14)), life.now);
    assert_eq!(doubts(&mut life)[0].leader_epoch, 5, "the next one is asked");
}

#[tokio::test(start_paused = true)]
async fn what_a_search_has_found_may_be_gone_before_it_is_read() {
    let mut life = Life::assigned(earliest(), Start::Latest);
    life.state.remove(&[place(1)]);
    let (actions, _) = life.state.plan(life.now);
    life.state.take_topic(&"t".into(), Ok(life.topic()), life.now);
    let questions = actions.into_iter().find_map(|action| match action {
        Action::Search { questions, .. } => Some(questions),
        _ => None,
    });
    let leader_epoch = Some(life.epoch);
    let found = FoundOffset { partition: 0, offset: Some(10), timestamp: None, leader_epoch };
    life.state.take_found(&questions.unwrap(), vec![Ok(found)], life.now);
    lead_by_another(&mut life);
    let questions = doubts(&mut life);
    assert_eq!(questions.len(), 1, "the new leader is asked whether it has offset 10");
    life.state.take_epochs(&questions, ends(Some(8)), life.now);
    assert_eq!(asked(&life.fetches()[0]), [(0, 8)]);
}
