//! The configurations of consumer groups (KIP-848).

use super::{ConfigType, Definition, Layered, Rule, Synonym};

/// The configuration of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Layered> {
    TABLE.iter().find(|layered| layered.definition.name == name)
}

/// All of them.
pub static TABLE: [Layered; 2] = [
    Layered {
        definition: Definition {
            name: "consumer.session.timeout.ms",
            config_type: ConfigType::Int,
            default: Some("45000"),
            rule: Rule::AtLeast(1),
            documentation: "Milliseconds without a heartbeat after which a member is out.",
        },
        synonyms: &[Synonym { name: "group.consumer.session.timeout.ms", factor: 1 }],
    },
    Layered {
        definition: Definition {
            name: "consumer.heartbeat.interval.ms",
            config_type: ConfigType::Int,
            default: Some("5000"),
            rule: Rule::AtLeast(1),
            documentation: "Milliseconds from one heartbeat of a member to the next.",
        },
        synonyms: &[Synonym { name: "group.consumer.heartbeat.interval.ms", factor: 1 }],
    },
];
