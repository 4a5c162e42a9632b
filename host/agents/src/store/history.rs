//! Messages of earlier runs of a session, as a model is reminded of them.

use behalf_host_db::HostTx;
use serde_json::Value as Json;

/// Runs of a session that a model may be reminded of.
const REMEMBERED_RUNS: i64 = 200;

/// Newest first until there is enough to read, and then in order again.
const HISTORY: &str = "
    select input_messages || output_messages as messages from (
        select input_messages, output_messages, started_at, id,
            sum(octet_length(input_messages::text) + octet_length(output_messages::text))
                over (order by started_at desc, id desc) as bytes
        from ai.agent_runs
        where session_id = $1 and run_id <> $2 and status = 'completed'
        order by started_at desc, id desc limit $3
    ) recent
    where bytes <= $4 order by started_at, id";

/// Messages of completed runs of the session beside `run_id`, at most `bytes` of them: one list per run, oldest first.
pub(super) async fn read_history(
    tx: &mut HostTx,
    session_id: &str,
    run_id: &str,
    bytes: i64,
) -> Result<Vec<Vec<Json>>, sqlx::Error> {
    let runs: Vec<Json> = sqlx::query_scalar(HISTORY)
        .bind(session_id)
        .bind(run_id)
        .bind(REMEMBERED_RUNS)
        .bind(bytes)
        .fetch_all(&mut **tx)
        .await?;
    let messages = |run| match run {
        Json::Array(messages) => messages,
        _ => Vec::new(),
    };
    Ok(runs.into_iter().map(messages).collect())
}
