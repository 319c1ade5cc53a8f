//! The topics that a consumer wants of its group: names, and patterns that it looks for in what the
//! cluster has.

use regex_lite::Regex;
use tokio::time::{sleep, timeout};

use logboom_client::{ClientConfig, ClientError, Cluster, ClusterImage};

use crate::ConsumerError;

/// What is subscribed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Topics {
    /// In order, each once.
    names: Vec<String>,
    patterns: Vec<Pattern>,
}

/// What a topic's name may match. No name begins with `^`, so an entry that does is one.
#[derive(Debug, Clone)]
struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl Topics {
    /// # Errors
    /// There is none, or a pattern is none.
    pub(crate) fn new<T: AsRef<str>>(
        topics: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConsumerError> {
        let (mut names, mut patterns) = (Vec::new(), Vec::new());
        for topic in topics {
            match topic.as_ref() {
                text if text.starts_with('^') => {
                    let pattern = Regex::new(text).map_err(|error| {
                        ConsumerError::config("subscribe", format!("{text} is no pattern: {error}"))
                    })?;
                    patterns.push(Pattern(pattern));
                }
                name => names.push(name.to_owned()),
            }
        }
        if names.is_empty() && patterns.is_empty() {
            return Err(ConsumerError::config("subscribe", "it has to name a topic"));
        }
        names.sort_unstable();
        names.dedup();
        Ok(Self { names, patterns })
    }

    /// Whether a topic of this name is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.names.iter().any(|one| one == name)
            || self.patterns.iter().any(|one| one.0.is_match(name))
    }

    /// Whether what is found may change.
    pub(crate) fn has_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// Those that are named, and those that match and exist now; in order, each once.
    ///
    /// - `excludes_internal`: whether a pattern passes over the cluster's own topics.
    ///
    /// # Errors
    /// No broker tells.
    pub(crate) async fn find(
        &self,
        cluster: &Cluster,
        excludes_internal: bool,
    ) -> Result<Vec<String>, ClientError> {
        let mut found = self.names.clone();
        if self.has_patterns() {
            let topics = all(cluster).await?.topics.into_values();
            let topics = topics.filter(|topic| !(excludes_internal && topic.is_internal));
            found.extend(topics.map(|topic| topic.name).filter(|name| self.wants(name)));
            found.sort_unstable();
            found.dedup();
        }
        Ok(found)
    }
}

/// All topics. A broker that knows of no broker has heard of no topic either, and is asked again.
async fn all(cluster: &Cluster) -> Result<ClusterImage, ClientError> {
    let ClientConfig { api_timeout, retry_backoff, .. } = *cluster.config();
    let asking = async {
        loop {
            let image = cluster.image(None).await?;
            if !image.brokers.is_empty() {
                return Ok(image);
            }
            sleep(retry_backoff).await;
        }
    };
    timeout(api_timeout, asking).await.unwrap_or(Err(ClientError::NoAnswer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_begins_so_is_a_pattern() {
        let topics = Topics::new(["b", "a", "b", "^flights\\.(eu|us)$"]).unwrap();
        assert_eq!(
            (topics.names.as_slice(), topics.has_patterns()),
            (&["a", "b"].map(String::from)[..], true)
        );
        for (name, is_wanted) in [
            ("a", true),
            ("c", false),
            ("flights.eu", true),
            ("flights.eux", false),
            ("flights,eu", false),
        ] {
            assert_eq!(topics.wants(name), is_wanted, "{name}");
        }
        assert_eq!(topics, topics.clone());
        assert_ne!(topics, Topics::new(["b", "a", "^flights"]).unwrap());
        let error = Topics::new(["^(a"]).unwrap_err().to_string();
        assert!(error.starts_with("subscribe: ^(a is no pattern: "), "{error}");
        assert!(Topics::new([""; 0]).is_err());
    }
}
