//! Where a broker's processor time goes, by `perf`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::options::own_dir;
use crate::process::{Server, output};
use crate::systems::Running;

/// Samples a second: no divisor of any timer's frequency.
const FREQUENCY: &str = "499";
/// How long perf may take to write what it has.
const WRITE_MAX: Duration = Duration::from_secs(60);
/// How long unwinding all samples may take.
const SCRIPT_MAX: Duration = Duration::from_secs(600);

/// A recording that goes on.
pub(crate) struct Recording {
    perf: Server,
    data: PathBuf,
}

impl Recording {
    /// Begins to record a system.
    ///
    /// # Errors
    /// Why perf doesn't start.
    pub(crate) fn start(scenario: &str, running: &Running) -> Result<Self, String> {
        let dir = own_dir().join("profiles");
        fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let data = dir.join(format!("{scenario}-{}.data", running.system));
        let mut command = Command::new("perf");
        // A virtual machine may have no counters; the clock is everywhere.
        command.args(["record", "--event", "cpu-clock", "--freq", FREQUENCY]);
        // Release builds have no frame pointers.
        command.args(["--call-graph", "dwarf,16384", "--pid", &running.server.pid().to_string()]);
        command.arg("--output").arg(&data);
        let perf = Server::spawn("perf", &mut command, &data.with_extension("log"))?;
        Ok(Self { perf, data })
    }

    /// Ends it, and writes the samples as text for a flame graph; returns where they are.
    ///
    /// # Errors
    /// What perf says.
    pub(crate) fn finish(mut self) -> Result<String, String> {
        self.perf.check()?;
        self.perf.signal(Signal::SIGINT);
        self.perf.wait(WRITE_MAX)?;
        let text = self.data.with_extension("perf");
        let mut script = Command::new("perf");
        script.args(["script", "--no-inline", "--input"]).arg(&self.data);
        let samples = output(&mut script, SCRIPT_MAX)?;
        fs::write(&text, samples).map_err(|error| format!("{}: {error}", text.display()))?;
        Ok(format!("samples in {}", text.display()))
    }
}
