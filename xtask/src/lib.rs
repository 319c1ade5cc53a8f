//! The project's own commands, and the schema language that the tests share with the generator.

pub mod ci;
pub mod compare;
pub mod generate;
pub mod icount;
mod process;
pub mod schema;
pub mod soak;
pub mod tidy;
