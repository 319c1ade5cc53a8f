// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DescribeLogDirs: tells sizes of replicas per log directory.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `DescribeLogDirsRequest`, versions 1-5.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeLogDirsRequest {
    /// In all versions.
    pub topics: Option<Vec<DescribableLogDirTopic>>,
}

impl Default for DescribeLogDirsRequest {
    fn default() -> Self {
        Self { topics: Some(Vec::new()) }
    }
}

impl DescribeLogDirsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            topics: r
                .nullable_array(flexible, 3, |r| DescribableLogDirTopic::read(r, version))
                .at("DescribeLogDirsRequest.topics")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.nullable_array(self.topics.as_deref(), flexible, |w, one| one.write(w, version))
            .at("DescribeLogDirsRequest.topics")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeLogDirsRequest`], versions 1-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribableLogDirTopic {
    /// In all versions.
    pub topic: CompactString,
    /// In all versions.
    pub partitions: Vec<i32>,
}

impl DescribableLogDirTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            topic: r.string(flexible).at("DescribableLogDirTopic.topic")?,
            partitions: r
                .array(flexible, 4, Reader::i32)
                .at("DescribableLogDirTopic.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.string(&self.topic, flexible).at("DescribableLogDirTopic.topic")?;
        w.array(&self.partitions, flexible, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("DescribableLogDirTopic.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `DescribeLogDirsResponse`, versions 1-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeLogDirsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// From version 3 on. Lost in versions without it.
    pub error_code: ErrorCode,
    /// In all versions.
    pub results: Vec<DescribeLogDirsResult>,
    /// From version 2 on, tag 10000. Lost in versions without it.
    pub slow_flushes: SlowFlushes,
    /// From version 2 on, tag 10001. Lost in versions without it.
    pub unheard_brokers: Vec<UnheardBroker>,
    /// From version 2 on, tag 10002. Lost in versions without it.
    pub damaged_partitions: Vec<DamagedPartition>,
}

impl DescribeLogDirsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let mut this = Self {
            throttle_time_ms: r.i32().at("DescribeLogDirsResponse.throttle_time_ms")?,
            error_code: if version >= 3 {
                r.error().at("DescribeLogDirsResponse.error_code")?
            } else {
                ErrorCode::NONE
            },
            results: r
                .array(flexible, 5, |r| DescribeLogDirsResult::read(r, version))
                .at("DescribeLogDirsResponse.results")?,
            slow_flushes: SlowFlushes::default(),
            unheard_brokers: Vec::new(),
            damaged_partitions: Vec::new(),
        };
        if flexible {
            r.tagged_fields(|tag, r| {
                match tag {
                    10000 => {
                        this.slow_flushes = SlowFlushes::read(r, version)
                            .at("DescribeLogDirsResponse.slow_flushes")?
                    }
                    10001 => {
                        this.unheard_brokers = r
                            .array(true, 13, |r| UnheardBroker::read(r, version))
                            .at("DescribeLogDirsResponse.unheard_brokers")?
                    }
                    10002 => {
                        this.damaged_partitions = r
                            .array(true, 22, |r| DamagedPartition::read(r, version))
                            .at("DescribeLogDirsResponse.damaged_partitions")?
                    }
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i32(self.throttle_time_ms);
        if version >= 3 {
            w.error(self.error_code);
        }
        w.array(&self.results, flexible, |w, one| one.write(w, version))
            .at("DescribeLogDirsResponse.results")?;
        if flexible {
            w.uvarint(
                u32::from(self.slow_flushes != SlowFlushes::default())
                    + u32::from(!self.unheard_brokers.is_empty())
                    + u32::from(!self.damaged_partitions.is_empty()),
            );
            if self.slow_flushes != SlowFlushes::default() {
                w.tagged_field(10000, |w| {
                    self.slow_flushes
                        .write(w, version)
                        .at("DescribeLogDirsResponse.slow_flushes")?;
                    Ok(())
                })?;
            }
            if !self.unheard_brokers.is_empty() {
                w.tagged_field(10001, |w| {
                    w.array(&self.unheard_brokers, true, |w, one| one.write(w, version))
                        .at("DescribeLogDirsResponse.unheard_brokers")?;
                    Ok(())
                })?;
            }
            if !self.damaged_partitions.is_empty() {
                w.tagged_field(10002, |w| {
                    w.array(&self.damaged_partitions, true, |w, one| one.write(w, version))
                        .at("DescribeLogDirsResponse.damaged_partitions")?;
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// Part of [`DescribeLogDirsResponse`], versions 1-5.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeLogDirsResult {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub log_dir: CompactString,
    /// In all versions.
    pub topics: Vec<DescribeLogDirsTopic>,
    /// From version 4 on. Default -1. Lost in versions without it.
    pub total_bytes: i64,
    /// From version 4 on. Default -1. Lost in versions without it.
    pub usable_bytes: i64,
    /// From version 5 on. Lost in versions without it.
    pub is_cordoned: bool,
}

impl Default for DescribeLogDirsResult {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            log_dir: CompactString::const_new(""),
            topics: Vec::new(),
            total_bytes: -1,
            usable_bytes: -1,
            is_cordoned: false,
        }
    }
}

impl DescribeLogDirsResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            error_code: r.error().at("DescribeLogDirsResult.error_code")?,
            log_dir: r.string(flexible).at("DescribeLogDirsResult.log_dir")?,
            topics: r
                .array(flexible, 3, |r| DescribeLogDirsTopic::read(r, version))
                .at("DescribeLogDirsResult.topics")?,
            total_bytes: if version >= 4 {
                r.i64().at("DescribeLogDirsResult.total_bytes")?
            } else {
                -1
            },
            usable_bytes: if version >= 4 {
                r.i64().at("DescribeLogDirsResult.usable_bytes")?
            } else {
                -1
            },
            is_cordoned: if version >= 5 {
                r.bool().at("DescribeLogDirsResult.is_cordoned")?
            } else {
                false
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.error(self.error_code);
        w.string(&self.log_dir, flexible).at("DescribeLogDirsResult.log_dir")?;
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("DescribeLogDirsResult.topics")?;
        if version >= 4 {
            w.i64(self.total_bytes);
        }
        if version >= 4 {
            w.i64(self.usable_bytes);
        }
        if version >= 5 {
            w.bool(self.is_cordoned);
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeLogDirsResponse`], versions 1-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeLogDirsTopic {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<DescribeLogDirsPartition>,
}

impl DescribeLogDirsTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            name: r.string(flexible).at("DescribeLogDirsTopic.name")?,
            partitions: r
                .array(flexible, 21, |r| DescribeLogDirsPartition::read(r, version))
                .at("DescribeLogDirsTopic.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.string(&self.name, flexible).at("DescribeLogDirsTopic.name")?;
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("DescribeLogDirsTopic.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeLogDirsResponse`], versions 1-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeLogDirsPartition {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub partition_size: i64,
    /// In all versions.
    pub offset_lag: i64,
    /// In all versions.
    pub is_future_key: bool,
}

impl DescribeLogDirsPartition {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            partition_index: r.i32().at("DescribeLogDirsPartition.partition_index")?,
            partition_size: r.i64().at("DescribeLogDirsPartition.partition_size")?,
            offset_lag: r.i64().at("DescribeLogDirsPartition.offset_lag")?,
            is_future_key: r.bool().at("DescribeLogDirsPartition.is_future_key")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i32(self.partition_index);
        w.i64(self.partition_size);
        w.i64(self.offset_lag);
        w.bool(self.is_future_key);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DescribeLogDirsResponse`], versions 2-5.
#[derive(Debug, Clone, PartialEq)]
pub struct SlowFlushes {
    /// In all versions. Default -1.
    pub hanging_since_ms: i64,
    /// In all versions.
    pub longest_ms: i64,
}

impl Default for SlowFlushes {
    fn default() -> Self {
        Self { hanging_since_ms: -1, longest_ms: 0 }
    }
}

impl SlowFlushes {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            hanging_since_ms: r.i64().at("SlowFlushes.hanging_since_ms")?,
            longest_ms: r.i64().at("SlowFlushes.longest_ms")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i64(self.hanging_since_ms);
        w.i64(self.longest_ms);
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeLogDirsResponse`], versions 2-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnheardBroker {
    /// In all versions.
    pub broker_id: i32,
    /// In all versions.
    pub since_ms: i64,
}

impl UnheardBroker {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            broker_id: r.i32().at("UnheardBroker.broker_id")?,
            since_ms: r.i64().at("UnheardBroker.since_ms")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.broker_id);
        w.i64(self.since_ms);
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`DescribeLogDirsResponse`], versions 2-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DamagedPartition {
    /// In all versions.
    pub topic: CompactString,
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub start_offset: i64,
    /// In all versions.
    pub end_offset: i64,
}

impl DamagedPartition {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            topic: r.string(true).at("DamagedPartition.topic")?,
            partition_index: r.i32().at("DamagedPartition.partition_index")?,
            start_offset: r.i64().at("DamagedPartition.start_offset")?,
            end_offset: r.i64().at("DamagedPartition.end_offset")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.topic, true).at("DamagedPartition.topic")?;
        w.i32(self.partition_index);
        w.i64(self.start_offset);
        w.i64(self.end_offset);
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for DescribeLogDirsRequest {
    const API: ApiKey = ApiKey::DescribeLogDirs;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DescribeLogDirsResponse {
    const API: ApiKey = ApiKey::DescribeLogDirs;
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

impl crate::Request for DescribeLogDirsRequest {
    type Response = DescribeLogDirsResponse;
}
