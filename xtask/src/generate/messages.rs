//! The modules of the messages: one per API, and the enums over all of them.

use std::fmt::Write as _;

use super::names::{self, ident};
use super::{decode, encode};
use crate::schema::{Api, Field, Literal, Message, Struct, Type, Versions};

/// The field of responses by which brokers slow clients down.
const THROTTLE_TIME: &str = "throttle_time_ms";

const HEAD: &str = "// Written by `cargo xtask generate` from protocol/schema; do not edit.\n\n";

/// `generated/mod.rs`.
pub(super) fn root() -> String {
    format!(
        "{HEAD}//! Written by `cargo xtask generate`; see [`crate::messages`].\n\n\
         pub(crate) mod api_key;\npub(crate) mod messages;\n"
    )
}

/// `generated/messages/mod.rs`.
pub(super) fn index(apis: &[Api]) -> String {
    let mut code = HEAD.to_owned();
    code.push_str("//! All requests and responses, and enums over them.\n\n");
    for api in apis {
        let _ = writeln!(code, "pub mod {};", api.file);
    }
    code.push_str(
        "\nuse bytes::{Bytes, BytesMut};\n\n\
         use crate::{ApiKey, DecodeError, EncodeError, Message as _};\n",
    );
    enum_over(&mut code, apis, "RequestBody", "request", |api| &api.request);
    enum_over(&mut code, apis, "ResponseBody", "response", |api| &api.response);
    code
}

fn enum_over(
    code: &mut String,
    apis: &[Api],
    name: &str,
    noun: &str,
    pick: impl Fn(&Api) -> &Message,
) {
    let _ =
        writeln!(code, "\n/// Any {noun}.\n#[derive(Debug, Clone, PartialEq)]\npub enum {name} {{");
    for api in apis {
        let _ =
            writeln!(code, "/// [`{0}::{1}`].\n{2}({0}::{1}),", api.file, pick(api).name, api.name);
    }
    let _ = writeln!(
        code,
        "}}\n\nimpl {name} {{\n/// The API of this {noun}.\n#[must_use]\n\
         pub const fn api(&self) -> ApiKey {{\nmatch self {{"
    );
    for api in apis {
        let _ = writeln!(code, "Self::{0}(_) => ApiKey::{0},", api.name);
    }
    let _ = writeln!(
        code,
        "}}\n}}\n\n/// Reads the {noun} of `api` in `version` from a whole body.\n///\n\
         /// # Errors\n/// Any fault in the bytes, an unknown version included.\n\
         #[expect(clippy::too_many_lines, reason = \"a line an API\")]\n\
         pub fn decode(api: ApiKey, version: i16, body: &Bytes) -> Result<Self, DecodeError> {{\n\
         Ok(match api {{"
    );
    for api in apis {
        let _ = writeln!(
            code,
            "ApiKey::{0} => Self::{0}({1}::{2}::decode(body, version)?),",
            api.name,
            api.file,
            pick(api).name
        );
    }
    let _ = writeln!(
        code,
        "}})\n}}\n\n/// Appends the body in `version` to `out`.\n///\n\
         /// # Errors\n/// The field whose value `version` cannot carry.\n\
         pub fn encode(&self, out: &mut BytesMut, version: i16) -> Result<(), EncodeError> {{\n\
         match self {{"
    );
    for api in apis {
        let _ = writeln!(code, "Self::{}(body) => body.encode(out, version),", api.name);
    }
    code.push_str("}\n}\n}\n");
}

/// The module of one API.
pub(super) fn module(api: &Api) -> String {
    let mut body = String::new();
    for message in [&api.request, &api.response] {
        for one in &message.structs {
            structure(&mut body, message, one);
        }
    }
    let request = &api.request.name;
    message_impl(&mut body, api, &api.request, "Request");
    message_impl(&mut body, api, &api.response, "Response");
    let _ = writeln!(
        body,
        "\nimpl crate::Request for {request} {{\ntype Response = {};\n}}",
        api.response.name
    );
    let mut code = HEAD.to_owned();
    let _ = writeln!(code, "//! {}: {}\n", api.name, decapitalized(&api.about));
    imports(&mut code, &body);
    code + &body
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn decapitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Imports what the body names.
fn imports(code: &mut String, body: &str) {
    let external = [("Bytes", "bytes::Bytes"), ("CompactString", "compact_str::CompactString")];
    for (_, path) in external.iter().filter(|(name, _)| body.contains(name)) {
        let _ = writeln!(code, "use {path};");
    }
    code.push('\n');
    if body.contains(".at(\"") {
        code.push_str("use crate::error::At as _;\n");
    }
    if body.contains("Uuid") {
        code.push_str("use crate::units::Uuid;\n");
    }
    code.push_str("use crate::wire::{Reader, Writer};\n");
    let mut names = vec!["ApiKey", "FieldError", "MessageKind"];
    for name in ["ErrorCode", "Fault"] {
        if body.contains(name) {
            names.push(name);
        }
    }
    names.sort_unstable();
    let _ = writeln!(code, "use crate::{{{}}};", names.join(", "));
}

fn message_impl(code: &mut String, api: &Api, message: &Message, kind: &str) {
    let _ = writeln!(
        code,
        "\nimpl crate::Message for {0} {{\n\
         const API: ApiKey = ApiKey::{1};\n\
         const KIND: MessageKind = MessageKind::{kind};\n\n\
         fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {{\n\
         Self::read(reader, version)\n}}\n\n\
         fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {{\n\
         self.write(writer, version)\n}}\n",
        message.name, api.name
    );
    let whole = message.structs.iter().find(|one| one.name == message.name);
    let is_throttle = |field: &Field| field.name == THROTTLE_TIME;
    if whole.is_some_and(|whole| whole.fields.iter().any(is_throttle)) {
        let _ = writeln!(code, "fn {THROTTLE_TIME}(&self) -> i32 {{\nself.{THROTTLE_TIME}\n}}\n");
    }
    code.push_str("}\n");
}

fn structure(code: &mut String, message: &Message, one: &Struct) {
    let about = if one.name == message.name {
        format!("`{}`, {}.", one.name, versions(one.versions))
    } else {
        format!("Part of [`{}`], {}.", message.name, versions(one.versions))
    };
    let natural = one.fields.iter().all(has_natural_default);
    let derived = if natural { ", Default" } else { "" };
    let _ = writeln!(
        code,
        "\n/// {about}\n#[derive(Debug, Clone, PartialEq{derived})]\npub struct {} {{",
        one.name
    );
    for field in &one.fields {
        let _ = writeln!(
            code,
            "/// {}\npub {}: {},",
            field_doc(message, one, field),
            ident(&field.name),
            names::field_type(field)
        );
    }
    code.push_str("}\n");
    if !natural {
        let _ =
            writeln!(code, "\nimpl Default for {} {{\nfn default() -> Self {{\nSelf {{", one.name);
        for field in &one.fields {
            let _ = writeln!(code, "{}: {},", ident(&field.name), names::default_value(field));
        }
        code.push_str("}\n}\n}\n");
    }
    let read = decode::function(message, one);
    let write = encode::function(message, one);
    let _ = writeln!(
        code,
        "\nimpl {} {{\n\
         pub(crate) fn read(r: &mut Reader<'_>, {}: i16) -> Result<Self, FieldError> {{\n\
         {read}}}\n\n\
         pub(crate) fn write(&self, w: &mut Writer, {}: i16) -> Result<(), FieldError> {{\n\
         {write}}}\n}}",
        one.name,
        argument(&read),
        argument(&write),
    );
}

fn versions(range: Versions) -> String {
    let noun = if range.min == range.max { "version" } else { "versions" };
    format!("{noun} {range}")
}

/// The version's name as an argument, with an underscore where the code doesn't ask for it.
fn argument(code: &str) -> &'static str {
    let uses =
        [", version)", "&version)", "version >= ", "version <= ", "version < ", "version > "];
    if uses.iter().any(|usage| code.contains(usage)) { "version" } else { "_version" }
}

/// Whether `Default::default()` of the field's type is the field's default.
fn has_natural_default(field: &Field) -> bool {
    match field.default {
        Literal::Natural => field.nullable.is_none(),
        Literal::Null => true,
        Literal::Number(_) | Literal::True => false,
    }
}

/// One sentence or more about versions, null and default: the shape of the field.
fn field_doc(message: &Message, one: &Struct, field: &Field) -> String {
    let mut doc = match names::version_test(field.versions, one.versions) {
        None => "In all versions".to_owned(),
        Some(_) if field.versions.max == message.versions.max => {
            format!("From version {} on", field.versions.min)
        }
        Some(_) if field.versions.min == message.versions.min => {
            format!("Up to version {}", field.versions.max)
        }
        Some(_) => capitalized(&versions(field.versions)),
    };
    if let Some(tag) = field.tag {
        let _ = write!(doc, ", tag {tag}");
    }
    doc.push('.');
    if let Some(versions) = field.nullable
        && versions != field.versions
    {
        let _ = write!(doc, " Null only in versions {versions}.");
    }
    match &field.default {
        Literal::Number(number) => {
            let _ = write!(doc, " Default {number}.");
        }
        Literal::True => doc.push_str(" Default true."),
        Literal::Natural | Literal::Null => {}
    }
    if field.kind == Type::Scalar(crate::schema::Scalar::Records) {
        doc.push_str(" Record batches.");
    }
    if field.ignorable && field.versions != one.versions {
        doc.push_str(" Lost in versions without it.");
    }
    doc
}
