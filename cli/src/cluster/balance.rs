//! `logboom cluster balance`: what should move and why, having it moved, and how far that is.
//!
//! The plan that is shown is made here, of the snapshot that the controller gives: the same
//! snapshot gives the same plan everywhere. What is carried out is the controller's own, made of
//! what it sees then.

mod manual;
mod progress;
mod report;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::RangedU64ValueParser;
use serde_json::json;

use logboom_balance::{Options, Rates, plan};
use logboom_client::{Cluster, ConfigChange, ConfigOperation, ConfigResource};

use self::manual::Wanted;
use self::report::Report;
use super::{figures, source};
use crate::admin::AdminArguments;
use crate::client::Failure;
use crate::confirm::is_wanted;
use crate::output::{Output, write_done};

pub(super) use self::progress::{fetch as fetch_status, growth_text, growth_value};

/// What stands below the options.
pub(super) const HELP: &str = "\
Without --dry-run it shows the plan and asks; where nobody sits at a terminal, nothing is done
without --yes. Then the controller carries out plans of all rules, until nothing is left to move,
or ten of them.
Exit status 0: it was asked for, or there is nothing to move. 1: it was refused, or nobody can be
asked.

With --output json there is a line for each move, each replica that should move and can't, and at
last a summary; `kind` says which. Utilisations are in millionths (`ppm`), resources are partitions,
disk, in, out and leaders. --status has a line for each broker that is drained as well.

--move plans for moves of your own alone, and refuses what would break a rule: racks, capacities, as
many replicas as there are. With --dry-run or --snapshot it ends there; else it asks, and they begin
at once, all together, whatever balance.moves says.

--cancel takes all reassignments back that are under way, those of an operator as well. Rules that
are followed without being asked (balance.triggers) go on.

Examples:
  logboom cluster balance --dry-run
  logboom cluster balance --dry-run --explain --save before.txt
  logboom cluster balance --explain --snapshot before.txt
  logboom cluster balance --dry-run --explain --move flights-3:1:4
  logboom cluster balance --move flights-3:1:4 --move flights-4:1:5
  logboom cluster balance --yes --admin broker-1:9644 --bootstrap broker-1:9092
  logboom cluster balance --status
  logboom cluster balance --cancel";

/// The configuration of all brokers that asks for a plan of all rules.
const ONCE: &str = "balance.once";

/// The arguments of `logboom cluster balance`.
#[derive(Debug, Args)]
pub(super) struct BalanceArguments {
    #[command(flatten)]
    admin: AdminArguments,
    /// Shows what would move, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Shows for each move why, what it changes, and which broker was turned down.
    #[arg(long)]
    explain: bool,
    /// Plans for what --save has written, and changes nothing; no broker is asked.
    #[arg(long, value_name = "FILE", conflicts_with = "save")]
    snapshot: Option<PathBuf>,
    /// Writes what the plan is made of to a new file.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// The bytes that a broker sends new replicas in a second, for the expected times; what is
    /// configured, if it isn't given, and 50 MiB with --snapshot.
    #[arg(long, value_name = "BYTES")]
    #[arg(value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    rate: Option<u64>,
    /// Plans for this move: a replica of a partition goes from one broker to another. May be given
    /// several times; nothing else is planned then.
    #[arg(long = "move", value_name = "TOPIC-PARTITION:FROM:TO")]
    moves: Vec<Wanted>,
    /// Shows what is being carried out, and how far it is.
    #[arg(long, conflicts_with_all = PLANS)]
    status: bool,
    /// Stops what is being carried out, and takes back what is under way.
    #[arg(long, conflicts_with_all = PLANS)]
    #[arg(conflicts_with = "status")]
    cancel: bool,
    /// Has it carried out without asking.
    #[arg(long)]
    yes: bool,
}

/// What is about plans that are made here.
const PLANS: [&str; 7] = ["dry_run", "explain", "snapshot", "save", "rate", "moves", "yes"];

/// Plans, and has it carried out; or shows how far it is, or stops it.
pub(super) async fn run(
    cluster: &Cluster,
    arguments: &BalanceArguments,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    if arguments.status {
        let status = fetch_status(&arguments.admin).await?;
        return Ok(progress::write(&status, output, out)?);
    }
    if arguments.cancel {
        return cancel(cluster, output, out).await;
    }
    let BalanceArguments { admin, save, rate, .. } = arguments;
    let snapshot = match &arguments.snapshot {
        Some(file) => source::replay(file)?,
        None => source::fetch(admin, save.as_deref()).await?,
    };
    let rates = match (rate, &arguments.snapshot) {
        (Some(rate), _) => Rates::of_all(*rate),
        (None, Some(_)) => Rates::default(),
        (None, None) => {
            let status = fetch_status(admin).await;
            status.map_err(|failure| beside(save.as_deref(), failure))?.rates
        }
    };
    let plan = match &arguments.moves[..] {
        [] => plan(&snapshot, &Options::default()),
        moves => manual::plan_of(&snapshot, moves)?,
    };
    let wishes = (!arguments.moves.is_empty()).then(|| manual::wishes(&snapshot, &plan));
    let report = Report::new(&snapshot, plan, rates);
    report.write(arguments.explain, output, out)?;
    let is_shown_only = arguments.dry_run || arguments.snapshot.is_some();
    if is_shown_only || report.has_no_moves() {
        return Ok(());
    }
    let wishes = wishes.transpose()?;
    // Results go to stdout alone: the question is none.
    if !arguments.yes && !is_wanted("Have all this carried out?", &mut io::stderr())? {
        return Err(Failure::Told);
    }
    match wishes {
        None => begin(cluster, output, out).await,
        Some(wishes) => {
            let names = manual::begin(cluster, &wishes).await?;
            let sentence = format!(
                "{} on their way; `logboom cluster balance --status` shows them",
                figures::count(names.len(), "partition is", "partitions are")
            );
            let value = json!({ "kind": "begun", "once": false, "partitions": names });
            Ok(write_done(out, output, &sentence, &value)?)
        }
    }
}

/// What failed, and what was saved before.
fn beside(saved: Option<&Path>, failure: Failure) -> Failure {
    let Some(file) = saved.map(Path::display) else { return failure };
    let way_out = format!("`--snapshot {file}` plans for it without asking anybody");
    Failure::failed(format_args!("{failure}; the snapshot is in {file}: {way_out}"))
}

async fn begin(cluster: &Cluster, output: Output, out: &mut impl Write) -> Result<(), Failure> {
    set_once(cluster, ConfigOperation::Set("true".to_owned())).await?;
    let sentence = "the controller carries out a plan of all rules; \
                    `logboom cluster balance --status` shows how far it is";
    Ok(write_done(out, output, sentence, &json!({ "kind": "begun", "once": true }))?)
}

async fn set_once(cluster: &Cluster, operation: ConfigOperation) -> Result<(), Failure> {
    let change = ConfigChange { name: ONCE.to_owned(), operation };
    Ok(cluster.alter_configs(&ConfigResource::AllBrokers, &[change], false).await?)
}

/// What was asked for is stopped first, so that nothing begins while the rest is taken back.
async fn cancel(cluster: &Cluster, output: Output, out: &mut impl Write) -> Result<(), Failure> {
    set_once(cluster, ConfigOperation::Delete).await?;
    let under_way = cluster.reassignments().await?;
    let back = cluster.cancel_reassignments(&under_way).await?;
    let names = under_way.iter().map(|one| format!("{}-{}", one.topic, one.partition));
    let names: Vec<String> = names.collect();
    let sentence = format!(
        "no plan of all rules is carried out any more; of {} reassignments under way {back} were \
         taken back",
        names.len()
    );
    let value = json!({
        "kind": "cancelled", "once": false, "under_way": names, "taken_back": back,
    });
    Ok(write_done(out, output, &sentence, &value)?)
}

#[cfg(test)]
mod tests;
