//! Table `ai.agent_knowledge_bases`: the knowledge bases that an agent's runs search.

use behalf_host_db::{Act, HostDb};
use behalf_identity::Principal;
use serde::Serialize;
use serde_json::Value as Json;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::knowledge::{SearchConfig, SearchedBase};

/// A knowledge base of an agent.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
pub(crate) struct AgentBase {
    /// The assignment's id.
    pub(crate) id: Uuid,
    /// The agent.
    pub(crate) agent_id: Uuid,
    /// The base.
    pub(crate) knowledge_base_id: Uuid,
    /// `top_k`, `retrieval_method` and `max_context_tokens` of this agent's searches.
    #[schema(value_type = Object)]
    pub(crate) config: Json,
}

/// Why a base is not given to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotGiven {
    /// The agent has it already.
    Taken,
    /// There is no such base.
    NoBase,
}

/// The table of agents' bases.
#[derive(Clone, Debug)]
pub(crate) struct AgentBaseStore {
    db: HostDb,
}

impl AgentBaseStore {
    /// The store in this database.
    pub(crate) fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// The assignments of an agent, oldest first.
    pub(crate) async fn list(&self, principal: &Principal, agent: Uuid) -> Result<Vec<AgentBase>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let rows = sqlx::query_as(
            "select id, agent_id, knowledge_base_id, config from ai.agent_knowledge_bases
             where agent_id = $1 order by created_at, id",
        )
        .bind(agent)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// The bases of an agent, as its runs search them. A field that cannot be read counts as absent.
    pub(crate) async fn of_agent(&self, principal: &Principal, agent: Uuid) -> Result<Vec<SearchedBase>, sqlx::Error> {
        let rows = self.list(principal, agent).await?;
        let one = |row: AgentBase| {
            let config = row.config.as_object().map(SearchConfig::read).and_then(Result::ok).unwrap_or_default();
            SearchedBase { id: row.knowledge_base_id, config }
        };
        Ok(rows.into_iter().map(one).collect())
    }

    /// Gives a base to an agent.
    pub(crate) async fn create(
        &self,
        act: Act<'_>,
        agent: Uuid,
        base: Uuid,
        config: &Json,
    ) -> Result<Result<AgentBase, NotGiven>, sqlx::Error> {
        let mut tx = self.db.begin_act(act).await?;
        let made = sqlx::query_as(
            "insert into ai.agent_knowledge_bases (agent_id, knowledge_base_id, config) values ($1, $2, $3)
             on conflict (agent_id, knowledge_base_id) do nothing returning id, agent_id, knowledge_base_id, config",
        )
        .bind(agent)
        .bind(base)
        .bind(config)
        .fetch_optional(&mut *tx)
        .await;
        let row = match made {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(Err(NotGiven::Taken)),
            Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => return Ok(Err(NotGiven::NoBase)),
            Err(error) => return Err(error),
        };
        tx.commit().await?;
        Ok(Ok(row))
    }

    /// Takes a base from an agent; false where the agent has no such assignment.
    pub(crate) async fn delete(&self, act: Act<'_>, agent: Uuid, id: Uuid) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin_act(act).await?;
        let done = sqlx::query("delete from ai.agent_knowledge_bases where agent_id = $1 and id = $2")
            .bind(agent)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}
