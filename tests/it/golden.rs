//! Batches that real clients wrote, and what real clients read of ours, replayed from files.
//!
//! `tests/golden/README.md` says how the files came to be. The checks are those of the live tests
//! ([`crate::clients`]), so that they hold on machines that can't have the clients.
//!
//! Must always hold: the list of files comes from the code; one that is missing fails the test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use logboom_tests::foreign::Client;
use logboom_tests::shapes::{Shape, from_text, shapes, to_text};

use crate::clients::{consume, produce};

/// Where the golden files lie.
pub(crate) fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// Whether this run writes golden files instead of replaying them.
fn recording() -> bool {
    std::env::var_os("LOGBOOM_RECORD").is_some()
}

/// Writes a golden file if this run is asked to record.
pub(crate) fn record(path: &str, content: &[u8]) {
    if !recording() {
        return;
    }
    let path = dir().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn read(path: &str) -> Bytes {
    let content = fs::read(dir().join(path));
    content.unwrap_or_else(|error| panic!("golden file {path}: {error}")).into()
}

/// The shapes as they were when the files were recorded.
fn recorded_shapes() -> Vec<Shape> {
    let text = |name| String::from_utf8(read(&produce::sent_path(name)).to_vec()).unwrap();
    let read = |Shape { name, .. }| Shape { name, records: from_text(&text(name)) };
    shapes().into_iter().map(read).collect()
}

/// Every golden file that there has to be.
fn files() -> BTreeSet<String> {
    let sent = shapes().into_iter().map(|shape| produce::sent_path(shape.name));
    let batches = Client::ALL.into_iter().flat_map(|client| {
        let expected = produce::expected(client, &shapes());
        expected.into_iter().map(move |one| one.path(client))
    });
    let printed = Client::ALL.into_iter().flat_map(|client| {
        consume::Isolation::ALL.map(|isolation| consume::printed_path(client, isolation))
    });
    let ours = consume::served().into_iter().map(|served| served.path());
    sent.chain(batches).chain(printed).chain(ours).chain(["README.md".to_owned()]).collect()
}

fn found(dir: &Path, prefix: &str, files: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = format!("{prefix}{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found(&entry.path(), &format!("{path}/"), files);
        } else {
            files.insert(path);
        }
    }
}

#[test]
fn no_golden_file_is_missing_or_left_over() {
    if recording() {
        return;
    }
    let mut there = BTreeSet::new();
    found(&dir(), "", &mut there);
    let expected = files();
    let missing: Vec<_> = expected.difference(&there).collect();
    let left_over: Vec<_> = there.difference(&expected).collect();
    assert!(missing.is_empty() && left_over.is_empty(), "{missing:?}, {left_over:?}");
    // Three clients, five codecs, twelve shapes and an idempotent one; kafka-python lacks two.
    let batches = there.iter().filter(|path| path.starts_with("batches/")).count();
    assert_eq!(batches, 3 * 5 * 13 - 2 * 5);
}

#[test]
fn what_was_sent_is_written_beside_what_came() {
    for Shape { name, records } in shapes() {
        let text = to_text([(0, records.as_slice())]);
        record(&produce::sent_path(name), text.as_bytes());
        if recording() {
            continue;
        }
        assert_eq!(read(&produce::sent_path(name)), text, "{name} changed; record anew");
    }
}

#[test]
fn recorded_batches_of_clients_are_what_they_sent() {
    if recording() {
        return;
    }
    let shapes = recorded_shapes();
    for client in Client::ALL {
        for expected in produce::expected(client, &shapes) {
            produce::check(&expected, &read(&expected.path(client)));
        }
    }
}

#[test]
fn recorded_batches_of_ours_are_read_and_built_as_then() {
    if recording() {
        return;
    }
    for served in consume::served() {
        let recorded = read(&served.path());
        consume::check_recorded(&served, &recorded);
    }
}

#[test]
fn clients_read_of_ours_what_we_wrote() {
    if recording() {
        return;
    }
    let served = consume::served();
    for client in Client::ALL {
        for isolation in consume::Isolation::ALL {
            let printed = read(&consume::printed_path(client, isolation));
            let printed = String::from_utf8(printed.to_vec()).unwrap();
            consume::check_printed(&served, isolation, &printed, true);
        }
    }
}
