// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! ListTransactions: lists transactions (KIP-664).

use compact_str::CompactString;

use crate::error::At as _;
use crate::wire::{Reader, Writer};
use crate::{ApiKey, ErrorCode, Fault, FieldError, MessageKind};

/// `ListTransactionsRequest`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct ListTransactionsRequest {
    /// In all versions.
    pub state_filters: Vec<CompactString>,
    /// In all versions.
    pub producer_id_filters: Vec<i64>,
    /// From version 1 on. Default -1.
    pub duration_filter: i64,
    /// From version 2 on.
    pub transactional_id_pattern: Option<CompactString>,
}

impl Default for ListTransactionsRequest {
    fn default() -> Self {
        Self {
            state_filters: Vec::new(),
            producer_id_filters: Vec::new(),
            duration_filter: -1,
            transactional_id_pattern: None,
        }
    }
}

impl ListTransactionsRequest {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            state_filters: r
                .array(true, 1, |r| r.string(true))
                .at("ListTransactionsRequest.state_filters")?,
            producer_id_filters: r
                .array(true, 8, Reader::i64)
                .at("ListTransactionsRequest.producer_id_filters")?,
            duration_filter: if version >= 1 {
                r.i64().at("ListTransactionsRequest.duration_filter")?
            } else {
                -1
            },
            transactional_id_pattern: if version >= 2 {
                r.nullable_string(true).at("ListTransactionsRequest.transactional_id_pattern")?
            } else {
                None
            },
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.array(&self.state_filters, true, |w, one| Ok(w.string(one, true)?))
            .at("ListTransactionsRequest.state_filters")?;
        w.array(&self.producer_id_filters, true, |w, one| {
            w.i64(*one);
            Ok(())
        })
        .at("ListTransactionsRequest.producer_id_filters")?;
        if version >= 1 {
            w.i64(self.duration_filter);
        } else if self.duration_filter != -1 {
            return Err(Fault::NotInVersion).at("ListTransactionsRequest.duration_filter");
        }
        if version >= 2 {
            w.nullable_string(self.transactional_id_pattern.as_deref(), true)
                .at("ListTransactionsRequest.transactional_id_pattern")?;
        } else if self.transactional_id_pattern.is_some() {
            return Err(Fault::NotInVersion).at("ListTransactionsRequest.transactional_id_pattern");
        }
        w.uvarint(0);
        Ok(())
    }
}

/// `ListTransactionsResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListTransactionsResponse {
    /// In all versions.
    pub throttle_time_ms: i32,
    /// In all versions.
    pub error_code: ErrorCode,
    /// In all versions.
    pub unknown_state_filters: Vec<CompactString>,
    /// In all versions.
    pub transaction_states: Vec<TransactionState>,
}

impl ListTransactionsResponse {
    pub(crate) fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        let this = Self {
            throttle_time_ms: r.i32().at("ListTransactionsResponse.throttle_time_ms")?,
            error_code: r.error().at("ListTransactionsResponse.error_code")?,
            unknown_state_filters: r
                .array(true, 1, |r| r.string(true))
                .at("ListTransactionsResponse.unknown_state_filters")?,
            transaction_states: r
                .array(true, 11, |r| TransactionState::read(r, version))
                .at("ListTransactionsResponse.transaction_states")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, version: i16) -> Result<(), FieldError> {
        w.i32(self.throttle_time_ms);
        w.error(self.error_code);
        w.array(&self.unknown_state_filters, true, |w, one| Ok(w.string(one, true)?))
            .at("ListTransactionsResponse.unknown_state_filters")?;
        w.array(&self.transaction_states, true, |w, one| one.write(w, version))
            .at("ListTransactionsResponse.transaction_states")?;
        w.uvarint(0);
        Ok(())
    }
}

/// Part of [`ListTransactionsResponse`], versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransactionState {
    /// In all versions.
    pub transactional_id: CompactString,
    /// In all versions.
    pub producer_id: i64,
    /// In all versions.
    pub transaction_state: CompactString,
}

impl TransactionState {
    pub(crate) fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, FieldError> {
        let this = Self {
            transactional_id: r.string(true).at("TransactionState.transactional_id")?,
            producer_id: r.i64().at("TransactionState.producer_id")?,
            transaction_state: r.string(true).at("TransactionState.transaction_state")?,
        };
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(this)
    }

    pub(crate) fn write(&self, w: &mut Writer, _version: i16) -> Result<(), FieldError> {
        w.string(&self.transactional_id, true).at("TransactionState.transactional_id")?;
        w.i64(self.producer_id);
        w.string(&self.transaction_state, true).at("TransactionState.transaction_state")?;
        w.uvarint(0);
        Ok(())
    }
}

impl crate::Message for ListTransactionsRequest {
    const API: ApiKey = ApiKey::ListTransactions;
    const KIND: MessageKind = MessageKind::Request;

    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, FieldError> {
        Self::read(reader, version)
    }

    fn write(&self, writer: &mut Writer, version: i16) -> Result<(), FieldError> {
        self.write(writer, version)
    }
}

impl crate::Message for ListTransactionsResponse {
    const API: ApiKey = ApiKey::ListTransactions;
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

impl crate::Request for ListTransactionsRequest {
    type Response = ListTransactionsResponse;
}
