//! Why a configuration is not taken, and who said it.

use std::fmt;

/// Where a setting was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// In this file.
    File(String),
    /// In this variable of the environment.
    Environment(String),
    /// In this flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File(path) => f.write_str(path),
            Self::Environment(variable) => write!(f, "the environment, {variable}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// A setting that is not taken: key, value, rule, and where it was written, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// What is wrong: key, value and rule.
    pub what: String,
    /// Who said it.
    pub origin: Origin,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, whatever a value or a parser holds.
        let what = self.what.split_whitespace().collect::<Vec<_>>().join(" ");
        write!(f, "{what} (set by {})", self.origin)
    }
}

impl std::error::Error for ConfigProblem {}
