//! The rig: starts the brokers that are compared, loads them in turn, and writes the report.
//!
//! `cargo xtask compare` runs it. What is measured is said by the files of `benches/scenarios`; the
//! method is in `benches/README.md`. Each finished cell is kept, so that a run that was interrupted
//! goes on where it was.
//!
//! Must always hold: all systems of a scenario meet the same client with the same settings, in
//! turn, in one run; whatever was started is ended.

mod bench;
mod cells;
mod ending;
mod load;
mod machine;
mod operations;
mod options;
mod probe;
mod process;
mod profile;
mod report;
mod run;
mod scenario;
mod systems;

use std::cell::Cell;
use std::fs::File;
use std::process::ExitCode;

use cells::Cells;
use options::{Options, own_dir, root};
use report::say;
use run::Rig;
use scenario::Scenario;
use systems::{Jars, our_binary};

fn main() -> ExitCode {
    if std::env::args().any(|word| word == "--help") {
        say(options::USAGE);
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(std::env::args().skip(1).collect()) {
        Ok(options) => options,
        Err(error) => {
            say(&format!("compare: {error}"));
            return ExitCode::from(2);
        }
    };
    match compare(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("compare: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), String> {
    let scenarios_dir = root().join("benches/scenarios");
    let wanted = Scenario::load(&scenarios_dir, options)?;
    if !our_binary().exists() {
        return Err(format!("{} is to be built first", our_binary().display()));
    }
    ending::on_signals()?;
    let _alone = alone()?;
    let jars = Jars::fetched()?;
    let quick = if options.quick { "-quick" } else { "" };
    let dir = own_dir().join("cells").join(format!("{}{quick}", machine::commit()));
    let cells = Cells::open(dir, options.fresh)?;
    std::fs::create_dir_all(options.data_dir()).map_err(|error| error.to_string())?;
    let facts = cells.facts(|| machine::facts(&jars, &options.data_dir()))?;
    say(&format!("{facts:#}\ncells in {}", cells.dir().display()));
    if options.bench {
        machine::touch(&options.data_dir(), options.touch_gib)?;
        return bench::run(options, &jars, &wanted);
    }
    let rig = Rig { options, jars: &jars, cells: &cells, failures: Cell::new(0) };
    if !options.report_only {
        machine::touch(&options.data_dir(), options.touch_gib)?;
    }
    if let Some(system) = options.profile {
        return wanted.iter().try_for_each(|scenario| rig.profile(scenario, system));
    }
    if !options.report_only {
        wanted.iter().try_for_each(|scenario| rig.run(scenario))?;
    }
    // The report is of all cells that are there, whichever run made them.
    let all = Scenario::load(&scenarios_dir, &options.of_all_scenarios())?;
    // Small sizes are no figures to keep.
    let path =
        if options.quick { own_dir().join("report-quick") } else { root().join("benches/report") };
    report::write(&path, &facts, options, &all, &cells)?;
    match rig.failures.get() {
        0 => Ok(()),
        failures => {
            Err(format!("{failures} times a system couldn't be measured; the report says why"))
        }
    }
}

/// A lock that keeps a second rig from the same directories, until it is dropped.
fn alone() -> Result<File, String> {
    let path = own_dir().join("lock");
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = File::create(&path).map_err(|error| failed(&error))?;
    file.try_lock().map_err(|error| failed(&error))?;
    Ok(file)
}
