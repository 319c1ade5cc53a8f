//! Partitions of which nothing can be read: since when, why, and until when that is so.

use super::*;

impl Life {
    /// Which partitions are stuck, for how many seconds, and why.
    fn stuck(&self) -> Vec<(i32, u64, String)> {
        let one = |one: crate::Stuck| {
            (one.partition.partition, one.lasting.as_secs(), one.error.to_string())
        };
        self.state.stuck(self.now).into_iter().map(one).collect()
    }

    /// Both partitions are read, and all is well.
    fn reading() -> Self {
        let mut life = Self::assigned(earliest(), Start::Offset(10));
        life.fetches();
        life.answer(vec![data(0, Vec::new()), data(1, Vec::new())]);
        assert!(life.stuck().is_empty());
        life
    }

    /// Somebody looks at the topic, of which these partitions have a leader.
    fn look_up(&mut self, led: &[i32]) {
        let mut topic = (*self.topic()).clone();
        for partition in &mut topic.partitions {
            partition.leader = partition.leader.filter(|_| led.contains(&partition.index));
        }
        self.state.take_topic(&"t".into(), Ok(Arc::new(topic)), self.now);
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn what_has_no_leader_is_stuck_until_it_is_read_again() {
    let mut life = Life::reading();
    for seconds in 0..3 {
        life.look_up(&[1]);
        let stuck = life.stuck();
        assert_eq!((stuck.len(), stuck[0].0, stuck[0].1), (1, 0, seconds));
        assert!(stuck[0].2.contains("leader"), "{stuck:?}");
        life.now += SECOND;
    }
    life.look_up(&[0, 1]);
    assert_eq!(life.stuck()[0].1, 3, "nobody has read anything yet");
    life.fetches();
    life.answer(vec![data(0, Vec::new()), data(1, Vec::new())]);
    assert!(life.stuck().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_error_that_may_pass_is_no_news_the_second_time() {
    let codes = [
        ErrorCode::UNKNOWN_SERVER_ERROR,
        ErrorCode::OFFSET_NOT_AVAILABLE,
        ErrorCode::UNKNOWN_TOPIC_ID,
        ErrorCode::KAFKA_STORAGE_ERROR,
    ];
    for code in codes {
        let mut life = Life::reading();
        for seconds in 0..2 {
            life.now += 2 * SECOND;
            life.fetches();
            life.answer(vec![refused(1, code)]);
            let stuck = life.stuck();
            assert_eq!((stuck.len(), stuck[0].0, stuck[0].1), (1, 1, 2 * seconds), "{code}");
            assert!(stuck[0].2.contains(&code.to_string()), "{stuck:?}");
        }
        life.now += 2 * SECOND;
        life.fetches();
        life.answer(Vec::new());
        assert!(life.stuck().is_empty(), "{code}: in a session, what is well isn't mentioned");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_never_comes_whole_is_stuck() {
    let mut life = Life::reading();
    life.fetches();
    let mut cut = batch(10, 2, 3);
    cut.truncate(70);
    life.answer(vec![data(0, cut), data(1, Vec::new())]);
    let stuck = life.stuck();
    assert!(stuck.len() == 1 && stuck[0].2.contains("partition t-0"), "{stuck:?}");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_silent_holds_up_what_it_was_asked_for_from_then_on() {
    let mut life = Life::reading();
    assert_eq!(life.fetches().len(), 1);
    life.now += 30 * SECOND;
    let error = ClientError::UnknownBroker { broker_id: 1 };
    life.state.take_fetched(1, Err(error), life.now);
    let stuck: Vec<(i32, u64)> =
        life.stuck().into_iter().map(|(one, since, _)| (one, since)).collect();
    assert_eq!(stuck, [(0, 0), (1, 0)]);
    life.now += SECOND;
    assert_eq!(life.stuck()[0].1, 1);
    life.fetches();
    life.answer(vec![data(0, Vec::new()), data(1, Vec::new())]);
    assert!(life.stuck().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_isn_t_read_from_any_more_holds_nothing_up() {
    let mut life = Life::reading();
    life.fetches();
    (life.leader, life.epoch) = (2, 4);
    life.state.take_topic(&"t".into(), Ok(life.topic()), life.now);
    let error = ClientError::UnknownBroker { broker_id: 1 };
    life.state.take_fetched(1, Err(error), life.now);
    assert!(life.stuck().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_gone_is_why_its_partitions_are_stuck() {
    let mut life = Life::reading();
    life.fetches();
    life.answer(vec![
        refused(0, ErrorCode::UNKNOWN_TOPIC_ID),
        refused(1, ErrorCode::UNKNOWN_TOPIC_ID),
    ]);
    life.now += SECOND;
    let gone = ClientError::UnknownTopic { topic: "t".to_owned() };
    life.state.take_topic(&"t".into(), Err(gone.clone()), life.now);
    let why = gone.to_string();
    assert_eq!(life.stuck(), [(0, 1, why.clone()), (1, 1, why)]);
}

#[tokio::test(start_paused = true)]
async fn where_a_partition_begins_may_be_what_nobody_says() {
    let mut life = Life::new(ConsumerConfig { group_id: Some("g".into()), ..no_reset() });
    life.state.assign(vec![(place(0), None)]);
    let (actions, _) = life.state.plan(life.now);
    let questions = actions.into_iter().find_map(|action| match action {
        Action::Committed(questions) => Some(questions),
        _ => None,
    });
    life.now += 4 * SECOND;
    let code = ErrorCode::COORDINATOR_NOT_AVAILABLE;
    let error = ClientError::Refused { what: "group g".to_owned(), code, message: None };
    life.state.take_committed(&questions.unwrap(), Err(error.clone()), life.now);
    assert_eq!(life.stuck(), [(0, 0, error.to_string())]);
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_can_be_read_and_what_fails_meanwhile_holds_nothing_up() {
    let mut life = Life::reading();
    life.fetches();
    life.answer(vec![data(0, batch(10, 2, 3)), data(1, Vec::new())]);
    life.look_up(&[]);
    let stuck: Vec<i32> = life.stuck().into_iter().map(|(one, ..)| one).collect();
    assert_eq!(stuck, [1]);
}

#[tokio::test(start_paused = true)]
async fn who_is_paused_or_sought_begins_to_wait_anew() {
    let mut life = Life::reading();
    life.look_up(&[]);
    life.now += 9 * SECOND;
    life.state.pause(&[place(0)], true);
    assert!(life.state.seek(&place(1), Start::Offset(12)));
    assert!(life.stuck().is_empty());
    life.look_up(&[]);
    assert_eq!(life.stuck().len(), 1, "nobody tries to read what is paused");
    life.state.pause(&[place(0)], false);
    life.look_up(&[]);
    assert!(life.stuck().iter().all(|(_, seconds, _)| *seconds == 0), "{:?}", life.stuck());
}

#[test]
fn what_lasts_is_warned_of_once_and_its_end_is_told() {
    let log = logboom_client::testing::Log::default();
    let logging = tracing_subscriber::fmt().with_writer(log.writer()).with_ansi(false);
    let life = || {
        let mut life = Life::reading();
        for _ in 0..8 {
            life.look_up(&[1]);
            life.now += SECOND;
        }
        life.look_up(&[0, 1]);
        life.fetches();
        life.answer(Vec::new());
        life.answer(vec![data(0, Vec::new())]);
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.start_paused(true).enable_time().build().unwrap();
    tracing::subscriber::with_default(logging.finish(), || runtime.block_on(async { life() }));
    let text = log.text();
    let warning = "nothing can be read of a partition place=t-0 seconds=5";
    assert_eq!(text.matches(warning).count(), 1, "{text}");
    assert_eq!(text.matches("can be read again place=t-0").count(), 1, "{text}");
    assert_eq!(text.matches("t-1").count(), 0, "{text}");
}
