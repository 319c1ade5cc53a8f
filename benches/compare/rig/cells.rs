//! Finished cells (a scenario, a system, a repetition), a file each, so that a run can be resumed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::scenario::Scenario;
use crate::systems::System;

/// The directory of the cells of one commit.
#[derive(Debug)]
pub(crate) struct Cells {
    dir: PathBuf,
}

impl Cells {
    /// Opens a directory, which need not be there.
    ///
    /// # Errors
    /// What is there and can't be forgotten.
    pub(crate) fn open(dir: PathBuf, fresh: bool) -> Result<Self, String> {
        if fresh && dir.exists() {
            fs::remove_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        }
        Ok(Self { dir })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the first run said of the machine; `now` if this is the first.
    ///
    /// # Errors
    /// Why it can't be kept.
    pub(crate) fn facts(&self, now: impl FnOnce() -> Value) -> Result<Value, String> {
        let path = self.dir.join("facts.json");
        let kept = fs::read_to_string(&path).ok();
        if let Some(facts) = kept.and_then(|text| serde_json::from_str(&text).ok()) {
            return Ok(facts);
        }
        let facts = now();
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        fs::create_dir_all(&self.dir).map_err(failed)?;
        fs::write(&path, format!("{facts:#}\n")).map_err(failed)?;
        Ok(facts)
    }

    /// The result of a cell, if it was finished.
    pub(crate) fn get(&self, scenario: &Scenario, system: System, number: usize) -> Option<Value> {
        let text = fs::read_to_string(self.path(scenario, &format!("{system}-{number}.json")));
        serde_json::from_str(&text.ok()?).ok()
    }

    /// All results of a system, in the order of their repetitions.
    pub(crate) fn all(&self, scenario: &Scenario, system: System) -> Vec<Value> {
        (0..).map_while(|number| self.get(scenario, system, number)).collect()
    }

    /// Keeps the result of a cell.
    ///
    /// # Errors
    /// Why it can't be kept.
    pub(crate) fn put(
        &self,
        scenario: &Scenario,
        system: System,
        number: usize,
        result: &Value,
    ) -> Result<(), String> {
        drop(fs::remove_file(self.path(scenario, &format!("{system}.error"))));
        self.write(scenario, &format!("{system}-{number}.json"), &format!("{result:#}\n"))
    }

    /// Keeps the reason why a system has no result; it is tried again by the next run.
    ///
    /// # Errors
    /// Why it can't be kept.
    pub(crate) fn put_error(
        &self,
        scenario: &Scenario,
        system: System,
        error: &str,
    ) -> Result<(), String> {
        self.write(scenario, &format!("{system}.error"), error)
    }

    /// Why a system has no result.
    pub(crate) fn error(&self, scenario: &Scenario, system: System) -> Option<String> {
        fs::read_to_string(self.path(scenario, &format!("{system}.error"))).ok()
    }

    fn path(&self, scenario: &Scenario, file: &str) -> PathBuf {
        self.dir.join(scenario.key()).join(file)
    }

    fn write(&self, scenario: &Scenario, file: &str, text: &str) -> Result<(), String> {
        let path = self.path(scenario, file);
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        fs::create_dir_all(self.dir.join(scenario.key())).map_err(failed)?;
        // A file is there as a whole or not at all.
        let unfinished = path.with_extension("unfinished");
        fs::write(&unfinished, text).map_err(failed)?;
        fs::rename(&unfinished, &path).map_err(failed)
    }
}
