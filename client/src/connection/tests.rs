//! Plan: a connection meets a peer that does what no broker should; each time everybody who waits
//! hears the reason, and nothing hangs. The clock is tokio's, stopped: it moves on by itself when
//! all tasks wait for it.

use std::time::Duration;

use tokio::io::DuplexStream;

use logboom_protocol::ApiKey;
use logboom_protocol::header::unsupported_api_versions_response;
use logboom_protocol::messages::api_versions::ApiVersionsResponse;
use logboom_protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use logboom_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use logboom_protocol::messages::produce::ProduceRequest;
use logboom_protocol::{ErrorCode, VersionRange, frame};

use super::*;
use crate::testing::{Peer, stream};

const SECOND: Duration = Duration::from_secs(1);

fn address() -> BrokerAddress {
    "b:1".parse().unwrap()
}

fn config() -> ClientConfig {
    ClientConfig {
        in_flight_max: 2,
        response_bytes_max: 1_000,
        request_timeout: SECOND,
        ..ClientConfig::default()
    }
}

/// A connection that knows the versions, and its peer.
async fn connected() -> (Connection, Peer<DuplexStream>) {
    connected_with(config()).await
}

async fn connected_with(config: ClientConfig) -> (Connection, Peer<DuplexStream>) {
    let (stream, mut peer) = stream();
    let address = address();
    let (connection, ()) = tokio::join!(Connection::over(stream, &address, &config), peer.greet());
    (connection.unwrap(), peer)
}

fn controller(id: i32) -> MetadataResponse {
    MetadataResponse { controller_id: id, ..MetadataResponse::default() }
}

async fn ask(connection: &Connection) -> Result<i32, ClientError> {
    let request = MetadataRequest::default();
    Ok(connection.send(&request, SECOND).await?.controller_id)
}

fn reason(result: Result<i32, ClientError>) -> Disconnect {
    match result.unwrap_err() {
        ClientError::Connection { address: broker, reason } => {
            assert_eq!(broker, address());
            reason
        }
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_single_bytes_is_put_together() {
    let (connection, mut peer) = connected().await;
    let answering = async {
        let asked = peer.request().await.unwrap();
        assert_eq!((asked.api, asked.version), (ApiKey::Metadata, 13));
        for byte in asked.answer(&controller(7)) {
            peer.write(&[byte]).await;
            tokio::task::yield_now().await;
        }
    };
    let (answer, ()) = tokio::join!(ask(&connection), answering);
    assert_eq!(answer.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn requests_are_under_way_together_and_answers_find_their_callers() {
    let (connection, mut peer) = connected().await;
    let answering = async {
        let first = peer.request().await.unwrap();
        let second = peer.request().await.unwrap();
        let both = [first.answer(&controller(1)), second.answer(&controller(2))].concat();
        peer.write(&both).await;
    };
    let (first, second, ()) = tokio::join!(ask(&connection), ask(&connection), answering);
    assert_eq!((first.unwrap(), second.unwrap()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_in_flight_than_allowed() {
    let (connection, mut peer) = connected().await;
    let answering = async {
        let first = peer.request().await.unwrap();
        let second = peer.request().await.unwrap();
        let third = tokio::time::timeout(SECOND / 2, peer.request()).await;
        assert!(third.is_err(), "the third waits for a place");
        peer.write(&first.answer(&controller(1))).await;
        let third = peer.request().await.unwrap();
        peer.write(&second.answer(&controller(2))).await;
        peer.write(&third.answer(&controller(3))).await;
    };
    let (first, second, third, ()) =
        tokio::join!(ask(&connection), ask(&connection), ask(&connection), answering);
    assert_eq!((first.unwrap(), second.unwrap(), third.unwrap()), (1, 2, 3));
}

/// An answer that asks for silence; how long the next request took to come, milliseconds.
async fn silence(version: i16, throttle_time_ms: i32) -> u128 {
    let (stream, mut peer) = stream();
    let greeting = async {
        let asked = peer.request().await.unwrap();
        peer.write(&asked.versions(ApiKey::Metadata, version)).await;
    };
    let (address, config) = (address(), config());
    let connecting = Connection::over(stream, &address, &config);
    let (connection, ()) = tokio::join!(connecting, greeting);
    let connection = connection.unwrap();
    let asking = async {
        ask(&connection).await.unwrap();
        let began = Instant::now();
        let request = MetadataRequest::default();
        connection.send(&request, 60 * SECOND).await.unwrap();
        began.elapsed().as_millis()
    };
    let answering = async {
        let asked = peer.request().await.unwrap();
        assert_eq!(asked.version, version);
        let slow = MetadataResponse { throttle_time_ms, ..controller(1) };
        peer.write(&asked.answer(&slow)).await;
        let asked = peer.request().await.unwrap();
        peer.write(&asked.answer(&controller(2))).await;
    };
    tokio::join!(asking, answering).0
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_wants_to_hear_nothing_isn_t_sent_anything_for_so_long() {
    assert_eq!(silence(13, 700).await, 700);
    assert_eq!(silence(13, 0).await, 0);
    assert_eq!(silence(13, -5).await, 0);
    assert_eq!(silence(6, 700).await, 700);
    assert_eq!(silence(5, 700).await, 0, "the broker has waited itself");
    let longest = config().request_timeout.as_millis();
    assert_eq!(silence(13, i32::MAX).await, longest, "no longer than an answer may take");
}

#[tokio::test(start_paused = true)]
async fn a_broker_may_want_to_hear_nothing_once_it_has_said_its_versions() {
    let (stream, mut peer) = stream();
    let (address, config) = (address(), config());
    let asking = async {
        let connection = Connection::over(stream, &address, &config).await.unwrap();
        let began = Instant::now();
        ask(&connection).await.unwrap();
        began.elapsed().as_millis()
    };
    let answering = async {
        let asked = peer.request().await.unwrap();
        // Behind its length and the correlation id.
        let body = asked.versions(ApiKey::Metadata, 13).slice(8..);
        let all = ApiVersionsResponse::decode(&body, asked.version).unwrap();
        peer.write(&asked.answer(&ApiVersionsResponse { throttle_time_ms: 300, ..all })).await;
        let asked = peer.request().await.unwrap();
        peer.write(&asked.answer(&controller(1))).await;
    };
    assert_eq!(tokio::join!(asking, answering).0, 300);
}

#[tokio::test(start_paused = true)]
async fn a_silence_takes_nothing_of_the_time_of_an_answer() {
    // It lasts for as long as an answer may take at the most.
    let (connection, mut peer) = connected().await;
    let answering = async {
        let asked = peer.request().await.unwrap();
        let slow = MetadataResponse { throttle_time_ms: i32::MAX, ..controller(1) };
        peer.write(&asked.answer(&slow)).await;
        let asked = peer.request().await.unwrap();
        tokio::time::sleep(SECOND / 2).await;
        peer.write(&asked.answer(&controller(2))).await;
    };
    let asking = async {
        ask(&connection).await.unwrap();
        let request = MetadataRequest::default();
        let late = connection.send(&request, SECOND + SECOND / 4).await.map(|it| it.controller_id);
        let late = reason(late);
        assert!(matches!(late, Disconnect::RequestTimeout { .. }), "{late}");
        assert!(connection.is_usable(), "its answer is due later");
        tokio::time::sleep(SECOND).await;
        assert!(connection.is_usable(), "it came");
    };
    tokio::join!(asking, answering);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_end_of_a_silence_hears_when_the_connection_ends() {
    let config = ClientConfig { request_timeout: 30 * SECOND, ..config() };
    let (connection, mut peer) = connected_with(config).await;
    let answering = async {
        let asked = peer.request().await.unwrap();
        let slow = MetadataResponse { throttle_time_ms: 20_000, ..controller(1) };
        peer.write(&asked.answer(&slow)).await;
        tokio::time::sleep(SECOND).await;
        drop(peer);
    };
    let asking = async {
        ask(&connection).await.unwrap();
        let began = Instant::now();
        let request = MetadataRequest::default();
        let ended = connection.send(&request, 30 * SECOND).await.map(|it| it.controller_id);
        drop(reason(ended));
        assert!(began.elapsed() < 2 * SECOND, "{:?}", began.elapsed());
    };
    tokio::join!(asking, answering);
}

#[tokio::test(start_paused = true)]
async fn who_can_t_wait_for_the_end_of_a_silence_leaves_the_connection_as_it_is() {
    let config = ClientConfig { request_timeout: 30 * SECOND, ..config() };
    let (connection, mut peer) = connected_with(config).await;
    let answering = async {
        let asked = peer.request().await.unwrap();
        let slow = MetadataResponse { throttle_time_ms: 5_000, ..controller(1) };
        peer.write(&asked.answer(&slow)).await;
        assert!(tokio::time::timeout(4 * SECOND, peer.request()).await.is_err(), "it is sent");
        // What was given up is never sent; the next one is.
        let asked = peer.request().await.unwrap();
        peer.write(&asked.answer(&controller(2))).await;
    };
    let asking = async {
        ask(&connection).await.unwrap();
        let late = reason(ask(&connection).await);
        assert!(matches!(late, Disconnect::RequestTimeout { .. }), "{late}");
        assert!(connection.is_usable());
        tokio::time::sleep(3 * SECOND).await;
        let (began, request) = (Instant::now(), MetadataRequest::default());
        let told = connection.send(&request, 2 * SECOND).await.unwrap();
        assert_eq!((told.controller_id, began.elapsed()), (2, SECOND));
    };
    tokio::join!(asking, answering);
}

#[tokio::test(start_paused = true)]
async fn no_place_in_time_fails_the_call_and_not_the_connection() {
    let (connection, mut peer) = connected().await;
    let long = MetadataRequest::default();
    let (first, second) = (connection.send(&long, 9 * SECOND), connection.send(&long, 9 * SECOND));
    let late = async {
        let third = ask(&connection).await;
        assert!(matches!(reason(third), Disconnect::RequestTimeout { .. }));
        for id in 1..=2 {
            let asked = peer.request().await.unwrap();
            peer.write(&asked.answer(&controller(id))).await;
        }
    };
    let (first, second, ()) = tokio::join!(first, second, late);
    assert_eq!((first.unwrap().controller_id, second.unwrap().controller_id), (1, 2));
    assert!(connection.closed().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_another_request_ends_the_connection_for_all() {
    let (connection, mut peer) = connected().await;
    let answering = async {
        let mut asked = peer.request().await.unwrap();
        asked.correlation_id += 1;
        peer.write(&asked.answer(&controller(1))).await;
    };
    let (first, second, ()) = tokio::join!(ask(&connection), ask(&connection), answering);
    for result in [first, second, ask(&connection).await] {
        let reason = reason(result);
        assert!(matches!(reason, Disconnect::CorrelationId { .. }), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_beyond_the_limit_is_refused_by_its_length() {
    for length in [1_001_i32, -1, i32::from_be_bytes(*b"HTTP")] {
        let (connection, mut peer) = connected().await;
        let answering = async {
            peer.request().await.unwrap();
            peer.write(&length.to_be_bytes()).await;
        };
        let (answer, ()) = tokio::join!(ask(&connection), answering);
        let reason = reason(answer);
        let limited = matches!(reason, Disconnect::ResponseBytes { limit: 1_000, .. });
        assert!(limited, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_goes_within_an_answer_is_named() {
    let (connection, mut peer) = connected().await;
    let answering = async move {
        let asked = peer.request().await.unwrap();
        let answer = asked.answer(&controller(1));
        peer.write(&answer[..answer.len() - 1]).await;
    };
    let (answer, ()) = tokio::join!(ask(&connection), answering);
    let reason = reason(answer);
    assert!(matches!(reason, Disconnect::ByPeer), "{reason}");
    assert!(connection.closed().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_goes_is_noticed_without_a_request() {
    let (connection, peer) = connected().await;
    drop(peer);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(connection.closed(), Some(Disconnect::ByPeer)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_nothing_ends_the_connection() {
    let (connection, mut peer) = connected().await;
    peer.write(&[0, 0, 0, 4, 0, 0, 0, 9]).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(connection.closed(), Some(Disconnect::Unsolicited)));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_none_ends_the_connection_and_names_the_field() {
    let (connection, mut peer) = connected().await;
    let answering = async {
        let asked = peer.request().await.unwrap();
        let mut answer = asked.answer(&controller(1)).to_vec();
        let cut = answer.len() - 1;
        answer.truncate(cut);
        answer[..4].copy_from_slice(&i32::try_from(cut - 4).unwrap().to_be_bytes());
        peer.write(&answer).await;
    };
    let (answer, ()) = tokio::join!(ask(&connection), answering);
    let reason = reason(answer);
    assert!(matches!(reason, Disconnect::Malformed(_)), "{reason}");
    assert!(reason.to_string().contains("Metadata response v13"), "{reason}");
    assert!(connection.closed().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_doesn_t_come_ends_the_connection_at_the_time_out() {
    let (connection, mut peer) = connected().await;
    let began = Instant::now();
    let reason = reason(ask(&connection).await);
    assert_eq!(reason.to_string(), "Metadata was not answered within 1000 ms");
    assert_eq!(began.elapsed().as_secs(), 1);
    assert!(peer.request().await.is_some());
    assert!(peer.request().await.is_none(), "it is closed");
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_little_time_leaves_the_connection_to_others() {
    let (connection, mut peer) = connected().await;
    let (patient, hurried) = (MetadataRequest::default(), HeartbeatRequest::default());
    let late = async {
        let reason = connection.send(&hurried, SECOND / 10).await.unwrap_err().to_string();
        assert_eq!(reason, "broker b:1: Heartbeat was not answered within 100 ms");
        let (first, second) = (peer.request().await.unwrap(), peer.request().await.unwrap());
        peer.write(&first.answer(&controller(1))).await;
        tokio::time::sleep(SECOND / 2).await;
        peer.write(&second.answer(&HeartbeatResponse::default())).await;
    };
    let (answer, ()) = tokio::join!(connection.send(&patient, SECOND), late);
    assert_eq!(answer.unwrap().controller_id, 1);
    tokio::task::yield_now().await;
    assert!(connection.closed().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_connection_knows_for_how_long_answers_are_owed() {
    let (connection, mut peer) = connected().await;
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(connection.owed(), (0, 0), "nothing is owed");
    let request = MetadataRequest::default();
    let asking = || connection.send(&request, 30 * SECOND);
    let answering = async {
        let first = peer.request().await.unwrap();
        let second = peer.request().await.unwrap();
        tokio::time::sleep(3 * SECOND).await;
        assert_eq!(connection.owed(), (3, 2));
        peer.write(&first.answer(&controller(1))).await;
        tokio::time::sleep(SECOND / 2).await;
        assert_eq!(connection.owed(), (0, 1), "it lives");
        tokio::time::sleep(2 * SECOND).await;
        assert_eq!(connection.owed(), (2, 1));
        peer.write(&second.answer(&controller(2))).await;
    };
    let (first, second, ()) = tokio::join!(asking(), asking(), answering);
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(connection.owed(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_stops_waiting_leaves_the_connection_usable() {
    let (connection, mut peer) = connected().await;
    for id in 0..10 {
        tokio::select! {
            biased;
            _ = ask(&connection) => panic!("nobody answers"),
            () = tokio::task::yield_now() => {}
        }
        let answering = async {
            let abandoned = peer.request().await.unwrap();
            let asked = peer.request().await.unwrap();
            peer.write(&abandoned.answer(&controller(99))).await;
            peer.write(&asked.answer(&controller(id))).await;
        };
        let (answer, ()) = tokio::join!(ask(&connection), answering);
        assert_eq!(answer.unwrap(), id, "its place is free again");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_for_ever() {
    let config = ClientConfig { request_timeout: Duration::MAX, ..config() };
    let (connection, mut peer) = connected_with(config).await;
    // Some time has passed when it has its place.
    let request = MetadataRequest::default();
    let asking = || connection.send(&request, Duration::MAX);
    let answering = async {
        for id in 0..3 {
            let asked = peer.request().await.unwrap();
            tokio::time::sleep(SECOND).await;
            peer.write(&asked.answer(&controller(id))).await;
        }
    };
    let (first, second, third, ()) = tokio::join!(asking(), asking(), asking(), answering);
    assert_eq!([first, second, third].map(|answer| answer.unwrap().controller_id), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_request_still_has_its_time_out() {
    let (connection, _peer) = connected().await;
    tokio::select! {
        biased;
        _ = ask(&connection) => panic!("nobody answers"),
        () = tokio::task::yield_now() => {}
    }
    tokio::time::sleep(2 * SECOND).await;
    assert!(matches!(connection.closed(), Some(Disconnect::RequestTimeout { .. })));
}

#[tokio::test(start_paused = true)]
async fn an_api_that_is_not_served_fails_the_call_alone() {
    let (stream, mut peer) = stream();
    let greeting = async {
        let asked = peer.request().await.unwrap();
        peer.write(&asked.versions(ApiKey::Heartbeat, 2)).await;
    };
    let (address, config) = (address(), config());
    let connecting = Connection::over(stream, &address, &config);
    let (connection, ()) = tokio::join!(connecting, greeting);
    let connection = connection.unwrap();
    let heartbeat = HeartbeatRequest::default();
    let newer = VersionRange { min: 3, max: 4 };
    let error = connection.send_within(&heartbeat, newer, SECOND).await.unwrap_err();
    assert_eq!(error.to_string(), "broker b:1: Heartbeat is served in versions 0-2, used are 3-4");
    assert!(!error.is_retriable());
    let answering = async {
        let asked = peer.request().await.unwrap();
        assert_eq!(asked.version, 2);
        peer.write(&asked.answer(&HeartbeatResponse::default())).await;
    };
    let (answer, ()) = tokio::join!(connection.send(&heartbeat, SECOND), answering);
    assert!(answer.unwrap().error_code.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_has_no_answer_returns_when_it_is_written() {
    let (connection, mut peer) = connected().await;
    let all = VersionRange { min: 0, max: i16::MAX };
    let request = ProduceRequest::default();
    for _ in 0..10 {
        let encode = |version: i16, id: i32, client: &str| {
            frame::encode_request(&request, version, id, Some(client)).map(Rope::from)
        };
        connection.tell::<ProduceRequest>(all, SECOND, encode).await.unwrap();
        assert_eq!(peer.request().await.unwrap().api, ApiKey::Produce);
    }
    assert!(connection.closed().is_none());
}

#[tokio::test(start_paused = true)]
async fn wire_1_a_broker_that_knows_only_older_versions_is_asked_again() {
    let (stream, mut peer) = stream();
    let answering = async {
        let first = peer.request().await.unwrap();
        assert_eq!(first.version, 4);
        let served = VersionRange { min: 0, max: 2 };
        peer.write(&unsupported_api_versions_response(served, first.correlation_id)).await;
        let second = peer.request().await.unwrap();
        assert_eq!(second.version, 2);
        peer.write(&second.versions(ApiKey::Metadata, 9)).await;
    };
    let (address, config) = (address(), config());
    let connecting = Connection::over(stream, &address, &config);
    let (connection, ()) = tokio::join!(connecting, answering);
    let served = connection.unwrap().versions().of(ApiKey::Metadata);
    assert_eq!(served, Some(VersionRange { min: 0, max: 9 }));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_names_no_version_is_refused_with_its_code() {
    let (stream, mut peer) = stream();
    let answering = async {
        let asked = peer.request().await.unwrap();
        let error_code = ErrorCode::INVALID_REQUEST;
        let response = ApiVersionsResponse { error_code, ..ApiVersionsResponse::default() };
        peer.write(&asked.answer(&response)).await;
    };
    let (address, config) = (address(), config());
    let connecting = Connection::over(stream, &address, &config);
    let (connection, ()) = tokio::join!(connecting, answering);
    let error = connection.unwrap_err();
    assert_eq!(error.to_string(), "broker b:1: ApiVersions: INVALID_REQUEST (42)");
}

#[tokio::test]
async fn a_refused_connection_names_address_and_reason() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address = BrokerAddress { host: "127.0.0.1".to_owned(), port };
    let error = Connection::connect(&address, &config()).await.unwrap_err();
    assert!(error.is_retriable());
    let text = error.to_string();
    assert!(text.starts_with(&format!("broker {address}: connect: ")), "{text}");
    assert!(text.to_lowercase().contains("refused"), "{text}");
}

/// An address that answers no SYN, as behind a firewall: its queue of connections is full.
async fn black_hole() -> (SocketAddr, tokio::net::TcpListener, Vec<TcpStream>) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = tokio::time::timeout(SECOND / 5, TcpStream::connect(address)).await {
        queued.push(stream.unwrap());
        assert!(queued.len() < 100, "its queue is short");
    }
    (address, listener, queued)
}

#[tokio::test]
async fn an_address_that_does_not_answer_is_no_hindrance_where_the_host_has_another() {
    let (silent, _listener, _queued) = black_hole().await;
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = other.local_addr().unwrap();
    let limit = config().connect_timeout;
    for addresses in [vec![silent, address], vec![address, silent], vec![silent, silent, address]] {
        let stream = tokio::time::timeout(limit, dial(addresses.into_iter())).await;
        assert_eq!(stream.expect("in time").unwrap().peer_addr().unwrap(), address);
    }
    let error = dial(std::iter::empty()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}
