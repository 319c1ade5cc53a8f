//! The first request: which versions does the broker speak?
//!
//! A broker that doesn't speak the version of the question answers error 35 in the format of
//! version 0, and lists at least ApiVersions, so that the question can be put again in a version
//! that it understands; some list nothing, or answer in the format of the question (KIP-511).
//!
//! Must always hold: the versions asked with go down, so there are few questions.

use std::time::Duration;

use bytes::Bytes;

use logboom_protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use logboom_protocol::{ApiKey, DecodeError, ErrorCode, Message as _, VersionRange};

use super::{Line, Versions};
use crate::{ClientError, Disconnect};

/// What brokers since Kafka 3.9 understand at once. Newer versions only add fields for a client
/// that knows which broker it talks to.
const FIRST_VERSION: i16 = 4;

/// Asks until the broker understands.
///
/// # Errors
/// [`ClientError::Connection`].
pub(super) async fn ask(line: &Line, timeout: Duration) -> Result<Versions, ClientError> {
    let request = ApiVersionsRequest {
        client_software_name: "logboom-client".into(),
        client_software_version: env!("CARGO_PKG_VERSION").into(),
        ..ApiVersionsRequest::default()
    };
    let mut version = FIRST_VERSION;
    loop {
        let body = line.call(&request, version, timeout).await?;
        let reason = match read(&body, version) {
            Ok(Answer::Versions(versions, throttle_time_ms)) => {
                line.silence().begin(ApiKey::ApiVersions, version, throttle_time_ms);
                return Ok(versions);
            }
            Ok(Answer::AskAgain(older)) => {
                version = older;
                continue;
            }
            Ok(Answer::Error(code)) => Disconnect::Negotiation(code),
            Err(error) => Disconnect::Malformed(error),
        };
        line.close(reason.clone());
        return Err(line.error(reason));
    }
}

/// What an answer means.
#[derive(Debug)]
enum Answer {
    /// What is spoken, and for how long the broker wants to hear nothing.
    Versions(Versions, i32),
    /// The question is to be put in this version, which is older than the last one.
    AskAgain(i16),
    Error(ErrorCode),
}

/// Understands the answer to a question of `version`.
fn read(body: &Bytes, version: i16) -> Result<Answer, DecodeError> {
    // In every version the error code comes first.
    let unsupported = ErrorCode::UNSUPPORTED_VERSION.0.to_be_bytes();
    if body.starts_with(&unsupported) {
        return Ok(refused(body, version));
    }
    let response = ApiVersionsResponse::decode(body, version)?;
    Ok(match response.error_code {
        ErrorCode::NONE => {
            Answer::Versions(Versions::new(&response.api_keys), response.throttle_time_ms)
        }
        code => Answer::Error(code),
    })
}

fn refused(body: &Bytes, version: i16) -> Answer {
    if version == 0 {
        return Answer::Error(ErrorCode::UNSUPPORTED_VERSION);
    }
    let older = VersionRange { min: 0, max: version - 1 };
    let listed = ApiVersionsResponse::decode(body, 0).ok();
    let newest = listed.and_then(|response| {
        Versions::new(&response.api_keys).newest_common(ApiKey::ApiVersions, older)
    });
    Answer::AskAgain(newest.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use logboom_protocol::messages::api_versions::ApiVersion;

    use super::*;

    fn body(error_code: ErrorCode, listed: &[(i16, i16, i16)], version: i16) -> Bytes {
        let api = |&(api_key, min_version, max_version): &(i16, i16, i16)| ApiVersion {
            api_key,
            min_version,
            max_version,
        };
        let response = ApiVersionsResponse {
            error_code,
            api_keys: listed.iter().map(api).collect(),
            ..ApiVersionsResponse::default()
        };
        let mut out = BytesMut::new();
        response.encode(&mut out, version).unwrap();
        out.freeze()
    }

    fn asked_again(listed: &[(i16, i16, i16)], format: i16, version: i16) -> i16 {
        let body = body(ErrorCode::UNSUPPORTED_VERSION, listed, format);
        match read(&body, version).unwrap() {
            Answer::AskAgain(older) => older,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_refusal_is_asked_again_in_the_newest_version_listed() {
        assert_eq!(asked_again(&[(18, 0, 2)], 0, 4), 2);
        assert_eq!(asked_again(&[(3, 0, 9), (18, 0, 3)], 0, 4), 3);
        assert_eq!(asked_again(&[], 0, 4), 0, "an empty list");
        assert_eq!(asked_again(&[(18, 0, 9)], 0, 4), 3, "never the same version again");
        assert_eq!(asked_again(&[(18, 0, 3)], 3, 3), 0, "in the question's own format");
    }

    #[test]
    fn a_refusal_of_version_0_is_final() {
        let body = body(ErrorCode::UNSUPPORTED_VERSION, &[(18, 0, 2)], 0);
        let answer = read(&body, 0).unwrap();
        assert!(matches!(answer, Answer::Error(ErrorCode::UNSUPPORTED_VERSION)), "{answer:?}");
    }

    #[test]
    fn an_answer_in_any_version_names_the_versions() {
        for version in 0..=FIRST_VERSION {
            let body = body(ErrorCode::NONE, &[(3, 0, 9), (9_999, 0, 1)], version);
            let Answer::Versions(versions, 0) = read(&body, version).unwrap() else {
                panic!("version {version}");
            };
            assert_eq!(versions.of(ApiKey::Metadata), Some(VersionRange { min: 0, max: 9 }));
        }
    }
}
