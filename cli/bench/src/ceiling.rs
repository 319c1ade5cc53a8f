//! What the machine does without a broker: how fast memory is copied, bytes go through a TCP
//! connection to the same machine, and a file takes them, with and without flushes.
//!
//! A broker can't be faster than that; how near it comes says more than its figure alone. What is
//! measured beside a run lasts about a second, so it swings with what else the machine does.
//!
//! Must always hold: what is measured ends by [`EACH_MAX`] or [`BYTES_MAX`], and soon after it is
//! told to; a file that it made is gone afterwards.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::numbers::real;
use crate::run::Ceiling;

/// How long each of them is measured.
const EACH_MAX: Duration = Duration::from_millis(400);
/// The most bytes of each: those of a file are dirty pages until it is deleted.
const BYTES_MAX: u64 = 1 << 30;
/// Bytes that are copied at once: more than a processor's caches hold.
const COPY_BYTES: usize = 64 << 20;

/// Measures. What can't be measured is left out, and why is told.
///
/// - `piece_bytes`: what is written and sent at once.
/// - `dir`: where a file may be made; without one nothing is written.
/// - `stop`: ends it soon; then the figures are none.
pub(crate) fn measure(
    piece_bytes: usize,
    dir: Option<&Path>,
    stop: &AtomicBool,
) -> (Ceiling, Vec<String>) {
    let piece = vec![0xa5; piece_bytes.max(1)];
    let mut faults = Vec::new();
    let mut told = |what: &str, result: io::Result<f64>| match result {
        Ok(rate) => Some(rate),
        Err(error) => {
            faults.push(format!("the ceiling of {what} was not measured: {error}"));
            None
        }
    };
    let mut ceiling = Ceiling {
        memory_copy: Some(memory_copy(stop)),
        loopback: told("the loopback", loopback(&piece, stop)),
        piece_bytes: piece.len() as u64,
        ..Ceiling::default()
    };
    if let Some(dir) = dir {
        let name = dir.display().to_string();
        ceiling.write = told(&name, write(dir, &piece, false, stop));
        ceiling.write_flushed = told(&name, write(dir, &piece, true, stop));
        ceiling.dir = Some(name);
    }
    (ceiling, faults)
}

/// Does something until its time or its bytes are over; bytes a second.
fn rate(stop: &AtomicBool, mut step: impl FnMut() -> io::Result<u64>) -> io::Result<f64> {
    let since = Instant::now();
    let mut bytes = 0;
    while since.elapsed() < EACH_MAX && bytes < BYTES_MAX && !stop.load(Ordering::Relaxed) {
        bytes += step()?;
    }
    Ok(real(bytes) / since.elapsed().as_secs_f64().max(1e-9))
}

fn memory_copy(stop: &AtomicBool) -> f64 {
    let (from, mut to) = (vec![1_u8; COPY_BYTES], vec![2_u8; COPY_BYTES]);
    let since = Instant::now();
    let mut bytes = 0;
    while since.elapsed() < EACH_MAX && !stop.load(Ordering::Relaxed) {
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&mut to);
        bytes += COPY_BYTES as u64;
    }
    real(bytes) / since.elapsed().as_secs_f64().max(1e-9)
}

fn loopback(piece: &[u8], stop: &AtomicBool) -> io::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut to = TcpStream::connect(listener.local_addr()?)?;
    let (mut from, _) = listener.accept()?;
    let mut buffer = vec![0; piece.len()];
    let reader = std::thread::spawn(move || {
        let mut bytes = 0;
        loop {
            match from.read(&mut buffer)? {
                0 => return Ok::<u64, io::Error>(bytes),
                read => bytes += read as u64,
            }
        }
    });
    let since = Instant::now();
    let sent = rate(stop, || to.write_all(piece).map(|()| piece.len() as u64));
    drop(to);
    let received = reader.join().map_err(|_| io::Error::other("the reader has panicked"))??;
    sent?;
    Ok(real(received) / since.elapsed().as_secs_f64().max(1e-9))
}

/// A file that goes when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // Somebody else may have deleted it.
        drop(fs::remove_file(&self.0));
    }
}

fn write(dir: &Path, piece: &[u8], is_flushed: bool, stop: &AtomicBool) -> io::Result<f64> {
    let path = dir.join(format!("logboom-bench-{}", std::process::id()));
    let mut file = File::create_new(&path)?;
    let _scratch = Scratch(path);
    rate(stop, || {
        file.write_all(piece)?;
        if is_flushed {
            file.sync_data()?;
        }
        Ok(piece.len() as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    static GO_ON: AtomicBool = AtomicBool::new(false);

    #[test]
    fn who_is_told_to_stop_does_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(true);
        rate(&stop, || panic!("nothing more is written")).unwrap();
        measure(64 << 10, Some(dir.path()), &stop);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn each_is_measured_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let (ceiling, faults) = measure(64 << 10, Some(dir.path()), &GO_ON);
        assert_eq!(faults, Vec::<String>::new());
        let rates = [ceiling.memory_copy, ceiling.loopback, ceiling.write, ceiling.write_flushed];
        assert!(rates.iter().all(|rate| rate.is_some_and(|rate| rate > 1e3)), "{rates:?}");
        assert_eq!(ceiling.piece_bytes, 64 << 10);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_is_none_is_told_and_the_rest_measured() {
        let (ceiling, faults) = measure(1 << 10, Some(Path::new("/nonexistent/dir")), &GO_ON);
        assert_eq!((ceiling.write, ceiling.write_flushed, faults.len()), (None, None, 2));
        assert!(faults[0].contains("/nonexistent/dir"), "{faults:?}");
        assert!(ceiling.loopback.is_some());
        let (ceiling, _) = measure(1 << 10, None, &GO_ON);
        assert_eq!((ceiling.write, ceiling.dir), (None, None));
    }
}
