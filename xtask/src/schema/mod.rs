//! The schema language of the wire messages: what `protocol/schema/*.txt` says, as values.
//!
//! One file per API, a request and a response in each. `docs/protocol.md` describes the language;
//! the parser is in `parse.rs`. Nothing here knows Rust code or bytes: the generator
//! ([`crate::generate`]) turns a schema into code, and the tests turn it into random messages.

mod parse;

use std::fmt;
use std::path::Path;

/// An inclusive range of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The oldest.
    pub min: i16,
    /// The newest.
    pub max: i16,
}

impl Versions {
    /// Whether `version` lies in the range.
    pub fn contains(self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }

    /// Whether every version of `other` lies in the range.
    pub fn covers(self, other: Self) -> bool {
        self.min <= other.min && other.max <= self.max
    }

    /// All versions, oldest first.
    pub fn iter(self) -> impl Iterator<Item = i16> {
        self.min..=self.max
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            write!(f, "{}", self.min)
        } else {
            write!(f, "{}-{}", self.min, self.max)
        }
    }
}

/// A schema file: one API.
#[derive(Debug, Clone)]
pub struct Api {
    /// What the API does, from the comment at the top of its file.
    pub about: String,
    /// The number that stands in request headers.
    pub key: i16,
    /// Kafka's name of the API, such as `ListOffsets`.
    pub name: String,
    /// The name of its file without ending, such as `list_offsets`.
    pub file: String,
    /// What clients send.
    pub request: Message,
    /// What brokers answer; always in the same versions as the request.
    pub response: Message,
}

/// A request or a response.
#[derive(Debug, Clone)]
pub struct Message {
    /// Kafka's name, such as `ListOffsetsRequest`.
    pub name: String,
    /// The versions that we speak.
    pub versions: Versions,
    /// The first version with compact lengths and tagged fields (KIP-482), if there is one.
    pub flexible_from: Option<i16>,
    /// The message itself comes first, then the structs inside it in the order of their mention.
    pub structs: Vec<Struct>,
}

impl Message {
    /// The struct of that name.
    pub fn find(&self, name: &str) -> &Struct {
        self.structs.iter().find(|s| s.name == name).expect("the parser checked all names")
    }

    /// Whether `version` has compact lengths and tagged fields.
    pub fn is_flexible(&self, version: i16) -> bool {
        self.flexible_from.is_some_and(|from| version >= from)
    }
}

/// A group of fields that follow each other on the wire.
#[derive(Debug, Clone)]
pub struct Struct {
    /// Its name, unique in its file.
    pub name: String,
    /// The versions in which it can occur.
    pub versions: Versions,
    /// Its fields in the order of the wire; tagged ones travel behind the others.
    pub fields: Vec<Field>,
}

/// One field of a struct.
#[derive(Debug, Clone)]
pub struct Field {
    /// In snake case.
    pub name: String,
    /// The type of its value.
    pub kind: Type,
    /// The versions that have it, all within those of its struct.
    pub versions: Versions,
    /// The versions in which it may be null.
    pub nullable: Option<Versions>,
    /// Its number among the tagged fields, if it is one.
    pub tag: Option<u32>,
    /// The value that it has where the wire has none.
    pub default: Literal,
    /// Whether a version that lacks the field may lose a value silently.
    pub ignorable: bool,
}

impl Field {
    /// Whether null can be told from a value in `version`.
    pub fn is_nullable(&self, version: i16) -> bool {
        self.nullable.is_some_and(|versions| versions.contains(version))
    }
}

/// The type of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// A value without parts.
    Scalar(Scalar),
    /// A struct of the same message, by name.
    Struct(String),
    /// Any number of elements.
    Array(Box<Type>),
}

/// A value without parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    /// One byte, 0 or 1.
    Bool,
    /// A signed byte.
    I8,
    /// Two bytes, signed.
    I16,
    /// Two bytes, unsigned.
    U16,
    /// Four bytes, signed.
    I32,
    /// Four bytes, unsigned.
    U32,
    /// Eight bytes, signed.
    I64,
    /// Eight bytes, IEEE 754.
    F64,
    /// Two bytes: a code of the protocol's error table.
    Error,
    /// Sixteen bytes.
    Uuid,
    /// Length and UTF-8.
    String,
    /// Length and bytes.
    Bytes,
    /// Length and record batches.
    Records,
}

impl Scalar {
    /// All scalars with their names in schema files.
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::Bool, "bool"),
        (Self::I8, "i8"),
        (Self::I16, "i16"),
        (Self::U16, "u16"),
        (Self::I32, "i32"),
        (Self::U32, "u32"),
        (Self::I64, "i64"),
        (Self::F64, "f64"),
        (Self::Error, "error"),
        (Self::Uuid, "uuid"),
        (Self::String, "string"),
        (Self::Bytes, "bytes"),
        (Self::Records, "records"),
    ];

    /// Bytes on the wire, or `None` if that depends on the value.
    pub fn size(self) -> Option<usize> {
        match self {
            Self::Bool | Self::I8 => Some(1),
            Self::I16 | Self::U16 | Self::Error => Some(2),
            Self::I32 | Self::U32 => Some(4),
            Self::I64 | Self::F64 => Some(8),
            Self::Uuid => Some(16),
            Self::String | Self::Bytes | Self::Records => None,
        }
    }
}

/// A default value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// Zero, false, empty, or a struct of defaults.
    Natural,
    /// Null.
    Null,
    /// A number.
    Number(i64),
    /// `true`.
    True,
}

/// Something that a schema file may not say.
#[derive(Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Reads every schema file of `dir`, in the order of the API keys.
///
/// # Errors
/// A file that cannot be read or says something wrong, with its name.
pub fn load(dir: &Path) -> Result<Vec<Api>, String> {
    let mut apis = Vec::new();
    let entries = std::fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    for entry in entries {
        let path = entry.map_err(|e| format!("{}: {e}", dir.display()))?.path();
        if path.extension().is_none_or(|ending| ending != "txt") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text =
            std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let api = parse::parse(&name, &text).map_err(|e| format!("{}: {e}", path.display()))?;
        apis.push(api);
    }
    apis.sort_by_key(|api| api.key);
    if let Some(pair) = apis.windows(2).find(|pair| pair[0].key == pair[1].key) {
        return Err(format!("{} and {} share key {}", pair[0].name, pair[1].name, pair[0].key));
    }
    Ok(apis)
}
