//! What was written during a tool call, for whoever looks after the host.

use axum::extract::State;
use behalf_web::{ApiError, Json, Path, ServiceCaller, input};

use super::Accounts;
use crate::call_texts::CallTextsRow;

const NOT_FOUND: &str = "There are no texts of this call, or they are no longer kept";

/// Shows what the tool, its server, the database and the caller wrote during a call.
#[utoipa::path(
    get,
    path = "/api/tool-calls/{call_id}/texts",
    operation_id = "show_tool_call_texts",
    tag = "Audit log",
    params(("call_id" = String, Path, description = "The call, as in the list of tool calls")),
    responses((status = 200, description = "The texts of the call", body = CallTextsRow))
)]
pub(crate) async fn show(
    State(accounts): State<Accounts>,
    ServiceCaller(principal): ServiceCaller,
    Path(call_id): Path<String>,
) -> Result<Json<CallTextsRow>, ApiError> {
    let texts = accounts.audit.texts(&principal, input::id(&call_id, NOT_FOUND)?).await?;
    texts.map(Json).ok_or_else(|| ApiError::not_found(NOT_FOUND))
}
