//! What is asked of whom. Nobody serves the cluster's protocol here: whatever is asked there fails.

use std::fs;

use clap::Parser;

use logboom_client::ClientConfig;

use super::*;
use crate::admin::testing::listener;

const FOUR: &str = include_str!("../golden/four_brokers.txt");
/// Of a controller that copies as is usual.
const STATUS: &str = "status 1\ncontroller 1\n";
const PLAN: &str = include_str!("../golden/plan.txt");
const EXPLAINED: &str = include_str!("../golden/explained.txt");

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    balance: BalanceArguments,
}

/// What a command writes, and how it fails.
async fn run_line(words: &[&str]) -> (String, Result<(), Failure>) {
    let line = Line::try_parse_from([&["balance"], words].concat()).unwrap();
    let patience = std::time::Duration::from_millis(1);
    let config = ClientConfig { api_timeout: patience, ..ClientConfig::default() };
    let nobody = Cluster::new(vec!["127.0.0.1:1".parse().unwrap()], config);
    let mut out = Vec::new();
    let result = run(&nobody, &line.balance, Output::Table, &mut out).await;
    (String::from_utf8(out).unwrap(), result)
}

#[tokio::test]
async fn a_dry_run_asks_for_a_snapshot_and_changes_nothing_and_what_is_saved_is_replayed() {
    let name = format!("logboom-balance-{}.txt", std::process::id());
    let file = std::env::temp_dir().join(name);
    let saved = file.to_str().unwrap();
    let (admin, served) = listener(vec![(200, FOUR.to_owned()), (200, STATUS.to_owned())]);
    let admin = admin.to_string();
    let (text, result) = run_line(&["--dry-run", "--admin", &admin, "--save", saved]).await;
    result.unwrap();
    assert_eq!(text, PLAN);
    let asked = ["snapshot", "status"].map(|it| format!("GET /balance/{it} HTTP/1.1"));
    assert_eq!(served.join().unwrap(), asked);
    assert_eq!(fs::read_to_string(&file).unwrap(), FOUR);
    // Nobody answers now, and --yes does nothing here.
    let words = ["--snapshot", saved, "--explain", "--yes", "--admin", &admin];
    let (text, result) = run_line(&words).await;
    fs::remove_file(&file).unwrap();
    result.unwrap();
    assert_eq!(text, EXPLAINED);
}

#[tokio::test]
async fn a_plan_that_is_wanted_is_asked_of_the_cluster_after_it_was_shown() {
    let (admin, served) = listener(vec![(200, FOUR.to_owned()), (200, STATUS.to_owned())]);
    let (text, result) = run_line(&["--yes", "--admin", &admin.to_string()]).await;
    served.join().unwrap();
    assert_eq!(text, PLAN);
    let why = result.unwrap_err().to_string();
    assert!(why.starts_with("configure all brokers: not done within 1 ms"), "{why}");
    let rest = "snapshot 1\nbroker 1\ntopic t\npartition 0 leader 1 replicas 1:5:0:0\n";
    let (admin, served) = listener(vec![(200, rest.to_owned()), (200, STATUS.to_owned())]);
    let (text, result) = run_line(&["--yes", "--admin", &admin.to_string()]).await;
    served.join().unwrap();
    assert!(text.starts_with("nothing is to be moved\n"), "{text}");
    result.unwrap();
}

#[tokio::test]
async fn times_are_those_of_what_is_configured_unless_somebody_says_otherwise() {
    let status = format!("{STATUS}rate 1048576\n");
    let (admin, served) = listener(vec![(200, FOUR.to_owned()), (200, status)]);
    let (text, result) = run_line(&["--dry-run", "--admin", &admin.to_string()]).await;
    result.unwrap();
    served.join().unwrap();
    assert!(text.contains("at 1.0 MiB a second\n"), "{text}");
    let (admin, served) = listener(vec![(200, FOUR.to_owned())]);
    let words = ["--dry-run", "--rate", "2097152", "--admin", &admin.to_string()];
    let (text, result) = run_line(&words).await;
    result.unwrap();
    served.join().unwrap();
    assert!(text.contains("at 2.0 MiB a second\n"), "{text}");
}

#[tokio::test]
async fn moves_of_ones_own_are_shown_and_nothing_is_asked_for() {
    let file = std::env::temp_dir().join(format!("logboom-moves-{}.txt", std::process::id()));
    fs::write(&file, FOUR).unwrap();
    let words = ["--explain", "--move", "flights-2:2:4", "--snapshot", file.to_str().unwrap()];
    let (text, result) = run_line(&words).await;
    fs::remove_file(&file).unwrap();
    result.unwrap();
    assert!(text.starts_with("1. flights-2: leading replica from 2 to 4, for manual\n"), "{text}");
    assert!(text.contains("\n1 move, 300 GiB to copy"), "{text}");
    let (admin, served) = listener(vec![(200, FOUR.to_owned()), (200, STATUS.to_owned())]);
    let words = ["--dry-run", "--yes", "--move", "flights-2:2:4", "--admin", &admin.to_string()];
    let (text, result) = run_line(&words).await;
    served.join().unwrap();
    result.unwrap();
    assert!(text.contains("\n1 move, 300 GiB to copy"), "{text}");
    assert!(Line::try_parse_from(["balance", "--move", "flights-2:2:4", "--status"]).is_err());
}

#[tokio::test]
async fn moves_of_ones_own_that_are_wanted_are_asked_of_the_cluster_and_not_of_the_balancer() {
    let (admin, served) = listener(vec![(200, FOUR.to_owned()), (200, STATUS.to_owned())]);
    let words = ["--yes", "--move", "flights-2:2:4", "--admin", &admin.to_string()];
    let (text, result) = run_line(&words).await;
    served.join().unwrap();
    assert!(text.contains("\n1 move, 300 GiB to copy"), "{text}");
    let why = result.unwrap_err().to_string();
    assert!(why.contains("not done within 1 ms") && !why.contains("configure"), "{why}");
}

#[tokio::test]
async fn where_the_status_fails_what_was_saved_is_named() {
    let file = std::env::temp_dir().join(format!("logboom-kept-{}.txt", std::process::id()));
    let saved = file.to_str().unwrap();
    let (admin, served) = listener(vec![(200, FOUR.to_owned()), (503, "no controller\n".into())]);
    let admin = admin.to_string();
    let (text, result) = run_line(&["--dry-run", "--admin", &admin, "--save", saved]).await;
    served.join().unwrap();
    let kept = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert_eq!((text.as_str(), kept.as_str()), ("", FOUR));
    let expected = format!(
        "{admin}: /balance/status: 503: no controller; the snapshot is in {saved}: \
         `--snapshot {saved}` plans for it without asking anybody"
    );
    assert_eq!(result.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn a_status_of_a_later_version_is_read_as_far_as_it_is_known() {
    let later = "status 1\ncontroller 2 since 7\nforecast rain\n".to_owned();
    let (admin, served) = listener(vec![(200, later)]);
    let (text, result) = run_line(&["--status", "--admin", &admin.to_string()]).await;
    served.join().unwrap();
    result.unwrap();
    assert!(text.starts_with("controller: broker 2\n"), "{text}");
}

#[tokio::test]
async fn a_status_is_asked_of_the_admin_listener_alone() {
    let status = include_str!("../golden/status.txt").to_owned();
    let (admin, served) = listener(vec![(200, status), (503, "no controller\n".to_owned())]);
    let admin = admin.to_string();
    let (text, result) = run_line(&["--status", "--admin", &admin]).await;
    result.unwrap();
    assert_eq!(text, include_str!("../golden/progress.txt"));
    let (text, result) = run_line(&["--status", "--admin", &admin]).await;
    assert_eq!(text, "");
    let why = result.unwrap_err().to_string();
    assert_eq!(why, format!("{admin}: /balance/status: 503: no controller"));
    assert_eq!(served.join().unwrap(), ["GET /balance/status HTTP/1.1"; 2]);
}
