//! The example that docs/balancing.md works by hand.

use std::format;
use std::string::String;

use crate::resource::Resource;
use crate::snapshot::Snapshot;
use crate::{Move, MoveKind, Options, Rule, bound, plan};

/// The page, whose numbers are compared with what the code says.
const PAGE: &str = include_str!("../../../../../docs/balancing.md");

/// The first block of the page that begins so.
fn block(begin: &str) -> String {
    let from = PAGE.find(begin).unwrap_or_else(|| panic!("{begin}: not in docs/balancing.md"));
    PAGE[from..]
        .lines()
        .take_while(|line| !line.starts_with("```"))
        .map(|it| format!("{it}\n"))
        .collect()
}

/// A row of the page's table of costs, without blanks.
fn has_row(cells: &[&str]) -> bool {
    let row = |line: &str| line.trim_matches('|').split('|').map(|it| it.trim().into()).collect();
    PAGE.lines().any(|line| {
        let found: alloc::vec::Vec<String> = row(line);
        found.iter().map(String::as_str).eq(cells.iter().copied())
    })
}

#[test]
fn the_example_of_the_docs_is_what_the_plan_says() {
    let snapshot = Snapshot::parse(&block("snapshot 1")).unwrap();
    let options = Options::default();
    assert_eq!(bound(&snapshot, &options).worst.ppm, 400_000);
    let made = plan(&snapshot, &options);
    let [one]: [Move; 1] = made.moves.try_into().unwrap();
    assert_eq!((one.partition, one.from, one.to), (0, 1, 3));
    assert_eq!((one.kind, one.rule), (MoveKind::Replica { leads: false }, Rule::Skew));
    assert_eq!((one.resource, one.bytes), (Some(Resource::DiskBytes), 200));
    let other = one.alternative.unwrap();
    let thousands = |cost: i64| match cost {
        0 => "0".into(),
        cost => format!(
            "{}{},{:03}",
            if cost < 0 { "−" } else { "+" },
            cost.abs() / 1000,
            cost.abs() % 1000
        ),
    };
    assert!(has_row(&["t-0 to 3", &thousands(one.cost)]), "{}", one.cost);
    assert_eq!(other.to, 2);
    assert!(has_row(&["t-0 to 2", &thousands(other.cost)]), "{}", other.cost);
    let [before, after] = made.worst.map(|it| it.unwrap().1.ppm);
    assert_eq!((before, after), (600_000, 400_000));
}
