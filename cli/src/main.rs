//! `logboom`, the one binary.

mod admin;
mod broker;
mod client;
mod cluster;
mod config;
mod confirm;
mod consume;
mod dev;
mod group;
mod log;
mod offset;
mod output;
mod partition;
mod produce;
mod progress;
mod topic;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A partitioned, replicated message log that speaks the Apache Kafka protocol.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a broker.
    #[command(after_help = broker::EXAMPLES)]
    Broker(broker::BrokerArguments),
    /// Runs a whole cluster on this machine.
    #[command(after_help = dev::EXAMPLES)]
    Dev(dev::DevArguments),
    /// Looks into a data directory offline.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Creates, shows, changes and deletes topics.
    Topic(topic::TopicArguments),
    /// Sends the lines of a file or of stdin as records.
    #[command(after_help = produce::EXAMPLES)]
    Produce(produce::ProduceArguments),
    /// Writes the records of a topic to stdout.
    #[command(after_help = consume::HELP)]
    Consume(consume::ConsumeArguments),
    /// Lists, describes, resets and deletes consumer groups.
    Group(group::GroupArguments),
    /// Shows and changes the configuration of topics and brokers.
    Config(config::ConfigArguments),
    /// Shows who is there and who leads what.
    Cluster(cluster::ClusterArguments),
    /// Loads a cluster, measures, and compares what was measured.
    Bench(Box<logboom_bench::BenchArguments>),
    /// Recovers a partition that has lost most of its replicas.
    Partition(partition::PartitionArguments),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Broker(arguments) => broker::run(&arguments),
        Command::Dev(arguments) => dev::run(&arguments),
        Command::Log(command) => log::run(&command, &mut std::io::stdout().lock()),
        Command::Topic(arguments) => topic::run(&arguments),
        Command::Produce(arguments) => produce::run(&arguments),
        Command::Consume(arguments) => consume::run(&arguments),
        Command::Group(arguments) => group::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Cluster(arguments) => cluster::run(&arguments),
        Command::Bench(arguments) => logboom_bench::run(&arguments),
        Command::Partition(arguments) => partition::run(&arguments),
    }
}

/// Says on stderr what is wrong.
fn complain(message: &str) {
    // Where that can't be written there is nobody to tell.
    drop(writeln!(std::io::stderr(), "{message}"));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{Arguments, Command, Parser as _, log};

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
        let parsed = Arguments::try_parse_from(["logboom", "broker"]).unwrap();
        assert!(matches!(parsed.command, Command::Broker(_)));
        assert!(Arguments::try_parse_from(["logboom", "brokre"]).is_err());
    }

    #[test]
    fn client_commands_take_their_options_behind_noun_and_verb() {
        for arguments in [
            "topic create t --partitions 3 --config a=b --config c=d --bootstrap h:1 --output json",
            "topic --bootstrap [::1]:9092,b list",
            "topic alter t --delete retention.ms",
            "topic trim t --before 2026-01-31T12:00:00+01:00 --timeout 3",
            "produce t --key-delimiter , --acks 0 --compression lz4 --partition 1 --file f",
            "consume t --from @17 --count 3 --format %p:%o -e",
            "consume t --output json",
            "consume t --group g --from end --count 3",
            "partition recover t 0 --admin h:9644 --yes",
            "group list --state empty --state preparing-rebalance --type classic",
            "group describe a b --members",
            "group describe --all --output json",
            "group reset g --topic t --topic u:0,1 --to-beginning --dry-run",
            "group reset g --all-topics --shift-by -5",
            "group reset g --all-topics --to-time @17",
            "group reset g --all-topics --by-duration PT1H",
            "group delete a b --if-exists",
            "group delete a --topic t:1",
            "config describe broker all",
            "config set topic t a=b c=d --dry-run",
            "cluster status",
            "cluster balance --dry-run --explain --admin h:9644 --save s.txt",
            "cluster balance --explain --snapshot s.txt --rate 1 --output json",
            "cluster balance --yes --bootstrap h:1",
            "cluster balance --status --output json",
            "cluster balance --cancel",
            "cluster capacity --snapshot s.txt",
            "cluster drain 3 --admin h:9644 --timeout 5",
            "cluster drain 3 --no-wait",
            "cluster undrain 3",
            "cluster remove 3 --force",
            "bench produce --bootstrap h:1 --rate 100 --html f --output json",
            "bench end-to-end --group g --groups 2",
            "bench compare a.json b.json",
            "dev --brokers 5 --data-dir d --base-port 29092 --set num.partitions=3",
        ] {
            let words = std::iter::once("logboom").chain(arguments.split(' '));
            let parsed = Arguments::try_parse_from(words);
            assert!(parsed.is_ok(), "{arguments}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn wrong_usage_is_found_before_anything_is_done() {
        for arguments in [
            "topic",
            "topic create",
            "topic alter t",
            "topic list --bootstrap h:x",
            "topic trim t",
            "produce t --acks 2",
            "produce t --key-delimiter=",
            "consume t --from yesterday",
            "consume t --format %q",
            "consume t --format %s --output json",
            "consume t --group g --partition 1",
            "group",
            "group list --state asleep",
            "group describe",
            "group describe g --all",
            "group reset g --to-end",
            "group reset g --topic t",
            "group reset g --topic t --all-topics --to-end",
            "group reset g --topic t --to-end --to-beginning",
            "group reset g --topic t:x --to-end",
            "group reset g --topic t --to-offset -1",
            "group reset g --topic t --to-time yesterday",
            "group reset g --topic t --by-duration 1mo",
            "group delete",
            "cluster balance --status --dry-run",
            "cluster balance --status --cancel",
            "cluster balance --cancel --yes",
            "cluster balance --snapshot s.txt --save s.txt",
            "cluster balance --snapshot s.txt --status",
            "cluster balance --rate 0",
            "cluster drain",
            "cluster drain three",
            "cluster undrain 3 --admin h:9644",
            "cluster remove 3 --no-wait",
            "bench",
            "bench produce --rate 0",
            "config describe user u",
            "config set topic t key",
        ] {
            let words = std::iter::once("logboom").chain(arguments.split(' '));
            let error = Arguments::try_parse_from(words).expect_err(arguments);
            assert_eq!(error.exit_code(), 2, "{arguments}");
        }
    }

    #[test]
    fn a_directory_that_is_none_is_refused_by_name() {
        let arguments = ["logboom", "log", "verify", "/nonexistent", "--output", "json"];
        let Command::Log(command) = Arguments::try_parse_from(arguments).unwrap().command else {
            panic!("parsed as something else");
        };
        let mut out = Vec::new();
        let status = log::run(&command, &mut out);
        assert_eq!(format!("{status:?}"), format!("{:?}", std::process::ExitCode::FAILURE));
        assert!(out.is_empty());
    }
}
