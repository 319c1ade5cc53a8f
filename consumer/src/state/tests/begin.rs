//! Where partitions begin, and begin anew.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_offset_that_is_gone_is_an_error_or_begins_anew() {
    let mut life = Life::assigned(earliest(), Start::Offset(5));
    life.state.remove(&[place(1)]);
    life.fetches();
    life.answer(vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert_eq!(asked(&life.fetches()[0]), [(0, 10)], "the earliest, as the search says");
    let mut life = Life::assigned(no_reset(), Start::Offset(5));
    life.fetches();
    life.answer(vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert!(life.error().contains("no offset 5"));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_handed_out_before_a_partition_begins_anew() {
    let mut life = Life::assigned(earliest(), Start::Offset(5));
    life.state.remove(&[place(1)]);
    life.fetches();
    life.answer(vec![data(0, batch(5, 2, 3))]);
    let held = life.state.take().unwrap();
    life.fetches();
    life.answer(vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert!(life.state.is_valid(&held));
    life.state.give_back(held);
    assert_eq!(life.taken(), Some((0, vec![5, 6])));
    assert_eq!(life.fetches().len(), 1, "it is asked for again");
    life.answer(vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert_eq!(asked(&life.fetches()[0])[0], (0, 10));
}

#[tokio::test(start_paused = true)]
async fn what_is_still_held_of_the_old_place_says_nothing_of_where_it_begins_anew() {
    let mut life = Life::assigned(earliest(), Start::Offset(5));
    life.state.remove(&[place(1)]);
    life.fetches();
    life.answer(vec![data(0, batch(5, 2, 3))]);
    let mut held = life.state.take().unwrap();
    let mut inflater = Inflater::new(1 << 20);
    while held.haul.next_record(&mut inflater).unwrap().is_some() {}
    // All of it was handed out, and the front holds it until its next call.
    life.state.settle(&held);
    life.fetches();
    life.answer(vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert_eq!(asked(&life.fetches()[0]), [(0, 10)]);
    life.state.settle(&held);
    assert_eq!(life.state.position(&place(0)).unwrap().unwrap().offset, 10);
    life.answer(vec![refused(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert_eq!(life.fetches().len(), 1, "what is refused now isn't behind something that waits");
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_was_made_anew_is_begun_anew() {
    let mut life = Life::assigned(earliest(), Start::Offset(5));
    life.fetches();
    life.answer(vec![data(0, batch(5, 2, 3)), data(1, Vec::new())]);
    let anew = Topic { id: Uuid([8; 16]), ..(*life.topic()).clone() };
    life.epoch = 0;
    let partitions = life.topic().partitions.clone();
    life.state.take_topic(&"t".into(), Ok(Arc::new(Topic { partitions, ..anew })), life.now);
    assert_eq!(life.taken(), None, "what waits is of the old one");
    let fetch = life.fetches().remove(0);
    assert_eq!(asked(&fetch), [(0, 10), (1, 10)]);
    let epochs: Vec<i32> =
        fetch.request.topics[0].partitions.iter().map(|one| one.current_leader_epoch).collect();
    assert_eq!(epochs, [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn without_a_reset_a_partition_of_a_topic_that_was_made_anew_stays_until_it_is_sought() {
    let mut life = waiting(no_reset());
    assert!(life.taken().is_some());
    let anew = Arc::new(Topic { id: Uuid([8; 16]), ..(*life.topic()).clone() });
    life.state.take_topic(&"t".into(), Ok(anew), life.now);
    for _ in 0..3 {
        assert!(life.error().contains("no offset 14"));
        assert!(life.fetches().is_empty(), "14 is another record now");
        assert!(life.state.all_processed().is_empty(), "nothing of it was read");
        life.now += Duration::from_secs(2);
        life.fetches();
    }
    life.state.seek(&place(0), Start::Offset(0));
    life.now += Duration::from_secs(2);
    assert_eq!(asked(&life.fetches()[0]), [(0, 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_was_made_anew_is_so_once_though_it_has_fewer_partitions() {
    let mut life = waiting(no_reset());
    assert!(life.taken().is_some());
    let anew = Topic { id: Uuid([8; 16]), partitions: Vec::new(), ..(*life.topic()).clone() };
    let anew = Arc::new(anew);
    for _ in 0..2 {
        life.state.take_topic(&"t".into(), Ok(Arc::clone(&anew)), life.now);
    }
    life.now += Duration::from_secs(2);
    life.state.plan(life.now);
    let error = life.error();
    assert!(error.contains("no offset 14"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_tells_no_topic_id_has_the_same_topic() {
    let mut life = waiting(earliest());
    let nameless = Topic { id: Uuid::ZERO, ..(*life.topic()).clone() };
    life.state.take_topic(&"t".into(), Ok(Arc::new(nameless)), life.now);
    assert_eq!(life.taken(), Some((0, vec![10, 11, 12, 13])));
    assert_eq!(asked(&life.fetches()[0]), [(0, 14)]);
    life.answer(vec![data(0, batch(14, 1, 3))]);
    assert_eq!(life.taken(), Some((0, vec![14])), "answers name it by its id");
    let anew = Topic { id: Uuid([8; 16]), ..(*life.topic()).clone() };
    life.state.take_topic(&"t".into(), Ok(Arc::new(anew)), life.now);
    assert_eq!(asked(&life.fetches()[0]), [(0, 10)], "a new one is noticed all the same");
}

#[tokio::test(start_paused = true)]
async fn what_is_committed_is_where_a_group_begins() {
    let mut life = Life::new(ConsumerConfig { group_id: Some("g".into()), ..no_reset() });
    life.state.subscription = Subscription::Topics(Topics::new(["t"]).unwrap());
    life.state.put_step(StepKind::Assign, vec![place(0), place(1)]);
    let (actions, _) = life.state.plan(life.now);
    let questions = actions.into_iter().find_map(|action| match action {
        Action::Committed(questions) => Some(questions),
        _ => None,
    });
    let questions = questions.unwrap();
    life.state.take_topic(&"t".into(), Ok(life.topic()), life.now);
    let committed = CommittedOffset {
        topic: "t".to_owned(),
        partition: 0,
        offset: 33,
        leader_epoch: 3,
        metadata: String::new(),
    };
    life.state.take_committed(&questions, Ok(vec![committed]), life.now);
    assert_eq!(asked(&life.fetches()[0]), [(0, 33)]);
    assert!(life.error().contains("t-1: nothing is committed"));
    assert!(life.state.uncommitted().is_empty());
}

/// Partition 0, of which 33 is committed, read in epoch 5, while epoch 3 is what is known.
fn behind_what_is_committed() -> Life {
    let mut life = Life::new(ConsumerConfig { group_id: Some("g".into()), ..no_reset() });
    life.state.assign(vec![(place(0), None)]);
    let (actions, _) = life.state.plan(life.now);
    let questions = actions.into_iter().find_map(|action| match action {
        Action::Committed(questions) => Some(questions),
        _ => None,
    });
    life.state.take_topic(&"t".into(), Ok(life.topic()), life.now);
    let committed = CommittedOffset {
        topic: "t".to_owned(),
        partition: 0,
        offset: 33,
        leader_epoch: 5,
        metadata: String::new(),
    };
    life.state.take_committed(&questions.unwrap(), Ok(vec![committed]), life.now);
    life
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_older_than_what_is_committed_is_not_asked() {
    let mut life = behind_what_is_committed();
    assert_eq!(life.fetches().len(), 0, "it would know nothing of 33");
    (life.leader, life.epoch) = (2, 5);
    life.now += Duration::from_secs(1);
    let fetch = life.fetches().remove(0);
    assert_eq!((fetch.broker, asked(&fetch)), (2, vec![(0, 33)]));
}

#[tokio::test(start_paused = true)]
async fn brokers_that_go_on_telling_of_an_older_leader_are_believed() {
    let mut life = behind_what_is_committed();
    let mut looks = 0;
    while life.fetches().is_empty() {
        looks += 1;
        assert!(looks < 10, "the topic was made anew");
        life.now += Duration::from_secs(1);
    }
    assert!(looks > 2, "{looks}: one of them may not have heard yet");
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_not_there_is_told_when_brokers_say_so_and_not_memory() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.partitions = 1;
    life.fetches();
    assert!(life.state.next_error().is_none(), "what is remembered may be old");
    life.now += Duration::from_secs(1);
    life.fetches();
    assert!(life.error().contains("t-1: the topic has 1"));
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_the_group_gives_and_brokers_do_not_know_yet_is_waited_for() {
    let mut life = Life::new(earliest());
    life.state.subscribe(Topics::new(["t"]).unwrap());
    life.state.put_step(StepKind::Assign, vec![place(0), place(1)]);
    for place in [place(0), place(1)] {
        life.state.seek(&place, Start::Offset(10));
    }
    life.partitions = 1;
    for _ in 0..3 {
        life.fetches();
        assert!(life.state.next_error().is_none());
        life.now += Duration::from_secs(1);
    }
    life.partitions = 2;
    life.fetches();
    life.answer(Vec::new());
    assert_eq!(asked(&life.fetches()[0]), [(1, 10)]);
}

#[tokio::test(start_paused = true)]
async fn times_may_be_so_long_that_no_clock_tells_them() {
    let mut config = earliest();
    config.client.metadata_age_max = Duration::MAX;
    (config.client.retry_backoff, config.client.retry_backoff_max) = (Duration::MAX, Duration::MAX);
    let mut life = Life::assigned(config, Start::Offset(10));
    assert_eq!(life.fetches().len(), 1);
    let nearest = PartitionData { preferred_read_replica: 7, ..data(0, Vec::new()) };
    life.answer(vec![nearest, refused(1, ErrorCode::NOT_LEADER_OR_FOLLOWER)]);
    assert_eq!(life.fetches()[0].broker, 7);
    life.state.take_fetched(7, Err(ClientError::UnknownBroker { broker_id: 7 }), life.now);
}

#[tokio::test(start_paused = true)]
async fn where_no_record_is_so_young_the_end_from_before_the_search_is_next() {
    let mut life = Life::assigned(earliest(), Start::Timestamp(5));
    let mut search = |wanted, offsets: [Option<i64>; 2]| {
        let (actions, _) = life.state.plan(life.now);
        let found = actions.into_iter().find_map(|action| match action {
            Action::Search { spec, questions, .. } => Some((spec, questions)),
            _ => None,
        });
        let (spec, questions) = found.unwrap();
        assert_eq!((spec, questions.len()), (wanted, 2));
        let found = |(partition, offset)| {
            Ok(FoundOffset { partition, offset, timestamp: None, leader_epoch: None })
        };
        life.state.take_found(&questions, (0..).zip(offsets).map(found).collect(), life.now);
    };
    search(OffsetSpec::Latest, [Some(20), Some(30)]);
    // What is written now is younger than all that the next search sees.
    search(OffsetSpec::Timestamp(5), [Some(15), None]);
    life.state.take_topic(&"t".into(), Ok(life.topic()), life.now);
    assert_eq!(asked(&life.fetches()[0]), [(0, 15), (1, 30)]);
}
