//! Calls between brokers over loopback.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::sync::Notify;

use super::*;
use crate::peer::roster::Answer;
use crate::peer::tests::{Handler, Site, World, identity, run};

/// A deadline that is never reached.
fn late() -> Instant {
    Instant::now() + Duration::from_secs(3_600)
}

/// Two brokers of which the first calls the second.
async fn calling(handler: Handler) -> (Site, Site, CallLink, Caller) {
    let world = World::new();
    let mut one = Site::start(&world, identity(1, 1), 1);
    let two = Site::start_with(&world, identity(2, 1), 2, handler);
    let link = one.peers.call_link(2);
    one.connected(1).await;
    let caller = one.peers.caller();
    (one, two, link, caller)
}

fn echo() -> Handler {
    Box::new(|_, request| Box::pin(async { request }))
}

#[test]
fn answers_come_to_their_callers_in_any_order() {
    run(async {
        let gate = Arc::new(Notify::new());
        let at_gate = Arc::clone(&gate);
        let handler: Handler = Box::new(move |from, request| {
            assert_eq!(from, identity(1, 1).id);
            let gate = Arc::clone(&at_gate);
            let answer = async move {
                if request == "slow" {
                    gate.notified().await;
                }
                request
            };
            Box::pin(answer) as Answer
        });
        let (_one, _two, _link, caller) = calling(handler).await;
        let call = |text: &'static str| caller.call(2, Bytes::from(text), late());
        let mut slow = Box::pin(call("slow"));
        assert!((&mut slow).now_or_never().is_none());
        let quick = join_all(["a", "b", "", "c"].map(call)).await;
        assert_eq!(quick, ["a", "b", "", "c"].map(|text| Ok(Bytes::from(text))));
        gate.notify_one();
        assert_eq!(slow.await, Ok(Bytes::from("slow")));
    });
}

#[test]
fn large_calls_go_both_ways_at_once() {
    run(async {
        let (_one, _two, _link, caller) = calling(echo()).await;
        let request = Bytes::from(vec![7; CALL_BYTES_MAX]);
        let calls = (0..4).map(|_| caller.call(2, request.clone(), late()));
        for answer in join_all(calls).await {
            assert!(answer.unwrap() == request);
        }
    });
}

#[test]
fn more_calls_than_may_be_under_way_are_all_answered() {
    run(async {
        let (_one, _two, _link, caller) = calling(echo()).await;
        let calls = (0..WAITING_MAX).map(|number| {
            let request = Bytes::from(number.to_string());
            caller.call(2, request.clone(), late()).map(move |answer| answer == Ok(request))
        });
        assert!(join_all(calls).await.into_iter().all(|is_right| is_right));
    });
}

#[test]
fn what_is_too_large_is_refused_on_both_sides() {
    run(async {
        let large = || Bytes::from(vec![0; CALL_BYTES_MAX + 1]);
        let handler: Handler = Box::new(move |_, _| Box::pin(async move { large() }));
        let (_one, _two, _link, caller) = calling(handler).await;
        let asked = caller.call(2, Bytes::from("?"), late()).await;
        assert_eq!(asked, Err(CallError::TooLarge));
        assert_eq!(caller.call(2, large(), late()).await, Err(CallError::TooLarge));
    });
}

#[test]
fn a_call_that_was_not_sent_is_told_from_one_that_may_be_done() {
    run(async {
        let handler: Handler = Box::new(|_, _| Box::pin(std::future::pending()));
        let (_one, _two, link, caller) = calling(handler).await;
        assert_eq!(caller.call(3, Bytes::new(), late()).await, Err(CallError::NotSent));
        // Until one is so long under way that it was sent.
        let mut patience = Duration::from_millis(1);
        for _ in 0..16 {
            match caller.call(2, Bytes::new(), Instant::now() + patience).await {
                Err(CallError::NotSent) => patience *= 2,
                Err(CallError::Unanswered) => {
                    drop(link);
                    let unsent = caller.call(2, Bytes::new(), late()).await;
                    assert_eq!(unsent, Err(CallError::NotSent), "nobody makes a connection");
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("no call was sent");
    });
}

#[test]
fn a_call_is_lost_with_its_connection() {
    run(async {
        let begun = Arc::new(Notify::new());
        let begins = Arc::clone(&begun);
        let handler: Handler = Box::new(move |_, _| {
            begins.notify_one();
            Box::pin(std::future::pending())
        });
        let (_one, two, _link, caller) = calling(handler).await;
        let stop = async {
            begun.notified().await;
            two.stop().await;
        };
        let (lost, ()) = tokio::join!(caller.call(2, Bytes::new(), late()), stop);
        assert_eq!(lost, Err(CallError::Lost));
        assert!(!CallError::Lost.is_undone() && CallError::NotSent.is_undone());
    });
}

#[test]
fn calls_wait_for_a_connection_up_to_a_limit() {
    run(async {
        let world = World::new();
        let one = Site::start(&world, identity(1, 1), 1);
        let caller = one.peers.caller();
        let _link = one.peers.call_link(2);
        let call = || Box::pin(caller.call(2, Bytes::from("x"), late()));
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| call()).collect();
        assert!(waiting.iter_mut().all(|call| call.now_or_never().is_none()));
        assert_eq!(call().await, Err(CallError::Busy));
        let over = caller.call(2, Bytes::new(), Instant::now()).await;
        assert_eq!(over, Err(CallError::Busy));

        let _two = Site::start(&world, identity(2, 1), 1);
        assert!(join_all(waiting).await.into_iter().all(|answer| answer.is_ok()));
        assert!(call().await.is_ok());
    });
}

#[test]
fn a_stranger_may_call() {
    run(async {
        let world = World::new();
        let mut stranger = Site::start(&world, identity(9, 1), 1);
        let _two = Site::start(&world, identity(2, 1), 1);
        let _link = stranger.peers.call_link(2);
        stranger.connected(1).await;
        let call = stranger.peers.caller().call(2, Bytes::from("let me in"), late()).await;
        assert_eq!(call, Ok(Bytes::from("let me in")));
    });
}

#[test]
fn a_link_that_was_replaced_does_not_take_its_successor_along() {
    run(async {
        let (mut one, _two, first, caller) = calling(echo()).await;
        let _second = one.peers.call_link(2);
        drop(first);
        one.connected(1).await;
        assert_eq!(caller.call(2, Bytes::from("x"), late()).await, Ok(Bytes::from("x")));
    });
}
