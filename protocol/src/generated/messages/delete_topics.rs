// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! DeleteTopics: deletes topics by name or id.

use compact_str::CompactString;

use crate::error::At as _;
use crate::units::Uuid;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `DeleteTopicsRequest`, versions 1-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteTopicsRequest {
    /// From version 6 on.
    pub topics: Vec<DeleteTopicState>,
    /// Up to version 5. Lost in versions without it.
    pub topic_names: Vec<CompactString>,
    /// In all versions.
    pub timeout_ms: i32,
}

impl DeleteTopicsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            topics: if version >= 6 {
                r.array(flexible, 18, |r| DeleteTopicState::read(r, version))
                    .at("DeleteTopicsRequest.topics")?
            } else {
                Vec::new()
            },
            topic_names: if version <= 5 {
                r.array(flexible, 1, |r| r.string(flexible))
                    .at("DeleteTopicsRequest.topic_names")?
            } else {
                Vec::new()
            },
            timeout_ms: r.i32().at("DeleteTopicsRequest.timeout_ms")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        if version >= 6 {
            w.array(&self.topics, flexible, |w, one| one.write(w, version))
                .at("DeleteTopicsRequest.topics")?;
        } else if !self.topics.is_empty() {
            return Err(Fault::NotInVersion).at("DeleteTopicsRequest.topics");
        }
        if version <= 5 {
            w.array(&self.topic_names, flexible, |w, one| Ok(w.string(one, flexible)?))
                .at("DeleteTopicsRequest.topic_names")?;
        }
        w.i32(self.timeout_ms);
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DeleteTopicsRequest`], version 6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteTopicState {
    /// In all versions.
    pub name: Option<CompactString>,
    /// In all versions.
    pub topic_id: Uuid,
}

impl DeleteTopicState {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            name: r.nullable_string(true).at("DeleteTopicState.name")?,
            topic_id: r.uuid().at("DeleteTopicState.topic_id")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.nullable_string(self.name.as_deref(), true).at("DeleteTopicState.name")?;
        w.uuid(self.topic_id);
        w.uvarint(0);
        Ok(())
    }
}

/// `DeleteTopicsResponse`, versions 1-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteTopicsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub responses: Vec<DeletableTopicResult>,
}

impl DeleteTopicsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            throttle_time_ms: r.i32().at("DeleteTopicsResponse.throttle_time_ms")?,
            responses: r
                .array(flexible, 4, |r| DeletableTopicResult::read(r, version))
                .at("DeleteTopicsResponse.responses")?,
        };
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        let flexible = version >= 4;
        w.i32(self.throttle_time_ms);
        w.array(&self.responses, flexible, |w, one| one.write(w, version))
            .at("DeleteTopicsResponse.responses")?;
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Part of [`DeleteTopicsResponse`], versions 1-6.
#[derive(Debug, Clone, PartialEq)]
pub struct DeletableTopicResult {
    /// In all versions. Null only in versions 6.
    pub name: Option<CompactString>,
    /// From version 6 on. Lost in versions without it.
    pub topic_id: Uuid,
    /// In all versions.
    pub error_code: ErrorCode,
    /// From version 5 on. Lost in versions without it.
    pub error_message: Option<CompactString>,
}

impl Default for DeletableTopicResult {
    fn default() -> Self {
        Self {
            name: Some(CompactString::const_new("")),
            topic_id: Uuid::ZERO,
            error_code: ErrorCode::NONE,
            error_message: None,
        }
    }
}

impl DeletableTopicResult {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= 4;
        let this = Self {
            name: if version >= 6 {
                r.nullable_string(flexible).at("DeletableTopicResult.name")?
            } else {
                Some(r.string(flexible).at("DeletableTopicResult.name")?)
            },
            topic_id: if version >= 6 {
                r.uuid().at("DeletableTopicResult.topic_id")?
            } else {
                Uuid::ZERO
            },
            error_code: r.error().at("DeletableTopicResult.error_code")?,
            error_message: if version >= 5 {
                r.nullable_string(flexible).at("DeletableTopicResult.error_message")?
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
        let flexible = version >= 4;
        if version >= 6 {
            w.nullable_string(self.name.as_deref(), flexible).at("DeletableTopicResult.name")?;
        } else {
            let value = self.name.as_ref().ok_or(Fault::Null).at("DeletableTopicResult.name")?;
            w.string(value, flexible).at("DeletableTopicResult.name")?;
        }
        if version >= 6 {
            w.uuid(self.topic_id);
        }
        w.error(self.error_code);
        if version >= 5 {
            w.nullable_string(self.error_message.as_deref(), flexible)
                .at("DeletableTopicResult.error_message")?;
        }
        if flexible {
            w.uvarint(0);
        }
        Ok(())
    }
}

impl crate::Message for DeleteTopicsRequest {
    const API: ApiKey = ApiKey::DeleteTopics;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for DeleteTopicsResponse {
    const API: ApiKey = ApiKey::DeleteTopics;
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

impl crate::Request for DeleteTopicsRequest {
    type Response = DeleteTopicsResponse;
}
