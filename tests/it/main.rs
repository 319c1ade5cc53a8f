//! The one integration binary; a module per concern.

mod clients;
mod corpora;
mod golden;
mod hostile;
mod jar;
mod offline;
mod oracle;
mod storage;
