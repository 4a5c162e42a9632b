//! What a caller may see of bases, read as that caller.

use std::time::Duration;

use behalf_caller_db::{AppLimits, FixedAccess, FixedRequest, FixedRow, array_literal};
use behalf_web::{Asker, Page};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::base_json;
use crate::base::{Base, BaseDetails, IndexedSource, Item};
use crate::error::{KnowledgeProblem, NO_BASE, NO_INDEXED_SOURCE};
use crate::state::Knowledge;

/// A page of items with their texts.
const LIMITS: AppLimits = AppLimits { max_bytes: 32 * 1024 * 1024, deadline: Duration::from_secs(30) };

/// What a list of bases is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// When it was made.
    CreatedAt,
    /// When it was changed.
    UpdatedAt,
    /// Its name.
    Name,
}

/// Which bases to list.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// Text that the name contains.
    pub(crate) q: Option<String>,
    /// What they are sorted by.
    pub(crate) sort: Sort,
    /// Newest first.
    pub(crate) descending: bool,
    /// Which part of the list.
    pub(crate) page: Page,
}

macro_rules! list {
    ($order:literal, $outer:literal) => {
        concat!(
            "select (select count(*) from ai.knowledge_bases b where $1::text is null or b.name ilike $1::text)::text, p.base
             from (select 1) one left join (
                 select b.id, b.created_at, b.updated_at, b.name, ",
            base_json!(),
            " as base from ai.knowledge_bases b where $1::text is null or b.name ilike $1::text order by ",
            $order,
            " limit $2::text::bigint offset $3::text::bigint) p on true order by ",
            $outer
        )
    };
}

/// The counts are of what the caller sees of the base's sources.
const DETAILS: &str = concat!(
    "select (",
    base_json!(),
    "::jsonb || jsonb_build_object('source_counts', (
         select jsonb_build_object('indexed', count(*) filter (where i.index_status = 'indexed'),
             'failed', count(*) filter (where i.index_status = 'failed'), 'pending', count(*) filter (where i.index_status = 'pending'),
             'indexing', count(*) filter (where i.index_status = 'indexing'),
             'cancelled', count(*) filter (where i.index_status = 'cancelled'), 'total', count(*))
         from ai.indexed_sources i where i.knowledge_base_id = b.id),
     'drift', (
         select jsonb_build_object('sources', count(*), 'has_drift', count(*) > 0, 'fields', coalesce((
             select jsonb_agg(distinct n.name) from ai.indexed_sources i
             cross join lateral jsonb_object_keys(i.indexing_config_snapshot || b.indexing_config) n (name)
             where i.knowledge_base_id = b.id and jsonb_typeof(i.indexing_config_snapshot) = 'object'
               and jsonb_typeof(b.indexing_config) = 'object'
               and i.indexing_config_snapshot -> n.name is distinct from b.indexing_config -> n.name), '[]'))
         from ai.indexed_sources i
         where i.knowledge_base_id = b.id and i.indexing_config_snapshot <> b.indexing_config)))::text
     from ai.knowledge_bases b where b.id = $1::text::uuid"
);

const BY_IDS: &str = concat!(
    "select ",
    base_json!(),
    " from ai.knowledge_bases b where b.id = any($1::text::uuid[]) order by array_position($1::text::uuid[], b.id)"
);

/// A name may be that of several bases.
const BY_NAMES: &str = concat!(
    "select ",
    base_json!(),
    " from unnest($1::text::text[]) with ordinality as n (name, place)
     join ai.knowledge_bases b on b.name = n.name or b.id::text = lower(n.name)
     order by n.place, b.created_at, b.id limit 100"
);

const ALL: &str = concat!("select ", base_json!(), " from ai.knowledge_bases b order by b.created_at, b.id limit 100");

macro_rules! indexed_json {
    () => {
        "jsonb_build_object('id', i.id, 'knowledge_base_id', i.knowledge_base_id, 'source_id', i.source_id,
             'index_status', i.index_status, 'indexed_at', i.indexed_at, 'stats', i.stats, 'error_message', i.error_message,
             'chunk_count', i.chunk_count, 'job_id', i.job_id,
             'percent', case when i.index_status = 'indexed' then 100
                 when i.index_status = 'indexing' and jsonb_typeof(i.stats -> 'total') = 'number' and (i.stats ->> 'total')::numeric > 0
                 then least(100, 100 * (i.stats ->> 'done')::numeric / (i.stats ->> 'total')::numeric)::integer end,
             'has_drift', coalesce(i.indexing_config_snapshot <> b.indexing_config, false),
             'source_name', s.name, 'file_type', s.file_type, 'source_created_at', s.created_at)::text"
    };
}

/// The number stands in each row, and in one without a source where the page is empty.
const SOURCES: &str = concat!(
    "select (select count(*) from ai.indexed_sources i
             where i.knowledge_base_id = $1::text::uuid and ($2::text is null or i.index_status = $2::text))::text, p.source
     from ai.knowledge_bases k left join (
         select i.created_at, i.id, ",
    indexed_json!(),
    " as source
         from ai.indexed_sources i join ai.knowledge_bases b on b.id = i.knowledge_base_id left join ai.sources s on s.id = i.source_id
         where i.knowledge_base_id = $1::text::uuid and ($2::text is null or i.index_status = $2::text)
         order by i.created_at desc, i.id limit $3::text::bigint offset $4::text::bigint) p on true
     where k.id = $1::text::uuid order by p.created_at desc, p.id"
);

const SOURCE: &str = concat!(
    "select ",
    indexed_json!(),
    " from ai.indexed_sources i join ai.knowledge_bases b on b.id = i.knowledge_base_id left join ai.sources s on s.id = i.source_id
     where i.knowledge_base_id = $1::text::uuid and i.id = $2::text::uuid"
);

macro_rules! item_json {
    () => {
        "jsonb_build_object('id', c.id, 'source_id', c.source_id, 'indexed_source_id', c.indexed_source_id,
             'chunk_index', c.chunk_index, 'text', c.text, 'start_char', c.start_char, 'end_char', c.end_char, 'tokens', c.tokens,
             'meta', c.meta)::text"
    };
}

const ITEMS: &str = concat!(
    "select (select count(*) from ai.chunks c
             where c.knowledge_base_id = $1::text::uuid and c.source_id = any($2::text::uuid[]))::text, p.item
     from (select 1) one left join (
         select c.source_id, c.chunk_index, c.id, ",
    item_json!(),
    " as item from ai.chunks c where c.knowledge_base_id = $1::text::uuid and c.source_id = any($2::text::uuid[])
         order by array_position($2::text::uuid[], c.source_id), c.chunk_index, c.id
         limit $3::text::bigint offset $4::text::bigint) p on true
     order by array_position($2::text::uuid[], p.source_id), p.chunk_index, p.id"
);

const CHUNKS: &str = concat!(
    "select (select count(*) from ai.chunks c where c.indexed_source_id = i.id)::text, p.item
     from ai.indexed_sources i left join lateral (
         select c.chunk_index, c.id, ",
    item_json!(),
    " as item from ai.chunks c where c.indexed_source_id = i.id
         order by c.chunk_index, c.id limit $3::text::bigint offset $4::text::bigint) p on true
     where i.knowledge_base_id = $1::text::uuid and i.id = $2::text::uuid order by p.chunk_index, p.id"
);

/// Sources that the caller may add: their own, or all for the service role, whose text is there and that are not in the base.
const AVAILABLE: &str = "
    with free as (
        select s.id, s.name, s.file_type, s.extraction_status, s.created_at from ai.sources s
        where s.extraction_status = 'extracted' and (s.owner_id = auth.uid() or auth.role() = 'service_role')
          and ($2::text is null or s.name ilike $2::text)
          and not exists (select from ai.indexed_sources i where i.source_id = s.id and i.knowledge_base_id = $1::text::uuid))
    select (select count(*) from free)::text, p.source
    from (select 1) one left join (
        select f.created_at, f.id, jsonb_build_object('id', f.id, 'name', f.name, 'file_type', f.file_type,
            'extraction_status', f.extraction_status, 'created_at', f.created_at)::text as source
        from free f order by f.created_at desc, f.id limit $3::text::bigint offset $4::text::bigint) p on true
    order by p.created_at desc, p.id";

impl Filter {
    fn statement(&self) -> &'static str {
        match (self.sort, self.descending) {
            (Sort::CreatedAt, true) => list!("b.created_at desc, b.id", "p.created_at desc, p.id"),
            (Sort::CreatedAt, false) => list!("b.created_at, b.id", "p.created_at, p.id"),
            (Sort::UpdatedAt, true) => list!("b.updated_at desc, b.id", "p.updated_at desc, p.id"),
            (Sort::UpdatedAt, false) => list!("b.updated_at, b.id", "p.updated_at, p.id"),
            (Sort::Name, true) => list!("b.name desc, b.id", "p.name desc, p.id"),
            (Sort::Name, false) => list!("b.name, b.id", "p.name, p.id"),
        }
    }
}

/// Rows of a page, and how many there are in all.
pub(crate) type Counted<T> = (Vec<T>, i64);

/// Bases that the caller sees.
pub(crate) async fn list(
    knowledge: &Knowledge,
    asker: &Asker,
    filter: &Filter,
) -> Result<Counted<Base>, KnowledgeProblem> {
    let pattern = filter.q.as_deref().map(pattern);
    let (limit, offset) = numbers(filter.page);
    let params = [pattern.as_deref(), Some(&limit), Some(&offset)];
    counted(&run(knowledge, asker, filter.statement(), &params).await?)
}

/// A base with how far its sources are.
pub(crate) async fn details(knowledge: &Knowledge, asker: &Asker, id: Uuid) -> Result<BaseDetails, KnowledgeProblem> {
    let rows = run(knowledge, asker, DETAILS, &[Some(&id.to_string())]).await?;
    parse(rows.first().and_then(|row| row.text(0)).ok_or(KnowledgeProblem::NotFound(NO_BASE))?)
}

/// A base.
pub(crate) async fn base(knowledge: &Knowledge, asker: &Asker, id: Uuid) -> Result<Base, KnowledgeProblem> {
    bases(knowledge, asker, &[id]).await?.pop().ok_or(KnowledgeProblem::NotFound(NO_BASE))
}

/// Those of these bases that the caller sees, in this order.
pub(crate) async fn bases(knowledge: &Knowledge, asker: &Asker, ids: &[Uuid]) -> Result<Vec<Base>, KnowledgeProblem> {
    let rows = run(knowledge, asker, BY_IDS, &[Some(&uuids(ids))]).await?;
    rows.iter().filter_map(|row| row.text(0)).map(parse).collect()
}

/// The same by ids or names; `None` is all, 100 at most.
pub(crate) async fn named(
    knowledge: &Knowledge,
    asker: &Asker,
    names: Option<&[String]>,
) -> Result<Vec<Base>, KnowledgeProblem> {
    let rows = match names {
        Some(names) => run(knowledge, asker, BY_NAMES, &[Some(&array_literal(names))]).await?,
        None => run(knowledge, asker, ALL, &[]).await?,
    };
    rows.iter().filter_map(|row| row.text(0)).map(parse).collect()
}

/// Sources of a base.
pub(crate) async fn sources(
    knowledge: &Knowledge,
    asker: &Asker,
    base: Uuid,
    (status, page): (Option<&str>, Page),
) -> Result<Counted<IndexedSource>, KnowledgeProblem> {
    let (limit, offset) = numbers(page);
    let params = [Some(&*base.to_string()), status, Some(&limit), Some(&offset)];
    let rows = run(knowledge, asker, SOURCES, &params).await?;
    if rows.is_empty() {
        return Err(KnowledgeProblem::NotFound(NO_BASE));
    }
    counted(&rows)
}

/// One source of a base.
pub(crate) async fn source(
    knowledge: &Knowledge,
    asker: &Asker,
    (base, place): (Uuid, Uuid),
) -> Result<IndexedSource, KnowledgeProblem> {
    let rows = run(knowledge, asker, SOURCE, &[Some(&base.to_string()), Some(&place.to_string())]).await?;
    parse(rows.first().and_then(|row| row.text(0)).ok_or(KnowledgeProblem::NotFound(NO_INDEXED_SOURCE))?)
}

/// Items of these sources in a base.
pub(crate) async fn items(
    knowledge: &Knowledge,
    asker: &Asker,
    base: Uuid,
    (sources, page): (&[Uuid], Page),
) -> Result<Counted<Item>, KnowledgeProblem> {
    let (limit, offset) = numbers(page);
    let params = [Some(&*base.to_string()), Some(&*uuids(sources)), Some(&limit), Some(&offset)];
    counted(&run(knowledge, asker, ITEMS, &params).await?)
}

/// Chunks of one source of a base.
pub(crate) async fn chunks(
    knowledge: &Knowledge,
    asker: &Asker,
    (base, place): (Uuid, Uuid),
    page: Page,
) -> Result<Counted<Item>, KnowledgeProblem> {
    let (limit, offset) = numbers(page);
    let params = [Some(&*base.to_string()), Some(&*place.to_string()), Some(&limit), Some(&offset)];
    let rows = run(knowledge, asker, CHUNKS, &params).await?;
    if rows.is_empty() {
        return Err(KnowledgeProblem::NotFound(NO_INDEXED_SOURCE));
    }
    counted(&rows)
}

/// Sources that the caller may add to a base.
pub(crate) async fn available<T: DeserializeOwned>(
    knowledge: &Knowledge,
    asker: &Asker,
    base: Uuid,
    (q, page): (Option<&str>, Page),
) -> Result<Counted<T>, KnowledgeProblem> {
    let (limit, offset) = numbers(page);
    let (base, pattern) = (base.to_string(), q.map(pattern));
    let params = [Some(&*base), pattern.as_deref(), Some(&limit), Some(&offset)];
    counted(&run(knowledge, asker, AVAILABLE, &params).await?)
}

/// Runs a statement as the caller.
pub(crate) async fn run(
    knowledge: &Knowledge,
    asker: &Asker,
    text: &'static str,
    params: &[Option<&str>],
) -> Result<Vec<FixedRow>, KnowledgeProblem> {
    let Asker { principal, key } = asker;
    let access = FixedAccess::Read;
    let request =
        FixedRequest { principal, key: *key, access, settings: &[], variables: &[], text, params, limits: LIMITS };
    Ok(knowledge.caller_db.run_fixed(request).await?)
}

/// Reads a row that Postgres wrote as JSON.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, KnowledgeProblem> {
    serde_json::from_str(text).map_err(|error| KnowledgeProblem::Database(sqlx::Error::Decode(Box::new(error))))
}

/// The number in the first column, and the objects in the second.
fn counted<T: DeserializeOwned>(rows: &[FixedRow]) -> Result<Counted<T>, KnowledgeProblem> {
    let total = rows.first().and_then(|row| row.text(0)?.parse().ok()).unwrap_or_default();
    let found = rows.iter().filter_map(|row| row.text(1)).map(parse).collect::<Result<_, _>>()?;
    Ok((found, total))
}

fn numbers(page: Page) -> (String, String) {
    (page.limit.to_string(), page.offset.to_string())
}

/// Ids as the text of an array.
pub(crate) fn uuids(ids: &[Uuid]) -> String {
    let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    format!("{{{}}}", ids.join(","))
}

/// `%`, `_` and `\` lose their meaning in a pattern.
fn pattern(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_of_a_list_has_a_statement_of_its_own() {
        let page = Page::new(None, None, 50, 100);
        let mut seen = std::collections::BTreeSet::new();
        for sort in [Sort::CreatedAt, Sort::UpdatedAt, Sort::Name] {
            for descending in [true, false] {
                let filter = Filter { q: None, sort, descending, page };
                assert!(seen.insert(filter.statement()), "{sort:?} {descending}");
            }
        }
    }

    #[test]
    fn texts_of_clients_are_values() {
        assert_eq!(pattern("50%_\\"), "%50\\%\\_\\\\%");
        assert_eq!(uuids(&[Uuid::nil(), Uuid::nil()]).matches("0000-").count(), 8);
        assert_eq!(uuids(&[]), "{}");
    }
}
