//! The routes of accounts, one file for each noun.

mod audit_events;
mod credits;
mod delegations;
mod filter;
mod tool_call_texts;
mod tool_calls;
mod usage;

use axum::extract::FromRef;
use behalf_web::{Page, Routes, Web, routes};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::audit::AuditReader;
use crate::credits::CreditStore;
use crate::delegations::Delegations;
use crate::usage::UsageStore;

/// Rows of a list where a client asks for no number.
const DEFAULT_ROWS: i64 = 50;
/// Most rows of one answer.
const MAX_ROWS: i64 = 200;

/// What the routes need.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// What all routes share.
    pub web: Web,
    /// What users let services do for them.
    pub delegations: Delegations,
    /// Balances, the ledger and grants.
    pub credits: CreditStore,
    /// What work used.
    pub usage: UsageStore,
    /// The audit log.
    pub audit: AuditReader,
}

impl FromRef<Accounts> for Web {
    fn from_ref(accounts: &Accounts) -> Self {
        accounts.web.clone()
    }
}

/// The routes of accounts.
pub fn routes(accounts: Accounts) -> Routes {
    Routes::new()
        .routes(routes!(delegations::list, delegations::create))
        .routes(routes!(delegations::show, delegations::revoke))
        .routes(routes!(credits::show, credits::grant))
        .routes(routes!(usage::show))
        .routes(routes!(tool_calls::list))
        .routes(routes!(tool_call_texts::show))
        .routes(routes!(audit_events::list))
        .with_state(accounts)
}

/// Which rows of a list to answer with.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// Rows, 200 at most; 50 where absent.
    limit: Option<i64>,
    /// Rows to leave out first.
    offset: Option<i64>,
}

impl PageQuery {
    fn page(self) -> Page {
        Page::new(self.limit, self.offset, DEFAULT_ROWS, MAX_ROWS)
    }
}
