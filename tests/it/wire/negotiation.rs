//! Statements 1 to 10 and 107: which versions are spoken.

use logboom_protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use logboom_protocol::messages::metadata::MetadataRequest;
use logboom_protocol::messages::sasl_handshake::SaslHandshakeRequest;
use logboom_protocol::{ApiKey, ErrorCode};
use logboom_tests::broker::shared;
use logboom_tests::raw::{Raw, framed};

use super::PRODUCE;

/// The newest version of ApiVersions that everybody speaks.
const NEWEST: i16 = 4;

fn request() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "raw".into(),
        client_software_version: "1".into(),
        ..Default::default()
    }
}

/// What is advertised of an API: the oldest and the newest version.
fn advertised(response: &ApiVersionsResponse, key: i16) -> Option<(i16, i16)> {
    let found = response.api_keys.iter().find(|api| api.api_key == key);
    found.map(|api| (api.min_version, api.max_version))
}

#[test]
fn wire_01_02_an_unknown_version_of_api_versions_is_answered_in_version_0_with_itself_alone() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let response = raw.call(NEWEST, &request());
    let (min, max) = advertised(&response, 18).unwrap();
    // A null client id, no tagged fields, and a body that nobody can know.
    raw.send(&framed(18, 99, 7, &[0xff, 0xff, 0, 1, 2, 3])).unwrap();
    let mut expected = vec![0, 0, 0, 7, 0, 35, 0, 0, 0, 1, 0, 18];
    expected.extend(min.to_be_bytes());
    expected.extend(max.to_be_bytes());
    assert_eq!(raw.receive().unwrap(), expected);
    assert_eq!(raw.call(max.min(NEWEST), &request()).error_code, ErrorCode::NONE);
}

#[test]
fn wire_03_only_the_response_of_api_versions_lacks_tagged_fields_in_its_header() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    raw.ask(3, &request());
    let frame = raw.receive().unwrap();
    let (correlation_id, body) = (&frame[..4], frame.slice(4..));
    assert_eq!((correlation_id, &body[..2]), (&[0, 0, 0, 1][..], &[0, 0][..]), "an error code");
    // A body from the fifth byte on, or this is no list of APIs.
    let response: ApiVersionsResponse = logboom_protocol::Message::decode(&body, 3).unwrap();
    assert!(advertised(&response, 18).is_some());
    raw.ask(9, &MetadataRequest { topics: Some(vec![]), ..Default::default() });
    let frame = raw.receive().unwrap();
    assert_eq!(frame[4], 0, "no tagged fields");
    assert_eq!(frame[5..9], [0; 4], "the throttle time");
}

#[test]
fn wire_04_the_client_id_has_a_length_of_two_bytes_in_flexible_versions_too_and_may_be_null() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    for client_id in [&[0xff, 0xff][..], &[0, 0], &[0, 2, b'm', b'e']] {
        // No tagged fields, and no topics.
        let rest = [client_id, &[0, 1, 0, 0, 0, 0]].concat();
        raw.send(&framed(3, 9, 8, &rest)).unwrap();
        let frame = raw.receive().expect("an answer");
        assert_eq!(frame[..4], [0, 0, 0, 8]);
    }
}

#[test]
fn wire_05_every_version_of_api_versions_is_spoken_and_unknown_tagged_fields_are_passed_over() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let newest = raw.call(NEWEST, &request());
    for version in 0..=NEWEST {
        let response = raw.call(version, &request());
        assert_eq!((response.error_code, response.throttle_time_ms), (ErrorCode::NONE, 0));
        assert_eq!(response.api_keys, newest.api_keys, "version {version}");
    }
    // In the header a field 9 of two bytes, in the body a field 100 of three.
    let header = [0xff, 0xff, 1, 9, 2, 0xaa, 0xbb];
    let body = [4, b'r', b'a', b'w', 2, b'1', 1, 100, 3, 1, 2, 3];
    raw.send(&framed(18, 3, 5, &[&header[..], &body].concat())).unwrap();
    assert_eq!(raw.receive().unwrap()[..6], [0, 0, 0, 5, 0, 0]);
}

#[test]
fn wire_06_a_client_without_a_proper_name_is_told_so_and_may_go_on() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    for (name, version) in [("", "1"), ("raw", ""), ("-raw", "1"), ("raw", "1.")] {
        let request = ApiVersionsRequest {
            client_software_name: name.into(),
            client_software_version: version.into(),
            ..Default::default()
        };
        let response = raw.call(3, &request);
        assert_eq!(response.error_code, ErrorCode::INVALID_REQUEST, "{name:?} {version:?}");
    }
    assert_eq!(raw.call(3, &request()).error_code, ErrorCode::NONE);
}

#[test]
fn wire_07_produce_is_advertised_from_version_0_on_and_refused_below_3() {
    let subject = shared();
    let address = subject.bootstrap();
    let response = Raw::connect(&address).call(NEWEST, &request());
    let (min, max) = advertised(&response, 0).unwrap();
    assert_eq!(min, 0);
    assert!(max >= PRODUCE);
    for version in 0..3 {
        let mut raw = Raw::connect(&address);
        // Acks 1, 1,000 ms, no topic: the same in all three.
        let body = [&[0xff, 0xff][..], &[0, 1], &[0, 0, 3, 0xe8], &[0; 4]].concat();
        raw.send(&framed(0, version, 1, &body)).unwrap();
        assert!(raw.is_closed(), "version {version}");
    }
}

#[test]
fn wire_08_the_second_version_of_transactions_is_named_only_where_all_of_it_is_there() {
    let subject = shared();
    let response = Raw::connect(&subject.bootstrap()).call(NEWEST, &request());
    let named = response
        .finalized_features
        .iter()
        .any(|feature| feature.name == "transaction.version" && feature.max_version_level >= 2);
    let has = |key, version| advertised(&response, key).is_some_and(|(_, max)| max >= version);
    assert!(!named || has(0, 12) && has(28, 5) && has(26, 5), "{response:?}");
}

#[test]
fn wire_09_features_from_level_0_are_not_named_up_to_version_3() {
    let subject = shared();
    let response = Raw::connect(&subject.bootstrap()).call(3, &request());
    assert!(response.supported_features.iter().all(|feature| feature.min_version != 0));
}

/// All of 10 that a listener without SASL and TLS can show.
#[test]
fn wire_10_api_versions_needs_nothing_in_front_of_it_and_a_refused_handshake_changes_nothing() {
    let subject = shared();
    for version in 0..=NEWEST {
        let mut raw = Raw::connect(&subject.bootstrap());
        assert_eq!(raw.call(version, &request()).error_code, ErrorCode::NONE);
        let handshake = SaslHandshakeRequest { mechanism: "PLAIN".into() };
        let refused = raw.call(1, &handshake);
        assert_eq!(refused.error_code, ErrorCode::ILLEGAL_SASL_STATE);
        assert!(refused.mechanisms.is_empty());
        assert_eq!(raw.call(version, &request()).error_code, ErrorCode::NONE);
    }
}

#[test]
fn wire_107_telemetry_is_advertised_by_both_its_apis_or_not_at_all() {
    let subject = shared();
    let response = Raw::connect(&subject.bootstrap()).call(NEWEST, &request());
    let apis = [ApiKey::GetTelemetrySubscriptions, ApiKey::PushTelemetry];
    let advertised = apis.map(|api| advertised(&response, api.to_wire()).is_some());
    // The reference has neither unless a plugin takes the metrics.
    assert_eq!(advertised, [false; 2]);
}
