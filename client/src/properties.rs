//! Settings by the names that Kafka's own clients use, as a `client.properties` file has them.
//!
//! ```text
//!   # a comment          ! one, too
//!   bootstrap.servers = a:9092,\
//!                       b:9092
//!   client.id: loader
//! ```
//!
//! Must always hold: a value that can't be read is an error that names key, value and rule; a key
//! that nobody has asked for is told by [`Properties::unused`], so that a name with a typing error
//! doesn't pass for a setting.
//!
//! Source: `java.util.Properties.load`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// Settings by name. The last value of a name counts.
///
/// Its `Debug` shows the names only: passwords are among the values.
#[derive(Clone, Default)]
pub struct Properties {
    settings: BTreeMap<String, Setting>,
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.settings.keys()).finish()
    }
}

#[derive(Clone)]
struct Setting {
    value: String,
    is_used: Cell<bool>,
}

/// Why settings can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PropertyError {
    /// A line of a file isn't one of settings.
    Line {
        /// From 1 on.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The file can't be read.
    File {
        /// As it was named.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// A value is none that the setting can have.
    Value {
        /// The setting.
        key: String,
        /// The value.
        value: String,
        /// What it has to be.
        rule: String,
    },
}

impl Properties {
    /// The settings of a text.
    ///
    /// # Errors
    /// [`PropertyError::Line`] for an escape that is none.
    pub fn parse(text: &str) -> Result<Self, PropertyError> {
        let mut properties = Self::default();
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut lines = text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let mut whole = line.trim_start().to_owned();
            if whole.is_empty() || whole.starts_with(['#', '!']) {
                continue;
            }
            while is_continued(&whole) {
                whole.pop();
                let Some((_, next)) = lines.next() else { break };
                whole.push_str(next.trim_start());
            }
            let fault =
                |reason: &str| PropertyError::Line { number: at + 1, reason: reason.into() };
            let (key, value) = split(&whole);
            properties.set(
                unescape(key).map_err(|reason| fault(&reason))?,
                unescape(value).map_err(|reason| fault(&reason))?,
            );
        }
        Ok(properties)
    }

    /// The settings of a file: UTF-8, or else ISO-8859-1, as Java has them.
    ///
    /// # Errors
    /// [`PropertyError::File`], or as [`Self::parse`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, PropertyError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| PropertyError::File {
            path: path.display().to_string(),
            reason: error.to_string(),
        })?;
        Self::parse(&text(bytes))
    }

    /// Gives a setting a value, whatever it had.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let setting = Setting { value: value.into(), is_used: Cell::new(false) };
        self.settings.insert(key.into(), setting);
    }

    /// The value of a setting without blanks around it, as the reference takes it; it counts as
    /// used.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let setting = self.settings.get(key)?;
        setting.is_used.set(true);
        Some(setting.value.trim_matches(|c| c <= ' '))
    }

    /// The value of a setting as `read` understands it.
    ///
    /// - `rule`: what the value has to be, as "a number of bytes".
    ///
    /// # Errors
    /// [`PropertyError::Value`] where `read` doesn't understand it.
    pub fn read<T>(
        &self,
        key: &str,
        rule: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, PropertyError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| PropertyError::Value {
            key: key.to_owned(),
            value: value.to_owned(),
            rule: rule.to_owned(),
        })
    }

    /// A number within `range`.
    ///
    /// # Errors
    /// [`PropertyError::Value`].
    pub fn number<T>(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<T>,
    ) -> Result<Option<T>, PropertyError>
    where
        T: FromStr + PartialOrd + fmt::Display,
    {
        let rule = format!("a number from {} to {}", range.start(), range.end());
        self.read(key, &rule, |text| text.parse().ok().filter(|number| range.contains(number)))
    }

    /// A time in milliseconds.
    ///
    /// # Errors
    /// [`PropertyError::Value`].
    pub fn millis(&self, key: &str) -> Result<Option<Duration>, PropertyError> {
        let rule = "a number of milliseconds, at least 0";
        self.read(key, rule, |text| text.parse().ok().map(Duration::from_millis))
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// [`PropertyError::Value`].
    pub fn flag(&self, key: &str) -> Result<Option<bool>, PropertyError> {
        self.read(key, "true or false", |text| text.to_ascii_lowercase().parse().ok())
    }

    /// All settings by name with their values, secrets among them; none counts as used by this.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().map(|(key, setting)| (key.as_str(), setting.value.as_str()))
    }

    /// The names of the settings that nobody has asked for.
    pub fn unused(&self) -> impl Iterator<Item = &str> {
        let unused = self.settings.iter().filter(|(_, setting)| !setting.is_used.get());
        unused.map(|(key, _)| key.as_str())
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(settings: I) -> Self {
        let mut properties = Self::default();
        settings.into_iter().for_each(|(key, value)| properties.set(key, value));
        properties
    }
}

fn text(bytes: Vec<u8>) -> String {
    // In ISO-8859-1 each byte is the character of that number.
    String::from_utf8(bytes)
        .unwrap_or_else(|e| e.as_bytes().iter().copied().map(char::from).collect())
}

/// Whether the line ends in an odd number of backslashes.
fn is_continued(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// A key ends at the first `=`, `:` or white space that no backslash stands before.
fn split(line: &str) -> (&str, &str) {
    let mut is_escaped = false;
    let end = line.find(|c: char| {
        let ends = !is_escaped && (c == '=' || c == ':' || c.is_ascii_whitespace());
        is_escaped = !is_escaped && c == '\\';
        ends
    });
    let Some(end) = end else { return (line, "") };
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start();
    (key, rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start())
}

fn unescape(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            None => {}
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => plain.push(unicode(&mut chars)?),
            Some(other) => plain.push(other),
        }
    }
    Ok(plain)
}

/// The character behind `\u`: four digits, or two times four where Java's has two parts.
fn unicode(chars: &mut std::str::Chars<'_>) -> Result<char, String> {
    let mut told = String::new();
    let mut units = Vec::new();
    loop {
        let digits: String = chars.by_ref().take(4).collect();
        told += &format!("\\u{digits}");
        let is_number = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let unit = u16::from_str_radix(&digits, 16).ok().filter(|_| is_number);
        units.push(unit.ok_or_else(|| format!("{told} is no character"))?);
        match char::decode_utf16(units.iter().copied()).next() {
            Some(Ok(one)) => return Ok(one),
            _ if units.len() == 1 && chars.as_str().starts_with("\\u") => drop(chars.nth(1)),
            _ => return Err(format!("{told} is no character")),
        }
    }
}

impl fmt::Display for PropertyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { number, reason } => write!(f, "line {number}: {reason}"),
            Self::File { path, reason } => write!(f, "{path}: {reason}"),
            Self::Value { key, value, rule } => write!(f, "{key}={value}: it has to be {rule}"),
        }
    }
}

impl std::error::Error for PropertyError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Vec<(String, String)> {
        let properties = Properties::parse(text).unwrap();
        properties.settings.into_iter().map(|(key, setting)| (key, setting.value)).collect()
    }

    fn setting(text: &str) -> (String, String) {
        let [setting] = settings(text).try_into().unwrap();
        setting
    }

    fn is(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn a_file_is_read_as_java_reads_it() {
        assert_eq!(setting("a.b=c"), is("a.b", "c"));
        assert_eq!(setting("  a.b : c d "), is("a.b", "c d "), "blanks behind a value are its own");
        assert_eq!(setting("a b=c"), is("a", "b=c"), "a blank ends a key, too");
        assert_eq!(setting("a"), is("a", ""));
        assert_eq!(setting("a=b\\\n   c"), is("a", "bc"), "a line goes on");
        assert_eq!(setting("a=b\\"), is("a", "b"), "where nothing follows");
        assert_eq!(setting(r"a=c:\\d\\"), is("a", r"c:\d\"));
        assert_eq!(setting(r"a\=b\ c=\u00e9\t\q"), is("a=b c", "é\tq"));
        assert_eq!(settings("# a=b\n\n ! c=d\r\n"), []);
        assert_eq!(setting("a=1\r\na=2\ra=3"), is("a", "3"), "the last one counts");
        assert_eq!(setting("a=b\\\r\n  c"), is("a", "bc"));
        assert_eq!(setting(r"a=\ud83d\ude00"), is("a", "😀"), "in two parts");
    }

    #[test]
    fn an_escape_that_is_none_is_named_by_its_line() {
        for text in ["a=b\nc=\\u12", "a=b\nc=\\u12x4", "a=b\nc=\\ud800", "a=b\nc=\\u+041"] {
            let error = Properties::parse(text).unwrap_err();
            assert!(error.to_string().starts_with("line 2: \\u"), "{error}");
        }
    }

    #[test]
    fn a_value_that_is_none_is_named_with_its_rule() {
        let properties: Properties =
            [("a", "9"), ("b", "x"), ("c", "-1"), ("d", " TRUE ")].into_iter().collect();
        assert_eq!(properties.number("a", 0..=9), Ok(Some(9)));
        let error = properties.number("a", 0..=8).unwrap_err();
        assert_eq!(error.to_string(), "a=9: it has to be a number from 0 to 8");
        assert!(properties.flag("b").is_err());
        assert!(properties.millis("c").is_err());
        assert_eq!(properties.flag("d"), Ok(Some(true)));
        assert_eq!(properties.flag("e"), Ok(None));
    }

    #[test]
    fn blanks_around_a_value_are_none_of_it() {
        let properties = Properties::parse("group.id=billing \t\nclient.rack=\\ r\u{a0}").unwrap();
        assert_eq!(properties.get("group.id"), Some("billing"));
        assert_eq!(properties.get("client.rack"), Some("r\u{a0}"), "as Java trims");
    }

    #[test]
    fn a_file_in_an_older_encoding_is_read() {
        assert_eq!(text(b"# f\xfcr\na=\xe9".to_vec()), "# f\u{fc}r\na=\u{e9}");
        assert_eq!(text("a=\u{e9}".as_bytes().to_vec()), "a=\u{e9}");
    }

    #[test]
    fn what_is_secret_isn_t_shown() {
        let properties: Properties = [("sasl.password", "hunter2")].into_iter().collect();
        assert_eq!(format!("{properties:?}"), "{\"sasl.password\"}");
    }

    #[test]
    fn settings_that_nobody_asked_for_are_told() {
        let properties: Properties = [("linger.ms", "5"), ("lingerms", "6")].into_iter().collect();
        assert_eq!(
            properties.settings().collect::<Vec<_>>(),
            [("linger.ms", "5"), ("lingerms", "6")]
        );
        assert_eq!(properties.unused().count(), 2);
        properties.millis("linger.ms").unwrap();
        assert_eq!(properties.unused().collect::<Vec<_>>(), ["lingerms"]);
    }
}
