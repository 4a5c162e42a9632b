//! Credits: balances, the ledger, and grants.

use axum::extract::State;
use behalf_web::{ApiError, Json, Page, Query, RequestId, ServiceCaller, SignedIn};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Accounts, DEFAULT_ROWS, MAX_ROWS};
use crate::billing::CreditsMode;
use crate::credits::NewGrant;
use crate::ledger::LedgerRow;

/// Most milli-credits of one grant: ten billion credits, far from where a balance overflows.
const MAX_GRANT: i64 = 10_000_000_000_000;
/// Characters of a grant's key and note.
const MAX_CHARS: usize = 255;

/// An account, and the rows of its ledger to answer with.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CreditsQuery {
    /// The user whose account it is; only the service role may ask for others. The caller's own account where absent.
    user_id: Option<Uuid>,
    /// Rows of the ledger, 200 at most; 50 where absent.
    limit: Option<i64>,
    /// Rows of the ledger to leave out first.
    offset: Option<i64>,
}

/// An account, and its ledger's newest entries. Amounts are milli-credits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Credits {
    /// `user:` and the user's id, or `project`.
    account: String,
    /// The sum of the ledger.
    balance: i64,
    /// The part of the balance that is held for work under way.
    held: i64,
    /// The part of the balance that new work can spend.
    available: i64,
    mode: CreditsMode,
    /// Newest first.
    ledger: Vec<LedgerRow>,
    /// Most entries of this answer.
    limit: i64,
    /// Entries that were left out first.
    offset: i64,
}

/// The kind of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum GrantKind {
    /// New credits.
    Grant,
    /// Credits that were charged and are given back.
    Refund,
}

/// Credits to grant.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct GrantRequest {
    /// The user that gets them; the project where absent.
    user_id: Option<Uuid>,
    /// Milli-credits.
    #[schema(minimum = 1, maximum = 10_000_000_000_000_i64)]
    amount: i64,
    /// `grant` where absent.
    kind: Option<GrantKind>,
    /// A grant with the same account, kind and key is made once.
    #[schema(max_length = 255)]
    idempotency_key: Option<String>,
    /// A note for people.
    #[schema(max_length = 255)]
    note: Option<String>,
}

/// The account after a grant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GrantAnswer {
    /// `user:` and the user's id, or `project`.
    account: String,
    /// The sum of its ledger, in milli-credits.
    balance: i64,
    /// Whether this request granted them; false where one with the same key did before.
    granted: bool,
}

impl GrantRequest {
    fn check(self, request_id: String) -> Result<NewGrant, ApiError> {
        if !(1..=MAX_GRANT).contains(&self.amount) {
            return Err(ApiError::bad_request(format!(
                "amount must be a whole number of milli-credits from 1 to {MAX_GRANT}"
            )));
        }
        Ok(NewGrant {
            user: self.user_id,
            amount: self.amount,
            is_refund: self.kind == Some(GrantKind::Refund),
            idempotency_key: short(self.idempotency_key, "idempotency_key")?,
            note: short(self.note, "note")?,
            request_id: Some(request_id),
        })
    }
}

fn short(text: Option<String>, name: &str) -> Result<Option<String>, ApiError> {
    if text.as_ref().is_some_and(|text| text.chars().count() > MAX_CHARS) {
        return Err(ApiError::bad_request(format!("{name} may have at most {MAX_CHARS} characters")));
    }
    Ok(text)
}

/// Shows the balance and the ledger's newest entries: the caller's own, for the service role anybody's.
#[utoipa::path(
    get,
    path = "/api/credits",
    operation_id = "show_credits",
    tag = "Credits",
    params(CreditsQuery),
    responses((status = 200, description = "The account", body = Credits))
)]
pub(crate) async fn show(
    State(accounts): State<Accounts>,
    SignedIn(principal): SignedIn,
    Query(query): Query<CreditsQuery>,
) -> Result<Json<Credits>, ApiError> {
    if query.user_id.is_some() && !principal.is_service() && query.user_id != principal.subject() {
        return Err(ApiError::forbidden("only the service role may ask for another user's credits"));
    }
    let page = Page::new(query.limit, query.offset, DEFAULT_ROWS, MAX_ROWS);
    let credits = accounts.credits.balance(&principal, query.user_id).await?;
    let ledger = accounts.credits.ledger(&principal, query.user_id, page).await?;
    Ok(Json(Credits {
        available: credits.balance.saturating_sub(credits.held),
        account: credits.account,
        balance: credits.balance,
        held: credits.held,
        mode: accounts.credits.mode(),
        ledger,
        limit: page.limit,
        offset: page.offset,
    }))
}

/// Grants credits. Only the service role may.
#[utoipa::path(
    post,
    path = "/api/credits",
    operation_id = "grant_credits",
    tag = "Credits",
    request_body = GrantRequest,
    responses(
        (status = 201, description = "The credits were granted", body = GrantAnswer),
        (status = 200, description = "A request with the same key granted them before; nothing was added", body = GrantAnswer),
    )
)]
pub(crate) async fn grant(
    State(accounts): State<Accounts>,
    ServiceCaller(principal): ServiceCaller,
    RequestId(request_id): RequestId,
    Json(request): Json<GrantRequest>,
) -> Result<(StatusCode, Json<GrantAnswer>), ApiError> {
    let new = request.check(request_id)?;
    let granted = accounts.credits.grant(&principal, &new).await?;
    let credits = accounts.credits.balance(&principal, new.user).await?;
    let status = if granted { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(GrantAnswer { account: credits.account, balance: credits.balance, granted })))
}
