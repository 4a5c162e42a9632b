//! Tables `ai.agents` and `ai.agent_tools`: what an operator set up.

use serde::Serialize;
use serde_json::Value as Json;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::Db;
use crate::identity::Principal;

/// An agent.
#[derive(Clone, Debug, Serialize)]
pub struct AgentRow {
    /// Its id.
    pub id: Uuid,
    /// Its name; not unique.
    pub name: String,
    /// Its model; the host's default where absent.
    pub model: Option<String>,
    /// What it is told before every conversation.
    pub system_prompt: Option<String>,
    /// Its settings.
    pub settings: Json,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// An agent in a list.
#[derive(Clone, Debug, Serialize)]
pub struct AgentSummary {
    /// The agent.
    #[serde(flatten)]
    pub agent: AgentRow,
    /// Conversations with it.
    pub session_count: i64,
    /// Its runs.
    pub total_runs: i64,
    /// When the last one began, RFC 3339.
    pub last_run_at: Option<String>,
}

/// What a list of agents is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentSort {
    /// When it was made.
    CreatedAt,
    /// Its name.
    Name,
    /// When it was last changed.
    UpdatedAt,
    /// When it was last used.
    LastRunAt,
}

impl AgentSort {
    const fn as_str(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::Name => "name",
            Self::UpdatedAt => "updated_at",
            Self::LastRunAt => "last_run_at",
        }
    }
}

/// Which agents to list.
#[derive(Clone, Debug)]
pub struct AgentFilter {
    /// Text that the name contains.
    pub q: Option<String>,
    /// Order.
    pub sort: AgentSort,
    /// Largest or newest first.
    pub descending: bool,
    /// Rows.
    pub limit: i64,
    /// Rows to leave out first.
    pub offset: i64,
}

/// An agent to make.
#[derive(Clone, Debug)]
pub struct NewAgent {
    /// Its name.
    pub name: String,
    /// Its model.
    pub model: Option<String>,
    /// What it is told.
    pub system_prompt: Option<String>,
    /// Its settings, a JSON object.
    pub settings: Json,
}

/// Fields of an agent to change; an inner none clears the field.
#[derive(Clone, Debug, Default)]
pub struct AgentChange {
    /// New name.
    pub name: Option<String>,
    /// New model.
    pub model: Option<Option<String>>,
    /// New instructions.
    pub system_prompt: Option<Option<String>>,
    /// New settings, replaced whole.
    pub settings: Option<Json>,
}

/// A tool that an agent may call.
#[derive(Clone, Debug, Serialize)]
pub struct ToolAssignment {
    /// Its id.
    pub id: Uuid,
    /// `builtin`, `wasm` or `custom`.
    pub tool_type: String,
    /// The tool's name.
    pub tool_name: String,
    /// A custom tool's id.
    pub tool_id: Option<Uuid>,
    /// Arguments that are forced over the model's, and rules.
    pub config_override: Json,
    /// Whether somebody has to agree to a call: `never`, `always` or `writes`.
    pub approval: String,
    /// The agent that the tool asks, where it is one.
    pub callee_id: Option<Uuid>,
}

/// Fields of an assignment to change.
#[derive(Clone, Debug, Default)]
pub struct AssignmentChange {
    /// New forced arguments and rules.
    pub config_override: Option<Json>,
    /// New say on approvals.
    pub approval: Option<String>,
}

const LIST: &str = "
    with found as (
        select a.*, (select max(r.started_at) from ai.agent_runs r where r.agent_id = a.id) as last_run
        from ai.agents a
        where $1::text is null or a.name ilike '%' || $1 || '%'
    ), timed as (
        select *, case $2 when 'updated_at' then updated_at when 'last_run_at' then last_run else created_at end as moment
        from found
    ), page as (
        select *, row_number() over (order by
            case when $2 = 'name' and not $3 then name end asc,
            case when $2 = 'name' and $3 then name end desc,
            case when $2 <> 'name' and not $3 then moment end asc nulls last,
            case when $2 <> 'name' and $3 then moment end desc nulls last,
            id) as place
        from timed
        order by place limit $4 offset $5
    )
    select id, name, model, system_prompt, settings, to_json(created_at) #>> '{}' as created_at,
        to_json(updated_at) #>> '{}' as updated_at, to_json(last_run) #>> '{}' as last_run_at,
        (select count(*) from ai.agent_sessions s where s.agent_id = page.id) as session_count,
        (select count(*) from ai.agent_runs r where r.agent_id = page.id) as total_runs
    from page
    order by place";

impl Db {
    /// Agents, and how many there are in all.
    pub async fn agents(
        &self,
        principal: &Principal,
        filter: &AgentFilter,
    ) -> Result<(Vec<AgentSummary>, i64), sqlx::Error> {
        let pattern = filter.q.as_deref().map(escape_like);
        let mut tx = self.begin(principal).await?;
        let total =
            sqlx::query("select count(*) from ai.agents a where $1::text is null or a.name ilike '%' || $1 || '%'")
                .bind(&pattern)
                .fetch_one(&mut *tx)
                .await?
                .try_get(0)?;
        let rows = sqlx::query(LIST)
            .bind(&pattern)
            .bind(filter.sort.as_str())
            .bind(filter.descending)
            .bind(filter.limit)
            .bind(filter.offset)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok((rows.iter().map(read_summary).collect::<Result<_, _>>()?, total))
    }

    /// The agent of this id.
    pub async fn agent(&self, principal: &Principal, id: Uuid) -> Result<Option<AgentRow>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let row = sqlx::query(
            "select id, name, model, system_prompt, settings, to_json(created_at) #>> '{}' as created_at,
                to_json(updated_at) #>> '{}' as updated_at from ai.agents where id = $1",
        )
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        row.as_ref().map(read_agent).transpose()
    }

    /// Makes an agent.
    pub async fn create_agent(&self, principal: &Principal, agent: &NewAgent) -> Result<AgentRow, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let row = sqlx::query(
            "insert into ai.agents (name, model, system_prompt, settings) values ($1, $2, $3, $4)
             returning id, name, model, system_prompt, settings, to_json(created_at) #>> '{}' as created_at,
                to_json(updated_at) #>> '{}' as updated_at",
        )
        .bind(&agent.name)
        .bind(&agent.model)
        .bind(&agent.system_prompt)
        .bind(&agent.settings)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        read_agent(&row)
    }

    /// Changes an agent; none where it does not exist.
    pub async fn change_agent(
        &self,
        principal: &Principal,
        id: Uuid,
        change: &AgentChange,
    ) -> Result<Option<AgentRow>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let row = sqlx::query(
            "update ai.agents set name = coalesce($2, name), model = case when $3 then $4 else model end,
                system_prompt = case when $5 then $6 else system_prompt end, settings = coalesce($7, settings),
                updated_at = now()
             where id = $1
             returning id, name, model, system_prompt, settings, to_json(created_at) #>> '{}' as created_at,
                to_json(updated_at) #>> '{}' as updated_at",
        )
        .bind(id)
        .bind(&change.name)
        .bind(change.model.is_some())
        .bind(change.model.clone().flatten())
        .bind(change.system_prompt.is_some())
        .bind(change.system_prompt.clone().flatten())
        .bind(&change.settings)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        row.as_ref().map(read_agent).transpose()
    }

    /// Deletes an agent with its conversations, where it exists.
    pub async fn delete_agent(&self, principal: &Principal, id: Uuid) -> Result<(), sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        sqlx::query("delete from ai.agents where id = $1").bind(id).execute(&mut *tx).await?;
        tx.commit().await
    }

    /// Tools of an agent, oldest assignment first; of them, for a delegated caller, those that the user allowed.
    pub async fn agent_tools(&self, principal: &Principal, agent: Uuid) -> Result<Vec<ToolAssignment>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let rows = sqlx::query(
            "select id, tool_type, tool_name, tool_id, config_override, approval, callee_id from ai.agent_tools
             where agent_id = $1 order by created_at, tool_name",
        )
        .bind(agent)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let assigned: Vec<ToolAssignment> = rows.iter().map(read_assignment).collect::<Result<_, _>>()?;
        Ok(match principal.delegation() {
            Some(delegation) => assigned.into_iter().filter(|tool| delegation.allows_tool(&tool.tool_name)).collect(),
            None => assigned,
        })
    }

    /// Lets an agent call a tool; none where it may already.
    pub async fn assign_tool(
        &self,
        principal: &Principal,
        agent: Uuid,
        assignment: &ToolAssignment,
    ) -> Result<Option<ToolAssignment>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let row = sqlx::query(
            "insert into ai.agent_tools (id, agent_id, tool_type, tool_name, tool_id, config_override, approval, callee_id)
             values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (agent_id, tool_name) do nothing
             returning id, tool_type, tool_name, tool_id, config_override, approval, callee_id",
        )
        .bind(assignment.id)
        .bind(agent)
        .bind(&assignment.tool_type)
        .bind(&assignment.tool_name)
        .bind(assignment.tool_id)
        .bind(&assignment.config_override)
        .bind(&assignment.approval)
        .bind(assignment.callee_id)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        row.as_ref().map(read_assignment).transpose()
    }

    /// Changes an assignment; none where the agent has no such assignment.
    pub async fn change_assignment(
        &self,
        principal: &Principal,
        agent: Uuid,
        id: Uuid,
        change: &AssignmentChange,
    ) -> Result<Option<ToolAssignment>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let row = sqlx::query(
            "update ai.agent_tools set config_override = coalesce($3, config_override), approval = coalesce($4, approval)
             where agent_id = $1 and id = $2
             returning id, tool_type, tool_name, tool_id, config_override, approval, callee_id",
        )
        .bind(agent)
        .bind(id)
        .bind(&change.config_override)
        .bind(&change.approval)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        row.as_ref().map(read_assignment).transpose()
    }

    /// Takes a tool from an agent; false where the agent has no such assignment.
    pub async fn delete_assignment(&self, principal: &Principal, agent: Uuid, id: Uuid) -> Result<bool, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let done = sqlx::query("delete from ai.agent_tools where agent_id = $1 and id = $2")
            .bind(agent)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}

/// A text that `ilike` takes for itself.
pub(super) fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn read_agent(row: &PgRow) -> Result<AgentRow, sqlx::Error> {
    Ok(AgentRow {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        model: row.try_get("model")?,
        system_prompt: row.try_get("system_prompt")?,
        settings: row.try_get("settings")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

fn read_summary(row: &PgRow) -> Result<AgentSummary, sqlx::Error> {
    Ok(AgentSummary {
        agent: read_agent(row)?,
        session_count: row.try_get("session_count")?,
        total_runs: row.try_get("total_runs")?,
        last_run_at: row.try_get("last_run_at")?,
    })
}

fn read_assignment(row: &PgRow) -> Result<ToolAssignment, sqlx::Error> {
    Ok(ToolAssignment {
        id: row.try_get("id")?,
        tool_type: row.try_get("tool_type")?,
        tool_name: row.try_get("tool_name")?,
        tool_id: row.try_get("tool_id")?,
        config_override: row.try_get("config_override")?,
        approval: row.try_get("approval")?,
        callee_id: row.try_get("callee_id")?,
    })
}
