//! Our tables, schema files and encoders against the jar of the reference client.
//!
//! Must always hold: the jar is asked, not quoted; nothing here repeats what it says but the list
//! of APIs that we leave out, each with its reason.

mod recode;
mod specs;

use std::collections::BTreeMap;

use logboom_protocol::{ApiKey, ErrorCode};
use logboom_tests::foreign::{self, Java};

/// The reference client, or `None` with a note that `what` is not compared.
fn reference(what: &str) -> Option<&'static Java> {
    foreign::or_skip(what, foreign::java())
}

fn lines(java: &Java, mode: &str) -> Vec<Vec<String>> {
    let text = foreign::printed(java.command("Reference").arg(mode));
    text.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

#[test]
fn error_codes_are_those_of_the_reference() {
    let Some(java) = reference("the table of error codes") else { return };
    let theirs: BTreeMap<i16, (String, bool)> = lines(java, "errors")
        .into_iter()
        .map(|words| (words[0].parse().unwrap(), (words[1].clone(), words[2] == "true")))
        .collect();
    let ours: BTreeMap<i16, (String, bool)> = ErrorCode::ALL
        .iter()
        .map(|code| (code.0, (code.name().unwrap().to_owned(), code.is_retriable())))
        .collect();
    assert!(theirs.len() > 130, "only {} errors were printed", theirs.len());
    assert_eq!(ours, theirs);
}

/// APIs of the reference that we don't speak. Everything else must be in [`ApiKey::ALL`].
const NOT_SPOKEN: &[(&str, &[i16])] = &[
    ("removed from the reference with version 4", &[4, 5, 6, 7]),
    ("delegation tokens", &[38, 39, 40, 41]),
    ("between the controllers of the reference", &[52, 53, 54, 59, 70, 82]),
    ("between brokers and controllers of the reference", &[56, 58, 62, 63, 67, 73]),
    ("share groups", &[76, 77, 78, 79, 90, 91, 92]),
    ("between the brokers of share groups", &[83, 84, 85, 86, 87]),
    ("streams groups", &[88, 89, 93]),
];

#[test]
fn versions_are_those_of_the_reference() {
    let Some(java) = reference("the table of versions") else { return };
    let mut spoken = 0;
    let mut left_out: Vec<i16> = NOT_SPOKEN.iter().flat_map(|(_, keys)| *keys).copied().collect();
    for words in lines(java, "versions") {
        let key: i16 = words[0].parse().unwrap();
        let Some(api) = ApiKey::from_wire(key) else {
            let place = left_out.iter().position(|left| *left == key);
            let place = place.unwrap_or_else(|| panic!("nothing is said of {key} {}", words[1]));
            left_out.remove(place);
            continue;
        };
        spoken += 1;
        let range: (i16, i16) = (words[3].parse().unwrap(), words[4].parse().unwrap());
        let versions = api.versions();
        assert_eq!(api.name(), words[1], "name of {key}");
        assert_eq!(words[2], "true", "{api} is gone");
        assert_eq!((versions.min, versions.max), range, "stable versions of {api}");
        let advertised = api.advertised_versions();
        assert_eq!(advertised.max, versions.max, "{api}");
        assert_eq!(advertised.min.to_string(), words[5], "advertised of {api}");
        header_versions(api, &words[6..]);
    }
    assert_eq!(spoken, ApiKey::ALL.len(), "an API of ours is unknown to the reference");
    assert_eq!(left_out, [0_i16; 0], "left out though unknown to the reference, or though spoken");
}

/// `theirs` holds `version:request header:response header` for each version.
fn header_versions(api: ApiKey, theirs: &[String]) {
    let versions = api.versions();
    let ours: Vec<String> = (versions.min..=versions.max)
        .map(|v| {
            let (request, response) =
                (api.request_header_version(v), api.response_header_version(v));
            format!("{v}:{request}:{response}")
        })
        .collect();
    // An unstable last version is theirs alone.
    assert_eq!(ours, theirs[..ours.len().min(theirs.len())], "header versions of {api}");
}
