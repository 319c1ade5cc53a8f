//! The page in a headless Chromium: it is laid out, nothing is cut off, nothing is loaded.
//!
//! Must always hold: without a browser the test says so on standard error and checks nothing.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::{comparison_page, page};
use crate::compare::Comparison;
use crate::run::testing::run;

/// Names that the browser has, in the order in which they are looked for.
const NAMES: [&str; 5] =
    ["chromium", "chromium-browser", "chrome-headless-shell", "google-chrome", "chrome"];
/// A cold start on a machine that has other things to do.
const LIMIT: Duration = Duration::from_secs(120);

/// Looks at what the browser has made of the page, and writes down what is wrong with it.
const LOOK: &str = r"<script>
const faults = [];
const pictures = document.querySelectorAll('svg');
for (const picture of pictures) {
  const frame = picture.getBoundingClientRect();
  if (frame.width < 300 || frame.height < 100) faults.push(`small: ${frame.width}`);
  let last = null;
  for (const text of picture.querySelectorAll('text')) {
    const box = text.getBoundingClientRect();
    const isInside = box.left >= frame.left - 1 && box.right <= frame.right + 1 &&
      box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
    if (!isInside || box.width == 0) faults.push(`cut off: ${text.textContent}`);
    if (text.classList.contains('middle') && !text.classList.contains('name')) {
      if (last !== null && box.left < last) faults.push(`overlaps: ${text.textContent}`);
      last = box.right;
    }
  }
  for (const line of picture.querySelectorAll('polyline')) {
    const stroke = getComputedStyle(line).stroke;
    if (stroke === 'none' || line.getTotalLength() < 100) faults.push('a line is not to be seen');
  }
}
if (document.documentElement.scrollWidth > innerWidth) faults.push('wider than the window');
const loaded = performance.getEntriesByType('resource').length;
if (loaded > 0) faults.push(`${loaded} things were loaded`);
document.body.setAttribute('data-looked', `${pictures.length} pictures`);
document.body.setAttribute('data-faults', faults.join('; '));
</script>";

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = NAMES.iter().flat_map(|name| {
        std::env::split_paths(&path).map(|dir| dir.join(name)).collect::<Vec<_>>()
    });
    let asked = std::env::var_os("LOGBOOM_CHROMIUM").map(PathBuf::from);
    asked.into_iter().chain(places).find(|place| place.is_file())
}

/// The page as the browser has it in the end.
fn looked_at(browser: &Path, page: &Path, width: u32) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--window-size={width},900"))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (done, waits) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = std::io::Read::read_to_string(&mut stdout, &mut text);
        drop(done.send(read.map(|_| text)));
    });
    let text = waits.recv_timeout(LIMIT);
    // It may have ended by itself.
    drop(child.kill());
    child.wait().unwrap();
    text.expect("the browser takes too long").unwrap()
}

/// Shows each page in a wide and in a narrow window: all of its pictures are there, and whole.
fn check_in_browser(pages: &[(String, usize)]) {
    let Some(browser) = browser() else {
        let names = NAMES.join(", ");
        let why = format!("because there is no Chromium: none of {names}");
        writeln!(std::io::stderr(), "SKIPPED: the page in a browser {why}").unwrap();
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("page.html");
    for (page, pictures) in pages {
        fs::write(&file, page.replace("</body>", &format!("{LOOK}</body>"))).unwrap();
        for width in [1_200, 500] {
            let seen = looked_at(&browser, &file, width);
            let expected = format!("data-looked=\"{pictures} pictures\" data-faults=\"\"");
            let body = seen.lines().find(|line| line.contains("<body")).unwrap_or(&seen);
            assert!(body.contains(&expected), "{width} wide: {body}");
        }
    }
}

#[test]
fn a_browser_shows_the_page_whole_and_loads_nothing() {
    let runs = [run(&[1_000], &[5_000]), run(&[1, 2, 3], &[10_000_000; 3])];
    check_in_browser(&runs.map(|run| (page(&run), 3)));
}

#[test]
fn a_browser_shows_the_page_of_two_runs_whole_and_loads_nothing() {
    let mut before = run(&[1_000, 1_100, 990], &[5_000, 6_000, 5_500]);
    let mut after = run(&[10_000_000, 11_000_000], &[500, 700]);
    (before.settings.rate, after.settings.rate) = (Some(1_000.0), Some(1_000.0));
    let compared = Comparison::new(&before, &after, 0.95).unwrap();
    check_in_browser(&[(comparison_page(&before, &after, &compared), 3)]);
}
