//! What is written of the plan for four brokers, word for word.

use logboom_balance::plan;

use super::*;

/// The plan of all rules.
fn report(snapshot: &Snapshot, rates: Rates) -> Report<'_> {
    Report::new(snapshot, plan(snapshot, &Options::default()), rates)
}

/// Broker 3 is drained, and a partition has a replica everywhere; broker 1 has more than its share.
const FOUR: &str = include_str!("../../golden/four_brokers.txt");
/// The page that shows what is written.
const PAGE: &str = include_str!("../../../../../docs/operations.md");

fn written(text: &str, explain: bool, output: Output) -> String {
    let snapshot = Snapshot::parse(text).unwrap();
    let mut out = Vec::new();
    report(&snapshot, Rates::default()).write(explain, output, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_plan_is_a_table_and_what_it_comes_to() {
    let text = written(FOUR, false, Output::Table);
    assert_eq!(text, include_str!("../../golden/plan.txt"), "{text}");
}

#[test]
fn an_explanation_says_why_and_what_was_turned_down_as_in_the_docs() {
    let text = written(FOUR, true, Output::Table);
    assert_eq!(text, include_str!("../../golden/explained.txt"), "{text}");
    assert!(PAGE.contains(&format!("```text\n{text}```\n")));
}

#[test]
fn an_explanation_says_what_a_move_is_about_where_a_broker_has_more_of_something_else() {
    let mut all_led_by_one =
        "snapshot 1\nbroker 1 disk 1000\nbroker 2 disk 1000\ntopic t\n".to_owned();
    for index in 0..8 {
        all_led_by_one += &format!("partition {index} leader 1 replicas 1:100:0:0 2:100:0:0\n");
    }
    let text = written(&all_led_by_one, true, Output::Table);
    let first: Vec<&str> = text.lines().take(4).collect();
    let most = "80.0 % of partitions, then 80.0 % of partitions";
    let expected = [
        "1. t-0: leader from 1 to 2, for leader skew of leaders".to_owned(),
        format!("   broker 1: {most}; 160.0 % of leaders, then 140.0 % of leaders"),
        format!("   broker 2: {most}; 0.0 % of leaders, then 20.0 % of leaders"),
    ];
    assert_eq!(first[..3], expected, "{text}");
}

#[test]
fn programs_are_told_everything_a_line_each() {
    for explain in [false, true] {
        let text = written(FOUR, explain, Output::Json);
        assert_eq!(text, include_str!("../../golden/plan.jsonl"), "{text}");
    }
}

#[test]
fn nothing_to_do_is_said() {
    let rest = "snapshot 1\nbroker 1\ntopic t\npartition 0 leader 1 replicas 1:5:0:0\n";
    let text = written(rest, true, Output::Table);
    let worst = "50.0 % of partitions";
    let expected = format!(
        "nothing is to be moved\n\
         worst utilisation now:   {worst}, broker 1\n\
         worst utilisation then:  {worst}, broker 1\n\
         no plan with all replicas on active brokers does better than {worst}\n"
    );
    assert_eq!(text, expected);
    let text = written("snapshot 1\nbroker 1 absent\n", false, Output::Table);
    assert_eq!(text, "nothing is to be moved\nno broker is active\n");
}

#[test]
fn people_are_shown_no_more_than_they_can_read() {
    let mut text = String::from("snapshot 1\nbroker 1 absent\nbroker 2\ntopic t\n");
    for index in 0..1_003 {
        text += &format!("partition {index} leader none replicas 1:1:0:0\n");
    }
    for explain in [false, true] {
        let written = written(&text, explain, Output::Table);
        assert!(written.contains("\n… and 3 more; --output json names all of them\n"), "{written}");
        let shown = (0..1_003).filter(|index| written.contains(&format!("t-{index}")));
        assert_eq!(shown.count(), 1_000);
    }
    let all = written(&text, false, Output::Json);
    assert_eq!(all.lines().count(), 1_004);
}

#[test]
fn a_rate_tells_how_long_it_takes_whoever_sends() {
    let snapshot = Snapshot::parse(FOUR).unwrap();
    let summary = |rates| report(&snapshot, rates).summary()["seconds"].as_u64().unwrap();
    // Broker 4 takes all of 300 GiB, 200 of which the first sends, and 100 the second.
    assert_eq!(summary(Rates::of_all(200 << 30)), 1);
    assert_eq!(summary(Rates::of_all((200 << 30) - 1)), 2);
    let others = [(2, 10 << 30), (4, 1)].into();
    let rates = Rates { usual: 200 << 30, others };
    assert_eq!(summary(rates.clone()), 10);
    let mut out = Vec::new();
    report(&snapshot, rates).write(false, Output::Table, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let expected = "3 moves, 300 GiB to copy in 10 s at least, at 200 GiB a second but for some \
                    brokers\n";
    assert!(text.contains(expected), "{text}");
}
