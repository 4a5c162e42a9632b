//! Deletes what is left of runs that ended long ago, and sessions that nobody used for long.

use std::time::Instant;

use behalf_host_db::{BATCH, HostDb, rest_after};

/// Runs of one transaction. A long answer has some hundred pieces.
const RUNS: i64 = 50;

/// Sessions of one transaction. Their runs go with them.
const SESSIONS: i64 = 50;

/// Deletes at most so many events at once, and marks the runs that have no more of them. Returns how many runs it looked at.
const PRUNE_PIECES: &str = "
    with ended as (
        select run_id from ai.agent_runs
        where has_pieces and completed_at < now() - make_interval(days => $1)
        order by completed_at limit $2 for update skip locked
    ), pieces as (
        select e.run_id, e.seq from ai.run_events e join ended using (run_id)
        where e.event ->> 'event' in ('content_delta', 'reasoning_delta', 'tool_progress', 'tool_partial') limit $3
    ), deleted as (
        delete from ai.run_events e using pieces p where e.run_id = p.run_id and e.seq = p.seq
    ), marked as (
        update ai.agent_runs r set has_pieces = false from ended
        where r.run_id = ended.run_id and (select count(*) from pieces) < $3
    )
    select count(*) from ended";

/// Those of sessions in which a run is under way are used.
const PRUNE_SESSIONS: &str = "
    delete from ai.agent_sessions where session_id in (
        select s.session_id from ai.agent_sessions s
        where s.updated_at < now() - make_interval(days => $1)
            and not exists (select from ai.agent_runs r where r.session_id = s.session_id
                            and (r.status in ('pending', 'running') or r.completed_at > now() - make_interval(days => $1)))
        order by s.updated_at limit $2 for update of s skip locked)";

/// Deletes the pieces in which the answers of runs arrived that ended so many days ago.
pub(crate) async fn prune_pieces(db: &HostDb, days: u32) -> Result<(), sqlx::Error> {
    let days = i32::try_from(days).unwrap_or(i32::MAX);
    loop {
        let began = Instant::now();
        let mut tx = db.begin_as_host().await?;
        let runs: i64 = sqlx::query_scalar(PRUNE_PIECES).bind(days).bind(RUNS).bind(BATCH).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        if runs == 0 {
            return Ok(());
        }
        rest_after(began).await;
    }
}

/// Deletes sessions that nobody used for so many days, with their runs. A session goes as a whole: a conversation that lost its
/// beginning would be answered as if it had none.
pub(crate) async fn prune_sessions(db: &HostDb, days: u32) -> Result<(), sqlx::Error> {
    let days = i32::try_from(days).unwrap_or(i32::MAX);
    loop {
        let began = Instant::now();
        let mut tx = db.begin_as_host().await?;
        let pruned = sqlx::query(PRUNE_SESSIONS).bind(days).bind(SESSIONS).execute(&mut *tx).await?;
        tx.commit().await?;
        if pruned.rows_affected() < SESSIONS.unsigned_abs() {
            return Ok(());
        }
        rest_after(began).await;
    }
}
