//! Decisions on who leads: what leaders report, and who is wished to lead.
//!
//! The groups elect their leaders themselves. The controller notes what they say, and may wish for
//! another leader; the present one hands over to it if it can.
//!
//! Must always hold: what is known of a group never goes back.

mod balance;
mod elect;
mod report;

pub use balance::{WISHES_MAX, balance_leaders};
pub use elect::elect_leaders;
pub use report::{REPORTS_PER_RECORD_MAX, report_leaders};
