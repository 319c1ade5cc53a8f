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

use page::{Row, Tools};

use crate::load;
use crate::machine;
use crate::options::{Options, own_dir, root};
use crate::process::output;
use crate::report::say;
use crate::scenario::{Client, Kind, Scenario};
use crate::systems::{Cluster, Jars, Running, System, our_binary};

/// Nodes of the clusters.
const NODES: [usize; 2] = [1, 3];
/// Repetitions, from which intervals come.
const REPETITIONS: usize = 5;
/// How long each is, and what is read, at the most: there are many of them.
const SECONDS: f64 = 3.0;
const FILL_BYTES: u64 = 600_000_000;
/// The same of what is rehearsed before each scenario.
const REHEARSAL_SECONDS: f64 = 3.0;
const REHEARSAL_BYTES: u64 = 300_000_000;
/// How long new clusters are loaded first: a JVM compiles meanwhile.
const WARMING_SECONDS: f64 = 12.0;
/// How long one run may take.
const RUN_MAX: Duration = Duration::from_secs(600);
/// With which the discard broker is loaded.
const OF_TOOLS: [&str; 2] = ["produce-1k-8", "produce-100b"];

/// Measures all, and writes `benches/bench.md`.
///
/// # Errors
/// What fails.
pub(crate) fn run(options: &Options, jars: &Jars, scenarios: &[Scenario]) -> Result<(), String> {
    let dir = own_dir().join("bench");
    fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let facts = machine::facts(jars, &options.data_dir());
    let mut tools = Vec::new();
    for scenario in scenarios.iter().filter(|it| OF_TOOLS.contains(&it.name.as_str())) {
        let running = Running::fresh(System::Discard, &options.data_dir().join("discard"), jars)?;
        let bench = Bench { nodes: 1, options, dir: dir.clone() };
        for _ in 0..REPETITIONS {
            tools.push(bench.tools(scenario, &running, jars)?);
        }
        running.end_and_remove()?;
    }
    let mut rows = Vec::new();
    for nodes in NODES {
        let bench = Bench { nodes, options, dir: dir.clone() };
        rows.extend(bench.run(jars, scenarios)?);
    }
    let quick = own_dir().join("bench-quick.md");
    let path = if options.quick { quick } else { root().join("benches/bench.md") };
    let text = page::render(&facts, options, &tools, &rows);
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    say(&format!("written: {}; runs and pages in {}", path.display(), dir.display()));
    Ok(())
}

/// Clusters of so many nodes.
struct Bench<'a> {
    nodes: usize,
    options: &'a Options,
    dir: PathBuf,
}

impl Bench<'_> {
    fn run<'a>(&self, jars: &Jars, scenarios: &'a [Scenario]) -> Result<Vec<Row<'a>>, String> {
        let data = |name: &str| self.options.data_dir().join(name);
        let ours = Cluster::fresh(false, self.nodes, &data("ours"), jars)?;
        let kafka = Cluster::fresh(true, self.nodes, &data("kafka"), jars)?;
        let is_meant = |scenario: &&Scenario| {
            scenario.client == Client::Librdkafka && scenario.kind != Kind::Operations
        };
        let meant: Vec<&Scenario> = scenarios.iter().filter(is_meant).collect();
        if let Some(scenario) = meant.first() {
            let warming = scenario.lasting(WARMING_SECONDS);
            for (system, address) in
                [(System::Kafka, kafka.address), (System::OursCached, ours.address)]
            {
                output(&mut self.command(&warming, "produce", system, address), RUN_MAX)?;
            }
        }
        let mut rows = Vec::new();
        for (scenario, kind) in meant.into_iter().flat_map(runs) {
            for system in [System::Ours, System::OursCached] {
                let Some(rival) = system.rival() else { continue };
                if ![system, rival].iter().all(|it| scenario.systems.contains(it)) {
                    continue;
                }
                let sides = [(rival, kafka.address), (system, ours.address)];
                let compared = self.pair(scenario, kind, sides);
                let said = compared.as_ref().map(|compared| compared["sentence"].to_string());
                let said = said.unwrap_or_else(String::clone);
                say(&format!("{system} of {}, {kind}, on {}: {said}", scenario.name, self.nodes));
                rows.push(Row { nodes: self.nodes, scenario, kind, ours: system, compared });
            }
        }
        ours.end_and_remove()?;
        kafka.end_and_remove()?;
        Ok(rows)
    }

    /// Loads Kafka and ours in turn, the other one first each time, and compares them. Both
    /// rehearse what is measured: a JVM compiles what it runs often.
    fn pair(
        &self,
        scenario: &Scenario,
        kind: &str,
        sides: [(System, SocketAddr); 2],
    ) -> Result<Value, String> {
        let mut runs: [Option<Value>; 2] = [None, None];
        let scenario = &scenario.at_most(SECONDS, FILL_BYTES);
        let rehearsal = scenario.at_most(REHEARSAL_SECONDS, REHEARSAL_BYTES);
        for (system, address) in sides {
            output(&mut self.command(&rehearsal, kind, system, address), RUN_MAX)?;
        }
        for number in 0..REPETITIONS {
            for turn in 0..sides.len() {
                let side = (number + turn) % sides.len();
                let (system, address) = sides[side];
                nix::unistd::sync();
                let run = self.measure(scenario, kind, system, address)?;
                match &mut runs[side] {
                    None => runs[side] = Some(run),
                    Some(all) => add_repetition(all, run)?,
                }
            }
        }
        let mut paths = Vec::new();
        for ((system, _), run) in sides.into_iter().zip(runs) {
            let path = self.file(scenario, kind, system, "json");
            fs::write(&path, run.unwrap_or_default().to_string())
                .map_err(|error| format!("{}: {error}", path.display()))?;
            paths.push(path);
        }
        let page = self.file(scenario, kind, sides[1].0, "html");
        compare(&paths, &page)
    }

    fn file(&self, scenario: &Scenario, kind: &str, system: System, ending: &str) -> PathBuf {
        self.dir.join(format!("{}-{kind}-{}-{system}.{ending}", scenario.name, self.nodes))
    }

    /// Loads the discard broker by a driver on librdkafka, then by `logboom bench`.
    fn tools<'a>(
        &self,
        scenario: &'a Scenario,
        running: &Running,
        jars: &Jars,
    ) -> Result<Tools<'a>, String> {
        let topic = "driven";
        load::create(running, scenario, topic)?;
        let driven = load::measure(running, scenario, topic, 0, jars)?;
        let path = self.file(scenario, "produce", System::Discard, "json");
        let mut command = self.command(scenario, "produce", System::Discard, running.address);
        // Any topic is there on the discard broker, with the partitions that it was made with.
        command.args(["--topic", topic, "--no-ceiling", "--save"]).arg(&path);
        output(&mut command, RUN_MAX)?;
        load::delete(running, topic)?;
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let run: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let of = |value: &Value, pointer: &str| {
            let number = value.pointer(pointer).and_then(Value::as_f64);
            number.ok_or_else(|| format!("no {pointer} in {value}"))
        };
        let first = "/repetitions/0";
        let per_million = |seconds: f64, records: f64| seconds * 1e6 / records;
        let driven_cpu = of(&driven, "/produce/client_cpu_seconds")?;
        let driven_records = of(&driven, "/produce/records")?;
        let bench_cpu = of(&run, &format!("{first}/client/cpu_seconds"))?;
        let bench_records = of(&run, &format!("{first}/produced/records"))?;
        Ok(Tools {
            scenario,
            librdkafka: [
                of(&driven, "/produce/records_per_second")?,
                per_million(driven_cpu, driven_records),
            ],
            bench: [
                of(&run, &format!("{first}/produced/records_per_second"))?,
                per_million(bench_cpu, bench_records),
            ],
        })
    }

    /// Loads a cluster once.
    fn measure(
        &self,
        scenario: &Scenario,
        kind: &str,
        system: System,
        address: SocketAddr,
    ) -> Result<Value, String> {
        let path = self.file(scenario, kind, system, "once");
        let mut command = self.command(scenario, kind, system, address);
        output(command.arg("--save").arg(&path), RUN_MAX)?;
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn command(
        &self,
        scenario: &Scenario,
        kind: &str,
        system: System,
        address: SocketAddr,
    ) -> Command {
        let mut command = Command::new(our_binary());
        command.args(["bench", kind, "--bootstrap", &address.to_string()]);
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
        match scenario.kind {
            // What is there is read to its end.
            Kind::Consume | Kind::Mixed => {
                command.args(["--fill", &scenario.fill_bytes.to_string(), "--duration", "120s"]);
            }
            Kind::Produce | Kind::Operations => {
                command.args(["--duration", &seconds(scenario.seconds)]);
            }
        }
        if let Some(rate) = scenario.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        command
    }
}

/// A scenario with each kind of run that it is made for: latencies at a rate interest whoever sends,
/// and whoever reads.
fn runs(scenario: &Scenario) -> impl Iterator<Item = (&Scenario, &'static str)> {
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
