//! What the integration tests share.

pub mod foreign;
pub mod fuzz;
pub mod random;
