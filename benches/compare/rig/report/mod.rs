//! The report: all cells that are there, as a page and as JSON beside it.

mod figures;
mod operations;
mod page;

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Value, json};

use figures::{Row, rows};

pub(crate) use page::head;

use crate::cells::Cells;
use crate::load;
use crate::options::Options;
use crate::scenario::{Kind, Scenario};
use crate::systems::System;

/// A scenario with what came of it.
pub(crate) struct Section<'a> {
    scenario: &'a Scenario,
    /// Of each system that has results.
    rows: Vec<Row>,
    /// Why the others have none.
    missing: Vec<(System, String)>,
    /// All repetitions, for the JSON.
    results: Value,
}

/// Writes `PATH.md` and `PATH.json`.
///
/// # Errors
/// What can't be written.
pub(crate) fn write(
    path: &Path,
    facts: &Value,
    options: &Options,
    scenarios: &[Scenario],
    cells: &Cells,
) -> Result<(), String> {
    let was_tried = |scenario: &&Scenario| cells.dir().join(scenario.key()).exists();
    let tried = scenarios.iter().filter(was_tried);
    let sections: Vec<Section<'_>> = tried.map(|scenario| section(scenario, cells)).collect();
    let page = page::render(facts, options, &sections);
    let all = json!({
        "facts": facts,
        "options": options.words,
        "repetitions": options.repetitions,
        "scenarios": sections.iter().map(|section| json!({
            "scenario": section.scenario,
            "rows": section.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "missing": section.missing,
            "results": section.results,
        })).collect::<Vec<_>>(),
    });
    for (ending, text) in [("md", page), ("json", format!("{all:#}\n"))] {
        let path = path.with_extension(ending);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        say(&format!("written: {}", path.display()));
    }
    Ok(())
}

fn section<'a>(scenario: &'a Scenario, cells: &Cells) -> Section<'a> {
    let systems = System::ALL.into_iter().filter(|system| scenario.systems.contains(system));
    let results: Vec<(System, Vec<Value>)> =
        systems.map(|system| (system, cells.all(scenario, system))).collect();
    let missing = results.iter().filter(|(_, repetitions)| repetitions.is_empty());
    let missing = missing.map(|(system, _)| {
        let excluded = load::excluded(scenario, *system).map(str::to_owned);
        let reason = excluded.or_else(|| cells.error(scenario, *system));
        (*system, reason.unwrap_or_else(|| "wasn't measured".into()))
    });
    let rows = if scenario.kind == Kind::Operations { Vec::new() } else { rows(&results) };
    let missing = missing.collect();
    let results = results.iter().map(|(system, all)| (system.to_string(), json!(all)));
    Section { scenario, rows, missing, results: Value::Object(results.collect()) }
}

/// A line of progress. Nobody has to read it.
pub(crate) fn say(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}
