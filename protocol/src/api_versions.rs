//! The rules of ApiVersions that are not in its fields.
//!
//! The exceptions about its headers and about unknown versions are in [`crate::header`].

use crate::messages::api_versions::{ApiVersionsRequest, SupportedFeatureKey};

/// Whether a request of `version` names the client's software as it should; if not, the answer is
/// INVALID_REQUEST and the connection stays open (WIRE 6; KIP-511).
///
/// Name and version begin and end with a letter or digit, with `-` and `.` allowed between.
#[must_use]
pub fn is_valid(request: &ApiVersionsRequest, version: i16) -> bool {
    version < 3
        || (is_software_word(&request.client_software_name)
            && is_software_word(&request.client_software_version))
}

fn is_software_word(word: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = word.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(inner)
}

/// The features that an answer of `version` may name: up to version 3 those whose least level is 0
/// are left out, because the clients of that time refuse them (WIRE 9; KAFKA-17011).
pub fn namable_features(
    features: &[SupportedFeatureKey],
    version: i16,
) -> impl Iterator<Item = &SupportedFeatureKey> {
    features.iter().filter(move |feature| version > 3 || feature.min_version != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_6_software_names_begin_and_end_with_a_letter_or_digit() {
        let request = |name: &str, version: &str| ApiVersionsRequest {
            client_software_name: name.into(),
            client_software_version: version.into(),
            ..ApiVersionsRequest::default()
        };
        for (name, version) in [("librdkafka", "2.16.0"), ("a", "1"), ("apache-kafka.java", "4-4")]
        {
            assert!(is_valid(&request(name, version), 3), "{name} {version}");
        }
        for name in ["", "-a", "a-", ".", "a b", "a_b", "é", "a\n"] {
            assert!(!is_valid(&request(name, "1"), 3), "{name:?}");
            assert!(!is_valid(&request("a", name), 4), "{name:?}");
            assert!(is_valid(&request(name, name), 2), "the fields came with version 3");
        }
    }

    #[test]
    fn wire_9_features_from_level_0_are_not_named_to_old_clients() {
        let feature = |name: &str, min_version| SupportedFeatureKey {
            name: name.into(),
            min_version,
            max_version: 2,
        };
        let all = [feature("group.version", 0), feature("metadata.version", 7)];
        let names = |version| -> Vec<&str> {
            namable_features(&all, version).map(|feature| feature.name.as_str()).collect()
        };
        assert_eq!(names(3), ["metadata.version"]);
        assert_eq!(names(4), ["group.version", "metadata.version"]);
    }
}
