//! What the integration tests share.

pub mod body;
pub mod broker;
pub mod clock;
pub mod cluster;
pub mod disk;
pub mod foreign;
pub mod fuzz;
pub mod kafka;
pub mod load;
pub mod member;
pub mod network;
pub mod previous;
pub mod random;
pub mod raw;
pub mod shapes;
pub mod stub;
