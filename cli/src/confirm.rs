//! Asking whoever sits at the terminal before something is done.

use std::io::{self, BufRead, IsTerminal as _, Write};

/// Whether whoever sits at the terminal wants it; nobody does where there is none.
///
/// # Errors
/// Of the terminal, or of `out`, to which the question is written.
pub(crate) fn is_wanted(question: &str, out: &mut impl Write) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        writeln!(out, "nothing was done; --yes does it")?;
        return Ok(false);
    }
    is_answered_yes(question, &mut io::stdin().lock(), out)
}

fn is_answered_yes(
    question: &str,
    terminal: &mut impl BufRead,
    out: &mut impl Write,
) -> io::Result<bool> {
    write!(out, "{question} [y/N] ")?;
    out.flush()?;
    let mut line = String::new();
    terminal.read_line(&mut line)?;
    let is_yes = matches!(line.trim(), "y" | "Y" | "yes");
    if !is_yes {
        writeln!(out, "nothing was done")?;
    }
    Ok(is_yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for (line, is_yes) in
            [("y\n", true), ("yes\n", true), ("\n", false), ("", false), ("yeti\n", false)]
        {
            let mut out = Vec::new();
            let answered = is_answered_yes("Do it?", &mut line.as_bytes(), &mut out).unwrap();
            assert_eq!(answered, is_yes, "{line}");
            let out = String::from_utf8(out).unwrap();
            assert!(out.starts_with("Do it? [y/N] "), "{out}");
            assert_eq!(out.ends_with("nothing was done\n"), !is_yes, "{out}");
        }
    }
}
