//! Table `ai.agent_sessions`: sessions, which are conversations. Row-level security decides whose are seen; no statement here
//! repeats it.

use behalf_host_db::{HostDb, HostTx};
use behalf_identity::Principal;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value as Json, json};
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::like::escape_like;

/// A session.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionRow {
    /// Its row.
    pub(crate) id: Uuid,
    /// Its id.
    pub(crate) session_id: String,
    /// The agent.
    pub(crate) agent_id: Uuid,
    /// The user whose session it is; null where it is the service role's own.
    pub(crate) user_id: Option<Uuid>,
    /// Free for clients.
    #[schema(value_type = Object)]
    pub(crate) session_data: Json,
    /// Free for clients.
    #[schema(value_type = Object)]
    pub(crate) metadata: Json,
    /// RFC 3339.
    pub(crate) created_at: String,
    /// RFC 3339.
    pub(crate) updated_at: String,
}

/// A session in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SessionSummary {
    /// Its id.
    pub(crate) session_id: String,
    /// Its runs.
    pub(crate) run_count: i64,
    /// RFC 3339.
    pub(crate) last_activity_at: String,
    /// RFC 3339.
    pub(crate) created_at: String,
    /// The first message of the user.
    pub(crate) first_message: Option<String>,
}

/// Which sessions to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionFilter {
    /// Text that the id or a message contains.
    pub(crate) search: Option<String>,
    /// Made after this moment.
    pub(crate) created_after: Option<DateTime<Utc>>,
    /// Made before this moment.
    pub(crate) created_before: Option<DateTime<Utc>>,
    /// Fewest runs.
    pub(crate) min_runs: Option<i64>,
    /// Most runs.
    pub(crate) max_runs: Option<i64>,
    /// Rows.
    pub(crate) limit: i64,
    /// Rows to leave out first.
    pub(crate) offset: i64,
}

/// A session to make.
#[derive(Clone, Debug)]
pub(crate) struct NewSession {
    /// Its id, made by the host.
    pub(crate) session_id: String,
    /// The agent.
    pub(crate) agent_id: Uuid,
    /// The user whose session it is.
    pub(crate) user_id: Option<Uuid>,
    /// Questions and answers that it begins with.
    pub(crate) seeds: Vec<Seed>,
}

/// A question and its answer from elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Seed {
    /// The id its run gets.
    pub(crate) run_id: String,
    /// The user's message.
    pub(crate) question: String,
    /// The agent's message.
    pub(crate) answer: String,
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

/// A row of [`LIST`]. The only row of an empty page has no session.
#[derive(Debug, FromRow)]
struct ListedRow {
    total: i64,
    session_id: Option<String>,
    run_count: Option<i64>,
    last_activity_at: Option<String>,
    created_at: Option<String>,
    first_message: Option<String>,
}

/// The table of sessions.
#[derive(Clone, Debug)]
pub(crate) struct SessionStore {
    db: HostDb,
}

impl SessionStore {
    /// The store in this database.
    pub(crate) fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// Sessions with an agent, newest activity first, and how many there are in all.
    pub(crate) async fn of_agent(
        &self,
        principal: &Principal,
        agent: Uuid,
        filter: &SessionFilter,
    ) -> Result<(Vec<SessionSummary>, i64), sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let rows: Vec<ListedRow> = sqlx::query_as(LIST)
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
        let total = rows.first().map_or(0, |row| row.total);
        Ok((rows.into_iter().filter_map(ListedRow::into_summary).collect(), total))
    }

    /// The session of this id.
    pub(crate) async fn find(&self, principal: &Principal, id: &str) -> Result<Option<SessionRow>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let session = sqlx::query_as(
            "select id, session_id, agent_id, user_id, session_data, metadata, to_json(created_at) #>> '{}' as created_at,
                to_json(updated_at) #>> '{}' as updated_at from ai.agent_sessions where session_id = $1",
        )
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(session)
    }

    /// Makes a session with what was said already.
    pub(crate) async fn create(&self, principal: &Principal, session: &NewSession) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        insert_session(&mut tx, &session.session_id, session.agent_id, session.user_id).await?;
        for (place, seed) in session.seeds.iter().enumerate() {
            insert_seed(&mut tx, principal, session, seed, place).await?;
        }
        tx.commit().await
    }

    /// Deletes a session with its runs; false where there is none, or none with this agent.
    pub(crate) async fn delete(
        &self,
        principal: &Principal,
        id: &str,
        agent: Option<Uuid>,
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
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

impl ListedRow {
    fn into_summary(self) -> Option<SessionSummary> {
        Some(SessionSummary {
            session_id: self.session_id?,
            run_count: self.run_count?,
            last_activity_at: self.last_activity_at?,
            created_at: self.created_at?,
            first_message: self.first_message,
        })
    }
}

/// Adds a session. False where one of this id exists, also another user's.
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

/// Adds a question and its answer as a completed run. Such runs are one microsecond apart, so that they keep their order.
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
