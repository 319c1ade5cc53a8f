//! What text forms have in common: a header, then lines of words.
//!
//! In names everything but ASCII letters, digits and `._-` stands as `%` and two hexadecimal digits
//! for each byte. Empty lines and those that begin with `#` are passed over.
//!
//! Must always hold: what an error says is short, whatever the text is.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::str::{FromStr, SplitAsciiWhitespace};

use crate::resource::Resource;

/// The most characters of a word that an error repeats.
const WORD_SHOWN_MAX: usize = 40;

/// Why a text isn't what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The line, from 1 on.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl core::error::Error for ParseError {}

/// What is wrong with a line.
pub(crate) type Wrong = String;

/// Hands on every line behind the header that says something, with its number. Answers the number
/// of the last line.
///
/// - `form`: what begins with this header, for the error.
///
/// # Errors
/// Another header, or what `take` finds wrong.
pub(crate) fn read(
    text: &str,
    form: &str,
    header: &str,
    mut take: impl FnMut(usize, &str) -> Result<(), Wrong>,
) -> Result<usize, ParseError> {
    let (mut line, mut has_begun) = (0, false);
    let expected = || format!("{form} begins with `{header}`");
    for content in text.lines() {
        line += 1;
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if has_begun {
            take(line, content).map_err(|what| ParseError { line, what })?;
        } else if content == header {
            has_begun = true;
        } else {
            return Err(ParseError { line, what: expected() });
        }
    }
    let line = line.max(1);
    if has_begun { Ok(line) } else { Err(ParseError { line, what: expected() }) }
}

/// A name as one word. An empty one is `%`.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_char('%');
        }
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
                f.write_char(char::from(byte))?;
            } else {
                write!(f, "%{byte:02x}")?;
            }
        }
        Ok(())
    }
}

fn unescaped(word: &str) -> Option<String> {
    if word == "%" {
        return Some(String::new());
    }
    let mut bytes = Vec::new();
    let mut rest = word.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A word that isn't what it should be.
pub(crate) fn unexpected(what: &str, word: Option<&str>) -> Wrong {
    match word {
        None => format!("{what} is missing"),
        Some(word) => {
            let shown: String = word.chars().take(WORD_SHOWN_MAX).collect();
            format!("`{shown}` is no {what}")
        }
    }
}

pub(crate) fn number<T: FromStr>(what: &str, word: Option<&str>) -> Result<T, Wrong> {
    // `FromStr` takes a plus, which is never written.
    let digits = word.filter(|word| !word.starts_with('+'));
    digits.and_then(|word| word.parse().ok()).ok_or_else(|| unexpected(what, word))
}

/// A number of 0 or more by which something is called.
pub(crate) fn id(what: &str, word: Option<&str>) -> Result<i32, Wrong> {
    number(what, word).ok().filter(|id| *id >= 0).ok_or_else(|| unexpected(what, word))
}

pub(crate) fn name(what: &str, word: Option<&str>) -> Result<String, Wrong> {
    word.and_then(unescaped).ok_or_else(|| unexpected(what, word))
}

/// One of several, by its word.
pub(crate) fn one_of<T>(
    what: &str,
    word: Option<&str>,
    known: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Wrong> {
    word.and_then(known).ok_or_else(|| unexpected(what, word))
}

pub(crate) fn resource(word: Option<&str>) -> Result<Resource, Wrong> {
    one_of("resource", word, Resource::from_word)
}

pub(crate) fn keyword(what: &str, words: &mut SplitAsciiWhitespace<'_>) -> Result<(), Wrong> {
    match words.next() {
        Some(word) if word == what => Ok(()),
        word => Err(unexpected(&format!("`{what}`"), word)),
    }
}

pub(crate) fn end(mut words: SplitAsciiWhitespace<'_>) -> Result<(), Wrong> {
    words.next().map_or(Ok(()), |word| Err(unexpected("end of the line", Some(word))))
}
