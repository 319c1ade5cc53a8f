// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! Metadata: tells brokers, topics, partitions and leaders; may create missing topics.

use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `MetadataRequest`, versions 0-13.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataRequest {
    /// In all versions. Null only in versions 1-13.
    pub topics: Option<Vec<MetadataRequestTopic>>,
    /// From version 4 on. Default true.
    pub allow_auto_topic_creation: bool,
    /// Versions 8-10.
    pub include_cluster_authorized_operations: bool,
    /// From version 8 on.
    pub include_topic_authorized_operations: bool,
}

impl Default for MetadataRequest {
    fn default() -> Self {
        Self {
            topics: Some(Vec::new()),
            allow_auto_topic_creation: true,
            include_cluster_authorized_operations: false,
            include_topic_authorized_operations: false,
        }
    }
}

impl MetadataRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 9;
        let this = Self {
            topics: if version >= 1 {
                r.nullable_array(flexible, 2, |r| MetadataRequestTopic::read(r, version))
                    .at("MetadataRequest.topics")?
            } else {
                Some(
                    r.array(flexible, 2, |r| MetadataRequestTopic::read(r, version))
                        .at("MetadataRequest.topics")?,
                )
            },
            allow_auto_topic_creation: if version >= 4 {
                r.bool().at("MetadataRequest.allow_auto_topic_creation")?
            } else {
                true
            },
            include_cluster_authorized_operations: if (8..=10).contains(&version) {
                r.bool().at("MetadataRequest.include_cluster_authorized_operations")?
            } else {
                false
            },
            include_topic_authorized_operations: if version >= 8 {
                r.bool().at("MetadataRequest.include_topic_authorized_operations")?
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
        let flexible = version >= 9;
        if version >= 1 {
            w.nullable_array(self.topics.as_deref(), flexible, |w, one| one.write(w, version))
                .at("MetadataRequest.topics")?;
        } else {
            let value = self.topics.as_ref().ok_or(Fault::Null).at("MetadataRequest.topics")?;
            w.array(value, flexible, |w, one| one.write(w, version))
                .at("MetadataRequest.topics")?;
        }
        if version >= 4 {
            w.bool(self.allow_auto_topic_creation);
        } else if !self.allow_auto_topic_creation {
            return Err(Fault::NotInVersion).at("MetadataRequest.allow_auto_topic_creation");
        }
        if (8..=10).contains(&version) {
            w.bool(self.include_cluster_authorized_operations);
        } else if self.include_cluster_authorized_operations {
            return Err(Fault::NotInVersion)
                .at("MetadataRequest.include_cluster_authorized_operations");
        }
        if version >= 8 {
            w.bool(self.include_topic_authorized_operations);
        } else if self.include_topic_authorized_operations {
            return Err(Fault::NotInVersion)
                .at("MetadataRequest.include_topic_authorized_operations");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`MetadataRequest`], versions 0-13.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataRequestTopic {
    /// From version 10 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// In all versions. Null only in versions 10-13.
    pub name: Option<CompactString>,
}

impl Default for MetadataRequestTopic {
    fn default() -> Self {
        Self { topic_id: Uuid::ZERO, name: Some(CompactString::const_new("")) }
    }
}

impl MetadataRequestTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 9;
        let this = Self {
            topic_id: if version >= 10 {
                r.uuid().at("MetadataRequestTopic.topic_id")?
            } else {
                Uuid::ZERO
            },
            name: if version >= 10 {
                r.nullable_string(flexible).at("MetadataRequestTopic.name")?
            } else {
                Some(r.string(flexible).at("MetadataRequestTopic.name")?)
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 9;
        if version >= 10 {
            w.uuid(self.topic_id);
        }
        if version >= 10 {
            w.nullable_string(self.name.as_deref(), flexible).at("MetadataRequestTopic.name")?;
        } else {
            let value = self.name.as_ref().ok_or(Fault::Null).at("MetadataRequestTopic.name")?;
            w.string(value, flexible).at("MetadataRequestTopic.name")?;
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// `MetadataResponse`, versions 0-13.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataResponse {
    /// From version 3 on. Lost in versions without it.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub brokers: Vec<MetadataResponseBroker>,
    /// From version 2 on. Lost in versions without it.
    pub cluster_id: Option<CompactString>,
    /// From version 1 on. Default -1. Lost in versions without it.
    pub controller_id: i32,
    /// In all versions.
    pub topics: Vec<MetadataResponseTopic>,
    /// Versions 8-10. Default -2147483648.
    pub cluster_authorized_operations: i32,
    /// From version 13 on. Lost in versions without it.
    pub error_code: ErrorCode,
}

impl Default for MetadataResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            brokers: Vec::new(),
            cluster_id: None,
            controller_id: -1,
            topics: Vec::new(),
            cluster_authorized_operations: i32::MIN,
            error_code: ErrorCode::NONE,
        }
    }
}

impl MetadataResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 9;
        let this = Self {
            throttle_time_ms: if version >= 3 {
                r.i32().at("MetadataResponse.throttle_time_ms")?
            } else {
                0
            },
            brokers: r
                .array(flexible, 10, |r| MetadataResponseBroker::read(r, version))
                .at("MetadataResponse.brokers")?,
            cluster_id: if version >= 2 {
                r.nullable_string(flexible).at("MetadataResponse.cluster_id")?
            } else {
                None
            },
            controller_id: if version >= 1 {
                r.i32().at("MetadataResponse.controller_id")?
            } else {
                -1
            },
            topics: r
                .array(flexible, 8, |r| MetadataResponseTopic::read(r, version))
                .at("MetadataResponse.topics")?,
            cluster_authorized_operations: if (8..=10).contains(&version) {
                r.i32().at("MetadataResponse.cluster_authorized_operations")?
            } else {
                i32::MIN
            },
            error_code: if version >= 13 {
                r.error().at("MetadataResponse.error_code")?
            } else {
                ErrorCode::NONE
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 9;
        if version >= 3 {
            w.i32(self.throttle_time_ms);
        }
        w.array(&self.brokers, flexible, |w, one| one.write(w, version))
            .at("MetadataResponse.brokers")?;
        if version >= 2 {
            w.nullable_string(self.cluster_id.as_deref(), flexible)
                .at("MetadataResponse.cluster_id")?;
        }
        if version >= 1 {
            w.i32(self.controller_id);
        }
        w.array(&self.topics, flexible, |w, one| one.write(w, version))
            .at("MetadataResponse.topics")?;
        if (8..=10).contains(&version) {
            w.i32(self.cluster_authorized_operations);
        } else if self.cluster_authorized_operations != i32::MIN {
            return Err(Fault::NotInVersion).at("MetadataResponse.cluster_authorized_operations");
        }
        if version >= 13 {
            w.error(self.error_code);
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`MetadataResponse`], versions 0-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetadataResponseBroker {
    /// In all versions.
    pub node_id: i32,
    /// In all versions.
    pub host: CompactString,
    /// In all versions.
    pub port: i32,
    /// From version 1 on. Lost in versions without it.
    pub rack: Option<CompactString>,
}

impl MetadataResponseBroker {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 9;
        let this = Self {
            node_id: r.i32().at("MetadataResponseBroker.node_id")?,
            host: r.string(flexible).at("MetadataResponseBroker.host")?,
            port: r.i32().at("MetadataResponseBroker.port")?,
            rack: if version >= 1 {
                r.nullable_string(flexible).at("MetadataResponseBroker.rack")?
            } else {
                None
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 9;
        w.i32(self.node_id);
        w.string(&self.host, flexible).at("MetadataResponseBroker.host")?;
        w.i32(self.port);
        if version >= 1 {
            w.nullable_string(self.rack.as_deref(), flexible).at("MetadataResponseBroker.rack")?;
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`MetadataResponse`], versions 0-13.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataResponseTopic {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions. Null only in versions 12-13.
    pub name: Option<CompactString>,
    /// From version 10 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// From version 1 on. Lost in versions without it.
    pub is_internal: bool,
    /// In all versions.
    pub partitions: Vec<MetadataResponsePartition>,
    /// From version 8 on. Default -2147483648.
    pub topic_authorized_operations: i32,
}

impl Default for MetadataResponseTopic {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            name: Some(CompactString::const_new("")),
            topic_id: Uuid::ZERO,
            is_internal: false,
            partitions: Vec::new(),
            topic_authorized_operations: i32::MIN,
        }
    }
}

impl MetadataResponseTopic {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 9;
        let this = Self {
            error_code: r.error().at("MetadataResponseTopic.error_code")?,
            name: if version >= 12 {
                r.nullable_string(flexible).at("MetadataResponseTopic.name")?
            } else {
                Some(r.string(flexible).at("MetadataResponseTopic.name")?)
            },
            topic_id: if version >= 10 {
                r.uuid().at("MetadataResponseTopic.topic_id")?
            } else {
                Uuid::ZERO
            },
            is_internal: if version >= 1 {
                r.bool().at("MetadataResponseTopic.is_internal")?
            } else {
                false
            },
            partitions: r
                .array(flexible, 18, |r| MetadataResponsePartition::read(r, version))
                .at("MetadataResponseTopic.partitions")?,
            topic_authorized_operations: if version >= 8 {
                r.i32().at("MetadataResponseTopic.topic_authorized_operations")?
            } else {
                i32::MIN
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 9;
        w.error(self.error_code);
        if version >= 12 {
            w.nullable_string(self.name.as_deref(), flexible).at("MetadataResponseTopic.name")?;
        } else {
            let value = self.name.as_ref().ok_or(Fault::Null).at("MetadataResponseTopic.name")?;
            w.string(value, flexible).at("MetadataResponseTopic.name")?;
        }
        if version >= 10 {
            w.uuid(self.topic_id);
        }
        if version >= 1 {
            w.bool(self.is_internal);
        }
        w.array(&self.partitions, flexible, |w, one| one.write(w, version))
            .at("MetadataResponseTopic.partitions")?;
        if version >= 8 {
            w.i32(self.topic_authorized_operations);
        } else if self.topic_authorized_operations != i32::MIN {
            return Err(Fault::NotInVersion)
                .at("MetadataResponseTopic.topic_authorized_operations");
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`MetadataResponse`], versions 0-13.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataResponsePartition {
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub leader_id: i32,
    /// From version 7 on. Default -1. Lost in versions without it.
    pub leader_epoch: i32,
    /// In all versions.
    pub replica_nodes: Vec<i32>,
    /// In all versions.
    pub isr_nodes: Vec<i32>,
    /// From version 5 on. Lost in versions without it.
    pub offline_replicas: Vec<i32>,
}

impl Default for MetadataResponsePartition {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            partition_index: 0,
            leader_id: 0,
            leader_epoch: -1,
            replica_nodes: Vec::new(),
            isr_nodes: Vec::new(),
            offline_replicas: Vec::new(),
        }
    }
}

impl MetadataResponsePartition {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 9;
        let this = Self {
            error_code: r.error().at("MetadataResponsePartition.error_code")?,
            partition_index: r.i32().at("MetadataResponsePartition.partition_index")?,
            leader_id: r.i32().at("MetadataResponsePartition.leader_id")?,
            leader_epoch: if version >= 7 {
                r.i32().at("MetadataResponsePartition.leader_epoch")?
            } else {
                -1
            },
            replica_nodes: r
                .array(flexible, 4, Reader::i32)
                .at("MetadataResponsePartition.replica_nodes")?,
            isr_nodes: r
                .array(flexible, 4, Reader::i32)
                .at("MetadataResponsePartition.isr_nodes")?,
            offline_replicas: if version >= 5 {
                r.array(flexible, 4, Reader::i32)
                    .at("MetadataResponsePartition.offline_replicas")?
            } else {
                Vec::new()
            },
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 9;
        w.error(self.error_code);
        w.i32(self.partition_index);
        w.i32(self.leader_id);
        if version >= 7 {
            w.i32(self.leader_epoch);
        }
        w.array(&self.replica_nodes, flexible, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("MetadataResponsePartition.replica_nodes")?;
        w.array(&self.isr_nodes, flexible, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("MetadataResponsePartition.isr_nodes")?;
        if version >= 5 {
            w.array(&self.offline_replicas, flexible, |w, one| {
                w.i32(*one);
                Ok(())
            })
            .at("MetadataResponsePartition.offline_replicas")?;
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for MetadataRequest {
    const API: ApiKey = ApiKey::Metadata;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for MetadataResponse {
    const API: ApiKey = ApiKey::Metadata;
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

impl crate::Request for MetadataRequest {
    type Response = MetadataResponse;
}
