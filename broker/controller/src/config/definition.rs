//! What a configuration may be set to.

use alloc::string::ToString as _;
use core::fmt;

use logboom_protocol::CompactString;

/// The types, with their numbers in DescribeConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigType {
    /// `true` or `false`, in letters of any case.
    Boolean = 1,
    /// Text.
    String = 2,
    /// 32 bits, signed.
    Int = 3,
    /// 16 bits, signed.
    Short = 4,
    /// 64 bits, signed.
    Long = 5,
    /// A number with a fraction.
    Double = 6,
    /// Texts, separated by commas.
    List = 7,
}

/// Which values of its type a configuration takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// All of them.
    Any,
    /// Integers from here on.
    AtLeast(i64),
    /// Integers from the first to the second, both included.
    Between(i64, i64),
    /// Fractions from 0 to 1, both included.
    Ratio,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// Lists of these texts, the empty list too.
    ListOf(&'static [&'static str]),
    /// 1 to 9, or −1 for the codec's own default.
    GzipLevel,
    /// `*`, or pairs `PARTITION:BROKER`.
    ThrottledReplicas,
    /// Pairs `PROPERTY=PATTERN`, whose property is one of these.
    Matches(&'static [&'static str]),
}

/// One configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Definition {
    /// The key.
    pub name: &'static str,
    /// The type of its values.
    pub config_type: ConfigType,
    /// The value where nobody sets one; `None` is unset.
    pub default: Option<&'static str>,
    /// Which values it takes.
    pub rule: Rule,
    /// What it does and when to change it, for people.
    pub documentation: &'static str,
}

/// A configuration of a topic or a group that brokers may set for all of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layered {
    /// The configuration.
    pub definition: Definition,
    /// The broker's names of it, the one that wins first.
    pub synonyms: &'static [Synonym],
}

/// A broker's name of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synonym {
    /// The broker's key.
    pub name: &'static str,
    /// By what a value there is to be multiplied: the broker counts hours where the topic counts
    /// milliseconds.
    pub factor: i64,
}

/// Why a value is not taken.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigError {
    /// No configuration has that name.
    Unknown {
        /// The name given.
        name: CompactString,
    },
    /// The value is not of the type.
    Type {
        /// The key.
        name: &'static str,
        /// The value given.
        value: CompactString,
        /// The type.
        config_type: ConfigType,
    },
    /// The value breaks the rule.
    Rule {
        /// The key.
        name: &'static str,
        /// The value given.
        value: CompactString,
        /// The rule.
        rule: Rule,
    },
    /// It has no effect where a broker starts from.
    NotInFile {
        /// The key.
        name: &'static str,
        /// For whom it is set.
        whom: &'static str,
        /// The command that does it.
        by: &'static str,
    },
}

impl Definition {
    /// Whether `value` may be set.
    ///
    /// # Errors
    /// [`ConfigError::Type`] or [`ConfigError::Rule`].
    pub fn check(&self, value: &str) -> Result<(), ConfigError> {
        let Self { name, config_type, rule, .. } = *self;
        if !config_type.has(value.trim()) {
            return Err(ConfigError::Type { name, value: value.into(), config_type });
        }
        if !rule.allows(value.trim()) {
            return Err(ConfigError::Rule { name, value: value.into(), rule });
        }
        Ok(())
    }
}

impl Synonym {
    /// What the broker's value is in the unit of the topic or group.
    #[must_use]
    pub fn convert(&self, value: &str) -> CompactString {
        match value.trim().parse::<i64>() {
            // Below 0 is no time but "never".
            Ok(number) if self.factor != 1 && number >= 0 => {
                number.saturating_mul(self.factor).to_string().into()
            }
            _ => value.into(),
        }
    }
}

impl ConfigType {
    /// The number in DescribeConfigs.
    #[must_use]
    pub const fn to_wire(self) -> i8 {
        self as i8
    }

    fn has(self, value: &str) -> bool {
        match self {
            Self::Boolean => {
                value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false")
            }
            Self::Int => value.parse::<i32>().is_ok(),
            Self::Short => value.parse::<i16>().is_ok(),
            Self::Long => value.parse::<i64>().is_ok(),
            Self::Double => value.parse::<f64>().is_ok(),
            Self::String | Self::List => true,
        }
    }
}

impl fmt::Display for ConfigType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "true or false",
            Self::String => "a text",
            Self::Int => "an integer of 32 bits",
            Self::Short => "an integer of 16 bits",
            Self::Long => "an integer of 64 bits",
            Self::Double => "a number",
            Self::List => "a list",
        })
    }
}

/// The elements of a list: what stands between commas, without what is empty.
pub(crate) fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|element| !element.is_empty())
}

impl Rule {
    fn allows(self, value: &str) -> bool {
        let integer_in =
            |least, most| value.parse::<i64>().is_ok_and(|number| (least..=most).contains(&number));
        match self {
            Self::Any => true,
            Self::AtLeast(least) => integer_in(least, i64::MAX),
            Self::Between(least, most) => integer_in(least, most),
            Self::Ratio => value.parse::<f64>().is_ok_and(|ratio| (0.0..=1.0).contains(&ratio)),
            Self::OneOf(names) => names.contains(&value),
            Self::ListOf(names) => elements(value).all(|element| names.contains(&element)),
            Self::GzipLevel => value == "-1" || integer_in(1, 9),
            Self::ThrottledReplicas => value == "*" || elements(value).all(is_replica),
            Self::Matches(properties) => elements(value).all(|element| {
                element.split_once('=').is_some_and(|(property, pattern)| {
                    properties.contains(&property.trim()) && !pattern.trim().is_empty()
                })
            }),
        }
    }
}

fn is_replica(element: &str) -> bool {
    let is_number =
        |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    element.split_once(':').is_some_and(|(partition, id)| is_number(partition) && is_number(id))
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("anything"),
            Self::AtLeast(least) => write!(f, "at least {least}"),
            Self::Between(least, most) => write!(f, "{least} to {most}"),
            Self::Ratio => f.write_str("0 to 1"),
            Self::OneOf(names) => write!(f, "one of {}", names.join(", ")),
            Self::ListOf(names) => write!(f, "a list of {}", names.join(", ")),
            Self::GzipLevel => f.write_str("1 to 9, or -1"),
            Self::ThrottledReplicas => f.write_str("*, or pairs PARTITION:BROKER"),
            Self::Matches(properties) => {
                write!(f, "pairs PROPERTY=PATTERN with one of {}", properties.join(", "))
            }
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(f, "unknown configuration {name}"),
            Self::Type { name, value, config_type } => {
                write!(f, "{name}={value}: must be {config_type}")
            }
            Self::Rule { name, value, rule } => write!(f, "{name}={value}: must be {rule}"),
            Self::NotInFile { name, whom, by } => {
                write!(f, "{name} has no effect here: it is set for {whom}, by `{by}`")
            }
        }
    }
}

impl core::error::Error for ConfigError {}
