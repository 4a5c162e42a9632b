//! Table `ai.agents`: the agents that operators set up.

use behalf_host_db::{Act, HostDb};
use behalf_identity::Principal;
use serde::Serialize;
use serde_json::Value as Json;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::like::escape_like;

/// An agent.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
pub(crate) struct Agent {
    /// Its id.
    pub(crate) id: Uuid,
    /// Its name; not unique.
    pub(crate) name: String,
    /// The model that it asks; the host's default where it names none.
    pub(crate) model: Option<String>,
    /// The instructions that its model gets before every conversation.
    pub(crate) system_prompt: Option<String>,
    /// Its settings.
    #[schema(value_type = Object)]
    pub(crate) settings: Json,
    /// RFC 3339.
    pub(crate) created_at: String,
    /// RFC 3339.
    pub(crate) updated_at: String,
}

/// An agent in a list.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
pub(crate) struct AgentSummary {
    /// The agent.
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub(crate) agent: Agent,
    /// How many sessions there are with it.
    pub(crate) session_count: i64,
    /// How many runs it had.
    pub(crate) total_runs: i64,
    /// When its last run began, RFC 3339.
    pub(crate) last_run_at: Option<String>,
}

/// The column that a list of agents is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AgentSort {
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
pub(crate) struct AgentFilter {
    /// Text that the name contains.
    pub(crate) q: Option<String>,
    /// The column to sort by.
    pub(crate) sort: AgentSort,
    /// Largest or newest first.
    pub(crate) descending: bool,
    /// Rows.
    pub(crate) limit: i64,
    /// Rows to leave out first.
    pub(crate) offset: i64,
}

/// An agent to make.
#[derive(Clone, Debug)]
pub(crate) struct NewAgent {
    /// Its name.
    pub(crate) name: String,
    /// Its model.
    pub(crate) model: Option<String>,
    /// Its instructions.
    pub(crate) system_prompt: Option<String>,
    /// Its settings, a JSON object.
    pub(crate) settings: Json,
}

/// Fields of an agent to change; an inner none clears the field.
#[derive(Clone, Debug, Default)]
#[expect(clippy::option_option, reason = "an absent field and null differ")]
pub(crate) struct AgentChange {
    /// New name.
    pub(crate) name: Option<String>,
    /// New model.
    pub(crate) model: Option<Option<String>>,
    /// New instructions.
    pub(crate) system_prompt: Option<Option<String>>,
    /// New settings, replaced whole.
    pub(crate) settings: Option<Json>,
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

/// The table of agents.
#[derive(Clone, Debug)]
pub(crate) struct AgentStore {
    db: HostDb,
}

impl AgentStore {
    /// The store in this database.
    pub(crate) fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// Agents, and how many there are in all.
    pub(crate) async fn list(
        &self,
        principal: &Principal,
        filter: &AgentFilter,
    ) -> Result<(Vec<AgentSummary>, i64), sqlx::Error> {
        let pattern = filter.q.as_deref().map(escape_like);
        let mut tx = self.db.begin(principal).await?;
        let total = sqlx::query_scalar(
            "select count(*) from ai.agents a where $1::text is null or a.name ilike '%' || $1 || '%'",
        )
        .bind(&pattern)
        .fetch_one(&mut *tx)
        .await?;
        let agents = sqlx::query_as(LIST)
            .bind(&pattern)
            .bind(filter.sort.as_str())
            .bind(filter.descending)
            .bind(filter.limit)
            .bind(filter.offset)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok((agents, total))
    }

    /// The agent of this id.
    pub(crate) async fn find(&self, principal: &Principal, id: Uuid) -> Result<Option<Agent>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let agent = sqlx::query_as(
            "select id, name, model, system_prompt, settings, to_json(created_at) #>> '{}' as created_at,
                to_json(updated_at) #>> '{}' as updated_at from ai.agents where id = $1",
        )
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(agent)
    }

    /// Makes an agent.
    pub(crate) async fn create(&self, act: Act<'_>, new: &NewAgent) -> Result<Agent, sqlx::Error> {
        let mut tx = self.db.begin_act(act).await?;
        let agent = sqlx::query_as(
            "insert into ai.agents (name, model, system_prompt, settings) values ($1, $2, $3, $4)
             returning id, name, model, system_prompt, settings, to_json(created_at) #>> '{}' as created_at,
                to_json(updated_at) #>> '{}' as updated_at",
        )
        .bind(&new.name)
        .bind(&new.model)
        .bind(&new.system_prompt)
        .bind(&new.settings)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(agent)
    }

    /// Changes an agent; none where it does not exist.
    pub(crate) async fn change(
        &self,
        act: Act<'_>,
        id: Uuid,
        change: &AgentChange,
    ) -> Result<Option<Agent>, sqlx::Error> {
        let mut tx = self.db.begin_act(act).await?;
        let agent = sqlx::query_as(
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
        Ok(agent)
    }

    /// Deletes an agent with its conversations, where it exists.
    pub(crate) async fn delete(&self, act: Act<'_>, id: Uuid) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin_act(act).await?;
        sqlx::query("delete from ai.agents where id = $1").bind(id).execute(&mut *tx).await?;
        tx.commit().await
    }
}
