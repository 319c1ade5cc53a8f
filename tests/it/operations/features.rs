//! Features: what `kafka-features` says of them and changes.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::update_features::{FeatureUpdateKey, UpdateFeaturesRequest};
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::{kafka_tool, or_skip};
use logboom_tests::raw::Raw;

use super::{tool, tool_prints};

const TOOL: &str = "org.apache.kafka.tools.FeatureCommand";
const FEATURE: &str = "logboom.version";

#[test]
fn any_broker_has_levels_changed_or_refused() {
    let mut cluster = Cluster::start("features", 3);
    let asked = |feature: &str, max_version_level, upgrade_type| UpdateFeaturesRequest {
        feature_updates: vec![FeatureUpdateKey {
            feature: feature.into(),
            max_version_level,
            upgrade_type,
            ..FeatureUpdateKey::default()
        }],
        ..UpdateFeaturesRequest::default()
    };
    for id in 1..=3 {
        let mut raw = Raw::connect(&cluster.broker(id).bootstrap());
        let answer = raw.call(2, &asked(FEATURE, 1, 1));
        assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
        for refused in [asked(FEATURE, 2, 1), asked("metadata.version", 25, 1)] {
            let answer = raw.call(2, &refused);
            assert_eq!(answer.error_code, ErrorCode::INVALID_UPDATE_VERSION, "{answer:?}");
        }
    }
}

#[test]
fn kafkas_own_tool_describes_and_changes_features() {
    let Some(_) = or_skip("Kafka's tool and features", kafka_tool(TOOL)) else { return };
    let cluster = Cluster::start("features-tool", 3);
    let bootstrap = cluster.bootstrap();
    let described = || tool_prints(TOOL, &bootstrap, &["describe"]);
    let level = |text: &str| {
        let line = text.lines().find(|line| line.contains(FEATURE));
        let line = line.unwrap_or_else(|| panic!("{text}"));
        let (_, rest) = line.split_once("FinalizedVersionLevel:").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    };
    let dry = ["upgrade", "--feature", "logboom.version=1", "--dry-run"];
    tool_prints(TOOL, &bootstrap, &dry);
    tool_prints(TOOL, &bootstrap, &["upgrade", "--feature", "logboom.version=1"]);
    assert_eq!(level(&described()), "1");
    let dry = ["downgrade", "--feature", "logboom.version=0", "--dry-run"];
    tool_prints(TOOL, &bootstrap, &dry);
    assert_eq!(level(&described()), "1", "it was only asked whether");
    let (is_done, text) = tool(TOOL, &bootstrap, &["upgrade", "--feature", "no.such=1"]);
    assert!(!is_done && text.contains("does not support this feature"), "{text}");
}
