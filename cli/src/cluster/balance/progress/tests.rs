//! What is written of a status, word for word.

use super::*;

/// A plan of which all kinds of things are under way, or can't be done.
const BUSY: &str = include_str!("../../golden/status.txt");

fn written(text: &str, output: Output) -> String {
    let mut out = Vec::new();
    write(&Status::parse(text).unwrap(), output, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn people_see_how_far_it_is() {
    let text = written(BUSY, Output::Table);
    assert_eq!(text, include_str!("../../golden/progress.txt"), "{text}");
}

#[test]
fn programs_are_told_everything_a_line_each() {
    let text = written(BUSY, Output::Json);
    assert_eq!(text, include_str!("../../golden/progress.jsonl"), "{text}");
}

#[test]
fn where_nothing_is_known_that_is_said() {
    let text = written("status 1\ncontroller 7\n", Output::Table);
    let expected = "controller: broker 7\n\
                    rules that are followed without being asked: none\n\
                    a plan of all rules: not asked for\n\
                    growth a day: not known yet\n\n\
                    nothing is being moved\n";
    assert_eq!(text, expected);
    let summary = json!({
        "kind": "summary", "controller": 7, "once": false, "triggers": [], "plan": null,
        "growth": null, "others": 0,
    });
    assert_eq!(written("status 1\ncontroller 7\n", Output::Json), format!("{summary}\n"));
}

#[test]
fn what_others_have_begun_is_told_without_a_plan() {
    let text = "status 1\ncontroller 7\nother t 1 from 1,2 to - bytes 0\n";
    let text = written(text, Output::Table);
    assert!(text.contains("\nt-1        1,2   -   0 B\n"), "{text}");
    assert!(text.ends_with("\nno plan is being carried out\n"), "{text}");
}

#[test]
fn every_stage_has_its_words() {
    let stages = [
        Stage::Done,
        Stage::UnderWay,
        Stage::Now,
        Stage::Void,
        Stage::Waits(Wait::Partition),
        Stage::Waits(Wait::Leader),
        Stage::Waits(Wait::Limit),
        Stage::Waits(Wait::Contact),
        Stage::Waits(Wait::InSync),
        Stage::Waits(Wait::Capacity(Resource::BytesIn)),
    ];
    let words = stages.map(|it| stage(it).0);
    for (place, word) in words.iter().enumerate() {
        assert!(!words[..place].contains(word), "{word}");
    }
    assert_eq!(stage(stages[9]), ("waits-for-room", Some(Resource::BytesIn)));
}
