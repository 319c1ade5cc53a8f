//! Topics and their partitions as the command line names them.

use std::fmt;
use std::str::FromStr;

/// `TOPIC`, or `TOPIC:N,N`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicPartitions {
    /// The topic.
    pub(super) name: String,
    /// Empty where all of them are meant.
    pub(super) partitions: Vec<i32>,
}

impl TopicPartitions {
    /// Whether a partition is meant.
    pub(super) fn contains(&self, topic: &str, partition: i32) -> bool {
        self.name == topic && (self.partitions.is_empty() || self.partitions.contains(&partition))
    }
}

impl FromStr for TopicPartitions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, partitions) = text.split_once(':').unwrap_or((text, ""));
        let number = |text: &str| text.parse().ok().filter(|number: &i32| *number >= 0);
        let mut numbers = match partitions {
            "" if text.contains(':') => None,
            "" => Some(Vec::new()),
            list => list.split(',').map(number).collect::<Option<Vec<i32>>>(),
        };
        if let Some(numbers) = &mut numbers {
            numbers.sort_unstable();
            numbers.dedup();
        }
        match numbers {
            Some(partitions) if !name.is_empty() => Ok(Self { name: name.to_owned(), partitions }),
            _ => Err("write TOPIC, or TOPIC:N,N with numbers of partitions".to_owned()),
        }
    }
}

impl fmt::Display for TopicPartitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.partitions.is_empty() {
            return write!(f, "the partitions of topic {}", self.name);
        }
        let numbers: Vec<String> = self.partitions.iter().map(i32::to_string).collect();
        write!(f, "partitions {} of topic {}", numbers.join(","), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_with_and_without_partitions() {
        let read = |text: &str| text.parse::<TopicPartitions>();
        let expected = |name: &str, partitions: &[i32]| {
            Ok(TopicPartitions { name: name.to_owned(), partitions: partitions.to_vec() })
        };
        assert_eq!(read("t"), expected("t", &[]));
        assert_eq!(read("t.x-y:0"), expected("t.x-y", &[0]));
        assert_eq!(read("t:3,1,3"), expected("t", &[1, 3]));
        for wrong in ["", ":1", "t:", "t:-1", "t:1,", "t:one", "t:1:2"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read("t:1,3").unwrap().contains("t", 3));
        assert!(!read("t:1,3").unwrap().contains("t", 2));
        assert!(!read("t").unwrap().contains("u", 0));
    }
}
