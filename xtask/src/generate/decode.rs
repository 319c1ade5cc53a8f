//! The `read` function of a struct.

use std::fmt::Write as _;

use super::names::{self, ident};
use crate::schema::{Field, Message, Scalar, Struct, Type};

/// `read`, with the indentation left to rustfmt.
pub(super) fn function(message: &Message, one: &Struct) -> String {
    let mut code = String::new();
    let flexible = names::flexible(message, one);
    if let ("flexible", Some(from)) = (flexible, message.flexible_from) {
        let _ = writeln!(code, "let flexible = version >= {from};");
    }
    let tagged: Vec<&Field> = one.fields.iter().filter(|field| field.tag.is_some()).collect();
    let mutable = if tagged.is_empty() { "" } else { "mut " };
    let _ = writeln!(code, "let {mutable}this = Self {{");
    for field in &one.fields {
        let value = match field.tag {
            Some(_) => names::default_value(field),
            None => untagged(message, one, field, flexible),
        };
        let _ = writeln!(code, "{}: {value},", ident(&field.name));
    }
    code.push_str("};\n");
    match flexible {
        "true" => tagged_section(&mut code, message, one, &tagged),
        "flexible" => {
            code.push_str("if flexible {\n");
            tagged_section(&mut code, message, one, &tagged);
            code.push_str("}\n");
        }
        _ => {}
    }
    code.push_str("Ok(this)\n");
    code
}

fn tagged_section(code: &mut String, message: &Message, one: &Struct, tagged: &[&Field]) {
    if tagged.is_empty() {
        code.push_str("r.tagged_fields(|_, _| Ok(false))?;\n");
        return;
    }
    code.push_str("r.tagged_fields(|tag, r| {\nmatch tag {\n");
    for field in tagged {
        let tag = field.tag.unwrap_or_default();
        // Only the versions that have the field know the tag.
        let from = message.flexible_from.unwrap_or_default().max(one.versions.min);
        let outer = crate::schema::Versions { min: from, max: one.versions.max };
        let guard = match names::version_test(field.versions, outer) {
            Some(test) => format!(" if {test}"),
            None => String::new(),
        };
        let value = present(message, one, field, "true");
        let _ = writeln!(code, "{tag}{guard} => this.{} = {value},", ident(&field.name));
    }
    code.push_str("_ => return Ok(false),\n}\nOk(true)\n})?;\n");
}

fn untagged(message: &Message, one: &Struct, field: &Field, flexible: &str) -> String {
    let value = present(message, one, field, flexible);
    match names::version_test(field.versions, one.versions) {
        Some(test) => {
            format!("if {test} {{ {value} }} else {{ {} }}", names::default_value(field))
        }
        None => value,
    }
}

/// The value of a field that the version has.
fn present(message: &Message, one: &Struct, field: &Field, flexible: &str) -> String {
    let path = format!("{}.{}", one.name, field.name);
    let plain = || format!("{}.at(\"{path}\")?", call(message, field, flexible, false));
    let nullable = || format!("{}.at(\"{path}\")?", call(message, field, flexible, true));
    let Some(versions) = field.nullable else { return plain() };
    match names::version_test(versions, field.versions) {
        None => nullable(),
        Some(test) => format!("if {test} {{ {} }} else {{ Some({}) }}", nullable(), plain()),
    }
}

fn call(message: &Message, field: &Field, flexible: &str, nullable: bool) -> String {
    let prefix = if nullable { "nullable_" } else { "" };
    match &field.kind {
        Type::Scalar(Scalar::String | Scalar::Bytes | Scalar::Records) => {
            let Type::Scalar(scalar) = &field.kind else { unreachable!() };
            format!("r.{prefix}{}({flexible})", names::method(*scalar))
        }
        Type::Scalar(scalar) => format!("r.{}()", names::method(*scalar)),
        Type::Struct(name) if nullable => {
            format!("r.nullable_struct(|r| {name}::read(r, version))")
        }
        Type::Struct(name) => format!("{name}::read(r, version)"),
        Type::Array(element) => {
            let least = names::element_min(message, field.versions, element);
            format!("r.{prefix}array({flexible}, {least}, {})", element_reader(element, flexible))
        }
    }
}

fn element_reader(element: &Type, flexible: &str) -> String {
    match element {
        Type::Scalar(scalar @ (Scalar::String | Scalar::Bytes | Scalar::Records)) => {
            format!("|r| r.{}({flexible})", names::method(*scalar))
        }
        Type::Scalar(scalar) => format!("Reader::{}", names::method(*scalar)),
        Type::Struct(name) => format!("|r| {name}::read(r, version)"),
        Type::Array(_) => unreachable!("the protocol has no arrays of arrays"),
    }
}
