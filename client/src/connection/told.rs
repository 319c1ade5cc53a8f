//! What connections tell of themselves: events by `tracing`, numbers by the `metrics` facade, once
//! a connection or once a request. The crate's doc lists both.

use std::time::Duration;

use metrics::{counter, histogram};

use logboom_protocol::ApiKey;

use super::Connection;
use crate::{BrokerAddress, ClientError, Disconnect};

/// A connection stands, or doesn't.
pub(super) fn connected(address: &BrokerAddress, result: &Result<Connection, ClientError>) {
    match result {
        Ok(_) => {
            counter!("logboom_client_connections_total").increment(1);
            tracing::debug!(%address, "connected");
        }
        Err(error) => {
            counter!("logboom_client_connection_failures_total").increment(1);
            // It has the address in it.
            tracing::warn!(%error, "not connected");
        }
    }
}

/// A connection has ended.
pub(super) fn disconnected(address: &BrokerAddress, reason: &Disconnect) {
    counter!("logboom_client_disconnects_total").increment(1);
    tracing::debug!(%address, %reason, "disconnected");
}

/// A request was answered.
///
/// - `took`: since it was handed over, waiting for its place included.
pub(super) fn answered(api: ApiKey, took: Duration) {
    histogram!("logboom_client_request_seconds", "api" => api.name()).record(took.as_secs_f64());
}

/// The broker wants to hear nothing for a while.
pub(super) fn throttled(api: ApiKey, time: Duration) {
    counter!("logboom_client_throttled_total").increment(1);
    tracing::debug!(api = api.name(), ?time, "the broker wants to hear nothing");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use logboom_protocol::messages::metadata::{MetadataResponse, MetadataResponseBroker};

    use crate::testing::{Log, Meters, ScriptedBroker, cluster};

    /// The names that the crate's doc has in its table.
    fn documented() -> BTreeSet<String> {
        let lines = include_str!("../lib.rs").lines();
        let names = lines.filter_map(|line| line.strip_prefix("//! | `")?.split('`').next());
        names.map(|name| format!("logboom_client_{name}")).collect()
    }

    #[tokio::test]
    async fn it_counts_what_its_doc_lists_and_logs_each_reason() {
        let (meters, text) = (Meters::default(), Log::default());
        let _counting = metrics::set_default_local_recorder(&meters);
        let logging = tracing_subscriber::fmt().with_writer(text.writer()).with_ansi(false);
        let logging = logging.with_max_level(tracing::Level::DEBUG).finish();
        let _logging = tracing::subscriber::set_default(logging);
        let (gone, broker) = (ScriptedBroker::bind().await.address, ScriptedBroker::bind().await);
        let (address, mut asked_before) = (broker.address.clone(), false);
        broker.run(move |asked| {
            // The first question ends its connection.
            std::mem::replace(&mut asked_before, true).then(|| {
                let brokers = vec![MetadataResponseBroker::default()];
                asked.answer(&MetadataResponse {
                    brokers,
                    throttle_time_ms: 1,
                    ..Default::default()
                })
            })
        });
        cluster(vec![gone.clone(), address.clone()]).image(None).await.unwrap();
        assert_eq!(meters.names(), documented());
        let text = text.text();
        for (level, event) in [
            ("WARN", format!("not connected error=broker {gone}: connect: ")),
            ("DEBUG", format!("connected address={address}")),
            (
                "DEBUG",
                format!("disconnected address={address} reason=the broker closed the connection"),
            ),
            ("DEBUG", format!("metadata from={address} names=None brokers=1 topics=0")),
            ("DEBUG", "tries again doing=\"ask for the metadata\" attempt=1 ".to_owned()),
        ] {
            let is_told = text.lines().any(|line| line.contains(level) && line.contains(&event));
            assert!(is_told, "{level} {event} isn't in\n{text}");
        }
    }
}
