//! Our schema files against the message specifications inside the jar, field by field.
//!
//! Both are written as lines of one form and compared as text:
//! `PATH TYPE VERSIONS [null VERSIONS] [tag N] [= DEFAULT] [ignorable]`, where the path leads
//! through the names of fields. The names of structs are ours and no matter.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use logboom_tests::foreign;
use logboom_tests::random::apis;

use serde_json::{Map, Value};

use xtask::schema::{Field, Literal, Message, Scalar, Type, Versions};

/// What a field of a specification may say; anything else would be a rule that we don't check.
const FIELD_KEYS: &[&str] = &[
    "about",
    "default",
    "entityType",
    "fields",
    "ignorable",
    "mapKey",
    "name",
    "nullableVersions",
    "tag",
    "taggedVersions",
    "type",
    "versions",
    "zeroCopy",
];

/// Tags from this one on are of our own fields.
const OWN_TAGS_FROM: u32 = 10_000;
/// What stands for the name of a struct.
const STRUCT: &str = "{}";

#[test]
fn schema_files_say_what_the_specifications_say() {
    let Some(java) = super::reference("the schema files") else { return };
    let dir = foreign::scratch("specs");
    foreign::printed(java.command("Reference").arg("specs").arg(&dir));
    let mut fields = 0;
    for api in apis() {
        // The request says it for both.
        let request = specification(&dir, &api.request.name);
        let unstable = request.get("latestVersionUnstable") == Some(&Value::Bool(true));
        for (kind, message) in [("request", &api.request), ("response", &api.response)] {
            let spec = specification(&dir, &message.name);
            assert_eq!(spec["apiKey"], api.key, "{}", message.name);
            assert_eq!(spec["type"], kind, "{}", message.name);
            let (ours, theirs) = (our_lines(message), Spec::new(&spec, unstable).lines());
            fields += theirs.len();
            let differ = ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs);
            let differ: Vec<_> = differ.collect();
            assert!(differ.is_empty(), "{}: {differ:#?}", message.name);
            assert_eq!(ours.len(), theirs.len(), "{}", message.name);
        }
    }
    fs::remove_dir_all(dir).unwrap();
    assert!(fields > 800, "only {fields} fields were compared");
}

/// A specification, without the comments that its JSON has.
fn specification(dir: &Path, message: &str) -> Map<String, Value> {
    let path = dir.join(format!("{message}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{message}: {e}"));
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let json: Value = serde_json::from_str(&lines.collect::<Vec<_>>().join("\n")).unwrap();
    json.as_object().unwrap().clone()
}

fn our_lines(message: &Message) -> Vec<String> {
    let mut lines = vec![head(message.versions, message.flexible_from)];
    our_struct(message, &message.name, "", message.versions, &mut lines);
    lines
}

/// Adds the fields of the struct `name`, which stands at `path` in the versions `outer`.
fn our_struct(message: &Message, name: &str, path: &str, outer: Versions, lines: &mut Vec<String>) {
    let is_kafkas = |field: &&Field| field.tag.is_none_or(|tag| tag < OWN_TAGS_FROM);
    for field in message.find(name).fields.iter().filter(is_kafkas) {
        let Some(versions) = both(field.versions, outer) else { continue };
        let line = our_line(path, versions, outer, field);
        lines.push(line.text(outer));
        let mut kind = &field.kind;
        while let Type::Array(element) = kind {
            kind = element;
        }
        if let Type::Struct(name) = kind {
            our_struct(message, name, &line.path, versions, lines);
        }
    }
}

fn our_line(path: &str, versions: Versions, outer: Versions, field: &Field) -> Line {
    let default = match field.default {
        Literal::Natural => None,
        Literal::Null => Some("null".to_owned()),
        Literal::True => Some("true".to_owned()),
        Literal::Number(number) => Some(number.to_string()),
    };
    Line {
        path: format!("{path}.{}", field.name),
        kind: type_name(&field.kind),
        versions,
        nullable: field.nullable.and_then(|nullable| both(nullable, outer)),
        tag: field.tag,
        default,
        ignorable: field.ignorable,
    }
}

fn type_name(kind: &Type) -> String {
    match kind {
        Type::Struct(_) => STRUCT.to_owned(),
        Type::Array(element) => format!("[]{}", type_name(element)),
        Type::Scalar(scalar) => {
            let named = Scalar::ALL.iter().find(|(one, _)| one == scalar);
            named.expect("all scalars have names").1.to_owned()
        }
    }
}

fn head(versions: Versions, flexible_from: Option<i16>) -> String {
    format!("versions {versions}, flexible from {flexible_from:?}")
}

/// What is compared of a field.
struct Line {
    path: String,
    kind: String,
    versions: Versions,
    nullable: Option<Versions>,
    tag: Option<u32>,
    default: Option<String>,
    ignorable: bool,
}

impl Line {
    /// - `outer`: the versions in which the struct occurs.
    fn text(&self, outer: Versions) -> String {
        let mut text = format!("{} {} {}", self.path, self.kind, self.versions);
        if let Some(nullable) = self.nullable {
            text += &format!(" null {nullable}");
        }
        if let Some(tag) = self.tag {
            text += &format!(" tag {tag}");
        }
        if let Some(default) = &self.default {
            text += &format!(" = {default}");
        }
        // A field that is in all versions of its struct is never lost.
        if self.ignorable && self.versions != outer {
            text += " ignorable";
        }
        text
    }
}

/// A specification on its way to lines.
struct Spec<'a> {
    versions: Versions,
    flexible_from: Option<i16>,
    fields: &'a Value,
    /// Structs that several fields share, with their fields.
    common: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Spec<'a> {
    /// - `unstable`: whether the last version is not to be spoken yet.
    fn new(json: &'a Map<String, Value>, unstable: bool) -> Self {
        let mut versions = range(text(&json["validVersions"])).expect("not none");
        if unstable {
            versions.max -= 1;
        }
        let flexible = range(text(&json["flexibleVersions"]));
        let flexible = flexible.and_then(|flexible| both(flexible, versions));
        let common = json.get("commonStructs").and_then(Value::as_array).into_iter().flatten();
        Self {
            versions,
            flexible_from: flexible.map(|flexible| flexible.min),
            fields: &json["fields"],
            common: common.map(|one| (text(&one["name"]), &one["fields"])).collect(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![head(self.versions, self.flexible_from)];
        self.walk("", self.fields, self.versions, &mut lines);
        lines
    }

    /// Adds the fields of a struct that stands at `path` in the versions `outer`.
    fn walk(&self, path: &str, fields: &'a Value, outer: Versions, lines: &mut Vec<String>) {
        for field in fields.as_array().expect("a list of fields") {
            let name = text(&field["type"]).trim_start_matches("[]");
            let inner = field.get("fields").or_else(|| self.common.get(name).copied());
            let Some(line) = line(path, field, inner.is_some(), outer) else { continue };
            lines.push(line.text(outer));
            if let Some(inner) = inner {
                self.walk(&line.path, inner, line.versions, lines);
            }
        }
    }
}

/// `None` for a field of versions that are gone.
fn line(path: &str, field: &Value, is_struct: bool, outer: Versions) -> Option<Line> {
    let members = field.as_object().expect("a field is an object");
    let strange = members.keys().find(|key| !FIELD_KEYS.contains(&key.as_str()));
    assert_eq!(strange, None, "{path}: {field}");
    let clipped = |key| members.get(key).and_then(|v| both(range(text(v))?, outer));
    let versions = clipped("versions")?;
    let tag = members.get("tag").map(|tag| u32::try_from(tag.as_u64().unwrap()).unwrap());
    assert_eq!(clipped("taggedVersions"), tag.map(|_| versions), "{path}: {field}");
    let name = snake(text(&field["name"]));
    Some(Line {
        kind: kind(text(&field["type"]), is_struct, &name),
        path: format!("{path}.{name}"),
        versions,
        nullable: clipped("nullableVersions").and_then(|nullable| both(nullable, versions)),
        tag,
        default: members.get("default").and_then(default),
        ignorable: members.get("ignorable") == Some(&Value::Bool(true)),
    })
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// `3`, `3-7` or `3+`; nothing for `none`.
fn range(text: &str) -> Option<Versions> {
    let number = |text: &str| text.parse::<i16>().expect("a version");
    if text == "none" {
        return None;
    }
    Some(match (text.strip_suffix('+'), text.split_once('-')) {
        (Some(min), _) => Versions { min: number(min), max: i16::MAX },
        (None, Some((min, max))) => Versions { min: number(min), max: number(max) },
        (None, None) => Versions { min: number(text), max: number(text) },
    })
}

fn both(one: Versions, other: Versions) -> Option<Versions> {
    let range = Versions { min: one.min.max(other.min), max: one.max.min(other.max) };
    (range.min <= range.max).then_some(range)
}

/// Our name of a type of theirs; error codes have one of their own.
fn kind(theirs: &str, is_struct: bool, field: &str) -> String {
    if let Some(element) = theirs.strip_prefix("[]") {
        return format!("[]{}", kind(element, is_struct, ""));
    }
    match theirs {
        _ if is_struct => STRUCT,
        "int8" => "i8",
        "int16" if field.ends_with("error_code") => "error",
        "int16" => "i16",
        "int32" => "i32",
        "int64" => "i64",
        "uint16" => "u16",
        "uint32" => "u32",
        "float64" => "f64",
        same => same,
    }
    .to_owned()
}

/// `LeaderId` and `leaderId` are `leader_id` here.
fn snake(theirs: &str) -> String {
    let mut ours = String::new();
    for letter in theirs.chars() {
        if letter.is_ascii_uppercase() && !ours.is_empty() {
            ours.push('_');
        }
        ours.push(letter.to_ascii_lowercase());
    }
    ours
}

/// A default that is not the natural one, as our schema writes it.
fn default(theirs: &Value) -> Option<String> {
    let text = match theirs {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let number = match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).expect("a number").to_string(),
        None => text,
    };
    (!matches!(number.as_str(), "" | "0" | "false")).then_some(number)
}
