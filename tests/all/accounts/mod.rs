//! Accounts: delegations, credits, and the usage that is counted.

mod audit_log;
mod credits;
mod delegated_claims;
mod delegations;
