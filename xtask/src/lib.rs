//! The project's own commands, and the schema language that the tests share with the generator.

pub mod generate;
pub mod schema;
