//! The configurations of subscriptions to clients' metrics (KIP-714).

use super::{ConfigType, Definition, Rule};

/// The configuration of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Definition> {
    TABLE.iter().find(|definition| definition.name == name)
}

/// All of them.
pub static TABLE: [Definition; 3] = [
    Definition {
        name: "metrics",
        config_type: ConfigType::List,
        default: Some(""),
        rule: Rule::Any,
        documentation: "Beginnings of the names of metrics that clients are to send; * is all.",
    },
    Definition {
        name: "interval.ms",
        config_type: ConfigType::Int,
        default: Some("300000"),
        rule: Rule::Between(100, 3_600_000),
        documentation: "Milliseconds from one sending to the next.",
    },
    Definition {
        name: "match",
        config_type: ConfigType::List,
        default: Some(""),
        rule: Rule::Matches(&[
            "client_instance_id",
            "client_id",
            "client_software_name",
            "client_software_version",
            "client_source_address",
            "client_source_port",
        ]),
        documentation: "Which clients are meant, as PROPERTY=PATTERN; all where it is empty.",
    },
];
