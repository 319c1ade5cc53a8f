//! Statements 1 to 15 of the wire, as far as they are about bytes.

use bytes::{Bytes, BytesMut};

use super::*;
use crate::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::{Fault, Message as _, frame};

/// The front of every request header.
fn front(key: i16, version: i16, correlation_id: i32) -> Vec<u8> {
    [&key.to_be_bytes()[..], &version.to_be_bytes(), &correlation_id.to_be_bytes()].concat()
}

/// Decodes a header for a broker that serves everything we speak.
fn decode(request: &Bytes) -> Result<(RequestHeader<'_>, Bytes), HeaderError> {
    RequestHeader::decode(request, |api| Some(api.versions()))
}

#[test]
fn wire_1_and_2_an_unknown_api_versions_version_is_answered_as_version_0() {
    let request = Bytes::from(front(18, 99, -7));
    let error = decode(&request).unwrap_err();
    let HeaderError::UnsupportedVersion {
        api: ApiKey::ApiVersions, served, correlation_id, ..
    } = error
    else {
        panic!("{error}");
    };
    let max = ApiKey::ApiVersions.versions().max;
    let mut expected = vec![0, 0, 0, 16];
    expected.extend((-7i32).to_be_bytes());
    expected.extend([0, 35]);
    expected.extend([0, 0, 0, 1, 0, 18, 0, 0, 0, u8::try_from(max).unwrap()]);
    assert_eq!(unsupported_api_versions_response(served, correlation_id), expected);
}

#[test]
fn wire_3_only_api_versions_answers_with_header_0_in_flexible_versions() {
    for api in ApiKey::ALL {
        let versions = api.versions();
        for version in versions.min..=versions.max {
            let expected = i16::from(api.is_flexible(version) && api != ApiKey::ApiVersions);
            assert_eq!(api.response_header_version(version), expected, "{api} v{version}");
        }
    }
    let frame =
        frame::encode_response(&ApiVersionsResponse::default(), 3, i32::MIN).expect("encodes");
    // Length, correlation id, then at once the error code: no tagged fields between.
    assert_eq!(&frame[4..10], &[0x80, 0, 0, 0, 0, 0]);
}

#[test]
fn wire_4_header_2_keeps_a_wide_client_id_and_ends_with_tags() {
    let mut request = front(18, 3, 5);
    request.extend([0, 3, b'a', b'b', b'c', 1, 9, 2, 0xff, 0xff, 0xee]);
    let request = Bytes::from(request);
    let (header, body) = decode(&request).unwrap();
    assert_eq!((header.client_id.as_deref(), header.correlation_id), (Some("abc"), 5));
    assert_eq!(body, &[0xee][..], "the unknown tag is skipped, the body is what follows");

    let mut request = front(18, 3, 5);
    request.extend([0xff, 0xff, 0]);
    let request = Bytes::from(request);
    let (header, body) = decode(&request).unwrap();
    assert_eq!((header.client_id, body.len()), (None, 0));
}

#[test]
fn wire_5_every_api_versions_version_decodes_and_unknown_tags_are_taken() {
    let versions = ApiKey::ApiVersions.versions();
    for version in versions.min..=versions.max {
        let mut body = BytesMut::new();
        let request = ApiVersionsRequest {
            client_software_name: "librdkafka".into(),
            client_software_version: "2.16".into(),
            ..ApiVersionsRequest::default()
        };
        request.encode(&mut body, version).unwrap();
        if version >= 3 {
            // One tagged field more than we know: 77, of one byte.
            body.truncate(body.len() - 1);
            body.extend_from_slice(&[1, 77, 1, 0]);
        }
        let decoded = ApiVersionsRequest::decode(&body.freeze(), version).unwrap();
        let name = if version >= 3 { "librdkafka" } else { "" };
        assert_eq!(decoded.client_software_name, name, "v{version}");
    }
}

#[test]
fn wire_7_produce_is_advertised_from_0_and_served_from_3() {
    assert_eq!(ApiKey::Produce.advertised_versions(), VersionRange { min: 0, max: 13 });
    for version in 0..3 {
        let request = Bytes::from(front(0, version, 1));
        let error = decode(&request).unwrap_err();
        assert!(matches!(error, HeaderError::UnsupportedVersion { .. }), "{error}");
    }
    let others = ApiKey::ALL.into_iter().filter(|&api| api != ApiKey::Produce);
    others.for_each(|api| assert_eq!(api.advertised_versions(), api.versions(), "{api}"));
}

#[test]
fn wire_11_unknown_keys_and_versions_are_errors_that_name_them() {
    let request = Bytes::from(front(4, 0, 1));
    let error = decode(&request).unwrap_err();
    assert_eq!(error.to_string(), "unknown API 4 (version 0)");
    let request = Bytes::from(front(1, 19, 1));
    let error = decode(&request).unwrap_err();
    assert_eq!(error.to_string(), "Fetch version 19, supported are 4-18");
    let request = Bytes::from_static(&[0, 18]);
    let error = decode(&request).unwrap_err();
    let text = "request header, RequestHeader.request_api_version: 2 bytes needed, 0 left";
    assert_eq!(error.to_string(), text);
}

#[test]
fn wire_15_correlation_ids_come_back_whatever_they_are() {
    for correlation_id in [0, -1, i32::MIN, i32::MAX] {
        for version in [0, 4] {
            let mut out = BytesMut::new();
            encode_response_header(ApiKey::Heartbeat, version, correlation_id, &mut out);
            let frame = out.freeze();
            let (echoed, body) =
                decode_response_header(ApiKey::Heartbeat, version, &frame).unwrap();
            assert_eq!((echoed, body.len()), (correlation_id, 0));
        }
    }
}

#[test]
fn a_client_id_beyond_its_format_is_refused() {
    let long = "x".repeat(40_000);
    let error = frame::encode_request(&ApiVersionsRequest::default(), 0, 1, Some(&long));
    let error = error.unwrap_err();
    assert_eq!(error.fault, Fault::TooLong { length: 40_000, limit: 32_767 });
    assert_eq!(error.field, "RequestHeader.client_id");
}

#[test]
fn wire_13_bytes_behind_a_body_are_an_error() {
    let mut body = BytesMut::new();
    ApiVersionsRequest::default().encode(&mut body, 3).unwrap();
    body.extend_from_slice(&[0]);
    let error = ApiVersionsRequest::decode(&body.freeze(), 3).unwrap_err();
    assert_eq!(error.fault, Fault::Trailing { left: 1 });
}

#[test]
fn what_is_not_served_is_refused_though_it_is_spoken() {
    let request = Bytes::from([&front(3, 5, 1)[..], &[0xff, 0xff]].concat());
    let none = RequestHeader::decode(&request, |_| None).unwrap_err();
    assert_eq!(none, HeaderError::UnknownApi { key: 3, version: 5 });
    let served = VersionRange { min: 0, max: 4 };
    let error = RequestHeader::decode(&request, |_| Some(served)).unwrap_err();
    assert_eq!(error.to_string(), "Metadata version 5, supported are 0-4");
    assert!(decode(&request).is_ok());
}

#[test]
fn a_client_id_that_is_no_utf_8_is_taken() {
    let request = Bytes::from([&front(3, 5, 1)[..], &[0, 2, b'a', 0xe9]].concat());
    let (header, _) = decode(&request).unwrap();
    assert_eq!(header.client_id.as_deref(), Some("a\u{fffd}"));
}
