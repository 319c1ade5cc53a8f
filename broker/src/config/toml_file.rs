//! `broker.toml`: the reference's keys, flat.
//!
//! A dotted key of TOML is a table in a table. Here the path through them is the key, so that
//! `log.segment.bytes = 1`, `"log.segment.bytes" = 1` and `[log.segment]` with `bytes = 1` are the
//! same.

use toml::{Table, Value};

/// Keys and values as texts, in no order.
///
/// # Errors
/// What isn't TOML, with its line, or a value that has no text.
pub(super) fn flatten(text: &str) -> Result<Vec<(String, String)>, String> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let mut found = Vec::new();
    descend("", &table, &mut found)?;
    Ok(found)
}

/// Tables are as deep as TOML's parser lets them be.
fn descend(prefix: &str, table: &Table, found: &mut Vec<(String, String)>) -> Result<(), String> {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => descend(&key, inner, found)?,
            Value::Array(elements) => {
                let texts = elements.iter().map(|element| text_of(&key, element));
                let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
                found.push((key, texts.join(",")));
            }
            value => {
                let text = text_of(&key, value)?;
                found.push((key, text));
            }
        }
    }
    Ok(())
}

fn text_of(key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        other => Err(format!("{key}={other}: must be a text, a number, true or false, or a list")),
    }
}
