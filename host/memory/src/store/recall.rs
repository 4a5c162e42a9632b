//! Searching the memories of one user: all of them, by vector and by words, in one statement.

use behalf_caller_db::FixedAccess;
use behalf_sandbox::Remembered;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{As, parse, run};
use crate::error::MemoriesError;
use crate::models::Vector;
use crate::state::Memories;

macro_rules! mine {
    ($agent:literal) => {
        concat!(
            "from ai.memories m
             where m.user_id = (select auth.uid()) and (m.agent_id is null or m.agent_id = ",
            $agent,
            "::text::uuid)"
        )
    };
}

/// The likeness of the vectors counts 0.7, and the words 0.3: the share of the question's words that the memory has, where a word
/// counts the more, the fewer memories of this user have it. Without a vector of the same model, the words count alone.
const SEARCH: &str = concat!(
    "with asked as (
         select q.lexeme from unnest(to_tsvector('pg_catalog.english', $1::text)) q limit 100
     ), mine as materialized (
         select m.id, m.text, m.meta, m.created_at, tsvector_to_array(m.words) as words,
             case when m.embedding_model = $3::text::smallint then 1 - (m.embedding <=> $4::text::vector) end as likeness ",
    mine!("$2"),
    "
     ), hit as (
         select a.lexeme, m.id from asked a join mine m on a.lexeme = any (m.words)
     ), weight as (
         select a.lexeme, ln(1 + (select count(*) from mine)::float8 / (1 + count(h.id))) as weight
         from asked a left join hit h on h.lexeme = a.lexeme group by a.lexeme
     ), worded as (
         select h.id, sum(w.weight) / (select sum(w.weight) from weight w) as share
         from hit h join weight w on w.lexeme = h.lexeme group by h.id
     ), scored as (
         select m.*, case when m.likeness is null then coalesce(w.share, 0)
             else 0.7 * greatest(m.likeness, 0) + 0.3 * coalesce(w.share, 0) end as score
         from mine m left join worded w on w.id = m.id
     )
     select jsonb_build_object('id', s.id, 'text', s.text, 'score', s.score, 'meta', s.meta, 'created_at', s.created_at)::text
     from scored s order by s.score desc, s.created_at desc, s.id limit $5::text::bigint"
);

const NEWEST: &str = concat!(
    "select jsonb_build_object('id', m.id, 'text', m.text, 'score', 0, 'meta', m.meta, 'created_at', m.created_at)::text ",
    mine!("$1"),
    " order by m.created_at desc, m.id limit $2::text::bigint"
);

#[derive(Debug, Deserialize)]
struct Row {
    id: Uuid,
    text: String,
    score: f32,
    meta: Map<String, Value>,
    created_at: String,
}

/// What to search for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The text.
    pub(crate) text: &'a str,
    /// Its vector; none where words have to be enough.
    pub(crate) vector: Option<&'a Vector>,
}

/// The memories of the caller that an agent may recall, the best first; the newest first where nothing is asked.
pub(crate) async fn recall(
    memories: &Memories,
    by: As<'_>,
    agent: Option<Uuid>,
    (asked, top_k): (Option<Asked<'_>>, u32),
) -> Result<Vec<Remembered>, MemoriesError> {
    let (agent, top_k) = (agent.map(|id| id.to_string()), top_k.to_string());
    let rows = match asked {
        None => {
            let params = [agent.as_deref(), Some(top_k.as_str())];
            run(memories, by, FixedAccess::Read, NEWEST, &params).await?
        }
        Some(Asked { text, vector }) => {
            let model = vector.map(|vector| vector.model.to_string());
            let numbers = vector.map(|vector| vector.text.as_str());
            let params = [Some(text), agent.as_deref(), model.as_deref(), numbers, Some(top_k.as_str())];
            run(memories, by, FixedAccess::Read, SEARCH, &params).await?
        }
    };
    rows.iter().filter_map(|row| row.text(0)).map(|text| parse(text).map(remembered)).collect()
}

fn remembered(row: Row) -> Remembered {
    let Row { id, text, score, meta, created_at } = row;
    Remembered { id, text, score, meta, created_at }
}
