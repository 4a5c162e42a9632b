//! Runs of `ai.agent_runs` that lost their host and that no other host may resume.

use serde_json::Value as Json;
use sqlx::FromRow;
use sqlx::types::Json as Decoded;
use uuid::Uuid;

use super::resume_state::delete_resume_state;
use super::run::RunStore;
use super::run_event::insert_events;
use super::run_lease::{MAX_TAKEOVERS, RunLease};
use super::run_lifecycle::RunEnd;

/// Runs that are ended in one transaction.
const AT_ONCE: i64 = 20;

/// Such a run.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct AbandonedRun {
    /// The lease of its last host.
    #[sqlx(flatten)]
    pub(crate) lease: RunLease,
    /// Whose it is.
    pub(crate) user_id: Option<Uuid>,
    /// Its session.
    pub(crate) session_id: String,
    /// Whether the session began with it.
    pub(crate) is_new_session: bool,
    /// The model that it asked.
    pub(crate) model: Option<String>,
    /// The search that was made before the model was asked.
    pub(crate) context_handler_id: Option<Uuid>,
    /// The passages that it was given to read.
    pub(crate) retrieved_context: Json,
    /// The passages that its answer could cite.
    pub(crate) citation_candidates: Option<Json>,
    /// The entries of its journal, oldest first.
    pub(crate) journal: Decoded<Vec<Json>>,
    /// The number of its last event.
    pub(crate) last_seq: i64,
}

const FIND: &str = "
    select r.run_id, r.epoch, r.is_mirrored, r.user_id, r.session_id, r.is_new_session, r.model, r.context_handler_id,
        r.retrieved_context, r.citation_candidates,
        (select coalesce(max(e.seq), 0) from ai.run_events e where e.run_id = r.run_id) as last_seq,
        (select coalesce(jsonb_agg(j.entry order by j.seq), '[]') from ai.run_journal j where j.run_id = r.run_id) as journal
    from ai.agent_runs r
    where r.status in ('pending', 'running') and coalesce(r.lease_until, r.started_at) < now()
        and (r.takeovers >= $1 or not exists (select from ai.run_resume_state s where s.run_id = r.run_id))
    limit $2
    for update of r skip locked";

const END: &str = "
    update ai.agent_runs set status = $2, content = $3, output_messages = $4, steps = $5, tool_calls = $6, reasoning_steps = $7,
        usage = $8, error = $9, model = $10, completed_at = now(), lease_until = null, epoch = epoch + 1
    where run_id = $1";

impl RunStore {
    /// Ends some of these runs as `end` says, with the events that tell of it. Returns how many there were.
    pub(crate) async fn fail_abandoned(
        &self,
        end: fn(&AbandonedRun) -> (RunEnd, Vec<Json>),
    ) -> Result<u64, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let runs: Vec<AbandonedRun> =
            sqlx::query_as(FIND).bind(MAX_TAKEOVERS).bind(AT_ONCE).fetch_all(&mut *tx).await?;
        for run in &runs {
            let (end, events) = end(run);
            sqlx::query(END)
                .bind(&run.lease.run_id)
                .bind(end.status)
                .bind(&end.content)
                .bind(&end.output_messages)
                .bind(&end.steps)
                .bind(&end.tool_calls)
                .bind(&end.reasoning_steps)
                .bind(&end.usage)
                .bind(&end.error)
                .bind(&end.model)
                .execute(&mut *tx)
                .await?;
            insert_events(&mut tx, run.user_id, &run.lease.run_id, run.last_seq + 1, &events).await?;
            delete_resume_state(&mut tx, &run.lease.run_id).await?;
        }
        tx.commit().await?;
        runs.iter().for_each(|run| self.notifier.publish(&run.lease));
        Ok(u64::try_from(runs.len()).unwrap_or(u64::MAX))
    }
}
