//! Reading memories without a search.

use behalf_caller_db::FixedAccess;
use behalf_web::Page;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{As, parse, run};
use crate::error::MemoriesError;
use crate::state::Memories;

/// A memory as its user sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Listed {
    /// Its id.
    pub(crate) id: Uuid,
    /// The user.
    pub(crate) user_id: Uuid,
    /// The agent that remembers it; every agent of the user where null.
    pub(crate) agent_id: Option<Uuid>,
    /// Its text.
    pub(crate) text: String,
    /// What the tool added to it.
    pub(crate) meta: Map<String, Value>,
    /// When it was kept first.
    pub(crate) created_at: String,
    /// When it was kept last.
    pub(crate) updated_at: String,
}

/// Which memories to list.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// Text that they contain.
    pub(crate) q: Option<String>,
    /// The agent that remembers them.
    pub(crate) agent: Option<Uuid>,
    /// Which part of the list.
    pub(crate) page: Page,
}

macro_rules! shown {
    () => {
        "jsonb_build_object('id', m.id, 'user_id', m.user_id, 'agent_id', m.agent_id, 'text', m.text, 'meta', m.meta,
             'created_at', m.created_at, 'updated_at', m.updated_at)::text"
    };
}

macro_rules! filter {
    () => {
        "($1::text is null or strpos(lower(m.text), lower($1::text)) > 0)
             and ($2::text is null or m.agent_id = $2::text::uuid)"
    };
}

/// The number of all memories that fit stands in each row, and in one without a memory where the page is empty.
const LIST: &str = concat!(
    "select (select count(*) from ai.memories m where ",
    filter!(),
    ")::text, p.memory from (select 1) one left join (
         select m.id, m.created_at, ",
    shown!(),
    " as memory from ai.memories m where ",
    filter!(),
    " order by m.created_at desc, m.id limit $3::text::bigint offset $4::text::bigint
     ) p on true order by p.created_at desc, p.id"
);

const FIND: &str = concat!("select ", shown!(), " from ai.memories m where m.id = $1::text::uuid");

/// Memories that the caller may see, newest first, and how many fit in all.
pub(crate) async fn list(
    memories: &Memories,
    by: As<'_>,
    filter: &Filter,
) -> Result<(Vec<Listed>, i64), MemoriesError> {
    let agent = filter.agent.map(|id| id.to_string());
    let (limit, offset) = (filter.page.limit.to_string(), filter.page.offset.to_string());
    let params = [filter.q.as_deref(), agent.as_deref(), Some(limit.as_str()), Some(offset.as_str())];
    let rows = run(memories, by, FixedAccess::Read, LIST, &params).await?;
    let total = rows.first().and_then(|row| row.text(0)?.parse().ok()).unwrap_or_default();
    let found = rows.iter().filter_map(|row| row.text(1)).map(parse).collect::<Result<_, _>>()?;
    Ok((found, total))
}

/// The memory of this id.
pub(crate) async fn find(memories: &Memories, by: As<'_>, id: Uuid) -> Result<Listed, MemoriesError> {
    let rows = run(memories, by, FixedAccess::Read, FIND, &[Some(&id.to_string())]).await?;
    parse(rows.first().and_then(|row| row.text(0)).ok_or(MemoriesError::NotFound)?)
}
