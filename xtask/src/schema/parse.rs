//! From the text of a schema file to an [`Api`].
//!
//! Two spaces of indentation are one level. A field whose type is a struct is followed by that
//! struct's fields one level deeper; `struct NAME` opens one that several fields share.
//! Must always hold: what is returned names only structs that exist, and no struct lacks fields.

use super::{Api, Field, Literal, Message, Scalar, SchemaError, Struct, Type, Versions};

type Result<T> = std::result::Result<T, SchemaError>;

fn fail<T>(line: usize, what: impl Into<String>) -> Result<T> {
    Err(SchemaError { line, what: what.into() })
}

/// A line with something on it.
struct Line<'a> {
    number: usize,
    depth: usize,
    words: Vec<&'a str>,
}

/// Parses the text of the schema file `file`.
pub(super) fn parse(file: &str, text: &str) -> Result<Api> {
    let about: Vec<&str> =
        text.lines().map_while(|line| line.strip_prefix("# ")).map(str::trim).collect();
    let all = split(text)?;
    let mut lines = Lines { lines: &all, next: 0 };
    let head = lines.take(0)?;
    let ["api", key, name] = head.words[..] else {
        return fail(head.number, "expected `api KEY NAME`");
    };
    let key = number(head.number, key)?;
    let name = name.to_owned();
    let request = message(&mut lines, "request", format!("{name}Request"))?;
    let response = message(&mut lines, "response", format!("{name}Response"))?;
    if let Some(line) = lines.peek() {
        return fail(line.number, "text behind the response");
    }
    if about.is_empty() {
        return fail(1, "a schema begins with a comment that says what the API does");
    }
    if request.versions != response.versions {
        return fail(head.number, "request and response differ in their versions");
    }
    Ok(Api { about: about.join(" "), key, name, file: file.to_owned(), request, response })
}

/// The lines that say something, without comments.
fn split(text: &str) -> Result<Vec<Line<'_>>> {
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line)) {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let spaces = line.len() - content.len();
        if spaces % 2 != 0 {
            return fail(number, "indent by two spaces");
        }
        lines.push(Line { number, depth: spaces / 2, words: content.split_whitespace().collect() });
    }
    Ok(lines)
}

struct Lines<'a> {
    lines: &'a [Line<'a>],
    next: usize,
}

impl<'a> Lines<'a> {
    fn peek(&self) -> Option<&'a Line<'a>> {
        self.lines.get(self.next)
    }

    /// The next line, which must have that depth.
    fn take(&mut self, depth: usize) -> Result<&'a Line<'a>> {
        let last = self.lines.last().map_or(1, |line| line.number);
        match self.lines.get(self.next) {
            Some(line) if line.depth == depth => {
                self.next += 1;
                Ok(line)
            }
            Some(line) => fail(line.number, format!("expected a line at depth {depth}")),
            None => fail(last, "the file ends too early"),
        }
    }

    fn at_depth(&self, depth: usize) -> bool {
        self.peek().is_some_and(|line| line.depth == depth)
    }
}

fn number<T: std::str::FromStr>(line: usize, word: &str) -> Result<T> {
    word.parse().map_err(|_| SchemaError { line, what: format!("`{word}` is no number in range") })
}

/// `3`, `3-7`, `3+` or `-7`; open ends take those of `outer`.
fn versions(line: usize, word: &str, outer: Versions) -> Result<Versions> {
    let (min, max) = if let Some(min) = word.strip_suffix('+') {
        (number(line, min)?, outer.max)
    } else if let Some(max) = word.strip_prefix('-') {
        (outer.min, number(line, max)?)
    } else if let Some((min, max)) = word.split_once('-') {
        (number(line, min)?, number(line, max)?)
    } else {
        (number(line, word)?, number(line, word)?)
    };
    let range = Versions { min, max };
    if min > max || !outer.covers(range) {
        return fail(line, format!("versions {range} do not lie within {outer}"));
    }
    Ok(range)
}

fn is_versions(word: &str) -> bool {
    let digits_in = |text: &str| text.bytes().any(|b| b.is_ascii_digit());
    digits_in(word) && word.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b'+')
}

fn message(lines: &mut Lines<'_>, keyword: &str, name: String) -> Result<Message> {
    let head = lines.take(0)?;
    let line = head.number;
    let widest = Versions { min: 0, max: i16::MAX };
    let (range, flexible) = match head.words[..] {
        [word, range] if word == keyword => (versions(line, range, widest)?, None),
        [word, range, "flexible", from] if word == keyword => {
            let range = versions(line, range, widest)?;
            (range, Some(versions(line, from, range)?.min))
        }
        _ => return fail(line, format!("expected `{keyword} VERSIONS [flexible VERSIONS]`")),
    };
    let mut message =
        Message { name, versions: range, flexible_from: flexible, structs: Vec::new() };
    let top = message.name.clone();
    fields(lines, &mut message, top, 1, range)?;
    while lines.at_depth(1) {
        let line = lines.take(1)?;
        let ["struct", name] = line.words[..] else {
            return fail(line.number, "fields stand before the first `struct`");
        };
        let (number, name) = (line.number, name.to_owned());
        if fields(lines, &mut message, name, 2, range)? == 0 {
            return fail(number, "a struct needs fields");
        }
    }
    check_names(&message, line)?;
    Ok(message)
}

/// Reads the fields at `depth` as struct `name`; returns how many there were.
fn fields(
    lines: &mut Lines<'_>,
    message: &mut Message,
    name: String,
    depth: usize,
    outer: Versions,
) -> Result<usize> {
    let place = message.structs.len();
    message.structs.push(Struct { name, versions: outer, fields: Vec::new() });
    while lines.at_depth(depth) && lines.peek().is_some_and(|line| line.words[0] != "struct") {
        let line = lines.take(depth)?;
        let field = field(line, outer)?;
        let inner = match &field.kind {
            Type::Struct(name) => Some(name.clone()),
            Type::Array(element) => match &**element {
                Type::Struct(name) => Some(name.clone()),
                _ => None,
            },
            Type::Scalar(_) => None,
        };
        let range = field.versions;
        message.structs[place].fields.push(field);
        if lines.at_depth(depth + 1) {
            let Some(name) = inner else {
                let line = lines.peek().map_or(0, |line| line.number);
                return fail(line, "only a struct has fields");
            };
            fields(lines, message, name, depth + 1, range)?;
        }
    }
    Ok(message.structs[place].fields.len())
}

fn field(line: &Line<'_>, outer: Versions) -> Result<Field> {
    let at = line.number;
    let [name, kind, ref rest @ ..] = line.words[..] else {
        return fail(at, "expected `NAME TYPE …`");
    };
    let kind = type_of(kind);
    let mut field = Field {
        name: name.to_owned(),
        kind,
        versions: outer,
        nullable: None,
        tag: None,
        default: Literal::Natural,
        ignorable: false,
    };
    let mut words = rest.iter().copied().peekable();
    if let Some(word) = words.next_if(|word| is_versions(word)) {
        field.versions = versions(at, word, outer)?;
    }
    while let Some(word) = words.next() {
        match word {
            "null" => {
                field.nullable = Some(match words.next_if(|word| is_versions(word)) {
                    Some(word) => versions(at, word, field.versions)?,
                    None => field.versions,
                });
            }
            "tag" => field.tag = Some(number(at, words.next().unwrap_or_default())?),
            "=" => field.default = literal(at, words.next().unwrap_or_default())?,
            "ignorable" => field.ignorable = true,
            _ => return fail(at, format!("`{word}` is not understood")),
        }
    }
    let is_number = |kind: &Type| matches!(kind, Type::Scalar(scalar) if scalar.size().is_some());
    if field.nullable.is_some() && is_number(&field.kind) {
        return fail(at, "a value of fixed size is never null");
    }
    if matches!(&field.kind, Type::Array(element) if matches!(**element, Type::Array(_))) {
        return fail(at, "the protocol has no arrays of arrays");
    }
    if field.default == Literal::Null && field.nullable.is_none() {
        return fail(at, "a field that is never null cannot be null by default");
    }
    Ok(field)
}

fn type_of(word: &str) -> Type {
    if let Some(element) = word.strip_prefix("[]") {
        return Type::Array(Box::new(type_of(element)));
    }
    match Scalar::ALL.iter().find(|(_, name)| *name == word) {
        Some((scalar, _)) => Type::Scalar(*scalar),
        None => Type::Struct(word.to_owned()),
    }
}

fn literal(line: usize, word: &str) -> Result<Literal> {
    Ok(match word {
        "null" => Literal::Null,
        "true" => Literal::True,
        _ => Literal::Number(number(line, word)?),
    })
}

/// Every struct that is named exists once and has fields.
fn check_names(message: &Message, line: usize) -> Result<()> {
    for (i, one) in message.structs.iter().enumerate() {
        if message.structs[..i].iter().any(|other| other.name == one.name) {
            return fail(line, format!("two structs are named {}", one.name));
        }
        for field in &one.fields {
            let mut kind = &field.kind;
            while let Type::Array(element) = kind {
                kind = element;
            }
            if field.tag.is_some() && !message.is_flexible(field.versions.min) {
                let place = format!("{}.{}", one.name, field.name);
                return fail(line, format!("{place}: a tag in a version that is not flexible"));
            }
            if let Type::Struct(name) = kind
                && !message.structs.iter().any(|s| s.name == *name && !s.fields.is_empty())
            {
                return fail(line, format!("{}.{}: there is no type {name}", one.name, field.name));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "\
# Does a thing.
api 7 Thing
request 1-3 flexible 2+
  topics  []Topic  null 2+
    name  string
    rack  string  3+  tag 0  = null  null
response 1-3
";

    #[test]
    fn a_schema_reads_as_written() {
        let api = parse("thing", SMALL).unwrap();
        assert_eq!((api.key, api.name.as_str(), api.about.as_str()), (7, "Thing", "Does a thing."));
        let topic = api.request.find("Topic");
        assert_eq!(topic.fields[1].versions, Versions { min: 3, max: 3 });
        assert_eq!((topic.fields[1].tag, &topic.fields[1].default), (Some(0), &Literal::Null));
        let topics = &api.request.structs[0].fields[0];
        assert!(!topics.is_nullable(1) && topics.is_nullable(2));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (from, to, line, what) in [
            ("null 2+", "null 4+", 4, "versions 4-3 do not lie within 1-3"),
            ("string", "text", 3, "Topic.name: there is no type text"),
            ("  null", "  nil", 4, "`nil` is not understood"),
            ("    name", "   name", 5, "indent by two spaces"),
            ("response 1-3", "response 1-2", 2, "request and response differ in their versions"),
            ("api 7", "api 70000", 2, "`70000` is no number in range"),
            ("name  string", "name  i32  null", 5, "a value of fixed size is never null"),
            ("name  string", "name  [][]i32", 5, "the protocol has no arrays of arrays"),
            ("3+  tag", "tag", 3, "Topic.rack: a tag in a version that is not flexible"),
        ] {
            let error = parse("thing", &SMALL.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error, SchemaError { line, what: what.to_owned() });
        }
    }
}
