//! The table of APIs in `docs/protocol.md`.

use std::fmt::Write as _;

use crate::schema::Api;

const BEGIN: &str = "<!-- table: written by `cargo xtask generate` -->\n";
const END: &str = "<!-- end of table -->\n";

/// The document with the table between its markers made anew.
pub(super) fn with_table(text: &str, apis: &[Api]) -> Result<String, String> {
    let missing = || "docs/protocol.md lacks the markers of the table".to_owned();
    let (before, rest) = text.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    let mut table = String::from("| key | API | versions | flexible from | what it does |\n");
    table.push_str("| ---: | --- | --- | --- | --- |\n");
    for api in apis {
        let flexible = api.request.flexible_from.map_or("–".to_owned(), |from| from.to_string());
        let _ = writeln!(
            table,
            "| {} | {} | {} | {flexible} | {} |",
            api.key, api.name, api.request.versions, api.about
        );
    }
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}
