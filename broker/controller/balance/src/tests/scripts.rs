//! Golden scripts: a cluster, what is asked about it, and what is said.
//!
//! A file of `scripts/golden` is named by what it shows and begins with a comment. Lines of a
//! snapshot make the cluster, a broker named again stands otherwise; other lines are commands. The
//! indented lines below a command are what came of it, and `UPDATE_GOLDENFILES=1` writes them anew.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use std::format;
use std::path::{Path, PathBuf};

use crate::resource::{Amounts, Resource};
use crate::snapshot::{Broker, Load, Snapshot};
use crate::{
    Limits, Memory, Move, MoveKind, NewTopic, Options, Outlook, Rates, Stage, Strategy, Worst,
    after, bound, capacity, hosts, next, place, plan,
};

/// How far output is indented.
const INDENT: &str = "    ";

fn files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/scripts/golden");
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.collect();
    files.sort();
    files
}

/// A cluster that is told about, and the last plan for it.
#[derive(Default)]
struct World {
    lines: Vec<String>,
    moves: Vec<Move>,
    under_way: BTreeSet<usize>,
    /// Of what was placed.
    memory: Memory,
}

impl World {
    fn line(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            ["broker", id, ..] => {
                let front = format!("broker {id} ");
                let known = self.lines.iter_mut().find(|it| format!("{it} ").starts_with(&front));
                match known {
                    Some(known) => *known = line.into(),
                    None => {
                        let brokers = self.lines.iter().filter(|it| it.starts_with("broker"));
                        self.lines.insert(brokers.count(), line.into());
                    }
                }
                Vec::new()
            }
            ["topic" | "partition", ..] => {
                self.lines.push(line.into());
                Vec::new()
            }
            ["plan"] => self.plan(),
            ["next", ref words @ ..] => self.next(words),
            ["done", place] => self.done(place.parse().unwrap()),
            ["apply"] => self.apply(),
            ["place", strategy, partitions, replicas, ref load @ ..] => {
                self.place(strategy, partitions, replicas, load)
            }
            ["capacity", ref growth @ ..] => self.capacity(growth),
            ["bound"] => {
                let bound = bound(&self.snapshot(), &Options::default());
                Vec::from([format!("worst {}, {} B", percent(&bound.worst), bound.bytes)])
            }
            _ => panic!("{line}: no such command"),
        }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::parse(&format!("snapshot 1\n{}", self.lines.join("\n"))).unwrap()
    }

    fn take(&mut self, snapshot: &Snapshot) {
        let text = snapshot.to_string();
        self.lines = text.lines().skip(1).map(String::from).collect();
    }

    fn plan(&mut self) -> Vec<String> {
        let snapshot = self.snapshot();
        let made = plan(&snapshot, &Options::default());
        let mut said: Vec<String> = made.moves.iter().map(|it| told(&snapshot, it)).collect();
        for unmet in &made.unmet {
            let name = name(&snapshot, unmet.partition);
            said.push(format!(
                "{name} stays on {}, {}: {}",
                unmet.from, unmet.rule, unmet.obstacle
            ));
        }
        let worst = made.worst.map(|worst| {
            worst.map_or("none".into(), |(id, worst)| format!("{} on {id}", percent(&worst)))
        });
        said.push(format!("worst {} → {}, {} B", worst[0], worst[1], made.bytes));
        self.moves = made.moves;
        self.under_way.clear();
        said
    }

    fn next(&mut self, words: &[&str]) -> Vec<String> {
        let mut limits = Limits { moves_per_broker: 1, moves: 2, rates: Rates::of_all(10) };
        for word in words {
            match word.split_once('=').unwrap() {
                ("per_broker", number) => limits.moves_per_broker = number.parse().unwrap(),
                ("moves", number) => limits.moves = number.parse().unwrap(),
                other => panic!("{other:?}: no such limit"),
            }
        }
        let snapshot = self.snapshot();
        let progress = next(&snapshot, &self.moves, &self.under_way, &limits);
        self.under_way.extend(progress.now());
        let stages = progress.stages.iter().zip(&self.moves).enumerate();
        let mut said: Vec<String> = stages
            .map(|(place, (stage, one))| {
                let stage = match stage {
                    Stage::Waits(wait) => format!("waits: {wait:?}"),
                    stage => format!("{stage:?}"),
                };
                format!(
                    "{place}: {} {} → {}: {stage}",
                    name(&snapshot, one.partition),
                    one.from,
                    one.to
                )
            })
            .collect();
        said.push(format!("{} B left, {} s", progress.bytes_left, progress.seconds_left));
        said
    }

    fn done(&mut self, place: usize) -> Vec<String> {
        assert!(self.under_way.remove(&place), "{place} isn't under way");
        let snapshot = after(&self.snapshot(), &[self.moves[place]]);
        self.take(&snapshot);
        Vec::new()
    }

    fn apply(&mut self) -> Vec<String> {
        let snapshot = after(&self.snapshot(), &self.moves);
        self.take(&snapshot);
        Vec::new()
    }

    fn place(
        &mut self,
        strategy: &str,
        partitions: &str,
        replicas: &str,
        load: &[&str],
    ) -> Vec<String> {
        let amount = |place: usize| load.get(place).map_or(0, |it| it.parse().unwrap());
        let topic = NewTopic {
            partitions: partitions.parse().unwrap(),
            replicas: replicas.parse().unwrap(),
            expected: Load { disk_bytes: amount(0), bytes_in: amount(1), bytes_out: amount(2) },
        };
        let strategy = match strategy {
            "weighted" => Strategy::Weighted,
            "round-robin" => Strategy::RoundRobin { start: 0 },
            "weighted-round-robin" => Strategy::WeightedRoundRobin,
            "least-loaded" => Strategy::LeastLoaded,
            "random" => Strategy::Random,
            other => panic!("{other}: no such strategy"),
        };
        match place(&mut hosts(&self.snapshot()), &topic, strategy, &mut self.memory) {
            Ok(placed) => placed.iter().map(|ids| format!("{ids:?}")).collect(),
            Err(error) => Vec::from([error.to_string()]),
        }
    }

    /// - `growth`: bytes on disk, in and out, a day.
    fn capacity(&self, growth: &[&str]) -> Vec<String> {
        let snapshot = self.snapshot();
        let mut per_day = Amounts::default();
        for (resource, word) in Resource::MEASURED[1..].iter().zip(growth) {
            per_day[*resource] = word.parse().unwrap();
        }
        let more = Broker { id: 99, rack: None, ..snapshot.brokers()[0].clone() };
        let told = capacity(&snapshot, &per_day, &more, &Options::default());
        let mut said = Vec::new();
        for broker in &told.brokers {
            for resource in Resource::MEASURED {
                let room = &broker.headroom[resource];
                let Some(left) = room.left else { continue };
                let day = room.runs_out.map_or("never".into(), days);
                let worst = Worst { resource, ppm: room.ppm };
                said.push(format!(
                    "{}: {}, {left} left, runs out {day}",
                    broker.id,
                    percent(&worst)
                ));
            }
        }
        said.push(format!("now: {}", outlook(&told.now)));
        said.push(format!("one more: {}", outlook(&told.with_one_more)));
        let lost = told.without_one.map_or("none".into(), |it| outlook(&it));
        said.push(format!("one lost: {lost}"));
        said
    }
}

fn outlook(told: &Outlook) -> String {
    let broker = told.broker.map_or(String::new(), |id| format!("broker {id}, "));
    let day = told.runs_out.map_or("never".into(), |(day, it)| format!("{} ({it})", days(day)));
    let room = if told.has_room { "" } else { ", not room for all" };
    format!("{broker}worst {}, runs out {day}{room}", percent(&told.worst))
}

fn days(hundredths: u64) -> String {
    format!("in {}.{:02} days", hundredths / 100, hundredths % 100)
}

fn percent(worst: &Worst) -> String {
    format!("{} {}", hundredths(worst.ppm), worst.resource)
}

fn hundredths(ppm: u64) -> String {
    format!("{}.{:02} %", ppm / 10_000, ppm / 100 % 100)
}

fn name(snapshot: &Snapshot, partition: usize) -> String {
    let partition = &snapshot.partitions()[partition];
    format!("{}-{}", snapshot.topics()[partition.topic as usize], partition.index)
}

/// A move as a line.
fn told(snapshot: &Snapshot, one: &Move) -> String {
    let name = name(snapshot, one.partition);
    let what = match one.kind {
        MoveKind::Replica { leads: true } => format!("{name} and its lead"),
        MoveKind::Replica { leads: false } => name,
        MoveKind::Leader => format!("lead of {name}"),
    };
    let of = one.resource.map_or(String::new(), |it| format!(" of {it}"));
    let worst = |id: i32, worst: &[Worst; 2]| {
        format!("{id} {} → {}", percent(&worst[0]), percent(&worst[1]))
    };
    let other = one
        .alternative
        .map_or("nobody else".into(), |it| format!("{} would be {}: {}", it.to, it.cost, it.why));
    let about = one.about.map_or(String::new(), |about| {
        let [from, to] = about.map(|[before, after]| {
            format!("{} → {}", hundredths(before.ppm), hundredths(after.ppm))
        });
        format!(", {from} and {to}")
    });
    format!(
        "{what} {} → {} for {}{of}{about}, {} B; {}, {}; cost {}, {other}",
        one.from,
        one.to,
        one.rule,
        one.bytes,
        worst(one.from, &one.from_worst),
        worst(one.to, &one.to_worst),
        one.cost,
    )
}

/// Runs a script; gives it with what came of its commands.
fn run(text: &str) -> String {
    let mut world = World::default();
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with(INDENT)) {
        out.push_str(line);
        out.push('\n');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        for said in world.line(line) {
            out.push_str(&format!("{INDENT}{said}\n"));
        }
    }
    out
}

#[test]
#[expect(clippy::print_stderr, reason = "a script that differs is shown")]
fn scripts_say_what_happens() {
    let is_updating = std::env::var_os("UPDATE_GOLDENFILES").is_some();
    let mut differing = Vec::new();
    let files = files();
    assert!(files.len() >= 15, "only {} scripts", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# "), "{}: the first line is a comment", file.display());
        let result = run(&text);
        if is_updating {
            std::fs::write(&file, &result).unwrap();
        } else if result != text {
            std::eprintln!("{} gives:\n{result}", file.display());
            differing.push(file);
        }
    }
    assert!(differing.is_empty(), "UPDATE_GOLDENFILES=1 writes them anew: {differing:?}");
}
