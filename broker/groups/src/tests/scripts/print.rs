//! Answers and records as scripts show them.

use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::join_group::JoinGroupResponse;
use logboom_protocol::messages::sync_group::SyncGroupResponse;

use crate::record::{GroupMetadata, GroupRecord};

pub(super) fn error(code: ErrorCode) -> String {
    if code.is_none() { "ok".to_string() } else { code.name().unwrap_or("?").to_string() }
}

pub(super) fn text(bytes: &Bytes) -> String {
    bytes.escape_ascii().to_string()
}

pub(super) fn join(told: &JoinGroupResponse) -> String {
    if !told.error_code.is_none() {
        return format!("{} id={}", error(told.error_code), told.member_id);
    }
    let members =
        told.members.iter().map(|one| format!("{}:{}", one.member_id, text(&one.metadata)));
    let members: Vec<String> = members.collect();
    format!(
        "joined id={} generation={} protocol={} leader={}{}{}",
        told.member_id,
        told.generation_id,
        told.protocol_name.as_deref().unwrap_or("null"),
        told.leader,
        if told.skip_assignment { " skip" } else { "" },
        if members.is_empty() { String::new() } else { format!(" members={}", members.join(",")) },
    )
}

pub(super) fn sync(told: &SyncGroupResponse) -> String {
    if told.error_code.is_none() {
        format!("synced assignment={:?}", text(&told.assignment))
    } else {
        error(told.error_code)
    }
}

pub(super) fn record(record: &GroupRecord) -> String {
    match record {
        GroupRecord::Offset { group, topic, partition, value: None } => {
            format!("{group} {topic}-{partition} forgotten")
        }
        GroupRecord::Offset { group, topic, partition, value: Some(value) } => {
            format!("{group} {topic}-{partition} offset={}", value.offset)
        }
        GroupRecord::Group { group, value: None } => format!("{group} gone"),
        GroupRecord::Group { group, value: Some(value) } => format!("{group} {}", metadata(value)),
    }
}

fn metadata(value: &GroupMetadata) -> String {
    let members = value.members.iter().map(|one| {
        format!("{}:{}>{}", one.member_id, text(&one.subscription), text(&one.assignment))
    });
    let members: Vec<String> = members.collect();
    format!(
        "generation={} protocol={} leader={} members=[{}]",
        value.generation,
        value.protocol.as_deref().unwrap_or("null"),
        value.leader.as_deref().unwrap_or("null"),
        members.join(",")
    )
}
