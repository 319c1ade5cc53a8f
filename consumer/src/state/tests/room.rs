//! How much is fetched ahead, and whose turn it is.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_fetched_ahead_has_a_bound() {
    let config = ConsumerConfig { queued_bytes_max: 300, partition_bytes_max: 250, ..earliest() };
    let mut life = Life::assigned(config, Start::Offset(10));
    let fetch = life.fetches().remove(0);
    assert_eq!(fetch.request.max_bytes, 300);
    life.answer(vec![data(0, batch(10, 2, 3))]);
    let bytes = batch(10, 2, 3).len();
    assert!((150..250).contains(&bytes), "{bytes}");
    let fetch = life.fetches().remove(0);
    assert_eq!(fetch.request.max_bytes, i32::try_from(300 - bytes).unwrap());
    life.answer(vec![data(0, batch(12, 2, 3)), data(1, Vec::new())]);
    assert_eq!(life.fetches().len(), 0, "no room");
    assert!(life.taken().is_some());
    assert_eq!(life.state.memory.bytes(), bytes);
    assert_eq!(life.fetches().len(), 1);
    life.state.remove(&[place(0), place(1)]);
    assert_eq!(life.state.memory.bytes(), 0);
}

/// Partition 0 is read from broker 1, partition 1 from broker 2.
fn two_brokers(config: ConsumerConfig) -> Life {
    let mut life = Life::assigned(config, Start::Offset(10));
    let mut topic = (*life.topic()).clone();
    topic.partitions[1].leader = Some(2);
    life.state.plan(life.now);
    life.state.take_topic(&"t".into(), Ok(Arc::new(topic)), life.now);
    life
}

#[tokio::test(start_paused = true)]
async fn brokers_have_equal_parts_of_the_room() {
    let partition_bytes_max = 300;
    let mut life =
        two_brokers(ConsumerConfig { queued_bytes_max: 400, partition_bytes_max, ..earliest() });
    let sizes: Vec<_> =
        life.fetches().iter().map(|one| (one.broker, one.request.max_bytes)).collect();
    assert_eq!(sizes, [(1, 200), (2, 200)]);
}

#[tokio::test(start_paused = true)]
async fn where_there_is_room_for_one_the_brokers_are_asked_in_turn() {
    let bytes = batch(10, 2, 3).len();
    let mut life = two_brokers(ConsumerConfig { queued_bytes_max: 2 * bytes, ..earliest() });
    let asks = |life: &mut Life| -> Vec<i32> {
        life.now += Duration::from_millis(1);
        life.fetches().iter().map(|one| one.broker).collect()
    };
    assert_eq!(asks(&mut life), [1, 2]);
    life.answer(vec![data(0, batch(10, 2, 3))]);
    life.answer_by(2, Vec::new());
    assert_eq!(asks(&mut life), [1]);
    life.answer(vec![data(0, batch(12, 2, 3))]);
    assert_eq!(asks(&mut life), [0; 0], "there is no room");
    for broker in [2, 1] {
        assert!(life.taken().is_some());
        assert_eq!(asks(&mut life), [broker]);
        life.answer_by(broker, Vec::new());
        life.state.feed(&place(0), 14, batch(14, 2, 3).into());
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_of_a_paused_partition_gives_way_to_others() {
    let bytes = batch(10, 2, 3).len();
    let partition_bytes_max = i32::try_from(bytes).unwrap();
    let config = ConsumerConfig { queued_bytes_max: 2 * bytes, partition_bytes_max, ..earliest() };
    let mut life = Life::assigned(config, Start::Offset(10));
    life.fetches();
    life.answer(vec![data(0, batch(10, 2, 3))]);
    life.state.pause(&[place(0)], true);
    for offset in [10, 12, 14] {
        assert_eq!(life.fetches().len(), 1, "there is room for one more");
        life.answer(vec![data(1, batch(offset, 2, 3))]);
        assert_eq!(life.state.slots[&place(0)].queued_bytes, bytes, "nobody needs its room");
        assert_eq!(life.taken(), Some((1, vec![offset, offset + 1])));
    }
    let config = ConsumerConfig { queued_bytes_max: bytes, ..(*life.state.config).clone() };
    life.state.config = Arc::new(config);
    assert_eq!(life.fetches()[0].request.max_bytes, partition_bytes_max);
    life.answer(vec![data(1, batch(16, 2, 3))]);
    assert_eq!(life.taken(), Some((1, vec![16, 17])));
    life.state.pause(&[place(0)], false);
    assert_eq!(asked(&life.fetches()[0]), [(0, 10), (1, 18)], "nothing of it is lost");
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_far_ahead_holds_up_no_other() {
    let bytes = batch(10, 2, 3).len();
    let config =
        ConsumerConfig { partition_bytes_max: i32::try_from(bytes).unwrap(), ..earliest() };
    let mut life = Life::assigned(config, Start::Offset(10));
    life.fetches();
    life.answer(vec![data(0, batch(10, 2, 3)), data(1, Vec::new())]);
    let fetch = life.fetches().remove(0);
    let forgotten = &fetch.request.forgotten_topics_data;
    assert_eq!((asked(&fetch), forgotten[0].partitions.as_slice()), (vec![], &[0][..]));
    life.answer(vec![data(1, batch(10, 1, 3))]);
    assert!(life.taken().is_some());
    assert_eq!(asked(&life.fetches()[0]), [(0, 12), (1, 11)]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_takes_its_room_until_all_of_it_is_handed_out() {
    let bytes = 2 * batch(10, 2, 3).len();
    let config = ConsumerConfig { queued_bytes_max: bytes, ..earliest() };
    let mut life = Life::assigned(config, Start::Offset(10));
    life.fetches();
    life.answer(vec![data(0, batch(10, 2, 3)), data(1, batch(10, 2, 3))]);
    assert!(life.taken().is_some());
    assert_eq!(life.state.memory.bytes(), bytes, "the other one keeps all of it");
    assert_eq!(life.fetches().len(), 0, "no room");
    let mut held = life.state.take().unwrap();
    assert_eq!(life.fetches().len(), 0, "what is handed out is in memory as well");
    held.haul.end();
    life.state.signals.driver = false;
    life.state.settle(&held);
    assert!(life.state.signals.driver, "the driver hears that there is room again");
    assert_eq!((life.state.memory.bytes(), life.fetches().len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_small_part_of_an_answer_does_not_keep_all_of_it_in_memory() {
    let mut life = Life::assigned(earliest(), Start::Offset(10));
    life.fetches();
    let (small, large) = (batch(10, 1, 3), batch(10, 100, 3));
    let small_bytes = small.len();
    let answer: bytes::Bytes = [small, large].concat().into();
    let [small, large] = [answer.slice(..small_bytes), answer.slice(small_bytes..)];
    life.answer(
        [small, large]
            .map(Some)
            .into_iter()
            .zip(0..)
            .map(|(records, partition)| PartitionData { records, ..data(partition, Vec::new()) })
            .collect(),
    );
    let whole = answer.len();
    assert_eq!(life.state.memory.bytes(), whole + small_bytes, "a copy is beside it");
    let mut is_part = || {
        let part = life.state.take().unwrap().haul.next_part(&mut Inflater::new(1 << 20));
        let part = part.unwrap().unwrap();
        answer.as_ptr_range().contains(&part.records.bytes().as_ptr())
    };
    assert!(!is_part(), "the small one is copied");
    assert!(is_part(), "the large one isn't");
}
