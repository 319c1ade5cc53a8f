//! Decisions on configurations.
//!
//! Must always hold: what is set for a resource is changed as a whole or not at all; a value that
//! is set has been checked against the table in [`config`](crate::config).

mod alter;
mod change;
mod describe;
mod error;
mod incremental;
mod list;
mod resource;

pub use alter::alter_configs;
pub use describe::{DESCRIBED_PER_REQUEST_MAX, describe_configs};
pub use error::ConfigChangeError;
pub use incremental::incremental_alter_configs;
pub use list::list_config_resources;

pub(crate) use change::{check_new_topic, settings_of_new_topic};

#[cfg(test)]
mod tests;
