//! An asynchronous producer for every cluster that speaks the Kafka protocol.
//!
//! ```no_run
//! use logboom_producer::{Producer, Record};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let producer = Producer::builder().bootstrap_servers("localhost:9092").build()?;
//! let record = Record::to("departures").key("LH 401").value("boarding");
//! let delivered = producer.publish(record).await?;
//! println!("partition {}, offset {:?}", delivered.partition, delivered.offset);
//! # Ok(())
//! # }
//! ```
//!
//! [`Producer::send`] takes a record and returns at once, unless `buffer.memory` is full, or
//! nothing is known of the topic yet: then it waits, for `max.block.ms` at the longest, and nothing
//! is dropped. What becomes of the record its [`Delivery`] tells; records that are sent one after
//! the other travel together.
//!
//! ```text
//!   send ─▶ Accumulator: a Queue a partition ─▶ Sender ─▶ Request, a task each ─▶ logboom-client
//!             ▲ room is given back                 │
//!   Delivery ─┴────────────── Outcome ◀── settle ──┘
//! ```
//!
//! # Settings, and what protects a connection
//!
//! A `client.properties` file of Kafka's is taken, `security.protocol` included. TLS and SCRAM come
//! with the features `tls` and `scram`; [`ProducerBuilder::security`] takes others.
//!
//! ```no_run
//! # use logboom_producer::{Producer, Properties};
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Properties::load("client.properties")?;
//! let producer = Producer::builder().properties(&settings)?.build()?;
//! # let _ = producer;
//! # Ok(())
//! # }
//! ```
//!
//! What would change what is guaranteed is refused where it can't be kept to: `transactional.id`;
//! `partitioner.class`, but for the reference's default, and librdkafka's `partitioner`, but for
//! `murmur2_random`, which is the same; `ssl.key.password`. Any other name that this producer
//! doesn't have is warned of.
//!
//! # Features
//!
//! | feature | on by default | what for |
//! | --- | --- | --- |
//! | `gzip`, `lz4`, `snappy` | yes | these codecs |
//! | `zstd` | yes | this codec; it compiles C |
//! | `scram` | | SCRAM-SHA-256 and SCRAM-SHA-512 |
//! | `tls` | | TLS, by rustls and ring; it compiles C |
//!
//! Without the feature of a codec a producer that is to compress by it isn't built.
//!
//! # Where records go
//!
//! A record that names its partition goes there; one with a key to the one that the key's murmur2
//! hash names, as with Java's producer, unless `partitioner.ignore.keys` is true. All others stay
//! together for a batch, and then go to another partition, the more often the less waits there
//! (KIP-794): `partitioner.adaptive.partitioning.enable`, `partitioner.availability.timeout.ms`.
//!
//! # What must always hold
//!
//! - A record is copied once, into the batch that goes to the socket; the batch grows by pieces,
//!   none of which is moved. Only a codec makes other bytes of it, and a batch that a broker finds
//!   too large is taken apart.
//! - Records of a partition keep their order, whatever is tried again. With idempotence, which is
//!   the default, each is appended once.
//! - Every record has an outcome by `delivery.timeout.ms`, and every queue a limit.
//! - An error says by [`ProduceError::remedy`] whether to try again, to change the call, or to
//!   give up, and by [`ProduceError::may_be_appended`] whether trying again may double the record.
//!
//! # What it tells of itself
//!
//! By the `metrics` facade, beside what the crate `logboom-client` counts:
//!
//! | name: `logboom_producer_…` | what |
//! | --- | --- |
//! | `records_total` | records that were acknowledged |
//! | `bytes_total` | bytes of their batches as they were sent |
//! | `batches_total` | their batches |
//! | `retries_total` | batches that were sent again |
//! | `failed_records_total` | records that failed for good |
//!
//! By `tracing`: WARN for records that were refused, DEBUG for batches that are sent again.

mod accumulator;
mod batch;
mod delivery;
mod error;
mod memory;
mod metrics;
mod partitioner;
mod producer;
mod queue;
mod record;
mod request;
mod sender;
mod settings;

pub use delivery::{Delivered, Delivery};
pub use error::{BuildError, ProduceError};
pub use logboom_client::{
    Acks, BrokerAddress, ClientConfig, ClientError, Cluster, Plain, Properties, PropertyError,
    RefusedRecord, Remedy, SaslExchange, SaslMechanism, SaslStep, Security, Transport,
};
#[cfg(feature = "scram")]
pub use logboom_client::{Scram, ScramHash};
#[cfg(feature = "tls")]
pub use logboom_client::{Tls, TlsError};
pub use logboom_protocol::ErrorCode;
pub use logboom_protocol::records::{BatchError, Codec, HeaderRef as Header};
pub use producer::Producer;
pub use record::Record;
pub use settings::ProducerBuilder;

#[cfg(test)]
mod tests;
