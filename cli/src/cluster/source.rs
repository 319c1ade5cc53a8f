//! Where a snapshot comes from: the controller, by the admin listener of any broker, or a file.
//!
//! Must always hold: a file that is there is never written over.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use logboom_balance::Snapshot;

use crate::admin::{AdminArguments, BODY_BYTES_MAX};
use crate::client::Failure;

/// What the controller sees.
const PATH: &str = "/balance/snapshot";

/// Asks for a snapshot.
///
/// - `save_to`: a new file that it is written to as well.
pub(super) async fn fetch(
    admin: &AdminArguments,
    save_to: Option<&Path>,
) -> Result<Snapshot, Failure> {
    let text = admin.get(PATH).await?;
    if let Some(file) = save_to {
        save(file, &text)?;
    }
    Snapshot::parse(&text)
        .map_err(|error| Failure::failed(format_args!("{admin}: {PATH}: {error}")))
}

fn save(file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error| Failure::failed(format_args!("{}: {error}", file.display()));
    File::create_new(file).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}

/// Reads a snapshot from a file.
pub(super) fn replay(file: &Path) -> Result<Snapshot, Failure> {
    let failed = |why: &str| Failure::failed(format_args!("{}: {why}", file.display()));
    let text = read(file).map_err(|error| failed(&error.to_string()))?;
    Snapshot::parse(&text).map_err(|error| failed(&error.to_string()))
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(BODY_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 <= BODY_BYTES_MAX {
        return Ok(text);
    }
    Err(io::Error::other(format!("a snapshot has at most {BODY_BYTES_MAX} bytes")))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A directory that is gone with the test.
    struct Directory(std::path::PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let name = format!("logboom-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn why(result: Result<impl Sized, Failure>) -> String {
        let Err(failure) = result else { panic!("it was no failure") };
        failure.to_string()
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named_with_its_line() {
        let directory = Directory::new("snapshots");
        let file = directory.0.join("s.txt");
        assert!(why(replay(&file)).starts_with(&format!("{}: No such file", file.display())));
        fs::write(&file, "snapshot 1\nbroker 1\nbroken").unwrap();
        let said = why(replay(&file));
        let expected = "line 3: `broken` is no broker, topic or partition";
        assert_eq!(said, format!("{}: {expected}", file.display()));
        fs::write(&file, b"snapshot 1\n\xff").unwrap();
        assert!(why(replay(&file)).contains("UTF-8"));
    }

    #[test]
    fn what_is_saved_is_replayed_and_no_file_is_written_over() {
        let directory = Directory::new("saved");
        let file = directory.0.join("s.txt");
        let text = "snapshot 1\nbroker 7 weight 100\n";
        save(&file, text).unwrap();
        assert_eq!(replay(&file).unwrap().to_string(), text);
        let said = why(save(&file, "snapshot 1\n"));
        assert!(said.starts_with(&format!("{}: File exists", file.display())), "{said}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}
