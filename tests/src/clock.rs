//! The time of day of another process, which can be made wrong while it runs: a library in front of
//! the system's (`tests/clock/clock.c`) adds what stands in a file.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library.
#[derive(Debug)]
pub struct Clocks {
    dir: PathBuf,
}

impl Clocks {
    /// Builds it.
    ///
    /// - `dir`: for it and for the files, one for each process.
    ///
    /// # Errors
    /// Why that can't be.
    pub fn build(dir: &Path) -> Result<Self, String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("clock/clock.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(dir.join("clock.so")).arg(source);
        let output = compile.output().map_err(|error| format!("there is no cc: {error}"))?;
        let said = || String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success().then_some(()).ok_or_else(said)?;
        let clocks = Self { dir: dir.to_owned() };
        let seconds = |shift| {
            clocks.shift("tried", shift);
            let mut date = Command::new("date");
            let told = date.arg("+%s").envs(clocks.environment("tried")).output();
            let told = told.map_err(|error| format!("there is no date: {error}"))?;
            let told = String::from_utf8_lossy(&told.stdout).trim().parse::<i64>();
            told.map_err(|error| error.to_string())
        };
        let (now, later) = (seconds(0)?, seconds(1_000_000)?);
        let is_shifted = later - now > 900_000;
        is_shifted
            .then_some(clocks)
            .ok_or("a library in front of the system's has no effect".into())
    }

    /// What a process needs in its environment whose clock has that name.
    pub fn environment(&self, name: &str) -> Vec<(String, String)> {
        let at = |file: &str| self.dir.join(file).display().to_string();
        vec![("LD_PRELOAD".into(), at("clock.so")), ("CLOCK_SHIFT".into(), at(name))]
    }

    /// Makes a clock wrong by so many seconds, at once.
    ///
    /// # Panics
    /// If its file can't be written.
    pub fn shift(&self, name: &str, seconds: i64) {
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(self.dir.join(name));
        file.and_then(|file| file.write_all_at(&seconds.to_ne_bytes(), 0)).expect("ours to write");
    }
}

impl Drop for Clocks {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.dir));
    }
}
