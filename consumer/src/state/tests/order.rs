//! What is handed out, in which order, and what is held back.

use super::*;

#[tokio::test(start_paused = true)]
async fn partitions_are_read_in_turn_from_where_they_begin() {
    let mut life = Life::assigned(earliest(), Start::Earliest);
    let fetches = life.fetches();
    assert_eq!(fetches.len(), 1, "one request a broker");
    assert_eq!(asked(&fetches[0]), [(0, 10), (1, 10)]);
    assert_eq!(life.fetches().len(), 0, "one at a time");
    life.answer(vec![data(0, batch(10, 2, 3)), data(1, batch(9, 3, 3))]);
    assert_eq!(life.taken(), Some((0, vec![10, 11])));
    assert_eq!(life.taken(), Some((1, vec![10, 11])), "what comes before the offset is left out");
    assert_eq!(life.taken(), None);
    assert_eq!(asked(&life.fetches()[0]), [(0, 12), (1, 12)]);
    assert_eq!(life.state.lag(&place(0)).unwrap(), Some(88));
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_comes_later_is_read_as_those_before() {
    let mut life = Life::new(earliest());
    life.state.assign(vec![(place(0), Some(Start::Earliest))]);
    assert_eq!(asked(&life.fetches()[0]), [(0, 10)]);
    let both = [0, 1].map(|one| (place(one), None));
    life.state.assign(both.to_vec());
    life.state.seek(&place(1), Start::Offset(7));
    life.fetches();
    life.answer(vec![data(0, batch(10, 1, 3))]);
    assert_eq!(asked(&life.fetches()[0]), [(0, 11), (1, 7)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_before_a_seek_is_never_handed_out() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.fetches();
    life.answer(vec![data(0, batch(10, 2, 3)), data(1, batch(10, 2, 3))]);
    assert!(life.state.seek(&place(0), Start::Offset(50)));
    let fetch = life.fetches();
    assert_eq!(asked(&fetch[0]), [(0, 50), (1, 12)]);
    assert!(life.state.seek(&place(0), Start::Offset(60)));
    life.answer(vec![data(0, batch(50, 2, 3)), data(1, batch(12, 1, 3))]);
    assert_eq!(life.taken(), Some((1, vec![10, 11])));
    assert_eq!(life.taken(), Some((1, vec![12])));
    assert_eq!(life.taken(), None, "what was on its way counts for nothing");
    assert_eq!(asked(&life.fetches()[0]), [(0, 60), (1, 13)]);
}

#[tokio::test(start_paused = true)]
async fn what_the_front_holds_is_void_after_a_seek_and_held_back_by_a_pause() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.fetches();
    life.answer(vec![data(0, batch(10, 2, 3)), data(1, batch(10, 2, 3))]);
    let first = life.state.take().unwrap();
    let places = [place(0), place(1)];
    life.state.signals = Signals::default();
    assert_eq!(life.state.pause(&places, true), None);
    assert!(life.state.signals.attention, "the front looks at what it holds");
    assert!(!life.state.is_valid(&first));
    life.state.give_back(first);
    assert_eq!(life.taken(), None);
    assert_eq!(life.fetches().len(), 0, "what is paused isn't fetched");
    assert_eq!(life.state.pause(&places, false), None);
    let (mut all, mut seen) = (Vec::new(), Vec::new());
    while let Some((partition, offsets)) = life.taken() {
        seen.push(partition);
        all.extend(offsets);
    }
    seen.sort_unstable();
    assert_eq!((seen, all), (vec![0, 1], vec![10, 11, 10, 11]), "nothing is lost, nothing twice");
}

#[tokio::test(start_paused = true)]
async fn what_is_done_with_does_not_run_ahead_of_what_was_handed_out() {
    let mut life = waiting(earliest());
    life.fetches();
    life.answer(vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert_eq!(life.fetches().len(), 0, "10 to 13 are still to be handed out");
    assert_eq!(life.state.uncommitted()[&place(0)].offset, 10);
}

#[tokio::test(start_paused = true)]
async fn what_can_t_be_read_is_told_behind_what_comes_before_it() {
    let mut life = waiting(no_reset());
    for is_first in [true, false] {
        assert_eq!(life.fetches().len(), 1);
        life.answer(vec![data(0, vec![0; 100])]);
        let error = life.state.next_error();
        assert_eq!(error.is_none(), is_first, "{error:?}");
        assert_eq!(life.taken(), is_first.then(|| (0, vec![10, 11, 12, 13])));
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_resumed_again_and_again_stands_in_line_once() {
    let mut life = waiting(earliest());
    for _ in 0..3 {
        life.state.pause(&[place(0)], true);
        life.state.pause(&[place(0)], false);
        life.state.pause(&[place(0)], false);
    }
    assert_eq!(life.state.ready, [place(0)]);
    assert!(life.taken().is_some());
    life.state.pause(&[place(0)], false);
    assert!(life.state.ready.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_revoked_partition_is_neither_handed_out_nor_committed() {
    let mut life = Life::new(ConsumerConfig { group_id: Some("g".into()), ..earliest() });
    life.state.subscription = Subscription::Topics(Topics::new(["t"]).unwrap());
    life.state.put_step(StepKind::Assign, vec![place(0), place(1)]);
    life.state.end_step(1);
    for place in [place(0), place(1)] {
        life.state.seek(&place, Start::Offset(10));
    }
    life.fetches();
    life.answer(vec![data(0, batch(10, 2, 3)), data(1, batch(10, 2, 3))]);
    assert_eq!(life.taken(), Some((0, vec![10, 11])));
    let open = life.state.uncommitted();
    assert_eq!((open[&place(0)].offset, open[&place(0)].leader_epoch), (12, Some(3)));
    let receiver = life.state.queue_commit(open);
    let id = life.state.put_step(StepKind::Revoke, vec![place(0), place(1)]);
    assert!(!life.state.is_step_done(id) && life.state.assignment().len() == 2);
    life.state.end_step(id);
    assert!(life.state.is_step_done(id));
    assert_eq!((life.taken(), life.state.uncommitted().len()), (None, 0));
    let round = life.state.take_commit().unwrap();
    assert!(round.offsets.is_empty(), "they are somebody else's to commit");
    drop((round, receiver));
    let id = life.state.put_step(StepKind::Assign, vec![place(0)]);
    life.state.end_step(id);
    life.state.put_step(StepKind::Lose, vec![place(0)]);
    assert!(life.state.assignment().is_empty(), "at once");
    life.state.take_back_steps();
    life.state.subscription = Subscription::None;
    let id = life.state.put_step(StepKind::Assign, vec![place(0)]);
    assert!(life.state.is_step_done(id) && life.state.assignment().is_empty(), "unsubscribed");
}

#[tokio::test(start_paused = true)]
async fn who_is_told_of_is_woken_and_errors_have_a_bound() {
    let mut life = Life::new(earliest());
    life.state.waker = Some(Waker::noop().clone());
    for number in 0..300 {
        let error = ConsumerError::NoOffset { partition: place(number) };
        life.state.tell(Some(&place(number)), error);
    }
    assert!(life.state.signals.front);
    let mut count = 0;
    while life.state.next_error().is_some() {
        count += 1;
    }
    assert_eq!(count, ERRORS_MAX);
    life.state.end_by(ConsumerError::Closed);
    assert!(life.state.next_error().is_some() && life.state.next_error().is_some());
}
