//! `logboom cluster drain` and `undrain`: a broker is emptied, or takes its share again.
//!
//! Must always hold: waiting changes nothing; however it ends, the broker stays as it was asked
//! for.

use std::io::Write;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use logboom_balance::status::{PlanStatus, Status};
use logboom_balance::{Rule, Stage};
use logboom_bench::Signals;
use logboom_client::{Cluster, ConfigChange, ConfigOperation, ConfigResource};

use super::{balance, figures};
use crate::admin::AdminArguments;
use crate::client::Failure;
use crate::output::{Output, write_done};
use crate::progress::Progress;

/// What stands below the options of `drain`.
pub(super) const HELP: &str = "\
It waits until the broker has nothing left, for ever unless --timeout says how long. However that
ends, by Ctrl-C as well, the broker stays drained until `logboom cluster undrain`. Exit status 0: it
has nothing left, or --no-wait was given. 1: it has, or nobody can be asked.

With --output json there is one object: kind, broker, drained, replicas and leaders that are left
(null with --no-wait).

Examples:
  logboom cluster drain 3 --admin broker-1:9644 --bootstrap broker-1:9092
  logboom cluster drain 3 --no-wait";

/// What stands below the options of `undrain`.
pub(super) const UNDRAIN_HELP: &str = "\
It takes its share again as the rules have it: `logboom cluster balance` has that done at once.

Example:
  logboom cluster undrain 3";

/// The configuration of a broker that has it emptied.
const DRAIN: &str = "balance.drain";
/// How often is asked how far it is.
const INTERVAL: Duration = Duration::from_secs(1);
/// For how long nobody may be able to say how far it is.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// The arguments of `logboom cluster drain`.
#[derive(Debug, Args)]
pub(super) struct DrainArguments {
    /// The broker's number.
    id: i32,
    #[command(flatten)]
    admin: AdminArguments,
    /// Only asks for it.
    #[arg(long)]
    no_wait: bool,
}

/// Drains, and waits until nothing is left.
///
/// - `patience`: how long; `None` is for ever.
pub(super) async fn run(
    cluster: &Cluster,
    arguments: &DrainArguments,
    patience: Option<Duration>,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let DrainArguments { id, admin, no_wait } = arguments;
    if !no_wait {
        // Who can't be asked how far it is should be known before anything is done.
        balance::fetch_status(admin).await?;
    }
    set(cluster, *id, ConfigOperation::Set("true".to_owned())).await?;
    if *no_wait {
        let sentence = format!(
            "broker {id} is drained; `logboom cluster balance --status` shows how far it is"
        );
        let value = json!({
            "kind": "drained", "broker": id, "drained": true, "replicas": null, "leaders": null,
        });
        return Ok(write_done(out, output, &sentence, &value)?);
    }
    wait(*id, admin, patience).await?;
    let sentence = format!(
        "broker {id} has nothing left; stopped, it is removed by `logboom cluster remove {id}`"
    );
    let value = json!({
        "kind": "drained", "broker": id, "drained": true, "replicas": 0, "leaders": 0,
    });
    Ok(write_done(out, output, &sentence, &value)?)
}

/// Waits until a broker has nothing left.
async fn wait(id: i32, admin: &AdminArguments, patience: Option<Duration>) -> Result<(), Failure> {
    let mut watch = Watch::new(id);
    let mut signals = Signals::new()?;
    let reason = tokio::select! {
        ended = watch.until_empty(admin) => return ended,
        () = signals.next() => "it was interrupted",
        () = passed(patience) => "the time of --timeout is over",
    };
    Err(watch.goes_on(reason))
}

/// Has a broker take its share again.
pub(super) async fn undo(
    cluster: &Cluster,
    id: i32,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    set(cluster, id, ConfigOperation::Delete).await?;
    let value = json!({ "kind": "undrained", "broker": id, "drained": false });
    Ok(write_done(out, output, &format!("broker {id} is drained no more"), &value)?)
}

async fn set(cluster: &Cluster, id: i32, operation: ConfigOperation) -> Result<(), Failure> {
    let change = ConfigChange { name: DRAIN.to_owned(), operation };
    Ok(cluster.alter_configs(&ConfigResource::Broker(id), &[change], false).await?)
}

/// Ends when so much time has passed.
async fn passed(patience: Option<Duration>) {
    match patience {
        Some(patience) => tokio::time::sleep(patience).await,
        None => std::future::pending().await,
    }
}

/// Somebody who looks how far it is.
struct Watch {
    id: i32,
    /// Whether the controller has told of the drain.
    is_known: bool,
    /// What is left, as a sentence about the broker.
    left: String,
    /// When it was last told.
    told: Instant,
    progress: Progress,
}

/// How it stands with a drain.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The controller doesn't know of it yet.
    Unknown,
    /// It goes on; what is left, as a sentence about the broker.
    GoesOn(String),
    /// Nothing is left.
    Empty,
    /// It goes no further by itself.
    Stuck { why: String, left: String },
    /// The broker is drained no more.
    Ended,
}

impl Watch {
    fn new(id: i32) -> Self {
        let left = format!("nobody has told yet what broker {id} has");
        let (told, progress) = (Instant::now(), Progress::new(true));
        Self { id, is_known: false, left, told, progress }
    }

    /// The waiting ends, the drain doesn't.
    fn goes_on(&self, reason: &str) -> Failure {
        let Self { id, left, .. } = self;
        let way_out = format!("`logboom cluster undrain {id}` takes it back");
        Failure::failed(format_args!("{reason}; {left}; the drain goes on, {way_out}"))
    }

    /// Looks until nothing is left.
    ///
    /// # Errors
    /// Why there is no more to wait for.
    async fn until_empty(&mut self, admin: &AdminArguments) -> Result<(), Failure> {
        loop {
            match balance::fetch_status(admin).await {
                Ok(status) => {
                    self.told = Instant::now();
                    match outcome(&status, self.id, self.is_known) {
                        Outcome::Unknown => {}
                        Outcome::GoesOn(left) => (self.left, self.is_known) = (left, true),
                        Outcome::Empty => return Ok(()),
                        Outcome::Stuck { why, left } => {
                            self.left = left;
                            return Err(self.goes_on(&why));
                        }
                        Outcome::Ended => {
                            let why = "somebody has taken the drain back";
                            return Err(Failure::failed(format_args!("{why}; {}", self.left)));
                        }
                    }
                }
                // Whoever decides may change, and the broker that is asked may be started anew.
                Err(failure) if self.told.elapsed() > SILENCE_MAX => {
                    return Err(self.goes_on(&failure.to_string()));
                }
                Err(_) => {}
            }
            self.progress.show(|| self.left.clone());
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

/// What a status says of a broker.
///
/// - `was_known`: whether an earlier one named it as drained.
fn outcome(status: &Status, id: i32, was_known: bool) -> Outcome {
    let Some(drain) = status.drains.iter().find(|drain| drain.broker == id) else {
        return match was_known {
            true => Outcome::Ended,
            false => Outcome::Unknown,
        };
    };
    if drain.replicas == 0 && drain.leaders == 0 {
        return Outcome::Empty;
    }
    let left = format!(
        "broker {id} has {} replicas and leads {} partitions",
        drain.replicas, drain.leaders
    );
    let is_followed = status.once || status.triggers.contains(&Rule::Drain);
    if !is_followed && drain.moving == 0 {
        let why = "nothing is moved for it: balance.triggers has no `drain`, and no plan is asked \
                   for (`logboom cluster balance`)";
        return Outcome::Stuck { why: why.to_owned(), left };
    }
    let Some(plan) = &status.plan else { return Outcome::GoesOn(left) };
    match stuck(plan, id).filter(|_| drain.moving == 0) {
        Some(why) => Outcome::Stuck { why, left },
        None => {
            let time = figures::seconds(plan.seconds_left);
            let bytes = figures::bytes(plan.bytes_left);
            Outcome::GoesOn(format!("{left}; {bytes} of the plan are left, {time} at least"))
        }
    }
}

/// Why nothing leaves a broker any more: what is left of it can't, and nothing else is to move.
fn stuck(plan: &PlanStatus, id: i32) -> Option<String> {
    let moves = plan.moves.iter().filter(|one| one.from == id);
    let mut open = moves.filter(|one| !matches!(one.stage, Stage::Done | Stage::Void));
    let mut unmet = plan.unmet.iter().filter(|it| it.from == id && it.rule == Rule::Drain);
    if open.next().is_some() {
        return None;
    }
    let first = unmet.next()?;
    let more = match unmet.count() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Some(format!(
        "{}-{} finds no other broker ({}){more}",
        first.topic, first.index, first.obstacle
    ))
}

#[cfg(test)]
mod tests {
    use crate::admin::testing::listener;

    use super::*;

    fn status(lines: &str) -> Status {
        Status::parse(&format!("status 1\ncontroller 1\ntriggers drain\n{lines}")).unwrap()
    }

    const DRAINS: &str = "drain 2 replicas 0 leaders 0\ndrain 3 replicas 4 leaders 1\n";
    const PLAN: &str = "plan age 1 bytes 2048 left 1024 seconds 7\n";
    const UNMET: &str = "unmet t 4 from 3 rule drain obstacle racks\n\
                         unmet t 5 from 3 rule drain obstacle capacity disk\n";

    #[test]
    fn it_goes_on_until_the_controller_tells_of_nothing_left() {
        assert_eq!(outcome(&status(""), 3, false), Outcome::Unknown);
        assert_eq!(outcome(&status(DRAINS), 1, false), Outcome::Unknown);
        assert_eq!(outcome(&status(DRAINS), 2, false), Outcome::Empty);
        let left = "broker 3 has 4 replicas and leads 1 partitions".to_owned();
        assert_eq!(outcome(&status(DRAINS), 3, false), Outcome::GoesOn(left.clone()));
        let planned = format!("{left}; 1.0 KiB of the plan are left, 7 s at least");
        let goes_on = outcome(&status(&format!("{DRAINS}{PLAN}")), 3, true);
        assert_eq!(goes_on, Outcome::GoesOn(planned));
        let leads = status("drain 3 replicas 0 leaders 1\n");
        assert!(matches!(outcome(&leads, 3, true), Outcome::GoesOn(_)));
    }

    #[test]
    fn where_nothing_follows_the_rule_nothing_is_waited_for() {
        let outcome = |triggers: &str| {
            let status = format!("status 1\ncontroller 1\n{triggers}{DRAINS}");
            outcome(&Status::parse(&status).unwrap(), 3, true)
        };
        let Outcome::Stuck { why, .. } = outcome("triggers capacity\n") else { panic!() };
        assert!(why.contains("balance.triggers"), "{why}");
        assert!(matches!(outcome("triggers drain\n"), Outcome::GoesOn(_)));
        assert!(matches!(outcome("once\n"), Outcome::GoesOn(_)));
        assert_eq!(outcome("triggers drain\n"), outcome("triggers capacity\nonce\n"));
    }

    #[test]
    fn a_drain_that_somebody_else_has_ended_is_not_waited_for() {
        assert_eq!(outcome(&status(""), 3, true), Outcome::Ended);
    }

    #[test]
    fn what_finds_no_other_broker_ends_the_waiting_once_nothing_else_moves() {
        let with = |stage: &str, from: i32| {
            let one =
                format!("move t 1 replica from {from} to 1 rule drain bytes 9 stage {stage}\n");
            outcome(&status(&format!("{DRAINS}{PLAN}{one}{UNMET}")), 3, true)
        };
        for stage in ["under-way", "now", "waits limit", "waits capacity disk"] {
            assert!(matches!(with(stage, 3), Outcome::GoesOn(_)), "{stage}");
        }
        let why = "t-4 finds no other broker (racks: only racks that have a replica have other \
                   brokers), and 1 more";
        for (stage, from) in [("done", 3), ("void", 3), ("under-way", 2)] {
            let left = "broker 3 has 4 replicas and leads 1 partitions".to_owned();
            let stuck = Outcome::Stuck { why: why.to_owned(), left };
            assert_eq!(with(stage, from), stuck, "{stage}");
        }
        // What others have begun empties it still.
        let moving = DRAINS.replace("replicas 4 leaders 1", "replicas 4 leaders 1 moving 1");
        let goes_on = outcome(&status(&format!("{moving}{PLAN}{UNMET}")), 3, true);
        assert!(matches!(goes_on, Outcome::GoesOn(_)), "{goes_on:?}");
        // A plan that was made before says nothing of the drain.
        let older = UNMET.replace("rule drain", "rule skew");
        let older = outcome(&status(&format!("{DRAINS}{PLAN}{older}")), 3, true);
        assert!(matches!(older, Outcome::GoesOn(_)));
    }

    #[tokio::test]
    async fn the_waiting_ends_with_what_the_controller_tells() {
        let told = |lines: &str| (200, format!("status 1\ncontroller 1\ntriggers drain\n{lines}"));
        let stuck = format!("{DRAINS}{PLAN}{UNMET}");
        let (admin, served) = listener(vec![told(DRAINS), told(&stuck)]);
        Watch::new(2).until_empty(&admin).await.unwrap();
        let why = Watch::new(3).until_empty(&admin).await.unwrap_err().to_string();
        assert!(why.starts_with("t-4 finds no other broker"), "{why}");
        assert_eq!(served.join().unwrap(), ["GET /balance/status HTTP/1.1"; 2]);
    }

    #[tokio::test]
    async fn a_broker_stays_drained_when_the_waiting_ends_and_that_is_said() {
        // It takes connections and says nothing.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = AdminArguments::of(&silent);
        let patience = Some(Duration::from_millis(1));
        let why = wait(3, &admin, patience).await.unwrap_err().to_string();
        let left = "nobody has told yet what broker 3 has";
        let way_out = "the drain goes on, `logboom cluster undrain 3` takes it back";
        assert_eq!(why, format!("the time of --timeout is over; {left}; {way_out}"));
    }
}
