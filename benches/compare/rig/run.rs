//! Runs a scenario: all systems started, then measured in turn, A, B, C, A, B, C.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use logboom_compare::status_kib;

use crate::cells::Cells;
use crate::load;
use crate::machine;
use crate::operations;
use crate::options::Options;
use crate::profile;
use crate::report::say;
use crate::scenario::{Kind, Scenario};
use crate::systems::{Jars, Running, System};

/// The topic that is read.
const FILLED: &str = "filled";
/// GiB of page cache that are touched before a cell that writes: more than it writes.
const CELL_GIB: u32 = 2;
/// The topic of the rehearsal.
const REHEARSAL: &str = "rehearsal";

/// What all scenarios need.
pub(crate) struct Rig<'a> {
    pub(crate) options: &'a Options,
    pub(crate) jars: &'a Jars,
    pub(crate) cells: &'a Cells,
    /// How often a system couldn't be measured.
    pub(crate) failures: Cell<usize>,
}

/// A system that is ready to be measured.
struct Ready {
    running: Running,
    /// Records of the topic that is read.
    filled: u64,
}

impl Rig<'_> {
    /// Measures the cells of a scenario that aren't finished.
    ///
    /// # Errors
    /// What concerns the rig itself. A system's failure is kept beside its cells instead.
    pub(crate) fn run(&self, scenario: &Scenario) -> Result<(), String> {
        let is_pending = |system: &System| {
            (0..self.options.repetitions)
                .any(|number| self.cells.get(scenario, *system, number).is_none())
        };
        let systems = self.systems(scenario).filter(is_pending).collect::<Vec<_>>();
        if systems.is_empty() {
            say(&format!("{}: finished before", scenario.name));
            return Ok(());
        }
        say(&format!("{}: {}", scenario.name, scenario.title));
        if scenario.kind == Kind::Operations {
            return self.operations(scenario, &systems);
        }
        // The others of the scenario run along, so that each cell has the same company.
        let mut ready = self.prepare_all(scenario, self.systems(scenario))?;
        for number in 0..self.options.repetitions {
            let mut kept = Vec::new();
            for one in ready {
                let system = one.running.system;
                if self.cells.get(scenario, system, number).is_some() {
                    kept.push(one);
                    continue;
                }
                match self.cell(scenario, &one, &format!("bench-{number}")) {
                    Ok(result) => {
                        say(&format!("  {number} {system}: {}", summary(&result)));
                        self.cells.put(scenario, system, number, &result)?;
                        kept.push(one);
                    }
                    Err(error) => self.failed(scenario, system, &error)?,
                }
            }
            ready = kept;
        }
        ready.into_iter().try_for_each(|one| one.running.end_and_remove())
    }

    /// Takes a profile of one system under a scenario; nothing is kept as a cell.
    ///
    /// # Errors
    /// What fails.
    pub(crate) fn profile(&self, scenario: &Scenario, system: System) -> Result<(), String> {
        if scenario.kind == Kind::Operations || !scenario.systems.contains(&system) {
            say(&format!("{}: not with {system}", scenario.name));
            return Ok(());
        }
        let ready = self.prepare(scenario, system)?;
        let recording = profile::Recording::start(&scenario.name, &ready.running)?;
        let result = self.cell(scenario, &ready, "profiled")?;
        let files = recording.finish()?;
        say(&format!("{}: {}; {files}", scenario.name, summary(&result)));
        ready.running.end_and_remove()
    }

    fn systems<'b>(&self, scenario: &'b Scenario) -> impl Iterator<Item = System> + use<'b, '_> {
        let options = self.options;
        let asked = move |system: &System| options.includes(*system);
        System::ALL
            .into_iter()
            .filter(|system| scenario.systems.contains(system))
            .filter(asked)
            .filter(|system| load::excluded(scenario, *system).is_none())
    }

    fn prepare_all(
        &self,
        scenario: &Scenario,
        systems: impl Iterator<Item = System>,
    ) -> Result<Vec<Ready>, String> {
        let mut ready = Vec::new();
        for system in systems {
            match self.prepare(scenario, system) {
                Ok(one) => ready.push(one),
                Err(error) => self.failed(scenario, system, &error)?,
            }
        }
        Ok(ready)
    }

    /// Starts a system on fresh data, fills what is to be read, and rehearses.
    fn prepare(&self, scenario: &Scenario, system: System) -> Result<Ready, String> {
        let dir = self.options.data_dir().join(system.name());
        let running = Running::fresh(system, &dir, self.jars)?;
        let filled = if reads(scenario) {
            load::create(&running, scenario, FILLED)?;
            load::fill(&running, scenario, FILLED)?
        } else {
            0
        };
        let ready = Ready { running, filled };
        let rehearsal = Scenario { seconds: scenario.rehearsal_seconds, ..scenario.clone() };
        self.cell(&rehearsal, &ready, REHEARSAL)?;
        Ok(ready)
    }

    /// Measures once.
    fn cell(&self, scenario: &Scenario, ready: &Ready, topic: &str) -> Result<Value, String> {
        let Ready { running, filled } = ready;
        let topic = if reads(scenario) { FILLED } else { topic };
        if !reads(scenario) {
            load::create(running, scenario, topic)?;
            if self.options.touch_gib > 0 {
                machine::touch_page_cache(&self.options.data_dir(), CELL_GIB)?;
            }
        }
        // What earlier cells wrote doesn't keep the disk busy in this one.
        nix::unistd::sync();
        let mut result = load::measure(running, scenario, topic, *filled, self.jars)?;
        let pid = running.server.pid();
        result["rss_kib"] = json!(status_kib(pid, "VmRSS"));
        result["rss_anon_kib"] = json!(status_kib(pid, "RssAnon"));
        if !reads(scenario) {
            load::delete(running, topic)?;
        }
        Ok(result)
    }

    fn operations(&self, scenario: &Scenario, systems: &[System]) -> Result<(), String> {
        for number in 0..self.options.repetitions {
            for &system in systems {
                if self.cells.get(scenario, system, number).is_some() {
                    continue;
                }
                let dir = self.options.data_dir().join(system.name());
                match operations::measure(self, scenario, system, &dir, number == 0) {
                    Ok(result) => {
                        say(&format!("  {number} {system}: {result}"));
                        self.cells.put(scenario, system, number, &result)?;
                    }
                    Err(error) => self.failed(scenario, system, &error)?,
                }
                remove(&dir)?;
            }
        }
        Ok(())
    }

    fn failed(&self, scenario: &Scenario, system: System, error: &str) -> Result<(), String> {
        say(&format!("  {system} is out: {error}"));
        self.failures.set(self.failures.get() + 1);
        self.cells.put_error(scenario, system, error)
    }
}

/// Whether a topic is read that was filled before.
pub(crate) fn reads(scenario: &Scenario) -> bool {
    matches!(scenario.kind, Kind::Consume | Kind::Mixed)
}

fn remove(dir: &Path) -> Result<(), String> {
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    }
    Ok(())
}

/// A cell in a few words.
fn summary(result: &Value) -> String {
    let number = |pointer: &str| result.pointer(pointer).and_then(Value::as_f64);
    let mut words = Vec::new();
    for what in ["produce", "consume"] {
        if let Some(bytes) = number(&format!("/{what}/bytes_per_second")) {
            words.push(format!("{what} {:.0} MB/s", bytes / 1e6));
        }
        if let Some(cpu) = number(&format!("/{what}/broker_cpu_seconds")) {
            words.push(format!("broker {cpu:.2} s"));
        }
        if let Some(p99) = number(&format!("/{what}/latency_us/p99")) {
            words.push(format!("p99 {p99:.0} µs"));
        }
    }
    words.join(", ")
}
