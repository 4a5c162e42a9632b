//! Table `ai.run_approvals`: calls that wait for somebody's word.

use serde::Serialize;
use serde_json::Value as Json;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::Db;
use crate::identity::Principal;

/// A call that somebody has to agree to.
#[derive(Clone, Debug, Serialize)]
pub struct ApprovalRow {
    /// Its id.
    pub id: Uuid,
    /// The run that waits.
    pub run_id: String,
    /// Its agent.
    pub agent_id: Uuid,
    /// Whose run it is.
    pub user_id: Option<Uuid>,
    /// The step of the call.
    pub step: i32,
    /// The model's name for the call.
    pub call_id: String,
    /// The tool.
    pub tool_name: String,
    /// The arguments, as they would be sent.
    pub tool_input: Json,
    /// For whoever decides.
    pub message: String,
    /// `pending`, `approved`, `denied` or `expired`.
    pub status: String,
    /// Why, where somebody said so.
    pub reason: Option<String>,
    /// Who decided: a user's id, or the service role.
    pub decided_by: Option<String>,
    /// RFC 3339.
    pub requested_at: String,
    /// RFC 3339.
    pub expires_at: String,
    /// RFC 3339.
    pub decided_at: Option<String>,
}

/// A call to ask about.
#[derive(Clone, Debug)]
pub struct NewApproval<'a> {
    /// The run.
    pub run_id: &'a str,
    /// Its agent.
    pub agent_id: Uuid,
    /// The step.
    pub step: i32,
    /// The model's name for the call.
    pub call_id: &'a str,
    /// The tool.
    pub tool_name: &'a str,
    /// The arguments.
    pub tool_input: &'a Json,
    /// For whoever decides.
    pub message: &'a str,
    /// How long to wait.
    pub seconds: f64,
}

/// A decision.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The approval; the oldest that waits where none is named.
    pub id: Option<Uuid>,
    /// Whether the call may be made.
    pub approved: bool,
    /// Why.
    pub reason: Option<String>,
}

macro_rules! columns {
    () => {
        "id, run_id, agent_id, user_id, step, call_id, tool_name, tool_input, message, status, reason, decided_by,
         to_json(requested_at) #>> '{}' as requested_at, to_json(expires_at) #>> '{}' as expires_at,
         to_json(decided_at) #>> '{}' as decided_at"
    };
}

impl Db {
    /// Asks about a call, or finds what was asked before; false where that was another call of the same name.
    pub async fn request_approval(
        &self,
        principal: &Principal,
        approval: &NewApproval<'_>,
    ) -> Result<(ApprovalRow, bool), sqlx::Error> {
        let mut tx = self.begin(principal).await?;
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
        let row = sqlx::query(concat!(
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
        Ok((read(&row)?, row.try_get("same")?))
    }

    /// How an approval stands; one whose time is over expires now.
    pub async fn settle_approval(&self, principal: &Principal, id: Uuid) -> Result<Option<ApprovalRow>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let row = sqlx::query(concat!(
            "update ai.run_approvals set
                status = case when status = 'pending' and expires_at <= now() then 'expired' else status end
             where id = $1
             returning ",
            columns!()
        ))
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        row.as_ref().map(read).transpose()
    }

    /// Decides; none where nothing of this run waits, or nothing the caller may know of.
    pub async fn decide_approval(
        &self,
        principal: &Principal,
        run_id: &str,
        decision: &Decision,
    ) -> Result<Option<ApprovalRow>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let row = sqlx::query(concat!(
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
        row.as_ref().map(read).transpose()
    }

    /// The newest approvals that the caller may see, of one run or of all.
    pub async fn approvals(
        &self,
        principal: &Principal,
        run_id: Option<&str>,
        status: Option<&str>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<ApprovalRow>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let rows = sqlx::query(
            "select id, run_id, agent_id, user_id, step, call_id, tool_name, tool_input, message,
                case when status = 'pending' and expires_at <= now() then 'expired' else status end as status,
                reason, decided_by, to_json(requested_at) #>> '{}' as requested_at,
                to_json(expires_at) #>> '{}' as expires_at, to_json(decided_at) #>> '{}' as decided_at
             from ai.run_approvals a
             where ($1::text is null or run_id = $1)
                and ($2::text is null or $2 = case when status = 'pending' and expires_at <= now() then 'expired' else status end)
             order by a.requested_at desc, a.id limit $3 offset $4",
        )
        .bind(run_id)
        .bind(status)
        .bind(limit)
        .bind(offset)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &PgRow) -> Result<ApprovalRow, sqlx::Error> {
    Ok(ApprovalRow {
        id: row.try_get("id")?,
        run_id: row.try_get("run_id")?,
        agent_id: row.try_get("agent_id")?,
        user_id: row.try_get("user_id")?,
        step: row.try_get("step")?,
        call_id: row.try_get("call_id")?,
        tool_name: row.try_get("tool_name")?,
        tool_input: row.try_get("tool_input")?,
        message: row.try_get("message")?,
        status: row.try_get("status")?,
        reason: row.try_get("reason")?,
        decided_by: row.try_get("decided_by")?,
        requested_at: row.try_get("requested_at")?,
        expires_at: row.try_get("expires_at")?,
        decided_at: row.try_get("decided_at")?,
    })
}
