//! Table `ai.agent_tools`: the tools that an agent may call.

use behalf_host_db::{Act, HostDb};
use behalf_identity::Principal;
use serde::Serialize;
use serde_json::Value as Json;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A tool that an agent may call.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
pub(crate) struct Assignment {
    /// Its id.
    pub(crate) id: Uuid,
    /// `builtin`, `wasm`, `custom` or `agent`.
    pub(crate) tool_type: String,
    /// The tool's name.
    pub(crate) tool_name: String,
    /// The full name of a plugin's tool, `plugin__tool`: the agent gets this tool, whoever has the short name.
    pub(crate) full_name: Option<String>,
    /// A custom tool's id.
    pub(crate) tool_id: Option<Uuid>,
    /// Arguments that are forced over the model's, and deny rules under `rules`.
    #[schema(value_type = Object)]
    pub(crate) config_override: Json,
    /// Whether somebody has to agree to a call: `never`, `always` or `writes`.
    pub(crate) approval: String,
    /// The agent that the tool asks, where the tool is an agent.
    pub(crate) callee_id: Option<Uuid>,
}

impl Assignment {
    /// The name by which the host knows the tool.
    pub(crate) fn registered_name(&self) -> &str {
        self.full_name.as_deref().unwrap_or(&self.tool_name)
    }
}

/// Fields of an assignment to change; an absent one keeps its value.
#[derive(Clone, Debug, Default)]
pub(crate) struct AssignmentChange {
    /// New forced arguments and rules.
    pub(crate) config_override: Option<Json>,
    /// New word on approvals.
    pub(crate) approval: Option<String>,
}

/// The table of assignments.
#[derive(Clone, Debug)]
pub(crate) struct AssignmentStore {
    db: HostDb,
}

impl AssignmentStore {
    /// The store in this database.
    pub(crate) fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// Tools of an agent, oldest assignment first; of them, for a delegated caller, those that the user allowed.
    pub(crate) async fn of_agent(&self, principal: &Principal, agent: Uuid) -> Result<Vec<Assignment>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let assigned: Vec<Assignment> = sqlx::query_as(
            "select id, tool_type, tool_name, full_name, tool_id, config_override, approval, callee_id from ai.agent_tools
             where agent_id = $1 order by created_at, tool_name",
        )
        .bind(agent)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(match principal.delegation() {
            Some(delegation) => assigned.into_iter().filter(|tool| delegation.allows_tool(&tool.tool_name)).collect(),
            None => assigned,
        })
    }

    /// Lets an agent call a tool; none where it may already.
    pub(crate) async fn create(
        &self,
        act: Act<'_>,
        agent: Uuid,
        new: &Assignment,
    ) -> Result<Option<Assignment>, sqlx::Error> {
        let mut tx = self.db.begin_act(act).await?;
        let assignment = sqlx::query_as(
            "insert into ai.agent_tools (id, agent_id, tool_type, tool_name, full_name, tool_id, config_override, approval, callee_id)
             values ($1, $2, $3, $4, $9, $5, $6, $7, $8) on conflict (agent_id, tool_name) do nothing
             returning id, tool_type, tool_name, full_name, tool_id, config_override, approval, callee_id",
        )
        .bind(new.id)
        .bind(agent)
        .bind(&new.tool_type)
        .bind(&new.tool_name)
        .bind(new.tool_id)
        .bind(&new.config_override)
        .bind(&new.approval)
        .bind(new.callee_id)
        .bind(&new.full_name)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(assignment)
    }

    /// Changes an assignment; none where the agent has no such assignment.
    pub(crate) async fn change(
        &self,
        act: Act<'_>,
        agent: Uuid,
        id: Uuid,
        change: &AssignmentChange,
    ) -> Result<Option<Assignment>, sqlx::Error> {
        let mut tx = self.db.begin_act(act).await?;
        let assignment = sqlx::query_as(
            "update ai.agent_tools set config_override = coalesce($3, config_override), approval = coalesce($4, approval)
             where agent_id = $1 and id = $2
             returning id, tool_type, tool_name, full_name, tool_id, config_override, approval, callee_id",
        )
        .bind(agent)
        .bind(id)
        .bind(&change.config_override)
        .bind(&change.approval)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(assignment)
    }

    /// Takes a tool from an agent; false where the agent has no such assignment.
    pub(crate) async fn delete(&self, act: Act<'_>, agent: Uuid, id: Uuid) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin_act(act).await?;
        let done = sqlx::query("delete from ai.agent_tools where agent_id = $1 and id = $2")
            .bind(agent)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}
