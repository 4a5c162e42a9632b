//! Table `ai.run_approvals`: tool calls that wait until somebody agrees, and those that were decided.

use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::{HostDb, HostTx};
use behalf_identity::Principal;
use serde::Serialize;
use serde_json::Value as Json;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::run_notifier::{RunFollower, RunNotifier};

/// A call that somebody has to agree to.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
pub(crate) struct Approval {
    /// Its id.
    pub(crate) id: Uuid,
    /// The run that waits.
    pub(crate) run_id: String,
    /// Its agent.
    pub(crate) agent_id: Uuid,
    /// Whose run it is.
    pub(crate) user_id: Option<Uuid>,
    /// The step of the call.
    pub(crate) step: i32,
    /// The model's name for the call.
    pub(crate) call_id: String,
    /// The tool.
    pub(crate) tool_name: String,
    /// The arguments, as they would be sent.
    #[schema(value_type = Object)]
    pub(crate) tool_input: Json,
    /// The question to the person who decides.
    pub(crate) message: String,
    /// `pending`, `approved`, `denied` or `expired`.
    pub(crate) status: String,
    /// The reason that the person gave.
    pub(crate) reason: Option<String>,
    /// The person who decided: a user's id, or the service role.
    pub(crate) decided_by: Option<String>,
    /// RFC 3339.
    pub(crate) requested_at: String,
    /// RFC 3339.
    pub(crate) expires_at: String,
    /// RFC 3339.
    pub(crate) decided_at: Option<String>,
}

/// A call to ask about.
#[derive(Clone, Debug)]
pub(crate) struct NewApproval<'a> {
    /// The run.
    pub(crate) run_id: &'a str,
    /// Its agent.
    pub(crate) agent_id: Uuid,
    /// The step.
    pub(crate) step: i32,
    /// The model's name for the call.
    pub(crate) call_id: &'a str,
    /// The tool.
    pub(crate) tool_name: &'a str,
    /// The arguments.
    pub(crate) tool_input: &'a Json,
    /// The question to the person who decides.
    pub(crate) message: &'a str,
    /// How long to wait.
    pub(crate) seconds: f64,
}

/// An approval as it stands, and whether it is for the call that was asked about.
#[derive(Debug, FromRow)]
struct Requested {
    #[sqlx(flatten)]
    approval: Approval,
    same: bool,
}

/// An approval as it stands, and for how many seconds somebody may still decide.
#[derive(Debug, FromRow)]
struct Standing {
    #[sqlx(flatten)]
    approval: Approval,
    seconds: f64,
}

/// Which approvals to list.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ApprovalFilter<'a> {
    /// Those of this run only.
    pub(crate) run_id: Option<&'a str>,
    /// Those with this status only.
    pub(crate) status: Option<&'a str>,
    /// Rows.
    pub(crate) limit: i64,
    /// Rows to leave out first.
    pub(crate) offset: i64,
}

/// A decision.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    /// The approval; the oldest that waits where none is named.
    pub(crate) id: Option<Uuid>,
    /// Whether the call may be made.
    pub(crate) approved: bool,
    /// The reason for it.
    pub(crate) reason: Option<String>,
}

macro_rules! columns {
    () => {
        "id, run_id, agent_id, user_id, step, call_id, tool_name, tool_input, message, status, reason, decided_by,
         to_json(requested_at) #>> '{}' as requested_at, to_json(expires_at) #>> '{}' as expires_at,
         to_json(decided_at) #>> '{}' as decided_at"
    };
}

/// The table of approvals.
#[derive(Clone, Debug)]
pub(crate) struct ApprovalStore {
    db: HostDb,
    /// Wakes runs that wait, on whichever host they are.
    notifier: Arc<RunNotifier>,
}

impl ApprovalStore {
    /// The store in this database. `notifier` tells runs that wait of decisions.
    pub(crate) fn new(db: HostDb, notifier: Arc<RunNotifier>) -> Self {
        Self { db, notifier }
    }

    /// Asks about a call, or finds what was asked before; false where that was another call of the same name.
    pub(crate) async fn request(
        &self,
        principal: &Principal,
        approval: &NewApproval<'_>,
    ) -> Result<(Approval, bool), sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        sqlx::query(
            "insert into ai.run_approvals (run_id, agent_id, user_id, step, call_id, tool_name, tool_input, message, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9 * interval '1 second')
             on conflict (run_id, step, call_id) do nothing",
        )
        .bind(approval.run_id)
        .bind(approval.agent_id)
        .bind(principal.subject())
        .bind(approval.step)
        .bind(approval.call_id)
        .bind(approval.tool_name)
        .bind(approval.tool_input)
        .bind(approval.message)
        .bind(approval.seconds)
        .execute(&mut *tx)
        .await?;
        let Requested { approval: stored, same } = sqlx::query_as(concat!(
            "select tool_name = $4 and tool_input = $5 as same, ",
            columns!(),
            " from ai.run_approvals where run_id = $1 and step = $2 and call_id = $3"
        ))
        .bind(approval.run_id)
        .bind(approval.step)
        .bind(approval.call_id)
        .bind(approval.tool_name)
        .bind(approval.tool_input)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok((stored, same))
    }

    /// How an approval stands, and how long it may still be decided about; one whose time is over expires now. Nothing is written of
    /// one that waits.
    pub(crate) async fn settle(
        &self,
        principal: &Principal,
        id: Uuid,
    ) -> Result<Option<(Approval, Duration)>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let found: Option<Standing> = sqlx::query_as(concat!(
            "select greatest(extract(epoch from expires_at - now()), 0)::float8 as seconds, ",
            columns!(),
            " from ai.run_approvals where id = $1"
        ))
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        let is_over = |found: &Standing| found.approval.status == "pending" && found.seconds <= 0.0;
        let approval = match found {
            Some(found) if is_over(&found) => expire(&mut tx, id).await?,
            found => found,
        };
        tx.commit().await?;
        Ok(approval.map(|found| (found.approval, Duration::try_from_secs_f64(found.seconds).unwrap_or_default())))
    }

    /// Decides; none where nothing of this run waits, or nothing the caller may know of.
    pub(crate) async fn decide(
        &self,
        principal: &Principal,
        run_id: &str,
        decision: &Decision,
    ) -> Result<Option<Approval>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let approval: Option<Approval> = sqlx::query_as(concat!(
            "update ai.run_approvals set status = $3, reason = $4, decided_by = $5, decided_at = now()
             where status = 'pending' and expires_at > now() and id = (
                select a.id from ai.run_approvals a join ai.agent_runs r using (run_id)
                where a.run_id = $1 and r.status = 'running' and a.status = 'pending' and a.expires_at > now()
                    and ($2::uuid is null or a.id = $2)
                order by a.requested_at, a.step, a.call_id limit 1)
             returning ",
            columns!()
        ))
        .bind(run_id)
        .bind(decision.id)
        .bind(if decision.approved { "approved" } else { "denied" })
        .bind(&decision.reason)
        .bind(principal.actor())
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        if approval.is_some() {
            self.notifier.publish_decision(run_id);
        }
        Ok(approval)
    }

    /// Follows the decisions about a run's calls.
    pub(crate) fn follow(&self, run_id: &str) -> RunFollower {
        self.notifier.follow_quietly(run_id)
    }

    /// The newest approvals that the caller may see.
    pub(crate) async fn list(
        &self,
        principal: &Principal,
        filter: ApprovalFilter<'_>,
    ) -> Result<Vec<Approval>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let approvals = sqlx::query_as(
            "select id, run_id, agent_id, user_id, step, call_id, tool_name, tool_input, message,
                case when status = 'pending' and expires_at <= now() then 'expired' else status end as status,
                reason, decided_by, to_json(requested_at) #>> '{}' as requested_at,
                to_json(expires_at) #>> '{}' as expires_at, to_json(decided_at) #>> '{}' as decided_at
             from ai.run_approvals a
             where ($1::text is null or run_id = $1)
                and ($2::text is null or $2 = case when status = 'pending' and expires_at <= now() then 'expired' else status end)
             order by a.requested_at desc, a.id limit $3 offset $4",
        )
        .bind(filter.run_id)
        .bind(filter.status)
        .bind(filter.limit)
        .bind(filter.offset)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(approvals)
    }
}

/// Marks an approval that nobody decided about in time. Somebody may have decided a moment ago.
async fn expire(tx: &mut HostTx, id: Uuid) -> Result<Option<Standing>, sqlx::Error> {
    sqlx::query_as(concat!(
        "update ai.run_approvals set status = case when status = 'pending' then 'expired' else status end
         where id = $1 returning 0::float8 as seconds, ",
        columns!()
    ))
    .bind(id)
    .fetch_optional(&mut **tx)
    .await
}
