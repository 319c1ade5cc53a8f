//! What the integration tests share.

pub mod body;
pub mod broker;
pub mod cluster;
pub mod foreign;
pub mod fuzz;
pub mod load;
pub mod random;
pub mod raw;
pub mod shapes;
pub mod stub;
