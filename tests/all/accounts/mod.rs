//! Accounts: the audit log, delegations, credits, and the usage that is counted.

mod audit_log;
mod call_rows;
mod credits;
mod delegated_claims;
mod delegations;
