//! How the types and values of a schema are spelt in Rust.

use crate::schema::{Field, Literal, Message, Scalar, Struct, Type, Versions};

/// A field's name as an identifier.
pub(super) fn ident(name: &str) -> String {
    match name {
        "type" | "match" => format!("r#{name}"),
        _ => name.to_owned(),
    }
}

/// The type of a value that is not null.
pub(super) fn value_type(kind: &Type) -> String {
    match kind {
        Type::Scalar(scalar) => scalar_type(*scalar).to_owned(),
        Type::Struct(name) => name.clone(),
        Type::Array(element) => format!("Vec<{}>", value_type(element)),
    }
}

fn scalar_type(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool => "bool",
        Scalar::I8 => "i8",
        Scalar::I16 => "i16",
        Scalar::U16 => "u16",
        Scalar::I32 => "i32",
        Scalar::U32 => "u32",
        Scalar::I64 => "i64",
        Scalar::F64 => "f64",
        Scalar::Error => "ErrorCode",
        Scalar::Uuid => "Uuid",
        Scalar::String => "CompactString",
        Scalar::Bytes | Scalar::Records => "Bytes",
    }
}

/// The name of the methods of `Reader` and `Writer` for a scalar.
pub(super) fn method(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Records => "bytes",
        _ => Scalar::ALL.iter().find(|(s, _)| *s == scalar).map_or("", |(_, name)| name),
    }
}

/// The type of a field.
pub(super) fn field_type(field: &Field) -> String {
    let value = value_type(&field.kind);
    if field.nullable.is_some() { format!("Option<{value}>") } else { value }
}

/// The value of a field where the wire has none.
pub(super) fn default_value(field: &Field) -> String {
    let value = match (&field.default, &field.kind) {
        (Literal::Null, _) => return "None".to_owned(),
        (Literal::True, _) => "true".to_owned(),
        (Literal::Number(i64::MAX), _) => "i64::MAX".to_owned(),
        (Literal::Number(number), _) if *number == i64::from(i32::MAX) => "i32::MAX".to_owned(),
        (Literal::Number(number), _) if *number == i64::from(i32::MIN) => "i32::MIN".to_owned(),
        (Literal::Number(number), _) => number.to_string(),
        (Literal::Natural, Type::Array(_)) => "Vec::new()".to_owned(),
        (Literal::Natural, Type::Struct(name)) => format!("{name}::default()"),
        (Literal::Natural, Type::Scalar(scalar)) => match scalar {
            Scalar::Bool => "false".to_owned(),
            Scalar::F64 => "0.0".to_owned(),
            Scalar::Error => "ErrorCode::NONE".to_owned(),
            Scalar::Uuid => "Uuid::ZERO".to_owned(),
            Scalar::String => "CompactString::const_new(\"\")".to_owned(),
            Scalar::Bytes | Scalar::Records => "Bytes::new()".to_owned(),
            _ => "0".to_owned(),
        },
    };
    if field.nullable.is_some() { format!("Some({value})") } else { value }
}

/// An expression that is true where the field does not have its default.
pub(super) fn is_set(field: &Field) -> String {
    let name = format!("self.{}", ident(&field.name));
    if field.nullable.is_some() {
        return match &field.default {
            Literal::Null => format!("{name}.is_some()"),
            _ => format!("{name} != {}", default_value(field)),
        };
    }
    match (&field.default, &field.kind) {
        (Literal::True, _) => format!("!{name}"),
        (_, Type::Scalar(Scalar::Bool)) => name,
        (Literal::Natural, Type::Array(_) | Type::Scalar(Scalar::String | Scalar::Bytes)) => {
            format!("!{name}.is_empty()")
        }
        _ => format!("{name} != {}", default_value(field)),
    }
}

/// An expression that is true for the versions of `inner`, given that the version lies in
/// `outer`; `None` if that is always so.
pub(super) fn version_test(inner: Versions, outer: Versions) -> Option<String> {
    let from = inner.min > outer.min;
    let to = inner.max < outer.max;
    match (from, to) {
        (false, false) => None,
        (true, false) => Some(format!("version >= {}", inner.min)),
        (false, true) => Some(format!("version <= {}", inner.max)),
        (true, true) => Some(format!("({}..={}).contains(&version)", inner.min, inner.max)),
    }
}

/// The opposite of [`version_test`]; `None` if that is never so.
pub(super) fn version_test_not(inner: Versions, outer: Versions) -> Option<String> {
    match (inner.min > outer.min, inner.max < outer.max) {
        (false, false) => None,
        (true, false) => Some(format!("version < {}", inner.min)),
        (false, true) => Some(format!("version > {}", inner.max)),
        (true, true) => Some(format!("!({}..={}).contains(&version)", inner.min, inner.max)),
    }
}

/// The argument that tells methods whether lengths are compact: a constant, or `flexible`.
pub(super) fn flexible(message: &Message, one: &Struct) -> &'static str {
    match message.flexible_from {
        None => "false",
        Some(from) if from > one.versions.max => "false",
        Some(from) if from <= one.versions.min => "true",
        Some(_) => "flexible",
    }
}

/// The fewest bytes that a value of `kind` takes in `version`.
fn least_bytes(message: &Message, kind: &Type, version: i16) -> usize {
    let length = |bytes| if message.is_flexible(version) { 1 } else { bytes };
    match kind {
        Type::Array(_) => length(4),
        Type::Struct(name) => least_struct_bytes(message, message.find(name), version),
        Type::Scalar(scalar) => match scalar {
            Scalar::String => length(2),
            Scalar::Bytes | Scalar::Records => length(4),
            fixed => fixed.size().unwrap_or(0),
        },
    }
}

fn least_struct_bytes(message: &Message, one: &Struct, version: i16) -> usize {
    let fields = one.fields.iter().filter(|f| f.versions.contains(version) && f.tag.is_none());
    let bytes: usize = fields
        .map(|field| match &field.kind {
            Type::Struct(_) if field.is_nullable(version) => 1,
            kind => least_bytes(message, kind, version),
        })
        .sum();
    bytes + usize::from(message.is_flexible(version))
}

/// The fewest bytes of an element of `kind` in any version that `one` can have.
pub(super) fn element_min(message: &Message, versions: Versions, kind: &Type) -> usize {
    let least = versions.iter().map(|version| least_bytes(message, kind, version)).min();
    let least = least.unwrap_or(0);
    assert!(least > 0, "{}: an element of {kind:?} may take no byte at all", message.name);
    least
}
