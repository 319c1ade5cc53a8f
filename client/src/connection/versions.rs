//! Which versions of which APIs a broker speaks.

use std::collections::BTreeMap;
use std::sync::Arc;

use logboom_protocol::messages::api_versions::ApiVersion;
use logboom_protocol::{ApiKey, VersionRange};

/// The versions that a broker has named.
#[derive(Debug, Clone, Default)]
pub struct Versions {
    served: Arc<BTreeMap<i16, VersionRange>>,
}

impl Versions {
    /// What an ApiVersions response lists, APIs that we don't know included.
    #[must_use]
    pub fn new(listed: &[ApiVersion]) -> Self {
        let range = |api: &ApiVersion| VersionRange { min: api.min_version, max: api.max_version };
        let served = listed.iter().map(|api| (api.api_key, range(api))).collect();
        Self { served: Arc::new(served) }
    }

    /// The versions of `api`, if it is served at all.
    #[must_use]
    pub fn of(&self, api: ApiKey) -> Option<VersionRange> {
        self.served.get(&api.to_wire()).copied()
    }

    /// The newest version of `api` that the broker, this crate and `allowed` have in common.
    #[must_use]
    pub fn newest_common(&self, api: ApiKey, allowed: VersionRange) -> Option<i16> {
        let ours = api.versions();
        let min = allowed.min.max(ours.min);
        let max = allowed.max.min(ours.max);
        self.of(api)?.newest_common(VersionRange { min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(api_key: i16, min_version: i16, max_version: i16) -> Versions {
        Versions::new(&[ApiVersion { api_key, min_version, max_version }])
    }

    #[test]
    fn the_newest_common_version_is_taken() {
        let all = VersionRange { min: 0, max: i16::MAX };
        let fetch = ApiKey::Fetch;
        let ours = fetch.versions();
        assert_eq!(versions(1, 0, i16::MAX).newest_common(fetch, all), Some(ours.max));
        assert_eq!(versions(1, 0, 6).newest_common(fetch, all), Some(6));
        assert_eq!(versions(1, 0, 3).newest_common(fetch, all), None);
        assert_eq!(versions(1, 100, 101).newest_common(fetch, all), None);
        assert_eq!(versions(0, 0, 6).newest_common(fetch, all), None);
        let names = VersionRange { min: 0, max: 12 };
        assert_eq!(versions(1, 4, 18).newest_common(fetch, names), Some(12));
        assert_eq!(versions(1, 13, 18).newest_common(fetch, names), None);
        assert_eq!(versions(1, 6, 5).newest_common(fetch, all), None, "an empty range");
    }
}
