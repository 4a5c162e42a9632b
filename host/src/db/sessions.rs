//! Table `ai.agent_sessions`: conversations. Row-level security decides whose are seen; no statement here repeats it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value as Json, json};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::agents::escape_like;
use super::{Db, HostTx};
use crate::identity::Principal;

/// A conversation.
#[derive(Clone, Debug, Serialize)]
pub struct SessionRow {
    /// Its row.
    pub id: Uuid,
    /// Its id.
    pub session_id: String,
    /// With whom.
    pub agent_id: Uuid,
    /// Whose it is; nobody's but the service role's where absent.
    pub user_id: Option<Uuid>,
    /// Free for clients.
    pub session_data: Json,
    /// Free for clients.
    pub metadata: Json,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// A conversation in a list.
#[derive(Clone, Debug, Serialize)]
pub struct SessionSummary {
    /// Its id.
    pub session_id: String,
    /// Its runs.
    pub run_count: i64,
    /// RFC 3339.
    pub last_activity_at: String,
    /// RFC 3339.
    pub created_at: String,
    /// What it began with.
    pub first_message: Option<String>,
}

/// Which conversations to list.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Text of the id or of what somebody said.
    pub search: Option<String>,
    /// Made after this moment.
    pub created_after: Option<DateTime<Utc>>,
    /// Made before this moment.
    pub created_before: Option<DateTime<Utc>>,
    /// Fewest runs.
    pub min_runs: Option<i64>,
    /// Most runs.
    pub max_runs: Option<i64>,
    /// Rows.
    pub limit: i64,
    /// Rows to leave out first.
    pub offset: i64,
}

/// A conversation to make.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id, made by the host.
    pub session_id: String,
    /// With whom.
    pub agent_id: Uuid,
    /// Whose it is.
    pub user_id: Option<Uuid>,
    /// What was said already.
    pub seeds: Vec<Seed>,
}

/// A question and its answer from elsewhere.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The id its run gets.
    pub run_id: String,
    /// What the user said.
    pub question: String,
    /// What the agent said.
    pub answer: String,
}

const LIST: &str = "
    with counted as (
        select s.session_id, s.created_at, s.updated_at,
            (select count(*) from ai.agent_runs r where r.session_id = s.session_id) as run_count,
            (select r.input_messages -> 0 ->> 'content' from ai.agent_runs r
             where r.session_id = s.session_id order by r.started_at, r.id limit 1) as first_message
        from ai.agent_sessions s
        where s.agent_id = $1
          and ($3::timestamptz is null or s.created_at > $3::timestamptz)
          and ($4::timestamptz is null or s.created_at < $4::timestamptz)
          and ($2::text is null or s.session_id ilike '%' || $2 || '%' or exists (
              select from ai.agent_runs r where r.session_id = s.session_id
                and (r.input_messages::text ilike '%' || $2 || '%' or r.content ilike '%' || $2 || '%')))
    ), found as (
        select * from counted
        where ($5::bigint is null or run_count >= $5) and ($6::bigint is null or run_count <= $6)
    ), page as (
        select * from found order by updated_at desc, session_id limit $7 offset $8
    )
    select c.total, session_id, run_count, first_message, to_json(created_at) #>> '{}' as created_at,
        to_json(updated_at) #>> '{}' as last_activity_at
    from (select count(*) as total from found) c left join page on true
    order by updated_at desc, session_id";

impl Db {
    /// Conversations with an agent, newest activity first, and how many there are in all.
    pub async fn sessions_of_agent(
        &self,
        principal: &Principal,
        agent: Uuid,
        filter: &SessionFilter,
    ) -> Result<(Vec<SessionSummary>, i64), sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let rows = sqlx::query(LIST)
            .bind(agent)
            .bind(filter.search.as_deref().map(escape_like))
            .bind(filter.created_after)
            .bind(filter.created_before)
            .bind(filter.min_runs)
            .bind(filter.max_runs)
            .bind(filter.limit)
            .bind(filter.offset)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        let total = rows.first().map_or(Ok(0), |row| row.try_get("total"))?;
        Ok((rows.iter().filter_map(|row| read_summary(row).transpose()).collect::<Result<_, _>>()?, total))
    }

    /// The conversation of this id.
    pub async fn session(&self, principal: &Principal, id: &str) -> Result<Option<SessionRow>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let row = sqlx::query(
            "select id, session_id, agent_id, user_id, session_data, metadata, to_json(created_at) #>> '{}' as created_at,
                to_json(updated_at) #>> '{}' as updated_at from ai.agent_sessions where session_id = $1",
        )
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        row.as_ref().map(read_session).transpose()
    }

    /// Makes a conversation with what was said already.
    pub async fn create_session(&self, principal: &Principal, session: &NewSession) -> Result<(), sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        insert_session(&mut tx, &session.session_id, session.agent_id, session.user_id).await?;
        for (place, seed) in session.seeds.iter().enumerate() {
            insert_seed(&mut tx, principal, session, seed, place).await?;
        }
        tx.commit().await
    }

    /// Deletes a conversation with its runs; false where there is none, or none with this agent.
    pub async fn delete_session(
        &self,
        principal: &Principal,
        id: &str,
        agent: Option<Uuid>,
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let done =
            sqlx::query("delete from ai.agent_sessions where session_id = $1 and ($2::uuid is null or agent_id = $2)")
                .bind(id)
                .bind(agent)
                .execute(&mut *tx)
                .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}

/// False where a conversation of this id exists, whoever's it is.
pub(super) async fn insert_session(
    tx: &mut HostTx,
    id: &str,
    agent: Uuid,
    user: Option<Uuid>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "insert into ai.agent_sessions (session_id, agent_id, user_id) values ($1, $2, $3) on conflict do nothing",
    )
    .bind(id)
    .bind(agent)
    .bind(user)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// One microsecond apart, so that they keep their order.
async fn insert_seed(
    tx: &mut HostTx,
    principal: &Principal,
    session: &NewSession,
    seed: &Seed,
    place: usize,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into ai.agent_runs (run_id, session_id, agent_id, user_id, actor, status, input_messages, output_messages,
            content, started_at, completed_at)
         values ($1, $2, $3, $4, $5, 'completed', $6, $7, $8,
            now() + $9 * interval '1 microsecond', now() + $9 * interval '1 microsecond')",
    )
    .bind(&seed.run_id)
    .bind(&session.session_id)
    .bind(session.agent_id)
    .bind(session.user_id)
    .bind(principal.actor())
    .bind(json!([{ "role": "user", "content": seed.question }]))
    .bind(json!([{ "role": "assistant", "content": seed.answer }]))
    .bind(&seed.answer)
    .bind(f64::from(u32::try_from(place).unwrap_or(u32::MAX)))
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

fn read_session(row: &PgRow) -> Result<SessionRow, sqlx::Error> {
    Ok(SessionRow {
        id: row.try_get("id")?,
        session_id: row.try_get("session_id")?,
        agent_id: row.try_get("agent_id")?,
        user_id: row.try_get("user_id")?,
        session_data: row.try_get("session_data")?,
        metadata: row.try_get("metadata")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

/// None in the row that stands for an empty page.
fn read_summary(row: &PgRow) -> Result<Option<SessionSummary>, sqlx::Error> {
    let Some(session_id) = row.try_get("session_id")? else { return Ok(None) };
    Ok(Some(SessionSummary {
        session_id,
        run_count: row.try_get("run_count")?,
        last_activity_at: row.try_get("last_activity_at")?,
        created_at: row.try_get("created_at")?,
        first_message: row.try_get("first_message")?,
    }))
}
