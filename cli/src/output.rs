//! How results are written: as a table, or as one JSON value a line.

use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::Value;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// One JSON value a line.
    Json,
}

/// Writes rows, which are JSON objects. A table shows the fields named by `columns`, under their
/// names in capitals.
///
/// # Errors
/// Of the writer.
pub(crate) fn write_rows(
    out: &mut impl Write,
    output: Output,
    columns: &[&str],
    rows: &[Value],
) -> io::Result<()> {
    match output {
        Output::Json => rows.iter().try_for_each(|row| writeln!(out, "{row}")),
        Output::Table => write_table(out, columns, rows),
    }
}

/// Writes what was done: a sentence, or a JSON object.
///
/// # Errors
/// Of the writer.
pub(crate) fn write_done(
    out: &mut impl Write,
    output: Output,
    sentence: &str,
    value: &Value,
) -> io::Result<()> {
    match output {
        Output::Json => writeln!(out, "{value}"),
        Output::Table => writeln!(out, "{sentence}"),
    }
}

/// Blanks between columns.
const GAP: &str = "  ";

fn write_table(out: &mut impl Write, columns: &[&str], rows: &[Value]) -> io::Result<()> {
    let titles = columns.iter().map(|column| column.replace('_', "-").to_uppercase()).collect();
    let cells = rows.iter().map(|row| columns.iter().map(|column| cell(&row[*column])).collect());
    let lines: Vec<Vec<String>> = std::iter::once(titles).chain(cells).collect();
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max();
    let widths: Vec<usize> = (0..columns.len()).map(|at| width(at).unwrap_or(0)).collect();
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join(GAP);
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A value as people read it; what isn't there is a dash.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(value) => if *value { "yes" } else { "no" }.to_owned(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "-".to_owned(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(","),
        Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(output: Output) -> String {
        let rows = [
            json!({ "topic": "flights", "in_sync": [1, 2], "rack": null, "internal": false }),
            json!({ "topic": "é", "in_sync": [], "rack": "", "internal": true }),
        ];
        let mut out = Vec::new();
        write_rows(&mut out, output, &["topic", "in_sync", "rack", "internal"], &rows).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let expected = "TOPIC    IN-SYNC  RACK  INTERNAL\n\
                        flights  1,2      -     no\n\
                        é        -        \"\"    yes\n";
        assert_eq!(written(Output::Table), expected);
    }

    #[test]
    fn json_is_one_value_a_line_with_all_its_fields() {
        let text = written(Output::Json);
        let rows: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["in_sync"], json!([1, 2]));
    }
}
