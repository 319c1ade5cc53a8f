//! Every input that fuzzing found worth keeping, and every seed, through the fuzz targets.
//!
//! `tests/fuzz/corpus/<target>` holds the smallest inputs that reach the most. The functions are
//! those that `cargo fuzz` runs, so an input that once failed stays a test forever.

use std::fs;
use std::path::{Path, PathBuf};

use logboom_tests::fuzz::seeds::seeds;
use logboom_tests::fuzz::{TARGETS, Target};

/// Where the corpora lie.
fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// Runs one input; a panic names it.
fn run((target, run): Target, name: &str, input: &[u8]) {
    let result = std::panic::catch_unwind(|| run(input));
    assert!(result.is_ok(), "{target} fails on {name}: {input:02x?}");
}

#[test]
fn every_input_of_the_corpora_passes() {
    let (mut inputs_total, mut bytes_total) = (0, 0);
    for target in TARGETS {
        let dir = corpus(target.0);
        let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        let mut inputs = 0;
        for entry in entries {
            let path = entry.expect("a file of the corpus").path();
            let input = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            run(target, &path.display().to_string(), &input);
            inputs += 1;
            bytes_total += input.len();
        }
        println!("{}: {inputs} inputs", target.0);
        assert!(inputs >= 10, "{} holds {inputs} inputs", dir.display());
        inputs_total += inputs;
    }
    println!("{inputs_total} inputs, {bytes_total} bytes");
}

#[test]
fn every_corpus_has_a_target_and_every_target_a_program() {
    let mut names: Vec<_> = TARGETS.iter().map(|target| target.0.to_owned()).collect();
    names.sort();
    let root = corpus("");
    let mut dirs: Vec<_> = fs::read_dir(&root)
        .unwrap_or_else(|e| panic!("{}: {e}", root.display()))
        .map(|entry| entry.expect("a directory").file_name().into_string().expect("a name"))
        .collect();
    dirs.sort();
    assert_eq!(dirs, names);
    for name in names {
        let program = root.join(format!("../targets/{name}.rs"));
        let text = fs::read_to_string(&program).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(text.contains(&format!("logboom_tests::fuzz::{name}(data)")), "{text}");
    }
}

/// With `LOGBOOM_SEEDS_DIR`, the seeds are also written there, to begin a corpus with.
#[test]
fn every_seed_passes() {
    let dir = std::env::var_os("LOGBOOM_SEEDS_DIR").map(PathBuf::from);
    for target in TARGETS {
        let seeds = seeds(target.0);
        for (place, seed) in seeds.iter().enumerate() {
            run(target, &format!("seed {place}"), seed);
            if let Some(dir) = &dir {
                let dir = dir.join(target.0);
                fs::create_dir_all(&dir).expect("a directory for the seeds");
                fs::write(dir.join(format!("seed-{place}")), seed).expect("a seed");
            }
        }
        println!("{}: {} seeds", target.0, seeds.len());
        assert!(seeds.len() >= 40, "{}: {} seeds", target.0, seeds.len());
    }
}
