//! How far a run is, for a person who waits for it.

use std::io::{self, IsTerminal as _, Write as _};

/// A line on stderr, if that is a terminal; else nothing.
#[derive(Debug)]
pub(crate) struct Progress {
    is_terminal: bool,
    is_shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), is_shown: false }
    }

    /// Shows a text in place of the last one.
    pub(crate) fn show(&mut self, text: impl FnOnce() -> String) {
        if self.is_terminal {
            // Nobody is harmed if the terminal doesn't take it.
            write!(io::stderr(), "\r\x1b[K{}", text()).ok();
            self.is_shown = true;
        }
    }

    /// Takes the last text away.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            write!(io::stderr(), "\r\x1b[K").ok();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
