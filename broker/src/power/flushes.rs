//! Flushes taken out, each in turn: the suite has to notice.

use std::collections::BTreeMap;

use logboom_storage::sim::SyncInfo;

use super::*;

/// What a flush is about.
fn kind(sync: &SyncInfo) -> &'static str {
    let path = sync.path.to_string_lossy();
    let is_metadata = path.contains("/AAAAAAAAAAAAAAAAAAAAAQ-0");
    match &*path {
        "/" => "name of the data directory",
        "/data" => "names in the data directory",
        "/data/directory.new" => "id of the data directory",
        "/data/state" => "names in the state store",
        "/data/partitions" => "names of partitions",
        path if path.starts_with("/data/state/") => "state store",
        _ if is_metadata && sync.is_dir => "names in the metadata log",
        _ if is_metadata => "metadata log",
        _ if sync.is_dir => "names of records",
        _ => "records",
    }
}

/// One client at work, on a disk without the flush of this number, and a restart.
fn run(without: Option<usize>) -> Recorder {
    let recorder = Recorder::new(SimDisk::new(), History::default());
    without.into_iter().for_each(|count| recorder.disk.without_sync(count));
    for rounds in [9, 3] {
        let broker = start_recorded(&recorder);
        workload::sequential(broker.addresses()[0], &recorder, rounds, &mut Random(7));
        broker.stop();
    }
    recorder
}

/// A flush that was taken out, and when the power may go.
struct TakenOut {
    kind: &'static str,
    /// Its call and those around it, for a message.
    context: String,
    /// Whether something was acknowledged before the next flush of the same file or directory.
    is_relied_on: bool,
    cuts: Vec<Cut>,
}

/// Calls behind the flush that are looked at whether something was acknowledged or not.
const CALLS_AFTER: usize = 8;

impl TakenOut {
    /// What was taken out of a run, if it came so far.
    fn of(recorder: &Recorder, count: usize) -> Option<Self> {
        let kind = kind(recorder.disk.syncs().get(count)?);
        let trace = recorder.disk.trace();
        let call = |line: &str| line.split_once(": ").map(|(_, call)| call.to_owned());
        let taken_out = trace.iter().position(|line| line.ends_with(" Ignored"))?;
        let next = call(&trace[taken_out])?.replace(" Ignored", " Done");
        let (begin, later) = (taken_out + 1, &trace[taken_out + 1..]);
        let next = later.iter().position(|line| call(line).as_ref() == Some(&next));
        let end = next.map_or(trace.len(), |next| begin + next);
        let mut at = recorder.history().acked_at();
        at.retain(|at| (begin..=end).contains(at));
        let is_relied_on = !at.is_empty();
        at.extend(begin..=end.min(begin + CALLS_AFTER));
        let unflushed = [Unflushed::None, Unflushed::Seeded(1), Unflushed::Seeded(2)];
        let cuts = at
            .into_iter()
            .flat_map(|at| unflushed.clone().map(|unflushed| Cut { at, unflushed, twice: false }));
        let context = trace[taken_out.saturating_sub(4)..trace.len().min(begin + 4)].join("\n");
        Some(Self { kind, context, is_relied_on, cuts: cuts.collect() })
    }
}

/// Of the flushes of one kind that were relied on.
#[derive(Debug, Default)]
struct Tally {
    noticed: usize,
    missed: Vec<String>,
}

/// Takes every flush out in turn.
fn tally(whole: &Recorder) -> BTreeMap<&'static str, Tally> {
    let mut all: BTreeMap<&'static str, Tally> = BTreeMap::new();
    for sync in whole.disk.syncs() {
        let recorder = run(Some(sync.count));
        let Some(taken_out) = TakenOut::of(&recorder, sync.count) else { continue };
        let history = recorder.history().clone();
        let failure = try_all(&recorder.disk, &history, &taken_out.cuts);
        let tally = all.entry(taken_out.kind).or_default();
        match failure {
            Some(_) => tally.noticed += 1,
            None if taken_out.is_relied_on => tally.missed.push(taken_out.context),
            // The next flush came before anybody was told of what this one was for.
            None => {}
        }
    }
    all
}

#[test]
fn a_flush_that_is_taken_out_is_noticed() {
    let whole = run(None);
    let history = whole.history().clone();
    let at = history.acked_at().into_iter();
    let cuts = at.map(|at| Cut { at, unflushed: Unflushed::None, twice: false });
    let failure = try_all(&whole.disk, &history, &cuts.collect::<Vec<_>>());
    assert_eq!(failure, None, "it holds with all of them");
    let all = tally(&whole);
    for (kind, Tally { noticed, missed }) in &all {
        eprintln!("{kind}: {noticed} noticed, {} not", missed.len());
    }
    for kind in [
        "records",
        "names of records",
        "names of partitions",
        "metadata log",
        "names in the metadata log",
        "names in the state store",
        "id of the data directory",
    ] {
        let Tally { noticed, missed } = &all[kind];
        assert!(*noticed > 0, "{kind}");
        assert!(missed.is_empty(), "{kind}, without a failure:\n{}", missed.join("\n\n"));
    }
    // Partitions that begin and end with their topics are known from the metadata log as well; of
    // marks of a start and of a clean stop the storage's own suite says why they may go.
    let Tally { noticed, missed } = &all["state store"];
    assert!(*noticed > missed.len(), "{noticed}, but not:\n{}", missed.join("\n\n"));
}
