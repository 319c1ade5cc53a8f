//! Whom records are read from, and whose answer counts.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_nearest_replica_is_read_from_until_it_errs() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.fetches();
    let nearest = PartitionData { preferred_read_replica: 7, ..data(0, Vec::new()) };
    life.answer(vec![nearest]);
    let brokers = |fetches: Vec<Fetch>| {
        let broker = |fetch: &Fetch| (fetch.broker, asked(fetch));
        fetches.iter().map(broker).collect::<Vec<_>>()
    };
    assert_eq!(brokers(life.fetches()), [(7, vec![(0, 10)]), (1, vec![])]);
    life.answer_by(7, vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    life.answer(Vec::new());
    assert_eq!(brokers(life.fetches()), [(1, vec![(0, 10)])], "the leader knows");
}

impl Life {
    /// Partition 0 alone; its leader sends who says where it stands to replica 7.
    fn sent_on() -> Self {
        let config = ConsumerConfig { rack: Some("r".into()), ..earliest() };
        let mut life = Self::assigned(config, Start::Offset(10));
        life.state.remove(&[place(1)]);
        life
    }

    /// Who is asked for the partition, by the leader's advice.
    fn reads_from(&mut self) -> i32 {
        let is_asked = |fetch: &Fetch, state: &State| {
            state.brokers[&fetch.broker].session.asked().contains_key(&place(0))
        };
        let fetches = self.fetches();
        let fetch = fetches.iter().find(|fetch| is_asked(fetch, &self.state));
        let fetch = fetch.expect("it is asked for");
        if fetch.broker == 7 || fetch.request.rack_id.is_empty() {
            return fetch.broker;
        }
        self.answer(vec![PartitionData { preferred_read_replica: 7, ..data(0, Vec::new()) }]);
        self.fetches()[0].broker
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_fails_is_avoided_for_a_while_that_doubles() {
    let damaged = || data(0, vec![0; 100]);
    let refused = |code| move || refused(0, code);
    let failures: [Box<dyn Fn() -> PartitionData>; 4] = [
        Box::new(damaged),
        Box::new(refused(ErrorCode::NOT_LEADER_OR_FOLLOWER)),
        Box::new(refused(ErrorCode::OFFSET_NOT_AVAILABLE)),
        Box::new(refused(ErrorCode::OFFSET_OUT_OF_RANGE)),
    ];
    for failure in failures {
        let mut life = Life::sent_on();
        for seconds in [1, 2, 4] {
            assert_eq!(life.reads_from(), 7);
            life.answer_by(7, vec![failure()]);
            assert!(life.state.next_error().is_none());
            life.now += Duration::from_millis(seconds * 1_000 - 1);
            assert_eq!(life.reads_from(), 1);
            life.answer(Vec::new());
            assert_eq!(life.reads_from(), 1);
            life.now += Duration::from_millis(1);
            life.answer(Vec::new());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_leads_by_now_is_read_from_though_the_former_leader_says_nothing() {
    let mut life = Life::sent_on();
    assert_eq!(life.reads_from(), 7);
    (life.leader, life.epoch) = (7, 4);
    life.answer_by(7, vec![refused(0, ErrorCode::FENCED_LEADER_EPOCH)]);
    let fetches = life.fetches();
    let of_leader = fetches.iter().find(|fetch| fetch.broker == 7).map(asked);
    assert_eq!(of_leader, Some(vec![(0, 10)]), "{fetches:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_sends_on_whatever_it_is_told_is_followed_behind_a_pause() {
    let mut life = Life::sent_on();
    for pause in [100, 200, 400] {
        assert_eq!(life.reads_from(), 7);
        life.answer_by(7, vec![refused(0, ErrorCode::OFFSET_NOT_AVAILABLE)]);
        assert_eq!(life.reads_from(), 1);
        life.answer(vec![PartitionData { preferred_read_replica: 7, ..data(0, Vec::new()) }]);
        life.now += Duration::from_millis(pause - 1);
        assert!(life.fetches().iter().all(|fetch| asked(fetch).is_empty()), "it pauses");
        let stuck = life.state.stuck(life.now).remove(0);
        assert!(stuck.error.to_string().contains("replica 7"), "{}", stuck.error);
        life.now += Duration::from_millis(1);
    }
    assert_eq!(life.reads_from(), 7);
    life.answer_by(7, vec![data(0, batch(10, 2, 3))]);
    assert_eq!(life.taken(), Some((0, vec![10, 11])));
}

#[tokio::test(start_paused = true)]
async fn what_is_damaged_is_told_of_when_the_leader_s_copy_is() {
    let mut flipped = batch(10, 2, 3);
    *flipped.last_mut().unwrap() ^= 1;
    let mut life = Life::sent_on();
    for (broker, is_told) in [(7, false), (1, true)] {
        assert_eq!(life.reads_from(), broker);
        life.answer_by(broker, vec![data(0, flipped.clone())]);
        let mut taken = life.state.take().unwrap();
        assert!(taken.haul.next_record(&mut Inflater::new(1 << 10)).is_err());
        assert_eq!(life.state.refetch(taken), is_told);
    }
}

/// Partition 0 alone, read from broker 1, which is asked, while broker 2 becomes its leader.
fn moved(epoch: i32) -> Life {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.state.remove(&[place(1)]);
    life.epoch = epoch;
    assert_eq!(asked(&life.fetches()[0]), [(0, 10)]);
    life.leader = 2;
    life.state.take_topic(&"t".into(), Ok(life.topic()), life.now);
    let fetch = life.fetches().remove(0);
    assert_eq!((fetch.broker, asked(&fetch)), (2, vec![(0, 10)]), "nobody waits for the former");
    life
}

#[tokio::test(start_paused = true)]
async fn what_two_brokers_are_asked_for_is_handed_out_once() {
    for answers in [[1, 2], [2, 1]] {
        let mut life = moved(-1);
        for broker in answers {
            life.answer_by(broker, vec![data(0, batch(10, 2, -1))]);
        }
        assert_eq!((life.taken(), life.taken()), (Some((0, vec![10, 11])), None), "{answers:?}");
        assert_eq!(asked(&life.fetches()[0]), [(0, 12)], "{answers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_former_leader_s_error_changes_nothing() {
    let mut life = moved(-1);
    life.answer_by(2, vec![data(0, batch(10, 2, -1))]);
    life.answer_by(1, vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert_eq!(asked(&life.fetches()[0]), [(0, 12)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_former_leader_has_is_left_out_though_it_comes_first() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.state.remove(&[place(1)]);
    life.fetches();
    life.epoch = 4;
    life.state.take_topic(&"t".into(), Ok(life.topic()), life.now);
    life.answer(vec![data(0, batch(10, 2, 3))]);
    assert_eq!(life.taken(), None, "it may have lost these records since");
    assert_eq!(asked(&life.fetches()[0]), [(0, 10)]);
    life.answer(vec![data(0, batch(10, 3, 4))]);
    assert_eq!(life.taken(), Some((0, vec![10, 11, 12])));
}

#[tokio::test(start_paused = true)]
async fn a_lost_session_is_begun_anew_at_once_and_a_lost_broker_after_a_pause() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.fetches();
    life.answer(Vec::new());
    let fetch = life.fetches().remove(0);
    assert_eq!((fetch.request.session_id, fetch.request.session_epoch), (9, 1));
    let error_code = ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
    let response = FetchResponse { error_code, ..FetchResponse::default() };
    life.state.take_fetched(1, Ok(response), life.now);
    let fetch = life.fetches().remove(0);
    assert_eq!((fetch.request.session_id, fetch.request.session_epoch), (0, 0));
    assert_eq!(asked(&fetch).len(), 2);
    let error = ClientError::UnknownBroker { broker_id: 1 };
    life.state.take_fetched(1, Err(error), life.now);
    assert_eq!(life.fetches().len(), 0);
    life.now += Duration::from_secs(2);
    assert_eq!(asked(&life.fetches()[0]).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_can_t_read_and_says_nothing_is_asked_again() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.fetches();
    life.answer(vec![refused(0, ErrorCode::UNKNOWN_SERVER_ERROR)]);
    assert!(life.state.next_error().is_none());
    life.now += Duration::from_secs(1);
    assert_eq!(life.state.slots[&place(0)].retry_at.map(|at| at <= life.now), Some(true));
}
