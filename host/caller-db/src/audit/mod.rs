//! The audit log: one row per tool call. The row of a call that writes is stored before the call commits, so that no
//! committed change lacks its row. Other rows are written in batches, because a commit for each would cost more than
//! the call.

mod batch;
mod id_range;
mod log;
mod record;
mod writer;

pub use id_range::CallIdRange;
pub use log::AuditLog;
pub use record::{Blame, CallRecord, StatementRecord};
