// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! ConsumerGroupDescribe: describes consumer groups of the new protocol (KIP-848).

use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `ConsumerGroupDescribeRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConsumerGroupDescribeRequest {
    /// In all versions.
    pub group_ids: Vec<CompactString>,
    /// In all versions.
    pub include_authorized_operations: bool,
}

impl ConsumerGroupDescribeRequest {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            group_ids: r
                .array(true, 1, |r| r.string(true))
                .at("ConsumerGroupDescribeRequest.group_ids")?,
            include_authorized_operations: r
                .bool()
                .at("ConsumerGroupDescribeRequest.include_authorized_operations")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.array(&self.group_ids, true, |w, one| Ok(w.string(one, true)?))
            .at("ConsumerGroupDescribeRequest.group_ids")?;
        w.bool(self.include_authorized_operations);
        w.uvarint(0);
        Ok(())
    }
}

/// `ConsumerGroupDescribeResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConsumerGroupDescribeResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub groups: Vec<DescribedGroup>,
}

impl ConsumerGroupDescribeResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("ConsumerGroupDescribeResponse.throttle_time_ms")?,
            groups: r
                .array(true, 20, |r| DescribedGroup::read(r, version))
                .at("ConsumerGroupDescribeResponse.groups")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.array(&self.groups, true, |w, one| one.write(w, version))
            .at("ConsumerGroupDescribeResponse.groups")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`ConsumerGroupDescribeResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedGroup {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub error_message: Option<CompactString>,
    /// In all versions.
    pub group_id: CompactString,
    /// In all versions.
    pub group_state: CompactString,
    /// In all versions.
    pub group_epoch: i32,
    /// In all versions.
    pub assignment_epoch: i32,
    /// In all versions.
    pub assignor_name: CompactString,
    /// In all versions.
    pub members: Vec<Member>,
    /// In all versions. Default -2147483648.
    pub authorized_operations: i32,
}

impl Default for DescribedGroup {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            error_message: None,
            group_id: CompactString::const_new(""),
            group_state: CompactString::const_new(""),
            group_epoch: 0,
            assignment_epoch: 0,
            assignor_name: CompactString::const_new(""),
            members: Vec::new(),
            authorized_operations: i32::MIN,
        }
    }
}

impl DescribedGroup {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            error_code: r.error().at("DescribedGroup.error_code")?,
            error_message: r.nullable_string(true).at("DescribedGroup.error_message")?,
            group_id: r.string(true).at("DescribedGroup.group_id")?,
            group_state: r.string(true).at("DescribedGroup.group_state")?,
            group_epoch: r.i32().at("DescribedGroup.group_epoch")?,
            assignment_epoch: r.i32().at("DescribedGroup.assignment_epoch")?,
            assignor_name: r.string(true).at("DescribedGroup.assignor_name")?,
            members: r
                .array(true, 16, |r| Member::read(r, version))
                .at("DescribedGroup.members")?,
            authorized_operations: r.i32().at("DescribedGroup.authorized_operations")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.error(self.error_code);
        w.nullable_string(self.error_message.as_deref(), true)
            .at("DescribedGroup.error_message")?;
        w.string(&self.group_id, true).at("DescribedGroup.group_id")?;
        w.string(&self.group_state, true).at("DescribedGroup.group_state")?;
        w.i32(self.group_epoch);
        w.i32(self.assignment_epoch);
        w.string(&self.assignor_name, true).at("DescribedGroup.assignor_name")?;
        w.array(&self.members, true, |w, one| one.write(w, version))
            .at("DescribedGroup.members")?;
        w.i32(self.authorized_operations);
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`ConsumerGroupDescribeResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// In all versions.
    pub member_id: CompactString,
    /// In all versions.
    pub instance_id: Option<CompactString>,
    /// In all versions.
    pub rack_id: Option<CompactString>,
    /// In all versions.
    pub member_epoch: i32,
    /// In all versions.
    pub client_id: CompactString,
    /// In all versions.
    pub client_host: CompactString,
    /// In all versions.
    pub subscribed_topic_names: Vec<CompactString>,
    /// In all versions.
    pub subscribed_topic_regex: Option<CompactString>,
    /// In all versions.
    pub assignment: Assignment,
    /// In all versions.
    pub target_assignment: Assignment,
    /// From version 1 on. Default -1. Lost in versions without it.
    pub member_type: i8,
}

impl Default for Member {
    fn default() -> Self {
        Self {
            member_id: CompactString::const_new(""),
            instance_id: None,
            rack_id: None,
            member_epoch: 0,
            client_id: CompactString::const_new(""),
            client_host: CompactString::const_new(""),
            subscribed_topic_names: Vec::new(),
            subscribed_topic_regex: None,
            assignment: Assignment::default(),
            target_assignment: Assignment::default(),
            member_type: -1,
        }
    }
}

impl Member {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            member_id: r.string(true).at("Member.member_id")?,
            instance_id: r.nullable_string(true).at("Member.instance_id")?,
            rack_id: r.nullable_string(true).at("Member.rack_id")?,
            member_epoch: r.i32().at("Member.member_epoch")?,
            client_id: r.string(true).at("Member.client_id")?,
            client_host: r.string(true).at("Member.client_host")?,
            subscribed_topic_names: r
                .array(true, 1, |r| r.string(true))
                .at("Member.subscribed_topic_names")?,
            subscribed_topic_regex: r.nullable_string(true).at("Member.subscribed_topic_regex")?,
            assignment: Assignment::read(r, version).at("Member.assignment")?,
            target_assignment: Assignment::read(r, version).at("Member.target_assignment")?,
            member_type: if version >= 1 { r.i8().at("Member.member_type")? } else { -1 },
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.member_id, true).at("Member.member_id")?;
        w.nullable_string(self.instance_id.as_deref(), true).at("Member.instance_id")?;
        w.nullable_string(self.rack_id.as_deref(), true).at("Member.rack_id")?;
        w.i32(self.member_epoch);
        w.string(&self.client_id, true).at("Member.client_id")?;
        w.string(&self.client_host, true).at("Member.client_host")?;
        w.array(&self.subscribed_topic_names, true, |w, one| Ok(w.string(one, true)?))
            .at("Member.subscribed_topic_names")?;
        w.nullable_string(self.subscribed_topic_regex.as_deref(), true)
            .at("Member.subscribed_topic_regex")?;
        self.assignment.write(w, version).at("Member.assignment")?;
        self.target_assignment.write(w, version).at("Member.target_assignment")?;
        if version >= 1 {
            w.i8(self.member_type);
        }
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`ConsumerGroupDescribeResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicPartitions {
    /// In all versions.
    pub topic_id: Uuid,
    /// In all versions.
    pub topic_name: CompactString,
    /// In all versions.
    pub partitions: Vec<i32>,
}

impl TopicPartitions {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            topic_id: r.uuid().at("TopicPartitions.topic_id")?,
            topic_name: r.string(true).at("TopicPartitions.topic_name")?,
            partitions: r.array(true, 4, Reader::i32).at("TopicPartitions.partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.uuid(self.topic_id);
        w.string(&self.topic_name, true).at("TopicPartitions.topic_name")?;
        w.array(&self.partitions, true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("TopicPartitions.partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`ConsumerGroupDescribeResponse`], versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Assignment {
    /// In all versions.
    pub topic_partitions: Vec<TopicPartitions>,
}

impl Assignment {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            topic_partitions: r
                .array(true, 19, |r| TopicPartitions::read(r, version))
                .at("Assignment.topic_partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.array(&self.topic_partitions, true, |w, one| one.write(w, version))
            .at("Assignment.topic_partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for ConsumerGroupDescribeRequest {
    const API: ApiKey = ApiKey::ConsumerGroupDescribe;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for ConsumerGroupDescribeResponse {
    const API: ApiKey = ApiKey::ConsumerGroupDescribe;
    const KIND: MessageKind = MessageKind::Response;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }

    fn throttle_time_ms(&self) -> i32 {
        self.throttle_time_ms
    }
}

impl crate::Request for ConsumerGroupDescribeRequest {
    type Response = ConsumerGroupDescribeResponse;
}
