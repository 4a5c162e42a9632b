//! Checks whether plugins wait for an operator to agree to more grants.

use behalf_caller_db::doctor::connect;
use behalf_telemetry::Finding;
use sqlx::Connection;

const NAME: &str = "plugin-requests";

/// Says which plugins ask for more than they are granted, since a new version of theirs came with the host.
pub async fn examine_requests(address: &str) -> Finding {
    match waiting(address).await {
        Ok(waiting) if waiting.is_empty() => Finding::ok(NAME, "no plugin asks for more than it is granted"),
        Ok(waiting) => Finding::warning(
            NAME,
            format!("new versions of these plugins ask for more than they are granted: {}", waiting.join(", ")),
            "read `requested` in GET /api/plugins/{id}; PATCH `grants` to what you agree to, or to what the plugin has",
        ),
        Err(error) => Finding::skipped(NAME, format!("the plugins cannot be read: {error}")),
    }
}

async fn waiting(address: &str) -> Result<Vec<String>, sqlx::Error> {
    let mut conn = connect(address).await?;
    let waiting = sqlx::query_scalar(
        "select name || ' (' || id || ')' from ai.plugins where requested is not null order by name",
    )
    .persistent(false)
    .fetch_all(&mut conn)
    .await?;
    conn.close().await.ok();
    Ok(waiting)
}
