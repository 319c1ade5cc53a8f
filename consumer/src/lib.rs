//! An asynchronous consumer for every cluster that speaks the Kafka protocol.
//!
//! ```no_run
//! use logboom_consumer::{Consumer, OffsetReset};
//!
//! # async fn run() -> Result<(), logboom_consumer::ConsumerError> {
//! let mut consumer = Consumer::builder()
//!     .bootstrap_servers("localhost:9092")
//!     .group_id("readers")
//!     .auto_offset_reset(OffsetReset::Earliest)
//!     .build()?;
//! consumer.subscribe(["events"])?;
//! loop {
//!     let record = consumer.next().await?;
//!     println!("{}-{} {}: {:?}", record.topic, record.partition, record.offset, record.value);
//! }
//! # }
//! ```
//!
//! # Records, one by one or lent
//!
//! [`Consumer::next`] gives records that are one's own; [`Consumer`] is a
//! [`Stream`](futures_core::Stream) of them, too. [`Consumer::next_batch`] gives records of one
//! partition that it lends: none is copied, and nothing allocated for it. (A partition's part of an
//! answer that is less than 64 KiB and a sixteenth of it is copied, so that it doesn't keep the
//! rest in memory; and what is compressed is inflated.)
//!
//! ```no_run
//! # async fn run(mut consumer: logboom_consumer::Consumer)
//! # -> Result<(), logboom_consumer::ConsumerError> {
//! let mut bytes = 0;
//! while bytes < 1 << 30 {
//!     let batch = consumer.next_batch().await?;
//!     for record in &batch {
//!         bytes += record?.value.map_or(0, <[u8]>::len);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is processed, and what is committed
//!
//! What was handed out counts as processed when records are asked for the next time, or when
//! [`Consumer::commit`] or [`Consumer::close`] is called. With `enable.auto.commit`, which is the
//! default, what is processed is committed every `auto.commit.interval.ms`, before partitions are
//! given up, and in the end: after a crash records may come again, and none is left out. But a
//! stream's adaptor that reads ahead, as `buffered`, `ready_chunks` or `peekable`, asks for records
//! before the program has seen the former ones, which count as processed then. Whoever commits by
//! hand waits for the result or doesn't:
//!
//! ```no_run
//! # use logboom_consumer::{Consumer, ConsumerError};
//! # async fn store(_: logboom_consumer::Record) {}
//! # async fn run(mut consumer: Consumer) -> Result<(), ConsumerError> {
//! for _ in 0..100 {
//!     store(consumer.next().await?).await;
//! }
//! consumer.commit_async();
//! store(consumer.next().await?).await;
//! consumer.commit().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Without a group
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use logboom_consumer::{Consumer, Start, TopicPartition};
//!
//! # async fn run() -> Result<(), logboom_consumer::ConsumerError> {
//! let mut consumer = Consumer::builder().bootstrap_servers("localhost:9092").build()?;
//! let place = TopicPartition::new("events", 0);
//! consumer.assign_from([(place.clone(), Start::ago(Duration::from_secs(3600)))])?;
//! let record = consumer.next().await?;
//! consumer.seek(&place, Start::Offset(record.offset))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Settings, features, and what protects a connection
//!
//! A `client.properties` file of Kafka's is taken by [`ConsumerBuilder::properties`],
//! `security.protocol` included; [`ConsumerBuilder::security`] takes protections of one's own. A
//! name that this consumer doesn't have is warned of; `group.protocol=consumer` and
//! `ssl.key.password` are refused.
//!
//! | feature | on by default | what for |
//! | --- | --- | --- |
//! | `gzip`, `lz4`, `snappy` | yes | these codecs |
//! | `zstd` | yes | this codec; it compiles C |
//! | `scram` | | SCRAM-SHA-256 and SCRAM-SHA-512 |
//! | `tls` | | TLS, by rustls and ring; it compiles C |
//!
//! A batch of a codec that is left out is [`ConsumerError::Damaged`], with [`BatchError::Codec`].
//!
//! # Groups
//!
//! [`Consumer::subscribe`] makes it a member of a classic group, together with any other client: it
//! shares by `range`, `roundrobin`, `sticky` and `cooperative-sticky` ([`Assignor`]). A topic that
//! begins with `^` is a pattern: those that match are looked for. Heartbeats go on by themselves;
//! but whoever doesn't ask for records for `max.poll.interval.ms` leaves its group, and hears of it
//! by [`ConsumerError::PollInterval`]. A [`RebalanceListener`] hears what the group gives and
//! takes.
//!
//! # From elsewhere
//!
//! A [`ConsumerControl`] pauses, seeks, commits, and tells how far a consumer is behind, from
//! another task. When its call has returned, nothing older is handed out.
//!
//! # Errors
//!
//! [`ConsumerError::remedy`] says whether to call again, to fix the call or the settings, or to
//! give up. After an error the consumer is as usable as before, unless it says otherwise:
//! [`ConsumerError::Broken`] and [`ConsumerError::Closed`] are its end.
//!
//! A group that refuses a member is asked again behind a pause, and the application hears why. Only
//! what the member itself has to change ends the membership for good: another one has its
//! `group.instance.id`, it isn't allowed, or the group doesn't take its settings. Then each call
//! for records returns that error at once; [`Consumer::subscribe`] or [`Consumer::unsubscribe`] is
//! the way back, or another consumer with other settings.
//!
//! What may pass is tried again without a word, so a partition without a leader, or of a topic that
//! was deleted, only brings nothing: [`ConsumerControl::stuck`] tells since when, and why.
//!
//! # Limits
//!
//! | what | setting | default |
//! | --- | --- | --- |
//! | bytes of answers, each until all of it is handed out | `queued.max.messages.kbytes` | 64 MiB |
//! | bytes of an answer | `fetch.max.bytes` | 50 MiB |
//! | bytes of a partition in an answer; ahead up to twice | `max.partition.fetch.bytes` | 1 MiB |
//! | bytes that a batch inflates to | [`ConsumerBuilder::max_inflated_bytes`] | 256 MiB |
//! | records with which a lent batch ends | `max.poll.records` | 500 |
//! | errors that wait to be heard | | 100 |
//!
//! A batch that is longer comes all the same, alone, unless it inflates to more. A record or a lent
//! batch that the application keeps may keep the answer in memory that it came in.
//!
//! # What it tells of itself
//!
//! By the `metrics` facade:
//!
//! | name: `logboom_consumer_…` | what |
//! | --- | --- |
//! | `records_total` | records of batches that were handed out, counted once a fetch |
//! | `bytes_total` | bytes of batches that were fetched |
//! | `fetches_total`, `fetch_seconds` | fetches, and how long they took, waiting included |
//! | `lag_records{topic,partition}` | records to come; 0 of what isn't read |
//! | `rebalances_total` | rebalances that ended in an assignment |
//! | `commits_total`, `commit_failures_total` | commits, and those that failed |
//! | `truncations_total` | times that records were read and are gone |
//! | `damaged_total` | batches that couldn't be read |
//!
//! By `tracing`: INFO for what changes (joined, begun anew), WARN for what is odd (records lost by
//! the cluster, left a group, nothing to be read of a partition for five seconds), ERROR for a
//! fault of the consumer's own, DEBUG for what passes.

mod builder;
mod committing;
mod config;
mod consumer;
mod control;
mod driver;
mod error;
mod haul;
mod listener;
mod membership;
mod memory;
mod place;
mod record;
mod shared;
mod state;
mod topics;

pub use builder::ConsumerBuilder;
pub use config::OffsetReset;
pub use consumer::Consumer;
pub use control::{ConsumerControl, Offsets, PendingCommit};
pub use error::ConsumerError;
pub use listener::{BoxFuture, RebalanceListener};
pub use place::{OffsetAndMetadata, OffsetAndTimestamp, Start, Stuck, TopicPartition};
pub use record::{BatchRecords, Header, Record, RecordBatch, Timestamp};

pub use logboom_client::{
    Assignor, BrokerAddress, ClientConfig, ClientError, IsolationLevel, Plain, Properties,
    PropertyError, Remedy, SaslExchange, SaslMechanism, SaslStep, Security, Transport,
};
#[cfg(feature = "scram")]
pub use logboom_client::{Scram, ScramHash};
#[cfg(feature = "tls")]
pub use logboom_client::{Tls, TlsError};
pub use logboom_protocol::ErrorCode;
pub use logboom_protocol::records::{
    BatchError, Header as LentHeader, Headers as LentHeaders, Record as LentRecord,
};
