//! How far a long command has come, for a person who waits for it.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often the line is written anew.
const INTERVAL: Duration = Duration::from_millis(200);

/// A line on stderr, if that is a terminal; else nothing.
#[derive(Debug)]
pub(crate) struct Progress {
    /// When the line was last written; `None` where there is none to write.
    last: Option<Instant>,
    shown: bool,
}

impl Progress {
    /// - `wanted`: whether nothing else is written to the terminal meanwhile.
    pub(crate) fn new(wanted: bool) -> Self {
        let last = (wanted && io::stderr().is_terminal()).then(Instant::now);
        Self { last, shown: false }
    }

    /// Shows a text in place of the last one, unless that is very new.
    pub(crate) fn show(&mut self, text: impl FnOnce() -> String) {
        let Some(last) = self.last.filter(|last| last.elapsed() >= INTERVAL) else { return };
        // Nobody is harmed if the terminal doesn't take it.
        write!(io::stderr(), "\r\x1b[K{}", text()).ok();
        self.shown = true;
        self.last = Some(last + last.elapsed());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            write!(io::stderr(), "\r\x1b[K").ok();
        }
    }
}
