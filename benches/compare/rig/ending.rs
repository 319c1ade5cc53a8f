//! Signals that end the rig: what it started ends with it.
//!
//! Must always hold: no process is started once the others are being ended, and none is ended that
//! isn't a child of this one.

use std::fs;
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::report::say;

/// What a shell adds to the number of a signal that ended a program.
const ENDED_BY: i32 = 128;

/// The ids of all that was started, those that have ended included.
static STARTED: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Has signals end what [`spawn`] starts, and then this process. They are handled, not blocked:
/// what is blocked stays so in children.
///
/// # Errors
/// What the system says.
pub(crate) fn on_signals() -> Result<(), String> {
    let failed = |error: std::io::Error| format!("wait for signals: {error}");
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let of = |kind| {
        let _within = runtime.enter();
        signal(kind).map_err(failed)
    };
    let mut hangup = of(SignalKind::hangup())?;
    let mut interrupt = of(SignalKind::interrupt())?;
    let mut terminate = of(SignalKind::terminate())?;
    let wait = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = hangup.recv() => end_all(Signal::SIGHUP),
                _ = interrupt.recv() => end_all(Signal::SIGINT),
                _ = terminate.recv() => end_all(Signal::SIGTERM),
            }
        });
    };
    thread::Builder::new().name("signals".into()).spawn(wait).map(drop).map_err(failed)
}

/// Starts a process, which a signal ends with this one.
///
/// # Errors
/// What the system says.
pub(crate) fn spawn(command: &mut Command) -> std::io::Result<Child> {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    let child = command.spawn()?;
    started.push(child.id());
    Ok(child)
}

fn end_all(signal: Signal) {
    // Held to the end: nothing more is started.
    let started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    for id in started.iter().copied().filter(|id| is_child(*id)) {
        if let Ok(pid) = i32::try_from(id) {
            kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
        }
    }
    say(&format!("compare: ended by {signal}; what is finished is kept"));
    std::process::exit(ENDED_BY + signal as i32);
}

/// Whether a process that was started here still has that id: it stands for another one when the
/// first is gone.
fn is_child(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // Behind the name, which may hold anything: the state, then the parent.
    let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
    parent.and_then(|parent| parent.parse().ok()) == Some(std::process::id())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{is_child, spawn};

    #[test]
    fn only_children_are_ended() {
        assert!(!is_child(1));
        assert!(!is_child(std::process::id()));
        let mut child = spawn(Command::new("sleep").arg("60")).unwrap();
        assert!(is_child(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_child(child.id()));
    }
}
