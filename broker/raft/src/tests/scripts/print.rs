//! Messages, logs and replicas as scripts show them.

use std::borrow::ToOwned as _;
use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use super::super::node::Node;
use crate::candidate::Candidate;
use crate::group::{Group, Part};
use crate::{Append, AppendReply, Body, Content, Control, History, Message, Outcome, Position};
use crate::{Standing, VoteReply};

/// The word by which a script names a message.
pub(super) fn kind(body: &Body) -> &'static str {
    match body {
        Body::Vote(vote) if vote.pre => "pre-vote",
        Body::Vote(_) => "vote",
        Body::VoteReply(reply) if reply.pre => "pre-vote-reply",
        Body::VoteReply(_) => "vote-reply",
        Body::Append(_) => "append",
        Body::AppendReply(_) => "ack",
        Body::Beat { .. } => "beat",
        Body::Reset(_) => "reset",
        Body::TimeoutNow => "timeout-now",
        Body::Hello { .. } => "hello",
        Body::HelloReply { .. } => "hello-reply",
        Body::Resigned => "resigned",
    }
}

/// A message in short.
pub(super) fn message(message: &Message) -> String {
    let Message { from, to, epoch, body } = message;
    let details = details(body);
    let space = if details.is_empty() { "" } else { " " };
    format!("{from}→{to} in {epoch}: {}{space}{details}", kind(body))
}

fn details(body: &Body) -> String {
    match body {
        Body::Vote(vote) => {
            format!("{}{}", vote.end, if vote.transfer { " for the leader" } else { "" })
        }
        Body::VoteReply(reply) => vote_reply(*reply),
        Body::Append(it) => append(it),
        Body::AppendReply(reply) => append_reply(reply),
        Body::Beat { commit, log_start } => format!("commit {commit}{}", start(*log_start)),
        Body::Reset(reset) => {
            format!("to {} voters({}) commit {}", reset.start, reset.voters, reset.commit)
        }
        Body::Hello { run } => format!("run {run}"),
        Body::HelloReply { run, end } => format!("run {run} end {end}"),
        Body::TimeoutNow | Body::Resigned => String::new(),
    }
}

fn vote_reply(reply: VoteReply) -> String {
    let granted = if reply.granted { "yes" } else { "no" };
    format!("{granted}{}", if reply.lossy { " lossy" } else { "" })
}

fn append(append: &Append) -> String {
    let content = match &append.content {
        Content::Nothing => "nothing".to_owned(),
        Content::Control(it) => control(it),
        Content::Data { until, gaps } => {
            let gaps = if *gaps { " with gaps" } else { "" };
            format!("[{}..{until}){gaps}", append.prev.offset)
        }
    };
    format!("{} + {content} commit {}{}", append.prev, append.commit, start(append.log_start))
}

fn control(control: &Control) -> String {
    match &control.voters {
        Some(voters) => format!("voters({voters})"),
        None => format!("marker {}", control.epoch),
    }
}

fn start(log_start: i64) -> String {
    if log_start == 0 { String::new() } else { format!(" start {log_start}") }
}

fn append_reply(reply: &AppendReply) -> String {
    let AppendReply { outcome, matched, kept, commit, log_start, .. } = reply;
    let AppendReply { flushed, run, lossy, held_back, wish, .. } = reply;
    let mut words = Vec::from([matched.to_string()]);
    if kept != matched {
        words.push(format!("kept {kept}"));
    }
    if *flushed != kept.offset {
        words.push(format!("flushed {flushed}"));
    }
    match outcome {
        Outcome::Matched => {}
        Outcome::Longer => words.push("longer".to_owned()),
        Outcome::Mismatch { common, .. } => words.push(format!("mismatch {common}")),
    }
    words.push(format!("commit {commit}"));
    if *log_start != 0 {
        words.push(format!("start {log_start}"));
    }
    if *run != 1 {
        words.push(format!("run {run}"));
    }
    if *lossy {
        words.push("lossy".to_owned());
    }
    if *held_back {
        words.push("held back".to_owned());
    }
    if *wish != i64::MAX {
        words.push(format!("knows wish {wish}"));
    }
    words.join(" ")
}

/// The shape of a log: the records of each epoch, and the voters where they stand.
fn log(history: &History) -> String {
    let mut words = Vec::new();
    if history.start() != Position::ZERO {
        words.push(format!("from {}", history.start()));
    }
    let mut controls = history.controls().iter().peekable();
    let first_until = controls.peek().map_or(history.end().offset, |next| next.offset);
    if first_until > history.start().offset {
        words.push(records(history.start(), first_until));
    }
    while let Some(it) = controls.next() {
        let until = controls.peek().map_or(history.end().offset, |next| next.offset);
        if it.voters.is_some() {
            words.push(control(it));
        }
        if it.voters.is_none() || until > it.offset {
            words.push(records(it.end(), until));
        }
    }
    if words.is_empty() { "nothing".to_owned() } else { words.join(" ") }
}

fn records(from: Position, until: i64) -> String {
    format!("{}[{}..{until})", from.epoch, from.offset)
}

fn role(group: &Group) -> String {
    match &group.part {
        Part::Leader(_) => "leads".to_owned(),
        Part::Candidate(candidate) => match **candidate {
            Candidate { pre: true, .. } => "asks".to_owned(),
            Candidate { pre: false, .. } => "campaigns".to_owned(),
        },
        Part::Follower(follower) => match follower.leader {
            Some(leader) => format!("follows {leader}"),
            None => "follows nobody".to_owned(),
        },
    }
}

/// A replica in one line.
pub(super) fn node(node: &Node) -> String {
    let Some(group) = &node.group else { return format!("{} is down", node.id) };
    let vote = group.vote.map_or(String::new(), |vote| format!(" voted {vote}"));
    let lossy = if group.is_lossy() { " lossy" } else { "" };
    let (end, durable, commit) = (group.history().end(), group.durable(), group.commit());
    let not_all = if durable == end { String::new() } else { format!(" durable {durable}") };
    let (voters, named_at) = group.history().voters();
    let voters = match named_at {
        Position::ZERO => String::new(),
        _ => format!(" | voters {voters}"),
    };
    format!(
        "{} {} in {}{vote}{lossy}: {} | end {end}{not_all} commit {commit}{voters}",
        node.id,
        role(group),
        group.epoch(),
        log(group.history()),
    )
}

/// What a leader knows of a follower.
pub(super) fn standing(it: &Standing) -> String {
    let Standing { id, matched, kept, commit, log_start, held_back, answers: _ } = it;
    let (start, back) = (start(*log_start), if *held_back { " held back" } else { "" });
    format!("{id}: matched {matched} kept {kept} commit {commit}{start}{back}")
}
