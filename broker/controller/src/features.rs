//! Features: what all brokers of the cluster can do, and which of that is in force.
//!
//! Must always hold: a feature has a level that the broker which decides supports.

use alloc::vec::Vec;
use core::fmt;

use logboom_protocol::messages::update_features::{
    FeatureUpdateKey, UpdatableFeatureResult, UpdateFeaturesRequest, UpdateFeaturesResponse,
};
use logboom_protocol::{CompactString, ErrorCode};

use crate::MetadataImage;
use crate::decision::{Decision, Draft, message, occurrences};
use crate::record::MetadataRecord;

/// A feature that has levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// The least level that it can have; 0 is off.
    pub level_min: i16,
    /// The greatest one.
    pub level_max: i16,
}

/// The features of this broker. The level of `logboom.version` is the version of what brokers and
/// controllers write and send; there is one.
pub const FEATURES: &[Feature] = &[Feature { name: "logboom.version", level_min: 0, level_max: 1 }];

/// From this version on a request says which kind of change it is.
const UPGRADE_TYPE_FROM: i16 = 1;
/// From this version on a response has no result for each feature.
const NO_RESULTS_FROM: i16 = 2;

/// Changes levels of features: all of them or none.
///
/// - `version`: of the request.
/// - `controller`: the broker that decides, which supports `features`.
///
/// Source: KIP-584, KIP-778 (kinds of change), KIP-1022 (all or none).
#[must_use]
pub fn update_features(
    image: &MetadataImage,
    request: &UpdateFeaturesRequest,
    version: i16,
    controller: i32,
    features: &[Feature],
) -> Decision<UpdateFeaturesResponse> {
    let mut draft = Draft::new(image);
    let names = request.feature_updates.iter().map(|update| update.feature.as_str());
    let times = occurrences(names);
    for asked in &request.feature_updates {
        let result = match times[asked.feature.as_str()] {
            1 => update(&mut draft, asked, version, controller, features),
            _ => Err(FeatureError::Duplicate(asked.feature.clone())),
        };
        if let Err(error) = result {
            return Decision { records: Vec::new(), response: refused(&error) };
        }
    }
    let has_results = version < NO_RESULTS_FROM;
    let updates = request.feature_updates.iter().filter(|_| has_results);
    let results = updates.map(|asked| UpdatableFeatureResult {
        feature: asked.feature.clone(),
        ..UpdatableFeatureResult::default()
    });
    let response =
        UpdateFeaturesResponse { results: results.collect(), ..UpdateFeaturesResponse::default() };
    let records = if request.validate_only { Vec::new() } else { draft.into_records() };
    Decision { records, response }
}

fn refused(error: &FeatureError) -> UpdateFeaturesResponse {
    UpdateFeaturesResponse {
        error_code: error.code(),
        error_message: message(&format_args!(
            "The update failed for all features since the following feature had an error: {error}"
        )),
        ..UpdateFeaturesResponse::default()
    }
}

/// Why a level is not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum FeatureError {
    Duplicate(CompactString),
    Update { feature: CompactString, level: i16, reason: Reason },
}

/// What is wrong with a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    UnknownChange,
    Negative,
    NotSupported { controller: i32 },
    OutOfRange { controller: i32, min: i16, max: i16 },
    Downgrade,
    DowngradeToNewer,
}

impl FeatureError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Duplicate(_) => ErrorCode::INVALID_REQUEST,
            Self::Update { .. } => ErrorCode::INVALID_UPDATE_VERSION,
        }
    }
}

/// As the reference says it.
impl fmt::Display for FeatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(feature) => write!(f, "{feature} is in the request more than once"),
            Self::Update { feature, level, reason } => {
                write!(f, "Invalid update version {level} for feature {feature}. {reason}")
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownChange => {
                f.write_str("The controller does not support the given upgrade type.")
            }
            Self::Negative => f.write_str("A feature version cannot be less than 0."),
            Self::NotSupported { controller } => {
                write!(f, "Local controller {controller} does not support this feature.")
            }
            Self::OutOfRange { controller, min, max } => {
                write!(f, "Local controller {controller} only supports versions {min}-{max}")
            }
            Self::Downgrade => f.write_str(
                "Can't downgrade the version of this feature without setting the upgrade type to \
                 either safe or unsafe downgrade.",
            ),
            Self::DowngradeToNewer => f.write_str("Can't downgrade to a newer version."),
        }
    }
}

fn update(
    draft: &mut Draft,
    asked: &FeatureUpdateKey,
    version: i16,
    controller: i32,
    features: &[Feature],
) -> Result<(), FeatureError> {
    let (feature, level) = (&asked.feature, asked.max_version_level);
    let image = draft.image();
    let known = image.features().find(|(name, _)| name == feature).map_or(0, |(_, level)| level);
    let supported = features.iter().find(|one| one.name == feature);
    let checked = may_downgrade(asked, version).and_then(|may_downgrade| {
        check_level(level, controller, supported)?;
        match level {
            _ if level < known && !may_downgrade => Err(Reason::Downgrade),
            _ if level > known && may_downgrade => Err(Reason::DowngradeToNewer),
            _ => Ok(()),
        }
    });
    checked.map_err(|reason| FeatureError::Update { feature: feature.clone(), level, reason })?;
    if level != known {
        draft.push(MetadataRecord::FeatureLevel { name: feature.clone(), level });
    }
    Ok(())
}

/// Whether the change is one downwards: 1 isn't, 2 is where nothing is lost, 3 in any case.
fn may_downgrade(asked: &FeatureUpdateKey, version: i16) -> Result<bool, Reason> {
    match asked.upgrade_type {
        _ if version < UPGRADE_TYPE_FROM => Ok(asked.allow_downgrade),
        1 => Ok(false),
        2 | 3 => Ok(true),
        _ => Err(Reason::UnknownChange),
    }
}

fn check_level(level: i16, controller: i32, supported: Option<&Feature>) -> Result<(), Reason> {
    if level < 0 {
        return Err(Reason::Negative);
    }
    match supported {
        None => Err(Reason::NotSupported { controller }),
        Some(&Feature { level_min: min, level_max: max, .. }) if level < min || level > max => {
            Err(Reason::OutOfRange { controller, min, max })
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const SUPPORTED: &[Feature] = &[
        Feature { name: "a", level_min: 0, level_max: 3 },
        Feature { name: "b", level_min: 1, level_max: 2 },
        Feature { name: "d", level_min: 0, level_max: 1 },
    ];

    fn asked(feature: &str, level: i16, upgrade_type: i8) -> FeatureUpdateKey {
        FeatureUpdateKey {
            feature: feature.into(),
            max_version_level: level,
            upgrade_type,
            ..FeatureUpdateKey::default()
        }
    }

    fn updated(
        image: &MetadataImage,
        updates: Vec<FeatureUpdateKey>,
    ) -> Decision<UpdateFeaturesResponse> {
        let request = UpdateFeaturesRequest { feature_updates: updates, ..Default::default() };
        update_features(image, &request, 2, 7, SUPPORTED)
    }

    fn with_a_at_2() -> MetadataImage {
        MetadataImage::load([MetadataRecord::FeatureLevel { name: "a".into(), level: 2 }]).unwrap()
    }

    #[test]
    fn levels_go_up_and_where_it_is_meant_down() {
        for (update, level) in [
            (asked("a", 3, 1), 3),
            (asked("a", 1, 2), 1),
            (asked("a", 0, 3), 0),
            (asked("a", 2, 1), 2),
        ] {
            let decision = updated(&with_a_at_2(), vec![update.clone()]);
            assert_eq!(decision.response, UpdateFeaturesResponse::default(), "{update:?}");
            let after = with_a_at_2().with(&decision.records).unwrap();
            let found = after.features().find(|(name, _)| *name == "a").map_or(0, |(_, l)| l);
            assert_eq!(found, level, "{update:?}");
        }
    }

    #[test]
    fn what_is_not_supported_or_not_meant_is_refused_with_the_references_words() {
        for (update, reason) in [
            (asked("c", 1, 1), "Local controller 7 does not support this feature."),
            (asked("metadata.version", 27, 1), "Local controller 7 does not support this feature."),
            (asked("a", 4, 1), "Local controller 7 only supports versions 0-3"),
            (asked("b", 0, 2), "Local controller 7 only supports versions 1-2"),
            (asked("a", -1, 1), "A feature version cannot be less than 0."),
            (asked("a", 3, 0), "The controller does not support the given upgrade type."),
            (asked("a", 3, 4), "The controller does not support the given upgrade type."),
            (asked("a", 3, 2), "Can't downgrade to a newer version."),
            (
                asked("a", 1, 1),
                "Can't downgrade the version of this feature without setting the upgrade type to \
                 either safe or unsafe downgrade.",
            ),
        ] {
            let good = asked("d", 1, 1);
            let decision = updated(&with_a_at_2(), vec![good, update.clone()]);
            assert_eq!(decision.records, [], "all or none: {update:?}");
            let response = decision.response;
            assert_eq!(response.error_code, ErrorCode::INVALID_UPDATE_VERSION, "{update:?}");
            let text = response.error_message.unwrap();
            let begin = "The update failed for all features since the following feature had an \
                         error: Invalid update version ";
            assert!(text.starts_with(begin) && text.ends_with(reason), "{text}");
        }
    }

    #[test]
    fn a_feature_that_is_there_twice_is_not_changed() {
        let decision = updated(&with_a_at_2(), vec![asked("a", 3, 1), asked("a", 3, 1)]);
        assert_eq!(decision.records, []);
        assert_eq!(decision.response.error_code, ErrorCode::INVALID_REQUEST);
    }

    #[test]
    fn validate_only_changes_nothing() {
        let feature_updates = vec![asked("a", 3, 1)];
        let request =
            UpdateFeaturesRequest { feature_updates, validate_only: true, ..Default::default() };
        let decision = update_features(&with_a_at_2(), &request, 2, 7, SUPPORTED);
        assert_eq!(decision.records, []);
        assert_eq!(decision.response, UpdateFeaturesResponse::default());
    }

    #[test]
    fn older_versions_have_a_result_for_each_feature_and_the_oldest_another_word_for_downwards() {
        let update = FeatureUpdateKey { allow_downgrade: true, ..asked("a", 1, 1) };
        let request = UpdateFeaturesRequest { feature_updates: vec![update], ..Default::default() };
        let decision = update_features(&with_a_at_2(), &request, 0, 7, SUPPORTED);
        assert_eq!(decision.records.len(), 1);
        let results: Vec<_> =
            decision.response.results.iter().map(|one| (&*one.feature, one.error_code)).collect();
        assert_eq!(results, [("a", ErrorCode::NONE)]);
    }
}
