//! The `write` function of a struct.

use std::fmt::Write as _;

use super::names::{self, ident};
use crate::schema::{Field, Message, Scalar, Struct, Type, Versions};

/// `write`, with the indentation left to rustfmt.
pub(super) fn function(message: &Message, one: &Struct) -> String {
    let mut code = String::new();
    let flexible = names::flexible(message, one);
    if let ("flexible", Some(from)) = (flexible, message.flexible_from) {
        let _ = writeln!(code, "let flexible = version >= {from};");
    }
    for field in one.fields.iter().filter(|field| field.tag.is_none()) {
        let value = present(one, field, flexible);
        let test = names::version_test(field.versions, one.versions);
        guarded(&mut code, one, field, test.as_deref(), &value);
    }
    let tagged: Vec<&Field> = one.fields.iter().filter(|field| field.tag.is_some()).collect();
    for field in &tagged {
        // A tagged field is written below; here only what a version without it would lose.
        if let Some(test) = names::version_test_not(field.versions, one.versions)
            && !field.ignorable
        {
            let _ = writeln!(
                code,
                "if {test} && {} {{ return Err(Fault::NotInVersion).at(\"{}.{}\"); }}",
                names::is_set(field),
                one.name,
                field.name
            );
        }
    }
    match flexible {
        "true" => tagged_section(&mut code, message, one, &tagged),
        "flexible" => {
            code.push_str("if flexible {\n");
            tagged_section(&mut code, message, one, &tagged);
            code.push_str("}\n");
        }
        _ => {}
    }
    code.push_str("Ok(())\n");
    code
}

/// Writes the field where its version has it; refuses a value that would be lost elsewhere.
fn guarded(code: &mut String, one: &Struct, field: &Field, test: Option<&str>, value: &str) {
    let Some(test) = test else {
        code.push_str(value);
        return;
    };
    let _ = writeln!(code, "if {test} {{\n{value}}}");
    if !field.ignorable {
        let _ = writeln!(
            code,
            "else if {} {{ return Err(Fault::NotInVersion).at(\"{}.{}\"); }}",
            names::is_set(field),
            one.name,
            field.name
        );
    }
}

fn tagged_section(code: &mut String, message: &Message, one: &Struct, tagged: &[&Field]) {
    if tagged.is_empty() {
        code.push_str("w.uvarint(0);\n");
        return;
    }
    let from = message.flexible_from.unwrap_or_default().max(one.versions.min);
    let outer = Versions { min: from, max: one.versions.max };
    let condition = |field: &Field| match names::version_test(field.versions, outer) {
        Some(test) => format!("{test} && {}", names::is_set(field)),
        None => names::is_set(field),
    };
    let terms: Vec<String> =
        tagged.iter().map(|field| format!("u32::from({})", condition(field))).collect();
    let _ = writeln!(code, "w.uvarint({});", terms.join(" + "));
    for field in tagged {
        let tag = field.tag.unwrap_or_default();
        let value = present(one, field, "true");
        let _ = writeln!(
            code,
            "if {} {{ w.tagged_field({tag}, |w| {{ {value} Ok(()) }})?; }}",
            condition(field)
        );
    }
}

/// Statements that write a field that the version has.
fn present(one: &Struct, field: &Field, flexible: &str) -> String {
    let path = format!("{}.{}", one.name, field.name);
    let name = format!("self.{}", ident(&field.name));
    let Some(versions) = field.nullable else {
        return plain(field, &path, &name, &format!("&{name}"), flexible);
    };
    match names::version_test(versions, field.versions) {
        None => nullable(field, &path, &name, flexible),
        Some(test) => format!(
            "if {test} {{ {} }} else {{
                let value = {name}.as_ref().ok_or(Fault::Null).at(\"{path}\")?;
                {}
            }}\n",
            nullable(field, &path, &name, flexible),
            plain(field, &path, "value", "value", flexible)
        ),
    }
}

/// A value that is not null: `name` by value, `lent` by reference.
fn plain(field: &Field, path: &str, name: &str, lent: &str, flexible: &str) -> String {
    match &field.kind {
        Type::Scalar(scalar @ (Scalar::String | Scalar::Bytes | Scalar::Records)) => {
            format!("w.{}({lent}, {flexible}).at(\"{path}\")?;\n", names::method(*scalar))
        }
        Type::Scalar(scalar) => format!("w.{}({name});\n", names::method(*scalar)),
        Type::Struct(_) => format!("{name}.write(w, version).at(\"{path}\")?;\n"),
        Type::Array(element) => format!(
            "w.array({lent}, {flexible}, {}).at(\"{path}\")?;\n",
            element_writer(element, flexible)
        ),
    }
}

fn nullable(field: &Field, path: &str, name: &str, flexible: &str) -> String {
    match &field.kind {
        Type::Scalar(scalar @ (Scalar::String | Scalar::Bytes | Scalar::Records)) => format!(
            "w.nullable_{}({name}.as_deref(), {flexible}).at(\"{path}\")?;\n",
            names::method(*scalar)
        ),
        Type::Scalar(_) => unreachable!("the protocol has no nullable numbers"),
        Type::Struct(_) => format!(
            "w.nullable_struct({name}.as_ref(), |w, value| value.write(w, version))\
             .at(\"{path}\")?;\n"
        ),
        Type::Array(element) => format!(
            "w.nullable_array({name}.as_deref(), {flexible}, {}).at(\"{path}\")?;\n",
            element_writer(element, flexible)
        ),
    }
}

fn element_writer(element: &Type, flexible: &str) -> String {
    match element {
        Type::Scalar(scalar @ (Scalar::String | Scalar::Bytes | Scalar::Records)) => {
            format!("|w, one| Ok(w.{}(one, {flexible})?)", names::method(*scalar))
        }
        Type::Scalar(scalar) => {
            format!("|w, one| {{ w.{}(*one); Ok(()) }}", names::method(*scalar))
        }
        Type::Struct(_) => "|w, one| one.write(w, version)".to_owned(),
        Type::Array(_) => unreachable!("the protocol has no arrays of arrays"),
    }
}
