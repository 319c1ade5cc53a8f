//! The one integration binary; a module per concern.

mod balance;
mod balancing;
mod bench;
mod clients;
mod cluster;
mod compaction;
mod corpora;
mod faults;
mod flights;
mod full_disk;
mod golden;
mod groups;
mod hostile;
mod jar;
mod kills;
mod offline;
mod operations;
mod oracle;
mod repair;
mod rust;
mod storage;
mod tour;
mod wire;
