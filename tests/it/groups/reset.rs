//! `logboom group reset`: each kind, first as a rehearsal.

use serde_json::Value;

use logboom_tests::broker;
use logboom_tests::raw::{Raw, topic_name};

use super::{column, printed, refused, rows, write};
use crate::wire::{new_topic_with, now_ms};

const HOUR_MS: i64 = 3_600_000;

/// Partition 0 has the records 2 to 9, of which half are two hours old and half are half an hour
/// old; partition 1 has 0 to 9, all of them two hours old.
struct Subject {
    /// There as long as this is.
    _broker: broker::Subject,
    bootstrap: String,
    topic: String,
    group: String,
    /// The time of record 0.
    since: i64,
}

impl Subject {
    fn new() -> Self {
        let broker = broker::shared();
        let bootstrap = broker.bootstrap();
        let mut raw = Raw::connect(&bootstrap);
        let topic = new_topic_with(&mut raw, "reset", 2, &[]);
        let (since, later) = (now_ms() - 2 * HOUR_MS, now_ms() - HOUR_MS / 2);
        let times = |from: i64| (0..5).map(move |number| from + number * 1000);
        let half: Vec<i64> = times(since).chain(times(later)).collect();
        let old: Vec<i64> = times(since).chain(times(since + 5_000)).collect();
        write(&mut raw, &topic, 0, &half);
        write(&mut raw, &topic, 1, &old);
        printed(&bootstrap, &["topic", "trim", &topic, "--before", "2", "--partition", "0"]);
        Self { _broker: broker, bootstrap, topic, group: topic_name("reset-group"), since }
    }

    /// The words of a reset.
    fn words<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["group", "reset", &self.group], more].concat()
    }

    /// The old and the new offset of each partition, and what is said of it.
    fn reset(&self, more: &[&str]) -> (Vec<Value>, Vec<Value>, Vec<String>) {
        let rows = rows(&self.bootstrap, &self.words(more));
        let is_rehearsal = more.contains(&"--dry-run");
        assert!(rows.iter().all(|row| row["changed"] == !is_rehearsal), "{rows:?}");
        let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect();
        let notes = rows.iter().map(|row| row["note"].as_str().unwrap_or_default().to_owned());
        (column("old_offset"), column("new_offset"), notes.collect())
    }

    fn committed(&self) -> Vec<Value> {
        column(&self.bootstrap, &self.group, "committed_offset")
    }

    /// Rehearses a reset, which changes nothing, and then does it.
    fn check(&self, how: &[&str], expected: [i64; 2], notes: [&str; 2]) {
        let before = self.committed();
        let arguments = [&["--topic", self.topic.as_str()], how].concat();
        let rehearsed = self.reset(&[&arguments[..], &["--dry-run"]].concat());
        assert_eq!(self.committed(), before, "{how:?}: a rehearsal");
        let done = self.reset(&arguments);
        assert_eq!(done, rehearsed, "{how:?}");
        let expected = expected.map(Value::from).to_vec();
        assert_eq!(done, (before, expected.clone(), notes.map(str::to_owned).to_vec()), "{how:?}");
        assert_eq!(self.committed(), expected, "{how:?}");
    }
}

#[test]
fn every_kind_of_reset_is_rehearsed_and_done() {
    let subject = Subject::new();
    let (topic, group) = (subject.topic.as_str(), subject.group.as_str());
    // The group comes to be with the first one, and not with its rehearsal.
    let first = ["--topic", topic, "--to-offset", "6"];
    let (old, new, _) = subject.reset(&[&first[..], &["--dry-run"]].concat());
    assert_eq!((old, new), (vec![Value::Null; 2], vec![6.into(), 6.into()]));
    refused(&subject.bootstrap, &["group", "describe", group]);
    subject.reset(&first);
    assert_eq!(subject.committed(), [6, 6]);

    let none = ["", ""];
    let record_3 = format!("@{}", subject.since + 3_000);
    subject.check(&["--to-beginning"], [2, 0], none);
    subject.check(&["--to-end"], [10, 10], none);
    subject.check(&["--to-offset", "1"], [2, 1], ["1 is before the first record", ""]);
    let behind = "11 is behind the end";
    subject.check(&["--to-offset", "11"], [10, 10], [behind, behind]);
    subject.check(&["--shift-by", "-3"], [7, 7], none);
    subject.check(&["--shift-by", "2"], [9, 9], none);
    subject.check(&["--shift-by", "2"], [10, 10], [behind, behind]);
    subject.check(&["--shift-by", "-9"], [2, 1], ["1 is before the first record", ""]);
    subject.check(&["--to-time", &record_3], [3, 3], none);
    let newer = "no record is that new";
    subject.check(&["--by-duration", "1h"], [5, 10], ["", newer]);
    subject.check(&["--by-duration", "PT3H"], [2, 0], none);
    subject.check(&["--to-time", "2999-01-01T00:00:00Z"], [10, 10], [newer, newer]);
}

#[test]
fn only_what_is_named_is_reset() {
    let subject = Subject::new();
    let topic = subject.topic.as_str();
    let one = format!("{topic}:1");
    subject.reset(&["--topic", &one, "--to-end"]);
    assert_eq!(subject.committed(), [Value::Null, 10.into()]);
    // All topics are those that it has committed something for.
    let (old, new, _) = subject.reset(&["--all-topics", "--shift-by", "-1"]);
    assert_eq!((old, new), (vec![10.into()], vec![9.into()]));
    assert_eq!(subject.committed(), [Value::Null, 9.into()]);
    let refused = |more: &[&str]| refused(&subject.bootstrap, &subject.words(more));
    let said = refused(&["--topic", topic, "--shift-by", "1"]);
    assert!(said.contains("has committed nothing that could be shifted"), "{said}");
    let said = refused(&["--topic", &format!("{topic}:2"), "--to-end"]);
    assert!(said.contains("the topic has 2, numbered from 0"), "{said}");
    let said = refused(&["--topic", "not-there", "--to-end"]);
    assert!(said.contains("there is none of that name"), "{said}");
    assert_eq!(subject.committed(), [Value::Null, 9.into()]);
    let other = topic_name("reset-nobody");
    let words = ["group", "reset", &other, "--all-topics", "--to-end"];
    let said = super::refused(&subject.bootstrap, &words);
    assert!(said.contains("it has committed nothing; --topic says"), "{said}");
    let table = printed(&subject.bootstrap, &subject.words(&["--all-topics", "--to-offset", "99"]));
    let title = table.lines().next().unwrap();
    assert!(title.ends_with("PARTITION  OLD-OFFSET  NEW-OFFSET  NOTE"), "{table}");
    assert!(table.ends_with("99 is behind the end\n"), "{table}");
}
