//! Rules about the text of a file.

/// The most characters of a line of code.
const LINE_MAX: usize = 100;
/// The most lines of a file of code, its tests apart.
const FILE_LINES_MAX: usize = 600;
/// The one module with unsafe code, when it comes.
const UNSAFE_ALLOWED: &str = "broker/storage/src/mapped.rs";

/// What is wrong with the file, each as `:LINE: what`.
pub(super) fn check(name: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    if name.ends_with(".rs") && !name.contains("/generated/") {
        rust(name, text, &mut broken);
    }
    if name.starts_with("protocol/schema/") && !text.starts_with("# ") {
        broken.push(":1: begin with a comment that says what the API does".to_owned());
    }
    for (i, line) in text.lines().enumerate() {
        // In two parts, so that this line is not one of them.
        let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
        if marks.iter().any(|mark| line.contains(mark)) {
            broken.push(format!(":{}: finish it, or name its issue in prose", i + 1));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') && !name.ends_with(".bin") {
        broken.push(": end the last line".to_owned());
    }
    broken
}

fn rust(name: &str, text: &str, broken: &mut Vec<String>) {
    let file = name.rsplit('/').next().unwrap_or(name);
    if ["utils.rs", "helpers.rs", "common.rs", "misc.rs"].contains(&file) {
        broken.push(": name the file for what it holds".to_owned());
    }
    if !text.starts_with("//!") && !text.starts_with("#!") {
        broken.push(":1: begin with `//!` and say what the module is for".to_owned());
    }
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let lines = code.lines().count();
    if lines > FILE_LINES_MAX && !file.starts_with("tests") {
        broken.push(format!(": {lines} lines; split it by role or by input"));
    }
    for (i, line) in text.lines().enumerate() {
        let characters = line.chars().count();
        if characters > LINE_MAX {
            broken.push(format!(":{}: {characters} characters, at most {LINE_MAX}", i + 1));
        }
        let code = line.trim_start();
        let is_unsafe = code.contains("unsafe {")
            || code.contains("unsafe fn ")
            || code.contains("unsafe impl ");
        if is_unsafe
            && !code.starts_with("//")
            && name != UNSAFE_ALLOWED
            && !name.starts_with("xtask/")
        {
            broken.push(format!(":{}: unsafe code belongs into {UNSAFE_ALLOWED}", i + 1));
        }
    }
    imports(text, broken);
}

/// Imports stand in blocks: std, others, ours; a block mixes none of them.
fn imports(text: &str, broken: &mut Vec<String>) {
    let block_of = |line: &str| {
        let path = line.strip_prefix("use ").or_else(|| line.strip_prefix("pub use "))?;
        let first = path.split([':', ';', ' ']).next()?;
        Some(match first {
            "std" | "core" | "alloc" => "std",
            "crate" | "super" | "self" => "ours",
            name if name.starts_with("logboom") || name == "xtask" => "ours",
            _ => "others",
        })
    };
    let mut last: Option<&str> = None;
    for (i, line) in text.lines().enumerate() {
        let Some(block) = block_of(line) else {
            // Anything between two imports but a continuation ends the block.
            if !line.starts_with([' ', '}', '#', '/']) {
                last = None;
            }
            continue;
        };
        let reexport = line.starts_with("pub use ");
        if last.is_some_and(|last| last != block) && !reexport {
            broken.push(format!(":{}: an empty line between std, others and ours", i + 1));
        }
        last = Some(block);
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn each_rule_finds_what_it_forbids() {
        let long = format!("//! M.\n// {}\n", "x".repeat(100));
        let many = format!("//! M.\n{}", "//\n".repeat(600));
        for (name, text, what) in [
            ("protocol/src/utils.rs", "//! M.\n", "name the file"),
            ("protocol/src/a.rs", "fn f() {}\n", "begin with `//!`"),
            ("protocol/src/a.rs", long.as_str(), "103 characters"),
            ("protocol/src/a.rs", many.as_str(), "601 lines"),
            ("protocol/src/a.rs", "//! M.\nunsafe { f() }\n", "unsafe code belongs"),
            ("protocol/src/a.rs", "//! M.\nuse std::fmt;\nuse bytes::Bytes;\n", "an empty line"),
            ("protocol/schema/a.txt", "api 1 A\n", "begin with a comment"),
            ("README.md", concat!("TO", "DO: more\n"), "finish it"),
            ("README.md", "no end", "end the last line"),
        ] {
            let broken = check(name, text);
            assert!(broken.iter().any(|b| b.contains(what)), "{name}: {broken:?} without {what}");
        }
        let clean = "//! M.\n\nuse std::fmt;\n\nuse bytes::Bytes;\n\nuse crate::A;\n";
        assert_eq!(check("protocol/src/a.rs", clean), Vec::<String>::new());
    }
}
