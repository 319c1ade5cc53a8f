//! Which value is in force, and where it comes from.

use alloc::vec::Vec;

use logboom_protocol::CompactString;

use crate::MetadataImage;
use crate::record::{ConfigResource, ResourceKind};

use super::{Definition, Layered, StaticConfig, Synonym, broker, group, topic};

/// Where a value comes from, with its number in DescribeConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigSource {
    /// Set for the topic.
    Topic = 1,
    /// Set for this broker.
    DynamicBroker = 2,
    /// Set for all brokers.
    DynamicDefaultBroker = 3,
    /// Written in this broker's file.
    StaticBroker = 4,
    /// Nobody has set it.
    Default = 5,
    /// Set for the subscription to clients' metrics.
    ClientMetrics = 7,
    /// Set for the group.
    Group = 8,
}

impl ConfigSource {
    /// The number in DescribeConfigs.
    #[must_use]
    pub const fn to_wire(self) -> i8 {
        self as i8
    }
}

/// A configuration with the value that is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The configuration.
    pub definition: Definition,
    /// Its value; `None` where it is unset.
    pub value: Option<CompactString>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it can only be changed in the broker's file.
    pub read_only: bool,
    /// Everything that is set for it, under whichever name, the one in force first.
    pub synonyms: Vec<EntrySynonym>,
}

/// A value under one of a configuration's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntrySynonym {
    /// The name.
    pub name: &'static str,
    /// The value, in the unit of that name.
    pub value: CompactString,
    /// Where it comes from.
    pub source: ConfigSource,
}

/// The configurations as one broker sees them.
#[derive(Debug, Clone, Copy)]
pub struct Effective<'a> {
    image: &'a MetadataImage,
    broker: &'a StaticConfig,
}

impl<'a> Effective<'a> {
    /// What is set in `image`, over what `broker` was started with.
    #[must_use]
    pub fn new(image: &'a MetadataImage, broker: &'a StaticConfig) -> Self {
        Self { image, broker }
    }

    /// A configuration of a topic. What is set for the topic counts if the image has it.
    #[must_use]
    pub fn topic(&self, name: &str, layered: &'static Layered) -> Entry {
        self.layered(&ConfigResource::topic(name), ConfigSource::Topic, layered)
    }

    /// All configurations of a topic.
    pub fn topic_entries(&self, name: &str) -> impl Iterator<Item = Entry> {
        topic::TABLE.iter().map(move |layered| self.topic(name, layered))
    }

    /// A configuration of a consumer group.
    #[must_use]
    pub fn group(&self, name: &str, layered: &'static Layered) -> Entry {
        let resource = ConfigResource { kind: ResourceKind::Group, name: name.into() };
        self.layered(&resource, ConfigSource::Group, layered)
    }

    /// A configuration of this broker.
    #[must_use]
    pub fn broker(&self, broker: &broker::BrokerDefinition) -> Entry {
        let definition = broker.definition;
        let synonyms = self.broker_values(&broker_names(definition.name));
        // Names that go before say nothing about this one's value.
        let synonyms = from_name(synonyms, definition.name);
        Entry {
            definition,
            value: synonyms.first().map(|synonym| synonym.value.clone()),
            source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
            read_only: broker.update == broker::Update::ReadOnly,
            synonyms,
        }
    }

    /// A broker's configuration that is an integer and has a default.
    ///
    /// # Panics
    /// If it is none of those.
    #[must_use]
    pub fn broker_integer(&self, name: &'static str) -> i64 {
        let broker = broker::find(name).unwrap_or_else(|| panic!("{name} is in the table"));
        integer(&self.broker(&broker))
    }

    /// A broker's configuration that is a truth value.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn broker_boolean(&self, name: &'static str) -> bool {
        let broker = broker::find(name).unwrap_or_else(|| panic!("{name} is in the table"));
        let entry = self.broker(&broker);
        entry.value.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// A broker's configuration as text.
    ///
    /// # Panics
    /// If there is no such configuration.
    #[must_use]
    pub fn broker_text(&self, name: &'static str) -> CompactString {
        let broker = broker::find(name).unwrap_or_else(|| panic!("{name} is in the table"));
        self.broker(&broker).value.unwrap_or_default()
    }

    /// A topic's configuration that is an integer.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn topic_integer(&self, topic: &str, name: &'static str) -> i64 {
        let layered = topic::find(name).unwrap_or_else(|| panic!("{name} is in the table"));
        integer(&self.topic(topic, layered))
    }

    /// A broker's configuration that is a number with a fraction.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn broker_double(&self, name: &'static str) -> f64 {
        let broker = broker::find(name).unwrap_or_else(|| panic!("{name} is in the table"));
        double(&self.broker(&broker))
    }

    /// A topic's configuration that is a number with a fraction.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn topic_double(&self, topic: &str, name: &'static str) -> f64 {
        let layered = topic::find(name).unwrap_or_else(|| panic!("{name} is in the table"));
        double(&self.topic(topic, layered))
    }

    /// A topic's configuration as text.
    ///
    /// # Panics
    /// If there is no such configuration.
    #[must_use]
    pub fn topic_text(&self, topic: &str, name: &'static str) -> CompactString {
        let layered = topic::find(name).unwrap_or_else(|| panic!("{name} is in the table"));
        self.topic(topic, layered).value.unwrap_or_default()
    }

    fn layered(
        &self,
        resource: &ConfigResource,
        source: ConfigSource,
        layered: &'static Layered,
    ) -> Entry {
        let definition = layered.definition;
        let own = self.image.config_value(resource, definition.name);
        let mut synonyms = Vec::from_iter(own.map(|value| EntrySynonym {
            name: definition.name,
            value: value.into(),
            source,
        }));
        let names: Vec<&'static str> = layered.synonyms.iter().map(|one| one.name).collect();
        let of_broker = self.broker_values(&names);
        let first = synonyms.first().or(of_broker.first());
        let default = definition.default.map(CompactString::const_new);
        let value = first.map(|first| in_own_unit(layered, first)).or(default);
        let source = first.map_or(ConfigSource::Default, |first| first.source);
        // Other units are in force and, as in the reference, not listed before the name itself is.
        synonyms.extend(from_name(of_broker, names.first().copied().unwrap_or_default()));
        Entry { definition, value, source, read_only: false, synonyms }
    }

    /// What is set under a broker's names, source before source, and in each name before name.
    fn broker_values(&self, names: &[&'static str]) -> Vec<EntrySynonym> {
        let this = ConfigResource::broker(self.broker.broker_id());
        let all = ConfigResource::all_brokers();
        let mut found = Vec::new();
        let mut add =
            |source, value: &dyn Fn(&'static str) -> Option<CompactString>| {
                found.extend(names.iter().filter_map(|&name| {
                    value(name).map(|value| EntrySynonym { name, value, source })
                }));
            };
        let dynamic = |resource, name| Some(self.image.config_value(resource, name)?.into());
        add(ConfigSource::DynamicBroker, &|name| dynamic(&this, name));
        add(ConfigSource::DynamicDefaultBroker, &|name| dynamic(&all, name));
        add(ConfigSource::StaticBroker, &|name| self.broker.get(name).map(CompactString::from));
        add(ConfigSource::Default, &|name| {
            broker::find(name)?.definition.default.map(CompactString::const_new)
        });
        found
    }
}

/// What stands from `name` on.
fn from_name(mut synonyms: Vec<EntrySynonym>, name: &str) -> Vec<EntrySynonym> {
    let own = synonyms.iter().position(|synonym| synonym.name == name);
    synonyms.drain(..own.unwrap_or(synonyms.len()));
    synonyms
}

/// The names under which a broker sets the same, the one that wins first.
fn broker_names(name: &'static str) -> Vec<&'static str> {
    let has = |layered: &&Layered| layered.synonyms.iter().any(|one| one.name == name);
    let synonyms: &[Synonym] =
        topic::TABLE.iter().chain(&group::TABLE).find(has).map_or(&[], |layered| layered.synonyms);
    if synonyms.is_empty() {
        return Vec::from([name]);
    }
    synonyms.iter().map(|one| one.name).collect()
}

fn in_own_unit(layered: &Layered, found: &EntrySynonym) -> CompactString {
    let synonym = layered.synonyms.iter().find(|one| one.name == found.name);
    match synonym {
        Some(synonym) => synonym.convert(&found.value),
        None => found.value.clone(),
    }
}

/// The value in force, or the default where an older broker has set what is none any more.
fn double(entry: &Entry) -> f64 {
    let parse = |text: &str| text.trim().parse::<f64>().ok();
    let value = entry.value.as_deref().and_then(parse);
    value.or_else(|| entry.definition.default.and_then(parse)).expect("a number has a default")
}

fn integer(entry: &Entry) -> i64 {
    let parse = |text: &str| text.trim().parse::<i64>().ok();
    let value = entry.value.as_deref().and_then(parse);
    value.or_else(|| entry.definition.default.and_then(parse)).expect("an integer has a default")
}
