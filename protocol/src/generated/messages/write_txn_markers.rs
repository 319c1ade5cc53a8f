// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! WriteTxnMarkers: writes transaction markers; sent by coordinators and by the abort call of admin clients.

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, FieldError, MessageKind};

/// `WriteTxnMarkersRequest`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WriteTxnMarkersRequest {
    /// In all versions.
    pub markers: Vec<WritableTxnMarker>,
}

impl WriteTxnMarkersRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            markers: r
                .array(true, 17, |r| WritableTxnMarker::read(r, version))
                .at("WriteTxnMarkersRequest.markers")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.array(&self.markers, true, |w, one| one.write(w, version))
            .at("WriteTxnMarkersRequest.markers")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`WriteTxnMarkersRequest`], versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WritableTxnMarker {
    /// In all versions.
    pub producer_id: i64,
    /// In all versions.
    pub producer_epoch: i16,
    /// In all versions.
    pub transaction_result: bool,
    /// In all versions.
    pub topics: Vec<WritableTxnMarkerTopic>,
    /// In all versions.
    pub coordinator_epoch: i32,
    /// From version 2 on. Lost in versions without it.
    pub transaction_version: i8,
}

impl WritableTxnMarker {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            producer_id: r.i64().at("WritableTxnMarker.producer_id")?,
            producer_epoch: r.i16().at("WritableTxnMarker.producer_epoch")?,
            transaction_result: r.bool().at("WritableTxnMarker.transaction_result")?,
            topics: r
                .array(true, 3, |r| WritableTxnMarkerTopic::read(r, version))
                .at("WritableTxnMarker.topics")?,
            coordinator_epoch: r.i32().at("WritableTxnMarker.coordinator_epoch")?,
            transaction_version: if version >= 2 {
                r.i8().at("WritableTxnMarker.transaction_version")?
            } else {
                0
            },
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        w.bool(self.transaction_result);
        w.array(&self.topics, true, |w, one| one.write(w, version))
            .at("WritableTxnMarker.topics")?;
        w.i32(self.coordinator_epoch);
        if version >= 2 {
            w.i8(self.transaction_version);
        }
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`WriteTxnMarkersRequest`], versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WritableTxnMarkerTopic {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partition_indexes: Vec<i32>,
}

impl WritableTxnMarkerTopic {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("WritableTxnMarkerTopic.name")?,
            partition_indexes: r
                .array(true, 4, Reader::i32)
                .at("WritableTxnMarkerTopic.partition_indexes")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("WritableTxnMarkerTopic.name")?;
        w.array(&self.partition_indexes, true, |w, one| {
            w.i32(*one);
            Ok(())
        })
        .at("WritableTxnMarkerTopic.partition_indexes")?;
        w.uvarint(0);
        Ok(())
    }
}

/// `WriteTxnMarkersResponse`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WriteTxnMarkersResponse {
    /// In all versions.
    pub markers: Vec<WritableTxnMarkerResult>,
}

impl WriteTxnMarkersResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            markers: r
                .array(true, 10, |r| WritableTxnMarkerResult::read(r, version))
                .at("WriteTxnMarkersResponse.markers")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.array(&self.markers, true, |w, one| one.write(w, version))
            .at("WriteTxnMarkersResponse.markers")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`WriteTxnMarkersResponse`], versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WritableTxnMarkerResult {
    /// In all versions.
    pub producer_id: i64,
    /// In all versions.
    pub topics: Vec<WritableTxnMarkerTopicResult>,
}

impl WritableTxnMarkerResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            producer_id: r.i64().at("WritableTxnMarkerResult.producer_id")?,
            topics: r
                .array(true, 3, |r| WritableTxnMarkerTopicResult::read(r, version))
                .at("WritableTxnMarkerResult.topics")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i64(self.producer_id);
        w.array(&self.topics, true, |w, one| one.write(w, version))
            .at("WritableTxnMarkerResult.topics")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`WriteTxnMarkersResponse`], versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WritableTxnMarkerTopicResult {
    /// In all versions.
    pub name: CompactString,
    /// In all versions.
    pub partitions: Vec<WritableTxnMarkerPartitionResult>,
}

impl WritableTxnMarkerTopicResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.string(true).at("WritableTxnMarkerTopicResult.name")?,
            partitions: r
                .array(true, 7, |r| WritableTxnMarkerPartitionResult::read(r, version))
                .at("WritableTxnMarkerTopicResult.partitions")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.string(&self.name, true).at("WritableTxnMarkerTopicResult.name")?;
        w.array(&self.partitions, true, |w, one| one.write(w, version))
            .at("WritableTxnMarkerTopicResult.partitions")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`WriteTxnMarkersResponse`], versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WritableTxnMarkerPartitionResult {
    /// In all versions.
    pub partition_index: i32,
    /// In all versions.
    pub error_code: ErrorCode,
}

impl WritableTxnMarkerPartitionResult {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            partition_index: r.i32().at("WritableTxnMarkerPartitionResult.partition_index")?,
            error_code: r.error().at("WritableTxnMarkerPartitionResult.error_code")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.i32(self.partition_index);
        w.error(self.error_code);
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for WriteTxnMarkersRequest {
    const API: ApiKey = ApiKey::WriteTxnMarkers;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for WriteTxnMarkersResponse {
    const API: ApiKey = ApiKey::WriteTxnMarkers;
    const KIND: MessageKind = MessageKind::Response;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Request for WriteTxnMarkersRequest {
    type Response = WriteTxnMarkersResponse;
}
