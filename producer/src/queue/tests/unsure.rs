//! Batches whose end isn't known, and what a broker says that has forgotten them, or never got
//! them; batches that are too large for it.

use super::*;

/// The broker hasn't seen `b`, which is out of order: it is there in the next epoch, once.
fn begins_anew(rig: &mut Rig, b: Batch, delivery: &mut Delivery) {
    rig.settle(b, out_of_order());
    rig.now += Duration::from_secs(1);
    let mut b = rig.take(NUMBERED).unwrap();
    assert_eq!(sent(&mut b), (4, 0, "b".to_owned()));
    rig.settle(b, appended(9));
    assert_eq!(offset(delivery), 9);
}

#[test]
fn one_that_was_out_of_order_and_is_given_up_changes_no_other_s_numbers() {
    for is_new in [false, true] {
        let mut rig = Rig::new(5);
        rig.introduce();
        let _late = rig.append("a");
        let mut a = rig.take(NUMBERED).unwrap();
        sent(&mut a);
        rig.settle(a, out_of_order());
        if is_new {
            rig.topic_id = Uuid([2; 16]);
        } else {
            rig.now += Duration::from_secs(121);
            assert_eq!(rig.queue.expire(rig.now, &rig.limits), 1);
            drop(rig.append("b"));
        }
        let mut next = rig.take(NUMBERED).unwrap();
        let (_, sequence, value) = sent(&mut next);
        rig.settle(next, again());
        let mut next = rig.take(NUMBERED).unwrap();
        assert_eq!(sent(&mut next), (3, sequence, value), "it may be there");
    }
}

#[test]
fn what_a_broker_may_have_forgotten_is_neither_sent_anew_nor_called_lost() {
    let mut rig = Rig::new(5);
    // One that is refused before the broker knows the producer leaves no gap.
    drop(rig.append("none"));
    let refused = rig.take(NUMBERED).unwrap();
    rig.settle(refused, Verdict::Refused(error(ErrorCode::INVALID_RECORD).into()));
    rig.introduce();
    let mut deliveries = ["a", "b", "c", "d"].map(|value| rig.append(value));
    let mut under_way: Vec<Batch> = (0..3).map(|_| rig.take(NUMBERED).unwrap()).collect();
    under_way.iter_mut().for_each(|batch| drop(sent(batch)));
    // It has appended all three, and was started anew before it has answered.
    under_way.into_iter().for_each(|batch| rig.settle(batch, again()));
    for value in ["a", "b"] {
        let mut batch = rig.take(NUMBERED).unwrap();
        assert_eq!(sent(&mut batch).2, value);
        rig.settle(batch, out_of_order());
    }
    // The last one it knows.
    for (at, value) in [(4, "c"), (5, "d")] {
        let mut batch = rig.take(NUMBERED).unwrap();
        assert_eq!(sent(&mut batch), (3, at, value.to_owned()));
        rig.settle(batch, appended(at.into()));
    }
    let mut told = deliveries.iter_mut().map(|one| outcome(one).unwrap());
    for _ in 0..2 {
        let error = told.next().unwrap().unwrap_err();
        assert!(matches!(error, ProduceError::Forgotten { .. }), "{error}");
        assert!(error.may_be_appended());
    }
    assert!(told.all(|one| one.is_ok()));
    assert_eq!(rig.failed, 2);
}

#[test]
fn behind_one_that_isn_t_there_nothing_is() {
    let mut rig = Rig::new(5);
    rig.introduce();
    let mut deliveries = ["a", "b"].map(|value| rig.append(value));
    let [mut a, mut b] = [(); 2].map(|()| rig.take(NUMBERED).unwrap());
    sent(&mut a);
    sent(&mut b);
    rig.settle(a, Verdict::Refused(error(ErrorCode::INVALID_RECORD).into()));
    // Its answer is lost.
    rig.settle(b, again());
    let mut b = rig.take(NUMBERED).unwrap();
    assert_eq!(sent(&mut b).0, 3);
    begins_anew(&mut rig, b, &mut deliveries[1]);
}

#[test]
fn what_never_left_the_client_isn_t_perhaps_appended() {
    let mut rig = Rig::new(5);
    rig.introduce();
    let mut deliveries = ["a", "b"].map(|value| rig.append(value));
    let not_sent = |mut batch: Batch, rig: &mut Rig| {
        sent(&mut batch);
        batch.is_sent = false;
        rig.settle(batch, again());
    };
    // Their leader is down until the first one is late.
    let [a, mut b] = [(); 2].map(|()| rig.take(NUMBERED).unwrap());
    not_sent(a, &mut rig);
    let behind = Duration::from_secs(60);
    b.created += behind;
    not_sent(b, &mut rig);
    rig.now += Duration::from_secs(121);
    assert_eq!(rig.queue.expire(rig.now, &rig.limits), 1);
    let error = outcome(&mut deliveries[0]).unwrap().unwrap_err();
    assert!(!error.may_be_appended(), "{error}");
    // It lacks the first one, and hasn't seen the second one either.
    let mut b = rig.take(NUMBERED).unwrap();
    assert_eq!(sent(&mut b), (3, 2, "b".to_owned()));
    begins_anew(&mut rig, b, &mut deliveries[1]);
}

#[test]
fn halves_of_what_may_be_appended_may_be_appended() {
    let mut rig = Rig::new(1);
    rig.limits.batch_bytes = 200;
    let mut delivery = rig.append("a");
    drop(rig.append("b"));
    rig.make_due();
    for verdict in [again(), Verdict::TooLarge(error(ErrorCode::MESSAGE_TOO_LARGE))] {
        let mut batch = rig.take(NUMBERED).unwrap();
        assert_eq!(sent(&mut batch).2, "ab");
        rig.settle(batch, verdict);
    }
    rig.now += Duration::from_secs(121);
    assert_eq!(rig.queue.expire(rig.now, &rig.limits), 2);
    let late = outcome(&mut delivery).unwrap().unwrap_err();
    assert!(late.may_be_appended(), "{late}");
}

#[test]
fn where_a_broker_takes_no_large_batch_later_ones_are_smaller() {
    let mut rig = Rig::new(5);
    rig.introduce();
    rig.limits.batch_bytes = 10_000;
    let too_large = || Verdict::TooLarge(error(ErrorCode::MESSAGE_TOO_LARGE));
    let value = "x".repeat(400);
    let fill = |rig: &mut Rig| {
        while !rig.try_append(&value).unwrap().1.has_filled {}
    };
    for most in [10_000, 5_000, 2_500] {
        // Those that are under way together halve it once.
        fill(&mut rig);
        fill(&mut rig);
        let both = [(); 2].map(|()| rig.take(NUMBERED).unwrap());
        for mut batch in both {
            assert!((most - 500..=most).contains(&batch.bytes()), "{} of {most}", batch.bytes());
            sent(&mut batch);
            rig.settle(batch, too_large());
        }
        while let Some(mut half) = rig.take(NUMBERED) {
            sent(&mut half);
            rig.settle(half, appended(0));
        }
    }
    // After a while it may take more.
    let mut most = Vec::new();
    for _ in 0..3 * DOUBLED_AFTER {
        fill(&mut rig);
        let batch = rig.take(NUMBERED).unwrap();
        most.push(batch.bytes() / 1_000);
        rig.settle(batch, appended(0));
    }
    most.dedup();
    assert_eq!(most[1..], [2, 4, 9]);
    // One that was made again may take more, too.
    rig.limits.batch_bytes = 20_000;
    rig.queue.halvings = 1;
    rig.topic_id = Uuid([2; 16]);
    assert!(rig.take(NUMBERED).is_none());
    fill(&mut rig);
    assert!(rig.take(NUMBERED).unwrap().bytes() > 19_000);
}
