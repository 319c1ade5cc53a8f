//! How far a run is, for a person who waits for it.

use std::io::{self, IsTerminal as _, Write as _};

use rustix::termios::tcgetwinsize;

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
            let columns = tcgetwinsize(io::stderr()).map_or(0, |size| size.ws_col);
            let text = cut(text(), columns.into());
            // Nobody is harmed if the terminal doesn't take it.
            write!(io::stderr(), "\r\x1b[K{text}").ok();
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

/// As much of a text as a terminal of so many columns shows in one line: what goes on in the next
/// one isn't taken away. 0: nobody knows how many.
fn cut(text: String, columns: usize) -> String {
    match columns {
        0 => text,
        columns => text.chars().take(columns - 1).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_line_ends_before_the_last_column() {
        let cut = |columns| cut("5 µs and more".to_owned(), columns);
        assert_eq!(
            [cut(0), cut(1), cut(5), cut(80)],
            ["5 µs and more", "", "5 µs", "5 µs and more"]
        );
    }
}
