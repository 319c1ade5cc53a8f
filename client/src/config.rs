//! The limits of a client, each with Kafka's name where Kafka has one.

use std::time::Duration;

use crate::{BrokerAddress, Properties, PropertyError, Security};

/// Limits and names of a client.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// What the broker's logs and quotas call us (`client.id`).
    pub client_id: String,
    /// How connections are protected (`security.protocol`).
    pub security: Security,
    /// How long an answer may take, its way included (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// How long a call may take with all that is tried again, connecting included
    /// (`default.api.timeout.ms`).
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
    /// Whether asking for a topic that doesn't exist makes it, where brokers allow that
    /// (`allow.auto.create.topics`).
    pub auto_create_topics: bool,
    /// Requests sent and not answered on a connection, at least 1
    /// (`max.in.flight.requests.per.connection`).
    pub in_flight_max: usize,
    /// Bytes of a response, without its length. A longer one closes the connection
    /// (librdkafka's `receive.message.max.bytes`).
    pub response_bytes_max: usize,
}

impl ClientConfig {
    /// Takes the settings that every client has; those that aren't given stay.
    ///
    /// # Errors
    /// The first value that is none.
    pub fn apply(&mut self, properties: &Properties) -> Result<(), PropertyError> {
        let times = [
            ("request.timeout.ms", &mut self.request_timeout),
            ("default.api.timeout.ms", &mut self.api_timeout),
            ("delivery.timeout.ms", &mut self.delivery_timeout),
            ("socket.connection.setup.timeout.ms", &mut self.connect_timeout),
            ("retry.backoff.ms", &mut self.retry_backoff),
            ("retry.backoff.max.ms", &mut self.retry_backoff_max),
            ("metadata.max.age.ms", &mut self.metadata_age_max),
            ("topic.metadata.propagation.max.ms", &mut self.topic_propagation_max),
        ];
        for (key, setting) in times {
            *setting = properties.millis(key)?.unwrap_or(*setting);
        }
        if properties.get("security.protocol").is_some() {
            self.security = Security::of(properties)?;
        }
        if let Some(client_id) = properties.get("client.id") {
            client_id.clone_into(&mut self.client_id);
        }
        let auto_create = properties.flag("allow.auto.create.topics")?;
        self.auto_create_topics = auto_create.unwrap_or(self.auto_create_topics);
        let in_flight = properties.number("max.in.flight.requests.per.connection", 1..=1_000)?;
        self.in_flight_max = in_flight.unwrap_or(self.in_flight_max);
        let bytes =
            properties.number("receive.message.max.bytes", 1_000..=i32::MAX.unsigned_abs())?;
        self.response_bytes_max = bytes.map_or(self.response_bytes_max, |bytes| bytes as usize);
        Ok(())
    }
}

impl Properties {
    /// Where the cluster is, as `bootstrap.servers` says.
    ///
    /// # Errors
    /// [`PropertyError::Value`] for what is no list of addresses.
    pub fn bootstrap(&self) -> Result<Option<Vec<BrokerAddress>>, PropertyError> {
        let rule = "a list of HOST:PORT, with commas between them";
        self.read("bootstrap.servers", rule, |text| BrokerAddress::parse_list(text).ok())
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            client_id: "logboom".to_owned(),
            security: Security::default(),
            request_timeout: Duration::from_secs(30),
            api_timeout: Duration::from_secs(60),
            delivery_timeout: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(10),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            metadata_age_max: Duration::from_secs(300),
            topic_propagation_max: Duration::from_secs(1),
            auto_create_topics: false,
            in_flight_max: 5,
            response_bytes_max: 100 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_by_the_reference_s_names_replace_those_that_are_given() {
        let properties = Properties::parse(
            "bootstrap.servers=a:1, b:2\nclient.id=c\nrequest.timeout.ms=7\n\
             max.in.flight.requests.per.connection=3\n",
        );
        let properties = properties.unwrap();
        let mut config = ClientConfig::default();
        config.apply(&properties).unwrap();
        assert_eq!((config.client_id.as_str(), config.in_flight_max), ("c", 3));
        assert_eq!(config.request_timeout, Duration::from_millis(7));
        assert_eq!(config.api_timeout, ClientConfig::default().api_timeout);
        assert_eq!(properties.bootstrap().unwrap().unwrap().len(), 2);
        assert_eq!(properties.unused().count(), 0);
    }

    #[test]
    fn a_value_that_is_none_is_refused() {
        for (key, value) in [
            ("request.timeout.ms", "-1"),
            ("max.in.flight.requests.per.connection", "0"),
            ("receive.message.max.bytes", "1k"),
        ] {
            let properties: Properties = [(key, value)].into_iter().collect();
            let error = ClientConfig::default().apply(&properties).unwrap_err();
            assert!(error.to_string().starts_with(&format!("{key}={value}: ")), "{error}");
        }
        let properties: Properties = [("bootstrap.servers", ",")].into_iter().collect();
        assert!(properties.bootstrap().is_err());
    }
}
