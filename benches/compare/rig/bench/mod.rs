//! The same comparison as an operator makes it: `logboom bench` under each scenario, on one broker
//! and on three, and what `logboom bench compare` says of Kafka's run and ours. Before that, how
//! fast it is itself: it and a driver on librdkafka load the discard broker in turn.

mod page;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use page::{Page, Row, Tools};

use crate::load;
use crate::machine;
use crate::options::{Options, own_dir, root};
use crate::process::output;
use crate::report::say;
use crate::run::reads;
use crate::scenario::{Client, Kind, Scenario};
use crate::systems::{Cluster, Jars, Running, System, our_binary};

/// Nodes of the clusters.
const NODES: [usize; 2] = [1, 3];
/// How long each repetition is, and what is read, at the most: there are many of them.
const SECONDS: f64 = 3.0;
const FILL_BYTES: u64 = 2_000_000_000;
/// How long each scenario is rehearsed, and new clusters are loaded before the first: a JVM
/// compiles meanwhile.
const REHEARSAL_SECONDS: f64 = 3.0;
const WARMING_SECONDS: f64 = 12.0;
/// What of the page cache is touched before each scenario.
const TOUCH_GIB: u32 = 2;
/// How long one run may take.
const RUN_MAX: Duration = Duration::from_secs(600);
/// With which the discard broker is loaded.
const OF_TOOLS: [&str; 2] = ["produce-1k-8", "produce-100b"];

/// Measures all, and writes `benches/bench.md` after each scenario; of some scenarios, or small
/// sizes, a page beside the runs.
///
/// # Errors
/// What fails.
pub(crate) fn run(options: &Options, jars: &Jars, scenarios: &[Scenario]) -> Result<(), String> {
    let dir = own_dir().join("bench");
    fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let is_whole = !options.quick && options.scenarios.is_empty();
    let path = if is_whole { root().join("benches/bench.md") } else { dir.join("bench.md") };
    let facts = machine::facts(jars, &options.data_dir());
    let mut page = Page { path, facts, options, tools: Vec::new(), rows: Vec::new() };
    let rig = |nodes| Bench { nodes, options, jars, dir: dir.clone() };
    for scenario in scenarios.iter().filter(|it| OF_TOOLS.contains(&it.name.as_str())) {
        rig(1).tools(scenario, &mut page)?;
    }
    NODES.into_iter().try_for_each(|nodes| rig(nodes).run(scenarios, &mut page))?;
    page.write()?;
    say(&format!("written: {}; runs and pages in {}", page.path.display(), dir.display()));
    match page.rows.iter().filter(|row| row.compared.is_err()).count() {
        0 => Ok(()),
        failures => Err(format!("{failures} comparisons failed; the page says why")),
    }
}

/// Clusters of so many nodes.
struct Bench<'a> {
    nodes: usize,
    options: &'a Options,
    jars: &'a Jars,
    dir: PathBuf,
}

/// What one side is loaded with.
struct Run<'a> {
    scenario: &'a Scenario,
    kind: &'static str,
    system: System,
    address: SocketAddr,
    topic: String,
}

impl Bench<'_> {
    fn run<'a>(&self, scenarios: &'a [Scenario], page: &mut Page<'a>) -> Result<(), String> {
        let data = |name: &str| self.options.data_dir().join(name);
        let ours = Cluster::fresh(false, self.nodes, &data("ours"), self.jars)?;
        let kafka = Cluster::fresh(true, self.nodes, &data("kafka"), self.jars)?;
        let is_meant = |scenario: &&Scenario| {
            scenario.client == Client::Librdkafka && scenario.kind != Kind::Operations
        };
        let mut is_cold = true;
        for (scenario, kind) in scenarios.iter().filter(is_meant).flat_map(kinds) {
            for system in [System::Ours, System::OursCached] {
                let Some(rival) = system.rival() else { continue };
                if ![system, rival].iter().all(|it| scenario.systems.contains(it)) {
                    continue;
                }
                let sides = [(rival, kafka.address), (system, ours.address)];
                let rehearsed = if is_cold { WARMING_SECONDS } else { REHEARSAL_SECONDS };
                is_cold = false;
                let short = scenario.at_most(SECONDS, FILL_BYTES);
                let compared = self.pair(&short, kind, sides, rehearsed);
                let said = compared.as_ref().map(|compared| compared["sentence"].to_string());
                let said = said.unwrap_or_else(String::clone);
                say(&format!("{system} of {}, {kind}, on {}: {said}", scenario.name, self.nodes));
                page.rows.push(Row { nodes: self.nodes, scenario, kind, ours: system, compared });
                page.write()?;
            }
        }
        // What was measured stands, however they end.
        let ended = [ours.end_and_remove(), kafka.end_and_remove()];
        ended.into_iter().filter_map(Result::err).for_each(|error| say(&error));
        Ok(())
    }

    /// Loads Kafka and ours in turn, the other one first each time, and compares them. Both
    /// rehearse what is measured.
    fn pair(
        &self,
        scenario: &Scenario,
        kind: &'static str,
        sides: [(System, SocketAddr); 2],
        rehearsed: f64,
    ) -> Result<Value, String> {
        let run = |(system, address): (System, SocketAddr), number: usize| {
            let part = if reads(scenario) { "read".to_owned() } else { number.to_string() };
            let topic = format!("{}-{kind}-{system}-{part}", scenario.name);
            Run { scenario, kind, system, address, topic }
        };
        if self.options.touch_gib > 0 {
            machine::touch_page_cache(&self.options.data_dir(), TOUCH_GIB)?;
        }
        let rehearsal = scenario.lasting(rehearsed);
        for side in sides {
            self.measure(&Run { scenario: &rehearsal, ..run(side, 0) })?;
        }
        let mut found: [Option<Value>; 2] = [None, None];
        for number in 0..self.options.repetitions {
            for turn in 0..sides.len() {
                let side = (number + turn) % sides.len();
                let repetition = self.measure(&run(sides[side], number + 1))?;
                match &mut found[side] {
                    None => found[side] = Some(repetition),
                    Some(all) => add_repetition(all, repetition)?,
                }
            }
        }
        let mut paths = Vec::new();
        for (side, found) in sides.into_iter().zip(found) {
            let run = run(side, 0);
            let path = self.file(&run, "json");
            fs::write(&path, found.unwrap_or_default().to_string())
                .map_err(|error| format!("{}: {error}", path.display()))?;
            paths.push(path);
        }
        let compared = compare(&paths, &self.file(&run(sides[1], 0), "html"))?;
        if reads(scenario) {
            sides.into_iter().try_for_each(|side| delete(&run(side, 0)))?;
        }
        Ok(compared)
    }

    fn file(&self, run: &Run<'_>, ending: &str) -> PathBuf {
        let Run { scenario, kind, system, .. } = run;
        self.dir.join(format!("{}-{kind}-{}-{system}.{ending}", scenario.name, self.nodes))
    }

    /// Loads the discard broker in turn by a driver on librdkafka and by `logboom bench`.
    fn tools<'a>(&self, scenario: &'a Scenario, page: &mut Page<'a>) -> Result<(), String> {
        let dir = self.options.data_dir().join("discard");
        let running = Running::fresh(System::Discard, &dir, self.jars)?;
        for number in 0..self.options.repetitions {
            let topic = format!("driven-{number}");
            load::create(&running, scenario, &topic)?;
            let driven = load::measure(&running, scenario, &topic, 0, self.jars)?;
            // Any topic is there on the discard broker, with the partitions that it was made with.
            let (kind, system, address) = ("produce", System::Discard, running.address);
            let run = self.measure(&Run { scenario, kind, system, address, topic })?;
            let of = |value: &Value, pointer: &str| {
                let number = value.pointer(pointer).and_then(Value::as_f64);
                number.ok_or_else(|| format!("no {pointer} in {value}"))
            };
            let figures = |value: &Value, rate: &str, cpu: &str, records: &str| {
                let per_million = of(value, cpu)? * 1e6 / of(value, records)?;
                Ok::<_, String>([of(value, rate)?, per_million])
            };
            page.tools.push(Tools {
                scenario,
                librdkafka: figures(
                    &driven["produce"],
                    "/records_per_second",
                    "/client_cpu_seconds",
                    "/records",
                )?,
                bench: figures(
                    &run["repetitions"][0],
                    "/produced/records_per_second",
                    "/client/cpu_seconds",
                    "/produced/records",
                )?,
            });
        }
        running.end_and_remove()
    }

    /// Loads a cluster once, with nothing left to be written by whoever came before.
    fn measure(&self, run: &Run<'_>) -> Result<Value, String> {
        let path = self.file(run, "once");
        let mut command = self.command(run);
        nix::unistd::sync();
        output(command.arg("--save").arg(&path), RUN_MAX)
            .map_err(|error| format!("{}: {error}", run.system))?;
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn command(&self, run: &Run<'_>) -> Command {
        let Run { scenario, kind, system, address, topic } = run;
        let mut command = Command::new(our_binary());
        let address = address.to_string();
        command.args(["bench", kind, "--bootstrap", &address, "--topic", topic]);
        let linger = format!("{}", scenario.linger_ms);
        let seconds = |seconds: f64| format!("{}ms", seconds * 1e3);
        let fields = [
            ("--partitions", scenario.partitions.to_string()),
            ("--replication-factor", self.nodes.to_string()),
            ("--record-bytes", scenario.record_bytes.to_string()),
            ("--entropy", scenario.entropy.to_string()),
            ("--compression", scenario.codec.clone()),
            ("--acks", scenario.acks.clone()),
            ("--linger", linger),
            ("--batch-bytes", scenario.batch_bytes.to_string()),
        ];
        command.args(fields.iter().flat_map(|(name, value)| [*name, value.as_str()]));
        for config in system.topic_config().split_terminator(',') {
            command.args(["--topic-config", config]);
        }
        if self.nodes > 1 {
            command.args(["--topic-config", "min.insync.replicas=2"]);
        }
        if scenario.kind != Kind::Consume {
            command.args(["--clients", &scenario.producers.to_string()]);
            command.args(["--warmup", &seconds(scenario.warmup_seconds)]);
        }
        if reads(scenario) {
            // What is there is read to its end; it is filled once, and read in each repetition.
            command.args(["--fill", &scenario.fill_bytes.to_string(), "--duration", "120s"]);
            command.arg("--keep-topic");
        } else {
            command.args(["--duration", &seconds(scenario.seconds)]);
        }
        if let Some(rate) = scenario.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        command
    }
}

/// Deletes what was read.
fn delete(run: &Run<'_>) -> Result<(), String> {
    let mut command = Command::new(our_binary());
    command.args(["topic", "delete", &run.topic, "--bootstrap", &run.address.to_string()]);
    output(&mut command, RUN_MAX).map(drop)
}

/// A scenario with each kind of run that it is made for: latencies at a rate interest who sends and
/// who reads.
fn kinds(scenario: &Scenario) -> impl Iterator<Item = (&Scenario, &'static str)> {
    let kinds: &[&str] = match scenario.kind {
        Kind::Consume => &["consume"],
        Kind::Mixed => &["mixed"],
        Kind::Produce if scenario.rate.is_some() => &["produce", "end-to-end"],
        Kind::Produce | Kind::Operations => &["produce"],
    };
    kinds.iter().map(move |kind| (scenario, *kind))
}

/// What `logboom bench compare` says of two runs; the page for people goes to `page`.
fn compare(runs: &[PathBuf], page: &Path) -> Result<Value, String> {
    let mut command = Command::new(our_binary());
    command.args(["bench", "compare"]).args(runs);
    command.args(["--output", "json", "--html"]).arg(page);
    let text = output(&mut command, RUN_MAX)?;
    serde_json::from_str(&text).map_err(|error| format!("compare says {text:?}: {error}"))
}

/// Adds the repetition of a run to those of others before it.
fn add_repetition(all: &mut Value, mut run: Value) -> Result<(), String> {
    let list = |run: &mut Value| run["repetitions"].as_array_mut().map(std::mem::take);
    let (Some(mut before), Some(new)) = (list(all), list(&mut run)) else {
        return Err("a run has no repetitions".to_owned());
    };
    before.extend(new);
    all["repetitions"] = before.into();
    // What spoils one spoils all.
    if run["interrupted"] == true {
        (all["interrupted"], all["failure"]) = (true.into(), run["failure"].take());
    }
    Ok(())
}
