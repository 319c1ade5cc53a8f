//! What `storage-load` writes and says: the program that tries the storage from outside.
//!
//! It appends numbered records to the partitions of a data directory on the real disk and prints a
//! [`Line`] for everything that it was promised. Whoever runs it may kill it, fill its disk or fail
//! its calls; what was printed must be there afterwards.

mod held;
mod line;
mod open;
mod records;

pub use held::{Held, Refused, held};
pub use line::{Line, Span};
pub use open::open;
pub use records::{BATCH_RECORDS_MAX, batch, key, random, sized_batch};
