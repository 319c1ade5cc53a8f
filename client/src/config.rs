//! The limits of a client, each with Kafka's name where Kafka has one.

use std::time::Duration;

/// Limits and names of a client.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// What the broker's logs and quotas call us (`client.id`).
    pub client_id: String,
    /// How long an answer may take, its way included (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// How long a call may take with all that is tried again (`default.api.timeout.ms`).
    pub api_timeout: Duration,
    /// How long a batch may take until it is acknowledged (`delivery.timeout.ms`).
    pub delivery_timeout: Duration,
    /// How long a TCP connection may take to stand (`socket.connection.setup.timeout.ms`).
    pub connect_timeout: Duration,
    /// Pause before the first repetition (`retry.backoff.ms`).
    pub retry_backoff: Duration,
    /// The longest pause before a repetition (`retry.backoff.max.ms`).
    pub retry_backoff_max: Duration,
    /// Age at which what is known of a topic is asked for again (`metadata.max.age.ms`).
    pub metadata_age_max: Duration,
    /// How long a topic that no broker knows is believed to be on its way. librdkafka's
    /// `topic.metadata.propagation.max.ms`, but shorter: who mistyped a name waits for it.
    pub topic_propagation_max: Duration,
    /// Requests sent and not answered on a connection, at least 1
    /// (`max.in.flight.requests.per.connection`).
    pub in_flight_max: usize,
    /// Bytes of a response, without its length. A longer one closes the connection.
    pub response_bytes_max: usize,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            client_id: "logboom".to_owned(),
            request_timeout: Duration::from_secs(30),
            api_timeout: Duration::from_secs(60),
            delivery_timeout: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(10),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            metadata_age_max: Duration::from_secs(300),
            topic_propagation_max: Duration::from_secs(1),
            in_flight_max: 5,
            response_bytes_max: 100 << 20,
        }
    }
}
