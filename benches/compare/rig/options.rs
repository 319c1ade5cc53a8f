//! What the rig is asked to do, and where its things lie.

use std::path::{Path, PathBuf};

use crate::systems::System;

pub(crate) const USAGE: &str = "\
usage: cargo xtask compare [OPTION]…

  --scenario NAME     only that one of benches/scenarios (may be given again)
  --system NAME       only that system: discard, ours, ours-cached, kafka, kafka-flush
  --repetitions N     of each cell (2, with --bench 4)
  --recovery-gib N    written before the kill -9 (10)
  --touch-gib N       of page cache that is touched before anything is measured (8); 2 more
                      before each cell that writes, if it isn't 0
  --data-dir DIR      where the systems' data lies, in a directory of the rig's own there
                      (target/compare)
  --quick             small sizes, one repetition: shows that it works
  --fresh             forgets the cells that earlier runs of this commit left
  --report-only       makes the report from the cells that are there
  --bench             by `logboom bench`, on one broker and on three, into benches/bench.md (of some
                      scenarios into target/compare); has neither --system, --report-only nor
                      --profile
  --profile SYSTEM    no report: a profile of that system under each scenario, by perf";

/// A run's options.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Names of scenarios; all if empty.
    pub(crate) scenarios: Vec<String>,
    /// The systems that take part; all if empty.
    pub(crate) systems: Vec<System>,
    pub(crate) repetitions: usize,
    recovery_gib: f64,
    pub(crate) touch_gib: u32,
    pub(crate) quick: bool,
    pub(crate) fresh: bool,
    pub(crate) report_only: bool,
    pub(crate) bench: bool,
    pub(crate) profile: Option<System>,
    data_dir: Option<PathBuf>,
    /// As they were given, for the report.
    pub(crate) words: Vec<String>,
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// What can't be understood.
    pub(crate) fn parse(words: Vec<String>) -> Result<Self, String> {
        let mut options = Self {
            scenarios: Vec::new(),
            systems: Vec::new(),
            repetitions: 0,
            recovery_gib: 0.0,
            touch_gib: 0,
            quick: words.iter().any(|word| word == "--quick"),
            fresh: false,
            report_only: false,
            bench: words.iter().any(|word| word == "--bench"),
            profile: None,
            data_dir: None,
            words: words.clone(),
        };
        (options.repetitions, options.recovery_gib, options.touch_gib) =
            if options.quick { (1, 0.2, 1) } else { (2, 10.0, 8) };
        if options.bench {
            // Intervals come from them; each side is first as often as the other.
            options.repetitions *= 2;
        }
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--scenario" => options.scenarios.push(value()?),
                "--system" => options.systems.push(value()?.parse()?),
                "--profile" => options.profile = Some(value()?.parse()?),
                "--repetitions" => options.repetitions = number(&word, &value()?)?,
                "--recovery-gib" => options.recovery_gib = number(&word, &value()?)?,
                "--touch-gib" => options.touch_gib = number(&word, &value()?)?,
                "--data-dir" => options.data_dir = Some(value()?.into()),
                "--quick" | "--bench" => {}
                "--fresh" => options.fresh = true,
                "--report-only" => options.report_only = true,
                _ => return Err(format!("{word} is unknown\n{USAGE}")),
            }
        }
        let Self { repetitions, recovery_gib, touch_gib, .. } = options;
        if !(1..=100).contains(&repetitions) {
            return Err(format!("--repetitions {repetitions}: from 1 to 100"));
        }
        if !(0.001..=1_000.0).contains(&recovery_gib) {
            return Err(format!("--recovery-gib {recovery_gib}: from 0.001 to 1000"));
        }
        if touch_gib > 1_000 {
            return Err(format!("--touch-gib {touch_gib}: at most 1000"));
        }
        let is_partial = !options.systems.is_empty() || options.profile.is_some();
        if options.bench && (is_partial || options.report_only) {
            return Err("--bench has neither --system, --report-only nor --profile".into());
        }
        Ok(options)
    }

    /// The same for all scenarios.
    pub(crate) fn of_all_scenarios(&self) -> Self {
        Self { scenarios: Vec::new(), ..self.clone() }
    }

    /// Whether a system takes part.
    pub(crate) fn includes(&self, system: System) -> bool {
        self.systems.is_empty() || self.systems.contains(&system)
    }

    /// Bytes that are written before the kill -9.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    pub(crate) fn recovery_bytes(&self) -> u64 {
        (self.recovery_gib * f64::from(1 << 30)) as u64
    }

    /// Where the systems' data lies.
    pub(crate) fn data_dir(&self) -> PathBuf {
        // Its contents are deleted, so nobody else has one of that name.
        self.data_dir.clone().unwrap_or_else(own_dir).join("logboom-compare-data")
    }
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} {text}: a number is wanted"))
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().and_then(Path::parent).unwrap_or(here)
}

/// The rig's files in the repository.
pub(crate) fn sources() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the rig keeps what it makes: jars, data, cells, profiles, and its own binaries.
pub(crate) fn own_dir() -> PathBuf {
    // The binary lies in DIR/release.
    let binary = std::env::current_exe().ok();
    let dir = binary.as_deref().and_then(Path::parent).and_then(Path::parent);
    dir.map_or_else(|| root().join("target/compare"), Path::to_owned)
}

/// A binary of this package, which lies beside the running one.
pub(crate) fn sibling(name: &str) -> PathBuf {
    own_dir().join("release").join(name)
}
