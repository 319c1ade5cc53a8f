//! Lines as they are typed, and what they come to.

use clap::CommandFactory as _;

use super::plan::{DURATION, WARMUP};
use super::testing::{Line, parsed};
use super::*;

#[test]
fn the_arguments_fit_together() {
    Line::command().debug_assert();
}

#[test]
fn a_load_is_taken_as_it_is_written() {
    for line in [
        "produce",
        "produce --records 1000 --clients 4 --acks 0 --compression zstd --linger 0.5",
        "produce --rate 1e4 --arrivals poisson --duration 1m --batch-bytes 64KiB",
        "produce --keys zipf:1000:0.99 --record-bytes uniform:100-2k --entropy 0.5",
        "produce --property linger.ms=3 --property acks=1 --properties f --admin h:1",
        "consume --fill 10MB --groups 3 --group g --ceiling-dir /tmp",
        "end-to-end --rate 100 --consumers 2 --warmup 0s --save a.json --html a.html",
        "mixed --rate 100 --repeat 3 --no-ceiling --output json --topic-config a=b",
        "compare a.json b.json --confidence 99 --fail-if-slower --output json",
    ] {
        let command = parsed(line);
        assert!(command.is_ok(), "{line}: {}", command.unwrap_err());
    }
}

#[test]
fn wrong_usage_is_found_before_anything_is_done() {
    for line in [
        "",
        "produce --records 0",
        "produce --records 5 --duration 5s",
        "produce --rate 0",
        "produce --rate=-1",
        "produce --rate 0.01",
        "produce --rate 1e8",
        "produce --rate nan",
        "produce --records 18446744073709551615",
        "produce --duration 8761h",
        "produce --warmup 8761h",
        "produce --interval 8761h",
        "produce --linger 3600001",
        "produce --linger=-1",
        "produce --linger nan",
        "produce --batch-bytes 101MiB",
        "produce --record-bytes 101MiB",
        "produce --record-bytes uniform:0-101MiB",
        "produce --partitions 0",
        "produce --partitions 100001",
        "produce --repeat 0",
        "produce --repeat 1001",
        "consume --fill 0",
        "consume --fill 2000000g",
        "consume --groups 513",
        "produce --arrivals poisson",
        "produce --record-bytes big",
        "produce --keys many",
        "produce --entropy 2",
        "produce --acks 2",
        "produce --duration 1ms",
        "produce --clients 0",
        "produce --clients 513",
        "produce --no-ceiling --ceiling-dir /tmp",
        "produce --group g",
        "consume --rate 5",
        "end-to-end --fill 5",
        "mixed --property k",
        "compare a.json",
        "compare a.json b.json --confidence 100",
    ] {
        let error = parsed(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
        // The option that is wrong, where one is.
        let mut words = line.split([' ', '=']).rev();
        let option = words.find(|word| word.starts_with("--")).unwrap_or_default();
        let named = if option == "--arrivals" { "--rate" } else { option };
        assert!(error.to_string().contains(named), "{line}: {error}");
    }
}

#[test]
fn options_that_do_not_go_together_are_named() {
    let checked = |line: &str| parsed(line).unwrap().plan().unwrap().check();
    for (line, named) in [
        ("consume --groups 512 --clients 2", "--groups 512 with --clients 2: at most 512"),
        ("end-to-end --groups 27 --consumers 19", "--groups 27 with --consumers 19: at most"),
        ("produce --clients 512 --partitions 513", "--clients 512 with 513 partitions: at most"),
        ("consume --record-bytes 0", "--record-bytes: "),
        ("mixed --record-bytes uniform:0-0 --records 5", "--record-bytes: "),
    ] {
        let why = checked(line).expect_err(line);
        assert!(why.starts_with(named), "{line}: {why}");
    }
    for line in [
        "consume --groups 256 --clients 2",
        "produce --clients 512 --partitions 512",
        "consume --clients 512 --partitions 100000",
        "consume --record-bytes 0 --records 5",
        "consume --record-bytes 0 --keys uniform:5",
        "consume --record-bytes uniform:0-1",
        "produce --record-bytes 0",
    ] {
        assert_eq!(checked(line), Ok(()), "{line}");
    }
}

#[test]
fn what_is_not_said_has_a_default() {
    let command = parsed("produce").unwrap();
    let plan = command.plan().unwrap();
    assert_eq!((plan.duration(), plan.warmup()), (Some(DURATION), WARMUP));
    let command = parsed("produce --records 5").unwrap();
    let plan = command.plan().unwrap();
    assert_eq!((plan.duration(), plan.warmup()), (None, Duration::ZERO));
    let command = parsed("consume --clients 3 --warmup 5s").unwrap();
    let plan = command.plan().unwrap();
    assert_eq!((plan.producers, plan.consumers, plan.group_count()), (0, 3, 1));
    assert_eq!(plan.warmup(), Duration::ZERO);
}
