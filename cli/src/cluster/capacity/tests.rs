//! What is written of the room in a small cluster, word for word.

use logboom_balance::snapshot::Broker;

use super::*;

const TWO: &str = include_str!("../golden/two_brokers.txt");
/// The page that shows what is written.
const PAGE: &str = include_str!("../../../../docs/operations.md");

fn written(text: &str, per_day: Option<Amounts>, output: Output) -> String {
    let growth = per_day.map(|per_day| Growth { over_seconds: 172_800, per_day });
    let now: Timestamp = "2026-11-29T23:59:00Z".parse().unwrap();
    let mut out = Vec::new();
    let snapshot = Snapshot::parse(text).unwrap();
    Report::new(&snapshot, growth, now).write(output, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn disk(bytes: u64) -> Amounts {
    let mut amounts = Amounts::default();
    amounts[Resource::DiskBytes] = bytes;
    amounts
}

#[test]
fn people_see_the_room_and_the_day_on_which_it_ends_as_in_the_docs() {
    let text = written(TWO, Some(disk(10 << 30)), Output::Table);
    assert_eq!(text, include_str!("../golden/room.txt"), "{text}");
    assert!(PAGE.contains(&format!("```text\n{text}```\n")));
}

#[test]
fn programs_are_told_everything_a_line_each() {
    let text = written(TWO, Some(disk(10 << 30)), Output::Json);
    assert_eq!(text, include_str!("../golden/room.jsonl"), "{text}");
}

#[test]
fn without_a_trend_no_day_is_told() {
    let text = written(TWO, None, Output::Table);
    assert!(text.contains("not known yet"), "{text}");
    assert!(!text.contains("2026"), "{text}");
    let rows = written(TWO, None, Output::Json);
    assert!(rows.ends_with("{\"growth\":null,\"kind\":\"growth\"}\n"), "{rows}");
}

#[test]
fn what_never_ends_and_what_takes_ages_have_no_day() {
    let text = written(TWO, Some(disk(1)), Output::Table);
    let cell = |broker: &str, resource: &str| {
        let mut lines = text.lines();
        let line = lines.find(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words[..2] == [broker, resource]
        });
        line.unwrap().trim_end().rsplit("  ").next().unwrap().to_owned()
    };
    assert_eq!(cell("1", "disk"), "in a thousand years", "{text}");
    assert_eq!(cell("1", "partitions"), "never", "{text}");
    // Nobody has a capacity of it.
    assert_eq!(cell("1", "out"), "-", "{text}");
}

#[test]
fn one_more_is_like_the_largest_active_and_has_a_number_that_is_free() {
    let more = |text: &str| one_more(&Snapshot::parse(text).unwrap());
    let drained = format!("snapshot 1\nbroker 3 draining disk {}\n", 1_u64 << 50);
    let like = more(&TWO.replace("snapshot 1\n", &drained));
    let like = (like.id, like.weight, like.capacity[Resource::DiskBytes]);
    assert_eq!(like, (0, 200, Some(2 << 40)));
    assert_eq!(more("snapshot 1\n"), Broker::new(0));
    assert_eq!(more("snapshot 1\nbroker 0 absent\n"), Broker::new(1));
    // Without anybody who could take anything there is still an answer.
    let text = written("snapshot 1\nbroker 0 absent\n", None, Output::Table);
    assert!(text.contains("one more"), "{text}");
}
