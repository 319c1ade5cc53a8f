//! Plan: runs with few repetitions that differ in one thing, and what is said of it.

use super::*;
use crate::latency::Percentile;
use crate::run::Flow;
use crate::run::testing::run;

fn flat_out(rates: &[u64]) -> Run {
    let mut run = run(rates, &vec![5_000; rates.len()]);
    run.settings.rate = None;
    run
}

/// With these 99th percentiles, at a rate that was reached.
fn at_rate(p99s: &[u64]) -> Run {
    let mut run = run(&vec![1_000; p99s.len()], p99s);
    run.settings.rate = Some(1_000.0);
    run
}

fn verdict(before: &[u64], after: &[u64]) -> (Verdict, String) {
    let compared = Comparison::new(&flat_out(before), &flat_out(after), 0.95).unwrap();
    (compared.verdict(), compared.sentence())
}

#[test]
fn a_verdict_is_given_where_the_whole_interval_is_on_one_side() {
    let base = [1_000, 1_010, 990];
    assert_eq!(verdict(&base, &[1_100, 1_110, 1_090]).0, Verdict::Better);
    assert_eq!(verdict(&base, &[900, 910, 890]).0, Verdict::Worse);
    // The medians differ by as much, but so do repetitions.
    let (shown, sentence) = verdict(&base, &[1_100, 1_400, 900]);
    assert_eq!(shown, Verdict::NothingShown);
    assert!(sentence.starts_with("no difference shown: records/s -"), "{sentence}");
    let (_, sentence) = verdict(&base, &[1_100, 1_110, 1_090]);
    assert!(sentence.starts_with("faster: records/s +"), "{sentence}");
}

#[test]
fn one_repetition_tells_nothing_however_great_the_difference() {
    for (before, after) in [(&[1_000][..], &[9_000][..]), (&[1_000, 1_001], &[9_000])] {
        let (shown, sentence) = verdict(before, after);
        assert_eq!(shown, Verdict::CannotTell);
        assert!(sentence.contains("--repeat"), "{sentence}");
    }
}

#[test]
fn at_a_rate_the_99th_percentile_decides_and_less_is_better() {
    let before = at_rate(&[5_000, 5_050, 4_950]);
    let after = at_rate(&[4_000, 4_050, 3_950]);
    let compared = Comparison::new(&before, &after, 0.95).unwrap();
    assert!(compared.sentence().starts_with("faster: latency p99 -"), "{}", compared.sentence());
    let back = Comparison::new(&after, &before, 0.95).unwrap();
    assert_eq!(back.verdict(), Verdict::Worse);
    let json = back.to_json();
    assert_eq!((&json["verdict"], &json["figures"][3]["main"]), (&json!("slower"), &json!(true)));
}

/// Both ways round, where the changed one looks faster.
fn with(change: impl FnOnce(&mut Run)) -> [Comparison; 2] {
    let before = at_rate(&[5_000, 5_050, 4_950]);
    let mut after = at_rate(&[4_000, 4_050, 3_950]);
    change(&mut after);
    let compared = |one, other| Comparison::new(one, other, 0.95).unwrap();
    [compared(&before, &after), compared(&after, &before)]
}

fn second(run: &mut Run) -> &mut Flow {
    run.repetitions[1].produced.as_mut().unwrap()
}

#[test]
fn who_has_left_something_undone_is_not_the_better_one() {
    let [there, back] = with(|_| ());
    assert_eq!((there.verdict(), back.verdict()), (Verdict::Better, Verdict::Worse));
    let [there, back] = with(|run| second(run).failed = 3);
    assert_eq!((there.verdict(), back.verdict()), (Verdict::CannotTell, Verdict::CannotTell));
    assert_eq!(there.doubts, ["3 records of the second run failed"]);
    let sentence = there.sentence();
    assert!(sentence.starts_with("can't tell: latency p99 -"), "{sentence}");
    assert!(sentence.ends_with(", but 3 records of the second run failed"), "{sentence}");
    assert!(back.sentence().ends_with(", but 3 records of the first run failed"));
    let [there, _] = with(|run| second(run).records_per_second = 978.0);
    assert_eq!(there.verdict(), Verdict::CannotTell);
    assert_eq!(there.doubts, ["the second run reached 978 of 1,000 records/s"]);
    let [there, _] = with(|run| second(run).records_per_second = 979.5);
    assert_eq!(there.verdict(), Verdict::Better);
    let [there, _] = with(|run| run.failure = Some("gone".to_owned()));
    assert_eq!(there.verdict(), Verdict::CannotTell);
    assert_eq!(there.doubts, ["the second run failed: gone"]);
}

#[test]
fn who_has_left_something_undone_and_is_slower_all_the_same_is_said_to_be() {
    let before = at_rate(&[5_000, 5_050, 4_950]);
    let mut after = at_rate(&[6_000, 6_050, 5_950]);
    second(&mut after).failed = 3;
    let compared = Comparison::new(&before, &after, 0.95).unwrap();
    assert_eq!(compared.verdict(), Verdict::Worse);
    assert_eq!(compared.doubts, ["3 records of the second run failed"]);
    assert!(compared.sentence().ends_with(", and 3 records of the second run failed"));
}

#[test]
fn a_second_run_that_leaves_something_undone_as_the_first_has_not_is_the_worse_one() {
    let before = at_rate(&[5_000, 5_050, 4_950]);
    let compared = |before: &Run, after: &Run| Comparison::new(before, after, 0.95).unwrap();
    assert!(!compared(&before, &before).is_worse());
    // With so many lost nobody knows the percentile.
    let mut lost = before.clone();
    for one in &mut lost.repetitions {
        let produced = one.produced.as_mut().unwrap();
        (produced.failed, produced.latency) = (300, None);
    }
    let there = compared(&before, &lost);
    assert!(there.verdict() == Verdict::CannotTell && there.is_worse());
    let sentence = "no verdict: the runs have no main figure in common, but 900 records of the \
                    second run failed";
    assert_eq!(there.sentence(), sentence);
    assert_eq!(there.to_json()["new_faults"], json!(["900 records of the second run failed"]));
    assert!(!compared(&lost, &before).is_worse(), "that is mended");
    assert!(!compared(&lost, &lost).is_worse(), "nothing is new");
    let mut gone = lost.clone();
    gone.failure = Some("gone".to_owned());
    let there = compared(&lost, &gone);
    assert!(there.is_worse() && there.sentence().ends_with("second run failed: gone"));
    let mut short = before.clone();
    second(&mut short).records_per_second = 500.0;
    assert!(compared(&before, &short).is_worse());
}

#[test]
fn latencies_of_what_was_sent_stand_for_none_of_what_was_read() {
    let mut before = at_rate(&[5_000, 5_050, 4_950]);
    for one in &mut before.repetitions {
        one.consumed = one.produced.clone();
        one.consumed.as_mut().unwrap().latency = None;
    }
    let named = |scenario| {
        let mut before = before.clone();
        before.scenario = scenario;
        let compared = Comparison::new(&before, &before, 0.95).unwrap();
        let p99 = compared.figures.iter().any(|figure| figure.name == "latency p99");
        (p99, compared.doubts.len())
    };
    assert_eq!(named(Scenario::Mixed), (true, 0));
    assert_eq!(named(Scenario::EndToEnd), (false, 2), "each run is without");
}

#[test]
fn repetitions_that_drop_out_are_named() {
    let before = at_rate(&[5_000, 5_050, 4_950]);
    let mut after = before.clone();
    let latency = after.repetitions[2].produced.as_mut().unwrap().latency.as_mut().unwrap();
    latency.percentiles.retain(|one| one.percent < 99.0);
    let compared = Comparison::new(&before, &after, 0.95).unwrap();
    assert_eq!(compared.doubts, ["1 of 3 repetitions of the second run have no latency p99"]);
}

#[test]
fn what_some_brokers_took_is_not_what_all_did() {
    let before = at_rate(&[5_000, 5_050, 4_950]);
    let is_shown = |after: &Run| {
        let compared = Comparison::new(&before, after, 0.95).unwrap();
        (compared.figures.iter().any(|figure| figure.name == "brokers' CPU"), compared.doubts)
    };
    assert_eq!(is_shown(&before), (true, Vec::new()));
    let mut after = before.clone();
    after.cluster.brokers = 3;
    let (shown, doubts) = is_shown(&after);
    let told = "the brokers' CPU isn't compared: of the second run 1 of 3 brokers was read";
    assert!(!shown && doubts.iter().any(|doubt| doubt == told), "{doubts:?}");
}

#[test]
fn a_repetition_that_was_cut_short_is_in_no_interval() {
    let before = flat_out(&[1_000, 1_010, 990]);
    let mut after = flat_out(&[1_000, 1_010, 10]);
    after.repetitions[2].is_cut_short = true;
    after.interrupted = true;
    let compared = Comparison::new(&before, &after, 0.95).unwrap();
    assert_eq!(compared.figures[0].after, [1_000.0, 1_010.0]);
    let told = "the second run was ended before its time; its last repetition doesn't count";
    assert_eq!(compared.doubts, [told]);
}

#[test]
fn of_figures_that_are_not_shown_nothing_is_said() {
    let before = at_rate(&[5_000, 5_050, 4_950]);
    let mut after = before.clone();
    let latency = after.repetitions[2].produced.as_mut().unwrap().latency.as_mut().unwrap();
    latency.percentiles.push(Percentile { percent: 99.9, us: 6_000 });
    let compared = Comparison::new(&before, &after, 0.95).unwrap();
    assert_eq!(compared.doubts, [""; 0], "the first run has none");
}

#[test]
fn a_ceiling_that_swings_is_no_doubt_and_a_run_of_no_time_is() {
    let before = flat_out(&[1_000, 1_001, 999]);
    let with = |loopbacks: [f64; 3]| {
        let mut after = before.clone();
        for (one, loopback) in after.repetitions.iter_mut().zip(loopbacks) {
            one.ceiling.as_mut().unwrap().loopback = Some(loopback);
        }
        Comparison::new(&before, &after, 0.95).unwrap().doubts
    };
    // Each median is 20 % more.
    assert_eq!(with([1.8e9, 2.4e9, 3.0e9]), [""; 0]);
    assert_eq!(with([2.16e9, 2.17e9, 2.18e9]), [""; 0], "8.5 % may be");
    let doubts = with([2.39e9, 2.4e9, 2.41e9]);
    assert_eq!(doubts.len(), 1);
    let told = "ceiling of loopback differs by +20.0 % (+18.8 % to +21.2 %)";
    assert!(doubts[0].ends_with(told), "{doubts:?}");
    let mut after = before.clone();
    after.repetitions[1].produced.as_mut().unwrap().seconds = 0.4;
    let doubts = Comparison::new(&before, &after, 0.95).unwrap().doubts;
    let told = "the second run: it was measured for too short a time for rates that mean much";
    assert_eq!(doubts, [told]);
}

#[test]
fn clusters_topics_and_settings_that_differ_are_told_and_what_older_runs_lack_is_not() {
    let mut before = flat_out(&[1_000, 1_001]);
    let mut after = before.clone();
    after.settings.topic_config = Some(vec![("retention.ms".to_owned(), "5".to_owned())]);
    after.settings.fill_bytes = Some(5);
    after.cluster.versions = vec!["0.2.0".to_owned()];
    let doubts = |before: &Run, after: &Run| Comparison::new(before, after, 0.95).unwrap().doubts;
    assert_eq!(doubts(&before, &after), [""; 0], "they aren't known");
    (before.settings.topic_config, before.settings.fill_bytes) = (Some(Vec::new()), Some(9));
    before.cluster.versions = vec!["0.1.0".to_owned()];
    after.cluster.brokers = 3;
    after.repetitions.iter_mut().for_each(|one| one.brokers.clear());
    let property = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    before.settings.properties = vec![property("linger.ms", "5"), property("acks", "1")];
    after.settings.properties =
        vec![property("linger.ms", "5"), property("bootstrap.servers", "h:1")];
    let told = [
        "the loads differ: fill_bytes was 9, then 5",
        "the loads differ: properties acks was \"1\", then null",
        "the loads differ: topic_config retention.ms was null, then \"5\"",
        "the clusters differ: brokers were 1, then 3",
        "the brokers' versions differ: 0.1.0; then 0.2.0",
    ];
    assert_eq!(doubts(&before, &after), told);
}

#[test]
fn what_else_differs_is_said_and_another_scenario_refused() {
    let before = flat_out(&[1_000, 1_001]);
    let mut after = flat_out(&[1_000, 1_001]);
    assert_eq!(Comparison::new(&before, &after, 0.95).unwrap().doubts, Vec::<String>::new());
    after.settings.partitions = 9;
    after.settings.topic = "another".to_owned();
    after.machine.host = "i".to_owned();
    after.interrupted = true;
    for (one, loopback) in after.repetitions.iter_mut().zip([1e9, 1.001e9]) {
        one.ceiling.as_mut().unwrap().loopback = Some(loopback);
    }
    let doubts = Comparison::new(&before, &after, 0.95).unwrap().doubts;
    assert_eq!(doubts.len(), 4, "{doubts:?}");
    assert_eq!(doubts[0], "the loads differ: partitions was 3, then 9");
    assert!(doubts[2].contains("loopback differs by -50.0 % (-5"), "{doubts:?}");
    after.scenario = Scenario::Consume;
    let refused = Comparison::new(&before, &after, 0.95).unwrap_err();
    assert!(refused.starts_with("produce and consume: "), "{refused}");
}
