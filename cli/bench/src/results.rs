//! Files that results go to.
//!
//! Must always hold: a path that can't be written to is found before a run begins; what a file held
//! stays until there is something to put in its place, and one that gets nothing isn't left.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

/// A file that is open for a result.
#[derive(Debug)]
pub(crate) struct ResultFile {
    path: PathBuf,
    file: File,
    /// Whether it is to be deleted again: it is new, and has nothing.
    is_left_over: bool,
}

impl ResultFile {
    /// Opens a file, or makes it.
    ///
    /// # Errors
    /// It can't be written to.
    pub(crate) fn open(path: PathBuf) -> Result<Self, String> {
        let is_left_over = !path.exists();
        let opened = File::options().write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path, file, is_left_over })
    }

    /// Puts a text in the place of what it held.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn write(mut self, text: &str) -> Result<(), String> {
        self.is_left_over = false;
        self.replace(text).map_err(|error| format!("{}: {error}", self.path.display()))
    }

    fn replace(&mut self, text: &str) -> std::io::Result<()> {
        // A pipe or a terminal has nothing to cut.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.file.write_all(text.as_bytes())
    }
}

impl Drop for ResultFile {
    fn drop(&mut self) {
        if self.is_left_over {
            // Somebody else may have deleted it.
            drop(fs::remove_file(&self.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_none_is_found_at_once_and_named() {
        let error = ResultFile::open("/nonexistent/a.json".into()).unwrap_err();
        assert!(error.starts_with("/nonexistent/a.json: "), "{error}");
    }

    #[test]
    fn what_was_there_stays_until_something_takes_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        drop(ResultFile::open(path.clone()).unwrap());
        assert!(!path.exists(), "it got nothing");
        ResultFile::open(path.clone()).unwrap().write("a long one").unwrap();
        drop(ResultFile::open(path.clone()).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a long one");
        ResultFile::open(path.clone()).unwrap().write("short").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "short");
    }

    #[test]
    fn what_is_no_file_is_written_to_all_the_same() {
        ResultFile::open("/dev/null".into()).unwrap().write("nothing").unwrap();
        let full = ResultFile::open("/dev/full".into()).unwrap().write("too much");
        assert!(full.unwrap_err().starts_with("/dev/full: "));
    }
}
