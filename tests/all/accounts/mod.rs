//! Accounts: delegations, credits, and the usage that is counted.

mod credits;
mod delegated_claims;
mod delegations;
