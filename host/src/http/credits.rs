use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{Json, Query, RequestId, ServiceCaller};
use super::input::{self, SignedIn};
use super::routes::Routes;
use super::state::AppState;
use crate::db::NewGrant;

/// Most milli-credits of one grant: ten billion credits, far from where a balance overflows.
const MAX_GRANT: i64 = 10_000_000_000_000;
/// Characters of a grant's key and note.
const MAX_CHARS: usize = 255;

pub(super) fn router() -> Routes {
    Routes::new().get("/api/credits", show).post("/api/credits", grant)
}

#[derive(Debug, Deserialize)]
struct Page {
    user_id: Option<Uuid>,
    limit: Option<i64>,
    offset: Option<i64>,
}

/// The balance and the newest entries of the ledger: the caller's own, for the service role anybody's.
async fn show(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Query(page): Query<Page>,
) -> Result<Json<Value>, ApiError> {
    if page.user_id.is_some() && !principal.is_service() && page.user_id != principal.subject() {
        return Err(ApiError::Forbidden("only the service role may ask for another user's credits".to_owned()));
    }
    let (limit, offset) = (page.limit.unwrap_or(50).clamp(1, 200), page.offset.unwrap_or(0).max(0));
    let credits = state.db.credits(&principal, page.user_id).await?;
    let ledger = state.db.ledger(&principal, page.user_id, limit, offset).await?;
    Ok(Json(json!({
        "account": credits.account, "balance": credits.balance, "held": credits.held,
        "available": credits.balance.saturating_sub(credits.held), "mode": state.settings.credits,
        "ledger": ledger, "limit": limit, "offset": offset,
    })))
}

/// 201 for a new grant, 200 where the same key granted before; nothing is added then.
async fn grant(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    RequestId(request_id): RequestId,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let fields = input::fields(body)?;
    let amount = fields.get("amount").and_then(Value::as_i64).filter(|amount| (1..=MAX_GRANT).contains(amount));
    let is_refund = match input::text(&fields, "kind")?.as_deref() {
        None | Some("grant") => false,
        Some("refund") => true,
        Some(_) => return Err(bad("kind must be grant or refund")),
    };
    let new = NewGrant {
        user: input::uuid(&fields, "user_id")?,
        amount: amount.ok_or_else(|| bad("amount must be a whole number of milli-credits from 1 to 10000000000000"))?,
        is_refund,
        idempotency_key: short(&fields, "idempotency_key")?,
        note: short(&fields, "note")?,
        request_id: Some(request_id),
    };
    let is_new = state.db.grant_credits(&principal, &new).await?;
    let credits = state.db.credits(&principal, new.user).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(json!({ "account": credits.account, "balance": credits.balance, "granted": is_new }))))
}

fn short(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, ApiError> {
    let text = input::text(fields, name)?;
    if text.as_ref().is_some_and(|text| text.chars().count() > MAX_CHARS) {
        return Err(bad(&format!("{name} may have at most 255 characters")));
    }
    Ok(text)
}

fn bad(text: &str) -> ApiError {
    ApiError::BadRequest(text.to_owned())
}
