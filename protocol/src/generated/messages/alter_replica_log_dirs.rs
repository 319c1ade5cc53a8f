// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! AlterReplicaLogDirs: moves replicas between log directories.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `AlterReplicaLogDirsRequest`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterReplicaLogDirsRequest {
    /// In all versions.
    pub dirs: Vec<AlterReplicaLogDir>,
}

impl AlterReplicaLogDirsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            dirs: r
                .array(flexible, 3, |r| AlterReplicaLogDir::read(r, version))
                .at("AlterReplicaLogDirsRequest.dirs")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.array(&self.dirs, flexible, |w, one| one.write(w, version))
            .at("AlterReplicaLogDirsRequest.dirs")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AlterReplicaLogDirsRequest`], versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterReplicaLogDir {
    /// In all versions.
    pub path: CompactString,
    /// In all versions.
    pub topics: Vec<AlterReplicaLogDirTopic>,
}

impl AlterReplicaLogDir {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            path: r.string(flexible).at("AlterReplicaLogDir.path")?,
            topics: r
                .array(flexible, 3, |r| AlterReplicaLogDirTopic::read(r, version))
                .at("AlterReplicaLogDir.topics")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.string(&self.path, flexible).at("AlterReplicaLogDir.path")?;
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("AlterReplicaLogDir.topics")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AlterReplicaLogDirsRequest`], versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterReplicaLogDirTopic {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<i32>,
}

impl AlterReplicaLogDirTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            name: r.string(flexible).at("AlterReplicaLogDirTopic.name")?,
            partitions: r
                .array(flexible, 4, Reader::i32)
                .at("AlterReplicaLogDirTopic.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.string(&self.name, flexible).at("AlterReplicaLogDirTopic.name")?;
        w.array(&self.partitions, flexible, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("AlterReplicaLogDirTopic.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `AlterReplicaLogDirsResponse`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterReplicaLogDirsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub results: Vec<AlterReplicaLogDirTopicResult>,
}

impl AlterReplicaLogDirsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            throttle_time_ms: r.i32().at("AlterReplicaLogDirsResponse.throttle_time_ms")?,
            results: r
                .array(flexible, 3, |r| AlterReplicaLogDirTopicResult::read(r, version))
                .at("AlterReplicaLogDirsResponse.results")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i32(self.throttle_time_ms);
        w.array(&self.results, flexible, |w, one| one.write(w, version))
            .at("AlterReplicaLogDirsResponse.results")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AlterReplicaLogDirsResponse`], versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterReplicaLogDirTopicResult {
    /// In all versions.
    pub topic_name: CompactString,
    /// In all versions.
    pub partitions: Vec<AlterReplicaLogDirPartitionResult>,
}

impl AlterReplicaLogDirTopicResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            topic_name: r.string(flexible).at("AlterReplicaLogDirTopicResult.topic_name")?,
            partitions: r
                .array(flexible, 6, |r| AlterReplicaLogDirPartitionResult::read(r, version))
                .at("AlterReplicaLogDirTopicResult.partitions")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.string(&self.topic_name, flexible).at("AlterReplicaLogDirTopicResult.topic_name")?;
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("AlterReplicaLogDirTopicResult.partitions")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`AlterReplicaLogDirsResponse`], versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterReplicaLogDirPartitionResult {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub error_code: ErrorCode,
}

impl AlterReplicaLogDirPartitionResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 2;
        let this = Self {
            partition_index: r.i32().at("AlterReplicaLogDirPartitionResult.partition_index")?,
            error_code: r.error().at("AlterReplicaLogDirPartitionResult.error_code")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 2;
        w.i32(self.partition_index);
        w.error(self.error_code);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for AlterReplicaLogDirsRequest {
    const API: ApiKey = ApiKey::AlterReplicaLogDirs;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for AlterReplicaLogDirsResponse {
    const API: ApiKey = ApiKey::AlterReplicaLogDirs;
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

impl crate::Request for AlterReplicaLogDirsRequest {
    type Response = AlterReplicaLogDirsResponse;
}
