//! Processes: run to their end, or served by for a while.
//!
//! Must always hold: a process that was started here is gone, and reaped, when its value is
//! dropped, or a signal ends the rig; it is ended by its own id.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use logboom_compare::pause;

use crate::ending;
use crate::options::own_dir;

/// How often a process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long a stop may take before it is a kill.
const STOP_MAX: Duration = Duration::from_secs(60);
/// How many characters of a log an error tells.
const TAIL_CHARACTERS: usize = 1_200;

/// A process that runs until it is stopped, with its output in a file.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Server {
    /// Starts it.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn spawn(name: &str, command: &mut Command, log: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("start {name}: {error}");
        let output = File::options().create(true).append(true).open(log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = ending::spawn(command).map_err(failed)?;
        Ok(Self { child, name: name.to_owned(), log: log.to_owned() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error that says why it has ended, if it has.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.explain(&format!("ended: {status}"))),
            Err(error) => Err(self.explain(&error.to_string())),
        }
    }

    /// `what` with the name and the end of the log.
    pub(crate) fn explain(&self, what: &str) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let skipped = log.chars().count().saturating_sub(TAIL_CHARACTERS);
        let tail: String = log.chars().skip(skipped).collect();
        format!("{}: {what}; its log ends with\n{tail}", self.name)
    }

    /// Asks it to end and waits.
    ///
    /// # Errors
    /// If it had to be killed.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        self.signal(Signal::SIGTERM);
        let since = Instant::now();
        while since.elapsed() < STOP_MAX {
            match self.child.try_wait() {
                Ok(None) => pause(LOOK_EVERY),
                // A JVM that a signal ends says so by its number.
                Ok(Some(status)) if status.success() || status.code() == Some(128 + 15) => {
                    return Ok(());
                }
                Ok(Some(status)) => return Err(self.explain(&format!("stopped: {status}"))),
                Err(error) => return Err(self.explain(&error.to_string())),
            }
        }
        Err(self.explain("doesn't stop"))
    }

    /// Ends it as kill -9 does.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Sends a signal, as long as it runs.
    pub(crate) fn signal(&mut self, signal: Signal) {
        // Its number can't be another process's before it is waited for.
        if let (Ok(None), Ok(pid)) = (self.child.try_wait(), i32::try_from(self.child.id())) {
            kill(Pid::from_raw(pid), signal).ok();
        }
    }

    /// Waits for it to end by itself.
    ///
    /// # Errors
    /// If it doesn't within `most`.
    pub(crate) fn wait(&mut self, most: Duration) -> Result<(), String> {
        let since = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if since.elapsed() > most {
                return Err(self.explain("doesn't end"));
            }
            pause(LOOK_EVERY);
        }
        Ok(())
    }

    fn end(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a command to its end and returns what it wrote to standard output.
///
/// # Errors
/// How it ended with what it said, or that it took longer than `most`.
pub(crate) fn output(command: &mut Command, most: Duration) -> Result<String, String> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    let failed = |error: std::io::Error| format!("{name}: {error}");
    let dir = own_dir().join("output");
    fs::create_dir_all(&dir).map_err(failed)?;
    // Files, not pipes: nobody has to read while it runs.
    let (out, log) = (dir.join("out"), dir.join("log"));
    drop(fs::remove_file(&log));
    let errors = File::create(&log).map_err(failed)?;
    command.stdin(Stdio::null()).stdout(File::create(&out).map_err(failed)?).stderr(errors);
    let child = ending::spawn(command).map_err(failed)?;
    let mut running = Server { child, name: name.clone(), log };
    running.wait(most)?;
    let status = running.child.wait().map_err(failed)?;
    let text = fs::read_to_string(&out).map_err(failed)?;
    if status.success() {
        return Ok(text);
    }
    Err(format!("{}{}", running.explain(&status.to_string()), text.trim_end()))
}
