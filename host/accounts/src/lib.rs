//! Accounts: what users let services do for them (delegations), what work costs and who pays for it (usage, prices,
//! credits), and reading the audit log.
//!
//! Owns the tables `ai.delegations`, `ai.usage` and `ai.credit_*`, and their routes. Reads `ai.tool_calls`,
//! `ai.tool_call_texts` and `ai.audit_events`, which foundations write. Other features reach it through `behalf-contracts`: [`CreditStore`] is a
//! `CreditLedger`, [`RunAccounts`] is a `RunAccounting`. Imports foundations only. Never does: change a balance without an
//! entry in the ledger; store a delegation's token.

mod audit;
mod billing;
mod call_hold;
mod call_texts;
mod credits;
mod delegations;
mod holds;
mod ledger;
mod prices;
mod routes;
mod run_accounts;
mod usage;

pub use audit::{AuditEventRow, AuditReader, CallFilter, EventFilter, ToolCallRow};
pub use billing::{Billing, CreditsAccount, CreditsMode};
pub use call_texts::CallTextsRow;
pub use credits::{CreditStore, CreditsBalance, NewGrant};
pub use delegations::{DelegateError, DelegationRow, Delegations, NewDelegation};
pub use ledger::LedgerRow;
pub use prices::{PriceList, PriceListError};
pub use routes::{Accounts, routes};
pub use run_accounts::RunAccounts;
pub use usage::{UsageFilter, UsageGroup, UsageStore, UsageSum};
